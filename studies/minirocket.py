"""The floor for every network: MiniRocket and ridge regression on the same folds. `python -m studies.minirocket`.

Needs the extra `baseline` and the challenge set in data/; writes results/minirocket. Ten minutes on one core.

References
----------
Dempster, Schmidt, Webb, "MiniRocket: A Very Fast (Almost) Deterministic Transform for Time Series
Classification", KDD 2021. Transform by aeon, ridge regression by scikit-learn.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket
from numpy.typing import NDArray
from scipy.signal import decimate
from scipy.special import softmax
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import DATA
from ecg_rhythm.data import challenge
from ecg_rhythm.data.splits import Fold, load_split
from ecg_rhythm.data.store import Store, open_store, splits_folder
from ecg_rhythm.evaluation import calibration, predictions
from ecg_rhythm.experiments import results

RESULT = Path("results/minirocket")
SECONDS, EVERY = 30, 2
"""Of each recording its first 30 s at half the rate are seen, a shorter one again from its beginning."""
ALPHAS = np.logspace(-1, 5, 13)


def series(store: Store) -> NDArray[np.float32]:
    """All recordings as series of one length with mean 0 and deviation 1, shape (recordings, 1, samples)."""
    width = int(SECONDS * store.fs)
    rows = []
    for i in range(len(store)):
        row = decimate(np.resize(store.signal(i), width).astype(np.float64), EVERY)
        rows.append((row - row.mean()) / max(row.std(), 1e-6))
    return np.array(rows, dtype=np.float32)[:, None]


def predict(
    signals: NDArray[np.float32], targets: NDArray[np.int64], fold: Fold, classes: list[str]
) -> NDArray[np.float64]:
    """Train on a fold's training part and return probabilities for its test part, scaled on its validation part."""
    train, valid, test = (part - 1 for part in (fold.train, fold.valid, fold.test))
    model = make_pipeline(
        MiniRocket(random_state=0), StandardScaler(with_mean=False), RidgeClassifierCV(ALPHAS, class_weight="balanced")
    )
    model.fit(signals[train], targets[train])
    before = softmax(model.decision_function(signals[valid]), axis=1)
    temperature = calibration.fit(before, targets[valid], classes).temperature
    return calibration.apply_temperature(softmax(model.decision_function(signals[test]), axis=1), temperature)


def main() -> None:
    """Train and test all folds, and publish the result."""
    if RESULT.exists():
        sys.exit(f"{RESULT}: exists already; remove it first")
    store = open_store(DATA)
    split = load_split(splits_folder(DATA) / challenge.DEFAULT_SPLIT, len(store))
    signals, targets, parts, seconds = series(store), store.targets(), [], []
    for number, fold in enumerate(split.folds):
        began, test = time.monotonic(), fold.test - 1
        probabilities = predict(signals, targets, fold, store.classes)
        seconds.append(round(time.monotonic() - began, 1))
        names = [store.names[i] for i in test]
        parts.append(
            predictions.Predictions(names, np.full(len(test), number), targets[test], probabilities, store.classes)
        )
        print(f"fold {number} is done in {seconds[-1]} s", flush=True)
    made_from = {"data": store.fingerprint, "split": split.name, "labels": store.default_labels}
    figures = results.write(
        RESULT,
        "MiniRocket and ridge regression, `python -m studies.minirocket`",
        made_from,
        {"minirocket": {"seconds": seconds, "device": "cpu"}},
        predictions.joined(parts),
    )
    print(f"challenge score {figures['measures']['challenge']['mean']:.3f}; see {RESULT}")


if __name__ == "__main__":
    main()
