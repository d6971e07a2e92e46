"""A model file and a labelled set -> a trained network.

Names are loaded when they are asked for, as most need torch and `progress` is read where there may be none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecg_rhythm.training.augment import AUGMENTATIONS, Augmentation
    from ecg_rhythm.training.batches import Batch, Recordings, on_device, sorted_batches, training_batches
    from ecg_rhythm.training.environment import accelerator_for
    from ecg_rhythm.training.fold import Parts, Trained
    from ecg_rhythm.training.loss import LOSSES, l2_penalty, loss_of
    from ecg_rhythm.training.optimizer import move_average, optimizer_of, rate_at
    from ecg_rhythm.training.padded import Padded
    from ecg_rhythm.training.predict import probabilities
    from ecg_rhythm.training.progress import Progress, read_progress
    from ecg_rhythm.training.trainer import Trainer

__all__ = [
    "AUGMENTATIONS", "LOSSES", "Augmentation", "Batch", "Padded", "Parts", "Progress", "Recordings", "Trained",
    "Trainer", "accelerator_for", "l2_penalty", "loss_of", "move_average", "on_device", "optimizer_of",
    "probabilities", "rate_at", "read_progress", "sorted_batches", "training_batches",
]  # fmt: skip

_MODULES = {
    "augment": ("AUGMENTATIONS", "Augmentation"),
    "batches": ("Batch", "Recordings", "on_device", "sorted_batches", "training_batches"),
    "environment": ("accelerator_for",),
    "loss": ("LOSSES", "l2_penalty", "loss_of"),
    "optimizer": ("move_average", "optimizer_of", "rate_at"),
    "padded": ("Padded",),
    "predict": ("probabilities",),
    "progress": ("Progress", "read_progress"),
    "fold": ("Parts", "Trained"),
    "trainer": ("Trainer",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
