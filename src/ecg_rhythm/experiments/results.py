"""Finished jobs -> folders that anyone can check: predictions, what made them, and their metrics.

`results/<name>/` holds `jobs.json` and the model files it names, so that `ecg-rhythm queue` reproduces it;
`predictions.csv`, one for each recording by a model (or the mean of several) that did not train on it; and
`result.json`, with the metrics of these predictions. Of a job that is done in part it holds the finished folds, and
`missing_folds` names the others; `extent` says so wherever a result is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ecg_rhythm import checksums, files
from ecg_rhythm.config import Job, ModelConfig, find_model, load_jobs
from ecg_rhythm.data.splits import load_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation import calibration
from ecg_rhythm.evaluation.calibration import Calibration
from ecg_rhythm.evaluation.evaluate import Evaluation, evaluate
from ecg_rhythm.evaluation.predictions import FILE, Predictions, read_predictions, write_predictions
from ecg_rhythm.experiments import result_format
from ecg_rhythm.experiments.jobs import Recipe, RunSpec, read_recipe

RESULT, JOBS = "result.json", "jobs.json"
MADE_FROM = ("data", "split", "labels")
"""Keys that agree in results of the same recordings and folds."""
DIGITS = 6
"""Decimal places of a probability in a file."""


def vote(members: Sequence[Path], folder: Path, title: str) -> Evaluation:
    """Average the probabilities of several results into a new one.

    As its members share the split, no recording is scored by a model that trained on it.

    Parameters
    ----------
    members : sequence of Path
        Folders of results.
    folder : Path
        Folder to make.
    title : str
        Title of the result, in a few words.

    Raises
    ------
    BadInput
        If there is only one, they differ in data, split, labels or folds, or the folder is there already.
    """
    if len({member.resolve() for member in members}) < max(len(members), 2):
        raise BadInput("a vote is of two different results or more; name their folders")
    results = [read(member) for member in members]
    first, predictions = results[0]
    made_from = {key: first[key] for key in MADE_FROM}
    for member, (result, others) in zip(members, results, strict=True):
        if result["missing_folds"] != first["missing_folds"]:
            one, other = (extent(each) or "all folds" for each in (first, result))
            raise BadInput(
                f"{members[0]} has {one} and {member} {other}; such results cannot vote: publish the same folds of both"
            )
        same = (others.records, others.classes) == (predictions.records, predictions.classes)
        same = same and np.array_equal(others.folds, predictions.folds)
        if not same or any(result[key] != made_from[key] for key in MADE_FROM):
            raise BadInput(
                f"{members[0]} and {member} were made from different data, splits or labels; such results cannot vote"
            )
    training = {}
    for member, (result, _) in zip(members, results, strict=True):
        for name, spent in result["training"].items():
            if name in training:
                raise BadInput(f"{member}: {name} has a vote already; name each result only once")
            training[name] = spent
    mean = np.mean([others.probabilities for _, others in results], axis=0)
    averaged = replace(predictions, probabilities=mean)
    return write(folder, title, made_from, training, averaged, missing_folds=first["missing_folds"])


def write(
    folder: Path,
    title: str,
    made_from: Mapping[str, str],
    training: Mapping[str, Any],
    predictions: Predictions,
    recipe: Mapping[str, Any] = MappingProxyType({}),
    *,
    missing_folds: Sequence[int] = (),
) -> Evaluation:
    """Write a result's folder.

    Parameters
    ----------
    folder : Path
        Folder to make.
    title : str
        Title of the result, in a few words.
    made_from : mapping
        Data set, split and labels.
    training : mapping
        Name of each model -> seconds of each fold, and the environment.
    predictions : Predictions
        Each recording's by a model that did not train on it.
    recipe : mapping
        Names of JSON files -> what is in them: the jobs and models that `ecg-rhythm queue` reproduces it from.
    missing_folds : sequence of int
        Folds of the split that it lacks.

    Raises
    ------
    BadInput
        If the folder is there already.
    """
    predictions = replace(predictions, probabilities=predictions.probabilities.round(DIGITS))
    evaluation = evaluate(predictions)
    with files.new_folder(folder) as made:
        for name, content in recipe.items():
            files.write_json(made / name, content)
        write_predictions(made / FILE, {"test": predictions})
        result = {"title": title, **made_from, "missing_folds": [*missing_folds], "training": training}
        sums = {checksums.FILES: checksums.of_files(sorted(made.iterdir()))}
        files.write_text(made / RESULT, checksums.sealed({**result, "figures": evaluation, **sums}))
    return evaluation


def extent(result: Mapping[str, Any]) -> str:
    """How much of its split a result covers, such as "3 of 5 folds"; nothing for one that lacks no fold."""
    return f"{_folds_of(result)} folds" if result["missing_folds"] else ""


def titled(result: Mapping[str, Any]) -> str:
    """The title of a result, with its extent where folds are missing."""
    return f"{result['title']} ({extent(result)})" if extent(result) else str(result["title"])


def _folds_of(result: Mapping[str, Any]) -> str:
    done = len(result["figures"]["measures"]["challenge"]["folds"])
    return f"{done} of {done + len(result['missing_folds'])}"


def read(folder: Path) -> tuple[dict[str, Any], Predictions]:
    """Read a result's folder: the content of `result.json`, and the predictions.

    Raises
    ------
    BadInput
        If it is not a result's folder.
    """
    try:
        result: dict[str, Any] = checksums.unsealed((folder / RESULT).read_bytes())
        result.setdefault("missing_folds", [])  # earlier versions published whole jobs alone
    except checksums.Damaged as error:
        raise BadInput(f"{folder / RESULT}: {error}; get a good copy, or publish the result again") from None
    except (OSError, ValueError, AttributeError, RecursionError):
        raise BadInput(f"{folder}: this is no folder of a result (it has no good {RESULT}); name one") from None
    if key := result_format.fault(result):
        raise BadInput(
            f"{folder / RESULT}: {key} is missing or not what it should be; get a good copy, or publish the result "
            "again"
        )
    for name in sorted({FILE, *result.get(checksums.FILES, ())}):
        _intact(folder / name, result)
    return result, read_predictions(folder / FILE)


def _intact(path: Path, result: Mapping[str, Any]) -> None:
    """Refuse a file of a result that is not what it was when it was published."""
    try:
        checksums.check(path, result)
    except checksums.Damaged as error:
        raise BadInput(f"{path}: {error}; get a good copy, or publish the result again") from None


def calibration_of(folder: Path, model: ModelConfig, classes: list[str]) -> Calibration:
    """Fit a calibration to all predictions of a result that a job has made from the same model file.

    It says how many folds they are from.

    Raises
    ------
    BadInput
        If they are of other classes or models, or no job made it.
    """
    result, predictions = read(folder)
    if predictions.classes != classes or recipe_of(folder)[2].model != model:
        raise BadInput(f"{folder}: this is no result of the same model and classes; calibrate on one")
    fitted = calibration.fit(predictions.probabilities, predictions.targets, classes)
    return fitted.model_copy(update={"folds": _folds_of(result)})


def spec(folder: Path, fold: int, data: Path) -> RunSpec:
    """The run that made one fold of a result, and reproduces it with the data set that it was made from.

    Raises
    ------
    BadInput
        If it has no such fold, no job made it, or the data folder holds another data set or split.
    """
    name, job, recipe = recipe_of(folder)
    if fold not in job.cvids:
        raise BadInput(f"{folder}: there is no fold {fold} in it; choose one of {job.cvids}")
    published, predictions = read(folder)
    folds_missing(folder, data, published, predictions)
    return recipe.spec(name, job, fold)


def folds_missing(path: Path, data: Path, made_from: Mapping[str, Any], predictions: Predictions) -> list[int]:
    """The folds of a split that predictions lack.

    Raises
    ------
    BadInput
        If the data folder holds another data set or split than they were made from.
    """
    store = open_store(data)
    other = f"{path}: it was made from another data set or split than is in {data}; name that with --data"
    if store.fingerprint != made_from["data"]:
        raise BadInput(other)
    folds = load_split(splits_folder(data) / made_from["split"], len(store)).folds
    missing = sorted({*range(len(folds))} - {*predictions.folds.tolist()})
    tested = {store.names[n - 1]: k for k, fold in enumerate(folds) if k not in missing for n in fold.test}
    if tested != _folds(predictions):
        raise BadInput(other)
    return missing


def _folds(predictions: Predictions) -> dict[str, int]:
    """The fold whose model predicted each recording."""
    return dict(zip(predictions.records, predictions.folds.tolist(), strict=True))


def model_of(folder: Path) -> ModelConfig | None:
    """The model of a result that a job has made; None for a vote or another method."""
    return recipe_of(folder)[2].model if (folder / JOBS).exists() else None


def is_result(folder: Path) -> bool:
    """Whether a folder is that of a result, good or damaged."""
    return (folder / RESULT).exists()


def recipe_of(folder: Path) -> tuple[str, Job, Recipe]:
    """The name of the job that made a result, the job, and its model with that of the teacher.

    Raises
    ------
    BadInput
        If it is not a result's folder, or no job made it.
    """
    title = read(folder)[0]["title"]
    jobs = load_jobs(folder / JOBS) if (folder / JOBS).exists() else {}
    if len(jobs) != 1:
        raise BadInput(f"{folder}: no job made it, so it has no model to train or calibrate; its title: {title}")
    ((name, job),) = jobs.items()
    return name, job, read_recipe(find_model(job.model, folder / JOBS))
