"""One run: what it trains on, and how it begins."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.data.splits import Fold, load_split
from ecg_rhythm.data.store import Store, open_store, splits_folder
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments import folder as runs
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.networks.registry import check, epochs_per_phase
from ecg_rhythm.training.environment import accelerator_for
from ecg_rhythm.training.trainer import Report, Task, _Run
from ecg_rhythm.weights.quantise import RECORDINGS
from ecg_rhythm.weights.run_files import is_done, read_scores


def training_recordings(run: Path, data: Path) -> list[NDArray[np.float32]]:
    """Return some of the recordings that a finished run was trained on, in mV.

    Raises
    ------
    BadInput
        If the run is not finished, or was trained on other data.
    """
    scores, store = read_scores(run), open_store(data)
    if scores["data"] != store.fingerprint:
        raise BadInput(f"{data}: {run} was trained on other data; name with --data what it was trained on")
    fold = load_split(splits_folder(data) / scores["split"], len(store)).folds[scores["fold"]]
    chosen = np.random.default_rng(0).permutation(np.array(fold.train))[:RECORDINGS]
    return [store.signal(number - 1) for number in chosen.tolist()]


def train(
    spec: RunSpec,
    data: Path,
    logs: Path,
    *,
    device: str = "auto",
    replaces: runs.MadeAt | None = None,
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
    replaces : (int, int), optional
        Begin anew if what the folder holds was made at these times, as `runs.made_at` gives them. Else what is there is
        gone on with, or left if it is done.
    report : callable
        Told of the progress after every step and epoch.

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
    identity = runs.identity(spec, store, split)
    folder = spec.folder(logs)
    precision = spec.model.training_parameters.precision
    accelerator = accelerator_for(device, precision, folder, tensorboard=spec.job.log_en)
    fold = split.folds[spec.fold]
    if min(spec.model.training_parameters.batch_size, len(fold.train)) < accelerator.num_processes:
        raise BadInput(
            f"{spec.title}: {accelerator.num_processes} processes cannot share a batch of fewer recordings; "
            "start fewer, or raise batch_size in the model file"
        )
    with runs.claim(folder) if accelerator.is_main_process else nullcontext():
        if accelerator.is_main_process:
            runs.begin(folder, spec, identity, replaces=replaces)
        accelerator.wait_for_everyone()
        if is_done(folder):
            return read_scores(folder)
        return _Run(_task(spec, folder, store, fold), accelerator, report).finish()


def _task(spec: RunSpec, folder: Path, store: Store, fold: Fold) -> Task:
    train, valid, test = (np.array(part, dtype=np.int64) - 1 for part in (fold.train, fold.valid, fold.test))
    targets = store.targets(spec.job.labels)
    return Task(spec, folder, store, targets, train, valid, test, epochs_per_phase(spec.model))
