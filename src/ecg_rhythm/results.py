"""Finished jobs -> a folder anyone can check: predictions, what made them, and every figure.

`results/<name>/` holds `jobs.json` and the model files it names, so that `ecg-rhythm queue` makes it anew;
`predictions.csv`, one per recording by a model (or the mean of several) that did not train on it; and
`result.json`, with the figures that follow from them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ecg_rhythm import calibration, evaluation, files, outputs, runs
from ecg_rhythm.calibration import Calibration
from ecg_rhythm.config import Job, ModelConfig, find_model, load_jobs, load_model, parse
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation import Figures
from ecg_rhythm.outputs import Predictions
from ecg_rhythm.runs import RunSpec
from ecg_rhythm.splits import load_split
from ecg_rhythm.store import open_store, splits_folder

RESULT, JOBS = "result.json", "jobs.json"
DIGITS = 6
"""Of a probability, as it is written."""
SAME = 1e-9
"""Largest difference between a published figure and the one computed anew."""
ITERATED = 1e-3
"""The same for what is fitted by iteration."""


@dataclass(frozen=True)
class _Finished:
    """A job of which every fold is done."""

    name: str
    job: Job
    model: ModelConfig
    made_from: dict[str, str]
    """Data set, split and labels."""
    predictions: Predictions
    training: dict[str, Any]
    """Seconds of each fold, and where they were spent."""


def publish(jobs: Sequence[Path], folder: Path, title: str, data: Path) -> Figures:
    """Write a result's folder from the folders of one finished job or of several that vote.

    The vote is the mean of probabilities. A recording's are those of the models whose test part it is in, and the
    jobs must share data set, split and labels: so nothing is scored by a model that trained on it.

    Parameters
    ----------
    jobs : sequence of Path
        `logs/<architecture>/<job>`, all folds of it done.
    folder : Path
        Folder to make.
    title : str
        What this is, in a few words.
    data : Path
        Data folder with the split, which says how many folds there are.

    Raises
    ------
    BadInput
        If a fold is missing, jobs do not fit together, or the folder is there already.
    """
    finished = [_finished(path) for path in jobs]
    first = finished[0]
    n_folds = len(load_split(splits_folder(data) / first.job.split, len(open_store(data))).folds)
    for job in finished:
        if missing := sorted(set(range(n_folds)) - set(job.job.cvids)):
            raise BadInput(f"{job.name}: fold {missing[0]} of {n_folds} is not finished; train it first")
    for other in finished[1:]:
        if other.made_from != first.made_from or other.predictions.records != first.predictions.records:
            raise BadInput(
                f"{jobs[0]} and {other.name} were made from different data, splits or labels; such jobs cannot vote"
            )
        if other.name == first.name or (other.job.model == first.job.model and other.model != first.model):
            raise BadInput(f"{other.name}: two jobs or two models have the same name; rename one and run it again")
    return write(
        folder,
        title,
        first.made_from,
        {job.name: job.training for job in finished},
        _mean([job.predictions for job in finished]),
        {JOBS: {job.name: job.job.model_dump(exclude_defaults=True) for job in finished}}
        | {f"{job.job.model}.json": job.model.model_dump() for job in finished},
    )


def write(
    folder: Path,
    title: str,
    made_from: Mapping[str, str],
    training: Mapping[str, Any],
    predictions: Predictions,
    recipe: Mapping[str, Any] = MappingProxyType({}),
) -> Figures:
    """Write a result's folder.

    Parameters
    ----------
    folder : Path
        Folder to make.
    title : str
        What this is, in a few words.
    made_from : mapping
        Data set, split and labels.
    training : mapping
        Name of each model -> seconds of each fold, and where they were spent.
    predictions : Predictions
        Each recording's by a model that did not train on it.
    recipe : mapping
        Names of JSON files -> what is in them: the jobs and models that `ecg-rhythm queue` makes it anew from.

    Raises
    ------
    BadInput
        If the folder is there already.
    """
    predictions = replace(predictions, probabilities=predictions.probabilities.round(DIGITS))
    figures = evaluation.figures(predictions)
    with files.new_folder(folder) as made:
        for name, content in recipe.items():
            files.write_json(made / name, content)
        outputs.write_predictions(made / runs.PREDICTIONS, {"test": predictions})
        files.write_json(made / RESULT, {"title": title, **made_from, "training": training, "figures": figures})
    return figures


def _finished(path: Path) -> _Finished:
    """Read a job's folder."""
    folders = sorted(folder for folder in path.glob("fold*") if runs.is_done(folder))
    if not folders:
        raise BadInput(f"{path}: there is no finished fold of a job in it; train it first")
    scores = [runs.read_scores(folder) for folder in folders]
    made_from = [{key: s[key] for key in ("data", "split", "labels")} for s in scores]
    try:
        job = json.loads((folders[0] / "job.json").read_text())
        name = job.pop("name")
        environment = json.loads((folders[0] / "environment.json").read_text())
        machine = {key: environment[key] for key in ("device", "threads", "precision", "torch", "git")}
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(f"{folders[0]}: its job.json or environment.json is damaged; run it with --restart") from None
    job["cvids"] = [s["fold"] for s in scores]
    models = [load_model(folder / "model.json") for folder in folders]
    if any(one != made_from[0] for one in made_from) or any(model != models[0] for model in models):
        raise BadInput(f"{path}: its folds differ in model, split or data; run it again with --restart")
    predictions = outputs.joined(outputs.read_predictions(folder / runs.PREDICTIONS) for folder in folders)
    return _Finished(
        name=name,
        job=parse(Job, json.dumps(job), str(path)),
        model=models[0],
        made_from=made_from[0],
        predictions=predictions,
        training={
            "seconds": [s["seconds"] for s in scores],
            **machine,
        },
    )


def read(folder: Path) -> tuple[dict[str, Any], Predictions]:
    """Return what a result's folder says of itself, and its predictions.

    Raises
    ------
    BadInput
        If it is not a result's folder.
    """
    try:
        result: dict[str, Any] = json.loads((folder / RESULT).read_text())
        result["title"]
        for key in ("measures", "confusion", "calibration_error", "calibrated"):
            result["figures"][key]
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(f"{folder}: this is no folder of a result (it has no good {RESULT}); name one") from None
    return result, outputs.read_predictions(folder / runs.PREDICTIONS)


def differences(published: Figures, computed: Figures) -> list[str]:
    """Say which published figures are not those computed anew from the predictions."""
    there, here = dict(_numbers(published)), dict(_numbers(computed))
    found = []
    for path in sorted(there.keys() | here.keys()):
        old, new = there.get(path), here.get(path)
        # Calibration is fitted by iteration, whose last digits other machines round differently.
        tolerance = ITERATED if path.startswith("calibrated") else SAME
        if old is None or new is None or not math.isclose(old, new, rel_tol=0, abs_tol=tolerance):
            found.append(f"{path}: {old} is published, {new} follows from the predictions")
    return found


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield all numbers in nested figures, each with its path."""
    if isinstance(value, int | float):
        yield path, float(value)
    elif isinstance(value, Mapping | list):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _numbers(part, f"{path}, {key}" if path else str(key))


def calibration_of(folder: Path, model: ModelConfig, classes: list[str]) -> Calibration:
    """Fit a calibration to all predictions of a result that one job has made from the same model file.

    Raises
    ------
    BadInput
        If they are of other classes or models.
    """
    _, predictions = read(folder)
    jobs = load_jobs(folder / JOBS) if (folder / JOBS).exists() else {}
    models = [load_model(find_model(job.model, folder / JOBS)) for job in jobs.values()]
    if predictions.classes != classes or models != [model]:
        raise BadInput(f"{folder}: this is no result of a single job of the same model and classes; calibrate on one")
    return calibration.fit(predictions.probabilities, predictions.targets, classes)


def specs(folder: Path, fold: int) -> list[RunSpec]:
    """Return the runs that made one fold of a result.

    Raises
    ------
    BadInput
        If it has no such fold, or no job made it.
    """
    if not (folder / JOBS).exists():
        title = read(folder)[0]["title"]
        raise BadInput(f"{folder}: no job made it, so none can make a fold of it anew; it says: {title}")
    jobs = load_jobs(folder / JOBS)
    if any(fold not in job.cvids for job in jobs.values()):
        raise BadInput(f"{folder}: there is no fold {fold} in it; choose one of {next(iter(jobs.values())).cvids}")
    return [
        RunSpec(job_name=name, job=job, model=load_model(find_model(job.model, folder / JOBS)), fold=fold)
        for name, job in jobs.items()
    ]


def vote(folders: Sequence[Path]) -> Predictions:
    """Return the mean of the test predictions of runs of the same fold."""
    return _mean([outputs.joined([outputs.read_predictions(folder / runs.PREDICTIONS)]) for folder in folders])


def _mean(tables: Sequence[Predictions]) -> Predictions:
    """Return the mean of predictions of the same recordings, with as many digits as are written."""
    return replace(tables[0], probabilities=np.mean([table.probabilities for table in tables], axis=0).round(DIGITS))
