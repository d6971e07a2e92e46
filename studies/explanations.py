"""Do explanations point at what counts? `python -m studies.explanations logs/ResGRU/default`.

A deletion test: of recordings that a fold has not seen and gets right, the seconds that its explanation weighs
most are hidden, then the same pattern shifted by a random time, then those it weighs least: the first must cost most.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import DATA
from ecg_rhythm.data.store import open_store
from ecg_rhythm.evaluation import metrics, predictions
from ecg_rhythm.inference import classifier, explain
from ecg_rhythm.inference.explain import Explanation
from ecg_rhythm.records import Record
from ecg_rhythm.weights.run_files import finished_folds

EACH = 40
"""Recordings of each class and fold."""
SHARES = (0.1, 0.2, 0.4)
"""Parts of a recording that are hidden."""


def stretches(explanation: Explanation, order: NDArray[np.int64], share: float) -> list[tuple[float, float]]:
    """The first stretches of an order, together a share of the recording."""
    chosen = order[: max(round(share * len(order)), 1)]
    return [(i * explanation.step, (i + 1) * explanation.step) for i in chosen.tolist()]


def main() -> None:
    """Print how much of the answer's probability each deletion costs, mean and spread over folds."""
    job, store = Path(sys.argv[1]), open_store(DATA)
    falls: dict[tuple[str, float, str], list[float]] = {}
    for fold in finished_folds(job).values():
        model, table = classifier.load(fold.path), predictions.read_predictions(fold.predictions)
        rng = np.random.default_rng(0)
        for target, name in enumerate(table.classes):
            right = np.flatnonzero((table.targets == target) & (table.labels == target))
            of_class: dict[tuple[float, str], list[float]] = {}
            for i in rng.permutation(right)[:EACH].tolist():
                signal = store.signal(store.names.index(table.records[i]))
                record = Record(table.records[i], signal, store.fs, "ECG")
                explanation = explain.explain(model, record)
                ranked = np.argsort(-explanation.weights)
                shifted = (ranked + rng.integers(len(ranked))) % len(ranked)
                orders = {"weightiest": ranked, "shifted": shifted, "lightest": ranked[::-1]}
                keys = [(share, kind) for share in SHARES for kind in orders]
                variants = [explain.hide(record, stretches(explanation, orders[kind], share)) for share, kind in keys]
                before, *after = model.probabilities([record, *variants])[:, target].tolist()
                for key, probability in zip(keys, after, strict=True):
                    of_class.setdefault(key, []).append(before - probability)
            for (share, kind), values in of_class.items():
                falls.setdefault((name, share, kind), []).append(float(np.mean(values)))
    for (name, share, kind), values in falls.items():
        over_folds = metrics.spread(values)
        print(f"{name}  {share:.0%} hidden, {kind:11} {-over_folds.mean:+.3f} ± {over_folds.sd or 0:.3f}")


if __name__ == "__main__":
    main()
