"""How a text file writes its table: delimiter, decimal sign, where the samples begin and end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecg_rhythm.records.formats import headers
from ecg_rhythm.records.formats.fields import (
    ARROW,
    CLOCK,
    NUMBER,
    fields_of,
    has_content,
    is_clock,
    is_missing,
    is_row,
    number_in,
    row_of,
)

JUDGED = 40
"""Lines of numbers by which a layout is judged."""
LAYOUTS = (
    (ARROW, "."),
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
LETTER = re.compile(r"[^\W\d_]")
NO_WORD, WHOLE = re.compile(r"[\d,:;=]"), re.compile(r"[-+]?\d+")
LAST = 5
"""At least one of this many last lines must be a row of numbers."""
FIRST, FAR = 3, 50.0
"""How many of the first rows may be no samples, and how far off they are: this many times the range of those below."""
SMALL = 1e-3
"""Rows that hold one number may differ by this share of it."""
WORD = 12
"""Letters of what a logger writes in place of a sample, at most, such as `!` or `leads off`."""
SAMPLED, FEWEST = 100, 30
"""Last lines by which a column is judged as one of text, and how many rows a table with such a column has at least."""
GROUPED = re.compile(r"[-+]?\d{1,3}(?:[., '\xa0\u202f]\d{3})+(?:[.,]\d+)?")
DIGITS_ALONE = re.compile(r"^[^a-zA-Z\d]*+\d[^a-zA-Z]*+")
"""A number whose thousands are set apart; digits and signs that are no text."""
UNIX = (1e9, 5e9)
"""Moments in s since 1970 with which a file may begin, from 2001 to 2128."""


@dataclass(frozen=True)
class Layout:
    """How a text file writes its table."""

    delimiter: str | None
    decimal: str
    start: int
    """First line of samples."""
    columns: int
    clocks: frozenset[int] = frozenset()
    """Columns of times of day."""
    text: frozenset[int] = frozenset()
    """Columns of text."""
    has_gaps: bool = False
    """Whether an empty line is a missing sample: in a table of one column, unless every other line is empty."""
    fs: float | None = None
    """Sampling rate in Hz that a row of numbers before the samples gives."""
    remarks: tuple[str, ...] = ()


def layout_of(lines: list[str]) -> Layout | None:
    """The layout in which lines are rows of numbers; of several, the one with the shortest header and most columns.

    Only where there is none, columns of text may stand beside the numbers.
    """
    if not any(line.strip() for line in lines):
        return None
    possible = [layout for delimiter, decimal in LAYOUTS if (layout := _rows(lines, delimiter, decimal)) is not None]
    plain = [layout for layout in possible if not layout.text]
    with_text = [layout for layout in possible if layout.text]
    if not possible:
        return None
    if with_text:
        best = max(with_text, key=lambda layout: (layout.columns - len(layout.text), -len(layout.text)))
        if _hides_text(best, plain):
            return _without_other_rows(lines, best)
    first = min(layout.start for layout in plain)
    best = max((layout for layout in plain if layout.start == first), key=lambda layout: layout.columns)
    if best.delimiter == "," and _has_decimal_commas(lines, best):
        best = next((layout for layout in plain if (layout.delimiter, layout.decimal) == (None, ",")), best)
    return _without_other_rows(lines, best)


def _hides_text(layout: Layout, plain: list[Layout]) -> bool:
    """Whether layouts without text fit only rows whose text is missing, as spaces do where a delimiter is a tab."""
    numbers = layout.columns - len(layout.text)
    return all(other.delimiter is None and other.start > layout.start and other.columns <= numbers for other in plain)


def _rows(lines: list[str], delimiter: str | None, decimal: str) -> Layout | None:
    """A layout, if some dozens of lines, or all up to the last, are rows of equally many numbers in it."""
    content = [line for line in lines if has_content(line)]
    text = _columns_of_text(content[-SAMPLED:], delimiter, decimal)
    if text is None or not any(is_row(row_of(line, delimiter), decimal, text) for line in content[-LAST:]):
        return None
    start = columns = rows = 0
    for i, line in enumerate(lines):
        if not has_content(line):
            continue
        fields = row_of(line, delimiter)
        if not is_row(fields, decimal, text):
            if not (rows and i >= len(lines) - LAST):
                rows = 0
        elif rows and len(fields) == columns:
            rows += 1
        else:
            start, columns, rows = i, len(fields), 1
        if rows == JUDGED:
            break
    if not rows or (text and max(text) >= columns):
        return None
    first = row_of(lines[start], delimiter)
    clocks = frozenset(i for i, field in enumerate(first) if CLOCK.fullmatch(field.strip("'"))) - text
    layout = Layout(delimiter, decimal, start, columns, clocks, text)
    start = _with_first_rows(lines, layout)
    empty = sum(not line.strip() for line in lines[start:])
    return replace(layout, start=start, has_gaps=columns == 1 and 3 * empty < len(lines) - start)


def _columns_of_text(lines: list[str], delimiter: str | None, decimal: str) -> frozenset[int] | None:
    """Columns of text; None if this cannot be the layout, as its decimal sign sets thousands apart."""
    rows = [row_of(line, delimiter) for line in lines]
    if not rows:
        return frozenset()
    columns = Counter(map(len, rows)).most_common(1)[0][0]
    cells = list(zip(*(row for row in rows if len(row) == columns), strict=True))
    text = frozenset(i for i, column in enumerate(cells) if _is_text(column, decimal))
    for i, column in enumerate(cells):
        words = [cell for cell in column if not _is_value(cell, decimal)]
        if any(GROUPED.fullmatch(word) or (i in text and DIGITS_ALONE.fullmatch(word)) for word in words):
            return None
    has_enough = bool(cells) and len(cells[0]) >= FEWEST  # rows of comments alone have no cells
    return text if has_enough and len(text) < columns else frozenset()


def _is_value(cell: str, decimal: str) -> bool:
    """Whether a cell is a number, a time, or empty."""
    return NUMBER[decimal].fullmatch(cell) is not None or is_clock(cell) or is_missing(cell)


def _is_text(cells: Sequence[str], decimal: str) -> bool:
    """Whether more of a column's cells are words than numbers and times."""
    given = [cell for cell in cells if not is_missing(cell)]
    return len(given) > 2 * sum(_is_value(cell, decimal) for cell in given)


def _with_first_rows(lines: list[str], layout: Layout) -> int:
    """The first row of a table, given the first of dozens of rows without a word in place of a number."""
    start, like_below = layout.start, _like_rows_below(lines, layout)
    for i in range(start - 1, -1, -1):
        line = lines[i] if has_content(lines[i]) else ""
        fields = row_of(line, layout.delimiter) if line else []
        if len(fields) == 1 and len(fields[0]) <= WORD and not NO_WORD.search(fields[0]):
            # A word in place of a sample; it has no letter, such as `!`, or comes again, or it may be a title.
            is_again = line in (*lines[max(i - 1, 0) : i], *lines[i + 1 : i + 2])
            if layout.columns == 1 and (is_again or not LETTER.search(line)):
                start = i
        elif len(fields) == layout.columns and (
            is_row(fields, layout.decimal, layout.text) or like_below(line, fields)
        ):
            start = i
        else:
            break
    return start


def _like_rows_below(lines: list[str], layout: Layout) -> Callable[[str, list[str]], bool]:
    """What says of a line whether most of its cells are numbers like those in the same columns below.

    The others may be words, such as an event, or `!` for leads that are off. Of two cells the first must be a number,
    as a line may be a key and its value.
    """
    used = [i for i in range(layout.columns) if i not in layout.text]
    rows = [row_of(line, layout.delimiter) for line in lines[layout.start :][: 2 * JUDGED] if has_content(line)]
    below = np.array([[number_in(row[i], layout.decimal) for i in used] for row in rows if len(row) == layout.columns])
    has_numbers = np.isfinite(below).any(axis=0)
    low = np.where(has_numbers, np.where(np.isfinite(below), below, np.inf).min(axis=0), np.nan)
    high = np.where(has_numbers, np.where(np.isfinite(below), below, -np.inf).max(axis=0), np.nan)
    margin = np.maximum(high - low, SMALL * abs(high))
    has_values = has_numbers | [i in layout.clocks for i in used]

    def is_like(line: str, fields: list[str]) -> bool:
        nonlocal low, high
        cells = [fields[i] for i in used]
        values = np.array([number_in(cell, layout.decimal) for cell in cells])
        clocks = [i in layout.clocks and is_clock(cell) for i, cell in zip(used, cells, strict=True)]
        good = clocks | ((values >= low - margin) & (values <= high + margin))
        wrong = has_values & ~good & [not is_missing(cell) for cell in cells]
        most = good.sum() > wrong.sum() or (good.sum() == wrong.sum() and not wrong[0])
        if not good.any() or not most or headers.says_anything(line):
            return False
        low, high = np.where(good, np.fmin(low, values), low), np.where(good, np.fmax(high, values), high)
        return True

    return is_like


def _without_other_rows(lines: list[str], layout: Layout) -> Layout:
    """Leave out first rows that are no samples, such as a number of samples, or a start time and a rate."""
    rows = [i for i in range(layout.start, len(lines)) if has_content(lines[i])][: FIRST + JUDGED]
    numbers = [_numbers(lines[i], layout) for i in rows]
    if len(rows) < 2 * FIRST or len({len(row) for row in numbers}) != 1:
        return layout
    first, below = np.array(numbers[:FIRST]), np.array(numbers[FIRST:])
    others, fs = 0, None
    if (begins := first[0][np.isfinite(first[0])]).size and ((begins >= UNIX[0]) & (begins < UNIX[1])).all():
        # Empatica's files: when the recording began, its rate, the samples.
        begun = bool((abs(below[np.isfinite(below)]) < UNIX[0]).all())
        rates = first[1][np.isfinite(first[1])]
        if begun and rates.size and (rates == rates[0]).all() and 1 <= rates[0] <= 100_000 and rates[0] % 1 == 0:
            others, fs = 2, float(rates[0])
    if not others:
        tested = np.isfinite(below).any(axis=0)  # clocks are no numbers
        below = np.where(tested, below, 0.0)
        middle, span = np.nanmedian(below, axis=0), np.nanmax(below, axis=0) - np.nanmin(below, axis=0)
        first = np.where(tested, first, np.nan)
        off = abs(first - middle) > FAR * np.maximum(span, SMALL * abs(middle))
        there = np.isfinite(first)
        is_other = [bool(real.any() and far[real].all()) for real, far in zip(there, off, strict=True)]
        others = next((count for count in range(FIRST, 0, -1) if all(is_other[:count])), 0)
    if not others:
        return layout
    which = "row is no sample" if others == 1 else f"{others} rows are no samples"
    remark = f"its first {which} and left out"
    if fs is not None:
        remark = f"its first row taken as a start time, its second as a rate of {fs:g} Hz"
    return replace(layout, start=rows[others], fs=fs, remarks=(remark,))


def _numbers(line: str, layout: Layout) -> list[float]:
    """The numbers in a row, NaN for all else."""
    fields = row_of(line, layout.delimiter)
    return [np.nan if i in layout.text else number_in(field, layout.decimal) for i, field in enumerate(fields)]


def _has_decimal_commas(lines: list[str], layout: Layout) -> bool:
    """Whether two columns of whole numbers are one column of numbers with a decimal comma, such as 12,05 or 7,50."""
    if layout.columns != 2:
        return False
    rows = [fields_of(line, ",") for line in lines[layout.start : layout.start + JUDGED] if line.strip()]
    if not all(len(row) == 2 and WHOLE.fullmatch(row[0]) and row[1].isdecimal() for row in rows):
        return False
    title = lines[max(layout.start - 1, 0) : layout.start]
    names = any(len(fields_of(line, ",")) == 2 and not headers.says_anything(line) for line in title)
    # No whole number is written as -0, or with zeros before it.
    padded = [row[0] == "-0" or (len(row[1]) > 1 and row[1][0] == "0") for row in rows]
    return any(padded) and (not names or sum(padded) > 1)
