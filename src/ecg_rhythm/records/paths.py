"""What a path is. No question raises an error: a path that cannot be looked at is no file, folder or pipe."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path

from ecg_rhythm.errors import BadInput
from ecg_rhythm.given import quoted

STANDARD_INPUT, OF_URL = "-", "://"
BESIDE = ("", ".hea", ".dat", ".mat")
"""Suffixes of the files that a recording may consist of."""
OF_THIS_PROCESS = ("/dev/", "/proc/")
"""Where names mean something else in each process."""


def is_url(name: str) -> bool:
    """Whether a name is a URL rather than a path."""
    return OF_URL in name


def path_of(name: object) -> Path:
    """A path that a user gives, as text or as a path.

    Raises
    ------
    BadInput
        If it is neither.
    """
    try:
        return Path(name)  # type: ignore[arg-type]
    except TypeError:
        raise BadInput(f"{quoted(name)} is no path; give it as text or as a Path") from None


def is_file(path: Path) -> bool:
    """Whether there is a file."""
    return _holds(path.is_file)


def is_dir(path: Path) -> bool:
    """Whether there is a folder."""
    return _holds(path.is_dir)


def is_pipe(path: Path) -> bool:
    """Whether there is a named pipe."""
    return _holds(path.is_fifo)


def is_other(path: Path) -> bool:
    """Whether there is something that is neither a file nor a folder, such as a pipe, a device or a socket."""
    return _holds(lambda: path.exists() and not path.is_file() and not path.is_dir())


def is_empty(path: Path) -> bool:
    """Whether there is a file of no bytes."""
    return _holds(lambda: path.is_file() and path.stat().st_size == 0)


def is_closed(path: Path) -> bool:
    """Whether a file or folder is there that the user may not look at."""
    try:
        return stat.S_ISDIR(path.stat().st_mode) and not os.access(path, os.R_OK | os.X_OK)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def states(path: Path) -> list[os.stat_result]:
    """What the system says of each file that a recording may consist of."""
    found = []
    for suffix in BESIDE:
        with suppress(OSError, ValueError):
            found.append((path.with_suffix(suffix) if suffix and path.name else path).stat())
    return found


def size_on_disk(path: Path) -> float:
    """Bytes of the files that a recording may consist of; infinite, if only this process can read it, and once."""
    if str(path) == STANDARD_INPUT or str(path).startswith(OF_THIS_PROCESS):
        return inf
    files = states(path)
    return inf if any(stat.S_ISFIFO(file.st_mode) for file in files) else sum(file.st_size for file in files)


def wfdb_header(path: Path) -> Path | None:
    """The header of the WFDB record that a path names, by the record's name or one of its files; None without one.

    Its suffix may be in upper case, as on old discs.
    """
    if path.suffix.lower() == ".hea":
        return path if is_file(path) else None
    stem = path.with_suffix("") if path.suffix.lower() in (".dat", ".mat") else path
    return next((header for suffix in (".hea", ".HEA") if is_file(header := Path(f"{stem}{suffix}"))), None)


def _holds(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return False
