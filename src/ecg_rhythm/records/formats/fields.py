"""A line of a text file -> its fields, and what each of them is."""

from __future__ import annotations

import csv
import re

import numpy as np

ARROW = "->"
"""What some loggers write between the time and the sample."""
COMMENT = "#"
MISSING = ("", "-", "*", "na", "nan", "null", "none", "inf", "-inf")
NUMBER = {
    ".": re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?"),
    ",": re.compile(r"[-+]?(\d+(,\d*)?|,\d+)([eE][-+]?\d+)?"),
}
DATE = r"(?:\d\d?[-./](?:\d\d?|[A-Za-z]{3})[-./](?:\d{4}|\d\d)|\d{4}[-./]\d\d?[-./]\d\d?)"
DAY = rf"(?:{DATE}[ ,T]{{1,9}}|\d{{1,9}} days? )"
CLOCK = re.compile(rf"\[?{DAY}?(\d{{1,9}}:)?(\d{{1,9}}):(\d\d)([.,]\d+)?([ ].*)?(Z|[-+]\d\d:?\d\d)?\]?|{DATE}")
"""Times of day, with or without a date, and dates alone, which tell no rate."""
IN_SPACES = re.compile(r"\[[^\]]{0,60}\]|\S+")
"""A field between spaces, or in brackets, as are times in tables of PhysioNet."""
COMMENT_BEHIND = re.compile(rf"[\s,;|]{{1,9}}{COMMENT}.*")
"""A comment at the end of a row, as LabChart writes them."""


def fields_of(line: str, delimiter: str | None) -> list[str]:
    """The fields of a line."""
    if delimiter is None:
        return IN_SPACES.findall(line.replace('"', ""))
    if delimiter == ARROW:
        return [field.strip() for field in line.split(ARROW)] if ARROW in line else [line.strip()]
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def is_row(fields: list[str], decimal: str, text: frozenset[int] = frozenset()) -> bool:
    """Whether fields are numbers, except for missing ones, times of day, and columns of text."""
    fields = [field for i, field in enumerate(fields) if i not in text]
    numbers = [bool(NUMBER[decimal].fullmatch(field)) for field in fields]
    rest = [field for field, number in zip(fields, numbers, strict=True) if not number]
    if not any(numbers):
        return bool(fields) and fields[0].lower() in MISSING[1:] and all(field.lower() in MISSING for field in fields)
    return all(field.lower() in MISSING or CLOCK.fullmatch(field.strip("'")) for field in rest)


def is_clock(cell: str) -> bool:
    """Whether a cell is a time of day, a date, or both."""
    return CLOCK.fullmatch(cell.strip("'")) is not None


def is_missing(cell: str) -> bool:
    """Whether a cell is empty or a word for no value."""
    return cell.lower() in MISSING


def row_of(line: str, delimiter: str | None) -> list[str]:
    """The fields of a row without the comment behind it."""
    return fields_of(COMMENT_BEHIND.sub("", line) if COMMENT in line else line, delimiter)


def number_in(field: str, decimal: str) -> float:
    """The number that a field is, NaN for anything else."""
    return float(field.replace(",", ".")) if NUMBER[decimal].fullmatch(field) else np.nan


def has_content(line: str) -> bool:
    """Whether a line is neither empty nor a comment."""
    return bool(line.strip()) and line[0] != COMMENT
