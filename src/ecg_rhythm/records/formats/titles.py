"""The names of a text file's columns, with their units."""

from __future__ import annotations

import re

from ecg_rhythm.records.clock import started
from ecg_rhythm.records.formats import headers
from ecg_rhythm.records.formats.fields import DATE, fields_of, is_row
from ecg_rhythm.records.formats.layouts import Layout
from ecg_rhythm.records.personal import is_of_signal, is_personal, says_who
from ecg_rhythm.records.rates import is_time
from ecg_rhythm.records.units import NO_UNITS, is_unit

WORDS_OF_UNITS = {*NO_UNITS, "", "hh:mm:ss.mmm", "sample #"}
"""What a line of units may hold beside units."""
OF_CHANNELS = frozenset({"channels", "channel", "channeltitle=", "leads", "kanäle", "kanal", "ableitungen", "canales",
                         "canaux", "dérivations", "canali", "derivazioni", "derivaciones"})  # fmt: skip
"""What a line of names may begin with before the names."""
VALUE = re.compile(r"^[^:=,;\t]{1,80}[:=,;\t]\s{0,20}\d")
CHANNELS = re.compile(r"(\d{1,3}) channels?", re.IGNORECASE)
IN_SPACES, OF_KEY = re.compile(r"\s{2,}|\t"), re.compile(r"[:=,;\t]")
"""How many channels there are; what stands between names of several words; what follows a key."""
VALUED, DATED = re.compile(r"[:=]\s{0,20}\S"), re.compile(DATE)
"""A key with its value; a date in a text, which is then no name of a column, unless of times."""


def names(header: list[str], layout: Layout) -> list[str]:
    """The columns' names, each with its unit if a line of units follows."""
    named = _of_structure(header, layout.columns) or _of_channels(header, layout) or _titles(header, layout)
    return ["" if DATED.search(name) and not is_time(name) else name for name in named]


def impersonal(header: list[str], layout: Layout) -> list[str]:
    """A header's lines without those that say who was recorded, and without values below their names."""
    kept, above = [], list[str]()
    for line in filter(None, header):
        row = _row(line, layout) or [line]
        is_structure = "{" in line
        if not is_structure and any(map(_is_heading, above)) and _is_below(line, row, above):
            continue
        above = row
        if is_structure or not is_personal(line):
            kept.append(line)
    return kept


def _is_heading(field: str) -> bool:
    """Whether a field is the name of what says who was recorded, with no value behind it."""
    return says_who(field) and VALUED.search(field) is None


def _is_below(line: str, row: list[str], headings: list[str]) -> bool:
    """Whether a line holds values below headings, rather than the names of columns or what is said of the signal."""
    if headers.rate([line]) != (None, None) or headers.unit([line]) is not None or started([line]) is not None:
        return False
    if not any(map(is_of_signal, row)):
        return True
    pairs = zip(headings, row, strict=True) if len(headings) == len(row) else ()
    return any(
        _is_heading(heading) and not is_of_signal(field) and any(map(str.isalnum, field)) for heading, field in pairs
    )


def _of_structure(header: list[str], columns: int) -> list[str] | None:
    """Names of columns in a header of JSON, each with its sensor; the sensors are those of the last columns."""
    content = headers.structure(header)
    lists = [
        value
        for key, value in content.items()
        if isinstance(value, list) and all(isinstance(v, str) for v in value) and not says_who(key)
    ]
    row = next((_of_columns(value, columns) for value in lists if columns - 1 <= len(value) <= columns), None)
    if row is None or len(row) != columns:
        return None
    own = [name for name in row if name]
    sensors = content.get("sensor", content.get("sensors"))
    if isinstance(sensors, list) and len(sensors) < len(own):
        measured = [f"{name} {sensor}" for name, sensor in zip(own[-len(sensors) :], sensors, strict=True)]
        own = [*own[: -len(sensors)], *measured]
    return [*own, *row[len(own) :]]


def _of_channels(header: list[str], layout: Layout) -> list[str] | None:
    """Names of columns in a header of AcqKnowledge: how many channels, then two lines for each, its name and unit."""
    rows = [row for line in header if (row := _row(line, layout)) is not None]
    for i, line in enumerate(header):
        count = int(match[1]) if (match := CHANNELS.fullmatch(line)) else 0
        block = header[i + 1 : i + 1 + 2 * count]
        if 0 < count <= layout.columns and len(block) == 2 * count and is_unit(block[1]):
            channels = [f"{name} ({unit})" for name, unit in zip(block[::2], block[1::2], strict=True)]
            titles = [title for row in rows[-1:] for title in row if title]
            time = [f"time ({titles[0]})"] if len(titles) == count + 1 else []
            return [*time, *channels, *[""] * (layout.columns - len(time) - count)]
    return None


def _titles(header: list[str], layout: Layout) -> list[str]:
    """The columns' names as the header's last lines give them; empty ones if it gives none."""
    rows = [row for line in header if not _is_said(line) and (row := _row(line, layout)) is not None]
    if not rows or (layout.columns == 1 and header and _is_key(header[-1])):
        return [""] * layout.columns
    ranges = next((line.split("\t")[1:] for line in header if line.lower().startswith("range=")), [])
    if len(ranges) == layout.columns - 1:  # LabChart's, such as 5.000 mV
        units = [part.split()[-1] if part.split() else "" for part in ranges]
        named = [f"{name} ({unit})" if is_unit(unit) else name for name, unit in zip(rows[-1][1:], units, strict=True)]
        return [rows[-1][0], *named]
    units = rows[-1]
    of_units = [is_unit(field) or field.strip("()[] ").lower() in WORDS_OF_UNITS for field in units if field]
    if len(rows) > 1 and sum(of_units) * 2 >= len(of_units) and any(is_unit(field) for field in units):
        titles = next((row for row in reversed(rows[:-1]) if not _is_of_words(row)), rows[-2])
        plain = [field.strip("()[] ") if field[:1] in "([" else field for field in units]
        return [f"{name} ({unit})" if is_unit(unit) else name for name, unit in zip(titles, plain, strict=True)]
    return units


def _is_of_words(row: list[str]) -> bool:
    """Whether a row holds words such as CAL and RAW, rather than names."""
    return all(field.lower() in NO_UNITS for field in row if field)


def _row(line: str, layout: Layout) -> list[str] | None:
    """A line's fields, if there is one for each column."""
    fields = fields_of(line, layout.delimiter)
    if layout.delimiter is None and len(fields) != layout.columns:
        fields = IN_SPACES.split(line.strip())  # names of several words
    row = [field.strip("'\" ") for field in fields]
    if not row or row[0].endswith(("=", ":")) or row[0].startswith("{"):
        if not row or row[0].lower() not in OF_CHANNELS:
            return None
        row = ["", *row[1:]]
    elif len(row) == layout.columns + 1 and row[0].lower() in OF_CHANNELS:
        row = row[1:]
    row = _of_columns(row, layout.columns)
    return row if len(row) == layout.columns and not is_row(row, layout.decimal) else None


def _is_said(line: str) -> bool:
    """Whether a header's line gives a rate or a gain behind its first delimiter, so that it names no columns."""
    return VALUE.search(line) is not None and (headers.gain(line) is not None or headers.rate([line])[0] is not None)


def _is_key(line: str) -> bool:
    """Whether a header's line is a key and its value rather than a name."""
    return OF_KEY.search(line) is not None or headers.rate([line]) != (None, None)


def _of_columns(row: list[str], columns: int) -> list[str]:
    """A row of names, fitted to the columns if only empty fields at its end are too many, or one is too few."""
    while len(row) > columns and not row[-1]:
        row.pop()
    return [*row, ""] if len(row) == columns - 1 > 1 else row
