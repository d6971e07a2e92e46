"""What a WFDB header says, from its text: where the library drops or replaces what it cannot read."""

from __future__ import annotations

import re
from pathlib import Path

from ecg_rhythm.given import whole
from ecg_rhythm.records.decoding import decoded

LEADS = re.compile(r"(?<![-\w])[-\w]+(?:/\d*)?[ \t]+(\d{1,9})")
NO_GAIN = re.compile(r"[-+]?0+(?:\.0*)?(?![\d.eE])")
AFTER_RATE = re.compile("[/(]")


def lines_of(text: str) -> list[str]:
    """A header's lines without comments: the record, then one for each signal or segment."""
    stripped = (line.strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def text_of(header: Path) -> str:
    """A header's text, including letters that are not ASCII, such as the micro sign."""
    return decoded(header.read_bytes())[0]


def as_library(header: Path) -> str:
    """A header's text as the library reads it."""
    return header.read_bytes().decode("ascii", errors="ignore")


def leads_in(header: str) -> int:
    """The number of leads in a header, where the library finds it."""
    match = LEADS.search(lines_of(header)[0])
    return int(match[1]) if match else 0


def rate_in(header: str, default: float) -> float:
    """The rate in a header, 0 if it is no number; the library takes 250 Hz for a rate that it cannot read."""
    words = lines_of(header)[0].split()
    try:
        return float(AFTER_RATE.split(words[2])[0]) if len(words) > 2 else default
    except ValueError:
        return 0.0


def length_in(header: str) -> int | None:
    """The number of samples in a header."""
    words = lines_of(header)[0].split()
    return int(words[3]) if len(words) > 3 and words[3].isdecimal() else None


def parts_in(text: str) -> list[str]:
    """Names of the signal files in a header, or of the headers of its segments; the first few of many."""
    first, *lines = lines_of(text)
    named = first.split()
    parts = named[0].rpartition("/")[2] if "/" in named[0] else named[1] if len(named) > 1 else ""
    lines = lines[: whole(parts) or 0]  # what follows may be comments
    names = list(dict.fromkeys(line.split()[0] for line in lines))
    named = [f"{name}.hea" if "/" in first.split()[0] else name for name in names if name != "~"]
    return named if len(named) < 4 else [*named[:2], f"{len(named) - 2} further files"]


def has_no_gain(header: Path, lead: int) -> bool:
    """Whether a lead's line gives no gain, or 0, which is none."""
    first, *lines = lines_of(text_of(header))
    if "/" in first.split()[0] or lead >= len(lines):
        return False
    words = lines[lead].split()
    return len(words) < 3 or NO_GAIN.match(words[2]) is not None


def counts_microvolts(header: Path, lead: int) -> bool:
    """Whether a lead's unit is written with a Greek letter, which the library drops."""
    first, *lines = lines_of(text_of(header))
    if "/" in first.split()[0]:  # several segments, each with a header of its own
        names = dict.fromkeys(line.split()[0] for line in lines)
        segments = [header.with_name(f"{name}.hea") for name in names]
        return any(counts_microvolts(segment, lead) for segment in segments if segment.is_file())
    words = lines[lead].split() if lead < len(lines) else []
    return len(words) > 2 and words[2].endswith(("/µV", "/μV"))
