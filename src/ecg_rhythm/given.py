"""Numbers as users give them: of any type, size and number of digits."""

from __future__ import annotations

import re
from numbers import Real

MOST_DIGITS = 9
"""Digits of a whole number in text: more is none that means anything here, and Python refuses thousands of them."""
MOST_SHOWN = 60
"""Letters of a value that a message shows."""
THOUSANDS = re.compile(r"[1-9],\d{3}")


def real(value: object) -> float:
    """A number as a float: infinite if it is too large for one, NaN if it is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")  # type: ignore[operator]  # of any Real


def whole(text: str) -> int | None:
    """The whole number that a text consists of; None without one, or if it is too long to mean anything."""
    digits = text.strip()
    return int(digits) if digits.isdecimal() and len(digits) <= MOST_DIGITS else None


def whole_numbers(text: str) -> list[int] | None:
    """The whole numbers that a text lists with commas; None if one of them is none."""
    numbers = [number for part in text.split(",") if (number := whole(part)) is not None]
    return numbers if len(numbers) > text.count(",") else None


def hertz(number: str, kilo: str = "") -> float:
    """A frequency in Hz from text; a comma between one digit and three others separates thousands, else decimals.

    Raises
    ------
    ValueError
        If it is no number.
    """
    if not kilo and THOUSANDS.fullmatch(number.strip()):
        return float(number.replace(",", ""))
    return float(number.replace(",", ".")) * (1000 if kilo else 1)


def quoted(value: object) -> str:
    """A value as Python writes it, for a message: cut if it is long, a number of thousands of digits as such."""
    try:
        return cut(repr(value))
    except ValueError:
        return "of thousands of digits"


def cut(text: str) -> str:
    """As much of a text as a message has room for."""
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
