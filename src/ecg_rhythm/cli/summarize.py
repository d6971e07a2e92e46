"""The verb that compares finished runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ecg_rhythm.cli.console import COMPARE, Logs, app, complain, new_table, out
from ecg_rhythm.evaluation.significance import Difference
from ecg_rhythm.experiments import summary
from ecg_rhythm.experiments.space import trials_of

PARTS = {"test": "test", "valid": "validation"}


@app.command(short_help="Compare all finished runs.", rich_help_panel=COMPARE)
def summarize(
    architecture: Annotated[str | None, typer.Argument(help="Compare runs of this architecture only.")] = None,
    all_phases: Annotated[
        bool, typer.Option("--all-phases", help="Show every phase of each job, not only the last.")
    ] = False,
    trials: Annotated[
        str | None, typer.Option(metavar="SEARCH", help="Compare the trials of a search, on the validation part.")
    ] = None,
    logs: Logs = Path("logs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a line for each metric and fold.")] = False,
) -> None:
    """Compare all finished runs: each fold, mean ± standard deviation, difference to the best."""
    place = logs if trials is None else trials_of(logs, trials)
    configurations, problems = summary.summarize(place, architecture, all_phases=all_phases)
    if as_json or as_csv:
        typer.echo(summary.as_json(configurations) if as_json else summary.as_csv(configurations).rstrip())
    else:
        print_summaries(out, configurations)
    for message in problems:
        complain(message)
    if problems:
        sys.exit(1)


def print_summaries(out: Console, configurations: list[summary.Configuration]) -> None:
    """Print every phase, job and fold, and a short table of all configurations at the end."""
    for c in configurations:
        spreads = c.spreads
        title = f"{c.name}, phase {c.phase}: {PARTS[c.part]} scores ({c.data[1]}, labels {c.data[2]})"
        table = new_table("fold", *spreads, title=title)
        for fold, metrics in c.folds.items():
            table.add_row(str(fold), *(f"{value:.3f}" for value in metrics.values()))
        table.add_section()
        table.add_row("mean", *(f"{over_folds.mean:.3f}" for over_folds in spreads.values()))
        if len(c.folds) > 1:
            table.add_row("sd", *(f"{over_folds.sd:.3f}" for over_folds in spreads.values()))
        out.print(table)
        if c.missing:
            out.print(f"folds not finished: {', '.join(map(str, c.missing))}\n", highlight=False)
    for ranked in summary.rankings(configurations):
        title = f"last phase of each job ({ranked[0][0].data[1]}, labels {ranked[0][0].data[2]})"
        title += ", validation part" * (ranked[0][0].part == "valid")
        short = new_table(*RANKING, title=title)
        for c, difference in ranked:
            short.add_row(*(shown(c, difference) for shown in RANKING.values()))
        out.print(short)
        if len(groups := summary.by_folds(c for c, _ in ranked)) > 1:
            unlike = [
                f"{', '.join(map(str, folds))} ({', '.join(c.name for c in group)})" for folds, group in groups.items()
            ]
            out.print(
                f"These jobs are of different folds: {'; '.join(unlike)}. Their means cannot be compared; differences "
                "are of the folds that both jobs have.\n",
                highlight=False,
            )
    trials = all(c.part == "valid" for c in configurations)
    part = "validation part of each fold, which chose them" if trials else "test part of each fold"
    out.print(
        f"Challenge score: mean F1 of all classes but noise (~), on the {part}, with the weights that "
        "scored best on its validation part (the last, if there is none). ± is the standard deviation over folds "
        "(n - 1); differences are paired by fold. p is that of the corrected resampled t-test (Nadeau and Bengio "
        "2003), with Holm's correction for all pairs of the table: a difference with p below 0.05 is significant.",
        highlight=False,
    )
    if any(len(c.folds) == 1 for c in configurations):
        out.print(
            "A single fold has no ± and no p: nothing can be said about the significance of its differences.",
            highlight=False,
        )


def _folds(c: summary.Configuration) -> str:
    return f"{len(c.folds)} of {len(c.folds) + len(c.missing)}" if c.missing else str(len(c.folds))


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return "no fold in common"
    return f"{difference.mean:+.3f}" + (f" ± {difference.sd:.3f}" if difference.sd is not None else "")


def _p(difference: Difference | None) -> str:
    if difference is None or difference.p is None or difference.sd == 0 == difference.mean:
        return ""
    return f"{difference.p:.3f}" if difference.p >= 0.001 else "< 0.001"


RANKING: dict[str, Callable[[summary.Configuration, Difference | None], str]] = {
    "configuration": lambda c, difference: c.name,
    "teacher": lambda c, difference: "yes" if c.teacher else "no",
    "folds": lambda c, difference: _folds(c),
    "challenge score": lambda c, difference: str(c.spreads["challenge"]),
    "difference to the best": lambda c, difference: _difference(difference),
    "p": lambda c, difference: _p(difference),
}
"""Columns of the short table: title -> what a configuration has there, with its difference to the best."""
