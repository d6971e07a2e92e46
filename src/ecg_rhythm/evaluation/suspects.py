"""Find recordings whose labels may be wrong: all models confidently agree on another class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from ecg_rhythm import files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.predictions import Predictions
from ecg_rhythm.printable import csv_line


@dataclass(frozen=True)
class Suspect:
    """A recording whose label may be wrong.

    Attributes
    ----------
    record : str
        Name of the recording.
    label : str
        The label it has.
    predicted : str
        The class that all models predict.
    probability : float
        Its mean probability.
    label_probability : float
        The mean probability of the label.
    lowest_probability : float
        The lowest probability that any of the models gives its prediction.
    """

    record: str
    label: str
    predicted: str
    probability: float
    label_probability: float
    lowest_probability: float


def suspects(tables: Sequence[Predictions], sure: float) -> list[Suspect]:
    """Find recordings for which all models predict another class than the label, each with `sure` or more.

    Parameters
    ----------
    tables : sequence of Predictions
        Out-of-fold predictions of each model for the same recordings.
    sure : float
        Between 0 and 1.

    Returns
    -------
    list of Suspect
        The most suspicious first: those whose label the models find least probable.

    Raises
    ------
    BadInput
        If the tables are of different recordings or classes.
    """
    first = tables[0]
    for other in tables[1:]:
        same = other.records == first.records and other.classes == first.classes
        if not same or (other.targets != first.targets).any():
            raise BadInput("the results are of different recordings or labels; compare results of the same data set")
    answers = np.stack([table.labels for table in tables])
    confidences = np.stack([table.probabilities.max(axis=1) for table in tables]).min(axis=0)
    mean = np.mean([table.probabilities for table in tables], axis=0)
    agreed = (answers == answers[0]).all(axis=0)
    chosen = np.flatnonzero(agreed & (answers[0] != first.targets) & (confidences >= sure))
    listed = [
        Suspect(
            record=first.records[i],
            label=first.classes[first.targets[i]],
            predicted=first.classes[answers[0, i]],
            probability=round(float(mean[i, answers[0, i]]), 4),
            label_probability=round(float(mean[i, first.targets[i]]), 4),
            lowest_probability=round(float(confidences[i]), 4),
        )
        for i in chosen
    ]
    return sorted(listed, key=lambda suspect: (suspect.label_probability, suspect.record))


def write(path: Path, suspects: Sequence[Suspect]) -> None:
    """Write a CSV with a line for each."""
    lines = [[field.name for field in fields(Suspect)], *map(astuple, suspects)]
    files.write_text(path, "".join(map(csv_line, lines)))
