"""A checkpoint: an unfinished phase as one file, without pickles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from ecg_rhythm.errors import BadInput
from ecg_rhythm.training.optimizer import SCALARS, names_in_state
from ecg_rhythm.training.progress import State
from ecg_rhythm.weights import tensor_file

REMEDY = "train it again with --restart"


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """State of an optimizer as named tensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer.{i}.{name}": value.detach().cpu().contiguous()
        for i, values in state.items()
        for name, value in values.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Load the tensors of `flatten_optimizer` into an optimizer.

    Raises
    ------
    ValueError
        If they are not those of these weights.
    """
    whole = optimizer.state_dict()
    whole["state"] = {}
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, i, name = key.split(".", 2)
            parameter = parameters[int(i)]
            if value.shape != (() if name in SCALARS else parameter.shape):
                raise ValueError(f"{key} has another shape than its weights")
            if value.ndim:  # in the parameter's memory layout, which torch's fused step needs
                value = torch.empty_like(parameter).copy_(value)
            whole["state"].setdefault(int(i), {})[name] = value
    for group, names in zip(whole["param_groups"], names_in_state(optimizer), strict=True):
        if not all(set(whole["state"].get(i, names)) == names for i in group["params"]):
            raise ValueError("a part of the optimizer's state is missing")
    if not whole["state"]:
        raise ValueError("the optimizer's state is missing")
    optimizer.load_state_dict(whole)


def checkpoint_tensors(
    network: nn.Module, average: nn.Module | None, optimizer: torch.optim.Optimizer
) -> dict[str, torch.Tensor]:
    """All tensors that an unfinished phase needs to go on."""
    state = {f"network.{name}": t for name, t in network.state_dict().items()}
    if average is not None:
        state |= {f"average.{name}": t for name, t in average.state_dict().items()}
    return {name: t.detach().cpu().contiguous() for name, t in state.items()} | flatten_optimizer(optimizer)


def save_checkpoint(path: Path, tensors: dict[str, torch.Tensor], state: State) -> None:
    """Write tensors, and the state of the run as JSON, whole or not at all."""
    tensor_file.write(path, tensors, state.as_json())


def read_checkpoint(path: Path, epochs: Sequence[int], steps_per_epoch: int) -> tuple[State, dict[str, torch.Tensor]]:
    """Read the state and the tensors of the checkpoint of a run; `epochs` has the number of epochs of each phase.

    Raises
    ------
    BadInput
        If it is damaged, or no such run can be in this state.
    """
    tensors, text = tensor_file.read(path, "checkpoint", REMEDY)
    state = State.of_checkpoint(text, path)
    if why := state.contradiction(epochs, steps_per_epoch):
        raise BadInput(f"{path}: this checkpoint cannot be: {why}; {REMEDY}")
    if bool(tensors) != (state.epoch > 0):
        raise BadInput(f"{path}: this checkpoint of epoch {state.epoch} has {len(tensors)} tensors; {REMEDY}")
    return state, tensors


def restore_checkpoint(
    network: nn.Module,
    average: nn.Module | None,
    optimizer: torch.optim.Optimizer,
    tensors: dict[str, torch.Tensor],
    path: Path,
) -> None:
    """Load the tensors of a checkpoint, which is at `path`, into a network, its average and its optimizer.

    Raises
    ------
    BadInput
        If they are not those of this network.
    """
    try:
        if {name.partition(".")[0] for name in tensors} - {"network", "average", "optimizer"}:
            raise ValueError("there are other tensors")
        network.load_state_dict(_below("network.", tensors))
        if average is not None:
            average.load_state_dict(_below("average.", tensors))
        restore_optimizer(optimizer, tensors)
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError):
        raise BadInput(f"{path}: the tensors of this checkpoint do not fit the network; {REMEDY}") from None


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
