"""CSV for people: every cell stays in its place, and no spreadsheet takes a text for a formula."""

from __future__ import annotations

import re
from collections.abc import Iterable

FORMULA = re.compile(r"^'*[=+\-@\t\r]")
"""How a text begins that a spreadsheet would compute, with the marks that keep it from doing so."""
TO_QUOTE = re.compile(r'[",;\t\r\n]|^\s|\s$')
"""What would end a cell, in any program that reads CSV, or would be lost at its ends."""


def line(cells: Iterable[object], digits: int | None = None) -> str:
    r"""A row of CSV: numbers as they are, text with `'` before what looks like a formula, no value as an empty cell.

    Text that is written so is read back by `text_of`.

    Parameters
    ----------
    cells : iterable of str, number or None
        NaN is no value.
    digits : int or None
        Decimals of numbers that are not whole by type; None for as many as each has.
    """
    return ",".join(_cell(value, digits) for value in cells) + "\n"


def _cell(value: object, digits: int | None) -> str:
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, float) and digits is not None:
        return f"{value:.{digits}f}"
    if not isinstance(value, str):
        return str(value)
    text = f"'{value}" if FORMULA.match(value) else value
    return '"' + text.replace('"', '""') + '"' if TO_QUOTE.search(text) else text


def text_of(cell: str) -> str:
    """The text that a cell holds, without the mark that `line` puts before what looks like a formula."""
    return cell[1:] if cell[:1] == "'" and FORMULA.match(cell) else cell
