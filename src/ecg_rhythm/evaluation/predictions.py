"""Tables of predictions: a row for each recording that a model did not train on."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.printable import csv_line, csv_text

FILE = "predictions.csv"
"""Name of the table in the folder of a run or a result."""
COLUMNS = ("record", "fold", "set", "label")
"""Columns before those of the probabilities."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of models for recordings they did not train on.

    Attributes
    ----------
    records : list of str
        Names of the n recordings.
    folds : ndarray of int64, shape (n,)
        The fold whose model predicted the recording.
    targets : ndarray of int64, shape (n,)
        The recordings' true classes, as positions in `classes`.
    probabilities : ndarray of float64, shape (n, classes)
        Rows sum to 1.
    classes : list of str
        Names of the classes.
    """

    records: list[str]
    folds: NDArray[np.int64]
    targets: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    classes: list[str]

    @property
    def labels(self) -> NDArray[np.int64]:
        """The most probable class of each recording."""
        labels: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return labels

    def __getitem__(self, chosen: NDArray[Any] | slice) -> Predictions:
        """Select some of them by position, mask or slice."""
        positions = np.arange(len(self.records))[chosen]
        return Predictions(
            [self.records[i] for i in positions],
            self.folds[positions],
            self.targets[positions],
            self.probabilities[positions],
            self.classes,
        )

    def by_fold(self) -> dict[int, Predictions]:
        """Those of each fold, fold -> predictions, in the order of folds."""
        return {fold: self[self.folds == fold] for fold in np.unique(self.folds).tolist()}


def joined(parts: Iterable[Predictions]) -> Predictions:
    """Join tables of the same classes into one, ordered by recording."""
    tables = list(parts)
    whole = Predictions(
        records=[record for table in tables for record in table.records],
        folds=np.concatenate([table.folds for table in tables]),
        targets=np.concatenate([table.targets for table in tables]),
        probabilities=np.concatenate([table.probabilities for table in tables]),
        classes=tables[0].classes,
    )
    return whole[np.array(sorted(range(len(whole.records)), key=lambda i: whole.records[i]))]


def write_predictions(path: Path, parts: Mapping[str, Predictions]) -> None:
    """Write record, fold, set, label, and as p(N) the probability of each class N.

    Parameters
    ----------
    parts : mapping
        Name of a set (valid, test) -> its predictions.
    """
    classes = next(iter(parts.values())).classes
    lines = [csv_line([*COLUMNS, *(f"p({name})" for name in classes)])]
    for part, table in parts.items():
        labels = [classes[target] for target in table.targets]
        rows = zip(table.records, table.folds, labels, table.probabilities, strict=True)
        lines += [csv_line([record, fold, part, label, *p], digits=6) for record, fold, label, p in rows]
    files.write_text(path, "".join(lines))


def read_predictions(path: Path, part: str = "test") -> Predictions:
    """Read the predictions of one set.

    Raises
    ------
    BadInput
        If there is no such file, it is another kind of table, or it has no predictions of this set.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            columns = next(reader)
            if tuple(columns[:4]) != COLUMNS:
                raise ValueError
            classes = [name[2:-1] for name in columns[4:]]
            rows = [row for row in reader if row[2] == part]
        if not rows:
            raise BadInput(f"{path}: it has no predictions of a {part} part; choose test or valid, or another run")
        probabilities = np.array([row[4:] for row in rows], dtype=np.float64).reshape(len(rows), len(classes))
        if not np.isfinite(probabilities).all():
            raise ValueError
        return Predictions(
            records=[csv_text(row[0]) for row in rows],
            folds=np.array([int(row[1]) for row in rows], dtype=np.int64),
            targets=np.array([classes.index(csv_text(row[3])) for row in rows], dtype=np.int64),
            probabilities=probabilities,
            classes=classes,
        )
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; name the folder of a finished run or result") from None
    except (StopIteration, IndexError, ValueError, csv.Error):
        raise BadInput(f"{path}: this is no table of predictions; run the job again to make one") from None
