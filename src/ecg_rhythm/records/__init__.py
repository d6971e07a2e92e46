"""ECG files -> recordings in mV: the only package that knows file formats.

`read` returns a `Record`, all of it in memory; `open_recording` a `Recording`, of which any stretch can be read. A
format is a function (path, `ReadOptions`) -> `Recording` in a file of its own in `formats/`; `reading.py` knows which
is for which file.
"""

from ecg_rhythm.records.finding import expand, files_in, find
from ecg_rhythm.records.reading import open_recording, read, said_otherwise, standard_input, whole
from ecg_rhythm.records.recording import (
    FASTEST,
    SLOWEST,
    ReadOptions,
    Record,
    Recording,
    bridged,
    check_length,
    in_memory,
    numbers_of,
    of_record,
    of_signal,
    rate,
    reading,
    resample,
    scale,
)
from ecg_rhythm.signals.gaps import count_gaps, fill

__all__ = [
    "FASTEST",
    "SLOWEST",
    "ReadOptions",
    "Record",
    "Recording",
    "bridged",
    "check_length",
    "count_gaps",
    "expand",
    "files_in",
    "fill",
    "find",
    "in_memory",
    "numbers_of",
    "of_record",
    "of_signal",
    "open_recording",
    "rate",
    "read",
    "reading",
    "resample",
    "said_otherwise",
    "scale",
    "standard_input",
    "whole",
]
