"""Confusion matrix -> F1 of every class, challenge score and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

NOISE = "~"
"""The class of unreadable recordings: its F1 is reported but not part of the challenge score."""


class Scores(TypedDict):
    """What is known of a set of predictions; every value goes into JSON as it is."""

    challenge: float
    accuracy: float
    f1: dict[str, float]
    confusion: list[list[int]]


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1) over folds; the latter is None for a single fold."""

    mean: float
    sd: float | None

    def __str__(self) -> str:
        return f"{self.mean:.3f}" + (f" ± {self.sd:.3f}" if self.sd is not None else "")


def spread(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation of values over folds."""
    return Spread(mean(values), stdev(values) if len(values) > 1 else None)


def confusion_matrix(actual: ArrayLike, predicted: ArrayLike, n_classes: int) -> NDArray[np.int64]:
    """Count recordings by actual class (rows) and predicted class (columns).

    Parameters
    ----------
    actual, predicted : array_like of int, shape (n,)
        Class numbers from 0 to `n_classes` - 1.
    """
    actual, predicted = np.asarray(actual, np.int64), np.asarray(predicted, np.int64)
    pairs = np.bincount(actual * n_classes + predicted, minlength=n_classes**2)
    return pairs.reshape(n_classes, n_classes)


def score(actual: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> Scores:
    """Score predictions as the PhysioNet/CinC Challenge 2017 does.

    F1 of a class is 2 TP / (predicted + actual), 0 where the class neither occurs nor is predicted;
    the challenge score is the mean F1 of all classes but noise (`~`): N, A and O in the challenge.

    References
    ----------
    Clifford et al., "AF Classification from a Short Single Lead ECG Recording: the
    PhysioNet/Computing in Cardiology Challenge 2017", Computing in Cardiology 44, 2017.
    """
    matrix = confusion_matrix(actual, predicted, len(classes))
    hits = np.diag(matrix)
    seen = matrix.sum(axis=0) + matrix.sum(axis=1)
    f1 = np.divide(2 * hits, seen, out=np.zeros(len(classes)), where=seen > 0)
    rhythms = [i for i, name in enumerate(classes) if name != NOISE] or [0]
    return {
        "challenge": float(f1[rhythms].mean()),
        "accuracy": float(hits.sum() / max(matrix.sum(), 1)),
        "f1": {name: float(value) for name, value in zip(classes, f1, strict=True)},
        "confusion": matrix.tolist(),
    }
