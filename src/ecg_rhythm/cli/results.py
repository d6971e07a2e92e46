"""Verbs that compare: runs with each other, results with their predictions."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console

from ecg_rhythm import checksums, files
from ecg_rhythm.cli.console import COMPARE, Data, Workers, app, complain, new_table, note, out
from ecg_rhythm.cli.outputs import refuse_inputs
from ecg_rhythm.cli.runs import show_progress
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.metrics import Spread, score

if TYPE_CHECKING:
    from ecg_rhythm.evaluation.evaluate import Evaluation
    from ecg_rhythm.evaluation.predictions import Predictions
    from ecg_rhythm.experiments.robustness import Robustness


@app.command(short_help="Check a published result against its predictions.", rich_help_panel=COMPARE)
def evaluate(
    result: Annotated[Path, typer.Argument(help="Folder of a result, such as results/default.")],
    rerun: Annotated[int | None, typer.Option(help="Train this fold again and compare.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = Path("data"),
    logs: Annotated[Path, typer.Option(help="Folder for the runs of --rerun.")] = Path("rerun"),
) -> None:
    """Compute all metrics of a result from its out-of-fold predictions and compare them with the published ones."""
    from ecg_rhythm.evaluation.evaluate import differences
    from ecg_rhythm.evaluation.evaluate import evaluate as evaluated
    from ecg_rhythm.experiments import results

    if as_json and rerun is not None:
        raise BadInput("--json, --rerun: choose one of them")
    published, predictions = results.read(result)
    spec = None if rerun is None else results.spec(result, rerun, data)
    computed = evaluated(predictions)
    wrong = differences(published["figures"], computed)
    if as_json:
        typer.echo(json.dumps(computed, indent=2))
    else:
        print_evaluation(out, computed, published)
    if checksums.FILES not in published:
        note(f"{result}: an earlier version published it, without checksums of its files")
    for sentence in wrong:
        complain(f"{result}: {sentence}")
    if spec is not None:
        from ecg_rhythm.evaluation.predictions import joined, read_predictions
        from ecg_rhythm.experiments.run import train
        from ecg_rhythm.weights.run_files import RunFiles

        for run in filter(None, (spec.teacher, spec)):
            with show_progress(out, run.title) as report:
                train(run, data, logs, report=report)
        done = RunFiles(spec.folder(logs))
        again = joined([read_predictions(done.intact(done.predictions))])
        print_comparison(out, predictions[predictions.folds == spec.fold], again)
        threads = ", ".join(sorted({str(run["threads"]).strip("[]") for run in published["training"].values()}))
        out.print(f"threads per run then: {threads}; with as many (OMP_NUM_THREADS) one machine gives the same bits")
    if wrong:
        sys.exit(1)
    if not as_json:
        out.print("all published figures agree with the predictions")


@app.command(short_help="Publish a job: predictions and metrics.", rich_help_panel=COMPARE)
def publish(
    jobs: Annotated[
        list[Path],
        typer.Argument(
            metavar="JOB",
            help="Folder of a job, such as logs/ResGRU/default; and folders or results with its other folds.",
        ),
    ],
    to: Annotated[Path, typer.Option(help="Folder to make, such as results/default.")],
    title: Annotated[str, typer.Option(help="Title of the result, in a few words.")],
    data: Data = Path("data"),
) -> None:
    """Publish the finished folds of a job: out-of-fold predictions, metrics, and the files that reproduce them."""
    from ecg_rhythm.experiments import publishing

    publishing.publish(jobs, to, title, data)
    print_result(out, to)


@app.command(short_help="Average the probabilities of several results.", rich_help_panel=COMPARE)
def vote(
    members: Annotated[list[Path], typer.Argument(metavar="RESULT", help="Folders of results, all on the same split.")],
    to: Annotated[Path, typer.Option(help="Folder to make, such as results/ensemble.")],
    title: Annotated[str, typer.Option(help="Title of the result, in a few words.")],
) -> None:
    """Average the out-of-fold probabilities of several results into a new one."""
    from ecg_rhythm.experiments import results

    results.vote(members, to, title)
    print_result(out, to)


@app.command(short_help="Score a job under noise, gaps and other faults.", rich_help_panel=COMPARE)
def robustness(
    job: Annotated[Path, typer.Argument(help="Folder of a finished job, such as logs/ResGRU/default.")],
    part: Annotated[str, typer.Option(help="Part to score: test, or valid (for choosing between models).")] = "test",
    every: Annotated[int, typer.Option(min=1, help="Use only every N-th recording.")] = 1,
    to: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    workers: Workers = None,
    data: Data = Path("data"),
) -> None:
    """Score a finished job on perturbed recordings: noise, gaps, other sampling rates, other gains."""
    from ecg_rhythm.experiments.robustness import measure
    from ecg_rhythm.machine import available_cores

    if to is not None:
        refuse_inputs("--to", to, [job])
    with out.status("measuring") as status:
        number = workers or available_cores()
        measured = measure(job, data, part=part, every=every, workers=number, report=status.update)
    print_robustness(out, measured)
    if to is not None:
        files.write_text(to, checksums.sealed(measured))


@app.command(short_help="Write a report on results and runs.", rich_help_panel=COMPARE)
def report(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="LOGS or RESULT",
            help="Folders of runs, jobs, results or searches, and files of `robustness --to`.",
        ),
    ],
    to: Annotated[Path, typer.Option(help="File to write, such as report.html.")] = Path("report.html"),
    kind: Annotated[
        str, typer.Option("--format", help="html: one file. markdown or latex: a text, with a folder of its pictures.")
    ] = "html",
    title: Annotated[str, typer.Option(help="Title of the report.")] = "",
    data: Data = Path("data"),
) -> None:
    """Compare results and finished jobs in one file: scores, tests of differences, errors, calibration, cost."""
    from ecg_rhythm.experiments import report as reports

    with out.status("reading") as status:
        command = ["ecg-rhythm", *sys.argv[1:]]
        problems = reports.write(paths, to, data, command, kind=kind, title=title, report=status.update)
    out.print(f"the report is in {to}", highlight=False, soft_wrap=True)
    for message in problems:
        complain(message)
    if problems:
        sys.exit(1)


def print_result(out: Console, folder: Path) -> None:
    """Print a result that has just been written, and where it is."""
    from ecg_rhythm.experiments import results

    result, _ = results.read(folder)
    print_evaluation(out, result["figures"], result)
    out.print(f"the result is in {folder}; check it with `ecg-rhythm evaluate {folder}`")


def print_evaluation(out: Console, evaluation: Evaluation, result: Mapping[str, Any]) -> None:
    """Print all that is published of a result, whose `result.json` has the title and says which folds are missing."""
    from ecg_rhythm.experiments import results

    metrics = evaluation["measures"]
    table = new_table("measure", *(f"fold {k}" for k in evaluation["folds"]), "mean ± sd", title=results.titled(result))
    for name, over_folds in metrics.items():
        values = ["" if value is None else f"{value:.3f}" for value in over_folds["folds"]]
        table.add_row(name, *values, str(Spread(over_folds["mean"], over_folds["sd"])))
    out.print(table)
    classes = [name.removeprefix("F1 ") for name in metrics if name.startswith("F1 ")]
    confusion = new_table("actual", *(f"predicted {name}" for name in classes), title="these folds together")
    for name, row in zip(classes, evaluation["confusion"], strict=True):
        confusion.add_row(name, *map(str, row))
    out.print(confusion)
    out.print(
        f"{evaluation['recordings']} recordings, each by a model that did not train on it. Expected calibration error "
        f"{evaluation['calibration_error']:.3f}.",
        highlight=False,
    )
    if any("teacher" in of_network for of_network in result["training"].values()):
        out.print("A network of this result also learned from a teacher.", highlight=False)
    if missing := result["missing_folds"]:
        out.print(
            f"Only {results.extent(result)} (not {', '.join(map(str, missing))}): do not compare it with all folds.",
            highlight=False,
        )
    if (after := evaluation["calibrated"]) is None:
        return
    title = f"calibrated on the other folds: error {after['calibration_error']:.3f}; true class in the prediction set"
    coverage = new_table("asked for", "all", *classes, "classes per set", title=title)
    for asked, share in after["coverage"].items():
        of_class = after["class_coverage"][asked]
        held = [f"{of_class[name]:.1%}" if name in of_class else "" for name in classes]
        coverage.add_row(f"{float(asked):.0%}", f"{share:.1%}", *held, f"{after['sizes'][asked]:.2f}")
    out.print(coverage)


def print_comparison(out: Console, published: Predictions, again: Predictions) -> None:
    """Print how a fold that was trained again compares with the published one."""
    before, after = (score(table.targets, table.labels, table.classes) for table in (published, again))
    table = new_table("", *before)
    for name, metrics in (("published", before), ("trained again", after)):
        table.add_row(name, *(f"{value:.3f}" for value in metrics.values()))
    out.print(table)
    furthest = np.abs(published.probabilities - again.probabilities).max()
    same = (published.labels == again.labels).mean()
    out.print(
        f"the same label for {100 * same:.1f} % of recordings, probabilities at most {furthest:.4f} apart",
        highlight=False,
    )


def print_robustness(out: Console, measured: Robustness) -> None:
    """Print the score under each perturbation, and the labels of signals that contain no ECG."""
    before = measured["rows"][0]["challenge"]
    table = new_table("perturbation", "strength", "challenge, mean ± sd", "difference")
    for row in measured["rows"]:
        strength = "" if row["strength"] is None else f"{row['strength']:g} {row['unit']}"
        after = row["challenge"]
        mean_and_sd = str(Spread(after["mean"], after["sd"]))
        table.add_row(row["perturbation"], strength, mean_and_sd, f"{after['mean'] - before['mean']:+.3f}")
    out.print(table)
    empty = new_table("no ECG at all", *(f"predicted {name}" for name in next(iter(measured["empty"].values()))))
    for name, shares in measured["empty"].items():
        empty.add_row(name, *(f"{100 * share:.0f} %" for share in shares.values()))
    out.print(empty)
