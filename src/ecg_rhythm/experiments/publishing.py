"""Publish a job's finished folds as a result that anyone can check."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecg_rhythm.config import Job, ModelConfig, load_model
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.evaluate import Evaluation
from ecg_rhythm.evaluation.predictions import Predictions, joined, read_predictions
from ecg_rhythm.experiments.folder import Run, check_together
from ecg_rhythm.experiments.jobs import Recipe
from ecg_rhythm.experiments.results import JOBS, MADE_FROM, folds_missing, write
from ecg_rhythm.schema import loads, parse
from ecg_rhythm.weights.run_files import RunFiles, finished_folds

ENVIRONMENT = ("device", "threads", "precision", "torch", "git")
"""Keys of a run's environment that a result keeps."""


@dataclass(frozen=True)
class Finished:
    """The finished folds of a job."""

    name: str
    job: Job
    recipe: Recipe
    made_from: dict[str, str]
    """Data set, split and labels."""
    predictions: Predictions
    training: dict[str, Any]
    """Seconds of each fold, and the environment; a list where folds differ in it."""


def publish(job: Path, folder: Path, title: str, data: Path) -> Evaluation:
    """Write a result's folder from the finished folds of a job.

    Parameters
    ----------
    job : Path
        `logs/<architecture>/<job>`.
    folder : Path
        Folder to make.
    title : str
        Title of the result, in a few words.
    data : Path
        Data folder with the split, which says how many folds there are.

    Raises
    ------
    BadInput
        If no fold is finished, folds do not fit together, or the folder is there already.
    """
    done = finished(job)
    return write(
        folder,
        title,
        done.made_from,
        {done.name: done.training},
        done.predictions,
        {
            JOBS: {done.name: done.job.model_dump(exclude_defaults=True)},
            **_model_files(done.job, done.recipe),
        },
        missing_folds=folds_missing(job, data, done.made_from, done.predictions),
    )


def _model_files(job: Job, recipe: Recipe) -> dict[str, Any]:
    """Name -> content of the model files that a job needs."""
    files = {f"{job.model}.json": recipe.model.model_dump()}
    if recipe.teacher is not None and recipe.model.distillation is not None:
        files[f"{recipe.model.distillation.teacher}.json"] = recipe.teacher.model_dump()
    return files


def finished(path: Path) -> Finished:
    """Read the finished folds in a job's folder.

    Raises
    ------
    BadInput
        If there is none, they do not fit together, or a file is damaged.
    """
    folds = list(finished_folds(path).values())
    if not folds:
        raise BadInput(f"{path}: there is no finished fold of a job in it; train it first")
    check_together(folds)
    scores = [fold.read_scores() for fold in folds]
    try:
        job = loads(folds[0].intact(folds[0].job).read_text())
        name = job.pop("name")
        environments = [loads(fold.intact(fold.environment).read_text()) for fold in folds]
        machines = {key: [one[key] for one in environments] for key in ENVIRONMENT}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        damaged = f"{folds[0].job.name} or {folds[0].environment.name}"
        raise BadInput(f"{path}: a {damaged} in it is damaged; run it with --restart") from None
    job["cvids"] = [s["fold"] for s in scores]
    predictions = joined(read_predictions(fold.intact(fold.predictions)) for fold in folds)
    return Finished(
        name=name,
        job=parse(Job, json.dumps(job), str(path)),
        recipe=Recipe(load_model(folds[0].intact(folds[0].model)), _teacher(folds[0])),
        made_from={key: scores[0][key] for key in MADE_FROM},
        predictions=predictions,
        training={
            **_seconds(scores),
            **({"teacher": _seconds([s["teacher"] for s in scores])} if "teacher" in scores[0] else {}),
            **{key: each[0] if each.count(each[0]) == len(each) else each for key, each in machines.items()},
        },
    )


def _seconds(scores: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Time spent on each fold; earlier versions did not count that of the processor."""
    return {key: [s[key] for s in scores] for key in ("seconds", "cpu_seconds") if key in scores[0]}


def _teacher(run: RunFiles) -> ModelConfig | None:
    """The model of a run's teacher."""
    teacher = Run(run.path).read_identity().get("teacher")
    return None if teacher is None else parse(ModelConfig, json.dumps(teacher["model"]), str(run.identity))
