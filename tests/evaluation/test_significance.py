from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar as peer_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from ecg_rhythm.evaluation import significance
from ecg_rhythm.evaluation.metrics import score
from ecg_rhythm.evaluation.predictions import Predictions

CLASSES = ["N", "A", "~"]
VALUES = st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=2, max_size=12)


def table(seed: int, skill: float = 1.5, n: int = 300) -> Predictions:
    """Predictions for the same recordings, whatever the seed of the predictions."""
    targets = np.random.default_rng(0).integers(0, 3, n)
    logits = skill * np.eye(3)[targets] + np.random.default_rng(seed).standard_normal((n, 3))
    return Predictions([f"r{i}" for i in range(n)], np.arange(n) % 3, targets, logits, CLASSES)


@given(VALUES)
def test_without_shared_recordings_the_t_test_is_that_of_scipy(differences: list[float]) -> None:
    """With infinitely many folds the correction vanishes."""
    found = significance.corrected_t_test(differences, 10**12)
    sd = float(np.std(differences, ddof=1))
    if sd > 1e-9:
        assert found == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=1e-6)
    elif not any(differences):
        assert found == 1


def test_the_correction_is_that_of_nadeau_and_bengio() -> None:
    """Their formula written out, with the t distribution of scipy.stats."""
    differences = [0.02, 0.01, 0.035, 0.005, 0.03]
    variance = (1 / 5 + 0.2 / 0.8) * np.var(differences, ddof=1)
    expected = 2 * stats.t.sf(np.mean(differences) / np.sqrt(variance), 4)
    assert significance.corrected_t_test(differences, 5) == pytest.approx(expected)
    naive = stats.ttest_1samp(differences, 0).pvalue
    assert naive < 0.05 < expected
    assert significance.corrected_t_test([0.1], 5) is None
    assert significance.corrected_t_test([0.1, 0.1], 5) == 0


@settings(max_examples=8)  # statsmodels takes half a second each
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    found = significance.holm([None, *p_values])
    assert found[0] is None
    np.testing.assert_allclose(
        np.array(found[1:], dtype=float), multipletests(p_values, method="holm")[1], atol=1e-12, rtol=0
    )


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_that_of_statsmodels(one: int, other: int) -> None:
    first = np.array([True] * one + [False] * other + [True] * 9, dtype=bool)
    second = np.array([False] * one + [True] * other + [True] * 9, dtype=bool)
    expected = peer_mcnemar(np.array([[9, one], [other, 0]]), exact=True).pvalue if one + other else 1.0
    assert significance.mcnemar(first, second) == pytest.approx(min(expected, 1.0), abs=1e-12)


@given(st.integers(2, 12), st.integers(1, 40))
def test_the_visible_difference_is_seen_in_80_percent_by_statsmodels(k: int, pairs: int) -> None:
    """Statsmodels knows no correction for shared recordings: its effect size is scaled to the same noncentrality."""
    sd = 0.02
    found = significance.visible(sd, k, k, pairs)
    effect = found / (sd * np.sqrt(1 / k + 1 / (k - 1))) / np.sqrt(k)
    power = TTestPower().power(effect, k, significance.ALPHA / pairs / 2, alternative="larger")
    assert power == pytest.approx(significance.POWER, abs=0.002)


def test_the_visible_difference_shrinks_with_folds_and_grows_with_pairs() -> None:
    assert significance.visible(0.02, 10, 10) < significance.visible(0.02, 5, 5) < significance.visible(0.02, 5, 5, 10)


def test_the_bootstrap_is_that_of_recordings_one_by_one() -> None:
    """Against drawing recordings themselves, scored by scikit-learn."""
    first, second = table(1), table(2, skill=1.0)
    low, high, p = significance.bootstrap(first, second, draws=4000)
    rng, differences = np.random.default_rng(3), []
    for _ in range(400):
        gains = []
        for fold in range(3):
            own = np.flatnonzero(first.folds == fold)
            drawn = rng.choice(own, len(own))
            of_first, of_second = (
                f1_score(first.targets[drawn], t.labels[drawn], labels=[0, 1], average="macro", zero_division=0)
                for t in (first, second)
            )
            gains.append(of_first - of_second)
        differences.append(np.mean(gains))
    expected = np.quantile(differences, [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(expected), abs=0.02)
    assert p == pytest.approx(2 * np.mean(np.array(differences) <= 0), abs=0.04)


def test_a_configuration_is_no_better_than_itself() -> None:
    (pair,) = significance.pairs({"a": table(1), "b": table(1)}, {"a": 3, "b": 3})
    assert (pair.difference.mean, pair.difference.p, pair.bootstrap_p, pair.mcnemar_p) == (0, 1, 1, 1)


def test_pairs_are_corrected_together_and_turned_with_their_order() -> None:
    tables = {"good": table(1, 3.0), "fair": table(2), "poor": table(3, 0.5)}
    of = dict.fromkeys(tables, 3)
    found = significance.pairs(tables, of, draws=2000)
    assert [(p.first, p.second) for p in found] == [("good", "fair"), ("good", "poor"), ("fair", "poor")]
    (alone,) = significance.pairs({"fair": tables["fair"], "good": tables["good"]}, of, draws=2000)
    assert alone.difference.mean == pytest.approx(-found[0].difference.mean)
    assert alone.accuracy == pytest.approx(-found[0].accuracy)
    assert alone.difference.p is not None and found[0].difference.p is not None
    assert alone.difference.p <= found[0].difference.p
    assert alone.mcnemar_p <= found[0].mcnemar_p < 0.05
    assert all(pair.low <= pair.difference.mean <= pair.high for pair in found)


def test_a_pair_is_judged_by_the_folds_of_its_own_splits() -> None:
    tables = {"good": table(1, 3.0), "fair": table(2), "finer": table(3, 2.0)}
    alone = significance.pairs({name: tables[name] for name in ("good", "fair")}, {"good": 3, "fair": 3}, draws=200)
    beside = significance.pairs(tables, {"good": 3, "fair": 3, "finer": 10}, draws=200)
    assert [(pair.first, pair.second, pair.of) for pair in beside] == [
        ("good", "fair", 3), ("good", "finer", 3), ("fair", "finer", 3)
    ]  # fmt: skip
    assert beside[0].difference.sd == alone[0].difference.sd
    ps = [pair.difference.p for pair in beside]
    assert significance.holm([significance.corrected_t_test(gains(tables, pair), 3) for pair in beside]) == ps


def gains(tables: Mapping[str, Predictions], pair: significance.Pair) -> list[float]:
    """Differences of the challenge score, fold by fold."""
    one, other = (tables[name].by_fold().values() for name in (pair.first, pair.second))
    scores = [[score(f.targets, f.labels, f.classes)["challenge"] for f in folds] for folds in (one, other)]
    return [a - b for a, b in zip(*scores, strict=True)]


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_only_recordings_of_the_same_fold_are_compared(seed: int) -> None:
    whole, rng = table(1), np.random.default_rng(seed)
    part = whole[rng.permutation(300)[:120]]
    moved = replace(whole, folds=np.where(np.arange(300) < 10, 9, whole.folds))
    one, other = significance.common(moved, part)
    assert one.records == other.records
    assert set(one.records) == set(part.records) - {f"r{i}" for i in range(10)}
    assert significance.pairs({"a": whole[:50], "b": whole[50:]}, {"a": 3, "b": 3}) == []
