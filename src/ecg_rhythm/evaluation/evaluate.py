"""Out-of-fold predictions -> every figure that is published of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.evaluation import calibration
from ecg_rhythm.evaluation.calibration import Calibration
from ecg_rhythm.evaluation.metrics import CURVES, confusion_matrix, flat, score, spread
from ecg_rhythm.evaluation.predictions import Predictions

ECE_BINS = 15
COVERAGES = (0.8, 0.9, 0.95)


class OverFolds(TypedDict):
    """One measure: its value in each fold, their mean and sample standard deviation (n - 1)."""

    folds: list[float | None]
    """None where a fold has no such value, which is left out of the other two."""
    mean: float
    sd: float | None


class Calibrated(TypedDict):
    """How far calibrated probabilities and prediction sets can be trusted.

    Each fold's are calibrated on the out-of-fold predictions of all others.
    """

    calibration_error: float
    coverage: dict[str, float]
    """Coverage asked for -> share of recordings whose true class is in their set."""
    class_coverage: dict[str, dict[str, float]]
    """The same of the recordings of each class."""
    sizes: dict[str, float]
    """Coverage asked for -> mean number of classes in a set."""


class Figures(TypedDict):
    """All that is published of a set of predictions; every value goes into JSON as it is."""

    recordings: int
    measures: dict[str, OverFolds]
    """challenge, accuracy; then F1, AUROC and AUPRC of each class."""
    confusion: list[list[int]]
    """Of all folds together: actual classes in rows, predicted ones in columns."""
    calibration_error: float
    """Of all folds together, before calibration."""
    calibrated: Calibrated | None
    """None of a single fold, which has no others to calibrate it on."""


def figures(predictions: Predictions) -> Figures:
    """Measure predictions fold by fold.

    A class that a fold lacks has no AUROC and no AUPRC there; that fold is left out of their means.
    AUROC and AUPRC (average precision) are of one class against all others.

    Parameters
    ----------
    predictions : Predictions
        Each recording's by a model that did not train on it.
    """
    folds = [predictions[predictions.folds == k] for k in np.unique(predictions.folds)]
    scores = [score(fold.targets, fold.labels, fold.classes) for fold in folds]
    named = [flat(one) for one in scores]
    measures = {name: over_folds([one[name] for one in named]) for name in named[0]}
    for title, curve in CURVES.items():
        for position, name in enumerate(predictions.classes):
            values = _against_others(folds, position, curve)
            if any(value is not None for value in values):
                measures[f"{title} {name}"] = over_folds(values)
    n_classes = len(predictions.classes)
    return {
        "recordings": len(predictions.records),
        "measures": measures,
        "confusion": confusion_matrix(predictions.targets, predictions.labels, n_classes).tolist(),
        "calibration_error": calibration_error(predictions.probabilities, predictions.targets),
        "calibrated": _calibrated(predictions) if len(folds) > 1 else None,
    }


def over_folds(values: Sequence[float | None]) -> OverFolds:
    """Return values of the folds with their mean and spread."""
    summary = spread([value for value in values if value is not None])
    return {"folds": list(values), "mean": summary.mean, "sd": summary.sd}


def _against_others(folds: list[Predictions], position: int, measure: Callable[..., float]) -> list[float | None]:
    def of_fold(fold: Predictions) -> float | None:
        actual = fold.targets == position
        return float(measure(actual, fold.probabilities[:, position])) if 0 < actual.sum() < len(actual) else None

    return [of_fold(fold) for fold in folds]


def calibrations(predictions: Predictions) -> Iterator[tuple[NDArray[np.bool_], Calibration]]:
    """Yield which predictions are a fold's own, and a calibration fitted to those of all other folds."""
    for fold in np.unique(predictions.folds):
        own = predictions.folds == fold
        others = predictions[~own]
        yield own, calibration.fit(others.probabilities, others.targets, others.classes)


def _calibrated(predictions: Predictions) -> Calibrated:
    classes, targets = predictions.classes, predictions.targets
    probabilities = np.empty_like(predictions.probabilities)
    sets = {coverage: np.empty(probabilities.shape, dtype=bool) for coverage in COVERAGES}
    for own, fitted in calibrations(predictions):
        probabilities[own] = calibration.apply_temperature(predictions.probabilities[own], fitted.temperature)
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
    """Return the expected calibration error of the most probable class, over 15 bins of equal width.

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
