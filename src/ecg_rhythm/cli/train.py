"""Verbs that train networks."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from ecg_rhythm.cli.console import HERE, TRAIN, Cluster, Data, Logs, WithCluster, app, err, new_table, out
from ecg_rhythm.cli.data import tell_of_checksums
from ecg_rhythm.config import Job, find_model
from ecg_rhythm.data.store import open_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.metrics import metrics_from_file
from ecg_rhythm.experiments import worker
from ecg_rhythm.experiments.folder import Run
from ecg_rhythm.experiments.jobs import RunSpec, plan, single
from ecg_rhythm.experiments.local import LocalEngine, parse_devices
from ecg_rhythm.experiments.queue import STALL, Engine, QueuedRun, Status, check_fit, enqueue, work_off
from ecg_rhythm.experiments.variations import Changes, variations
from ecg_rhythm.machine import gpus
from ecg_rhythm.schema import parse
from ecg_rhythm.training.progress import Progress as RunProgress
from ecg_rhythm.training.progress import duration, read_progress

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
Slurm = Annotated[bool, typer.Option("--slurm", help="Submit each run as a job to SLURM.")]
CpusPerRun = Annotated[
    int | None, typer.Option(min=1, help="On a cluster: processor cores, and threads, of a run; default: 1.")
]
GpusPerRun = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="On a cluster: GPU of a run: 1, a share such as 0.25, or 0 (the default)."),
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
    out.quiet = os.environ.get("RANK", "0") != "0"
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
        out.print(f"all of it is in {there.path}", markup=False)


@app.command(cls=WithCluster, short_help="Train all unfinished runs of a job file.", rich_help_panel=TRAIN)
def queue(
    jobs: Annotated[Path, typer.Argument(help="Job file.")],
    devices: Annotated[str, typer.Option(help="One worker for each: cpu, or cpu,cpu, or GPU numbers 0,1,...")] = "auto",
    per_device: Annotated[int, typer.Option(min=1, help="Workers that share each device.")] = 1,
    cluster: Cluster = None,
    slurm: Slurm = False,
    cpus_per_run: CpusPerRun = None,
    gpus_per_run: GpusPerRun = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and list the runs without training.")
    ] = False,
    stall_minutes: Annotated[
        float, typer.Option(min=0.001, help="End a run that makes no progress for so long; progress is a batch.")
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
    for run in waiting:
        if run.status is Status.DONE:
            run.run.finish()  # it may have been killed at the very end
    stall = 60 * stall_minutes
    with engine as ready, watching(out, stall) as watch:
        work_off(waiting, ready, watch=watch, stall=stall)
    leave_if_failed(waiting)
    out.print(
        f"all {len(waiting)} runs are done; compare them with `ecg-rhythm summarize --logs {logs}`", soft_wrap=True
    )


def leave_if_failed(runs: Sequence[QueuedRun]) -> None:
    """Say which runs have failed and why, and leave with exit code 1, if any has."""
    if failed := [run for run in runs if run.status is Status.FAILED]:
        err.print(f"{len(failed)} of {len(runs)} runs failed; the same command tries them again:")
        for run in failed:
            err.print(f"  {run.spec.title}: {run.error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


@app.command("run", hidden=True)
def run_one() -> None:
    """Do one run that a queue hands over on standard input."""
    sys.exit(worker.obey())


def engine_of(
    devices: str,
    per_device: int,
    cluster: str | None,
    slurm: bool,
    cpus_per_run: int | None,
    gpus_per_run: float | None,
    data: Path,
    logs: Path,
) -> AbstractContextManager[Engine]:
    """The engine that the options of a command ask for; a cluster is there within the context only."""
    workers = parse_devices(devices)
    if cluster is None and not slurm:
        for name, value in (("--cpus-per-run", cpus_per_run), ("--gpus-per-run", gpus_per_run)):
            if value is not None:
                raise BadInput(
                    f"{name}: this is for a cluster; give --cluster or --slurm, too, or choose with --devices"
                )
        if strange := sorted(set(workers) - {"cpu", *gpus()}):
            raise BadInput(
                f"--devices {devices}: there is no GPU {strange[0]} here; give cpu, or the number of one there is"
            )
        return nullcontext(LocalEngine(data, logs, workers * per_device))
    if devices != "auto" or per_device != 1:
        raise BadInput(
            "--devices, --per-device: these are of one machine; a cluster has --cpus-per-run, --gpus-per-run"
        )
    if slurm:
        if cluster is not None or (gpus_per_run or 0.0) not in (0.0, 1.0):
            raise BadInput("--slurm: give no --cluster, and --gpus-per-run 0 or 1: SLURM shares no GPU between runs")
        from ecg_rhythm.experiments.slurm import SlurmEngine

        return nullcontext(SlurmEngine(data, logs, cpus=cpus_per_run or 1, gpu=bool(gpus_per_run)))
    from ecg_rhythm.experiments.ray_engine import ray_engine

    address = None if cluster == HERE else cluster
    return ray_engine(data, logs, address, cpus=cpus_per_run or 1, gpus=gpus_per_run or 0.0)


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
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise BadInput(f"--epochs {text}: give a whole number such as 5, or one for each phase such as 5,3,2,0,0")
    return [int(part) for part in parts]


def _variations(settings: list[str] | None, epochs: str | None) -> list[Changes]:
    """Read all `--set`."""
    varied = variations(settings or [])
    if epochs is not None and "training_parameters.epochs" in varied[0]:
        raise BadInput("--epochs, --set training_parameters.epochs: choose one of them")
    return varied


QUIET = 45.0
"""Seconds without progress after which the queue says so."""

COLOURS = {Status.DONE: "green", Status.FAILED: "red", Status.RUNNING: "yellow", Status.ELSEWHERE: "blue"}


@contextmanager
def show_progress(out: Console, title: str) -> Iterator[Callable[[RunProgress], None]]:
    """Show a progress bar while a run is trained; without a terminal, a line per epoch."""
    if not out.is_terminal:
        yield lambda p: out.print(str(p), highlight=False) if p.ends_epoch else None
        return
    with Progress(TextColumn(title), BarColumn(), TextColumn("{task.description}"), console=out) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda p: bar.update(task, completed=p.fraction, description=str(p))


def queue_table(queue: Sequence[QueuedRun]) -> Table:
    """A table of the runs that wait, are under way, are done and have failed."""
    table = new_table("run", "status", "device", "progress")
    for column in table.columns[1:]:
        column.justify = "left"
    for run in queue:
        shown = ""
        if run.status in (Status.RUNNING, Status.ELSEWHERE) and (found := read_progress(run.run.progress)):
            shown = str(found)
        if run.status in (Status.RUNNING, Status.ELSEWHERE) and run.quiet >= QUIET:
            shown = ", ".join(filter(None, (shown, f"no progress for {duration(run.quiet)}")))
        elif run.status is Status.FAILED:
            shown = escape(run.error.splitlines()[0]) if run.error else ""
        elif run.status is Status.DONE:
            shown = _done(run)
        status = f"[{COLOURS[run.status]}]{run.status}[/]" if run.status in COLOURS else str(run.status)
        table.add_row(run.spec.title, status, run.place, shown)
    return table


def _done(run: QueuedRun) -> str:
    try:
        scores = run.run.read_scores()
    except BadInput:  # another queue is training it again
        return ""
    last = scores["phases"][-1]
    part, name = ("valid", "validation") if last["test"] is None else ("test", "test")
    return f"{name} score {last[part]['challenge']:.3f}, {duration(scores['seconds'])}"


@contextmanager
def watching(out: Console, stall: float = STALL) -> Iterator[Callable[[list[QueuedRun]], None]]:
    """Show a live table of a queue; without a terminal, a line when a run changes its status or stops moving.

    `stall` is the number of seconds without progress after which a run is ended.
    """
    if out.is_terminal:
        with Live(console=out, auto_refresh=False) as live:
            yield lambda queue: live.update(queue_table(queue), refresh=True)
        return
    known: dict[str, Status] = {}
    told: dict[str, str] = {}
    silent: set[str] = set()

    def watch(queue: list[QueuedRun]) -> None:
        for run in queue:
            before = known.setdefault(run.spec.title, Status.WAITING)
            if run.status is not before:
                known[run.spec.title] = run.status
                where = f" on {run.place}" if run.status is Status.RUNNING else ""
                result = f", {_done(run)}" if run.status is Status.DONE else ""
                out.print(f"{run.spec.title}: {run.status}{where}{result}", highlight=False, soft_wrap=True)
            if run.error != told.get(run.spec.title, "") and run.status is not Status.FAILED:
                told[run.spec.title] = run.error
                if run.error:
                    out.print(f"{run.spec.title}: {run.error}", markup=False, highlight=False, soft_wrap=True)
            if run.status is not Status.RUNNING or run.quiet < QUIET:
                silent.discard(run.spec.title)
            elif run.spec.title not in silent:
                silent.add(run.spec.title)
                then = f"it is ended after {stall / 60:g} minutes without"
                out.print(f"{run.spec.title}: no progress for {QUIET:g} s; {then}", highlight=False, soft_wrap=True)

    yield watch


def print_scores(out: Console, scores: dict[str, Any]) -> None:
    """Print the scores of one run, phase by phase."""
    parts = [(phase, part) for phase in scores["phases"] for part in ("valid", "test") if phase[part] is not None]
    metrics = [metrics_from_file(phase[part], scores["classes"]) for phase, part in parts]
    table = new_table("phase", "best epoch", "set", *metrics[0])
    for (phase, part), values in zip(parts, metrics, strict=True):
        table.add_row(
            str(phase["phase"]), str(phase["best_epoch"]), part, *(f"{value:.3f}" for value in values.values())
        )
    out.print(table)
