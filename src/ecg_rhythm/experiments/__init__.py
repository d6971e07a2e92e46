"""Jobs and runs: queued, trained, summarised, published.

Names are loaded when they are asked for, as `train` needs torch and a summary does not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecg_rhythm.experiments.folder import Run
    from ecg_rhythm.experiments.jobs import RunSpec, plan, single
    from ecg_rhythm.experiments.local import LocalEngine
    from ecg_rhythm.experiments.queue import QueuedRun, Status, enqueue, work_off
    from ecg_rhythm.experiments.run import train
    from ecg_rhythm.experiments.summary import Configuration, summarize

__all__ = [
    "Configuration", "LocalEngine", "QueuedRun", "Run", "RunSpec", "Status", "enqueue", "plan", "single", "summarize",
    "train", "work_off",
]  # fmt: skip

_MODULES = {
    "folder": ("Run",),
    "jobs": ("RunSpec", "plan", "single"),
    "local": ("LocalEngine",),
    "queue": ("QueuedRun", "Status", "enqueue", "work_off"),
    "run": ("train",),
    "summary": ("Configuration", "summarize"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
