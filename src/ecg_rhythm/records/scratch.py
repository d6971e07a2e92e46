"""Temporary folders for copies of files that may be read as long as the program runs, or while a folder is given."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from ecg_rhythm import files

_given: ContextVar[Path | None] = ContextVar("_given", default=None)


def new_folder() -> Path:
    """Make a temporary folder, which is removed when the program ends."""
    return Path(tempfile.mkdtemp(dir=_given.get() or _root().name))


class Kept:
    """A temporary folder that is removed with the last that refers to this, or when the program ends."""

    def __init__(self, folder: Path) -> None:
        weakref.finalize(self, _remove, folder, os.getpid())


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # and not in a fork, whose copy ends first
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def within(folder: Path) -> Iterator[None]:
    """Make temporary folders within this one for a while; who gives it removes it."""
    token = _given.set(folder)
    try:
        yield
    finally:
        _given.reset(token)


@cache
def _root() -> tempfile.TemporaryDirectory[str]:
    return files.temporary_folder()
