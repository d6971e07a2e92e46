"""Beats and their intervals, and boosted trees, on the same folds: `python -m studies.features`.

What a network on the signal may miss and a vote can use. Needs the challenge set in data/; writes results/features. Two
minutes on one core. What the features are was written down once, after what entries to the challenge used, and neither
they nor the trees' settings were tuned.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks import DATA
from ecg_rhythm.data.splits import load_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.evaluation import predictions
from ecg_rhythm.experiments import results
from ecg_rhythm.signals.heartbeats import heartbeats

RESULT, SPLIT = Path("results/features"), "split_5_6_14_refit"
FEWEST = 4
"""Fewest beats for which features of their intervals are computed."""
AROUND = 0.3
"""Seconds of signal before and after a beat that are its shape."""
QRS, P, T = (-0.1, 0.1), (-0.25, -0.08), (0.08, 0.3)
"""Where its waves are, in s from the beat."""
BINS = np.arange(0.4, 1.7, 0.1)
"""Of intervals, in parts of their median."""


def features(signal: NDArray[np.float32], fs: float) -> list[float]:
    """Features of a recording's length, intervals and shapes; NaN where there are too few beats."""
    beats = heartbeats(signal, fs)
    overall = [len(signal) / fs, float(len(beats))]
    if len(beats) < FEWEST:
        return [*overall, *[np.nan] * 24]
    return overall + of_intervals(np.diff(beats) / fs) + of_shapes(signal - np.median(signal), beats, fs)


def of_intervals(rr: NDArray[np.float64]) -> list[float]:
    """How long the intervals between beats are, in s, and how irregular."""
    change = np.abs(np.diff(rr))
    median = float(np.median(rr))
    shares = np.histogram(rr / median, bins=BINS)[0] / len(rr)
    shares = shares[shares > 0]
    return [
        rr.mean(), median, rr.std(), rr.min(), rr.max(), *np.percentile(rr, [10, 90]),
        np.sqrt((change**2).mean()), np.median(change), (change > 0.05).mean(), (change > 0.1).mean(),
        (change > 0.15 * median).mean(), stats.skew(rr), stats.kurtosis(rr),
        np.corrcoef(rr[:-1], rr[1:])[0, 1] if rr[:-1].std() * rr[1:].std() > 0 else np.nan,
        -(shares * np.log(shares)).sum(),
    ]  # fmt: skip


def of_shapes(signal: NDArray[np.float32], beats: NDArray[np.int64], fs: float) -> list[float]:
    """How alike the beats are, and how large their waves."""
    width = round(AROUND * fs)
    shapes = np.array([signal[b - width : b + width] for b in beats if width <= b <= len(signal) - width])
    if len(shapes) < FEWEST:
        return [np.nan] * 8

    def part(of: NDArray[np.float32], where: tuple[float, float]) -> NDArray[np.float32]:
        windows: NDArray[np.float32] = of[..., width + round(where[0] * fs) : width + round(where[1] * fs)]
        return windows

    template = np.median(shapes, axis=0)
    size = max(float(np.ptp(template)), 1e-6)
    alike = np.array([np.corrcoef(shape, template)[0, 1] if shape.std() > 0 else 0.0 for shape in shapes])
    heights = np.ptp(part(shapes, QRS), axis=1)
    return [
        alike.mean(), alike.min(), np.percentile(alike, 20), heights.std() / max(heights.mean(), 1e-6),
        np.ptp(part(template, P)) / size, np.ptp(part(template, T)) / size,
        (np.abs(part(template, QRS)) > np.abs(template).max() / 2).mean(), part(shapes, P).std(axis=0).mean() / size,
    ]  # fmt: skip


def main() -> None:
    """Train and test all folds, and publish the result."""
    if RESULT.exists():
        sys.exit(f"{RESULT}: exists already; remove it first")
    store = open_store(DATA)
    split = load_split(splits_folder(DATA) / SPLIT, len(store))
    table, targets = np.array([features(store.signal(i), store.fs) for i in range(len(store))]), store.targets()
    parts, seconds = [], []
    for number, fold in enumerate(split.folds):
        began, train, test = time.monotonic(), fold.train - 1, fold.test - 1
        trees = HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=150,
            max_leaf_nodes=12,
            min_samples_leaf=40,
            l2_regularization=5,
            random_state=0,
        )
        given = trees.fit(table[train], targets[train]).predict_proba(table[test])
        seconds.append(round(time.monotonic() - began, 1))
        names = [store.names[i] for i in test]
        parts.append(predictions.Predictions(names, np.full(len(test), number), targets[test], given, store.classes))
    made_from = {"data": store.fingerprint, "split": split.name, "labels": store.default_labels}
    title = "Boosted trees on intervals and shapes of beats, `python -m studies.features`"
    training = {"features": {"seconds": seconds, "device": "cpu"}}
    challenge = results.write(RESULT, title, made_from, training, predictions.joined(parts))["measures"]["challenge"]
    print(f"challenge score {challenge['mean']:.3f} ± {challenge['sd']:.3f}; see {RESULT}")


if __name__ == "__main__":
    main()
