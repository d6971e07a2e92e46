"""CSV, TSV and other text with a row per sample, such as the ECGs that Apple Health exports."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import clock
from ecg_rhythm.records.arrays import recording_of_arrays
from ecg_rhythm.records.clock import Start
from ecg_rhythm.records.decoding import decoded
from ecg_rhythm.records.formats import headers, titles, withings
from ecg_rhythm.records.formats.cells import numbers_of, seconds_of
from ecg_rhythm.records.formats.fields import (
    ARROW,
    COMMENT,
    MISSING,
    NUMBER,
    fields_of,
    has_content,
    is_clock,
    is_missing,
    row_of,
)
from ecg_rhythm.records.formats.layouts import FEWEST, JUDGED, Layout, layout_of
from ecg_rhythm.records.leads import is_lead
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.personal import says_who
from ecg_rhythm.records.recording import Recording
from ecg_rhythm.records.tables import Table, recording_of_table

if TYPE_CHECKING:
    import pandas as pd

HEAD = 65_536
"""First bytes of a file, by which its layout is judged."""
WIDE = 200
"""From this many columns on, each line may be a lead; it is one if there are fewer lines than columns."""
END_OF_LINE, CUT_FIELD = re.compile(r"\r\n|\n|\r"), re.compile(r"^[^,;|\s]*[,;|\s]+")
"""What ends a line; a field and what stands before it, in a line read backwards."""
WFDB_SIGNAL = re.compile(r"\S{1,255}\.(?:dat|mat) \d")
"""A line of a WFDB header that names a signal file."""
KEY = re.compile(r"^[^\W\d][^:=,;\t]*[:=,;\t]")
NAMED_CELL = re.compile(r"([^\W\d][^:=,;\t]{0,60})[:=] ?([-+]?\d+(?:\.\d*)?)")
NAMED_ROW = re.compile(rf"{NAMED_CELL.pattern}(?:[,;\t ] ?{NAMED_CELL.pattern}){{0,63}}")
LONGEST_PLOTTED = 2000
"""A cell of Arduino's serial plotter, such as ecg:512, a row of them, and its length."""
MOST_WORDS = 0.2
"""Share of the rows that may hold a word in place of a number; these are gaps."""
LEAST_HEADER, LEAST_KEY = 3, 5
"""Least number of lines of a header, and of letters in its first key, for it to be searched for further below."""


def open_text(path: Path, options: ReadOptions) -> Recording:
    """Open a table of numbers, and detect its delimiter, decimal sign, header, times, rate and unit."""
    lines, encoding = _head(path)
    if withings.is_export(lines[0]):
        return withings.open_export(path, encoding, options)
    if (named := _leads_with_names(path, lines, encoding)) is not None:
        return recording_of_arrays(named, path.stem, options, str(path))
    if (table := _of_plotter(path, lines, encoding)) is not None:
        return recording_of_table(table, path.stem, options, str(path))
    layout = layout_of(lines)
    if layout is None:
        if any(WFDB_SIGNAL.match(line) for line in lines):
            raise BadInput(f"{path}: this is the header of a WFDB record; call it .hea, and give its signal file, too")
        raise BadInput(f"{path}: there are no lines of numbers in this text file; give one with a row per sample")
    around = " " if layout.delimiter == "\t" else None  # a tab at an end is an empty field
    header = [line.lstrip("#% ").strip(around) for line in lines[: layout.start]]
    if layout.columns >= WIDE and (leads := _leads_in_lines(path, layout, encoding)) is not None:
        fs, _ = headers.rate(header)
        return recording_of_arrays({"signal": leads}, path.stem, options, str(path), fs, headers.unit(header))
    remarks, words = list(layout.remarks), dict[int, str]()
    block = _rows_of_first_block(path, lines, layout, encoding)
    if block is not None:
        remarks.append("its header comes again: only the part before is read; save its parts as separate files")

    def column(position: int, rows: int | None) -> NDArray[np.float64]:
        values, said = _column(path, layout, encoding, kept[position], block if rows is None else rows)
        if said:
            words[position] = said
        return values

    fs, perhaps = headers.rate(header)
    impersonal = titles.impersonal(header, layout)
    names = titles.names(impersonal, layout)
    text = {names[i] or f"column {i + 1}": _cells(lines, layout, i) for i in layout.text}
    columns = layout.columns
    while columns > 1 and not is_lead(names[columns - 1]) and not _cells(lines, layout, columns - 1):
        columns -= 1  # a delimiter at the end of each line
    clocks = frozenset(i for i in layout.clocks if not says_who(names[i]))
    kept = [i for i in range(columns) if i not in layout.text | layout.clocks or i in clocks]
    _check_one_lead(path, text)
    table = Table(
        ["time (s)" if position in clocks else names[position] for position in kept],
        column,
        layout.fs if fs is None else fs,
        perhaps,
        headers.unit(header),
        headers.lead(impersonal),
        remarks,
        words,
        list(text),
        clock.started(_sayings(impersonal)) or _first_clock(lines, layout, clocks),
    )
    return recording_of_table(table, path.stem, options, str(path))


def _sayings(header: list[str]) -> list[str]:
    """A header's lines; in place of a line of JSON, what it says, key by key."""
    said = [f"{key}: {value}" for key, value in headers.structure(header).items()]
    return [*(line for line in header if "{" not in line), *said]


def _first_clock(lines: list[str], layout: Layout, clocks: Collection[int]) -> Start | None:
    """When the first row was taken, by its cells in columns of dates and clocks."""
    rows = (row_of(line, layout.delimiter) for line in lines[layout.start :] if has_content(line))
    first = next(rows, [])
    return clock.of_cells([first[i] for i in sorted(clocks) if i < len(first)])


def _cells(lines: list[str], layout: Layout, position: int) -> set[str]:
    """What a column holds in the first rows of a file."""
    rows = (row_of(line, layout.delimiter) for line in lines[layout.start :] if has_content(line))
    return {row[position] for row in rows if position < len(row) and not is_missing(row[position])}


def _check_one_lead(path: Path, text: dict[str, set[str]]) -> None:
    """Check that no column of text tells leads apart that stand below each other."""
    for name, cells in text.items():
        if len(cells) > 1 and all(map(is_lead, cells)):
            raise BadInput(f"{path}: its column {name} names several leads below each other; save each as its own file")


def _of_plotter(path: Path, lines: list[str], encoding: str) -> Table | None:
    """A table whose every cell is a name and a number, as for Arduino's serial plotter; None if it is not so."""
    names = [[name for name, _ in _named_cells(line)] for line in lines if line.strip()][-JUDGED:]
    if len(names) < FEWEST or not names[-1] or any(row != names[-1] for row in names):
        return None

    def column(position: int, rows: int | None) -> NDArray[np.float64]:
        with path.open(encoding=encoding, errors="replace") as file:
            cells = (_named_cells(line) for line in file)
            values = (row[position][1] for row in cells if [name for name, _ in row] == names[-1])
            return np.array(list(islice(values, rows)), dtype=np.float64)

    return Table(names[-1], column)


def _named_cells(line: str) -> list[tuple[str, str]]:
    """The names and numbers of a line; none if anything else is in it."""
    line = line.strip()
    return NAMED_CELL.findall(line) if len(line) <= LONGEST_PLOTTED and NAMED_ROW.fullmatch(line) else []


def _head(path: Path) -> tuple[list[str], str]:
    """The first lines of a file, and its encoding."""
    with path.open("rb") as file:
        begin = file.read(HEAD)
        is_all = not file.read(1)
    text, encoding = decoded(begin, is_all)
    if ("\0" in text or "\ufffd" in text) and path.suffix.lower() == ".dat":
        raise BadInput(
            f"{path}: this may be the signal file of a WFDB record, but its header {path.stem}.hea is missing; put it "
            "beside this file"
        )
    if "\0" in text or "\ufffd" in text:
        raise BadInput(
            f"{path}: unknown format; it is neither text nor a known ECG format; save it as WFDB, EDF or CSV"
        )
    lines = END_OF_LINE.split(text)
    if not is_all:
        last = lines.pop()  # which is cut off
        if len(last) > len(text) // 2:  # all of a lead may be in one line
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
                float_precision="round_trip",  # others end the process at exponents such as in 0.0e007539536618018576
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
            return seconds_of(words), None
        values, wrong = numbers_of(words, layout.decimal)
        count = int(wrong.sum())
        if count == 0:  # a missing value is written in another way, or a number is too large for a float
            return values, None
        if count <= MOST_WORDS * len(words):
            return values, f"{count} of its {len(words)} rows taken as gaps, as they hold words"
    except (OSError, ValueError, IndexError, MemoryError, OverflowError):
        pass
    raise BadInput(f"{path}{_first_wrong(path, layout, encoding, position)}; correct it")


def _first_wrong(path: Path, layout: Layout, encoding: str, position: int) -> str:
    """The first line whose cell in a column is not what it should be, and what is wrong with it."""
    is_time = position in layout.clocks
    number = NUMBER[layout.decimal].fullmatch
    with path.open(encoding=encoding, errors="replace") as file:
        for count, line in enumerate(file, start=1):
            if count <= layout.start or not has_content(line):
                continue
            try:
                fields = row_of(line, layout.delimiter)
            except csv.Error:
                return f", line {count}: it is no row of {layout.columns} cells"
            if len(fields) != layout.columns:
                return f", line {count}: it has {len(fields)} cells, the first row {layout.columns}"
            if not (
                is_clock(fields[position]) if is_time else number(fields[position]) or is_missing(fields[position])
            ):
                what = "no time of day" if is_time else "a word in place of a number"
                return f", line {count}: it holds {what}"
    return f": column {position + 1} cannot be read"


def _for_pandas(layout: Layout, file: IO[str]) -> tuple[str, IO[str]]:
    """A separator that pandas knows, and the rows of a file written with it."""
    if layout.delimiter == ARROW:
        return "\t", io.StringIO(file.read().replace(ARROW, "\t"))
    if layout.delimiter is None and layout.clocks:
        return "\t", io.StringIO("\n".join("\t".join(fields_of(line, None)) for line in file))
    return layout.delimiter or r"\s+", file
