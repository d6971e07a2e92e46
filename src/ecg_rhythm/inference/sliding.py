"""A long or a live signal -> windows that overlap, and what each of them is by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.classifier import LONGEST, Classifier, batched
from ecg_rhythm.records import Record
from ecg_rhythm.signals.gaps import fill

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


def classify_windows(
    classifier: Classifier, windows: Iterable[NDArray[np.float32]], fs: float
) -> Iterator[NDArray[np.float64]]:
    """Yield the probabilities of each window, shape (classes,); NaN if more than half of it is missing."""
    for batch in batched(windows, BATCH):
        there = [np.isfinite(window).mean() > MOST_MISSING and len(window) >= fs for window in batch]
        given = [Record("", fill(w), fs, "") for w, good in zip(batch, there, strict=True) if good]
        answers = iter(classifier.probabilities(given))
        for good in there:
            yield next(answers) if good else np.full(len(classifier.classes), np.nan)
