"""Folders and patterns -> the paths of the recordings in them."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import NamedTuple, TypeVar

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.formats import LONGEST_MAGIC, is_candidate
from ecg_rhythm.records.paths import is_closed, is_dir, is_file, wfdb_header


class Found(NamedTuple):
    """What names stand for.

    Attributes
    ----------
    paths : list of Path
        Files to open. A name without a match is kept, so that opening it gives the error.
    passed_over : Counter
        How many files in folders are no ECG files, by suffix in lower case.
    problems : list of BadInput
        Folders without ECG files.
    """

    paths: list[Path]
    passed_over: Counter[str]
    problems: list[BadInput]


def find(folder: Path, leaving_out: Path | None = None) -> dict[str, Path]:
    """Find the recordings below a folder: name -> path. The file `leaving_out` is none.

    Raises
    ------
    BadInput
        If the folder is missing or holds no recordings, or two of them have one name.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder; check the name")
    by_name: dict[str, Path] = {}
    for path in files_in(folder):
        if leaving_out is not None and path.resolve() == leaving_out.resolve():
            continue
        if path.stem in by_name:
            raise BadInput(f"{path}: {by_name[path.stem]} has the same record name; rename one of them")
        by_name[path.stem] = path
    if not by_name:
        raise BadInput(f"{folder}: there are no recordings in it; put WFDB records or other ECG files there")
    return by_name


def files_in(folder: Path) -> list[Path]:
    """List the files below a folder that may be recordings, sorted; a WFDB record is listed once, by its header.

    Hidden files and folders are left out, as patterns leave them out. Files that may not be looked at are listed, and
    folders of that kind come last, so that opening them tells the user.
    """
    return _below(folder)[0]


def _below(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files below a folder that may be recordings, and those that are none."""
    closed: list[Path] = []
    files: list[Path] = []
    for below, folders, names in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        folders[:] = [name for name in folders if name[0] != "."]
        files += (path for name in names if name[0] != "." and _is_there(path := Path(below, name)))
    whole = {
        path: is_candidate(path.name, partial(_begin, path)) for path in without_parts(sorted(files), Path.read_bytes)
    }
    return [path for path, may_be in whole.items() if may_be] + closed, [
        path for path, may_be in whole.items() if not may_be
    ]


def _begin(path: Path) -> bytes:
    """The first bytes of a file; none of one that may not be read."""
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_MAGIC)
    except OSError:
        return b""


def expand(names: Iterable[str]) -> Found:
    """Expand folders and patterns (`*`, `?`, `[...]`) to the files that they stand for.

    Raises
    ------
    BadInput
        If a name is empty.
    """
    found = Found([], Counter(), [])

    def within(folder: Path) -> list[Path]:
        recordings, others = _below(folder)
        found.passed_over.update(path.suffix.lower() for path in others)
        return recordings

    for name in dict.fromkeys(names):
        path = Path(name)
        if not name:
            raise BadInput("a name is empty; give files, folders or patterns")
        if is_dir(path) and wfdb_header(path) is None:
            inside = within(path)
            found.paths.extend(inside)
            if not inside:
                found.problems.append(BadInput(f"{path}: no ECG files in it; name files, or a folder that has some"))
        elif set(name) & set("*?[") and not is_file(path) and wfdb_header(path) is None:
            matches = sorted(map(Path, glob.glob(name, recursive=True)))  # noqa: PTH207 -- with or without a root
            inside = [file for folder in matches if is_dir(folder) for file in within(folder)]
            whole = without_parts([file for file in matches if _is_there(file)], Path.read_bytes)
            files = dict.fromkeys(whole + inside)
            found.paths.extend(files or [path])
        else:
            found.paths.append(path)
    return found


def _is_there(path: Path) -> bool:
    """Whether a path is a file, or may not be looked at."""
    return is_file(path) or is_closed(path)


PathT = TypeVar("PathT", bound=PurePath)


def without_parts(files: Sequence[PathT], read: Callable[[PathT], bytes]) -> list[PathT]:
    """Leave out the signal files and segments of WFDB records whose headers are among the files, and can be read."""
    headers = {path.with_suffix("") for path in files if path.suffix == ".hea"}
    segments = {segment for path in files if path.suffix == ".hea" for segment in _segments(path, read)}
    return [
        path
        for path in files
        if path not in segments and (path.suffix == ".hea" or path.with_suffix("") not in headers)
    ]


def _segments(header: PathT, read: Callable[[PathT], bytes]) -> list[PathT]:
    """The headers of the segments of a WFDB record, if it has any."""
    try:
        parts = parts_named(read(header))
    except OSError:
        return []
    return [header.with_name(name) for name in parts if name.endswith(".hea")]


def parts_named(header: bytes) -> list[str]:
    """The files that a WFDB header names: its signal files, or the headers of its segments.

    References
    ----------
    WFDB Applications Guide, `header(5)`.
    """
    lines = [line for line in header.splitlines() if line.strip() and line[:1] != b"#"]
    rows = [line.decode("utf-8", errors="replace").split() for line in lines]
    if not rows:
        return []
    suffix = ".hea" * ("/" in rows[0][0])
    return list(dict.fromkeys(row[0] + suffix for row in rows[1:] if row[0] != "~"))
