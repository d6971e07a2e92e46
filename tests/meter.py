"""A model without a network, in a module that loads fast, because every worker process of a test loads it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.weights.metadata import Metadata


@dataclass(frozen=True)
class Meter:
    """A model that classifies by the mean of a signal: about 0 is N, about 1 is A, about 2 is noise."""

    metadata: Metadata

    def logits(self, signals: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        level = signals.sum(axis=1) / lengths
        found: NDArray[np.float32] = (-8 * np.abs(level[:, None] - np.arange(3))).astype(np.float32)
        return found
