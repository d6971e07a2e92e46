"""When a recording began, as files write it, and the clock time of what is in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from ecg_rhythm.records.personal import says_who

Start = datetime | time
"""When a recording began: date and time of day, perhaps with a time zone, or the time of day alone."""
NO_DIGIT = re.compile(r"\D")
MOMENT = re.compile(
    r"(?P<date>\d{4}[-/.]?\d\d[-/.]?\d\d|\d\d\.\d\d\.\d{4})[T ,]{1,2}"
    r"(?P<hour>\d\d?):?(?P<minute>\d\d):?(?P<second>\d\d)?(?P<part>[.,]\d{1,9})?"
    r"(?: ?(?P<half>[AP])M)? ?(?P<zone>Z|[-+]\d\d:?\d\d)?(?![\d:])"
)
"""A date with a time of day. A date whose day and month may be confused is none."""
CLOCK = re.compile(r"(?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d)(?P<part>[.,]\d{1,9})?(?: ?(?P<half>[AP])M)?")
OF_START = re.compile(
    r"record|start|begin|acqui|aufzeichn|aufnahme|beginn|enregistr|d[ée]but|grabaci|inicio|registr|inizio|記録|记录",
    re.IGNORECASE,
)
"""In the key of a value that tells when a recording began."""
EARLIEST, LATEST = 1e9, 7e9
"""Between these, a number may be a moment in s since 1970: 2001 to 2191."""
SECONDS = (1.0, 1e-3, 1e-6, 1e-9)
"""Units in s of moments that are counted since 1970."""


def moment(text: str) -> datetime | None:
    """The date and time of day in a text such as `2024-02-29 07:15:00 +0100`; None without both."""
    match = MOMENT.search(text[:200])
    if match is None:
        return None
    digits = NO_DIGIT.sub("", match["date"])
    year, month, day = (digits[:4], digits[4:6], digits[6:]) if match["date"][2] != "." else (
        digits[4:], digits[2:4], digits[:2]
    )  # fmt: skip
    zone = (match["zone"] or "").replace(":", "").replace("Z", "+0000")
    clock = f"{_hour(match):02d}{match['minute']}{match['second'] or '00'}"
    try:
        found = datetime.strptime(f"{year}{month}{day}{clock}{zone}", f"%Y%m%d%H%M%S{'%z' if zone else ''}")
    except ValueError:
        return None
    return found.replace(microsecond=_microseconds(match["part"]))


def time_of_day(text: str) -> time | None:
    """The time of day that a text is, such as `07:15:00.5`; None for anything else."""
    match = CLOCK.fullmatch(text.strip())
    try:
        if match is not None:
            return time(_hour(match), int(match["minute"]), int(match["second"]), _microseconds(match["part"]))
    except ValueError:
        pass
    return None


def since_1970(number: float) -> datetime | None:
    """The moment that a count of s, ms, us or ns since 1970 is; None for a number that is none of these days."""
    for unit in SECONDS:
        if EARLIEST <= number * unit < LATEST:
            return datetime.fromtimestamp(round(number * unit, 3), UTC)
    return None


def of_cells(cells: list[str]) -> Start | None:
    """When a recording began, by the cells of its first sample that hold a date, a clock, or both.

    Midnight without a date is the begin of a time that has passed rather than one of a day.
    """
    if found := moment(" ".join(cell.strip("'\"[] ") for cell in cells)):
        return found
    return next((clock for cell in cells if (clock := time_of_day(cell.strip("'\"[] "))) not in (None, time())), None)


def started(lines: Iterable[str]) -> datetime | None:
    """When a recording began, by a line such as `Recorded Date,2024-02-29 07:15:00 +0100` that speaks of no person."""
    for line in lines:
        match = MOMENT.search(line[:200])
        if match is None:
            continue
        before = line[: match.start()]
        if OF_START.search(before) and not says_who(before):
            return moment(line)
    return None


def written(start: Start | None) -> str | None:
    """The start of a recording in ISO 8601, to the second, or to the millisecond if it is no whole one."""
    return None if start is None else start.isoformat(timespec="milliseconds" if start.microsecond else "seconds")


def later(start: str | None, seconds: float) -> str | None:
    """The clock time some seconds after a start, both in ISO 8601; None if the start is unknown."""
    if start is None:
        return None
    try:
        begun = datetime.fromisoformat(start) if "T" in start else time.fromisoformat(start)
        if isinstance(begun, time):
            return written((datetime.combine(datetime(2000, 1, 1), begun) + timedelta(seconds=seconds)).time())
        return written(begun + timedelta(seconds=seconds))
    except OverflowError:  # a year that no calendar has
        return None


def _hour(match: re.Match[str]) -> int:
    """The hour of 24, of a clock that may have twelve."""
    hour = int(match["hour"])
    return hour if match["half"] is None else hour % 12 + 12 * (match["half"] == "P")


def _microseconds(part: str | None) -> int:
    return int(part[1:7].ljust(6, "0")) if part else 0
