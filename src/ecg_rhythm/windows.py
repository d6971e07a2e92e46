"""A long or a live signal -> windows that overlap, and what each of them is by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import records
from ecg_rhythm.classifier import LONGEST, Classifier, batched
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import Record

WINDOW, STRIDE = 30.0, 15.0
"""Seconds that are classified at once, as long as most recordings of the challenge; seconds from one to the next."""
BATCH = 64
"""Windows that are classified at once."""
MOST_MISSING = 0.5
"""Share of a window that may be missing; more, and it is not classified."""


def check(window: float, stride: float | None) -> float:
    """Refuse windows that leave something out or are shorter than a few heart beats; return the stride.

    If none is given, it is 15 s, or half a shorter window.

    Raises
    ------
    BadInput
        If they do.
    """
    if not (isinstance(window, Real) and isinstance(stride, Real | None)):
        raise BadInput(f"window {window!r}, stride {stride!r}: give numbers of seconds")
    if not 5 <= window <= LONGEST:
        raise BadInput(f"window {window:g}: give from 5 s, as less is too short to tell a rhythm, to {LONGEST:g} s")
    stride = min(STRIDE, window / 2) if stride is None else stride
    if not 1 <= stride <= window:
        raise BadInput(f"stride {stride:g}: it must be from 1 s to the window's {window:g} s")
    return stride


class Cutter:
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


def classify_windows(
    classifier: Classifier, windows: Iterable[NDArray[np.float32]], fs: float
) -> Iterator[NDArray[np.float64]]:
    """Yield the probabilities of each window, shape (classes,); NaN if more than half of it is missing."""
    for batch in batched(windows, BATCH):
        there = [np.isfinite(window).mean() > MOST_MISSING and len(window) >= fs for window in batch]
        given = [Record("", records.fill(w), fs, "") for w, good in zip(batch, there, strict=True) if good]
        answers = iter(classifier.probabilities(given))
        for good in there:
            yield next(answers) if good else np.full(len(classifier.classes), np.nan)
