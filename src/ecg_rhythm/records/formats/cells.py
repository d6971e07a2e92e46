"""Cells of a table that are text -> numbers: what text files and Parquet have in common."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.records.formats.fields import DATE, DAY, NUMBER, is_missing

if TYPE_CHECKING:
    import pandas as pd

HALF_DAY = 43_200.0
"""In s; after this time, clocks of twelve hours begin again."""
YEAR_FIRST = re.compile(r"\d{4}[-./]")
DAY_OF_YEAR = re.compile(r"^(\d{4}).(\d\d?).(\d\d?)")
ZONE = re.compile(r"\s{0,9}[A-Za-z]{3,9}$")
BEFORE_CLOCK, DATE_ALONE = re.compile(f"^{DAY}"), re.compile(DATE)
LONGEST_TIME = 60
"""Letters of a date with its time of day."""


def numbers_of(words: pd.Series[Any], decimal: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The numbers in cells, NaN where there is none, and which cells hold another word.

    Not by `pandas.to_numeric`, which ends the process at some exponents, such as 0.0e007539536618018576.
    """
    is_number = NUMBER[decimal].fullmatch
    numbers, wrong = np.full(len(words), np.nan), np.zeros(len(words), dtype=np.bool_)
    for i, word in enumerate(words):
        if is_number(word):
            numbers[i] = float(word.replace(decimal, "."))
        else:
            wrong[i] = not is_missing(word)
    return numbers, wrong


def seconds_of(words: pd.Series[Any]) -> NDArray[np.float64]:
    """Times of day, with or without a date, as seconds since the first; dates alone tell no time.

    Raises
    ------
    ValueError
        If one of them is no time.
    """
    import pandas as pd

    words = words.str.strip("'\"[] ").str.slice(0, LONGEST_TIME)
    if words.map(lambda word: DATE_ALONE.fullmatch(word) is not None).all():
        return np.zeros(len(words))
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
