"""Metrics of predictions, name -> value: "challenge", "F1 N", "accuracy", "AUROC N".

Tables, files and logs loop over the names; the metric of one class has a space and the class at the end of its name.
A new metric is a function of the confusion matrix that `OF_LABELS` lists, or of probabilities in `OF_PROBABILITIES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NOISE = "~"
"""The class of unreadable recordings: its F1 is reported but not part of the challenge score."""

Metrics = dict[str, float]
Confusion = NDArray[np.int64]


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


def confusion_matrix(actual: ArrayLike, predicted: ArrayLike, n_classes: int) -> Confusion:
    """Count recordings by actual class (rows) and predicted class (columns).

    Parameters
    ----------
    actual, predicted : array_like of int, shape (n,)
        Class numbers from 0 to `n_classes` - 1.
    """
    actual, predicted = np.asarray(actual, np.int64), np.asarray(predicted, np.int64)
    pairs = np.bincount(actual * n_classes + predicted, minlength=n_classes**2)
    return pairs.reshape(n_classes, n_classes)


def challenge(confusion: Confusion, classes: Sequence[str]) -> Metrics:
    """Score of the PhysioNet/CinC Challenge 2017: the mean F1 of all classes but noise (`~`).

    References
    ----------
    Clifford et al., "AF Classification from a Short Single Lead ECG Recording: the
    PhysioNet/Computing in Cardiology Challenge 2017", Computing in Cardiology 44, 2017.
    """
    return {"challenge": float(challenge_scores(confusion, classes))}


def challenge_scores(confusions: NDArray[Any], classes: Sequence[str]) -> NDArray[np.float64]:
    """Challenge score of each of many confusion matrices, shape (..., classes, classes)."""
    rhythms = [i for i, name in enumerate(classes) if name != NOISE] or [0]
    return np.asarray(_f1(confusions)[..., rhythms].mean(axis=-1))


def accuracy(confusion: Confusion, classes: Sequence[str]) -> Metrics:
    """Share of recordings whose class is predicted; 0 of no recordings."""
    return {"accuracy": float(np.diag(confusion).sum() / max(confusion.sum(), 1))}


def f1(confusion: Confusion, classes: Sequence[str]) -> Metrics:
    """F1 of each class: 2 TP / (predicted + actual), 0 where the class neither occurs nor is predicted."""
    return {f"F1 {name}": float(value) for name, value in zip(classes, _f1(confusion), strict=True)}


def _f1(confusions: NDArray[Any]) -> NDArray[np.float64]:
    both = np.diagonal(confusions, axis1=-2, axis2=-1)
    return np.asarray(2 * both / np.maximum(confusions.sum(axis=-2) + confusions.sum(axis=-1), 1))


OF_LABELS = (challenge, f1, accuracy)
"""Functions of a confusion matrix, in the order in which their metrics are reported."""


def score(actual: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> Metrics:
    """Compute every metric of predicted labels.

    Parameters
    ----------
    actual, predicted : array_like of int, shape (n,)
        Positions in `classes`.
    """
    return score_confusion(confusion_matrix(actual, predicted, len(classes)), classes)


def score_confusion(confusion: Confusion, classes: Sequence[str]) -> Metrics:
    """Compute every metric of a confusion matrix."""
    return {name: value for metric in OF_LABELS for name, value in metric(confusion, classes).items()}


def scores_for_file(actual: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> dict[str, Any]:
    """Metrics and confusion matrix in the form of `scores.json`, which keeps F1 in a section of its own."""
    confusion = confusion_matrix(actual, predicted, len(classes))
    values = score_confusion(confusion, classes)
    of_class = {name: values.pop(f"F1 {name}") for name in classes}
    return {**values, "f1": of_class, "confusion": confusion.tolist()}


def metrics_from_file(scores: Mapping[str, Any], classes: Sequence[str]) -> Metrics:
    """Every metric of what `scores_for_file` made; from its confusion matrix, so old files have new metrics, too."""
    return score_confusion(np.array(scores["confusion"]), classes)


def auroc(actual: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """Area under the receiver operating characteristic.

    Parameters
    ----------
    actual : ndarray of bool, shape (n,)
        Which recordings are of the class; both kinds must occur.
    probabilities : ndarray of float64, shape (n,)
        How probable the class is.
    """
    hits, false_alarms = counts_by_threshold(actual, probabilities)
    corners = np.ones(len(hits), dtype=bool)  # points on a straight line add rounding errors alone
    corners[1:-1] = (np.diff(hits, 2) != 0) | (np.diff(false_alarms, 2) != 0)
    sensitivity = np.append(0, hits[corners]) / hits[-1]
    false_alarm_rate = np.append(0, false_alarms[corners]) / false_alarms[-1]
    return float(np.trapezoid(sensitivity, false_alarm_rate))


def average_precision(actual: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """Area under the precision-recall curve, as the mean precision at each hit; for parameters see `auroc`."""
    hits, false_alarms = counts_by_threshold(actual, probabilities)
    precision, sensitivity = hits / (hits + false_alarms), hits / hits[-1]
    return float((np.diff(sensitivity, prepend=0) * precision)[::-1].sum())


OF_PROBABILITIES = {"AUROC": auroc, "AUPRC": average_precision}
"""Functions of one class against all others."""


def counts_by_threshold(
    actual: NDArray[np.bool_], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hits and false alarms at each threshold, from the highest to the lowest; equal probabilities share one."""
    order = np.argsort(-probabilities, kind="stable")
    last = np.flatnonzero(np.diff(probabilities[order], append=-np.inf))
    hits = np.cumsum(actual[order], dtype=np.int64)[last]
    return hits, last + 1 - hits


def score_probabilities(
    actual: NDArray[np.int64], probabilities: NDArray[np.float64], classes: Sequence[str]
) -> dict[str, float | None]:
    """Compute every metric of probabilities, class by class; None where all or no recordings are of the class.

    Parameters
    ----------
    actual : ndarray of int64, shape (n,)
        Positions in `classes`.
    probabilities : ndarray of float64, shape (n, classes)
        Of each class.
    """
    areas: dict[str, float | None] = {}
    for title, metric in OF_PROBABILITIES.items():
        for position, name in enumerate(classes):
            own = actual == position
            areas[f"{title} {name}"] = metric(own, probabilities[:, position]) if 0 < own.sum() < len(own) else None
    return areas
