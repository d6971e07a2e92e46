"""Folders and patterns -> the recordings in them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.reading import _SUFFIXES, _is_dir, _is_file, _is_told, _plugins, _wfdb_header


def find(folder: Path, leaving_out: Path | None = None) -> dict[str, Path]:
    """Return all recordings below a folder that `read` understands, but one file: name -> path.

    Raises
    ------
    BadInput
        If the folder is missing, holds none, or two of one name.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder; check the name")
    found: dict[str, Path] = {}
    for path in files_in(folder):
        if leaving_out is not None and path.resolve() == leaving_out.resolve():
            continue
        if path.stem in found:
            raise BadInput(f"{path}: {found[path.stem]} has the same record name; rename one of them")
        found[path.stem] = path
    if not found:
        raise BadInput(f"{folder}: there are no recordings in it; put WFDB records or other ECG files there")
    return found


def files_in(folder: Path) -> list[Path]:
    """Return the files below a folder that may be recordings, sorted: each WFDB record by its header alone.

    Hidden files and folders are left out, as patterns leave them out. What cannot be looked at is among them, folders
    at the end, to be told of like a file that cannot be read.
    """
    closed: list[Path] = []
    files: list[Path] = []
    for below, folders, names in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        folders[:] = [name for name in folders if name[0] != "."]
        files += (path for name in names if name[0] != "." and _is_told(path := Path(below, name)))
    known = _SUFFIXES.keys() | _plugins().keys() | {".hea"}
    return [path for path in _whole_records(sorted(files)) if path.suffix.lower() in known] + closed


def expand(names: Iterable[str]) -> list[Path]:
    """Return the files that names stand for: themselves, folders, patterns with `*` of files and folders.

    A folder without recordings and a pattern that no file fits stand for themselves, which cannot be read.

    Raises
    ------
    BadInput
        If a name is empty.
    """
    found: list[Path] = []
    for name in dict.fromkeys(names):
        path = Path(name)
        if not name:
            raise BadInput("a name is empty; give files, folders or patterns")
        if _is_dir(path) and _wfdb_header(path) is None:
            found += files_in(path) or [path]
        elif set(name) & set("*?[") and not _is_file(path) and _wfdb_header(path) is None:
            fitting = sorted(map(Path, glob.glob(name, recursive=True)))  # noqa: PTH207 -- with or without a root
            within = [file for folder in fitting if _is_dir(folder) for file in files_in(folder)]
            found += dict.fromkeys(_whole_records([file for file in fitting if _is_told(file)]) + within) or [path]
        else:
            found.append(path)
    return found


def _whole_records(files: list[Path]) -> list[Path]:
    """Leave out what belongs to a WFDB record of which the header is among the files: signals and segments."""
    headers = {path.with_suffix("") for path in files if path.suffix == ".hea"}
    segments = {segment for path in files if path.suffix == ".hea" for segment in _segments(path)}
    return [
        path
        for path in files
        if path not in segments and (path.suffix == ".hea" or path.with_suffix("") not in headers)
    ]


def _segments(header: Path) -> Iterator[Path]:
    """Yield the headers of the segments that a WFDB record consists of, if it does."""
    try:
        lines = header.read_bytes().splitlines()
    except OSError:
        return
    rows = [line.decode("utf-8", errors="replace").split() for line in lines if line.strip() and line[:1] != b"#"]
    if rows and "/" in rows[0][0]:
        yield from (header.with_name(f"{row[0]}.hea") for row in rows[1:])
