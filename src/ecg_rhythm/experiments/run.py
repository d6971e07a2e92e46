"""One run from beginning to end: check, claim, train, write."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from numpy.typing import NDArray

from ecg_rhythm import files, plugins
from ecg_rhythm.config import ModelConfig
from ecg_rhythm.data.splits import Fold, load_split
from ecg_rhythm.data.store import Store, open_store, splits_folder
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.predictions import Predictions, write_predictions
from ecg_rhythm.experiments.folder import Run, identity_of
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.experiments.trackers import EXPERIMENT, trackers
from ecg_rhythm.training.check import check, check_padding
from ecg_rhythm.training.environment import accelerator_for, describe
from ecg_rhythm.training.fold import Parts, Trained
from ecg_rhythm.training.progress import Progress, write_progress
from ecg_rhythm.training.trainer import Report, Trainer
from ecg_rhythm.weights import torch_model
from ecg_rhythm.weights.metadata import Metadata
from ecg_rhythm.weights.run_files import RunFiles

SHOW = 10.0
"""Seconds between two times that progress within an epoch is written."""


def train(
    spec: RunSpec,
    data: Path,
    logs: Path,
    *,
    device: str = "auto",
    replaces: str | None = None,
    report: Report = lambda progress: None,
) -> dict[str, Any]:
    """Do a run, or what is left of it.

    Parameters
    ----------
    spec : RunSpec
        One model on one fold of a job.
    data : Path
        Data folder with the packed set and its splits.
    logs : Path
        Where run folders are made.
    device : {'auto', 'cpu', 'cuda'}
        Where to compute; auto takes a GPU where there is one.
    replaces : str, optional
        Begin again if the folder is still in this `Run.state`. Else what is there goes on, or is left if it is done.
    report : callable
        Called with the progress after every batch and epoch.

    Returns
    -------
    dict
        The content of `scores.json`.

    Raises
    ------
    BadInput
        If something given does not fit, another process is at work on the run, or training diverges.
    """
    check(spec.model, spec.job.model)
    store = open_store(data)
    split = load_split(splits_folder(data) / spec.job.split, len(store))
    identity = identity_of(spec, store, split, logs)
    run = Run(spec.folder(logs))
    precision = spec.model.training_parameters.precision
    accelerator = accelerator_for(device, precision, trackers(spec, run, logs))
    fold = split.folds[spec.fold]
    if min(spec.model.training_parameters.batch_size, len(fold.train)) < accelerator.num_processes:
        raise BadInput(
            f"{spec.title}: {accelerator.num_processes} processes cannot share a batch of fewer recordings; "
            "start fewer, or raise batch_size in the model file"
        )
    if replaces is not None or not run.is_done:
        check_padding(spec.model, store.fs, len(store.classes), spec.job.model)
    writes = accelerator.is_main_process
    with run.claim() if writes else nullcontext():
        if writes:
            run.begin(spec, identity, replaces=replaces)
        accelerator.wait_for_everyone()
        if run.is_done:
            return run.read_scores()
        if writes:
            files.write_json(
                run.environment, {**describe(accelerator, spec.job.seed), "packages": _packages(spec.model)}
            )
        accelerator.init_trackers(EXPERIMENT)
        teacher = None if spec.teacher is None else Run(spec.teacher.folder(logs))
        trainer = _trainer(spec, store, fold, run, teacher, accelerator, _shown(run, report) if writes else report)
        try:
            trained = trainer.fit()
        except BadInput as error:
            raise BadInput(f"{spec.title}: {error}") from None
        scores = _scores(spec, store, trained, teacher)
        if writes:
            write_predictions(run.predictions, _predictions(spec, trainer.parts, trained))
            run.write_scores(scores)
        accelerator.end_training()
        if writes:
            run.finish()
        return scores


def _shown(run: Run, report: Report) -> Report:
    """A report that is also written, now and then within an epoch, for those who watch the run or wait for it."""
    written = time.monotonic()

    def shown(progress: Progress) -> None:
        nonlocal written
        if (now := time.monotonic()) - written >= SHOW:
            written = now
            with suppress(OSError):  # a disk that is full or away for a while
                write_progress(run.progress, progress)
        report(progress)

    return shown


def _packages(model: ModelConfig) -> dict[str, str]:
    """Name of each network and augmentation of another package that a run uses -> the package and its version."""
    names = [(plugins.NETWORKS, model.model_name)]
    names += [(plugins.AUGMENTATIONS, name) for name in model.data_augmentation.of_packages]
    return {name: package for group, name in names if (package := plugins.package_of(group, name)) is not None}


def _trainer(
    spec: RunSpec,
    store: Store,
    fold: Fold,
    run: RunFiles,
    teacher: RunFiles | None,
    accelerator: Accelerator,
    report: Report,
) -> Trainer:
    test = fold.test[:0] if spec.trial else fold.test  # of a trial, it is out of reach from here on
    metadata = Metadata(
        config=spec.model,
        phase=0,
        classes=store.classes,
        fs=store.fs,
        scores={"job": spec.job_name, "fold": spec.fold},
        origin=store.origin,
    )
    return Trainer(
        spec.model,
        Parts(store, store.targets(spec.job.labels), fold.train - 1, fold.valid - 1, test - 1),
        run,
        metadata,
        accelerator,
        teacher=None if teacher is None else torch_model.load(teacher.last_weights)[0],
        seed=spec.job.seed,
        score_test=spec.job.log_test_score,
        report=report,
    )


def _predictions(spec: RunSpec, parts: Parts, trained: Trained) -> dict[str, Predictions]:
    return {
        part: Predictions(
            [parts.store.names[i] for i in positions],
            np.full(len(positions), spec.fold),
            parts.targets[positions],
            probabilities,
            parts.store.classes,
        )
        for part, (positions, probabilities) in trained.predictions.items()
    }


def _scores(spec: RunSpec, store: Store, trained: Trained, teacher: RunFiles | None) -> dict[str, Any]:
    scores = {
        "architecture": spec.model.model_name,
        "job": spec.job_name,
        "fold": spec.fold,
        "classes": store.classes,
        "data": store.fingerprint,
        "split": spec.job.split,
        "labels": store.label_version(spec.job.labels),
        "seconds": round(trained.seconds, 1),
        "cpu_seconds": round(trained.cpu_seconds, 1),
        "phases": trained.phases,
    }
    if teacher is not None:
        scores["teacher"] = {key: teacher.read_scores()[key] for key in ("seconds", "cpu_seconds")}
    return scores


def training_recordings(run: RunFiles, data: Path, n: int) -> list[NDArray[np.float32]]:
    """`n` of the recordings that a finished run was trained on, or all if there are fewer, in mV.

    Raises
    ------
    BadInput
        If the run is not finished, or was trained on other data.
    """
    scores, store = run.read_scores(), open_store(data)
    if scores["data"] != store.fingerprint:
        raise BadInput(f"{data}: {run.path} was trained on other data; name with --data what it was trained on")
    split = load_split(splits_folder(data) / scores["split"], len(store))
    if run.identity.exists() and run.read_identity()["data"]["split"] != split.sha256:
        raise BadInput(f"{data}: {run.path} was trained on another split {split.name}; name with --data what it had")
    chosen = np.random.default_rng(0).permutation(split.folds[scores["fold"]].train)[:n]
    return [store.signal(number - 1) for number in chosen.tolist()]
