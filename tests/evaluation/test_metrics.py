from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from ecg_rhythm.evaluation.metrics import (
    auroc,
    average_precision,
    challenge_scores,
    confusion_matrix,
    metrics_from_file,
    score,
    score_confusion,
    score_probabilities,
    scores_for_file,
    spread,
)

CLASSES = ["N", "A", "O", "~"]
PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def test_a_small_case_by_hand() -> None:
    actual, predicted = [0, 0, 0, 1, 1, 2, 3, 3], [0, 0, 1, 1, 2, 2, 3, 0]
    expected = {
        "challenge": (4 / 6 + 2 / 4 + 2 / 3) / 3,
        "F1 N": 4 / 6, "F1 A": 2 / 4, "F1 O": 2 / 3, "F1 ~": 2 / 3,
        "accuracy": 5 / 8,
    }  # fmt: skip
    got = score(actual, predicted, CLASSES)
    assert {name: got[name] for name in expected} == pytest.approx(expected)
    assert confusion_matrix(actual, predicted, 4).tolist() == [[2, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [1, 0, 0, 1]]


def test_scores_of_many_confusion_matrices_are_those_of_each() -> None:
    confusions = np.random.default_rng(0).integers(0, 9, (2, 3, 4, 4))
    scores = challenge_scores(confusions, CLASSES)
    alone = [[challenge_scores(one, CLASSES) for one in row] for row in confusions]
    assert scores.tolist() == np.array(alone).tolist()
    assert np.unique(scores).size == 6


def test_rows_of_the_confusion_matrix_are_the_actual_classes() -> None:
    assert confusion_matrix([0, 0], [1, 1], 2).tolist() == [[0, 2], [0, 0]]


@given(pairs=PAIRS)
@settings(deadline=None, max_examples=50)
def test_every_recording_is_counted_once(pairs: list[tuple[int, int]]) -> None:
    actual, predicted = zip(*pairs, strict=True)
    confusion = confusion_matrix(actual, predicted, 4)
    assert confusion.sum(axis=1).tolist() == np.bincount(actual, minlength=4).tolist()
    assert confusion.sum(axis=0).tolist() == np.bincount(predicted, minlength=4).tolist()


@given(pairs=PAIRS, order=st.permutations(range(4)))
@settings(deadline=None, max_examples=50)
def test_noise_is_left_out_of_the_challenge_score_wherever_it_stands(
    pairs: list[tuple[int, int]], order: list[int]
) -> None:
    actual, predicted = zip(*pairs, strict=True)
    got = score(actual, predicted, CLASSES)
    assert got["challenge"] == pytest.approx(np.mean([got[f"F1 {name}"] for name in "NAO"]))
    position = [order.index(i) for i in range(4)]
    reordered = score([position[i] for i in actual], [position[i] for i in predicted], [CLASSES[i] for i in order])
    assert reordered == pytest.approx(got)


def test_missed_noise_costs_nothing_but_the_class_it_is_taken_for() -> None:
    right = score([0, 1, 2, 3], [0, 1, 2, 3], CLASSES)
    wrong = score([0, 1, 2, 3], [0, 1, 2, 0], CLASSES)
    assert right["challenge"] == 1
    assert [wrong[f"F1 {name}"] for name in CLASSES] == pytest.approx([2 / 3, 1, 1, 0])
    assert wrong["challenge"] == pytest.approx((2 / 3 + 1 + 1) / 3)


def test_without_a_noise_class_all_classes_count() -> None:
    assert score([0, 1], [0, 0], ["A", "B"])["challenge"] == pytest.approx((2 / 3 + 0) / 2)


def test_with_the_noise_class_alone_it_counts() -> None:
    assert score([0, 0], [0, 0], ["~"])["challenge"] == 1


def test_a_class_that_neither_occurs_nor_is_predicted_has_f1_zero() -> None:
    got = score([0, 0], [0, 0], CLASSES)
    assert [got[f"F1 {name}"] for name in CLASSES] == [1, 0, 0, 0]
    assert got["challenge"] == pytest.approx(1 / 3)


def test_one_recording_is_scored() -> None:
    assert score([1], [1], CLASSES)["accuracy"] == 1
    assert [score([1], [2], CLASSES)[name] for name in ("accuracy", "F1 A", "F1 O")] == [0, 0, 0]


def test_a_confusion_matrix_of_other_classes_is_no_metric() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        score_confusion(np.ones((3, 3), dtype=np.int64), ["N", "A"])


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_a_spread_is_the_mean_and_the_sample_deviation(values: list[float]) -> None:
    got = spread(values)
    assert got.mean == pytest.approx(np.mean(values))
    if len(values) == 1:
        assert got.sd is None
    else:
        assert got.sd == pytest.approx(np.std(values, ddof=1), abs=1e-9)


def test_a_spread_is_printed_with_three_digits() -> None:
    assert str(spread([0.5])) == "0.500"
    assert str(spread([0.5, 0.75])) == "0.625 ± 0.177"
    assert str(spread([0.5, 0.5])) == "0.500 ± 0.000"


def test_nothing_to_score_gives_zeros() -> None:
    got = score([], [], ["N", "A"])
    assert got.keys() >= {"challenge", "F1 N", "F1 A", "accuracy"}
    assert set(got.values()) == {0}


@given(pairs=PAIRS)
@settings(deadline=None, max_examples=50)
def test_metrics_come_back_from_a_file_to_the_bit(pairs: list[tuple[int, int]]) -> None:
    actual, predicted = zip(*pairs, strict=True)
    written = scores_for_file(actual, predicted, CLASSES)
    assert list(written)[:2] == ["challenge", "accuracy"] and list(written)[-2:] == ["f1", "confusion"]
    read = metrics_from_file(json.loads(json.dumps(written)), CLASSES)
    assert read == score(actual, predicted, CLASSES)
    assert read["challenge"] == written["challenge"] and read["F1 A"] == written["f1"]["A"]


@given(data=st.data(), n=st.integers(2, 80))
@settings(deadline=None, max_examples=200)
def test_areas_are_those_of_scikit_learn_with_and_without_ties(data: st.DataObject, n: int) -> None:
    values = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1))
    probabilities = np.array(data.draw(st.lists(values, min_size=n, max_size=n)))
    actual = np.array([True, False, *data.draw(st.lists(st.booleans(), min_size=n - 2, max_size=n - 2))])
    assert auroc(actual, probabilities) == pytest.approx(metrics.roc_auc_score(actual, probabilities), abs=1e-12)
    assert average_precision(actual, probabilities) == pytest.approx(
        metrics.average_precision_score(actual, probabilities), abs=1e-12
    )


def test_a_class_that_no_or_every_recording_has_has_no_area() -> None:
    probabilities = np.tile([0.5, 0.3, 0.2], (4, 1))
    areas = score_probabilities(np.array([0, 0, 1, 1]), probabilities, ["A", "N", "~"])
    assert list(areas) == ["AUROC A", "AUROC N", "AUROC ~", "AUPRC A", "AUPRC N", "AUPRC ~"]
    assert areas["AUROC A"] == 0.5 and areas["AUROC ~"] is None
    assert areas["AUPRC A"] == 0.5
    assert set(score_probabilities(np.zeros(4, dtype=np.int64), probabilities, ["A", "N", "~"]).values()) == {None}


@given(seed=st.integers(0, 999), n=st.integers(4, 60))
def test_the_areas_of_each_class_are_those_against_all_others(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(3), n)
    actual = np.concatenate([[0, 1, 1, 2], rng.integers(0, 3, n - 4)])  # class 0 or 2 may have a single recording
    areas = score_probabilities(actual, probabilities, ["A", "N", "~"])
    for position, name in enumerate(["A", "N", "~"]):
        own = actual == position, probabilities[:, position]
        assert areas[f"AUROC {name}"] == pytest.approx(metrics.roc_auc_score(*own))
        assert areas[f"AUPRC {name}"] == pytest.approx(metrics.average_precision_score(*own))
