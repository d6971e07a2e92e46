"""Checking, building and describing architectures by name."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
from typing import Any

import torch

from ecg_rhythm import schema
from ecg_rhythm.config import ModelConfig
from ecg_rhythm.errors import BadInput
from ecg_rhythm.networks.base import ARCHITECTURES, Network
from ecg_rhythm.schema import parse


def check(model: ModelConfig, source: str = "model") -> Any:
    """Check a model file against its architecture, and give the architecture's parameters.

    Raises
    ------
    BadInput
        If the architecture is unknown, or does not accept the parameters or the numbers of epochs.
    """
    if (architecture := ARCHITECTURES.get(model.model_name)) is None:
        known = ", ".join(sorted(ARCHITECTURES))
        raise BadInput(f"{source}: model_name {model.model_name!r} is unknown; allowed: {known}")
    text = json.dumps(model.model_parameters)
    parameters = parse(architecture.Parameters, text, f"{source}, model_parameters")
    if model.preprocessing.spectrogram and not architecture.takes_spectrogram:
        raise BadInput(
            f"{source}: preprocessing.spectrogram is true, but {model.model_name} needs the signal itself; "
            "set it to false"
        )
    epochs, phases = model.training_parameters.epochs, len(architecture.phases)
    if epochs is not None and len(epochs) not in (1, phases):
        raise BadInput(
            f"{source}: training_parameters.epochs has {len(epochs)} numbers, {model.model_name} has {phases} phases; "
            "give one number for all phases or one for each"
        )
    return parameters


def code_of(model_name: str) -> str:
    """A hash of the module of an architecture, which does not depend on comments and layout."""
    source = inspect.getsource(sys.modules[ARCHITECTURES[model_name].__module__])
    return hashlib.sha256(ast.unparse(ast.parse(source)).encode()).hexdigest()[:12]


def epochs_per_phase(model: ModelConfig) -> list[int]:
    """Largest number of epochs of each phase, from the model file or else from the architecture."""
    phases = ARCHITECTURES[model.model_name].phases
    chosen = model.training_parameters.epochs or [phase.epochs for phase in phases]
    return chosen * len(phases) if len(chosen) == 1 else chosen


def json_schema() -> dict[str, Any]:
    """JSON Schema of a model file, with the parameters of every architecture."""
    described = schema.json_schema(ModelConfig)
    described["properties"]["model_name"]["enum"] = sorted(ARCHITECTURES)
    described["allOf"] = [
        {
            "if": {"properties": {"model_name": {"const": name}}},
            "then": {"properties": {"model_parameters": architecture.Parameters.model_json_schema()}},
        }
        for name, architecture in sorted(ARCHITECTURES.items())
    ]
    return described


def build(model: ModelConfig, fs: float, n_classes: int) -> Network:
    """Build a network with new weights, drawn from torch's global generator.

    Parameters
    ----------
    model : ModelConfig
        Architecture, parameters and preprocessing.
    fs : float
        Sampling rate of the signals in Hz.
    n_classes : int
        Number of logits.
    """
    parameters = check(model)
    architecture: Any = ARCHITECTURES[model.model_name]
    network: Network = architecture(model, parameters, fs, n_classes)
    # The type stubs of torch do not know `to` with this argument alone.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
