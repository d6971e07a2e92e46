"""Windows of a recording, and the mean of what a network predicts for them.

A network that was trained on windows predicts windows of the same length, as in Strodthoff et al., "Deep Learning for
ECG Analysis: Benchmarks and Insights from PTB-XL", IEEE Journal of Biomedical and Health Informatics 25, 2021. On whole
recordings the paper's CNN scores much lower, probably because fewer of their samples are near an edge.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def samples_of(seconds: float, fs: float) -> int:
    """Number of samples of a window of a given duration."""
    return round(seconds * fs)


def windows(samples: int, fs: float, seconds: float | None) -> list[slice]:
    """Fewest evenly spaced windows that cover a recording; the whole, if it is no longer than one window.

    Parameters
    ----------
    samples : int
        Length of the recording.
    fs : float
        Sampling rate in Hz.
    seconds : float or None
        Length of a window; None: the whole recording.
    """
    length = samples if seconds is None else min(samples_of(seconds, fs), samples)
    if length == samples:
        return [slice(0, samples)]
    starts = np.linspace(0, samples - length, -(-samples // length)).astype(int).tolist()
    return [slice(start, start + length) for start in starts]


def averaged(rows: NDArray[np.float64], owners: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Average the rows of each recording; gives the recordings, ascending, and their means."""
    recordings, positions, counts = np.unique(owners, return_inverse=True, return_counts=True)
    sums = np.zeros((len(recordings), rows.shape[1]))
    np.add.at(sums, positions, rows)
    return recordings, sums / counts[:, None]


class SlidingWindow:
    """Cuts a signal that arrives in pieces into windows.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    window, stride : float
        Length of a window, and time from the start of one to the start of the next, in seconds.
    """

    def __init__(self, fs: float, window: float, stride: float) -> None:
        self.fs, self.stride, self.length = fs, stride, samples_of(window, fs)
        self.number = 0
        """Number of the next window."""
        self._kept: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._passed = 0
        """Number of samples before the first that is kept."""

    def push(self, samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Add samples; yield the windows that they complete."""
        self._kept = np.concatenate([self._kept, samples])
        while (start := self._start(self.number) - self._passed) + self.length <= len(self._kept):
            yield self._kept[start : start + self.length]
            self.number += 1
        # The samples of the last window are kept: the recording may end before the next window is full.
        done = max(self._start(self.number - 1) - self._passed, 0)
        self._kept, self._passed = self._kept[done:], self._passed + done

    def rest(self) -> Iterator[NDArray[np.float32]]:
        """Yield a last window that ends with the signal, unless one did already."""
        if len(self._kept) > (self.length if self.number else 0):
            yield self._kept[-self.length :]

    def count(self, samples: int) -> int:
        """Number of windows of a signal of this many samples; the last window ends with the signal."""
        full = 0
        while self._start(full) + self.length <= samples:
            full += 1
        return full + (samples > (self._start(full - 1) + self.length if full else 0))

    def _start(self, number: int) -> int:
        return round(number * self.stride * self.fs)
