"""Publish a job's finished folds as a result that anyone can check."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecg_rhythm.config import Job, ModelConfig, load_model
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.evaluate import Evaluation
from ecg_rhythm.evaluation.predictions import Predictions, joined, read_predictions
from ecg_rhythm.experiments import results
from ecg_rhythm.experiments.jobs import Recipe
from ecg_rhythm.experiments.results import JOBS, MADE_FROM, folds_missing
from ecg_rhythm.schema import loads, parse
from ecg_rhythm.weights.run_files import RunFiles, check_together, finished_folds

SECONDS = ("seconds", "cpu_seconds")
"""Times that a run's scores tell."""
ENVIRONMENT = ("device", "threads", "precision", "torch", "git")
"""Keys of a run's environment that a result keeps."""


@dataclass(frozen=True)
class Finished:
    """The finished folds of a job."""

    name: str
    job: Job
    """Its `cvids` are the finished folds."""
    recipe: Recipe
    made_from: dict[str, str]
    """Data set, split and labels."""
    predictions: Predictions
    spent: dict[int, dict[str, Any]]
    """Fold -> seconds, those of its teacher, and the environment."""

    @property
    def training(self) -> dict[str, Any]:
        """Seconds of each fold, and the environment: a list where folds differ in it."""
        return _gathered(list(self.spent.values()))


def publish(sources: Sequence[Path], folder: Path, title: str, data: Path) -> Evaluation:
    """Write a result's folder from the finished folds of a job.

    Parameters
    ----------
    sources : sequence of Path
        `logs/<architecture>/<job>`; more of them where several machines trained folds of the same job, or results with
        its other folds.
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
    done = _together(
        sources, [_published(source) if results.is_result(source) else finished(source) for source in sources]
    )
    return results.write(
        folder,
        title,
        done.made_from,
        {done.name: done.training},
        done.predictions,
        {
            JOBS: {done.name: done.job.model_dump(exclude_defaults=True)},
            **_model_files(done.job, done.recipe),
        },
        missing_folds=folds_missing(sources[0], data, done.made_from, done.predictions),
    )


def _together(sources: Sequence[Path], parts: Sequence[Finished]) -> Finished:
    """Join folds of one job that were trained in different places."""
    first = parts[0]
    spent: dict[int, dict[str, Any]] = {}
    for source, part in zip(sources, parts, strict=True):
        if (part.name, part.made_from, part.recipe) != (first.name, first.made_from, first.recipe) or _but_folds(
            part.job
        ) != _but_folds(first.job):
            raise BadInput(
                f"{sources[0]} and {source} are of different jobs, models, splits or data; "
                "publish folds of one job together"
            )
        if twice := sorted(spent.keys() & part.spent.keys()):
            raise BadInput(f"{source}: fold {twice[0]} is in another of these folders, too; leave one of them out")
        spent |= part.spent
    return replace(
        first,
        job=first.job.model_copy(update={"cvids": sorted(spent)}),
        predictions=joined(part.predictions for part in parts),
        spent=dict(sorted(spent.items())),
    )


def _but_folds(job: Job) -> dict[str, Any]:
    return job.model_dump(exclude={"cvids", "description"})


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
        machines = [{key: one[key] for key in ENVIRONMENT} for one in environments]
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
        spent={
            s["fold"]: {**_seconds(s), **({"teacher": _seconds(s["teacher"])} if "teacher" in s else {}), **machine}
            for s, machine in zip(scores, machines, strict=True)
        },
    )


def _published(folder: Path) -> Finished:
    """Read the folds of a job that a result has."""
    result, predictions = results.read(folder)
    name, job, recipe = results.recipe_of(folder)
    folds = sorted(job.cvids)
    return Finished(
        name=name,
        job=job,
        recipe=recipe,
        made_from={key: result[key] for key in MADE_FROM},
        predictions=predictions,
        spent={fold: _of_fold(result["training"][name], position) for position, fold in enumerate(folds)},
    )


def _seconds(spent: Mapping[str, Any]) -> dict[str, float]:
    """Time spent on a fold; earlier versions did not count that of the processor."""
    return {key: spent[key] for key in SECONDS if key in spent}


def _gathered(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was spent on each fold: lists, but one value for what is the same in all and no time."""
    gathered: dict[str, Any] = {}
    for key in [key for key in folds[0] if all(key in fold for fold in folds)]:
        each = [fold[key] for fold in folds]
        if key == "teacher":
            gathered[key] = _gathered(each)
        else:
            gathered[key] = each[0] if key not in SECONDS and each.count(each[0]) == len(each) else each
    return gathered


def _of_fold(gathered: Mapping[str, Any], position: int) -> dict[str, Any]:
    """What was spent on one fold."""
    return {
        key: _of_fold(value, position) if key == "teacher" else value[position] if isinstance(value, list) else value
        for key, value in gathered.items()
    }


def _teacher(run: RunFiles) -> ModelConfig | None:
    """The model of a run's teacher."""
    teacher = run.read_identity().get("teacher")
    return None if teacher is None else parse(ModelConfig, json.dumps(teacher["model"]), str(run.identity))
