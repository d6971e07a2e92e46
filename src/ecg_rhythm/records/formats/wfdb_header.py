"""What a WFDB header says, from its text: where the library drops or replaces what it cannot read.

References
----------
WFDB Applications Guide, `header(5)`.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from ecg_rhythm.given import whole
from ecg_rhythm.records.decoding import decoded

LEADS = re.compile(r"(?<![-\w])[-\w]+(?:/\d*)?[ \t]+(\d{1,9})")
NO_GAIN = re.compile(r"[-+]?0+(?:\.0*)?(?![\d.eE])")
AFTER_RATE = re.compile("[/(]")
SEGMENTS = re.compile(r"/(\d+)$")
"""How many segments a record has, behind its name."""
SUFFIX = ".hea"
NO_FILE = "~"
"""What a header gives in place of a signal file, or of a segment, that is not there."""


def is_header(path: PurePath | str) -> bool:
    """Whether a file is a header by its suffix, in letters of any case."""
    return str(path).lower().endswith(SUFFIX)


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


def has_segments(header: str) -> bool:
    """Whether a record consists of segments, each with a header of its own; any other slash is of a path."""
    return bool(SEGMENTS.search(lines_of(header)[0].split()[0]))


def signal_lines(header: str) -> list[list[str]]:
    """The words of the lines that describe signals or segments; what follows these may be comments without a mark."""
    first, *lines = lines_of(header) or [""]
    words = first.split()
    segments = SEGMENTS.search(words[0]) if words else None
    number = segments[1] if segments else words[1] if len(words) > 1 else ""
    return [line.split() for line in lines[: whole(number)]]


def files_named(header: str) -> list[str]:
    """The files that a header names, each once: its signal files, or the headers of its segments."""
    suffix = SUFFIX * bool(lines_of(header) and has_segments(header))
    return list(dict.fromkeys(words[0] + suffix for words in signal_lines(header) if words[0] != NO_FILE))


def parts_in(header: str) -> list[str]:
    """The same for a sentence: the first few of many."""
    named = files_named(header)
    return named if len(named) < 4 else [*named[:2], f"{len(named) - 2} further files"]


def has_no_gain(header: Path, lead: int) -> bool:
    """Whether a lead's line gives no gain, or 0, which is none."""
    text = text_of(header)
    lines = signal_lines(text)
    if has_segments(text) or lead >= len(lines):
        return False
    return len(lines[lead]) < 3 or NO_GAIN.match(lines[lead][2]) is not None


def counts_microvolts(header: Path, lead: int) -> bool:
    """Whether a lead's unit is written with a Greek letter, which the library drops."""
    text = text_of(header)
    if has_segments(text):
        segments = [header.parent / name for name in files_named(text)]
        return any(counts_microvolts(segment, lead) for segment in segments if segment.is_file())
    lines = signal_lines(text)
    words = lines[lead] if lead < len(lines) else []
    return len(words) > 2 and words[2].endswith(("/µV", "/μV"))
