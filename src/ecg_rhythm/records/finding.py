"""Folders and patterns -> the paths of the recordings in them."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import dropwhile
from pathlib import Path, PurePath, PureWindowsPath
from typing import NamedTuple, TypeVar

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.decoding import decoded
from ecg_rhythm.records.formats import LONGEST_MAGIC, is_candidate
from ecg_rhythm.records.formats.wfdb_header import files_named, is_header
from ecg_rhythm.records.paths import is_closed, is_dir, is_file, wfdb_header

DEEP = "**"
"""In a pattern: any number of folders."""


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


def find(folder: Path, leaving_out: Callable[[Path], bool] = lambda path: False) -> dict[str, Path]:
    """Find the recordings below a folder: name -> path; files for which `leaving_out` holds are none.

    Raises
    ------
    BadInput
        If the folder is missing or holds no recordings, or two of them have one name.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder; check the name")
    by_name: dict[str, Path] = {}
    for path in files_in(folder):
        if leaving_out(path):
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
    return list(_below(folder, Counter()))


def _below(folder: Path, passed_over: Counter[str]) -> Iterator[Path]:
    """The files below a folder that may be recordings, folder by folder; suffixes of the others are counted."""
    closed: list[Path] = []
    for path in _files_below(folder, closed):
        if is_candidate(path.name, partial(_begin, path)):
            yield path
        else:
            passed_over[path.suffix.lower()] += 1
    yield from closed


def _files_below(folder: Path, closed: list[Path]) -> Iterator[Path]:
    """The files below a folder, sorted, without parts of WFDB records; only the open folders are held in memory."""
    deep = [iter(_inside(folder, closed))]
    while deep:
        path, is_folder = next(deep[-1], (None, False))
        if path is None:
            deep.pop()
        elif is_folder:
            deep.append(iter(_inside(path, closed)))
        else:
            yield path


def _inside(folder: Path, closed: list[Path]) -> list[tuple[Path, bool]]:
    """The files and folders in a folder, and which of them are folders; links to folders are not followed."""
    try:
        with os.scandir(folder) as found:
            entries = [(folder / one.name, one.is_dir(), one.is_symlink()) for one in found if one.name[0] != "."]
    except OSError:
        closed.append(folder)
        return []
    files = [path for path, is_folder, _ in entries if not is_folder and _is_there(path)]
    whole = [(path, False) for path in without_parts(files, Path.read_bytes)]
    return sorted([*whole, *((path, True) for path, is_folder, is_link in entries if is_folder and not is_link)])


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
    for one in expand_one_by_one(names, found.passed_over):
        if isinstance(one, BadInput):
            found.problems.append(one)
        else:
            found.paths.append(one)
    return found


def expand_one_by_one(names: Iterable[str], passed_over: Counter[str]) -> Iterator[Path | BadInput]:
    """The same, one after the other: of a folder, only the names in one subfolder are held in memory.

    Parameters
    ----------
    names : iterable of str
        Files, folders and patterns.
    passed_over : Counter
        Gets how many files in folders are no ECG files, by suffix in lower case.

    Yields
    ------
    Path or BadInput
        A file to open, or what is wrong with a folder.

    Raises
    ------
    BadInput
        If a name is empty.
    """
    for name in dict.fromkeys(names):
        path = Path(name)
        if not name:
            raise BadInput("a name is empty; give files, folders or patterns")
        if is_dir(path) and wfdb_header(path) is None:
            inside = _below(path, passed_over)
            nothing = BadInput(f"{path}: no ECG files in it; name files, or a folder that has some")
            yield next(inside, nothing)
            yield from inside
        elif set(name) & set("*?[") and not is_file(path) and wfdb_header(path) is None:
            matches = sorted(set(map(Path, _matches(path))))
            below = [file for folder in matches if is_dir(folder) for file in _below(folder, passed_over)]
            whole = without_parts([file for file in matches if _is_there(file)], Path.read_bytes)
            yield from dict.fromkeys(whole + below) or [path]
        else:
            yield path


def _matches(pattern: Path) -> Iterator[str]:
    """What a pattern stands for. Where `**` is any number of folders, no links are followed, as they may lead back."""
    if DEEP not in pattern.parts:
        yield from glob.iglob(str(pattern))  # noqa: PTH207 -- with or without a root
        return
    at = pattern.parts.index(DEEP)
    after = list(dropwhile(lambda part: part == DEEP, pattern.parts[at:]))
    for folder in glob.iglob(str(Path(*pattern.parts[:at]))):  # noqa: PTH207
        for below, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if name[0] != "."]
            if after:
                yield from _matches(Path(glob.escape(below), *after))
            else:
                yield from (os.path.join(below, name) for name in names if name[0] != ".")  # noqa: PTH118


def _is_there(path: Path) -> bool:
    """Whether a path is a file, or may not be looked at."""
    return is_file(path) or is_closed(path)


PathT = TypeVar("PathT", bound=PurePath)


def without_parts(files: Sequence[PathT], read: Callable[[PathT], bytes]) -> list[PathT]:
    """Leave out the signal files and segments of WFDB records whose headers are among the files, and can be read.

    What has the name of a header with another suffix belongs to its record, too.
    """
    headers = [path for path in files if is_header(path)]
    names = {path.with_suffix("") for path in headers}
    parts = {part for path in headers for part in _parts(path, read)}
    return [path for path in files if path not in parts and (is_header(path) or path.with_suffix("") not in names)]


def _parts(header: PathT, read: Callable[[PathT], bytes]) -> list[PathT]:
    """The files of a WFDB record, beside its header."""
    try:
        text = decoded(read(header))[0]
    except OSError:
        return []
    return [header.parent / PureWindowsPath(name).name for name in files_named(text)]
