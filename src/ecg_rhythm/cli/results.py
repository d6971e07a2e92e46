"""Commands that publish results and look into them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ecg_rhythm import files
from ecg_rhythm.cli import display
from ecg_rhythm.cli.console import Data, Logs, app, complain, out
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments import summary


@app.command(short_help="Keep out-of-fold predictions and their figures.")
def publish(
    job: Annotated[Path, typer.Argument(help="Folder of a finished job, such as logs/ResGRU/default.")],
    to: Annotated[Path, typer.Option(help="Folder to make, such as results/default.")],
    title: Annotated[str, typer.Option(help="What this is, in a few words.")],
    data: Data = Path("data"),
) -> None:
    """Keep out-of-fold predictions, what made them, and their figures, for anyone to check."""
    from ecg_rhythm.experiments import results

    display.figures(out, results.publish(job, to, title, data), title)
    out.print(f"all of it is in {to}; check it with `ecg-rhythm evaluate {to}`", markup=False)


@app.command(short_help="Let results vote together.")
def vote(
    members: Annotated[list[Path], typer.Argument(metavar="RESULT", help="Folders of results on the same split.")],
    to: Annotated[Path, typer.Option(help="Folder to make, such as results/ensemble.")],
    title: Annotated[str, typer.Option(help="What this is, in a few words.")],
) -> None:
    """Let results vote: the mean of their out-of-fold probabilities, and its figures."""
    from ecg_rhythm.experiments import results

    display.figures(out, results.vote(members, to, title), title)
    out.print(f"all of it is in {to}; check it with `ecg-rhythm evaluate {to}`", markup=False)


@app.command(short_help="Compute a result's figures anew and compare.")
def evaluate(
    result: Annotated[Path, typer.Argument(help="Folder of a result, such as results/default.")],
    rerun: Annotated[int | None, typer.Option(help="Train this fold anew and compare.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = Path("data"),
    logs: Annotated[Path, typer.Option(help="Where --rerun keeps its runs.")] = Path("rerun"),
) -> None:
    """Compute every figure of a result from its out-of-fold predictions and compare with what is published."""
    from ecg_rhythm.evaluation import evaluate as evaluation
    from ecg_rhythm.experiments import results

    if as_json and rerun is not None:
        raise BadInput("--json, --rerun: choose one of them")
    published, predictions = results.read(result)
    spec = None if rerun is None else results.spec(result, rerun, data)
    computed = evaluation.figures(predictions)
    wrong = results.differences(published["figures"], computed)
    if as_json:
        typer.echo(json.dumps(computed, indent=2, ensure_ascii=False))
    else:
        display.figures(out, computed, published["title"])
    for sentence in wrong:
        complain(f"{result}: {sentence}")
    if spec is not None:
        from ecg_rhythm.evaluation import predictions as outputs
        from ecg_rhythm.experiments import folder as runs
        from ecg_rhythm.experiments.run import train

        with display.progress(out, spec.title) as report:
            train(spec, data, logs, report=report)
        anew = outputs.read_predictions(spec.folder(logs) / runs.PREDICTIONS)
        display.comparison(out, predictions[predictions.folds == spec.fold], outputs.joined([anew]))
        threads = ", ".join(sorted({str(run["threads"]).strip("[]") for run in published["training"].values()}))
        out.print(f"threads per run then: {threads}; with as many (OMP_NUM_THREADS) one machine gives the same bits")
    if wrong:
        sys.exit(1)
    if not as_json:
        out.print("all figures published are those of the predictions")


@app.command(short_help="List recordings whose labels look wrong.")
def suspects(
    found_in: Annotated[list[Path], typer.Argument(metavar="RESULT", help="Folders of results of one data set.")],
    sure: Annotated[float, typer.Option(min=0, max=1, help="How sure each of them must be.")] = 0.8,
    to: Annotated[Path | None, typer.Option(help="CSV file to write.")] = None,
) -> None:
    """List recordings that all results get wrong and are sure about: often the label is wrong."""
    from ecg_rhythm.evaluation import suspects as looking
    from ecg_rhythm.experiments import results

    found = looking.suspects([results.read(folder)[1] for folder in found_in], sure)
    display.suspects(out, found)
    if to is not None:
        looking.write(to, found)


@app.command(short_help="Score a job under noise, gaps and other faults.")
def robustness(
    job: Annotated[Path, typer.Argument(help="Folder of a finished job, such as logs/ResGRU/default.")],
    part: Annotated[str, typer.Option(help="Part of each fold to score: test, or valid to choose by.")] = "test",
    every: Annotated[int, typer.Option(min=1, help="Take only every N-th recording.")] = 1,
    to: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    data: Data = Path("data"),
) -> None:
    """Score a job's folds under noise, other devices and other faults."""
    from ecg_rhythm.experiments import robustness as measuring

    with out.status("measuring") as status:
        found = measuring.measure(job, data, part=part, every=every, report=status.update)
    display.robustness(out, found)
    if to is not None:
        files.write_json(to, found)


@app.command(short_help="Compare all finished runs.")
def summarize(
    architecture: Annotated[str | None, typer.Argument(help="Only this architecture.")] = None,
    logs: Logs = Path("logs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: a line per phase, job, fold and measure.")] = False,
) -> None:
    """Compare all finished runs: every fold, mean ± standard deviation, difference to the best."""
    configurations, problems = summary.summarize(logs, architecture)
    if as_json or as_csv:
        typer.echo(summary.as_json(configurations) if as_json else summary.as_csv(configurations).rstrip())
    else:
        display.summaries(out, configurations)
    for message in problems:
        complain(message)
    if problems:
        sys.exit(1)
