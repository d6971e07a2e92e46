"""CSV, TSV and other text with a row per sample, such as the ECGs that Apple Health exports."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.arrays import recording_of_arrays
from ecg_rhythm.records.formats import headers
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.rates import SECONDS
from ecg_rhythm.records.recording import Recording
from ecg_rhythm.records.tables import Table, recording_of_table
from ecg_rhythm.records.units import MILLIVOLTS

if TYPE_CHECKING:
    import pandas as pd

HEAD = 65_536
"""First bytes of a file, by which its layout is judged."""
JUDGED = 40
"""Lines of numbers by which a layout is judged."""
WIDE = 200
"""From this many columns on, each line may be a lead; it is one if there are fewer lines than columns."""
LAYOUTS = (
    (";", ","),
    (";", "."),
    ("\t", ","),
    ("\t", "."),
    (",", "."),
    ("|", "."),
    (",", ","),
    (None, ","),
    (None, "."),
)
"""Layouts that are tried: delimiter (None: spaces) and decimal sign."""
COMMENT = "#"
HALF_DAY = 43_200.0
"""In s; after this time, clocks of twelve hours begin again."""
MISSING = ("", "-", "*", "na", "nan", "null", "none", "inf", "-inf")
NUMBER = {".": r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", ",": r"[-+]?(\d+,?\d*|,\d+)([eE][-+]?\d+)?"}
DATE = r"(?:\d\d?[-./](?:\d\d?|[A-Za-z]{3})[-./](?:\d{4}|\d\d)|\d{4}[-./]\d\d?[-./]\d\d?)"
DAY = rf"(?:{DATE}[ ,T]+|\d+ days? )"
CLOCK = re.compile(rf"\[?{DAY}?(\d+:)?(\d+):(\d\d)([.,]\d+)?([ ].*)?(Z|[-+]\d\d:?\d\d)?\]?|{DATE}")
"""Times of day, with or without a date, and dates alone, which tell no rate."""
YEAR_FIRST = r"\d{4}[-./]"


@dataclass(frozen=True)
class _Layout:
    """How a text file writes its table."""

    delimiter: str | None
    decimal: str
    start: int
    """First line of numbers."""
    columns: int
    clocks: frozenset[int] = frozenset()
    """Columns of times of day."""
    has_gaps: bool = False
    """Whether an empty line is a missing sample: in a table of one column, unless every other line is empty."""


def open_text(path: Path, options: ReadOptions) -> Recording:
    """Open a table of numbers, and detect its delimiter, decimal sign, header, times, rate and unit."""
    lines, encoding = _head(path)
    layout = _layout(lines)
    if layout is None:
        last = next((line.strip() for line in reversed(lines) if _has_content(line)), "")
        end = f" (it ends with {last[:40]!r})" if last else ""
        raise BadInput(f"{path}: there are no lines of numbers in this text file{end}; give one with a row per sample")
    around = " " if layout.delimiter == "\t" else None  # a tab at an end is an empty field
    header = [line.lstrip("#% ").strip(around) for line in lines[: layout.start]]
    if layout.columns >= WIDE and (leads := _leads_in_lines(path, layout, encoding)) is not None:
        fs, _ = headers.rate(header)
        return recording_of_arrays({"signal": leads}, path.stem, options, str(path), fs, headers.unit(header))

    def column(position: int, rows: int | None) -> NDArray[np.float64]:
        return _column(path, layout, encoding, position, rows)

    names = _names(header, layout)
    table = Table(names, column, *headers.rate(header), headers.unit(header), headers.lead(header))
    return recording_of_table(table, path.stem, options, str(path))


def _head(path: Path) -> tuple[list[str], str]:
    """The first lines of a file, and its encoding."""
    with path.open("rb") as file:
        begin = file.read(HEAD)
        is_all = not file.read(1)
    encoding = "utf-16" if begin[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = begin.decode(encoding, errors="strict" if is_all else "ignore")
    except UnicodeDecodeError:
        encoding = "latin-1"
        text = begin.decode(encoding)
    if "\0" in text or "\ufffd" in text:
        raise BadInput(
            f"{path}: unknown format; it is neither text nor a known ECG format; save it as WFDB, EDF or CSV"
        )
    lines = re.split(r"\r\n|\n|\r", text)
    if not is_all:
        last = lines.pop()  # which is cut off
        if len(last) > HEAD // 2:  # all of a lead may be in one line
            lines.append(re.sub(r"[,;|\s]+[^,;|\s]*$", "", last))
    return lines, encoding


def _layout(lines: list[str]) -> _Layout | None:
    """The layout in which lines are rows of numbers; of several, the one with the shortest header and most columns."""
    if not any(line.strip() for line in lines):
        return None
    possible = [layout for delimiter, decimal in LAYOUTS if (layout := _rows(lines, delimiter, decimal)) is not None]
    if not possible:
        return None
    first = min(layout.start for layout in possible)
    best = max((layout for layout in possible if layout.start == first), key=lambda layout: layout.columns)
    if best.delimiter == "," and _has_decimal_commas(lines, best):
        return next((layout for layout in possible if (layout.delimiter, layout.decimal) == (None, ",")), best)
    return best


def _rows(lines: list[str], delimiter: str | None, decimal: str) -> _Layout | None:
    """A layout, if some dozens of lines, or all up to the last, are rows of equally many numbers in it."""
    last = next((line for line in reversed(lines) if _has_content(line)), "")
    if not _is_row(_fields(last, delimiter), decimal):
        return None
    start = columns = rows = 0
    for i, line in enumerate(lines):
        if not _has_content(line):
            continue
        fields = _fields(line, delimiter)
        if not _is_row(fields, decimal):
            rows = 0
        elif rows and len(fields) == columns:
            rows += 1
        else:
            start, columns, rows = i, len(fields), 1
        if rows == JUDGED:
            break
    first = _fields(lines[start], delimiter)
    clocks = frozenset(i for i, field in enumerate(first) if CLOCK.fullmatch(field.strip("'")))
    empty = sum(not line.strip() for line in lines[start:])
    return _Layout(delimiter, decimal, start, columns, clocks, columns == 1 and 3 * empty < len(lines) - start)


def _has_content(line: str) -> bool:
    """Whether a line is neither empty nor a comment."""
    return bool(line.strip()) and line[0] != COMMENT


def _has_decimal_commas(lines: list[str], layout: _Layout) -> bool:
    """Whether two columns of whole numbers are one column of numbers with a decimal comma, such as 12,05 or 7,50."""
    title = lines[max(layout.start - 1, 0) : layout.start]
    if layout.columns != 2 or any(len(_fields(line, ",")) == 2 for line in title):
        return False
    second = [_fields(line, ",")[1] for line in lines[layout.start : layout.start + JUDGED] if line.strip()]
    return all(field.isdecimal() for field in second) and any(len(field) > 1 and field[0] == "0" for field in second)


def _fields(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.replace('"', "").split()
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _is_row(fields: list[str], decimal: str) -> bool:
    """Whether fields are numbers, except for missing ones and times of day."""
    numbers = [bool(re.fullmatch(NUMBER[decimal], field)) for field in fields]
    rest = [field for field, number in zip(fields, numbers, strict=True) if not number]
    if not any(numbers):
        return bool(fields) and fields[0].lower() in MISSING[1:] and all(field.lower() in MISSING for field in fields)
    return all(field.lower() in MISSING or CLOCK.fullmatch(field.strip("'")) for field in rest)


def _leads_in_lines(path: Path, layout: _Layout, encoding: str) -> NDArray[np.float64] | None:
    """The leads of a file that has one in each line, shape (leads, samples); None if there are more lines.

    Raises
    ------
    BadInput
        If the lines are not as many numbers each.
    """
    with path.open(encoding=encoding, errors="replace") as file:
        below = (line for line in islice(file, layout.start, None) if line.strip())
        lines = list(islice(below, layout.columns))
    if len(lines) == layout.columns:
        return None
    missing = dict.fromkeys(MISSING, "nan")
    try:
        rows = [_fields(line, layout.delimiter) for line in lines]
        plain = [[missing.get(field.lower(), field.replace(layout.decimal, ".")) for field in row] for row in rows]
        return np.array(plain, dtype=np.float64)
    except (ValueError, csv.Error):
        raise BadInput(f"{path}: its lines do not have equally many numbers; correct them") from None


def _names(header: list[str], layout: _Layout) -> list[str]:
    """The columns' names, each with its unit if a line of units follows; times of day are in seconds."""
    names = _titles([line for line in header if line], layout)
    return ["time (s)" if i in layout.clocks else name for i, name in enumerate(names)]


def _titles(header: list[str], layout: _Layout) -> list[str]:
    """The columns' names as the header's last lines give them; empty ones if it gives none."""
    rows = [[field.strip("'\" ") for field in _fields(line, layout.delimiter)] for line in header]
    rows = [["", *row[1:]] if row[0].lower() == "channeltitle=" else row for row in rows]
    rows = [_of_columns(row, layout.columns) for row in rows if not row[0].endswith(("=", ":"))][-2:]
    rows = [row for row in rows if len(row) == layout.columns]
    if not rows or (layout.columns == 1 and header and _is_key(header[-1])):
        return [""] * layout.columns
    units = [field.strip("()[] ") for field in rows[-1]]
    known = MILLIVOLTS.keys() | SECONDS.keys() | {"", "hh:mm:ss.mmm", "sample #"}
    if len(rows) == 2 and all(unit.lower() in known for unit in units):
        return [f"{name} ({unit})" if unit else name for name, unit in zip(rows[0], units, strict=True)]
    return rows[-1]


def _is_key(line: str) -> bool:
    """Whether a header's line is a key and its value rather than a name."""
    return re.search(r"[:=,;\t]", line) is not None or headers.rate([line]) != (None, None)


def _of_columns(row: list[str], columns: int) -> list[str]:
    """A row of names, fitted to the columns if only empty fields at its end are too many, or one is too few."""
    while len(row) > columns and not row[-1]:
        row = row[:-1]
    return [*row, ""] if len(row) == columns - 1 > 1 else row


def _column(path: Path, layout: _Layout, encoding: str, position: int, rows: int | None) -> NDArray[np.float64]:
    """A column's numbers, or its times as seconds since the first."""
    import pandas as pd  # slow to load

    def read(kind: type[str] | type[np.float64]) -> pd.Series[Any]:
        with path.open(encoding=encoding, errors="replace") as file:
            # Not by `skiprows`, with which a quote in a header may begin a field of many lines.
            for _ in range(layout.start):
                file.readline()
            table = pd.read_csv(
                file, sep=layout.delimiter or r"\s+", decimal=layout.decimal, header=None, nrows=rows,
                usecols=[position], skipinitialspace=True, na_values=list(MISSING), dtype=kind,
                skip_blank_lines=not layout.has_gaps, comment=COMMENT,
            )  # fmt: skip
        column: pd.Series[Any] = table.iloc[:, 0]
        return column

    try:
        return np.asarray(read(np.float64), dtype=np.float64)
    except ValueError:
        pass
    except (OSError, MemoryError, OverflowError) as error:
        raise BadInput(f"{path}: it cannot be read: {error}") from None
    try:
        words = read(str).fillna("").str.strip("'\" ")
        if position in layout.clocks:
            return _seconds(words)
        wrong = ~words.str.fullmatch(NUMBER[layout.decimal]) & ~words.str.lower().isin(MISSING)
        first = int(np.flatnonzero(wrong)[0])
    except (OSError, ValueError, IndexError, MemoryError, OverflowError):
        raise BadInput(f"{path}: some of its lines are not rows of {layout.columns} numbers; correct them") from None
    raise BadInput(f"{path}, line {layout.start + first + 1}: {words[first][:40]!r} is not a number; correct this line")


def _seconds(words: pd.Series[Any]) -> NDArray[np.float64]:
    """Times of day, with or without a date, as seconds since the first."""
    import pandas as pd

    words = words.str.strip("[]")
    if words.str.match(YEAR_FIRST).all():
        # ISO 8601 knows neither slashes nor names of time zones.
        iso = words.str.replace(r"^(\d{4}).(\d\d?).(\d\d?)", r"\1-\2-\3", regex=True)
        moments = pd.to_datetime(iso.str.replace(r"\s*[A-Za-z]{3,}$", "", regex=True), format="ISO8601", utc=True)
        return np.asarray((moments - moments.iloc[0]).dt.total_seconds(), dtype=np.float64)
    clocks = words.str.replace(f"^{DAY}", "", regex=True).str.split(" ").str[0].str.replace(",", ".")
    short = clocks.str.count(":") == 1
    passed = np.asarray(pd.to_timedelta(clocks.where(~short, "0:" + clocks)).dt.total_seconds(), dtype=np.float64)
    # A clock begins again at midnight, or at noon if it has twelve hours.
    steps = np.diff(passed, prepend=passed[:1])
    restarts = np.where(steps < -HALF_DAY / 2, np.rint(-steps / HALF_DAY) * HALF_DAY, 0.0)
    return np.asarray(passed - passed[0] + np.cumsum(restarts), dtype=np.float64)
