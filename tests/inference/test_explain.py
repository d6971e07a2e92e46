from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.explain import HIDDEN, explain, hide
from ecg_rhythm.records import Record

FS = 100.0


def record(signal: ArrayLike) -> Record:
    return Record("r", np.asarray(signal, dtype=np.float32), FS, "II")


@given(st.floats(1, 26))
@settings(deadline=None, max_examples=25)
def test_the_only_seconds_that_matter_are_salient(meter: Classifier, at: float) -> None:
    """The level of the signal is what counts; only two seconds raise it."""
    times = np.arange(3000) / FS
    explanation = explain(meter, record(10.0 * ((times >= at) & (times < at + 2))))
    assert explanation.label == "A"
    ((start, end),) = explanation.salient()
    assert start <= at + 0.5 and end >= at + 1.5
    assert end - start <= 2 + 2 * HIDDEN
    far = abs(np.arange(60) * 0.5 + 0.25 - at - 1) > 1 + HIDDEN
    np.testing.assert_allclose(explanation.weights[far], 0, atol=1e-4)


def test_what_makes_a_class_less_probable_has_a_negative_weight(meter: Classifier) -> None:
    times = np.arange(3000) / FS
    explanation = explain(meter, record(4.0 * ((times >= 10) & (times < 12))), label="N")
    assert explanation.weights[22] < 0
    assert explanation.salient() == [] or all(end <= 10 or start >= 12 for start, end in explanation.salient())


@pytest.mark.parametrize("seconds", [1.0, 1.9, 2.0, 2.3, 30.0])
def test_every_part_of_a_recording_has_a_weight(meter: Classifier, seconds: float) -> None:
    explanation = explain(meter, record(np.random.default_rng(0).normal(0, 0.2, round(seconds * FS))))
    assert len(explanation.weights) == np.ceil(seconds / 0.5)
    assert np.isfinite(explanation.weights).all()


def test_no_seconds_after_the_end_are_salient(meter: Classifier) -> None:
    times = np.arange(1020) / FS
    ((start, end),) = explain(meter, record(10.0 * (times >= 8))).salient()
    assert 7 <= start < end <= 10.2


def test_hiding_leaves_the_rest_as_it_was() -> None:
    signal = np.random.default_rng(0).normal(size=1000)
    changed = hide(record(signal), [(2.0, 3.0), (9.5, 12.0)]).signal
    kept = np.r_[0:200, 300:950]
    np.testing.assert_array_equal(changed[kept], signal.astype(np.float32)[kept])
    np.testing.assert_allclose(np.diff(changed[199:301], 2), 0, atol=1e-5)
    np.testing.assert_allclose(changed[950:], changed[949])
