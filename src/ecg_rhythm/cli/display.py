"""Tables and progress bars for people; everything here takes results and prints them."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from rich import box
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ecg_rhythm.data.store import Store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.metrics import NOISE, Spread, score
from ecg_rhythm.experiments import summary
from ecg_rhythm.experiments.queue import QueuedRun, Status
from ecg_rhythm.training import progress as how_far
from ecg_rhythm.training.progress import duration, read_progress
from ecg_rhythm.weights.run_files import read_scores

if TYPE_CHECKING:
    from ecg_rhythm.evaluation.evaluate import Figures
    from ecg_rhythm.evaluation.predictions import Predictions
    from ecg_rhythm.evaluation.suspects import Suspect
    from ecg_rhythm.experiments.robustness import Robustness
    from ecg_rhythm.inference.answers import Episode, Prediction, Timeline

BAR, WIDE = 40, 200
COLOURS = {Status.DONE: "green", Status.FAILED: "red", Status.RUNNING: "yellow", Status.ELSEWHERE: "blue"}
FIBRILLATION = "A"
EPISODES = 12
"""Of a long recording that are listed."""
PAGE = 512
"""Rows of a table that is printed while there are more to come."""


def console(stream: TextIO) -> Console:
    """Return where to print: as wide as the terminal, or wide enough for every table where there is none."""
    return Console(file=stream, width=None if stream.isatty() else WIDE)


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    return table


def store(out: Console, data: Store) -> None:
    """Print what a data set holds: counts per class and label version, lengths, duplicates."""
    seconds = data.lengths / data.fs
    out.print(
        f"{len(data)} recordings at {data.fs:g} Hz, {seconds.min():.1f} to {seconds.max():.1f} s, "
        f"mean {seconds.mean():.1f} s",
        highlight=False,
    )
    out.print(f"from: {data.origin}", highlight=False, markup=False)
    table = _table("labels", *data.classes)
    for version in data.labels:
        used = f"{version} (default)" if version == data.default_labels else version
        table.add_row(used, *(str(n) for n in data.counts(version).values()))
    out.print(table)
    counts, edges = np.histogram(seconds, bins=np.linspace(0, max(10 * np.ceil(seconds.max() / 10), 10), 8))
    histogram = _table("length in s", "recordings", "")
    histogram.columns[2].justify = "left"
    for n, low, high in zip(counts, edges, edges[1:], strict=False):
        histogram.add_row(f"{low:.0f} to {high:.0f}", str(n), "█" * round(BAR * n / counts.max()))
    out.print(histogram)
    for group in data.duplicates():
        names = " = ".join(data.names[number - 1] for number in group)
        out.print(f"the same signal: {names}", highlight=False)


@contextmanager
def progress(out: Console, title: str) -> Iterator[Callable[[how_far.Progress], None]]:
    """Show a progress bar while a run is trained; without a terminal, a line per epoch."""
    if not out.is_terminal:
        yield lambda p: out.print(str(p), highlight=False) if p.ends_epoch else None
        return
    with Progress(TextColumn(title), BarColumn(), TextColumn("{task.description}"), console=out) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda p: bar.update(task, completed=p.fraction, description=str(p))


@contextmanager
def counting(console: Console | None, files: int) -> Iterator[Callable[[], None]]:
    """Show how many files are done, if the console is a terminal."""
    if console is None or not console.is_terminal:
        yield lambda: None
        return
    columns = SpinnerColumn(), BarColumn(), TextColumn("{task.completed} of {task.total} files"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=files)
        yield lambda: bar.advance(task)


def queue_table(queue: Sequence[QueuedRun]) -> Table:
    """Return a table of what runs, waits, is done and has failed."""
    table = _table("run", "status", "device", "progress")
    for column in table.columns[1:]:
        column.justify = "left"
    for run in queue:
        shown = ""
        if run.status in (Status.RUNNING, Status.ELSEWHERE) and (found := read_progress(run.folder)):
            shown = str(found)
        elif run.status is Status.FAILED:
            shown = escape(run.error.splitlines()[0]) if run.error else ""
        elif run.status is Status.DONE:
            shown = _done(run)
        status = f"[{COLOURS[run.status]}]{run.status}[/]" if run.status in COLOURS else str(run.status)
        table.add_row(run.spec.title, status, run.device, shown)
    return table


def _done(run: QueuedRun) -> str:
    try:
        scores = read_scores(run.folder)
    except BadInput:  # another queue is making it anew
        return ""
    return f"test score {scores['phases'][-1]['test']['challenge']:.3f}, {duration(scores['seconds'])}"


@contextmanager
def watching(out: Console) -> Iterator[Callable[[list[QueuedRun]], None]]:
    """Show a live table of a queue; without a terminal, a line when a run changes its status."""
    if out.is_terminal:
        with Live(console=out, auto_refresh=False) as live:
            yield lambda queue: live.update(queue_table(queue), refresh=True)
        return
    known: dict[str, Status] = {}

    def watch(queue: list[QueuedRun]) -> None:
        for run in queue:
            before = known.setdefault(run.spec.title, Status.WAITING)
            if run.status is not before:
                known[run.spec.title] = run.status
                where = f" on {run.device}" if run.status is Status.RUNNING else ""
                result = f", {_done(run)}" if run.status is Status.DONE else ""
                out.print(f"{run.spec.title}: {run.status}{where}{result}", highlight=False, soft_wrap=True)

    yield watch


def run_scores(out: Console, scores: dict[str, Any]) -> None:
    """Print the scores of one run, phase by phase."""
    classes = scores["classes"]
    table = _table("phase", "best epoch", "set", "challenge", *(f"F1 {name}" for name in classes), "accuracy")
    for phase in scores["phases"]:
        for part in ("valid", "test"):
            if (values := phase[part]) is None:  # there was no such part
                continue
            f1 = [f"{values['f1'][name]:.3f}" for name in classes]
            table.add_row(
                str(phase["phase"]), str(phase["best_epoch"]), part, f"{values['challenge']:.3f}", *f1,
                f"{values['accuracy']:.3f}",
            )  # fmt: skip
    out.print(table)


def summaries(out: Console, configurations: list[summary.Configuration]) -> None:
    """Print every phase, job and fold, and a short table of all configurations at the end."""
    for c in configurations:
        title = f"{c.name}, phase {c.phase}: test scores ({c.data[1]}, labels {c.data[2]})"
        measures = summary.measures(c)
        table = _table("fold", *measures, title=title)
        for fold in sorted(c.folds):
            table.add_row(str(fold), *(f"{c.values(m)[fold]:.3f}" for m in measures))
        table.add_section()
        table.add_row("mean", *(f"{c.spread(m).mean:.3f}" for m in measures))
        if len(c.folds) > 1:
            table.add_row("sd", *(f"{c.spread(m).sd:.3f}" for m in measures))
        out.print(table)
        if c.missing:
            out.print(f"folds not finished: {', '.join(map(str, c.missing))}\n", highlight=False)
    for ranked in summary.rankings(configurations):
        title = f"last phase of each job ({ranked[0][0].data[1]}, labels {ranked[0][0].data[2]})"
        short = _table("configuration", "folds", "challenge score", "difference to the best", title=title)
        for c, difference in ranked:
            short.add_row(c.name, _folds(c), str(c.spread("challenge")), _difference(difference))
        out.print(short)
    out.print(
        "Challenge score: mean F1 of all classes but noise (~), on the test part of each fold, with the weights that "
        "scored best on its validation part (the last, if there is none). ± is the standard deviation over folds "
        "(n - 1); differences are paired by fold, and one within its ± is not a finding.",
        highlight=False,
    )


def figures(out: Console, found: Figures, title: str) -> None:
    """Print every figure of a result."""
    measures = found["measures"]
    n_folds = len(measures["challenge"]["folds"])
    table = _table("measure", *(f"fold {k}" for k in range(n_folds)), "mean ± sd", title=title)
    for name, spread in measures.items():
        values = ["" if value is None else f"{value:.3f}" for value in spread["folds"]]
        table.add_row(name, *values, str(Spread(spread["mean"], spread["sd"])))
    out.print(table)
    classes = [name.removeprefix(summary.F1) for name in measures if name.startswith(summary.F1)]
    confusion = _table("actual", *(f"said {name}" for name in classes), title="all folds together")
    for name, row in zip(classes, found["confusion"], strict=True):
        confusion.add_row(name, *map(str, row))
    out.print(confusion)
    out.print(
        f"{found['recordings']} recordings, each by a model that did not train on it. Expected calibration error "
        f"{found['calibration_error']:.3f}.",
        highlight=False,
    )
    if (after := found["calibrated"]) is None:
        return
    title = f"calibrated on the other folds: error {after['calibration_error']:.3f}; true class in the prediction set"
    coverage = _table("asked for", "all", *classes, "classes per set", title=title)
    for asked, share in after["coverage"].items():
        of_class = after["class_coverage"][asked]
        held = [f"{of_class[name]:.1%}" if name in of_class else "" for name in classes]
        coverage.add_row(f"{float(asked):.0%}", f"{share:.1%}", *held, f"{after['sizes'][asked]:.2f}")
    out.print(coverage)


def comparison(out: Console, published: Predictions, anew: Predictions) -> None:
    """Print how a fold that was trained anew compares with what is published."""
    table = _table("", "challenge", "accuracy", *(f"F1 {name}" for name in published.classes))
    for name, predictions in (("published", published), ("anew", anew)):
        values = score(predictions.targets, predictions.labels, predictions.classes)
        f1 = [f"{value:.3f}" for value in values["f1"].values()]
        table.add_row(name, f"{values['challenge']:.3f}", f"{values['accuracy']:.3f}", *f1)
    out.print(table)
    furthest = np.abs(published.probabilities - anew.probabilities).max()
    same = (published.labels == anew.labels).mean()
    out.print(
        f"the same label for {100 * same:.1f} % of recordings, probabilities at most {furthest:.4f} apart",
        highlight=False,
    )


def robustness(out: Console, found: Robustness) -> None:
    """Print the score under each perturbation, and what signals without a heart are taken for."""
    before = found["rows"][0]["challenge"]
    table = _table("perturbation", "strength", "challenge, mean ± sd", "difference")
    for row in found["rows"]:
        strength = "" if row["strength"] is None else f"{row['strength']:g} {row['unit']}"
        after = row["challenge"]
        mean_and_sd = str(Spread(after["mean"], after["sd"]))
        table.add_row(row["perturbation"], strength, mean_and_sd, f"{after['mean'] - before['mean']:+.3f}")
    out.print(table)
    empty = _table("no ECG at all", *(f"said {name}" for name in next(iter(found["empty"].values()))))
    for name, shares in found["empty"].items():
        empty.add_row(name, *(f"{100 * share:.0f} %" for share in shares.values()))
    out.print(empty)


def suspects(out: Console, found: Sequence[Suspect]) -> None:
    """Print recordings whose labels are worth a look."""
    table = _table("record", "label", "all models say", "probability", "of the label")
    for suspect in found:
        values = (f"{suspect.probability:.3f}", f"{suspect.of_label:.3f}")
        table.add_row(suspect.record, suspect.label, suspect.said, *values)
    out.print(table)


def _folds(c: summary.Configuration) -> str:
    return f"{len(c.folds)} of {len(c.folds) + len(c.missing)}" if c.missing else str(len(c.folds))


def _difference(difference: Spread | None) -> str:
    if difference is None:
        return "no fold in common"
    return f"{difference.mean:+.3f}" + (f" ± {difference.sd:.3f}" if difference.sd is not None else "")


def answers(out: Console, found: Iterator[tuple[Path, Prediction | Timeline]]) -> None:
    """Print what is said of each recording, a page at a time: short ones in one table, long ones in another."""
    from ecg_rhythm.inference.answers import (
        Prediction,  # loads ONNX Runtime
        Timeline,
    )

    while page := list(islice(found, PAGE)):
        named = list(zip(_names(page), (answer for _, answer in page), strict=True))
        if short := [(name, answer) for name, answer in named if isinstance(answer, Prediction)]:
            out.print(_predictions(short))
        if long := [(name, answer) for name, answer in named if isinstance(answer, Timeline)]:
            out.print(_timelines(long))
        for name, timeline in long:
            if FIBRILLATION in timeline.classes and (episodes := timeline.episodes(FIBRILLATION)):
                out.print(_episodes(name, episodes))


def _names(page: Sequence[tuple[Path, Prediction | Timeline]]) -> list[str]:
    """Return the names of recordings; of those that share one, their files."""
    often = Counter(answer.record for _, answer in page)
    return [answer.record if often[answer.record] == 1 else str(path) for path, answer in page]


def _predictions(page: Sequence[tuple[str, Prediction]]) -> Table:
    """Return label, probability per class and prediction set of each recording."""
    first = page[0][1]
    sets = first.prediction_set is not None
    reasons = any(prediction.because is not None for _, prediction in page)
    table = _table(
        "record", "label", *first.probabilities, *["can be"] * sets, "beats/min", "quality", "read as",
        *["because of seconds"] * reasons,
    )  # fmt: skip
    for name, prediction in page:
        row = [f"{p:.3f}" for p in prediction.probabilities.values()]
        if prediction.prediction_set is not None:
            row.append(" or ".join(prediction.prediction_set))
        row.append("" if prediction.heart_rate is None else f"{prediction.heart_rate:.0f}")
        row.append("" if prediction.quality is None else f"{prediction.quality:.2f}")
        row.append(escape(prediction.reading))
        if reasons:
            row.append(", ".join(f"{start:g}-{end:g}" for start, end in prediction.because or []))
        table.add_row(escape(name), prediction.label, *row)
    return table


def _timelines(page: Sequence[tuple[str, Timeline]]) -> Table:
    """Return how much of each recording each rhythm takes, and its episodes of atrial fibrillation."""
    rhythms = [rhythm for rhythm in page[0][1].classes if rhythm != NOISE]
    of_fibrillation = ["episodes of A", "longest"] if FIBRILLATION in rhythms else []
    table = _table("record", *rhythms, "unreadable", *of_fibrillation, "read as")
    for name, timeline in page:
        burdens = [timeline.burden(rhythm) for rhythm in rhythms]
        row = [*("" if burden is None else f"{burden:.1%}" for burden in burdens), f"{timeline.unreadable:.1%}"]
        if of_fibrillation:
            episodes = timeline.episodes(FIBRILLATION)
            longest = max((episode.seconds for episode in episodes), default=0.0)
            row += [str(len(episodes)), duration(longest) if longest else ""]
        table.add_row(escape(name), *row, escape(timeline.reading))
    return table


def _episodes(record: str, episodes: Sequence[Episode]) -> Table:
    """Return when the longest episodes of a recording begin and end."""
    shown = sorted(sorted(episodes, key=lambda episode: -episode.seconds)[:EPISODES], key=lambda e: e.start)
    which = "" if len(shown) == len(episodes) else f" (the {EPISODES} longest of {len(episodes)}; --json has all)"
    table = _table(
        "start", "end", "duration", "p(A)", title=escape(f"{record}: episodes of atrial fibrillation{which}")
    )
    for e in shown:
        table.add_row(*(duration(seconds) for seconds in (e.start, e.end, e.seconds)), f"{e.probability:.2f}")
    return table


def answers_as_json(found: Iterable[tuple[Path, Prediction | Timeline]]) -> None:
    """Print answers as one JSON array, a line for each as it comes."""
    print("[", end="")
    for number, (path, answer) in enumerate(found):
        content = {"file": str(path), **answer.as_dict()}
        print("," * bool(number) + "\n" + json.dumps(content), end="")
    print("\n]")


def answers_as_csv(classes: list[str], found: Iterable[tuple[Path, Prediction | Timeline]]) -> None:
    """Print answers as CSV, a line for each as it comes."""
    from ecg_rhythm.cli.answers import (
        columns,
        row,  # loads ONNX Runtime
    )

    writer = csv.DictWriter(sys.stdout, columns(classes), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row(path, answer) for path, answer in found)
