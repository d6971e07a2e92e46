"""Windows over a long or a live signal, each classified by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.given import quoted, real
from ecg_rhythm.inference.classifier import LONGEST, Classifier, batched
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.records import Record
from ecg_rhythm.signals.gaps import fill

WINDOW = 10.0
"""Length of a window in s: longer ones blur short episodes."""
BATCH = 64
"""Windows classified at once."""
ALIKE = 0.5
"""Two windows say the same if their probabilities have at most this total variation distance."""
MOST_MISSING = 0.5
"""A window of which this share or more is missing is not classified."""


def check(window: float, stride: float | None) -> float:
    """Check window and stride in s: windows must overlap or touch, and last at least 5 s.

    Returns
    -------
    float
        The stride; if none is given, half a window.

    Raises
    ------
    BadInput
        If they are not so.
    """
    if not (isinstance(window, Real) and isinstance(stride, Real | None)):
        raise BadInput(f"window {quoted(window)}, stride {quoted(stride)}: give numbers of seconds")
    if not 5 <= real(window) <= LONGEST:
        raise BadInput(f"window {real(window):g}: give from 5 s, as a rhythm does not show in less, to {LONGEST:g} s")
    stride = window / 2 if stride is None else stride
    if not 1 <= real(stride) <= window:
        raise BadInput(f"stride {real(stride):g}: it must be from 1 s to the window's {window:g} s")
    return stride


def classify_windows(
    workers: Workers[Classifier], windows: Iterable[NDArray[np.float32]], fs: float, *, spare: bool = False
) -> Iterator[NDArray[np.float64]]:
    """Probabilities of each window, shape (classes,); NaN if half of it or more is missing.

    With `spare`, every other window is computed only if the one before and the one after differ, else it gets their
    mean. They must overlap or touch, so that all of the signal is seen.

    Raises
    ------
    Died
        If worker processes die of it.
    """
    for probabilities in workers.map(partial(_classified, fs=fs, spare=spare), batched(windows, BATCH)):
        yield from probabilities


def _classified(
    classifier: Classifier, windows: Sequence[NDArray[np.float32]], fs: float, spare: bool
) -> NDArray[np.float64]:
    """Probabilities of some windows, shape (windows, classes)."""
    readable = np.array([np.isfinite(window).mean() > MOST_MISSING and len(window) >= fs for window in windows])
    found = np.full((len(windows), len(classifier.classes)), np.nan)

    def compute(these: NDArray[np.bool_]) -> None:
        strips = [Record("", fill(window), fs, "") for window, now in zip(windows, these, strict=True) if now]
        found[these] = classifier.probabilities(strips)

    if not spare:
        compute(readable)
        return found
    between = np.zeros(len(windows), dtype=bool)
    between[1:-1:2] = True
    compute(readable & ~between)
    before, after = found[:-2:2], found[2::2]
    found[between] = np.where(
        np.abs(before - after).sum(axis=1, keepdims=True) / 2 <= ALIKE, (before + after) / 2, np.nan
    )
    found[~readable] = np.nan
    compute(readable & np.isnan(found).any(axis=1))
    return found
