"""Score of a finished job on perturbed recordings, each classified by a fold that did not train on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.data.store import open_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.evaluate import OverFolds, over_folds
from ecg_rhythm.evaluation.metrics import score
from ecg_rhythm.evaluation.predictions import read_predictions
from ecg_rhythm.experiments.folder import check_together
from ecg_rhythm.inference import classifier
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.records import Record, fill_gaps
from ecg_rhythm.signals.perturbations import PERTURBATIONS, Perturbation, empty_signals
from ecg_rhythm.weights.run_files import finished_folds

EMPTY_SECONDS, EMPTY_REPEATS = 30, 20
AT_ONCE = 512
"""Recordings that are classified at once."""


class Row(TypedDict):
    """The challenge score under one perturbation."""

    perturbation: str
    unit: str
    strength: float | None
    challenge: OverFolds


class Robustness(TypedDict):
    """Scores under all perturbations; every value goes into JSON as it is."""

    part: str
    recordings: int
    rows: list[Row]
    """The first is without a perturbation."""
    empty: dict[str, dict[str, float]]
    """Kind of signal that contains no ECG -> how often it is labelled as each class."""


def measure(
    job: Path, data: Path, *, part: str = "test", every: int = 1, report: Callable[[str], None] = lambda what: None
) -> Robustness:
    """Score all finished folds of a job under every perturbation.

    Parameters
    ----------
    job : Path
        `logs/<architecture>/<job>`.
    data : Path
        Data folder that it was trained on.
    part : {'test', 'valid'}
        The recordings to judge by: those of the test part, or, to choose between models, of the validation part.
    every : int
        Use only every such recording of each fold's part.
    report : callable
        Called with the name of what is measured next.

    Raises
    ------
    BadInput
        If no fold is finished, the data set is another, or there is no such part.
    """
    store = open_store(data)
    folds = finished_folds(job)
    if not folds:
        raise BadInput(f"{job}: there is no finished fold of a job in it; train it first")
    check_together(folds.values())
    tables = []
    for fold in folds.values():
        if fold.read_scores()["data"] != store.fingerprint:
            raise BadInput(
                f"{fold.path}: it was trained on another data set than {data}; name the one it was trained on"
            )
        tables.append(read_predictions(fold.intact(fold.predictions), part)[::every])
    models = [classifier.load(fold.path) for fold in folds.values()]
    chosen = [[store.names.index(name) for name in table.records] for table in tables]

    def record(position: int) -> Record:
        return Record(name=store.names[position], signal=store.signal(position), fs=store.fs, lead="")

    rows = []
    for name, unit, strength, change in _changes():
        report(name if strength is None else f"{name} {strength:g} {unit}")
        values = [
            score(table.targets, _labels(model, (change(record(i), i) for i in own)), store.classes)["challenge"]
            for model, table, own in zip(models, tables, chosen, strict=True)
        ]
        rows.append(Row(perturbation=name, unit=unit, strength=strength, challenge=over_folds(values)))
    report("signals that contain no ECG")
    return Robustness(part=part, recordings=sum(map(len, chosen)), rows=rows, empty=_empty(models, store.fs))


def _changes() -> list[tuple[str, str, float | None, Callable[[Record, int], Record]]]:
    changes: list[tuple[str, str, float | None, Callable[[Record, int], Record]]] = [
        ("none", "", None, lambda record, seed: record)
    ]
    for kind in PERTURBATIONS:
        for strength in kind.strengths:
            changes.append((kind.name, kind.unit, strength, _applied(kind, strength)))
    return changes


def _applied(kind: Perturbation, strength: float) -> Callable[[Record, int], Record]:
    def change(record: Record, seed: int) -> Record:
        signal, fs = kind.applied(record.signal, record.fs, strength, seed)
        return replace(record, signal=signal, fs=fs)

    return change


def _labels(model: Classifier, recordings: Iterable[Record]) -> NDArray[np.int64]:
    labels: list[int] = []
    for part in classifier.batched(recordings, AT_ONCE):
        predictions = model.classify([fill_gaps(record, record.name) for record in part])
        labels += [model.classes.index(prediction.label) for prediction in predictions]
    return np.array(labels, dtype=np.int64)


def _empty(models: Sequence[Classifier], fs: float) -> dict[str, dict[str, float]]:
    answers: dict[str, list[str]] = {}
    for seed in range(EMPTY_REPEATS):
        for name, signal in empty_signals(int(EMPTY_SECONDS * fs), fs, seed).items():
            record = Record(name, signal.astype(np.float32), fs, "")
            answers.setdefault(name, []).extend(model.classify([record])[0].label for model in models)
    return {
        name: {label: labels.count(label) / len(labels) for label in models[0].classes}
        for name, labels in answers.items()
    }
