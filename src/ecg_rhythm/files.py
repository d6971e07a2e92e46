"""The one door to the disk: what the program writes appears whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ecg_rhythm.errors import BadInput, blaming

LONGEST_NAME = 255
"""Bytes of a file's name on all usual file systems."""
OLD = 24 * 3600.0
"""Seconds after which what another machine has not finished counts as left behind."""

_PART = re.compile(r"\..{0,255}\.(?P<host>[\w-]{1,63})\.(?P<process>[1-9]\d{0,9})\.part", re.ASCII | re.DOTALL)
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")
_MADE_BY = re.compile(r"(\.[\w-]{1,63})?\.\w{1,20}\.part", re.ASCII)
"""Name of a temporary file or folder; its end, which in earlier versions gave no machine."""
_UMASK = os.umask(0)
"""Permissions that the user takes from what is made; the system tells it only to who sets it."""
os.umask(_UMASK)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Provide a path to write to, in a temporary folder beside `path`; on success that file replaces `path`.

    A folder, as libraries make temporary files of their own beside what they write.

    Raises
    ------
    BadInput
        If `path` is a folder.
    OSError
        If it cannot be written, whatever the library raised that wrote it.
    """
    refuse_folder(path)
    folder = temporary_beside(path)
    with blaming(path, folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_left_overs(path.parent)
        try:
            folder.mkdir(exist_ok=True)
            made = folder / path.name
            yield made
            made.chmod(0o666 & ~_UMASK)
            _sync(made)
            made.replace(path)
            _sync(path.parent)
        finally:
            _remove(folder)


def unused(folder: Path, name: str, suffix: str, used: dict[Path, int]) -> Path:
    """A file of a name in a folder, with a number if that is `used` already; it is added to these.

    Each file has the last number that was tried behind its name, so that no number is tried twice.
    """
    path = first = folder / f"{name}{suffix}"
    number = used.get(first, 1)
    while path in used:
        number += 1
        path = folder / f"{name}-{number}{suffix}"
    used[path], used[first] = 1, number
    return path


def refuse_folder(path: Path) -> None:
    """Refuse a folder where a file is to be written."""
    if not path.name or path.is_dir():
        raise BadInput(f"{path}: this is a folder; name a file in it")


def refuse_existing(path: Path, other: str) -> None:
    """Refuse what exists already where something new is to be made; `other` says what to do."""
    if path.exists():
        raise BadInput(f"{path}: exists already; {other}")


@contextmanager
def new_folder(path: Path, other: str = "choose another name") -> Iterator[Path]:
    """Provide a temporary folder beside `path` to fill; on success it becomes `path`.

    Remains of an earlier attempt that was killed are removed first. `other` says what to do if `path` exists.

    Raises
    ------
    BadInput
        If `path` exists already, or another process is making it.
    OSError
        If it cannot be written.
    """
    if not path.name:  # `.` or `/`
        raise BadInput(f"{path}: exists already; {other}")
    temporary = temporary_beside(path)
    with blaming(path, temporary), alone(path, f"{path}: another process is making it; wait for it"):
        refuse_existing(path, other)
        _remove_parts_of(path)
        remove_left_overs(path.parent)
        try:
            temporary.mkdir()
            yield temporary
            temporary.chmod(0o777 & ~_UMASK)
            remove_parts(temporary)  # which could not be removed before
            for file in (*temporary.rglob("*"), temporary):
                _sync(file)
            temporary.rename(path)
            _sync(path.parent)
        finally:
            _remove_parts_of(path)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Provide a temporary folder beside `path` for what is unpacked on the way to it; it is removed in the end."""
    folder = temporary_beside(path.with_name(f"{path.name}.unpacked"))
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_left_overs(path.parent)
    folder.mkdir()
    try:
        yield folder
    finally:
        _remove(folder)


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder of the system's place for temporary files, which also loses what killed processes left there."""
    remove_left_overs(Path(tempfile.gettempdir()), of_others=False)
    return tempfile.TemporaryDirectory(prefix=".ecg-rhythm.", suffix=_end(), ignore_cleanup_errors=True)


@contextmanager
def alone(path: Path, busy: str) -> Iterator[None]:
    """Be the only process that makes `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock_file = _lock_of(path)
    with held(lock_file, busy):
        try:
            yield
        finally:
            with suppress(OSError):  # it would hide an earlier error
                lock_file.unlink(missing_ok=True)


def remove_lock(path: Path) -> None:
    """Remove the lock of what is made already, which a process left that was killed right then."""
    if _lock_of(path).exists():
        with suppress(BadInput), alone(path, f"{path}: another process is making it"):
            pass


def _lock_of(path: Path) -> Path:
    return hidden_beside(path, ".lock")


@contextmanager
def held(lock_file: Path, busy: str, error: type[BadInput] = BadInput) -> Iterator[None]:
    """Hold a lock for this process alone; the lock ends with the process, however that ends.

    Raises
    ------
    BadInput
        With the message `busy`, if another process holds the lock; or the subclass given as `error`.
    """
    lock = FileLock(lock_file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise error(busy) from None
    except OSError as failed:  # nobody knows the name of the lock
        raise OSError(failed.errno, failed.strerror, str(lock_file.parent)) from None
    try:
        yield
    finally:
        lock.release()


def temporary_beside(path: Path) -> Path:
    """A temporary name beside `path` that tells which process of which machine made it.

    The next process that writes into the folder removes it if that process has ended.
    """
    return hidden_beside(path, _end())


def hidden_beside(path: Path, end: str) -> Path:
    """A hidden name beside `path` with an end of its own; a long name is cut."""
    name = os.fsencode(path.name)[: LONGEST_NAME - len(end) - 1]
    return path.with_name(f".{name.decode(errors='ignore')}{end}")


def _end() -> str:
    """The end of a temporary name: which process of which machine made it."""
    return f".{_host()}.{os.getpid()}.part"


@cache
def _host() -> str:
    """Name of this machine and of its process numbers, as containers with the same host name have their own."""
    namespace = ""
    with suppress(OSError):
        namespace = f"-{Path('/proc/self/ns/pid').stat().st_ino}"
    return (_NO_NAME.sub("-", socket.gethostname())[: 63 - len(namespace)] or "unnamed") + namespace


@cache
def remove_left_overs(folder: Path, *, of_others: bool = True) -> None:
    """Remove what ended processes left in a folder; once in each process, as large folders take long to list.

    What is old and of other machines is removed, too, unless it may be in use as long as its process runs.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            if (match := _PART.fullmatch(path.name)) and (of_others or _is_here(match)):
                with suppress(OSError):  # another process may have removed it
                    if _is_left_over(path, match):
                        _remove(path)


def _is_here(name: re.Match[str]) -> bool:
    """Whether the process that made something can be looked for."""
    return name["host"] == _host() and os.name == "posix"


def _is_left_over(path: Path, name: re.Match[str]) -> bool:
    """Whether the process that made a temporary file or folder has ended; of another machine, whether it is old."""
    if not _is_here(name):
        return time.time() - path.lstat().st_mtime > OLD
    try:
        os.kill(int(name["process"]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def remove_parts(folder: Path) -> None:
    """Remove all temporary files and folders in a folder that no other process writes into."""
    for path in folder.glob(".*.part"):
        _remove(path)


def _remove_parts_of(path: Path) -> None:
    """Remove all temporary files and folders of one path; nobody else makes it."""
    name = temporary_beside(path).name.removesuffix(_end())
    with suppress(OSError):
        for part in path.parent.iterdir():
            if part.name.startswith(f"{name}.") and _MADE_BY.fullmatch(part.name[len(name) :]):
                _remove(part)


def _remove(path: Path) -> None:
    """Remove a temporary file or folder if that is possible; what stays is removed by the next writer."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have the system write a file or folder to the disk, so that what follows it on the disk comes later."""
    if path.is_dir() and os.name != "posix":  # has no such thing for folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot
            raise
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
