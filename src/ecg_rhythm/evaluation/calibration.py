"""Calibrated probabilities, and prediction sets with the coverage you choose (conformal prediction).

Both are fitted to predictions for recordings that the models did not train on.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from ecg_rhythm.schema import Section

SMALLEST = 1e-7
"""Smallest probability: 0 has no logarithm."""
TEMPERATURES = (0.05, 20.0)
"""Range in which the temperature is fitted."""
STEPS = 200
"""Thresholds are kept for coverages of 0, 1/200, 2/200, ..., 1."""
Threshold = Annotated[float, Field(ge=-1, le=1)]


class Calibration(Section):
    """Temperature and thresholds that calibrate a model's probabilities and make its prediction sets."""

    temperature: float = Field(ge=TEMPERATURES[0] / 2, le=TEMPERATURES[1] * 2)
    """Logarithms of probabilities are divided by it."""
    thresholds: dict[str, Annotated[list[Threshold], Field(min_length=STEPS + 1, max_length=STEPS + 1)]]
    """For each class, quantiles of 1 - p(class) over recordings of that class, at 0, 0.5, ..., 100 %."""
    counts: dict[str, Annotated[int, Field(ge=0)]]
    """Number of recordings of each class that the thresholds are fitted to."""
    folds: str = ""
    """How many folds of a result these are from, such as "3 of 5"; empty in files of earlier versions."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Calibration:
        if list(self.counts) != list(self.thresholds):
            raise ValueError("thresholds and counts must have the same classes, in the same order")
        if any(high < low for quantiles in self.thresholds.values() for low, high in pairwise(quantiles)):
            raise ValueError("thresholds must not fall from one coverage to the next")
        return self


def fit(probabilities: NDArray[np.float64], targets: NDArray[np.int64], classes: list[str]) -> Calibration:
    """Fit a temperature, then the thresholds of prediction sets, class by class.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n, classes)
        Of recordings that were not trained on.
    targets : ndarray of int64, shape (n,)
        Their true classes.
    classes : list of str
        Names of the classes.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (temperature). Vovk, "Conditional validity
    of inductive conformal predictors", Machine Learning 92, 2013; Sadinle et al., "Least ambiguous set-valued
    classifiers with bounded error levels", JASA 114, 2019 (one threshold per class).
    """
    from scipy.optimize import minimize_scalar  # prediction alone does not wait for SciPy
    from scipy.special import log_softmax

    logs = np.log(np.maximum(probabilities, SMALLEST))
    rows = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(logs / math.exp(log_temperature), axis=1)[rows, targets].mean())

    low, high = TEMPERATURES
    temperature = math.exp(minimize_scalar(loss, bounds=(math.log(low), math.log(high))).x)
    calibrated = apply_temperature(probabilities, temperature)
    thresholds, counts = {}, {}
    for position, name in enumerate(classes):
        nonconformity = np.sort(1 - calibrated[targets == position, position])
        counts[name] = len(nonconformity)
        # The (n + 1)-th value is 1: with few recordings a high coverage takes the class in always.
        ranks = -(-np.arange(STEPS + 1) * (len(nonconformity) + 1) // STEPS)  # rounded up
        padded = np.concatenate([[-1.0], nonconformity, [1.0]])
        thresholds[name] = padded[ranks].round(7).tolist()
    return Calibration(temperature=temperature, thresholds=thresholds, counts=counts)


def apply_temperature(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Probabilities, shape (..., classes), flattened by a temperature above 1, sharpened by one below."""
    logs = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), SMALLEST))
    return softmax(logs / temperature)


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities, shape (..., classes); SciPy's takes longer to load than a first prediction."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def prediction_sets(calibrated: NDArray[np.float64], calibration: Calibration, coverage: float) -> NDArray[np.bool_]:
    """Prediction set of each recording, as a mask of shape (n, classes).

    For recordings like those of the calibration, the sets contain the true class with at least the given coverage, in
    each class. The most probable class, which is the label, is in every set: this can only raise the coverage.

    Parameters
    ----------
    calibrated : ndarray of float64, shape (n, classes)
        Probabilities after `apply_temperature`.
    calibration : Calibration
        The thresholds.
    coverage : float
        Between 0 and 1.
    """
    position = int(np.ceil(round(coverage * STEPS, 6)))
    limits = np.array([quantiles[position] for quantiles in calibration.thresholds.values()])
    chosen: NDArray[np.bool_] = 1 - calibrated <= limits + 1e-6
    chosen[np.arange(len(chosen)), calibrated.argmax(axis=1)] = True
    return chosen
