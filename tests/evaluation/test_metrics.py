from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from ecg_rhythm.evaluation.metrics import auprc, auroc, confusion_matrix, flat, score

CLASSES = ["N", "A", "O", "~"]
PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def test_a_small_case_by_hand() -> None:
    got = score([0, 0, 0, 1, 1, 2, 3, 3], [0, 0, 1, 1, 2, 2, 3, 0], CLASSES)
    assert got["confusion"] == [[2, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [1, 0, 0, 1]]
    assert got["f1"] == pytest.approx({"N": 4 / 6, "A": 2 / 4, "O": 2 / 3, "~": 2 / 3})
    assert got["challenge"] == pytest.approx((4 / 6 + 2 / 4 + 2 / 3) / 3)
    assert got["accuracy"] == pytest.approx(5 / 8)


def test_rows_of_the_confusion_matrix_are_the_actual_classes() -> None:
    assert confusion_matrix([0, 0], [1, 1], 2).tolist() == [[0, 2], [0, 0]]


@given(pairs=PAIRS)
@settings(deadline=None, max_examples=50)
def test_every_recording_is_counted_once(pairs: list[tuple[int, int]]) -> None:
    actual, predicted = zip(*pairs, strict=True)
    confusion = np.array(score(actual, predicted, CLASSES)["confusion"])
    assert confusion.sum(axis=1).tolist() == np.bincount(actual, minlength=4).tolist()
    assert confusion.sum(axis=0).tolist() == np.bincount(predicted, minlength=4).tolist()


@given(pairs=PAIRS, order=st.permutations(range(4)))
@settings(deadline=None, max_examples=50)
def test_noise_is_left_out_of_the_challenge_score_wherever_it_stands(
    pairs: list[tuple[int, int]], order: list[int]
) -> None:
    actual, predicted = zip(*pairs, strict=True)
    got = score(actual, predicted, CLASSES)
    assert got["challenge"] == pytest.approx(np.mean([got["f1"][name] for name in "NAO"]))
    position = [order.index(i) for i in range(4)]
    reordered = score([position[i] for i in actual], [position[i] for i in predicted], [CLASSES[i] for i in order])
    assert reordered["challenge"] == pytest.approx(got["challenge"])
    assert reordered["f1"] == pytest.approx(got["f1"])


def test_missed_noise_costs_nothing_but_the_class_it_is_taken_for() -> None:
    right = score([0, 1, 2, 3], [0, 1, 2, 3], CLASSES)
    wrong = score([0, 1, 2, 3], [0, 1, 2, 0], CLASSES)
    assert right["challenge"] == 1
    assert wrong["f1"] == pytest.approx({"N": 2 / 3, "A": 1, "O": 1, "~": 0})
    assert wrong["challenge"] == pytest.approx((2 / 3 + 1 + 1) / 3)


def test_without_a_noise_class_all_classes_count() -> None:
    assert score([0, 1], [0, 0], ["A", "B"])["challenge"] == pytest.approx((2 / 3 + 0) / 2)


def test_with_the_noise_class_alone_it_counts() -> None:
    assert score([0, 0], [0, 0], ["~"])["challenge"] == 1


def test_a_class_that_neither_occurs_nor_is_predicted_has_f1_zero() -> None:
    got = score([0, 0], [0, 0], CLASSES)
    assert got["f1"] == {"N": 1, "A": 0, "O": 0, "~": 0}
    assert got["challenge"] == pytest.approx(1 / 3)


def test_nothing_to_score_gives_zeros() -> None:
    got = score([], [], ["N", "A"])
    assert got == {"challenge": 0, "accuracy": 0, "f1": {"N": 0, "A": 0}, "confusion": [[0, 0], [0, 0]]}


def test_scores_go_into_json_and_back() -> None:
    got = score(np.array([0, 1, 2]), np.array([0, 2, 2]), CLASSES)
    assert json.loads(json.dumps(got)) == got


def test_metrics_are_named_in_one_level() -> None:
    scores = score([0, 1, 2, 3], [0, 1, 2, 0], CLASSES)
    named = flat(scores)
    assert list(named) == ["challenge", "accuracy", "F1 N", "F1 A", "F1 O", "F1 ~"]
    assert (named["accuracy"], named["F1 ~"]) == (scores["accuracy"], 0)


@given(
    pairs=st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=60).filter(
        lambda pairs: len({actual for actual, _ in pairs}) == 2
    )
)
@settings(deadline=None, max_examples=200)
def test_areas_under_curves_are_scikit_learns_ties_included(pairs: list[tuple[bool, int]]) -> None:
    actual, probabilities = np.array([a for a, _ in pairs]), np.array([p for _, p in pairs]) / 6
    assert auroc(actual, probabilities) == pytest.approx(roc_auc_score(actual, probabilities), abs=1e-12)
    assert auprc(actual, probabilities) == pytest.approx(average_precision_score(actual, probabilities), abs=1e-12)
