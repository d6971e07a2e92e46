"""A table of labels, as people write it: record -> label."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path, PurePosixPath

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.formats import known_suffixes
from ecg_rhythm.schema import read_text

DELIMITERS = (",", ";", "\t")
RECORD = frozenset(
    {"record", "records", "recording", "recordname", "file", "filename", "filepath", "path", "name", "id"}
)
LABEL = frozenset({"label", "labels", "class", "rhythm", "diagnosis", "target", "annotation", "category"})
"""Letters in the names of the column of recordings, and of that of labels."""
SIGNAL_FILE = ".dat"
NO_LETTERS, NO_WORD = re.compile(r"[^a-z]+"), re.compile(r"[\W_]+")


def read_labels(path: Path) -> dict[str, str]:
    """Read a table with a recording and its label in each line, separated by commas, semicolons or tabs.

    A first line may name the columns; those that are neither recordings nor labels are then passed over. Recordings may
    be named with folder and suffix.

    Raises
    ------
    BadInput
        If the file is missing or empty, or a line is not of this form or repeats a record.
    """
    rows = _rows(path)
    titles = [NO_LETTERS.sub("", cell.lower()) for cell in rows[0][1]] if rows else []
    records, labels = ([i for i, title in enumerate(titles) if title in words] for words in (RECORD, LABEL))
    has_header = bool(records and labels)
    record, label = (records[0], labels[0]) if has_header else (0, 1)
    of_record: dict[str, str] = {}
    for number, cells in rows[has_header:]:
        columns = len(titles) if has_header else 2
        if len(cells) != columns or not all(cells[i] and cells[i].isprintable() for i in (record, label)):
            more = "" if has_header or len(cells) < 3 else ", as no first line names the columns"
            raise BadInput(
                f"{path}, line {number}: expected `record,label`{more}, found {','.join(cells)!r}; correct this line"
            )
        name = _plain(cells[record])
        if name in of_record:
            raise BadInput(f"{path}, line {number}: record {name} is listed twice; remove one of the lines")
        of_record[name] = cells[label]
    if not of_record:
        raise BadInput(f"{path}: there are no labels in it; write a line `record,label` for each recording")
    return of_record


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The lines that are not empty, with their numbers, as cells; the delimiter divides all lines alike."""
    text = read_text(path)
    tables = []
    try:
        for delimiter in DELIMITERS:
            lines = enumerate(csv.reader(io.StringIO(text), delimiter=delimiter), start=1)
            rows = [(number, [cell.strip() for cell in row]) for number, row in lines]
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
