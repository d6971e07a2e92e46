"""Answers as people and programs read them: tables in a terminal, JSON, CSV, Parquet."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ecg_rhythm import files
from ecg_rhythm.cli.console import new_table
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.metrics import NOISE
from ecg_rhythm.training.progress import duration

if TYPE_CHECKING:
    from ecg_rhythm.inference.answers import Episode, Prediction, Timeline


def write_parquet(path: Path, classes: list[str], found: Iterable[tuple[Path, Prediction | Timeline]]) -> None:
    """Write a Parquet table with a row per answer, whole or not at all.

    Raises
    ------
    BadInput
        If the library is not installed.
    """
    from ecg_rhythm.inference.answers import columns, row

    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise BadInput("--parquet needs a further library; `pip install 'ecg-rhythm[parquet]'`") from None
    kinds = [(name, pyarrow.string() if text else pyarrow.float64()) for name, text in columns(classes).items()]
    with files.replacing(path) as made:
        made.touch()  # so that a place where nothing can be written is told before the work, not after
        rows = [row(file, answer) for file, answer in found]
        if not rows:
            raise BadInput(f"{path}: not written, as there is no answer to put into it")
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema=pyarrow.schema(kinds)), made)


FIBRILLATION = "A"
EPISODES = 12
"""Of a long recording that are listed."""
PAGE = 512
"""Rows of a table that is printed while there are more to come."""


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


def print_answers(out: Console, found: Iterator[tuple[Path, Prediction | Timeline]]) -> None:
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
    """The names of recordings; of those that share one, their files."""
    often = Counter(answer.record for _, answer in page)
    return [answer.record if often[answer.record] == 1 else str(path) for path, answer in page]


def _predictions(page: Sequence[tuple[str, Prediction]]) -> Table:
    """Label, probability per class and prediction set of each recording."""
    first = page[0][1]
    sets = first.prediction_set is not None
    reasons = any(prediction.because is not None for _, prediction in page)
    table = new_table(
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
    """How much of each recording each rhythm takes, and its episodes of atrial fibrillation."""
    rhythms = [rhythm for rhythm in page[0][1].classes if rhythm != NOISE]
    of_fibrillation = ["episodes of A", "longest"] if FIBRILLATION in rhythms else []
    table = new_table("record", *rhythms, "unreadable", *of_fibrillation, "read as")
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
    """When the longest episodes of a recording begin and end."""
    shown = sorted(sorted(episodes, key=lambda episode: -episode.seconds)[:EPISODES], key=lambda e: e.start)
    which = "" if len(shown) == len(episodes) else f" (the {EPISODES} longest of {len(episodes)}; --json has all)"
    table = new_table(
        "start", "end", "duration", "p(A)", title=escape(f"{record}: episodes of atrial fibrillation{which}")
    )
    for e in shown:
        table.add_row(*(duration(seconds) for seconds in (e.start, e.end, e.seconds)), f"{e.probability:.2f}")
    return table


def print_json(found: Iterable[tuple[Path, Prediction | Timeline]]) -> None:
    """Print answers as one JSON array, a line for each as it comes."""
    print("[", end="")
    for number, (path, answer) in enumerate(found):
        content = {"file": str(path), **answer.as_dict()}
        print("," * bool(number) + "\n" + json.dumps(content), end="")
    print("\n]")


def print_csv(classes: list[str], found: Iterable[tuple[Path, Prediction | Timeline]]) -> None:
    """Print answers as CSV, a line for each as it comes."""
    from ecg_rhythm.inference.answers import columns, row

    writer = csv.DictWriter(sys.stdout, list(columns(classes)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row(path, answer) for path, answer in found)
