"""Writing files and folders so that they appear whole or not at all."""

from __future__ import annotations

import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ecg_rhythm.errors import BadInput


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Provide a temporary path beside `path` to write to; on success it replaces `path`.

    Raises
    ------
    BadInput
        If `path` is a folder.
    """
    if not path.name or path.is_dir():
        raise BadInput(f"{path}: this is a folder; name a file in it")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if error.filename is None or Path(os.fsdecode(error.filename)) == temporary:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        raise
    finally:
        with suppress(OSError):  # it would hide an earlier error
            temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path, other: str = "choose another name") -> Iterator[Path]:
    """Provide a temporary folder beside `path` to fill; on success it becomes `path`.

    Remains of an earlier attempt that was killed are removed first. `other` says what to do if `path` exists.

    Raises
    ------
    BadInput
        If `path` exists already, or another process is making it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock_file = path.with_name(f".{path.name}.lock")
    with held(lock_file, f"{path}: another process is making it; wait for it"):
        try:
            if path.exists():
                raise BadInput(f"{path}: exists already; {other}")
            _remove_left_overs(path)
            temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
            yield temporary
            temporary.chmod(0o755)
            temporary.rename(path)
        finally:
            _remove_left_overs(path)
            lock_file.unlink(missing_ok=True)


def _remove_left_overs(path: Path) -> None:
    for left_over in path.parent.glob(f".{glob.escape(path.name)}.????????.part"):
        shutil.rmtree(left_over, ignore_errors=True)


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
    try:
        yield
    finally:
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
