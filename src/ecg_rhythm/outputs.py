"""The tables a run leaves: scores by epoch, and a prediction for every recording it did not train on."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import files, runs
from ecg_rhythm.store import Store

HOTLOG = (
    "phase", "epoch", "best_epoch", "loss", "learning_rate", "valid_accuracy", "valid_score", "test_accuracy",
    "test_score", "seconds",
)  # fmt: skip


def write_hotlog(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write `hotlog.csv`, a row per validation."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HOTLOG, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_text(folder / "hotlog.csv", text.getvalue())


def write_predictions(
    folder: Path,
    store: Store,
    targets: NDArray[np.int64],
    fold: int,
    parts: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64]]],
) -> None:
    """Write `predictions.csv`: record, fold, set, label, and as p(N) the probability of each class N.

    Parameters
    ----------
    parts : mapping
        Name of a set (valid, test) -> positions of its recordings, and their probabilities, shape
        (n, classes).
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["record", "fold", "set", "label", *(f"p({name})" for name in store.classes)])
    for part, (found, probabilities) in parts.items():
        for i, row in zip(found, probabilities, strict=True):
            writer.writerow([store.names[i], fold, part, store.classes[targets[i]], *(f"{p:.6f}" for p in row)])
    files.write_text(folder / runs.PREDICTIONS, text.getvalue())
