"""ECG files -> recordings in mV: the only package that knows file formats.

`read` gives a `Record`, all of it in memory; `open_recording` a `Recording`, of which any part can be read. Data flow
from folders and patterns (`finding`) or a table of files (`manifest`) and a path (`reading`) to a module of `formats/`,
whose `__init__` lists them all. It chooses the lead (`leads`), the rate (`rates`) and the unit (`units`), and makes a
`Recording` (`recording`).
"""

from ecg_rhythm.records.finding import expand, expand_one_by_one, find
from ecg_rhythm.records.manifest import Manifest, read_manifest
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.paths import size_on_disk, states
from ecg_rhythm.records.rates import FASTEST, SLOWEST, rate
from ecg_rhythm.records.reading import open_recording, read
from ecg_rhythm.records.recording import (
    Record,
    Recording,
    check_length,
    describe,
    fill_gaps,
    in_memory,
    numbers_of,
    of_record,
    of_signal,
    part,
    resample,
    to_record,
)
from ecg_rhythm.records.units import scale, size_of

__all__ = [
    "FASTEST",
    "SLOWEST",
    "Manifest",
    "ReadOptions",
    "Record",
    "Recording",
    "check_length",
    "describe",
    "expand",
    "expand_one_by_one",
    "fill_gaps",
    "find",
    "in_memory",
    "numbers_of",
    "of_record",
    "of_signal",
    "open_recording",
    "part",
    "rate",
    "read",
    "read_manifest",
    "resample",
    "scale",
    "size_of",
    "size_on_disk",
    "states",
    "to_record",
]
