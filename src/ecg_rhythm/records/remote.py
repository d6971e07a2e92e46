"""Recordings at URLs such as `s3://bucket/folder`, which fsspec reaches: found by name, fetched to be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput
from ecg_rhythm.printable import first_line
from ecg_rhythm.records.finding import without_parts
from ecg_rhythm.records.formats import LONGEST_MAGIC, is_candidate
from ecg_rhythm.records.formats.wfdb_header import files_named, is_header, text_of
from ecg_rhythm.records.paths import is_url

__all__ = ["fetch", "find", "is_url", "open_file"]


def find(url: str) -> list[str]:
    """Find the recordings that a URL of a file, a folder or a pattern stands for: their URLs, sorted.

    Raises
    ------
    BadInput
        If the URL cannot be reached, or there are none.
    """
    system, root = _open(url)
    with _sentence(url):
        names = system.glob(root) if set(root) & set("*?[") else system.find(root)
        by_path = {PurePosixPath(name): name for name in sorted(names)}  # a path holds no `//`, as those of http do
        seen = [path for path in by_path if not path.name.startswith(".")]
        whole = without_parts(seen, lambda path: bytes(system.cat_file(by_path[path])))
        found = [path for path in whole if is_candidate(path.name, partial(_begin, system, by_path[path]))]
    if found:
        return [str(system.unstrip_protocol(by_path[path])) for path in found]
    raise BadInput(f"{url}: no ECG files there; name files, or a folder that has some")


def _begin(system: Any, name: str) -> bytes:
    """The first bytes of a file."""
    return bytes(system.cat_file(name, end=LONGEST_MAGIC))


def fetch(url: str, folder: Path) -> Path:
    """Copy the file at a URL, and what a WFDB header names beside it, into an empty folder; the path of the copy.

    Raises
    ------
    BadInput
        If it cannot be copied.
    """
    system, name = _open(url)

    def copy(name: str) -> Path:
        above, _, last = name.rpartition("/")
        path = folder / last
        system.get_file(name, str(path))
        if is_header(path):
            for part in files_named(text_of(path)):
                if not (folder / part).exists() and PurePosixPath(part).name == part:
                    copy(f"{above}/{part}")
        return path

    with _sentence(url):
        return copy(name)


def open_file(url: str) -> Any:
    """Open the file at a URL for reading bytes at any place.

    Raises
    ------
    BadInput
        If it cannot be opened.
    """
    system, name = _open(url)
    with _sentence(url):
        return system.open(name, "rb")


def _open(url: str) -> tuple[Any, str]:
    """The file system that a URL is of, and the name there."""
    with extras.needed("cluster", f"{url}: reading from a URL"):
        from fsspec.core import url_to_fs
    with _sentence(url):
        system, name = url_to_fs(url)
        return system, str(name)


@contextmanager
def _sentence(url: str) -> Iterator[None]:
    """Make one sentence of what fsspec, or a library that it uses, raises: each raises errors of its own."""
    try:
        yield
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput(f"{url}: there is no such file or folder; check the URL") from None
    except Exception as error:
        why = first_line(error).rstrip(".")
        raise BadInput(f"{url}: it cannot be read ({why}); check the URL, and who may read it") from None
