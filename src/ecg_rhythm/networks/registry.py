"""Checking, building and describing architectures by name."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import ismodule
from typing import Any

import torch
from pydantic import BaseModel, TypeAdapter
from torch import nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from ecg_rhythm import plugins, schema
from ecg_rhythm.config import Chance, ModelConfig
from ecg_rhythm.errors import BadInput
from ecg_rhythm.networks.base import ARCHITECTURES, Network
from ecg_rhythm.schema import parse

MOST_PARAMETERS, MOST_TENSORS = 250_000_000, 20_000
"""Size of the largest network that is built, in numbers, and in tensors that hold them: 1 GB, thousands of layers."""

MOST_PER_SECOND = 100_000
"""Samples in all segments of the spectrogram of a second of signal."""


def architecture_of(name: str, source: str = "model") -> type[Network]:
    """Find an architecture by its name, in this package or in another one (entry points `plugins.NETWORKS`).

    Raises
    ------
    BadInput
        If there is none, two have the name, or its package cannot be imported.
    """
    ours = ARCHITECTURES.get(name)
    if name in plugins.found(plugins.NETWORKS):
        added = plugins.load(plugins.NETWORKS, name)
        if ours not in (None, added):
            raise plugins.clash(plugins.NETWORKS, name, "ecg-rhythm")
        if not (isinstance(added, type) and issubclass(added, Network) and _is_complete(added)):
            what = "is no subclass of ecg_rhythm.networks.Network with Parameters and phases"
            raise plugins.wrong(plugins.NETWORKS, name, what)
        return added
    if ours is None:
        raise BadInput(
            f"{source}: model_name {name!r} is unknown; allowed: {', '.join(known())}; if it is a network of another "
            "package, install that"
        )
    return ours


def known() -> list[str]:
    """Names of all architectures, those of other packages among them."""
    return sorted({*ARCHITECTURES, *plugins.found(plugins.NETWORKS)})


def _is_complete(architecture: type[Network]) -> bool:
    parameters = getattr(architecture, "Parameters", None)
    return (
        isinstance(parameters, type) and issubclass(parameters, BaseModel) and bool(getattr(architecture, "phases", ()))
    )


def check(model: ModelConfig, source: str = "model") -> Any:
    """Check a model file against its architecture, and give the architecture's parameters.

    Raises
    ------
    BadInput
        If the architecture is unknown, or does not accept the parameters or the numbers of epochs.
    """
    architecture = architecture_of(model.model_name, source)
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
    return plugins.code_of(architecture_of(model_name))


def imported_code_of(model_name: str) -> str:
    """A hash of the modules of `networks` that an architecture's module uses, itself or through others of them."""
    own, beside = architecture_of(model_name).__module__, __name__.rpartition(".")[0]
    modules, new = set[str](), {own}
    while new:
        modules |= new
        values = [value for name in new for value in vars(sys.modules[name]).values()]
        used = {value.__name__ if ismodule(value) else str(getattr(value, "__module__", "")) for value in values}
        new = {name for name in used if name.startswith(f"{beside}.")} - modules
    return plugins.code_of_modules(sorted(modules - {own}))


def epochs_per_phase(model: ModelConfig) -> list[int]:
    """Largest number of epochs of each phase, from the model file or else from the architecture."""
    phases = architecture_of(model.model_name).phases
    chosen = model.training_parameters.epochs or [phase.epochs for phase in phases]
    return chosen * len(phases) if len(chosen) == 1 else chosen


def json_schema() -> dict[str, Any]:
    """JSON Schema of a model file, with the parameters of every architecture and the augmentations of other packages.

    Raises
    ------
    BadInput
        If a package that adds an architecture cannot be imported.
    """
    described = schema.json_schema(ModelConfig)
    described["properties"]["model_name"]["enum"] = known()
    described["allOf"] = [
        {
            "if": {"properties": {"model_name": {"const": name}}},
            "then": {"properties": {"model_parameters": architecture_of(name).Parameters.model_json_schema()}},
        }
        for name in known()
    ]
    chance = TypeAdapter(Chance).json_schema() | {"default": 0.0}
    augmentation = described["$defs"]["DataAugmentation"]
    augmentation["properties"] = (
        dict.fromkeys(plugins.found(plugins.AUGMENTATIONS), chance) | augmentation["properties"]
    )
    augmentation["additionalProperties"] = False
    return described


def build(model: ModelConfig, fs: float, n_classes: int, source: str = "model") -> Network:
    """Build a network with new weights, drawn from torch's global generator.

    Parameters
    ----------
    model : ModelConfig
        Architecture, parameters and preprocessing.
    fs : float
        Sampling rate of the signals in Hz.
    n_classes : int
        Number of logits.
    source : str
        What to call the model in messages.

    Raises
    ------
    BadInput
        As `check`, or if the network would be larger than any that is built.
    """
    parameters = check(model, source)
    architecture: Any = architecture_of(model.model_name, source)
    preprocessing = model.preprocessing
    per_second = fs * preprocessing.nperseg / (preprocessing.nperseg - preprocessing.noverlap)
    if preprocessing.spectrogram and per_second > MOST_PER_SECOND:
        raise BadInput(
            f"{source}: a spectrogram of {per_second:,.0f} values for each second is larger than any that is computed "
            f"({MOST_PER_SECOND:,}); lower noverlap"
        )
    with _limited(f"{source}: {model.model_name}"):
        network: Network = architecture(model, parameters, fs, n_classes)
    # The type stubs of torch do not know `to` with this argument alone.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


@contextmanager
def _limited(what: str) -> Iterator[None]:
    """Count the tensors of a network while it is built, before they are filled, and refuse one that has too many."""
    tensors, numbers = 0, 0

    def count(module: nn.Module, name: str, tensor: torch.Tensor | None) -> None:
        nonlocal tensors, numbers
        tensors, numbers = tensors + 1, numbers + (0 if tensor is None else tensor.numel())
        if numbers > MOST_PARAMETERS or tensors > MOST_TENSORS:
            raise BadInput(
                f"{what} would have at least {numbers:,} parameters in {tensors:,} tensors; the limits are "
                f"{MOST_PARAMETERS:,} and {MOST_TENSORS:,}; make it smaller"
            )

    hooks = [
        register_module_parameter_registration_hook(count),
        register_module_buffer_registration_hook(count),
    ]
    try:
        yield
    except (RuntimeError, MemoryError, OverflowError) as error:  # of a tensor that is too large to be made at all
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(f"{what} cannot be built with these parameters: {why}") from None
    finally:
        for hook in hooks:
            hook.remove()
