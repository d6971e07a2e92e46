"""CSV, TSV and other text with a row per sample, such as the ECGs that Apple Health exports."""

from __future__ import annotations

import csv
import io
import re
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.arrays import recording_of_arrays
from ecg_rhythm.records.formats import headers, titles
from ecg_rhythm.records.formats.layouts import (
    ARROW,
    COMMENT,
    DAY,
    MISSING,
    NUMBER,
    Layout,
    fields_of,
    has_content,
    layout_of,
)
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.personal import is_personal
from ecg_rhythm.records.recording import Recording
from ecg_rhythm.records.tables import Table, recording_of_table

if TYPE_CHECKING:
    import pandas as pd

HEAD = 65_536
"""First bytes of a file, by which its layout is judged."""
WIDE = 200
"""From this many columns on, each line may be a lead; it is one if there are fewer lines than columns."""
HALF_DAY = 43_200.0
"""In s; after this time, clocks of twelve hours begin again."""
YEAR_FIRST = re.compile(r"\d{4}[-./]")
DAY_OF_YEAR = re.compile(r"^(\d{4}).(\d\d?).(\d\d?)")
ZONE = re.compile(r"\s{0,9}[A-Za-z]{3,9}$")
BEFORE_CLOCK = re.compile(f"^{DAY}")
LONGEST_TIME = 60
"""Letters of a date with its time of day."""
END_OF_LINE, CUT_FIELD = re.compile(r"\r\n|\n|\r"), re.compile(r"^[^,;|\s]*[,;|\s]+")
"""What ends a line; a field and what stands before it, in a line read backwards."""
KEY = re.compile(r"^[^\W\d][^:=,;\t]*[:=,;\t]")
MOST_WORDS = 0.2
"""Share of the rows that may hold a word in place of a number; these are gaps."""
LEAST_HEADER, LEAST_KEY = 3, 5
"""Least number of lines of a header, and of letters in its first key, for it to be searched for further below."""


def open_text(path: Path, options: ReadOptions) -> Recording:
    """Open a table of numbers, and detect its delimiter, decimal sign, header, times, rate and unit."""
    lines, encoding = _head(path)
    if (named := _leads_with_names(path, lines, encoding)) is not None:
        return recording_of_arrays(named, path.stem, options, str(path))
    layout = layout_of(lines)
    if layout is None:
        raise BadInput(f"{path}: there are no lines of numbers in this text file; give one with a row per sample")
    around = " " if layout.delimiter == "\t" else None  # a tab at an end is an empty field
    header = [line.lstrip("#% ").strip(around) for line in lines[: layout.start]]
    if layout.columns >= WIDE and (leads := _leads_in_lines(path, layout, encoding)) is not None:
        fs, _ = headers.rate(header)
        return recording_of_arrays({"signal": leads}, path.stem, options, str(path), fs, headers.unit(header))
    remarks = list(layout.remarks)
    block = _rows_of_first_block(path, lines, layout, encoding)
    if block is not None:
        remarks.append("its header comes again: only the part before is read; save its parts as separate files")

    def column(position: int, rows: int | None) -> NDArray[np.float64]:
        values, words = _column(path, layout, encoding, position, block if rows is None else rows)
        if words and words not in remarks:
            remarks.append(words)
        return values

    fs, perhaps = headers.rate(header)
    impersonal = [line for line in header if line and ("{" in line or not is_personal(line))]
    names = titles.names(impersonal, layout)
    table = Table(
        names, column, layout.fs if fs is None else fs, perhaps, headers.unit(header), headers.lead(impersonal), remarks
    )
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
    lines = END_OF_LINE.split(text)
    if not is_all:
        last = lines.pop()  # which is cut off
        if len(last) > HEAD // 2:  # all of a lead may be in one line
            end = CUT_FIELD.match(last[::-1])
            lines.append(last[: len(last) - (end.end() if end else 0)])
    return lines, encoding


def _leads_with_names(path: Path, lines: list[str], encoding: str) -> dict[str, NDArray[np.float64]] | None:
    """The leads of a file that has one in each line, after its name; None if its lines are not so."""
    first = next((line for line in lines if has_content(line)), "")
    pattern = NUMBER["."]
    for delimiter in (",", ";", "\t", None):
        name, *numbers = fields_of(first, delimiter) or [""]
        if len(numbers) >= WIDE and not pattern.fullmatch(name) and all(map(pattern.fullmatch, numbers)):
            break
    else:
        return None
    leads = {}
    with path.open(encoding=encoding, errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                name, *values = fields_of(line, delimiter)
                leads[name] = np.array([np.nan if field.lower() in MISSING else field for field in values], dtype=float)
            except (ValueError, csv.Error):
                raise BadInput(
                    f"{path}, line {number}: it does not hold a name and numbers alone; correct it"
                ) from None
    return leads


def _leads_in_lines(path: Path, layout: Layout, encoding: str) -> NDArray[np.float64] | None:
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
        rows = [fields_of(line, layout.delimiter) for line in lines]
        plain = [[missing.get(field.lower(), field.replace(layout.decimal, ".")) for field in row] for row in rows]
        return np.array(plain, dtype=np.float64)
    except (ValueError, csv.Error):
        raise BadInput(f"{path}: its lines do not have equally many numbers; correct them") from None


def _rows_of_first_block(path: Path, lines: list[str], layout: Layout, encoding: str) -> int | None:
    """How many rows there are before the header comes again, as where a recording was stopped; None if it does not."""
    key = KEY.match(lines[0]) if layout.start >= LEAST_HEADER else None
    if key is None or len(key[0]) < LEAST_KEY or sum(line.startswith(key[0]) for line in lines[: layout.start]) > 1:
        return None
    rows = 0
    with path.open(encoding=encoding, errors="replace") as file:
        for line in islice(file, layout.start, None):
            if line.startswith(key[0]):
                return rows
            rows += bool(line.strip())
    return None


def _column(
    path: Path, layout: Layout, encoding: str, position: int, rows: int | None
) -> tuple[NDArray[np.float64], str | None]:
    """A column's numbers, or its times as seconds since the first, and a remark on words in place of numbers."""
    import pandas as pd  # slow to load

    def read(kind: type[str] | type[np.float64]) -> pd.Series[Any]:
        with path.open(encoding=encoding, errors="replace") as file:
            # Not by `skiprows`, with which a quote in a header may begin a field of many lines.
            for _ in range(layout.start):
                file.readline()
            separator, source = _for_pandas(layout, file)
            table = pd.read_csv(
                source, sep=separator, decimal=layout.decimal, header=None, nrows=rows,
                usecols=[position], skipinitialspace=True, na_values=list(MISSING), dtype=kind,
                skip_blank_lines=not layout.has_gaps, comment=COMMENT,
            )  # fmt: skip
        column: pd.Series[Any] = table.iloc[:, 0]
        return column

    try:
        return np.asarray(read(np.float64), dtype=np.float64), None
    except ValueError:
        pass
    except (OSError, MemoryError, OverflowError) as error:
        raise BadInput(f"{path}: it cannot be read: {error}") from None
    try:
        words = read(str).fillna("").str.strip("'\" ")
        if position in layout.clocks:
            return _seconds(words), None
        is_number = NUMBER[layout.decimal].fullmatch
        wrong = words.map(lambda word: not is_number(word) and word.lower() not in MISSING)
        first, count = int(np.flatnonzero(wrong)[0]), int(wrong.sum())
        if count <= MOST_WORDS * len(words):
            numbers = words.where(~wrong, "nan").str.replace(layout.decimal, ".")
            remark = f"{count} of its {len(words)} rows taken as gaps, as they hold words"
            return np.asarray(pd.to_numeric(numbers, errors="coerce"), dtype=np.float64), remark
    except (OSError, ValueError, IndexError, MemoryError, OverflowError):
        raise BadInput(f"{path}: some of its lines are not rows of {layout.columns} numbers; correct them") from None
    raise BadInput(f"{path}, line {layout.start + first + 1}: it holds a word in place of a number; correct it")


def _for_pandas(layout: Layout, file: IO[str]) -> tuple[str, IO[str]]:
    """A separator that pandas knows, and the rows of a file written with it."""
    if layout.delimiter == ARROW:
        return "\t", io.StringIO(file.read().replace(ARROW, "\t"))
    if layout.delimiter is None and layout.clocks:
        return "\t", io.StringIO("\n".join("\t".join(fields_of(line, None)) for line in file))
    return layout.delimiter or r"\s+", file


def _seconds(words: pd.Series[Any]) -> NDArray[np.float64]:
    """Times of day, with or without a date, as seconds since the first."""
    import pandas as pd

    words = words.str.strip("[]").str.slice(0, LONGEST_TIME)
    if words.map(lambda word: YEAR_FIRST.match(word) is not None).all():
        # ISO 8601 knows neither slashes nor names of time zones.
        iso = words.map(lambda word: ZONE.sub("", DAY_OF_YEAR.sub(r"\1-\2-\3", word)))
        moments = pd.to_datetime(iso, format="ISO8601", utc=True)
        return np.asarray((moments - moments.iloc[0]).dt.total_seconds(), dtype=np.float64)
    clocks = words.map(lambda word: BEFORE_CLOCK.sub("", word)).str.split(" ").str[0].str.replace(",", ".")
    short = clocks.str.count(":") == 1
    passed = np.asarray(pd.to_timedelta(clocks.where(~short, "0:" + clocks)).dt.total_seconds(), dtype=np.float64)
    # A clock begins again at midnight, or at noon if it has twelve hours.
    steps = np.diff(passed, prepend=passed[:1])
    restarts = np.where(steps < -HALF_DAY / 2, np.rint(-steps / HALF_DAY) * HALF_DAY, 0.0)
    return np.asarray(passed - passed[0] + np.cumsum(restarts), dtype=np.float64)
