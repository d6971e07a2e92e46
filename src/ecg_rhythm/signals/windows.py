"""How a recording is cut for a network that was trained on windows, and its answers are put together.

What was trained on windows is asked in windows of the same length, as in Strodthoff et al., "Deep Learning for ECG
Analysis: Benchmarks and Insights from PTB-XL", IEEE Journal of Biomedical and Health Informatics 25, 2021. Whole
recordings cost the paper's CNN much of its score (docs/experiments.md), probably as less of them is near an edge.
"""

from __future__ import annotations

from collections.abc import Iterator

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


class SlidingWindow:
    """Cuts windows from a signal that comes in pieces.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    window, stride : float
        Seconds of a window, and from one beginning to the next.
    """

    def __init__(self, fs: float, window: float, stride: float) -> None:
        self.fs, self.stride, self.length = fs, stride, round(window * fs)
        self.number = 0
        """Of the next window."""
        self._kept: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._passed = 0
        """Samples before the first that is kept."""

    def push(self, samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Take further samples; yield the windows that they complete."""
        self._kept = np.concatenate([self._kept, samples])
        while (start := self._start(self.number) - self._passed) + self.length <= len(self._kept):
            yield self._kept[start : start + self.length]
            self.number += 1
        # What the last window had is kept: the recording may end before the next one is full.
        done = max(self._start(self.number - 1) - self._passed, 0)
        self._kept, self._passed = self._kept[done:], self._passed + done

    def rest(self) -> Iterator[NDArray[np.float32]]:
        """Yield the last window, which ends with the signal, if no window did."""
        if len(self._kept) > (self.length if self.number else 0):
            yield self._kept[-self.length :]

    def _start(self, number: int) -> int:
        return round(number * self.stride * self.fs)
