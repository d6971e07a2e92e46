"""A path -> the recording in it."""

from __future__ import annotations

import shutil
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import IO

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import scratch
from ecg_rhythm.records.formats import LONGEST_MAGIC, WFDB, find_opener
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.paths import is_closed, is_dir, is_empty, is_file, is_pipe, wfdb_header
from ecg_rhythm.records.recording import Record, Recording, to_record

STANDARD_INPUT = "-"
ABOUT_CODE = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning)
"""Kinds of warnings that do not speak of a file."""
MOST_SAID = 150
"""Letters of a warning that are repeated."""


def read(path: Path | str, options: ReadOptions = ReadOptions()) -> Record:  # noqa: B008
    """Read one lead of an ECG file.

    Parameters
    ----------
    path : path
        A WFDB record (its name, its `.hea`, or its `.dat` or `.mat` beside the `.hea`), or a file of another format:
        EDF, BDF, MATLAB, CSV and other text, NumPy, Parquet, DICOM, or one that a plugin reads. `-` is standard input.
    options : ReadOptions
        The lead to read, and what the user says of the rate and the unit.

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
    with warnings.catch_warnings(record=True, action="always") as heard:
        if str(path) == STANDARD_INPUT:
            if sys.stdin is None:
                raise BadInput("-: there is no standard input; give files")
            recording = _open_stream(sys.stdin.buffer, STANDARD_INPUT, options)
        else:
            recording = _open_path(Path(path), options)
    said = tuple(dict.fromkeys(filter(None, map(_said_of_file, heard))))
    return replace(recording, remarks=(*recording.remarks, *said)) if said else recording


def _said_of_file(warning: warnings.WarningMessage) -> str | None:
    """What a library's warning says of the file, as a remark; None if it speaks of the library's own code."""
    if issubclass(warning.category, ABOUT_CODE):
        return None
    parts = Path(warning.filename).parts
    library = parts[parts.index("site-packages") + 1] if "site-packages" in parts else "Python"
    return f"{library.removesuffix('.py')} warns: {' '.join(str(warning.message).split())[:MOST_SAID]}"


def _open_path(path: Path, options: ReadOptions) -> Recording:
    header = wfdb_header(path)
    if is_empty(header or path):
        raise BadInput(f"{header or path}: this file is empty; get a new copy")
    try:
        if header is not None:
            return WFDB.load()(header, options)
        if not (is_file(path) or is_pipe(path)):
            raise BadInput(f"{path}: {_why_not(path)}")
        with path.open("rb") as file:
            if is_pipe(path):
                return replace(_open_stream(file, str(path), options), name=path.stem)
            begin = file.read(LONGEST_MAGIC)
        opener = find_opener(path, begin)
        return opener(path, options)
    except PermissionError:
        raise BadInput(f"{path}: there is no permission to read it; change its permissions") from None
    except OSError as error:
        raise BadInput(f"{path}: it cannot be read: {error.strerror or error}") from None


def _why_not(path: Path) -> str:
    """Why a path is no file."""
    if is_closed(path):
        return "there is no permission to read it; change its permissions"
    if is_dir(path):
        return "this folder is no recording; name a file, or a folder with recordings in it"
    return "there is no such file or WFDB record; check the name"


def _open_stream(stream: IO[bytes], name: str, options: ReadOptions) -> Recording:
    """Open what comes on a stream, which messages call `name`. Openers need a file, so it is saved as one."""
    path = scratch.new_folder() / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(stream, file)
    try:
        return _open_path(path, options)
    except BadInput as error:
        raise BadInput(str(error).replace(str(path), name)) from None
