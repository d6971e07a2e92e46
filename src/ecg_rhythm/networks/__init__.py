"""Architectures: a model file -> a network that turns raw signals into logits.

Every other file of this folder but `base.py` and `layers.py` is an architecture, known by the name it
registers itself under; adding one takes nothing else.
"""

from __future__ import annotations

import json
import pkgutil
from importlib import import_module
from typing import Any

import torch

from ecg_rhythm.config import ModelConfig, parse
from ecg_rhythm.errors import BadInput
from ecg_rhythm.networks.base import ARCHITECTURES, Network, Phase, register

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["ARCHITECTURES", "Network", "Phase", "build", "check", "register"]


def check(config: ModelConfig, source: str = "model") -> Any:
    """Return the checked parameters of a model's architecture.

    Raises
    ------
    BadInput
        If the architecture is unknown, or its parameters or numbers of epochs are not what it takes.
    """
    if (architecture := ARCHITECTURES.get(config.model_name)) is None:
        known = ", ".join(sorted(ARCHITECTURES))
        raise BadInput(f"{source}: model_name {config.model_name!r} is unknown; allowed: {known}")
    parameters = parse(architecture.Parameters, json.dumps(config.model_parameters), f"{source}, model_parameters")
    epochs = config.training_parameters.epochs
    if epochs is not None and len(epochs) > len(architecture.phases):
        raise BadInput(
            f"{source}: training_parameters.epochs lists {len(epochs)} phases, {config.model_name} has "
            f"{len(architecture.phases)}; give at most one number per phase"
        )
    return parameters


def build(config: ModelConfig, fs: float, n_classes: int) -> Network:
    """Return a network with fresh weights, drawn from torch's global generator.

    Parameters
    ----------
    config : ModelConfig
        The model.
    fs : float
        Sampling rate of the signals in Hz.
    n_classes : int
        Number of logits.
    """
    parameters = check(config)
    architecture: Any = ARCHITECTURES[config.model_name]
    network: Network = architecture(config, parameters, fs, n_classes)
    # torch's own types do not know that `to` takes this alone.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
