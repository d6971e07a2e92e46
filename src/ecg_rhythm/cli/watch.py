"""The verb that watches runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from ecg_rhythm.cli.console import TRAIN, app, new_table, out
from ecg_rhythm.experiments import watch as watching
from ecg_rhythm.experiments.watch import Seen, State
from ecg_rhythm.training.progress import duration

COLOURS = {State.DONE: "green", State.FAILED: "red", State.RUNNING: "yellow", State.STOPPED: "magenta"}
BARS = "▁▂▃▄▅▆▇█"
POINTS = 20
"""Letters of a curve."""


@app.command(short_help="Watch runs: curves and time left.", rich_help_panel=TRAIN)
def watch(
    logs: Annotated[Path, typer.Argument(help="Folder of the runs.")] = Path("logs"),
    every: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between two looks.")] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="Show the state once and exit; the default without a terminal.")
    ] = False,
) -> None:
    """Show all runs, their learning curves and the time left, until all are done; Ctrl-C ends it, not the runs."""
    runs = watching.look(logs)
    if once or not out.is_terminal:
        out.print(view(runs))
        return
    with Live(view(runs), console=out, auto_refresh=False) as live:
        while any(run.state is not State.DONE for run in runs):
            time.sleep(every)
            runs = watching.look(logs)
            live.update(view(runs), refresh=True)


def view(runs: Sequence[Seen]) -> Group:
    """A table of runs, those that need a look first, and a line on all of them; what waits is only counted."""
    table = new_table("run", "state", "epoch", "loss", "", "validation score", "", "test", "time")
    for column in (1, 2, 4, 6):
        table.columns[column].justify = "left"
    order = list(State)
    for run in sorted(runs, key=lambda run: order.index(run.state)):
        if run.state is State.WAITING:
            continue
        progress = run.progress
        epoch = ""
        if progress is not None and run.state is not State.DONE:
            phase = f"phase {progress.phase}, " if progress.phases > 1 else ""
            epoch = f"{phase}{progress.epoch}/{progress.epochs}"
        table.add_row(
            run.title,
            Text(str(run.state), COLOURS.get(run.state, "")),
            epoch,
            f"{run.losses[-1]:.3f}" if run.losses else "",
            sparkline(run.losses),
            f"{max(run.scores):.3f}" if run.scores else "",
            sparkline(run.scores),
            f"{run.test:.3f}" if run.test is not None else "",
            _time(run),
        )
    counts = Counter(run.state for run in runs)
    said = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    left = watching.seconds_left(runs)
    return Group(table, Text(f"{said}{f'; about {duration(left)} left' if left is not None else ''}"))


def _time(run: Seen) -> str:
    if run.state is State.DONE:
        return duration(run.seconds) if run.seconds is not None else ""
    if run.seconds_left is not None:
        return f"{duration(run.seconds_left)} left"
    return f"silent for {duration(run.quiet)}" if run.state in (State.STOPPED, State.FAILED) else ""


def sparkline(values: Sequence[float]) -> str:
    """A curve in one line of letters: the mean of as many parts as there is room for."""
    if not values:
        return ""
    size = max(1, -(-len(values) // POINTS))
    means = [sum(values[i : i + size]) / len(values[i : i + size]) for i in range(0, len(values), size)]
    low, high = min(means), max(means)
    return "".join(BARS[round((len(BARS) - 1) * (value - low) / (high - low or 1))] for value in means)
