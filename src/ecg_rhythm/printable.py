"""Text from files as people see it: nothing in it controls a terminal, ends a row of CSV or runs in a spreadsheet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of control and format characters (those that reverse text among them), of bytes that are no
text, and of ends of lines."""
FORMULA = re.compile(r"(?:^|(?<=[;\t\r\n]))(?='*[=+\-@\t\r])")
"""Where a text has what a spreadsheet would compute, behind the marks that keep it from doing so: at its begin, and
where a cell begins for a program that divides by another sign than the comma and so takes no notice of the quotes."""
MARK = re.compile(r"(?:^|(?<=[;\t\r\n]))'(?='*[=+\-@\t\r])")
TO_QUOTE = re.compile(r'[",;\t\r\n]|^\s|\s$')
"""What would end a cell, in any program that reads CSV, or would be lost at its ends."""
MOST_LISTED = 12
"""Names that a message lists; of more, it says how many there are."""


def shown(text: object) -> str:
    r"""Text with all that is not visible escaped, such as `\x1b` and `\r`, so that a terminal shows it as it is."""
    plain = str(text)
    return plain if plain.isprintable() else "".join(map(_escaped, plain))


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode() if unicodedata.category(letter) in HIDDEN else letter


def listed(names: Iterable[str], most: int = MOST_LISTED) -> str:
    """Names in a sentence; of very many, the first, and how many more there are."""
    every = list(names)
    more = [f"{len(every) - most} more"] if len(every) > most else []
    return ", ".join([*every[:most], *more])


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or, if it says nothing, what it is called."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def csv_line(cells: Iterable[object], digits: int | None = None) -> str:
    r"""A row of CSV: numbers as they are, text with `'` before what looks like a formula, no value as an empty cell.

    Text that is written so is read back by `csv_text`.

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
    text = FORMULA.sub("'", value)
    return '"' + text.replace('"', '""') + '"' if TO_QUOTE.search(text) else text


def csv_text(cell: str) -> str:
    """The text that a cell holds, without the mark that `csv_line` puts before what looks like a formula."""
    return MARK.sub("", cell)
