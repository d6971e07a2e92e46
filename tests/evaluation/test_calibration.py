from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.special import softmax

from ecg_rhythm.evaluation import calibration
from ecg_rhythm.evaluation.evaluate import calibration_error

CLASSES = ["N", "A", "O", "~"]


def drawn(n: int, seed: int, temperature: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities that are too certain by `temperature`, and classes drawn from the right ones."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((n, 4)) + np.log([0.6, 0.1, 0.27, 0.03])
    right = softmax(logits, axis=1)
    targets = (right.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return softmax(logits * temperature, axis=1), targets


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found_and_taken_away(temperature: float) -> None:
    probabilities, targets = drawn(20_000, 0, temperature)
    fitted = calibration.fit(probabilities, targets, CLASSES)
    assert fitted.temperature == pytest.approx(temperature, rel=0.05)
    others, other_targets = drawn(20_000, 1, temperature)
    error = calibration_error(calibration.apply_temperature(others, fitted.temperature), other_targets)
    assert error < 0.012
    if temperature != 1:
        assert error < calibration_error(others, other_targets) / 3


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_hold_the_true_class_as_often_as_asked_for_each_class(coverage: float) -> None:
    fitted = calibration.fit(*drawn(20_000, 2, 2.0), CLASSES)
    probabilities, targets = drawn(40_000, 3, 2.0)
    calibrated = calibration.apply_temperature(probabilities, fitted.temperature)
    sets = calibration.prediction_sets(calibrated, fitted, coverage)
    hits = sets[np.arange(len(targets)), targets]
    for position in range(4):
        n = fitted.counts[CLASSES[position]]
        share = hits[targets == position].mean()
        assert share >= coverage - 4 * np.sqrt(coverage * (1 - coverage) / n)
        own = calibrated[targets == position].argmax(axis=1) == position
        assert share <= max(coverage, own.mean()) + 0.05 + 4 * np.sqrt(coverage * (1 - coverage) / n)


@given(
    probabilities=arrays(np.float64, (6, 4), elements=st.floats(0.001, 1)),
    coverage=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_the_label_is_in_its_own_set(probabilities: NDArray[np.float64], coverage: float, seed: int) -> None:
    fitted = calibration.fit(*drawn(200, seed), CLASSES)
    calibrated = calibration.apply_temperature(probabilities, fitted.temperature)
    sets = calibration.prediction_sets(calibrated, fitted, coverage)
    assert sets[np.arange(6), calibrated.argmax(axis=1)].all()


def test_sets_grow_with_the_coverage_asked_for() -> None:
    fitted = calibration.fit(*drawn(2_000, 4), CLASSES)
    probabilities, _ = drawn(2_000, 5)
    calibrated = calibration.apply_temperature(probabilities, fitted.temperature)
    sizes = [calibration.prediction_sets(calibrated, fitted, c).sum() for c in (0.5, 0.7, 0.9, 0.99, 1.0)]
    assert sizes == sorted(sizes)
    assert calibration.prediction_sets(calibrated, fitted, 1.0).all()


def test_a_class_of_few_recordings_is_in_every_set_of_a_high_coverage() -> None:
    probabilities, targets = drawn(300, 6)
    few = np.flatnonzero(targets != 3).tolist() + np.flatnonzero(targets == 3)[:5].tolist()
    fitted = calibration.fit(probabilities[few], targets[few], CLASSES)
    assert calibration.prediction_sets(probabilities, fitted, 0.95)[:, 3].all()


def test_the_temperature_stays_within_its_range() -> None:
    low, high = calibration.TEMPERATURES
    probabilities, _ = drawn(50, 8)
    right, wrong = probabilities.argmax(axis=1), probabilities.argmin(axis=1)
    assert calibration.fit(probabilities, right, CLASSES).temperature == pytest.approx(low, rel=1e-3)
    assert calibration.fit(probabilities, wrong, CLASSES).temperature == pytest.approx(high, rel=1e-3)


@pytest.mark.parametrize("n", [1, 5, 60, 300])
def test_thresholds_are_the_values_of_each_rank(n: int) -> None:
    """That of coverage c is the k-th least of n values, k = c (n + 1) rounded up; none is below the first."""
    probabilities, targets = drawn(n, 7)
    fitted = calibration.fit(probabilities, targets, CLASSES)
    calibrated = calibration.apply_temperature(probabilities, fitted.temperature)
    assert fitted.counts == {name: int((targets == position).sum()) for position, name in enumerate(CLASSES)}
    for position, name in enumerate(CLASSES):
        values = sorted((1 - calibrated[targets == position, position]).tolist())
        assert len(fitted.thresholds[name]) == 201
        for i, threshold in enumerate(fitted.thresholds[name]):
            rank = math.ceil(Fraction(i, 200) * (len(values) + 1))
            expected = -1.0 if rank == 0 else 1.0 if rank > len(values) else values[rank - 1]
            assert threshold == round(expected, 7)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_a_temperature_divides_logarithms(temperature: float) -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), 20).astype(np.float32)
    expected = softmax(np.log(probabilities.astype(np.float64)) / temperature, axis=1)
    for each in (probabilities, probabilities.tolist()):
        got = calibration.apply_temperature(each, temperature)
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_a_probability_of_zero_is_taken_for_a_very_small_one() -> None:
    got = calibration.apply_temperature([1.0, 0.0], 0.5)
    np.testing.assert_allclose(got, np.array([1, 1e-14]) / (1 + 1e-14), rtol=1e-9)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_probabilities_of_logits_of_any_size_and_shape(kind: type[np.floating]) -> None:
    logits = np.random.default_rng(0).normal(0, 3, (5, 3, 4)) + np.array([-2000, 0, 2000])[:, None]
    expected = softmax(logits.astype(kind).astype(np.float64), axis=-1)
    got = calibration.softmax(logits.astype(kind))
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_a_coverage_between_two_that_are_kept_is_the_higher_one() -> None:
    thresholds = [round(i / 200, 7) for i in range(201)]
    of_each, counts = {"N": [0.0] * 201, "A": thresholds}, {"N": 9, "A": 9}
    fitted = calibration.Calibration(temperature=1, thresholds=of_each, counts=counts)
    for coverage, threshold in ((0.802, 0.805), (0.8, 0.8), (0.07, 0.07), (0.0, 0.0), (1.0, 1.0), (0.996, 1.0)):
        # The second class is never the label here; it is in the set from its threshold on.
        for probability, is_in in ((1 - threshold, True), (1 - threshold - 1e-5, False)):
            calibrated = np.array([[2.0, probability]])
            if probability >= 0:
                assert calibration.prediction_sets(calibrated, fitted, coverage).tolist() == [[True, is_in]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda raw: raw["counts"].pop("N"), "must have the same classes, in the same order"),
        (lambda raw: raw["thresholds"]["A"].reverse(), "must not fall from one coverage to the next"),
    ],
    ids=["classes", "order"],
)
def test_a_calibration_that_contradicts_itself_is_refused(change: Callable[[Any], object], says: str) -> None:
    probabilities, targets = drawn(400, seed=1)
    raw = calibration.fit(probabilities, targets, CLASSES).model_dump()
    assert calibration.Calibration.model_validate(raw).counts == raw["counts"]
    change(raw)
    with pytest.raises(ValueError, match=says):
        calibration.Calibration.model_validate(raw)
