"""Draw what a result says of a model: `python docs/draw_results.py results/default data results/suspects.csv`.

A reliability diagram of a result, before and after calibration on the other folds, and the recordings whose labels
look wrong.
"""

import csv
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from ecg_rhythm import calibration, evaluation, results
from ecg_rhythm.outputs import Predictions
from ecg_rhythm.store import open_store

HERE, BINS, SUSPECTS, SECONDS = Path(__file__).parent, 10, 8, 20


def calibrated(predictions: Predictions) -> np.ndarray:
    """Return each fold's probabilities, calibrated on all other folds."""
    found = np.empty_like(predictions.probabilities)
    for own, fitted in evaluation.calibrations(predictions):
        found[own] = calibration.tempered(predictions.probabilities[own], fitted.temperature)
    return found


def reliability(predictions: Predictions) -> None:
    """Draw how often the most probable class is right against how probable it was said to be."""
    figure, axis = plt.subplots(figsize=(5, 5), constrained_layout=True)
    axis.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    for title, probabilities in (("as trained", predictions.probabilities), ("calibrated", calibrated(predictions))):
        confidence = probabilities.max(axis=1)
        right = probabilities.argmax(axis=1) == predictions.targets
        edges = np.quantile(confidence, np.linspace(0, 1, BINS + 1))
        bins = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, BINS - 1)
        said = [confidence[bins == k].mean() for k in range(BINS)]
        was = [right[bins == k].mean() for k in range(BINS)]
        axis.plot(said, was, marker="o", label=title)
    axis.set(xlim=(0.3, 1), ylim=(0.3, 1), xlabel="probability of the answer", ylabel="share of answers that are right")
    axis.legend()
    figure.savefig(HERE / "reliability.png", dpi=100)


def suspects(rows: list[dict[str, str]], data: Path) -> None:
    """Draw the recordings whose labels look most wrong."""
    store = open_store(data)
    figure, axes = plt.subplots(len(rows), 1, figsize=(12, 1.5 * len(rows)), constrained_layout=True, squeeze=False)
    for axis, row in zip(axes[:, 0], rows, strict=True):
        signal = store.signal(store.names.index(row["record"]))[: int(SECONDS * store.fs)]
        axis.plot(np.arange(len(signal)) / store.fs, signal, color="#1a1a2e", linewidth=0.7)
        axis.set_title(
            f"{row['record']}: labelled {row['label']}, all models say {row['said']} ({float(row['probability']):.2f})",
            loc="left",
            fontsize=9,
        )
        axis.set(xlim=(0, SECONDS), yticks=[])
    axes[-1, 0].set_xlabel("s")
    figure.savefig(HERE / "suspects.png", dpi=90)


def main() -> None:
    """Draw both."""
    result, data, table = map(Path, sys.argv[1:])
    reliability(results.read(result)[1])
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))[:SUSPECTS]
    if rows:
        suspects(rows, data)


if __name__ == "__main__":
    main()
