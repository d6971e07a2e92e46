"""Gaps in a signal: samples that are NaN or infinite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fill(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill the gaps of a signal with straight lines; a signal without a real sample becomes zero."""
    real = np.isfinite(signal)
    if real.all():
        return signal
    if not real.any():
        return np.zeros_like(signal)
    positions = np.arange(len(real))
    return np.interp(positions, positions[real], signal[real]).astype(np.float32)


def count_gaps(signal: NDArray[np.float32]) -> int:
    """Count the gaps of a signal."""
    gone = ~np.isfinite(signal)
    return int(gone[:1].sum() + (gone[1:] & ~gone[:-1]).sum())
