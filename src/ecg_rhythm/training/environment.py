"""The computing environment of a run: device, number format, versions."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.tracking import GeneralTracker
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ecg_rhythm.errors import BadInput
from ecg_rhythm.networks import Phase
from ecg_rhythm.version import __version__


def describe(accelerator: Accelerator, seed: int) -> dict[str, Any]:
    """Describe the environment of a run, for `environment.json`."""
    device = accelerator.device
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "ecg_rhythm": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "device": gpu or str(device),
        "processes": accelerator.num_processes,
        "threads": torch.get_num_threads(),
        "precision": accelerator.mixed_precision,
        "seed": seed,
        "git": _git_state(),
    }


def _git_state() -> dict[str, Any] | None:
    """Commit of the program's own checkout, and whether files differ from it; None if it is not run from one."""
    # Without the lock that `git status` takes to keep what it found: a killed process would leave it in the checkout.
    here = ["git", "--no-optional-locks", "-C", str(Path(__file__).parent)]
    try:
        subprocess.run([*here, "ls-files", "--error-unmatch", __file__], capture_output=True, check=True, timeout=10)
        commit = subprocess.run([*here, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        changes = subprocess.run(
            [*here, "status", "--porcelain"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.stdout.strip(), "changed": bool(changes.stdout.strip())}


def accelerator_for(device: str, precision: str, trackers: Sequence[GeneralTracker] = ()) -> Accelerator:
    """Make a new accelerator, which places tensors, chooses number formats and joins processes.

    Parameters
    ----------
    device : {'auto', 'cpu', 'cuda'}
        Device to compute on; auto takes a GPU if there is one.
    precision : {'auto', 'fp32', 'bf16', 'fp16'}
        Number format of the model file.
    trackers : sequence of GeneralTracker
        What metrics are logged to, after `init_trackers`.

    Raises
    ------
    BadInput
        If the device is missing, cannot compute in that number format, or the environment variables of processes that
        train together do not fit each other.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise BadInput("device cuda: there is no GPU that torch can use here; use --device cpu")
    AcceleratorState._reset_state(reset_partial_state=True)
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    number_format = _precision(precision, on_cpu)
    try:
        return Accelerator(cpu=on_cpu, mixed_precision=number_format, log_with=[*trackers] or None)
    except ValueError as error:  # variables of torchrun, of an MPI shell (PMI_SIZE) or of accelerate
        why = str(error).splitlines()[0]
        raise BadInput(
            f"training cannot be set up here ({why}); start processes that train together with torchrun, else unset "
            "RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, PMI_SIZE and what begins with ACCELERATE_"
        ) from None


def shared(network: nn.Module, phases: Iterable[Phase], accelerator: Accelerator) -> nn.Module:
    """The network as processes that train it together call it: their gradients are averaged."""
    if accelerator.num_processes == 1:
        return network
    # Without `device_ids`, which would make it move lengths from the CPU, where they are needed.
    rests = any(phase.frozen or phase.unused for phase in phases)
    return DistributedDataParallel(network, find_unused_parameters=rests)


def _precision(precision: str, on_cpu: bool) -> str:
    """Name of a number format in accelerate; auto means bf16 where the hardware computes in it."""
    if precision == "auto":
        native = cpu_has_bf16() if on_cpu else torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16" if native else "fp32"
    if precision == "fp16" and on_cpu:
        raise BadInput("training_parameters.precision: fp16 needs a GPU; use bf16 or fp32 on the CPU")
    return "no" if precision == "fp32" else precision


def cpu_has_bf16() -> bool:
    """Whether the processor has instructions for bfloat16."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
