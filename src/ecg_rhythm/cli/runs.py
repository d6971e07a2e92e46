"""How runs are shown: progress, tables of queues, scores."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from ecg_rhythm.cli.console import err, new_table
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.metrics import metrics_from_file
from ecg_rhythm.experiments.queue import STALL, QueuedRun, Status
from ecg_rhythm.training.progress import Progress as RunProgress
from ecg_rhythm.training.progress import duration, read_progress

QUIET = 45.0
"""Seconds without progress after which the queue says so."""

COLOURS = {Status.DONE: "green", Status.FAILED: "red", Status.RUNNING: "yellow", Status.ELSEWHERE: "blue"}


@contextmanager
def show_progress(out: Console, title: str) -> Iterator[Callable[[RunProgress], None]]:
    """Show a progress bar while a run is trained; without a terminal, a line per epoch."""
    if not out.is_terminal:
        yield lambda p: out.print(str(p), highlight=False) if p.ends_epoch else None
        return
    text = partial(TextColumn, markup=False)
    with Progress(text(title), BarColumn(), text("{task.description}"), console=out) as bar:
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
            shown = run.error.splitlines()[0] if run.error else ""
        elif run.status is Status.DONE:
            shown = _done(run)
        status = Text(str(run.status), COLOURS.get(run.status, ""))
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
                    out.print(f"{run.spec.title}: {run.error}", highlight=False, soft_wrap=True)
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


def leave_if_failed(runs: Sequence[QueuedRun]) -> None:
    """Say which runs have failed and why, and leave with exit code 1, if any has."""
    if failed := [run for run in runs if run.status is Status.FAILED]:
        err.print(f"{len(failed)} of {len(runs)} runs failed; the same command tries them again:")
        for run in failed:
            err.print(f"  {run.spec.title}: {run.error}", highlight=False, soft_wrap=True)
        sys.exit(1)
