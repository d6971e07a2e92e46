"""Score of a finished job on perturbed recordings, each classified by a fold that did not train on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.evaluate import OverFolds, over_folds
from ecg_rhythm.evaluation.metrics import score
from ecg_rhythm.evaluation.predictions import read_predictions
from ecg_rhythm.inference import classifier
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.processes import Died
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.records import Record, fill_gaps
from ecg_rhythm.signals.perturbations import PERTURBATIONS, Perturbation, empty_signals
from ecg_rhythm.weights.run_files import check_together, finished_folds

EMPTY_SECONDS, EMPTY_REPEATS = 30, 20
AT_ONCE = 64
"""Recordings that are classified at once."""
NONE = "none"
"""What the row without a perturbation is called."""
KINDS = {kind.name: kind for kind in PERTURBATIONS}


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
    job: Path,
    data: Path,
    *,
    part: str = "test",
    every: int = 1,
    workers: int = 1,
    report: Callable[[str], None] = lambda what: None,
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
    workers : int
        Processes that compute at the same time.
    report : callable
        Called with the name of what is measured next.

    Raises
    ------
    BadInput
        If no fold is finished, the data set is another, there is no such part, or worker processes die.
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
    changes = _changes()

    def tasks() -> Iterator[_Task]:
        for (kind, strength), (fold, own) in product(changes, enumerate(chosen)):
            for part in classifier.batched(own, AT_ONCE):
                yield _Task(fold, kind, strength, part, [_record(store, position) for position in part])

    rows = []
    with Workers(models, workers) as pool:
        labels = pool.map(_labels, tasks(), partial(_refuse, job))
        for number, (kind, strength) in enumerate(changes, start=1):
            unit = "" if kind == NONE else KINDS[kind].unit
            report(f"{number} of {len(changes)}: {kind}" + ("" if kind == NONE else f" {strength:g} {unit}"))
            values = []
            for table, own in zip(tables, chosen, strict=True):
                found = list(islice(labels, -(-len(own) // AT_ONCE)))
                values.append(score(table.targets, np.concatenate(found), store.classes)["challenge"])
            shown = None if kind == NONE else strength
            rows.append(Row(perturbation=kind, unit=unit, strength=shown, challenge=over_folds(values)))
    report("signals that contain no ECG")
    return Robustness(part=part, recordings=sum(map(len, chosen)), rows=rows, empty=_empty(models, store.fs))


class _Task(NamedTuple):
    """Recordings to perturb and to classify by the model of a fold; each position is the seed of its perturbation."""

    fold: int
    kind: str
    strength: float
    positions: list[int]
    recordings: list[Record]


def _changes() -> list[tuple[str, float]]:
    """Name and strength of each perturbation; the first is none."""
    return [(NONE, 0.0), *((kind.name, strength) for kind in PERTURBATIONS for strength in kind.strengths)]


def _record(store: Store, position: int) -> Record:
    return Record(name=store.names[position], signal=store.signal(position), fs=store.fs, lead="")


def _labels(models: Sequence[Classifier], task: _Task) -> NDArray[np.int64]:
    """Predicted class of each recording, as an index."""
    model, changed = models[task.fold], task.recordings
    if task.kind != NONE:
        kind = KINDS[task.kind]
        changed = [_applied(kind, task.strength, *one) for one in zip(changed, task.positions, strict=True)]
    predictions = model.classify([fill_gaps(record, record.name) for record in changed])
    return np.array([model.classes.index(prediction.label) for prediction in predictions], dtype=np.int64)


def _applied(kind: Perturbation, strength: float, record: Record, seed: int) -> Record:
    signal, fs = kind.applied(record.signal, record.fs, strength, seed)
    return replace(record, signal=signal, fs=fs)


def _refuse(job: Path, task: _Task, error: Died) -> NDArray[np.int64]:
    raise BadInput(f"{job}: two processes that measured it died, the last one {error}; try fewer workers")


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
