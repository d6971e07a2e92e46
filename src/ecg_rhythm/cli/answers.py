"""Answers as people and programs read them: tables in a terminal, CSV, JSON and Parquet, printed or in a file."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ecg_rhythm import extras, files
from ecg_rhythm.cli.console import new_table, note
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.names import FIBRILLATION, fibrillation_in
from ecg_rhythm.printable import csv_line, shown
from ecg_rhythm.training.progress import duration

if TYPE_CHECKING:
    from ecg_rhythm.inference.answers import Answer, Prediction, Timeline
    from ecg_rhythm.inference.parts import Episode


CSV, JSON, PARQUET = ".csv", ".json", ".parquet"
"""Suffixes of files that answers are written to."""
SUFFIXES = 8
"""Suffixes of passed over files that are listed."""


def format_of(path: Path) -> str:
    """The format of a file of answers, by its suffix.

    Raises
    ------
    BadInput
        If the suffix is another.
    """
    if path.suffix.lower() not in (CSV, JSON, PARQUET):
        raise BadInput(f"--to {path}: its suffix says no format; name a file that ends in {CSV}, {JSON} or {PARQUET}")
    return path.suffix.lower()


def content_of(kind: str, path: Path, answer: Prediction | Timeline) -> dict[str, Any]:
    """An answer as a file of a format has it: a row, or in JSON all of it."""
    from ecg_rhythm.inference.tables import row

    return {"file": str(path), **answer.as_dict()} if kind == JSON else row(path, answer)


def check_format(kind: str) -> None:
    """Check that a format can be written here, before any work.

    Raises
    ------
    BadInput
        If its library is not installed.
    """
    if kind == PARQUET:
        with extras.needed("parquet", "a Parquet file"):
            import pyarrow.parquet  # noqa: F401


def write_answers(path: Path, kind: str, classes: list[str], contents: Iterable[dict[str, Any]]) -> None:
    """Write a file of answers, whole or not at all, from what `content_of` gives of each."""
    with files.replacing(path) as made:
        if kind == PARQUET:
            _write_parquet(made, classes, contents)
        else:
            with made.open("w", encoding="utf-8", newline="") as file:
                _write_json(file, contents) if kind == JSON else _write_csv(file, classes, contents)


def _write_parquet(path: Path, classes: list[str], rows: Iterable[dict[str, Any]]) -> None:
    from ecg_rhythm.inference.tables import columns, write_parquet

    write_parquet(path, columns(classes), rows)


def _write_json(file: TextIO, contents: Iterable[dict[str, Any]]) -> None:
    """Write one JSON array, a line for each answer as it comes."""
    file.write("[")
    for number, content in enumerate(contents):
        file.write("," * bool(number) + "\n" + json.dumps(content))
    file.write("\n]\n")


def _write_csv(file: TextIO, classes: list[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write CSV, a line for each answer as it comes."""
    from ecg_rhythm.inference.tables import columns

    names = list(columns(classes))
    file.write(csv_line(names))
    for row in rows:
        file.write(csv_line(row.get(name) for name in names))


EPISODES = 12
"""Of a long recording that are listed."""
PAGE = 512
"""Rows of a table that is printed while there are more to come."""


@contextmanager
def counting(console: Console | None, of: int, what: str = "files") -> Iterator[Callable[..., None]]:
    """Show how many files are done, if the console is a terminal; each call adds one, or the number given."""
    if console is None or not console.is_terminal:
        yield lambda number=1: None
        return
    columns = (
        SpinnerColumn(),
        BarColumn(),
        TextColumn("{task.completed} of {task.total} {task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=of)
        yield lambda number=1: bar.advance(task, number)


def print_answers(out: Console, answers: Iterator[tuple[Path, Prediction | Timeline]]) -> None:
    """Print the answers, a page at a time: predictions in one table, timelines in another."""
    from ecg_rhythm.inference.answers import Prediction, Timeline  # loads NumPy

    while page := list(islice(answers, PAGE)):
        named = list(zip(_names(page), (answer for _, answer in page), strict=True))
        if short := [(name, answer) for name, answer in named if isinstance(answer, Prediction)]:
            out.print(_table(short))
        if long := [(name, answer) for name, answer in named if isinstance(answer, Timeline)]:
            out.print(_table(long))
        for name, timeline in long:
            label = fibrillation_in(timeline.classes)
            if label is not None and (episodes := timeline.episodes(label)):
                out.print(_episodes(name, label, episodes))


def _names(page: Sequence[tuple[Path, Prediction | Timeline]]) -> list[str]:
    """Names of recordings; of those that share one, their files."""
    often = Counter(answer.record for _, answer in page)
    return [answer.record if often[answer.record] == 1 else str(path) for path, answer in page]


def _table(page: Sequence[tuple[str, Answer]]) -> Table:
    """A row for each recording; a column that is empty throughout is left out."""
    from ecg_rhythm.inference.tables import screen_row

    rows = [screen_row(answer) | _fibrillation(answer) | {"record": name} for name, answer in page]
    headings = sorted(dict.fromkeys(name for row in rows for name in row), key=lambda name: name == "read as")
    table = new_table(*headings)
    for column in table.columns:
        if column.header == "label":  # letters below each other, with their names behind them
            column.justify = "left"
    for row in rows:
        table.add_row(*(shown(row.get(name, "")) for name in headings))
    return table


def _fibrillation(answer: Answer) -> dict[str, str]:
    """How many episodes of atrial fibrillation a long recording has, and how long the longest is."""
    from ecg_rhythm.inference.answers import Timeline

    label = fibrillation_in(answer.classes) if isinstance(answer, Timeline) else None
    if not isinstance(answer, Timeline) or label is None:
        return {}
    episodes = answer.episodes(label)
    longest = max((episode.seconds for episode in episodes), default=0.0)
    return {f"episodes of {label}": str(len(episodes)), "longest": duration(longest) if longest else ""}


def _episodes(record: str, label: str, episodes: Sequence[Episode]) -> Table:
    """When the longest episodes of a recording begin and end."""
    longest = sorted(sorted(episodes, key=lambda episode: -episode.seconds)[:EPISODES], key=lambda e: e.start)
    which = "" if len(longest) == len(episodes) else f" (the {EPISODES} longest of {len(episodes)}; --json has all)"
    clock = ["from", "to"] if any(e.start_time for e in longest) else []
    table = new_table(
        "start",
        "end",
        "duration",
        "beats/min",
        f"p({label})",
        *clock,
        title=f"{record}: episodes of {FIBRILLATION}{which}",
    )
    for e in longest:
        lengths = (duration(seconds) for seconds in (e.start, e.end, e.seconds))
        rate = "" if e.heart_rate is None else f"{e.heart_rate:.0f}"
        table.add_row(
            *lengths, rate, f"{e.probability:.2f}", *([e.start_time or "", e.end_time or ""] if clock else [])
        )
    return table


def print_json(answers: Iterable[tuple[Path, Prediction | Timeline]]) -> None:
    """Print answers as one JSON array, a line for each as it comes."""
    _write_json(sys.stdout, (content_of(JSON, path, answer) for path, answer in answers))


def print_csv(classes: list[str], answers: Iterable[tuple[Path, Prediction | Timeline]]) -> None:
    """Print answers as CSV, a line for each as it comes."""
    _write_csv(sys.stdout, classes, (content_of(CSV, path, answer) for path, answer in answers))


def note_passed_over(suffixes: Counter[str]) -> None:
    """Say how many files in folders are no ECG files, by suffix, the most frequent first."""
    if not suffixes:
        return
    kinds = sorted(suffixes.items(), key=lambda pair: (-pair[1], pair[0]))
    said = [f"{count} {suffix or 'without suffix'}" for suffix, count in kinds[:SUFFIXES]]
    if others := sum(count for _, count in kinds[SUFFIXES:]):
        said.append(f"{others} others")
    number = suffixes.total()
    note(f"passed over {number} file{'s' * (number > 1)}: {', '.join(said)}")
