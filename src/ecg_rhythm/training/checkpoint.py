"""A checkpoint: an unfinished phase as one file, without pickles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ecg_rhythm import files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.weights.metadata import KEY


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """State of an optimizer as named tensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer.{i}.{name}": value.detach().cpu().contiguous()
        for i, values in state.items()
        for name, value in values.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Load the tensors of `flatten_optimizer` into an optimizer."""
    whole = optimizer.state_dict()
    whole["state"] = {}
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, i, name = key.split(".", 2)
            if value.ndim:  # in the parameter's memory layout, which torch's fused step needs
                value = torch.empty_like(parameters[int(i)]).copy_(value)
            whole["state"].setdefault(int(i), {})[name] = value
    optimizer.load_state_dict(whole)


def checkpoint_tensors(
    network: nn.Module, average: nn.Module | None, optimizer: torch.optim.Optimizer
) -> dict[str, torch.Tensor]:
    """All tensors that an unfinished phase needs to go on."""
    state = {f"network.{name}": t for name, t in network.state_dict().items()}
    if average is not None:
        state |= {f"average.{name}": t for name, t in average.state_dict().items()}
    return {name: t.detach().cpu().contiguous() for name, t in state.items()} | flatten_optimizer(optimizer)


def save_checkpoint(path: Path, tensors: dict[str, torch.Tensor], progress: dict[str, Any]) -> None:
    """Write tensors, and `progress` as JSON, whole or not at all."""
    with files.replacing(path) as temporary:
        save_file(tensors, temporary, metadata={KEY: json.dumps(progress)})


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read the progress and the tensors of a checkpoint.

    Raises
    ------
    BadInput
        If it is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            progress: dict[str, Any] = json.loads(file.metadata()[KEY])
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise BadInput(f"{path}: this checkpoint is damaged; train it again with --restart") from None
    return progress, tensors


def restore_checkpoint(
    network: nn.Module,
    average: nn.Module | None,
    optimizer: torch.optim.Optimizer,
    tensors: dict[str, torch.Tensor],
) -> None:
    """Load the tensors of a checkpoint into a network, its average and its optimizer."""
    network.load_state_dict(_below("network.", tensors))
    if average is not None:
        average.load_state_dict(_below("average.", tensors))
    restore_optimizer(optimizer, tensors)


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
