"""Gaps in a signal: samples that are not numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fill(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a signal with straight lines across its gaps, and zeros if it is nothing but one."""
    real = np.isfinite(signal)
    if real.all():
        return signal
    if not real.any():
        return np.zeros_like(signal)
    positions = np.arange(len(real))
    return np.interp(positions, positions[real], signal[real]).astype(np.float32)


def count_gaps(signal: NDArray[np.float32]) -> int:
    """Return how many stretches of a signal are no numbers."""
    gone = ~np.isfinite(signal)
    return int(gone[:1].sum() + (gone[1:] & ~gone[:-1]).sum())
