"""What windows are by themselves -> the rhythm of each step, given those before and after."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.evaluation.metrics import NOISE

UNREADABLE = NOISE
"""Label of what cannot be told, be it for noise or for a lack of samples."""
MEAN_MINUTES = 40.0
"""How long a rhythm lasts on average, as smoothing sees it: the shortest that `studies/smoothing.py` finds as good
as any."""
TRUST = 0.7
"""Power of a step's probabilities in smoothing: windows overlap, so they are no independent witnesses."""


def merged(windows: NDArray[np.float64], steps: int, per_window: int) -> NDArray[np.float64]:
    """Return the probabilities of each step: of the windows it is in, the geometric mean; NaN if of none.

    Parameters
    ----------
    windows : ndarray of float64, shape (windows, classes)
        The n-th begins with the n-th step.
    steps : int
        How many steps there are.
    per_window : int
        Steps that a window spans.
    """
    logs = np.log(np.maximum(windows, 1e-6))
    total, count = np.zeros((steps, windows.shape[1])), np.zeros((steps, 1))
    for offset in range(per_window):
        part = logs[: max(steps - offset, 0)]
        good = ~np.isnan(part).any(axis=1, keepdims=True)
        total[offset : offset + len(part)] += np.where(good, part, 0)
        count[offset : offset + len(part)] += good
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.exp(total / count)
        return np.asarray(mean / mean.sum(axis=1, keepdims=True))


def smoothed(
    steps: NDArray[np.float64], stride: float, minutes: float = MEAN_MINUTES, trust: float = TRUST
) -> NDArray[np.float64]:
    """Return the probabilities of steps given those before and after: a hidden Markov model's, forward and backward.

    A rhythm stays for some time on average and then changes to any other. NaN stay NaN and tell nothing.

    Parameters
    ----------
    steps : ndarray of float64, shape (steps, classes)
        Probabilities of each step alone.
    stride : float
        Seconds of a step.
    minutes : float
        How long a rhythm stays on average.
    trust : float
        Power of a step's probabilities.

    References
    ----------
    Rabiner, "A tutorial on hidden Markov models", Proceedings of the IEEE 77, 1989.
    """
    gone = np.isnan(steps).any(axis=1)
    evidence = np.nan_to_num(np.maximum(steps, 1e-6), nan=1.0) ** trust
    change = transitions(steps.shape[1], stride, minutes)
    forward, backward = np.empty_like(evidence), np.ones_like(evidence)
    now = np.full(steps.shape[1], 1 / steps.shape[1])
    for i, seen in enumerate(evidence):
        now = (now @ change if i else now) * seen
        forward[i] = now = now / now.sum()
    for i in range(len(evidence) - 2, -1, -1):
        later = change @ (evidence[i + 1] * backward[i + 1])
        backward[i] = later / later.sum()
    found = forward * backward
    found /= found.sum(axis=1, keepdims=True)
    found[gone] = np.nan
    return found


def transitions(classes: int, stride: float, minutes: float = MEAN_MINUTES) -> NDArray[np.float64]:
    """Return how probable each change of rhythm is from one step to the next, shape (classes, classes)."""
    leave = 1 - np.exp(-stride / 60 / minutes)
    matrix = np.full((classes, classes), leave / max(classes - 1, 1))
    np.fill_diagonal(matrix, 1 - leave)
    return matrix


def labels_of(probabilities: NDArray[np.float64], classes: list[str]) -> list[str]:
    """Return the most probable class of each step, `~` where there are no probabilities."""
    return [UNREADABLE if np.isnan(row).any() else classes[int(row.argmax())] for row in probabilities]
