"""Probabilities of single windows -> probabilities of each step, given the steps before and after."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.evaluation.metrics import NOISE

UNREADABLE = NOISE
"""Label of what cannot be classified, because of noise or missing samples."""
CHANGES: Mapping[tuple[str, str], float] = {
    ("N", "A"): 60, ("N", "O"): 1, ("N", NOISE): 4,
    ("A", "N"): 60, ("A", "O"): 2, ("A", NOISE): 4,
    ("O", "N"): 4, ("O", "A"): 30, ("O", NOISE): 4,
    (NOISE, "N"): 60, (NOISE, "A"): 60, (NOISE, "O"): 60,
}  # fmt: skip
"""From one rhythm of the challenge to another: changes in an hour of the first. `studies/timelines.py` fits those
between rhythms; those from and to noise are set, as splices have no noise."""
MEAN_MINUTES = 2.0
"""Mean duration of a rhythm where the classes are others."""
TRUST = 1.0
"""Power of a step's probabilities in smoothing."""


def merged(windows: NDArray[np.float64], steps: int, window: float, stride: float) -> NDArray[np.float64]:
    """Merge overlapping windows: each step gets the geometric mean of the windows that cover it, or NaN.

    A window counts by the share of the step that it covers.

    Parameters
    ----------
    windows : ndarray of float64, shape (windows, classes)
        Probabilities of each window, NaN where it was not classified; window n begins with step n.
    steps : int
        Number of steps.
    window, stride : float
        Length of a window and of a step in s.

    Returns
    -------
    ndarray of float64, shape (steps, classes)
        The probabilities of each step.
    """
    logs = np.log(np.maximum(windows, 1e-6))
    total, count = np.zeros((steps, windows.shape[1])), np.zeros((steps, 1))
    for offset, share in enumerate(shares(window, stride)):
        part = logs[: max(steps - offset, 0)]
        good = ~np.isnan(part).any(axis=1, keepdims=True)
        total[offset : offset + len(part)] += np.where(good, share * part, 0)
        count[offset : offset + len(part)] += share * good
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.exp(total / count)
        return np.asarray(mean / mean.sum(axis=1, keepdims=True))


def shares(window: float, stride: float) -> list[float]:
    """The share that a window covers of the step with which it begins, and of each further one that it reaches."""
    number = math.ceil(round(window / stride, 6))
    return [min(window / stride - offset, 1.0) for offset in range(number)]


def smoothed(steps: NDArray[np.float64], change: NDArray[np.float64], trust: float = TRUST) -> NDArray[np.float64]:
    """Smooth the probabilities of steps with a hidden Markov model, forward and backward.

    NaN stays NaN and is no evidence.

    Parameters
    ----------
    steps : ndarray of float64, shape (steps, ..., classes)
        Probabilities of each step alone; of one recording, or of several of the same length.
    change : ndarray of float64, shape (classes, classes)
        Probability of each change of rhythm from one step to the next; see `transitions`.
    trust : float
        Power of a step's probabilities.

    Returns
    -------
    ndarray of float64, shape (steps, ..., classes)
        The probabilities of each step given all steps.

    References
    ----------
    Rabiner, "A tutorial on hidden Markov models", Proceedings of the IEEE 77, 1989.
    """
    gone = np.isnan(steps).any(axis=-1)
    evidence = np.nan_to_num(np.maximum(steps, 1e-6), nan=1.0) ** trust
    forward, backward = np.empty_like(evidence), np.ones_like(evidence)
    now = np.full(steps.shape[1:], 1 / steps.shape[-1])
    for i, seen in enumerate(evidence):
        now = (now @ change if i else now) * seen
        forward[i] = now = now / now.sum(axis=-1, keepdims=True)
    for i in range(len(evidence) - 2, -1, -1):
        later = (evidence[i + 1] * backward[i + 1]) @ change.T
        backward[i] = later / later.sum(axis=-1, keepdims=True)
    posterior = forward * backward
    posterior /= posterior.sum(axis=-1, keepdims=True)
    posterior[gone] = np.nan
    return posterior


def transitions(
    classes: Sequence[str], stride: float, changes: Mapping[tuple[str, str], float] = CHANGES
) -> NDArray[np.float64]:
    """Probability of each change of rhythm from one step to the next, shape (classes, classes).

    Parameters
    ----------
    classes : sequence of str
        The rhythms.
    stride : float
        Length of a step in s.
    changes : mapping of (str, str) to float
        From one rhythm to another: changes in an hour of the first. If any pair of classes is missing there, as those
        of another data set are, a rhythm lasts `MEAN_MINUTES` on average and changes to any other.
    """
    from scipy.linalg import expm  # slow to load

    others = len(classes) - 1
    rates = np.array([[changes.get((one, other), np.nan) for other in classes] for one in classes])
    np.fill_diagonal(rates, 0)
    if np.isnan(rates).any():
        rates = np.full_like(rates, 60 / MEAN_MINUTES / max(others, 1))
        np.fill_diagonal(rates, 0)
    np.fill_diagonal(rates, -rates.sum(axis=1))
    return np.asarray(expm(rates * stride / 3600))


def labels_of(probabilities: NDArray[np.float64], classes: Sequence[str]) -> list[str]:
    """The most probable class of each step, `~` where its probabilities are NaN."""
    gone = np.isnan(probabilities).any(axis=1)
    best = np.where(gone, len(classes), np.nan_to_num(probabilities).argmax(axis=1))
    return [(*classes, UNREADABLE)[i] for i in best.tolist()]
