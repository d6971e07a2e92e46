"""Rhythms of a recording as annotations: read from WFDB, written for WFDB, as EDF+ or as JSON.

WFDB and EDF+ mark rhythms by the names that PhysioNet uses, such as `(AFIB`; a class that these do not know keeps its
own name in the same form, such as `(O`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.formats import LIBRARY_ERRORS, why
from ecg_rhythm.records.formats.wfdb_copy import copy_of
from ecg_rhythm.records.formats.wfdb_header import SUFFIX, text_of
from ecg_rhythm.records.paths import wfdb_header

RHYTHM, NOISE, UNREADABLE, READABLE = "+", "~", -1, 0
"""WFDB's annotations of a change of rhythm, and of one of quality; subtypes of the latter where nothing is readable,
and where all is. A quality holds until the next one, whatever the rhythm."""
UNKNOWN = "U"
"""What PhysioNet calls a rhythm that cannot be told."""
BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""WFDB's annotations of heartbeats."""
LONGEST = 1e8
"""Duration in s, three years, of the longest record that has annotations."""
NOTE, DEFINITION, RESOLUTION = 0xFC, re.compile(rb"## "), re.compile(rb"## time resolution: \d++(?:\.\d*+)?$")
"""Bits of the byte before a note in a file of annotations; how a note begins that defines something."""
WRITTEN = "atr"
"""Suffix of WFDB annotations."""
EDF_YEARS = range(1985, 2085)
"""Years that the header of an EDF file can say."""


@dataclass(frozen=True)
class Rhythm:
    """A rhythm and when it begins and ends, in s from the beginning of the recording.

    Attributes
    ----------
    name : str
        As PhysioNet calls it, such as `AFIB` or `N`; `~` where nothing is readable.
    start, end : float
        In s.
    """

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Annotated:
    """What an expert, or a program, says of a recording.

    Attributes
    ----------
    name : str
        Name of the recording.
    seconds : float
        Its duration in s.
    rhythms : list of Rhythm
        In the order of time.
    beats : ndarray of float64
        When heartbeats are, in s; empty if none are annotated.
    unreadable : list of (float, float)
        Where the signal is unreadable, whatever the rhythm: from and to, in s.
    """

    name: str
    seconds: float
    rhythms: list[Rhythm]
    beats: NDArray[np.float64]
    unreadable: list[tuple[float, float]]


def read_wfdb(record: Path, annotations: Path | None = None) -> Annotated:
    """Read the rhythms and beats of a WFDB record.

    Parameters
    ----------
    record : Path
        The record, or its header.
    annotations : Path, optional
        The file of its annotations, `.atr` beside its header if not given.

    Raises
    ------
    BadInput
        If there is no such record, it has no annotations, or these are damaged.
    """
    import wfdb  # slow to load

    header = wfdb_header(record)
    if header is None:
        raise BadInput(f"{record}: there is no such WFDB record; name one that has a .hea")
    path = annotations or header.with_suffix(f".{WRITTEN}")
    if not path.is_file():
        raise BadInput(f"{path}: there are no annotations; name a record that has some")
    try:
        # The library looks for a header in lower case alone.
        name = (header if header.suffix == SUFFIX else copy_of(header, text_of(header))).with_suffix("")
        content = path.read_bytes()
        if not _definitions_are_known(content):
            raise BadInput(f"{path}: it defines something that is unknown, or does so twice; get a new copy")
        head = wfdb.rdheader(str(name))
        found = wfdb.rdann(str(path.with_suffix("")), path.suffix[1:])
        if head.sig_len is None:
            raise BadInput(f"{header}: its first line does not say how many samples there are; add their number")
        fs, seconds = float(head.fs), head.sig_len / head.fs
        if not 0 < seconds < LONGEST or not fs > 0:
            raise BadInput(f"{header}: no record lasts {seconds:g} s at {fs:g} Hz; correct its header")
        # The file may have a resolution of its own.
        times = np.minimum(np.asarray(found.sample, dtype=np.float64) / float(found.fs or fs), seconds)
        notes = [str(note).rstrip("\0").strip() for note in found.aux_note]
        symbols = [str(symbol) for symbol in found.symbol]
        qualities = found.subtype.tolist()
    except LIBRARY_ERRORS as error:
        raise BadInput(
            f"{path}: these annotations or the record are damaged{why(error, path)}; get new copies"
        ) from None
    events = list(zip(times.tolist(), symbols, notes, qualities, strict=True))
    names = [(time, note[1:]) for time, symbol, note, _ in events if symbol == RHYTHM and note.startswith("(")]
    gone = [(time, quality == UNREADABLE) for time, symbol, _, quality in events if symbol == NOISE]
    rhythms = [
        Rhythm(NOISE if name == UNKNOWN else name, start, end)
        for (start, name), (end, _) in pairwise([*names, (seconds, "")])
        if end > start and name
    ]
    unreadable = [(start, end) for (start, is_gone), (end, _) in pairwise([*gone, (seconds, False)]) if is_gone]
    beats = times[np.array([symbol in BEATS for symbol in symbols], dtype=bool)]
    return Annotated(header.stem, seconds, rhythms, beats, unreadable)


def _definitions_are_known(content: bytes) -> bool:
    """Whether a file of annotations defines only what wfdb knows: wfdb 4.3 looks at any other definition for ever."""
    resolutions, begun = 0, False
    for found in DEFINITION.finditer(content):
        at = found.start()
        length, kind = content[at - 2 : at] if at >= 2 else (0, 0)
        if kind & NOTE != NOTE:  # in the midst of another text
            continue
        text = content[at : at + (length | (kind & ~NOTE) << 8)].rstrip(b"\0")
        if RESOLUTION.match(text):
            resolutions += 1
        elif text == b"## annotation type definitions" and not begun:
            begun = True
        elif text == b"## end of definitions" and begun:
            begun = False
        else:
            return False
    return resolutions <= 1 and not begun


def write_wfdb(path: Path, rhythms: Sequence[Rhythm], fs: float) -> None:
    """Write rhythms as WFDB annotations: `+` with a name at each change, such as `(AFIB`.

    What is unreadable is a rhythm `(U`, between two `~` that say so: programs that do not look at these know that no
    other rhythm goes on there.

    Parameters
    ----------
    path : Path
        File to write, such as `record.atr`; it belongs beside the record's `.hea`.
    rhythms : sequence of Rhythm
        In the order of time.
    fs : float
        Sampling rate of the record in Hz, in which times are given.
    """
    import wfdb

    events: list[tuple[float, str, int, str]] = []
    for number, one in enumerate(rhythms):
        is_gone, was_gone = one.name == NOISE, number > 0 and rhythms[number - 1].name == NOISE
        if is_gone != was_gone:
            events.append((one.start, NOISE, UNREADABLE if is_gone else READABLE, ""))
        events.append((one.start, RHYTHM, 0, f"({UNKNOWN if is_gone else one.name}"))
    times, symbols, qualities, notes = zip(*events, strict=True)
    samples = np.array([round(time * fs) for time in times])
    with files.replacing(path) as temporary:
        # The library takes few letters in the names of records.
        wfdb.wrann(
            "record",
            WRITTEN,
            samples,
            list(symbols),
            np.array(qualities),
            aux_note=list(notes),
            fs=fs,
            write_dir=str(temporary.parent),
        )
        (temporary.parent / f"record.{WRITTEN}").replace(temporary)


def write_edf(path: Path, rhythms: Sequence[Rhythm], start: str | None = None) -> None:
    """Write rhythms as an EDF+ file of annotations alone, each with its onset, duration and name.

    Parameters
    ----------
    path : Path
        File to write.
    rhythms : sequence of Rhythm
        In the order of time.
    start : str, optional
        When the recording began, in ISO 8601: date and time of day, or the time of day alone. EDF+ has no time zone,
        and only dates of the years 1985 to 2084; another date is left out.
    """
    import edfio

    notes = [edfio.EdfAnnotation(one.start, one.end - one.start, one.name) for one in rhythms]
    day, _, clock = (start or "").rpartition("T")
    date = datetime.fromisoformat(day).date() if day else None
    recording = edfio.Recording(startdate=date) if date and date.year in EDF_YEARS else None
    time = datetime.fromisoformat(f"2000-01-01T{clock}").time() if clock else None
    with files.replacing(path) as temporary:
        edfio.Edf([], annotations=notes, recording=recording, starttime=time).write(temporary)


def write_json(path: Path, rhythms: Sequence[Rhythm], about: Mapping[str, object]) -> None:
    """Write rhythms as a JSON object with what is said `about` the recording, and the rhythms."""
    files.write_text(path, json.dumps({**about, "rhythms": [asdict(one) for one in rhythms]}, indent=1) + "\n")
