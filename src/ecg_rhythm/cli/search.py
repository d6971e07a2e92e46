"""The verb that searches for a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ecg_rhythm.cli.console import TRAIN, Cluster, Data, Logs, WithCluster, app, new_table, out
from ecg_rhythm.cli.data import tell_of_checksums
from ecg_rhythm.cli.engines import CpusPerRun, Devices, GpusPerRun, Slurm, engine_of
from ecg_rhythm.cli.runs import leave_if_failed, watching
from ecg_rhythm.cli.train import Epochs, parse_epochs
from ecg_rhythm.data.store import open_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.queue import STALL, check_fit, enqueue, work_off
from ecg_rhythm.given import cut, whole_numbers
from ecg_rhythm.machine import MOST_PROCESSES
from ecg_rhythm.schema import checked_name

if TYPE_CHECKING:
    import optuna

    from ecg_rhythm.experiments.search import Search


@app.command(cls=WithCluster, short_help="Search for the best values of a model file.", rich_help_panel=TRAIN)
def search(
    space: Annotated[Path, typer.Argument(metavar="SPACE", help="Space file: what may be tried.")],
    trials: Annotated[
        int, typer.Option(min=1, max=100_000, help="Number of trials in all, with those of earlier calls.")
    ] = 20,
    folds: Annotated[str, typer.Option(help="Folds whose mean validation score counts: 0, or 0,1,2.")] = "0",
    sampler: Annotated[str, typer.Option(help="How values are proposed: tpe or random.")] = "tpe",
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Trials that are under way at once; default: as many as fit.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the search; default: that of the space file.")] = None,
    epochs: Epochs = None,
    devices: Devices = "auto",
    per_device: Annotated[int, typer.Option(min=1, max=MOST_PROCESSES, help="Workers that share each device.")] = 1,
    cluster: Cluster = None,
    slurm: Slurm = False,
    cpus_per_run: CpusPerRun = None,
    gpus_per_run: GpusPerRun = None,
    stall_minutes: Annotated[
        float, typer.Option(min=0.001, help="Stop a run that finishes no batch for this many minutes.")
    ] = STALL / 60,
    data: Data = Path("data"),
    logs: Logs = Path("logs"),
) -> None:
    """Search for the best values of a model file by the validation score, then train the best model as a job."""
    of_folds = whole_numbers(folds)
    if of_folds is None or len(set(of_folds)) < len(of_folds):
        raise BadInput(f"--folds {cut(folds)}: give numbers of folds such as 0, or 0,1,2, each once")
    from ecg_rhythm.experiments import search as searching
    from ecg_rhythm.experiments import search_results as results
    from ecg_rhythm.experiments.trials import run_trials
    from ecg_rhythm.training.check import check

    if sampler not in searching.SAMPLERS:
        raise BadInput(f"--sampler {sampler}: choose one of {', '.join(searching.SAMPLERS)}")
    called = checked_name(name or space.stem)
    planned = searching.plan_search(space, called, of_folds, data, logs, epochs=parse_epochs(epochs), check=check)
    where = devices, per_device, cluster, slurm, cpus_per_run, gpus_per_run
    engine_of_trials = engine_of(*where, data, planned.logs_of_trials)
    tell_of_checksums(open_store(data))
    stall = 60 * stall_minutes
    with searching.opened(planned) as study:
        with engine_of_trials as engine, watching(out, stall) as watch:
            run_trials(
                planned, study, engine, trials=trials, sampler=sampler, at_once=at_once, watch=watch, stall=stall
            )
        results.write_table(planned, study)
        print_trials(out, planned, study)
        model = results.write_best(planned, study)
        results.write_plots(planned, study)
        chosen = planned.specs(results.best(planned, study))
        out.print(f"the best model is in {model}; it is trained as the job {called}", soft_wrap=True)
        check_fit(chosen, data, logs)
        waiting = enqueue(chosen, logs)
        with engine_of(*where, data, logs) as engine, watching(out, stall) as watch:
            work_off(waiting, engine, watch=watch, stall=stall)
    leave_if_failed(waiting)
    out.print(
        f"trials and pictures are in {planned.folder}; compare the job with `ecg-rhythm summarize --logs {logs}`",
        soft_wrap=True,
    )


def print_trials(out: Console, search: Search, study: optuna.Study) -> None:
    """Print what each trial tried and how it was scored, best first."""
    from ecg_rhythm.experiments.search_results import rows

    tried = rows(search, study)
    columns = [column for column in tried[0] if column != "error"]
    table = new_table(*(column.rpartition(".")[2] for column in columns), title="trials, best first")
    for row in sorted(tried, key=lambda row: row["validation score"] or 0.0, reverse=True):
        table.add_row(*(_cell(row[column]) for column in columns))
    out.print(table)
    for row in tried:
        if row["error"]:
            out.print(f"trial {row['trial']} failed: {row['error']}", highlight=False, soft_wrap=True)


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
