"""Windows over a long or a live signal, each classified by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.classifier import LONGEST, Classifier, batched
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.records import Record
from ecg_rhythm.signals.gaps import fill

WINDOW, STRIDE = 30.0, 15.0
"""Length of a window in s, as long as most recordings of the challenge; time from one window to the next in s."""
BATCH = 64
"""Windows classified at once."""
MOST_MISSING = 0.5
"""A window of which more is missing is not classified."""


def check(window: float, stride: float | None) -> float:
    """Check window and stride in s: windows must overlap or touch, and last at least 5 s.

    Returns
    -------
    float
        The stride; if none is given 15 s, or half a shorter window.

    Raises
    ------
    BadInput
        If they are not so.
    """
    if not (isinstance(window, Real) and isinstance(stride, Real | None)):
        raise BadInput(f"window {window!r}, stride {stride!r}: give numbers of seconds")
    if not 5 <= window <= LONGEST:
        raise BadInput(f"window {window:g}: give from 5 s, as a rhythm does not show in less, to {LONGEST:g} s")
    stride = min(STRIDE, window / 2) if stride is None else stride
    if not 1 <= stride <= window:
        raise BadInput(f"stride {stride:g}: it must be from 1 s to the window's {window:g} s")
    return stride


def classify_windows(
    workers: Workers[Classifier], windows: Iterable[NDArray[np.float32]], fs: float
) -> Iterator[NDArray[np.float64]]:
    """Probabilities of each window, shape (classes,); NaN if more than half of it is missing.

    Raises
    ------
    Died
        If worker processes die of it.
    """
    for probabilities in workers.map(partial(_classified, fs=fs), batched(windows, BATCH)):
        yield from probabilities


def _classified(classifier: Classifier, windows: Sequence[NDArray[np.float32]], fs: float) -> NDArray[np.float64]:
    """Probabilities of some windows, shape (windows, classes)."""
    readable = [np.isfinite(window).mean() > MOST_MISSING and len(window) >= fs for window in windows]
    found = np.full((len(windows), len(classifier.classes)), np.nan)
    strips = [Record("", fill(window), fs, "") for window, good in zip(windows, readable, strict=True) if good]
    found[readable] = classifier.probabilities(strips)
    return found
