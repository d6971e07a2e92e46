"""Which format a file is in, and what to open it with."""

from __future__ import annotations

import importlib
import os
import shutil
import stat
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO

import numpy as np

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.recording import ReadOptions, Record, Recording, bridged

Opener = Callable[[Path, ReadOptions], Recording]

PLUGINS = "ecg_rhythm.formats"
"""Group of entry points that other packages register formats in: a suffix such as `.xyz` -> an `Opener`."""
STANDARD_INPUT = "-"

_OPENERS = {
    "edf": "edf:open_edf",
    "dicom": "dicom:open_dicom",
    "matlab": "matlab:open_matlab",
    "numpy": "npy:open_numpy",
    "parquet": "parquet_table:open_parquet",
    "text": "text:open_text",
    "wfdb": "wfdb_record:open_wfdb",
}
_SUFFIXES = {
    ".bdf": "edf", ".csv": "text", ".dcm": "dicom", ".edf": "edf", ".mat": "matlab", ".npy": "numpy", ".npz": "numpy",
    ".parquet": "parquet", ".pq": "parquet", ".tsv": "text", ".txt": "text",
}  # fmt: skip
_BEGINNINGS = (
    (0, b"0       ", "edf"),
    (0, b"\xffBIOSEMI", "edf"),
    (0, b"\x93NUMPY", "numpy"),
    (0, b"PK\x03\x04", "numpy"),
    (0, b"PAR1", "parquet"),
    (0, b"MATLAB ", "matlab"),
    (128, b"DICM", "dicom"),
)
"""Where in a file which bytes tell its format."""


def read(path: Path | str, options: ReadOptions = ReadOptions()) -> Record:  # noqa: B008
    """Read one lead of an ECG file.

    Parameters
    ----------
    path : path
        A WFDB record (its name, its `.hea`, or its `.dat` or `.mat` beside the `.hea`), or a file of another format:
        EDF, BDF, MATLAB, CSV and other text, NumPy, Parquet, DICOM, or one that a plugin reads.
    options : ReadOptions
        The lead, rate and unit, where the user knows better than the file.

    Returns
    -------
    Record
        In mV at the file's own rate, its gaps bridged.

    Raises
    ------
    BadInput
        If the file is missing, of an unknown format, damaged, empty, or holds hardly a number.
    """
    return whole(open_recording(path, options), str(path))


def whole(recording: Recording, source: str) -> Record:
    """Return all of a recording, its gaps bridged; see `read`.

    Raises
    ------
    BadInput
        If it is empty or holds hardly a number; `source` is what the message calls it.
    """
    signal = recording.stretch(0, recording.samples)
    if len(signal) == 0:
        raise BadInput(f"{source}: the recording is empty; give one with at least a few seconds of signal")
    return bridged(
        Record(
            name=recording.name,
            signal=np.ascontiguousarray(signal),
            fs=recording.fs,
            lead=recording.lead,
            remarks=recording.remarks,
        ),
        source,
    )


def open_recording(path: Path | str, options: ReadOptions = ReadOptions()) -> Recording:  # noqa: B008
    """Open one lead of an ECG file, to be read stretch by stretch; see `read`.

    Raises
    ------
    BadInput
        If the file is missing, of an unknown format, or damaged.
    """
    # What a library warns of and still reads (values against the standard, a cut-off end) is not for the user.
    with warnings.catch_warnings(action="ignore"):
        if str(path) == STANDARD_INPUT:
            recording = _of_stream(None, STANDARD_INPUT, options)
        else:
            recording = _opened(Path(path), options)
    return said_otherwise(recording, options)


def said_otherwise(recording: Recording, options: ReadOptions) -> Recording:
    """Return a recording that says so where its own rate is not the one that the user gives."""
    if options.fs is None or options.fs == recording.fs:
        return recording
    own = f"at {recording.fs:g} Hz, not {options.fs:g}, by its own word"
    return replace(recording, remarks=(*recording.remarks, own))


def _opened(path: Path, options: ReadOptions) -> Recording:
    header = _wfdb_header(path)
    if _is_empty(header or path):
        raise BadInput(f"{header or path}: this file is empty; get it anew")
    if header is not None:
        return _opener("wfdb")(header, options)
    if not (_is_file(path) or _is_pipe(path)):
        if _is_closed(path):
            raise BadInput(f"{path}: there is no permission to read it; change that")
        if _is_dir(path):
            raise BadInput(f"{path}: this folder is no recording; name a file, or a folder with recordings in it")
        raise BadInput(f"{path}: there is no such file or WFDB record; check the name")
    try:
        with path.open("rb") as file:
            if _is_pipe(path):
                return replace(_of_stream(file, str(path), options), name=path.stem)
            found = _opener_of(path, file)
        return found(path, options)
    except PermissionError:
        raise BadInput(f"{path}: there is no permission to read it; change that") from None
    except OSError as error:
        raise BadInput(f"{path}: it cannot be read: {error.strerror or error}") from None


def _wfdb_header(path: Path) -> Path | None:
    """Return the header of the WFDB record that a path names, if it names one."""
    if path.suffix == ".hea":
        header = path
    elif path.suffix in (".dat", ".mat"):
        header = path.with_suffix(".hea")
    else:
        header = Path(f"{path}.hea")
    return header if _is_file(header) else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name no file can have
        return False


def _is_told(path: Path) -> bool:
    """Tell whether a path that was found is to be read, or cannot be looked at, which the user is to know."""
    return _is_file(path) or _is_closed(path)


def _is_empty(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size == 0
    except (OSError, ValueError):
        return False


def _is_pipe(path: Path) -> bool:
    try:
        return path.is_fifo()
    except (OSError, ValueError):
        return False


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _is_closed(path: Path) -> bool:
    """Tell whether a file or folder may not be looked at."""
    try:
        return stat.S_ISDIR(path.stat().st_mode) and not os.access(path, os.R_OK | os.X_OK)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def _opener_of(path: Path, file: IO[bytes]) -> Opener:
    """Return what opens a file: what its suffix says, else what its first bytes say, else text."""
    suffix = path.suffix.lower()
    if suffix in _SUFFIXES:
        return _opener(_SUFFIXES[suffix])
    if suffix in _plugins():
        return _plugins()[suffix]
    begin = file.read(200)
    for position, magic, name in _BEGINNINGS:
        if begin[position : position + len(magic)] == magic:
            return _opener(name)
    return _opener("matlab" if _is_matlab_4(begin) else "text")


def _is_matlab_4(begin: bytes) -> bool:
    """Tell whether a file begins like a MATLAB 4 one, which has no magic: type, rows, columns, ...."""
    kind, rows, columns, imaginary, name = np.frombuffer(begin.ljust(20, b"\xff")[:20], dtype="<i4")
    return 0 <= kind < 100 and rows > 0 and columns > 0 and imaginary in (0, 1) and 1 < name < 64


def _opener(name: str) -> Opener:
    """Return the function that opens a format; its module is loaded only now."""
    module, function = _OPENERS[name].split(":")
    opener: Opener = getattr(importlib.import_module(f"ecg_rhythm.records.formats.{module}"), function)
    return opener


@cache
def _plugins() -> dict[str, Opener]:
    return {point.name.lower(): point.load() for point in entry_points(group=PLUGINS)}


def _of_stream(stream: IO[bytes] | None, name: str, options: ReadOptions) -> Recording:
    """Open what comes on a stream, by default standard input, by way of a file; messages call it by its name."""
    path = standard_input(stream)
    try:
        return _opened(path, options)
    except BadInput as error:
        raise BadInput(str(error).replace(str(path), name)) from None


def standard_input(stream: IO[bytes] | None = None) -> Path:
    """Return a file with what comes on a stream, by default standard input; it is there until the program ends."""
    path = Path(tempfile.mkdtemp(dir=_scratch().name)) / "stdin"
    if stream is None:
        if sys.stdin is None:
            raise BadInput("-: there is no standard input; give files")
        stream = sys.stdin.buffer
    with path.open("wb") as file:
        shutil.copyfileobj(stream, file)
    return path


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="ecg-rhythm-")
