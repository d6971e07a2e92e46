"""Whether one configuration is better than another: tests over folds and over recordings, and what they could see.

Three tests ask three questions. Over folds: would the recipe, trained again on other recordings, be better? Over
recordings, by the challenge score: are these trained networks better on such recordings? Over recordings, by McNemar's
test: are they right more often? All p-values are corrected for the number of pairs that are shown (Holm).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.evaluation.metrics import Spread, challenge_scores, score, spread
from ecg_rhythm.evaluation.predictions import Predictions

ALPHA, POWER = 0.05, 0.8
"""Chance of a false claim that is accepted, and chance of seeing a difference that is there."""
DRAWS = 5_000
"""Resampled sets of recordings of a bootstrap."""


@dataclass(frozen=True)
class Difference(Spread):
    """Difference of a score over folds, with what a test says of it.

    Attributes
    ----------
    p : float or None
        Of the corrected resampled t-test; None for a single fold.
    """

    p: float | None = None


@dataclass(frozen=True)
class Pair:
    """Two configurations compared on the recordings that both predicted; differences are first minus second.

    Attributes
    ----------
    first, second : str
        Their names.
    folds : list of int
        Folds that both have.
    of : int
        Folds of their split; of two splits, of the one with fewer, for which the test asks for more.
    difference : Difference
        Of the challenge score, paired by fold; its p-value is that of the corrected resampled t-test.
    low, high : float
        The difference's 95 % interval over resampled recordings.
    bootstrap_p : float
        Two-sided p-value of the same.
    accuracy : float
        Difference of the share of recordings that are classified correctly.
    mcnemar_p : float
        Two-sided p-value of McNemar's exact test.
    """

    first: str
    second: str
    folds: list[int]
    of: int
    difference: Difference
    low: float
    high: float
    bootstrap_p: float
    accuracy: float
    mcnemar_p: float


def corrected_t_test(differences: Sequence[float], folds: int) -> float | None:
    """Two-sided p-value of the corrected resampled t-test of differences over folds; None for a single one.

    Folds share training recordings, so their differences vary less than those of independent trainings would. The
    variance is therefore multiplied by 1/k + n_test/n_train in place of 1/k. What is not tested counts as training,
    the validation part too, since it helps to choose the weights.

    Parameters
    ----------
    differences : sequence of float
        One for each of k folds.
    folds : int
        Folds of the split, so that n_test/n_train is 1 / (folds - 1).

    References
    ----------
    Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003.
    """
    from scipy.special import stdtr

    of_folds = spread(differences)
    if of_folds.sd is None:
        return None
    if of_folds.sd <= 1e-12 * abs(of_folds.mean) or of_folds.sd == 0:  # the same in all folds, but for rounding
        return 1.0 if of_folds.mean == 0 else 0.0
    t = of_folds.mean / (of_folds.sd * _standard_error(len(differences), folds))
    return float(2 * stdtr(len(differences) - 1, -abs(t)))


def visible(sd: float, k: int, folds: int, pairs: int = 1) -> float:
    """Smallest difference that the corrected resampled t-test would find in 80 % of experiments.

    Parameters
    ----------
    sd : float
        Standard deviation of differences over folds.
    k, folds : int
        Folds that are compared, and folds of the split.
    pairs : int
        Pairs that are compared; the p-value must pass Holm's first and strictest step.

    References
    ----------
    Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988 (noncentral t distribution).
    """
    from scipy.optimize import brentq
    from scipy.special import nctdtr, stdtrit

    critical = stdtrit(k - 1, 1 - ALPHA / pairs / 2)
    highest = 1.0
    while nctdtr(k - 1, highest, critical) > 1 - POWER:
        highest *= 2
    noncentrality = brentq(lambda nc: nctdtr(k - 1, nc, critical) - (1 - POWER), 0, highest)
    return float(noncentrality) * sd * _standard_error(k, folds)


def _standard_error(k: int, folds: int) -> float:
    """Standard error of a mean over k folds, in standard deviations."""
    return math.sqrt(1 / k + 1 / (max(folds, k, 2) - 1))


def difference(differences: Sequence[float], folds: int) -> Difference:
    """Mean and standard deviation of differences over folds, with the p-value of `corrected_t_test`."""
    of_folds = spread(differences)
    return Difference(of_folds.mean, of_folds.sd, corrected_t_test(differences, folds))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values corrected for their number; None stays and does not count.

    References
    ----------
    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979.
    """
    ordered = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected, highest = list(p_values), 0.0
    for rank, (p, i) in enumerate(ordered):
        corrected[i] = highest = max(highest, min(1.0, (len(ordered) - rank) * p))
    return corrected


def bootstrap(first: Predictions, second: Predictions, draws: int = DRAWS, seed: int = 0) -> tuple[float, float, float]:
    """Paired bootstrap of the challenge score's difference: low and high end of its 95 % interval, and p-value.

    Recordings are drawn with replacement within each fold, and both predictions of a recording are drawn together.
    The score is the mean over folds. The p-value is twice the share of draws on the rarer side of zero, by the
    percentile or the basic interval, whichever claims less: where recordings are few, the distribution is skewed.

    Parameters
    ----------
    first, second : Predictions
        For the same recordings.
    draws : int
        Number of resampled sets.
    seed : int
        Of the draws.

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
    """
    rng, classes = np.random.default_rng(seed), first.classes
    n = len(classes)
    folds = np.unique(first.folds)
    total, of_all = np.zeros(draws), 0.0
    for fold in folds:
        own = first.folds == fold
        # Recordings with the same true class and the same two predictions are alike: their counts are drawn at once.
        kinds = (first.targets[own] * n + first.labels[own]) * n + second.labels[own]
        found, counts = np.unique(kinds, return_counts=True)
        drawn = rng.multinomial(own.sum(), counts / own.sum(), size=draws)
        of_first, of_second = found // n, found // n**2 * n + found % n
        total += _scores(drawn, of_first, classes) - _scores(drawn, of_second, classes)
        of_all += float((_scores(counts[None], of_first, classes) - _scores(counts[None], of_second, classes))[0])
    differences, measured = total / len(folds), of_all / len(folds)
    low, high = np.quantile(differences, [ALPHA / 2, 1 - ALPHA / 2])
    # The share of draws beyond zero, and that of draws as far beyond on the other side of what was measured.
    beyond = max(_rarer(differences), _rarer(2 * measured - differences))
    return float(low), float(high), min(1.0, 2 * (beyond + 1) / (draws + 1))


def _rarer(differences: NDArray[np.float64]) -> int:
    """Number of draws on the rarer side of zero."""
    return int(min((differences <= 0).sum(), (differences >= 0).sum()))


def _scores(drawn: NDArray[np.int64], cells: NDArray[np.int64], classes: Sequence[str]) -> NDArray[np.float64]:
    """Challenge score of each draw, shape (draws,), of counts of recordings in cells of a confusion matrix."""
    confusions = drawn.astype(np.float64) @ (cells[:, None] == np.arange(len(classes) ** 2))
    return challenge_scores(confusions.reshape(-1, len(classes), len(classes)), classes)


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> float:
    """Two-sided p-value of McNemar's exact test: whether of recordings that one alone has right half are the first's.

    Parameters
    ----------
    first_right, second_right : ndarray of bool, shape (n,)
        Which recordings each classifies correctly.

    References
    ----------
    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947; Dietterich, "Approximate Statistical Tests for Comparing Supervised Classification Learning
    Algorithms", Neural Computation 10, 1998.
    """
    from scipy.special import bdtr

    one, other = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    return min(1.0, float(2 * bdtr(min(one, other), one + other, 0.5))) if one + other else 1.0


def pairs(tables: Mapping[str, Predictions], folds: Mapping[str, int], draws: int = DRAWS, seed: int = 0) -> list[Pair]:
    """Compare every two configurations on the recordings that both predicted in the same fold.

    All p-values are corrected for the number of pairs (`holm`), each test apart. Two configurations without a common
    recording are no pair.

    Parameters
    ----------
    tables : mapping
        Name of each configuration -> its out-of-fold predictions.
    folds : mapping
        Name of each configuration -> folds of its split.
    draws, seed : int
        Of the bootstrap.
    """
    found = [
        pair
        for (first, a), (second, b) in combinations(tables.items(), 2)
        if (pair := _pair(first, a, second, b, min(folds[first], folds[second]), draws, seed)) is not None
    ]
    t_tests = holm([pair.difference.p for pair in found])
    boots, mcnemars = (
        [p or 0.0 for p in holm(raw)]
        for raw in ([pair.bootstrap_p for pair in found], [pair.mcnemar_p for pair in found])
    )
    return [
        Pair(
            first=pair.first,
            second=pair.second,
            folds=pair.folds,
            of=pair.of,
            difference=Difference(pair.difference.mean, pair.difference.sd, t),
            low=pair.low,
            high=pair.high,
            bootstrap_p=boot,
            accuracy=pair.accuracy,
            mcnemar_p=mc,
        )
        for pair, t, boot, mc in zip(found, t_tests, boots, mcnemars, strict=True)
    ]


def _pair(first: str, a: Predictions, second: str, b: Predictions, folds: int, draws: int, seed: int) -> Pair | None:
    """One pair; p-values are not corrected yet."""
    a, b = common(a, b)
    if not a.records:
        return None
    own, others = a.by_fold(), b.by_fold()
    gains = [
        score(x.targets, x.labels, x.classes)["challenge"] - score(y.targets, y.labels, y.classes)["challenge"]
        for x, y in ((own[k], others[k]) for k in own)
    ]
    right = a.labels == a.targets, b.labels == b.targets
    low, high, p = bootstrap(a, b, draws, seed)
    return Pair(
        first=first,
        second=second,
        folds=[*own],
        of=folds,
        difference=difference(gains, folds),
        low=low,
        high=high,
        bootstrap_p=p,
        accuracy=float(right[0].mean() - right[1].mean()),
        mcnemar_p=mcnemar(*right),
    )


def common(first: Predictions, second: Predictions) -> tuple[Predictions, Predictions]:
    """The predictions of both for the recordings that both have in the same fold, in the same order."""
    if first.records == second.records and all(
        np.array_equal(one, other) for one, other in ((first.folds, second.folds), (first.targets, second.targets))
    ):
        return first, second
    places = {name: i for i, name in enumerate(second.records)}
    chosen = [
        (i, j)
        for i, name in enumerate(first.records)
        if (j := places.get(name)) is not None
        and first.folds[i] == second.folds[j]
        and first.targets[i] == second.targets[j]
    ]
    one, other = np.array(chosen, dtype=np.int64).reshape(-1, 2).T
    return first[one], second[other]
