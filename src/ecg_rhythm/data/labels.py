"""A table of labels, as people write it: recordings, or parts of them, and the label of each."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite
from pathlib import Path, PurePosixPath

from ecg_rhythm.errors import BadInput
from ecg_rhythm.printable import csv_text
from ecg_rhythm.records.formats import known_suffixes
from ecg_rhythm.schema import read_text

DELIMITERS = (",", ";", "\t")
TITLES = {
    "record": frozenset(
        {"record", "records", "recording", "recordname", "file", "filename", "filepath", "path", "name", "id"}
    ),
    "label": frozenset({"label", "labels", "class", "rhythm", "diagnosis", "target", "annotation", "category"}),
    "start": frozenset({"start", "starts", "startseconds"}),
    "end": frozenset({"end", "ends", "endseconds"}),
    "group": frozenset({"group", "groups", "patient", "patients", "patientid", "subject", "subjects", "subjectid"}),
}
"""What a column holds -> letters in its name."""
SIGNAL_FILE = ".dat"
NO_LETTERS, NO_WORD = re.compile(r"[^a-z]+"), re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Label:
    """The label of a recording, or of a part of it.

    Attributes
    ----------
    record : str
        Name of the recording, without folder and suffix.
    label : str
        Its class.
    line : int
        Line of the table.
    start, end : float
        The labelled part in s; 0 and infinity for all of it.
    group : str
        Recordings of one group, such as those of a patient, stay together when a data set is divided.
    """

    record: str
    label: str
    line: int
    start: float = 0.0
    end: float = inf
    group: str = ""

    @property
    def name(self) -> str:
        """Name of the labelled part as a recording of its own."""
        return self.record if self.end == inf else f"{self.record}_{_decimal(self.start)}-{_decimal(self.end)}"


def read_labels(path: Path, report: Callable[[str], None] = lambda line: None) -> list[Label]:
    """Read a table of labels, separated by commas, semicolons or tabs.

    Each line has a recording and its label. A first line may name these columns, and others: start and end of the part
    in s that the label is for (both empty for a whole recording), and a group or patient. Recordings may be named with
    folder and suffix.

    Parameters
    ----------
    path : Path
        The table.
    report : callable
        Called with a line about columns that are passed over.

    Raises
    ------
    BadInput
        If the file is missing or empty, a line is not of this form, or two lines are about the same part of a
        recording.
    """
    rows = _rows(path)
    titles = [NO_LETTERS.sub("", cell.lower()) for cell in rows[0][1]] if rows else []
    columns = {kind: i for kind, words in TITLES.items() for i in range(len(titles))[::-1] if titles[i] in words}
    has_header = {"record", "label"} <= columns.keys()
    if not has_header:
        columns = {"record": 0, "label": 1}
    elif others := [cell for i, cell in enumerate(rows[0][1]) if i not in columns.values()]:
        report(f"{path}: passed over its columns {', '.join(map(repr, others))}")
    if ("start" in columns) != ("end" in columns):
        raise BadInput(f"{path}: it has a column of starts or of ends alone; give both, in s, or none")
    labels = []
    for number, cells in rows[has_header:]:
        named = {kind: cells[i] for kind, i in columns.items() if i < len(cells)}
        expected = len(titles) if has_header else 2
        if len(cells) != expected or not all(named[kind] and named[kind].isprintable() for kind in ("record", "label")):
            more = "" if has_header or len(cells) < 3 else ", as no first line names the columns"
            # Of more cells, one may hold a patient's name.
            found = repr(",".join(cells)) if max(len(cells), expected) <= 2 else f"{len(cells)} cells"
            if len(cells) == expected > 2:
                found = "a record or a label that is empty or cannot be shown"
            raise BadInput(f"{path}, line {number}: expected `record,label`{more}, found {found}; correct this line")
        start, end = _part(named.get("start", ""), named.get("end", ""), f"{path}, line {number}")
        labels.append(Label(_plain(named["record"]), named["label"], number, start, end, named.get("group", "")))
    if not labels:
        raise BadInput(f"{path}: there are no labels in it; write a line `record,label` for each recording")
    _check_overlap(path, labels)
    return labels


def _part(start: str, end: str, where: str) -> tuple[float, float]:
    """Start and end in s, of their cells; a comma may be the decimal point."""
    if not start and not end:
        return 0.0, inf
    try:
        first, last = (float(cell.replace(",", ".")) for cell in (start, end))
    except ValueError:
        first = last = 0.0
    if not (0 <= first < last and isfinite(last)):
        raise BadInput(
            f"{where}: {start!r} to {end!r} is no part of a recording; give its start and end in s, or leave both empty"
        )
    return first, last


def _check_overlap(path: Path, labels: list[Label]) -> None:
    """Check that no part of a recording is labelled twice."""
    for one, other in pairwise(sorted(labels, key=lambda label: (label.record, label.start, label.end))):
        if one.record == other.record and other.start < one.end:
            first, second = sorted([one.line, other.line])
            if one.end == other.end == inf:
                raise BadInput(f"{path}, line {second}: record {one.record} is listed twice; remove one of the lines")
            raise BadInput(
                f"{path}: lines {first} and {second} label the same part of record {one.record}; correct one of them"
            )


def _decimal(seconds: float) -> str:
    """Write seconds to the ms, without zeros at the end."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The lines that are not empty, with their numbers, as cells; the delimiter divides all lines alike."""
    text = read_text(path)
    tables = []
    try:
        for delimiter in DELIMITERS:
            lines = enumerate(csv.reader(io.StringIO(text), delimiter=delimiter), start=1)
            rows = [(number, [csv_text(cell.strip()) for cell in row]) for number, row in lines]
            tables.append([(number, cells) for number, cells in rows if any(cells)])
    except csv.Error as error:
        raise BadInput(f"{path}: this is not a CSV file ({error}); write a line `record,label` for each") from None
    alike = [rows for rows in tables if rows and {len(cells) for _, cells in rows} == {max(len(rows[0][1]), 2)}]
    return next(iter(alike), max(tables, key=lambda rows: sum(len(cells) > 1 for _, cells in rows)))


def _plain(name: str) -> str:
    """The name of a recording without folder and suffix."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.stem if path.suffix.lower() in known_suffixes() | {SIGNAL_FILE} else path.name


def spelled_alike(classes: list[str]) -> list[list[str]]:
    """Classes whose names differ in upper and lower case or in spaces alone."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(NO_WORD.sub("", name.casefold()) or name, []).append(name)
    return [group for group in groups.values() if len(group) > 1]
