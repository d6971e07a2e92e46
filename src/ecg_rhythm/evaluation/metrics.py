"""Metrics: what tables, files and logs say of predictions, by name.

Another metric is a function here and its line in `METRICS` or, where it needs probabilities, in `CURVES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NOISE = "~"
"""The class of unreadable recordings: its F1 is reported but not part of the challenge score."""

Scores = dict[str, Any]
"""Metrics as files keep them: name -> value, or name -> class -> value; and `confusion`, the matrix they are from."""
Matrix = NDArray[np.int64]
"""Recordings by actual class (rows) and predicted class (columns)."""


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1) over folds; the latter is None for a single fold."""

    mean: float
    sd: float | None

    def __str__(self) -> str:
        return f"{self.mean:.3f}" + (f" ± {self.sd:.3f}" if self.sd is not None else "")


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation of values over folds."""
    return Spread(mean(values), stdev(values) if len(values) > 1 else None)


def confusion_matrix(actual: ArrayLike, predicted: ArrayLike, n_classes: int) -> Matrix:
    """Count recordings by actual class (rows) and predicted class (columns).

    Parameters
    ----------
    actual, predicted : array_like of int, shape (n,)
        Class numbers from 0 to `n_classes` - 1.
    """
    actual, predicted = np.asarray(actual, np.int64), np.asarray(predicted, np.int64)
    pairs = np.bincount(actual * n_classes + predicted, minlength=n_classes**2)
    return pairs.reshape(n_classes, n_classes)


def challenge(matrix: Matrix, classes: Sequence[str]) -> float:
    """The challenge score: mean F1 of all classes but noise (`~`), so of N, A and O in the challenge.

    References
    ----------
    Clifford et al., "AF Classification from a Short Single Lead ECG Recording: the
    PhysioNet/Computing in Cardiology Challenge 2017", Computing in Cardiology 44, 2017.
    """
    values = np.array(list(f1(matrix, classes).values()))
    return float(values[[i for i, name in enumerate(classes) if name != NOISE] or [0]].mean())


def accuracy(matrix: Matrix, classes: Sequence[str]) -> float:
    """Share of recordings whose predicted class is the actual one."""
    return float(np.diag(matrix).sum() / max(matrix.sum(), 1))


def f1(matrix: Matrix, classes: Sequence[str]) -> dict[str, float]:
    """F1 of each class: 2 TP / (predicted + actual), 0 where the class neither occurs nor is predicted."""
    seen = matrix.sum(axis=0) + matrix.sum(axis=1)
    values = np.divide(2 * np.diag(matrix), seen, out=np.zeros(len(classes)), where=seen > 0)
    return {name: float(value) for name, value in zip(classes, values, strict=True)}


METRICS: Mapping[str, Callable[[Matrix, Sequence[str]], float | dict[str, float]]] = {
    "challenge": challenge,
    "accuracy": accuracy,
    "f1": f1,
}
"""Name -> metric of a confusion matrix and the names of its classes: one value, or one for each class."""


def score(actual: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> Scores:
    """Score predictions by every metric, as values that go into JSON.

    Parameters
    ----------
    actual, predicted : array_like of int, shape (n,)
        Positions in `classes`.
    classes : sequence of str
        Names of the classes.
    """
    matrix = confusion_matrix(actual, predicted, len(classes))
    return {name: metric(matrix, classes) for name, metric in METRICS.items()} | {"confusion": matrix.tolist()}


def flat(scores: Scores) -> dict[str, float]:
    """Name -> value of every metric; those of a class are called `F1 N`."""
    named: dict[str, float] = {}
    for name, value in scores.items():
        if isinstance(value, dict):
            named |= {f"{name.upper()} {label}": one for label, one in value.items()}
        elif not isinstance(value, list):
            named[name] = value
    return named


def auroc(actual: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """Area under the ROC curve of one class against all others; both kinds of recordings must be there."""
    hits, false_alarms = _cumulated(actual, probabilities)
    bends = (np.diff(hits[1:], 2) != 0) | (np.diff(false_alarms[1:], 2) != 0)  # others change the last bits alone
    kept = np.concatenate([[True, True], bends, [True]]) if len(hits) > 2 else np.ones(len(hits), dtype=np.bool_)
    return float(np.trapezoid(hits[kept] / hits[-1], false_alarms[kept] / false_alarms[-1]))


def auprc(actual: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """Average precision of one class against all others, the area under its precision-recall curve."""
    hits, false_alarms = _cumulated(actual, probabilities)
    precision = hits[1:] / (hits[1:] + false_alarms[1:])
    return float((np.diff(hits / hits[-1]) * precision)[::-1].sum())


CURVES: Mapping[str, Callable[[NDArray[np.bool_], NDArray[np.float64]], float]] = {"AUROC": auroc, "AUPRC": auprc}
"""Name -> metric of a class's probabilities."""


def _cumulated(
    actual: NDArray[np.bool_], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many recordings of the class, and of others, are above each threshold, from the strictest on."""
    order = np.argsort(-probabilities, kind="stable")
    last = np.append(np.flatnonzero(np.diff(probabilities[order])), len(order) - 1)  # of those with one probability
    hits = np.cumsum(actual[order])[last].astype(np.float64)
    return np.append(0.0, hits), np.append(0.0, last + 1 - hits)
