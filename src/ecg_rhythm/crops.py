"""How a recording is cut for a network that was trained on windows, and its answers are put together.

What was trained on windows is asked in windows of the same length, as in Strodthoff et al., "Deep Learning for ECG
Analysis: Benchmarks and Insights from PTB-XL", IEEE Journal of Biomedical and Health Informatics 25, 2021. Whole
recordings cost the paper's CNN much of its score (docs/experiments.md), probably as less of them is near an edge.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def samples_of(seconds: float, fs: float) -> int:
    """Return how many samples a window of so many seconds has."""
    return int(seconds * fs)


def windows(samples: int, fs: float, seconds: float | None) -> list[slice]:
    """Return evenly spaced windows that cover a recording, as few as do; the whole if it is no longer than one.

    Parameters
    ----------
    samples : int
        Its length.
    fs : float
        Sampling rate in Hz.
    seconds : float or None
        Length of a window; None takes the whole.
    """
    length = samples if seconds is None else min(samples_of(seconds, fs), samples)
    if length == samples:
        return [slice(0, samples)]
    starts = np.linspace(0, samples - length, -(-samples // length)).astype(int).tolist()
    return [slice(start, start + length) for start in starts]


def averaged(rows: NDArray[np.float64], owners: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the recordings that windows belong to, ascending, and the mean of each one's rows."""
    found, positions, counts = np.unique(owners, return_inverse=True, return_counts=True)
    sums = np.zeros((len(found), rows.shape[1]))
    np.add.at(sums, positions, rows)
    return found, sums / counts[:, None]
