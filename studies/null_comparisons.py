"""How often does a comparison claim a difference where there is none? `python -m studies.null_comparisons`.

1,000 comparisons of two configurations that are equally good by construction, and 1,000 tables of five such
configurations, whose ten pairs are corrected together. In each, a new set of recordings is drawn and divided into five
folds. It prints the share of comparisons in which a test claims a difference at 5 %; a table counts as false if any of
its pairs is. Half an hour on one busy core.

Recipes: each configuration is a linear classifier that sees features of its own, which tell as much as those of the
others, and is trained on four folds. No recipe is better, but of two trained classifiers one is, by chance.
Networks: the predictions of each configuration are drawn from the same distribution, given the recording.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ecg_rhythm.evaluation import significance
from ecg_rhythm.evaluation.predictions import Predictions

TABLES, RECORDINGS, FOLDS, DRAWS = 1000, 1000, 5, 1000
CLASSES, SHARES = ["N", "A", "O", "~"], (0.59, 0.09, 0.28, 0.04)
"""As in the challenge set."""
FEATURES, APART, SHARED = 6, 1.4, 0.5
"""Features of each configuration; distance of class means from the centre, and noise that all configurations share, in
standard deviations of the noise of each."""

Sample = dict[str, Predictions]


def recipes(rng: np.random.Generator, configurations: int) -> Sample:
    """Out-of-fold predictions of linear discriminants, each on features of its own."""
    targets = rng.choice(len(CLASSES), RECORDINGS, p=SHARES)
    folds = rng.permutation(RECORDINGS) % FOLDS
    hard = rng.standard_normal((RECORDINGS, 1))  # a recording that is hard for one is hard for others
    predictions = {}
    for number in range(configurations):
        centres = APART * np.linalg.qr(rng.standard_normal((FEATURES, FEATURES)))[0][: len(CLASSES)]
        features = centres[targets] + SHARED * hard + rng.standard_normal((RECORDINGS, FEATURES))
        probabilities = np.empty((RECORDINGS, len(CLASSES)))
        for fold in range(FOLDS):
            own = folds == fold
            probabilities[own] = discriminant(features[~own], targets[~own], features[own])
        predictions[f"configuration {number}"] = table(folds, targets, probabilities)
    return predictions


def discriminant(
    known: NDArray[np.float64], targets: NDArray[np.int64], asked: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scores of classes by linear discriminant analysis, with the shares of the training part."""
    means = np.array([known[targets == i].mean(axis=0) for i in range(len(CLASSES))])
    inverse = np.linalg.inv(np.cov((known - means[targets]).T))
    shares = np.log(np.bincount(targets, minlength=len(CLASSES)) / len(targets))
    return np.asarray(asked @ inverse @ means.T - 0.5 * np.einsum("ij,jk,ik->i", means, inverse, means) + shares)


def networks(rng: np.random.Generator, configurations: int) -> Sample:
    """Predictions that are drawn from one distribution, given the recording."""
    targets = rng.choice(len(CLASSES), RECORDINGS, p=SHARES)
    folds = rng.permutation(RECORDINGS) % FOLDS
    evidence = 2 * np.eye(len(CLASSES))[targets] + rng.standard_normal((RECORDINGS, len(CLASSES)))
    return {
        f"configuration {number}": table(folds, targets, evidence + 0.7 * rng.standard_normal(evidence.shape))
        for number in range(configurations)
    }


def table(folds: NDArray[np.int64], targets: NDArray[np.int64], scores: NDArray[np.float64]) -> Predictions:
    """Predictions with names; labels follow from the order of scores alone."""
    return Predictions([f"r{i}" for i in range(RECORDINGS)], folds, targets, scores, CLASSES)


def false_claims(draw: Callable[[np.random.Generator, int], Sample], configurations: int) -> dict[str, float]:
    """Share of tables in which each test claims any difference."""
    counts = {"corrected t-test over folds": 0, "bootstrap over recordings": 0, "McNemar over recordings": 0}
    for seed in range(TABLES):
        tables = draw(np.random.default_rng(seed), configurations)
        found = significance.pairs(tables, dict.fromkeys(tables, FOLDS), DRAWS, seed)
        smallest = (
            min(pair.difference.p or 0.0 for pair in found),
            min(pair.bootstrap_p for pair in found),
            min(pair.mcnemar_p for pair in found),
        )
        for name, p in zip(counts, smallest, strict=True):
            counts[name] += p < significance.ALPHA
    return {name: count / TABLES for name, count in counts.items()}


def main() -> None:
    """Print the shares."""
    shown = Table(title=f"share of {TABLES} tables with a false claim (at most 5 % is asked for)")
    for column in (
        "no better",
        "pairs",
        "corrected t-test over folds",
        "bootstrap over recordings",
        "McNemar over recordings",
    ):
        shown.add_column(column)
    for draw in (recipes, networks):
        for configurations in (2, 5):
            shares = false_claims(draw, configurations)
            pairs = configurations * (configurations - 1) // 2
            shown.add_row(draw.__name__, str(pairs), *(f"{share:.1%}" for share in shares.values()))
    Console().print(shown)


if __name__ == "__main__":
    main()
