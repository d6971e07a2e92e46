"""Verbs that train networks."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ecg_rhythm.cli.console import TRAIN, Cluster, Data, Logs, WithCluster, app, out
from ecg_rhythm.cli.data import tell_of_checksums
from ecg_rhythm.cli.engines import CpusPerRun, Devices, GpusPerRun, Slurm, engine_of
from ecg_rhythm.cli.runs import leave_if_failed, print_scores, queue_table, show_progress, watching
from ecg_rhythm.config import Job, find_model
from ecg_rhythm.data.store import open_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments import worker
from ecg_rhythm.experiments.folder import Run
from ecg_rhythm.experiments.jobs import RunSpec, plan, single
from ecg_rhythm.experiments.queue import STALL, check_fit, enqueue, work_off
from ecg_rhythm.experiments.variations import Changes, variations
from ecg_rhythm.given import cut, whole_numbers
from ecg_rhythm.machine import MOST_PROCESSES
from ecg_rhythm.schema import parse

Epochs = Annotated[str | None, typer.Option(help="Epochs of each phase, for a quick trial: 5, or 5,3,2,0,0.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=V1,V2",
        help="Values of a key of the model file, such as training_parameters.learning_rate=3e-4,1e-3. Each value makes "
        "a run of its own; several --set make all combinations.",
    ),
]
Restart = Annotated[bool, typer.Option("--restart", help="Train again from the beginning, even if a run is finished.")]


@app.command(short_help="Train one model on one fold.", rich_help_panel=TRAIN)
def train(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    fold: Annotated[int, typer.Option(help="Fold to train and test on.")] = 0,
    split: Annotated[str, typer.Option(help="Name of the split.")] = "split_5_6_14",
    labels: Annotated[str | None, typer.Option(help="Label version to train on; for the challenge set v3.")] = None,
    epochs: Epochs = None,
    settings: Set = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    device: Annotated[str, typer.Option(help="Device: auto, cpu or cuda.")] = "auto",
    test_scores: Annotated[
        bool, typer.Option("--test-scores", help="Also score the test part at every validation; never used to choose.")
    ] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write a TensorBoard log.")] = False,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Log to MLflow, by default to mlflow.db in --logs.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the job; default: MODEL_single.")] = None,
    restart: Restart = False,
    data: Data = Path("data"),
    logs: Logs = Path("logs"),
) -> None:
    """Train one model on one fold, once for each value of --set. After an interruption, the same command resumes."""
    # Of processes that train together, which torchrun numbers in RANK, one tells what it does.
    out.quiet = os.environ.get("WORLD_SIZE", "1") != "1" and os.environ.get("RANK", "0") != "0"
    job = _job(
        model=model.stem,
        split=split,
        cvids=[fold],
        labels=labels,
        seed=seed,
        log_en=tensorboard,
        log_mlflow=mlflow,
        log_test_score=test_scores,
    )
    if device not in ("auto", "cpu", "cuda"):
        raise BadInput(f"--device {device}: choose auto, cpu or cuda")
    from ecg_rhythm.experiments.run import train as train_run
    from ecg_rhythm.training.check import check

    runs = [
        single(model, job, fold, epochs=parse_epochs(epochs), name=name, changes=changes, check=check)
        for changes in _variations(settings, epochs)
    ]
    for run in runs:
        if run.teacher is not None and not Run(run.teacher.folder(logs)).is_done:
            command = _command_of(run.teacher, find_model(run.teacher.job.model, model), epochs, data, logs)
            raise BadInput(f"{model}: its teacher is not trained on fold {fold} yet; run `{command}` first")
    folders = [Run(run.folder(logs)) for run in runs]
    replaces = [there.state if restart else None for there in folders]
    tell_of_checksums(open_store(data))
    for run, there, replaced in zip(runs, folders, replaces, strict=True):
        was_done = there.is_done and not restart
        with show_progress(out, run.title) as report:
            scores = train_run(run, data, logs, device=device, replaces=replaced, report=report)
        if was_done:
            out.print("this run was done already; --restart trains it again")
        print_scores(out, scores)
        out.print(f"all of it is in {there.path}")


@app.command(cls=WithCluster, short_help="Train all unfinished runs of a job file.", rich_help_panel=TRAIN)
def queue(
    jobs: Annotated[Path, typer.Argument(help="Job file.")],
    devices: Devices = "auto",
    per_device: Annotated[int, typer.Option(min=1, max=MOST_PROCESSES, help="Workers that share each device.")] = 1,
    cluster: Cluster = None,
    slurm: Slurm = False,
    cpus_per_run: CpusPerRun = None,
    gpus_per_run: GpusPerRun = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and list the runs without training.")
    ] = False,
    stall_minutes: Annotated[
        float, typer.Option(min=0.001, help="Stop a run that finishes no batch for this many minutes.")
    ] = STALL / 60,
    epochs: Epochs = None,
    settings: Set = None,
    restart: Restart = False,
    data: Data = Path("data"),
    logs: Logs = Path("logs"),
) -> None:
    """Train all unfinished runs of a job file, in parallel on several devices."""
    engine = engine_of(devices, per_device, cluster, slurm, cpus_per_run, gpus_per_run, data, logs)
    from ecg_rhythm.training.check import check

    specs = plan(jobs, epochs=parse_epochs(epochs), variations=_variations(settings, epochs), check=check)
    check_fit(specs, data, logs, restart=restart)
    tell_of_checksums(open_store(data))
    waiting = enqueue(specs, logs, restart=restart)
    if dry_run:
        out.print(queue_table(waiting))
        return
    stall = 60 * stall_minutes
    with engine as ready, watching(out, stall) as watch:
        work_off(waiting, ready, watch=watch, stall=stall)
    leave_if_failed(waiting)
    out.print(
        f"all {len(waiting)} runs are done; compare them with `ecg-rhythm summarize --logs {logs}`", soft_wrap=True
    )


@app.command("run", hidden=True)
def run_one() -> None:
    """Do one run that a queue hands over on standard input."""
    sys.exit(worker.obey())


def _job(**values: object) -> Job:
    """Make a job of the command line's options, checked like one from a file."""
    job: Job = parse(Job, json.dumps(values), "command line")
    return job


def _command_of(spec: RunSpec, model: Path, epochs: str | None, data: Path, logs: Path) -> str:
    """The command that does a run."""
    options = {
        "--name": (spec.job_name, None),
        "--fold": (spec.fold, None),
        "--split": (spec.job.split, "split_5_6_14"),
        "--labels": (spec.job.labels, None),
        "--seed": (spec.job.seed, 0),
        "--epochs": (epochs if epochs and epochs.strip().isdecimal() else None, None),
        "--data": (data, Path("data")),
        "--logs": (logs, Path("logs")),
    }
    words = [word for name, (value, usual) in options.items() if value != usual for word in (name, str(value))]
    return shlex.join(["ecg-rhythm", "train", str(model), *words])


def parse_epochs(text: str | None) -> list[int] | None:
    """Read `--epochs 5` (of every phase) or `--epochs 5,3,2,0,0`."""
    if text is None:
        return None
    numbers = whole_numbers(text)
    if numbers is None:
        raise BadInput(f"--epochs {cut(text)}: give a whole number such as 5, or one for each phase such as 5,3,2,0,0")
    return numbers


def _variations(settings: list[str] | None, epochs: str | None) -> list[Changes]:
    """Read all `--set`."""
    varied = variations(settings or [])
    if epochs is not None and "training_parameters.epochs" in varied[0]:
        raise BadInput("--epochs, --set training_parameters.epochs: choose one of them")
    return varied
