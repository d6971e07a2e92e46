"""Evaluate out-of-fold predictions: metrics fold by fold, calibration and prediction sets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.evaluation import calibration
from ecg_rhythm.evaluation.calibration import Calibration
from ecg_rhythm.evaluation.metrics import confusion_matrix, score, score_probabilities, spread
from ecg_rhythm.evaluation.predictions import Predictions

ECE_BINS = 15
COVERAGES = (0.8, 0.9, 0.95)
SAME = 1e-9
"""Largest difference between a published figure and the one computed again."""
ITERATED = 1e-3
"""The same for what is fitted by iteration."""
FAR = 1e300
"""A whole number of this size may be beyond all floats, and is no figure."""


class OverFolds(TypedDict):
    """A metric's value in each fold, their mean and sample standard deviation (n - 1)."""

    folds: list[float | None]
    """None where a fold has no such value; mean and standard deviation leave it out."""
    mean: float
    sd: float | None


class Calibrated(TypedDict):
    """Calibration error and coverage, each fold calibrated on the out-of-fold predictions of all others."""

    calibration_error: float
    coverage: dict[str, float]
    """Coverage asked for -> share of recordings whose prediction set contains the true class."""
    class_coverage: dict[str, dict[str, float]]
    """The same of the recordings of each class."""
    sizes: dict[str, float]
    """Coverage asked for -> mean number of classes in a set."""


class Evaluation(TypedDict):
    """All that is published of a set of predictions; every value goes into JSON as it is."""

    recordings: int
    folds: list[int]
    """Numbers of the folds, in the order of every metric's values."""
    measures: dict[str, OverFolds]
    """Name of each metric -> its values."""
    confusion: list[list[int]]
    """Of all folds together: actual classes in rows, predicted ones in columns."""
    calibration_error: float
    """Of all folds together, before calibration."""
    calibrated: Calibrated | None
    """None for a single fold: there are no others to calibrate it on."""


def evaluate(predictions: Predictions) -> Evaluation:
    """Evaluate predictions fold by fold.

    A class that a fold lacks has no AUROC and no AUPRC there; that fold is left out of their means.

    Parameters
    ----------
    predictions : Predictions
        Each recording's by a model that did not train on it.
    """
    folds = predictions.by_fold()
    each: list[dict[str, float | None]] = [
        {
            **score(fold.targets, fold.labels, fold.classes),
            **score_probabilities(fold.targets, fold.probabilities, fold.classes),
        }
        for fold in folds.values()
    ]
    names = sorted(each[0], key=lambda name: " " in name)  # metrics of all classes before those of one
    values = {name: [metrics[name] for metrics in each] for name in names}
    n_classes = len(predictions.classes)
    return {
        "recordings": len(predictions.records),
        "folds": [*folds],
        "measures": {name: over_folds(own) for name, own in values.items() if own.count(None) < len(own)},
        "confusion": confusion_matrix(predictions.targets, predictions.labels, n_classes).tolist(),
        "calibration_error": calibration_error(predictions.probabilities, predictions.targets),
        "calibrated": _calibrated(predictions) if len(folds) > 1 else None,
    }


def over_folds(values: Sequence[float | None]) -> OverFolds:
    """Values of the folds with their mean and standard deviation."""
    summary = spread([value for value in values if value is not None])
    return {"folds": list(values), "mean": summary.mean, "sd": summary.sd}


def calibrations(predictions: Predictions) -> Iterator[tuple[NDArray[np.bool_], Calibration]]:
    """Calibrate each fold on all others: yields a mask of the fold's own predictions, and the calibration."""
    for fold in np.unique(predictions.folds):
        own = predictions.folds == fold
        others = predictions[~own]
        yield own, calibration.fit(others.probabilities, others.targets, others.classes)


def calibrated_probabilities(predictions: Predictions) -> NDArray[np.float64]:
    """The probabilities, those of each fold calibrated on all others, shape (n, classes)."""
    probabilities = np.empty_like(predictions.probabilities)
    for own, fitted in calibrations(predictions):
        probabilities[own] = calibration.apply_temperature(predictions.probabilities[own], fitted.temperature)
    return probabilities


def _calibrated(predictions: Predictions) -> Calibrated:
    classes, targets = predictions.classes, predictions.targets
    probabilities = calibrated_probabilities(predictions)
    sets = {coverage: np.empty(probabilities.shape, dtype=bool) for coverage in COVERAGES}
    for own, fitted in calibrations(predictions):
        for coverage, chosen in sets.items():
            chosen[own] = calibration.prediction_sets(probabilities[own], fitted, coverage)
    hits = {f"{coverage:g}": chosen[np.arange(len(targets)), targets] for coverage, chosen in sets.items()}
    present = [(i, name) for i, name in enumerate(classes) if (targets == i).any()]
    return {
        "calibration_error": calibration_error(probabilities, targets),
        "coverage": {asked: float(hit.mean()) for asked, hit in hits.items()},
        "class_coverage": {
            asked: {name: float(hit[targets == i].mean()) for i, name in present} for asked, hit in hits.items()
        },
        "sizes": {f"{coverage:g}": float(chosen.sum(axis=1).mean()) for coverage, chosen in sets.items()},
    }


def calibration_error(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Expected calibration error of the most probable class, over 15 bins of equal width.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(bins, weights=confidence, minlength=ECE_BINS) - np.bincount(
        bins, weights=right, minlength=ECE_BINS
    )
    return float(np.abs(gaps).sum() / len(targets))


def differences(published: Evaluation, computed: Evaluation) -> list[str]:
    """Compare published figures with those computed from the predictions; one sentence for each that differs.

    A metric that is newer than the result is not published in it, which is no difference.
    """
    there, here = dict(_numbers(published)), dict(_numbers(computed))
    sentences = []
    for path, old in sorted(there.items()):
        new = here.get(path)
        # Calibration is fitted by iteration, whose last digits other machines round differently.
        tolerance = ITERATED if path.startswith("calibrated") else SAME
        if new is None or not math.isclose(old, new, rel_tol=0, abs_tol=tolerance):
            sentences.append(f"{path}: {old} is published, {new} follows from the predictions")
    return sentences


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield all numbers in nested figures, each with its path."""
    if isinstance(value, int | float):
        yield path, float(value) if abs(value) < FAR else math.inf
    elif isinstance(value, Mapping | list):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _numbers(part, f"{path}, {key}" if path else str(key))
