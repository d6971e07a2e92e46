"""A path -> the recording in it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO
from warnings import WarningMessage

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import scratch
from ecg_rhythm.records.formats import LONGEST_MAGIC, WFDB, find_opener
from ecg_rhythm.records.leads import other_leads
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.paths import (
    STANDARD_INPUT,
    is_closed,
    is_dir,
    is_empty,
    is_file,
    is_other,
    is_pipe,
    path_of,
    wfdb_header,
)
from ecg_rhythm.records.personal import without_words_of
from ecg_rhythm.records.recording import Record, Recording, to_record
from ecg_rhythm.warned import heard

ABOUT_CODE = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning)
"""Kinds of warnings that do not speak of a file."""
NOT_REPEATED = ("EDF header indicates", "BDF header indicates", "num_data_records=-1", "Different values in startdate")
"""Warnings that are not repeated: remarks here say the same, or dates are not used."""
PART, MOST_STREAMED = 2**20, 2 * 2**30
"""Bytes that are read from a stream at once, and at most: a day of twelve leads at 500 Hz has half as many."""
MOST_SAID = 150
"""Letters of a warning that are repeated."""


def read(path: Path | str, options: ReadOptions = ReadOptions()) -> Record:  # noqa: B008
    """Read one lead of an ECG file.

    Parameters
    ----------
    path : path
        A WFDB record (its name, its `.hea`, or its `.dat` or `.mat` beside the `.hea`), or a file of another format in
        `formats.FORMATS`, or one that a plugin reads. `-` is standard input.
    options : ReadOptions
        The lead to read, what the user says of the rate and the unit, and whether to keep the start time.

    Returns
    -------
    Record
        In mV at the file's own rate, its gaps filled.

    Raises
    ------
    BadInput
        If the file is missing, damaged, empty, of an unknown format, or less than half of its samples are numbers.
    """
    return to_record(open_recording(path, options), str(path))


def open_recording(path: Path | str, options: ReadOptions = ReadOptions()) -> Recording:  # noqa: B008
    """Open one lead of an ECG file, to be read part by part; see `read`.

    Raises
    ------
    BadInput
        If the file is missing, damaged, or of an unknown format.
    """
    recording = _open(path_of(path), options)
    return recording if options.dates else replace(recording, start=None)


def _open(path: Path, options: ReadOptions) -> Recording:
    if str(path) == STANDARD_INPUT:
        if sys.stdin is None:
            raise BadInput("-: there is no standard input; give files")
        return _open_stream(sys.stdin.buffer, STANDARD_INPUT, options)
    if is_pipe(path):
        with _refusing(path), path.open("rb") as file:
            return replace(_open_stream(file, str(path), options), name=path.stem)
    return open_file(path, options)


def open_file(path: Path, options: ReadOptions) -> Recording:
    """Open a file; what libraries warn of becomes remarks.

    Raises
    ------
    BadInput
        As `open_recording`.
    """
    with heard() as warnings, _refusing(path), other_leads() as names:
        recording = _open_quietly(path, options)
    if names:  # of this file, not of one inside it
        others = tuple(partial(open_file, path, replace(options, lead=name)) for name in names)
        recording = replace(recording, others=others)
    said = tuple(dict.fromkeys(said for warning in warnings if (said := _said_of(path, warning))))
    return replace(recording, remarks=(*recording.remarks, *said)) if said else recording


def _said_of(path: Path, warning: WarningMessage) -> str | None:
    """What a library's warning says of a file, as a remark; None if it speaks of its own code or of a person."""
    message = " ".join(str(warning.message).split())
    if issubclass(warning.category, ABOUT_CODE) or message.startswith(NOT_REPEATED):
        return None
    if not (said := without_words_of([wfdb_header(path) or path], message)):
        return None
    parts = Path(warning.filename).parts
    library = parts[parts.index("site-packages") + 1] if "site-packages" in parts else "Python"
    return f"{library.removesuffix('.py')} warns: {said[:MOST_SAID]}"


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Say of a file that the system does not let us read why this is so."""
    try:
        yield
    except PermissionError:
        raise BadInput(f"{path}: there is no permission to read it; change its permissions") from None
    except OSError as error:
        raise BadInput(f"{path}: it cannot be read: {error.strerror or error}") from None


def _open_quietly(path: Path, options: ReadOptions) -> Recording:
    header = wfdb_header(path)
    if is_empty(header or path):
        raise BadInput(f"{header or path}: this file is empty; get a new copy")
    if header is not None:
        return WFDB.load()(header, options)
    if not is_file(path):
        raise BadInput(f"{path}: {_why_not(path)}")
    with path.open("rb") as file:
        begin = file.read(LONGEST_MAGIC)
    opener = find_opener(path, begin)
    return opener(path, options)


def _why_not(path: Path) -> str:
    """Why a path is no file."""
    if is_closed(path):
        return "there is no permission to read it; change its permissions"
    if is_dir(path):
        return "this folder is no recording; name a file, or a folder with recordings in it"
    if is_other(path):
        return "this is a device or a socket; copy what it gives to a file"
    return "there is no such file or WFDB record; check the name"


def _open_stream(stream: IO[bytes], name: str, options: ReadOptions) -> Recording:
    """Open what comes on a stream, which messages call `name`. Openers need a file, so it is saved as one."""
    path = scratch.new_folder() / "stdin"
    try:
        with _refusing(Path(name)), path.open("wb") as file:
            while part := stream.read(PART):
                file.write(part)
                if file.tell() > MOST_STREAMED:
                    most = f"{MOST_STREAMED // 2**30} GiB"
                    raise BadInput(f"{name}: it gives more than {most}; save it and give the file")
        return open_file(path, options)
    except BadInput as error:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise BadInput(str(error).replace(str(path), name)) from None
