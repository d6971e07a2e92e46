"""What a model from a file must give before it is believed: logits, one finite number for each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.weights.metadata import Metadata

SECONDS = (2.0, 1.0)
"""Durations of the signals of noise that a model classifies when it is loaded; shorter ones are never given to it."""


def checked(logits: NDArray[np.float32], signals: int, metadata: Metadata, name: str) -> NDArray[np.float32]:
    """Give logits unchanged if they can be: shape (signals, classes), all finite.

    Raises
    ------
    BadInput
        If not, with the `name` of the model's file.
    """
    if logits.dtype != np.float32 or logits.shape != (signals, len(metadata.classes)):
        raise BadInput(
            f"{name}: this model gives {logits.dtype} of shape {logits.shape} for {signals} signals and "
            f"{len(metadata.classes)} classes, which are no logits; use another, or export it again"
        )
    if not np.isfinite(logits).all():
        raise BadInput(f"{name}: this model gives no numbers, but NaN or infinity; use another, or train it again")
    return logits


def noise(fs: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Two signals of noise in mV, padded with zeros, shape (2, samples), and their lengths."""
    lengths = np.array([round(seconds * fs) for seconds in SECONDS])
    signals = 0.3 * np.random.default_rng(0).standard_normal((len(lengths), lengths.max()), dtype=np.float32)
    return signals * (np.arange(lengths.max()) < lengths[:, None]), lengths
