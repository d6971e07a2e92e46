"""Checksums of what counts, so that a flipped bit is noticed when it is read.

A JSON file is sealed: its last key is a SHA-256 of all that is before it. Other files have theirs in a sealed JSON file
beside them. Files of earlier versions have none; they are read as they are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SEAL, FILES = "sha256", "files"
"""Keys of a JSON file: the checksum of its content, and those of files beside it."""

_BEFORE = f',\n  "{SEAL}": "'.encode()
_AFTER = b'"\n}\n'
_TORN = re.compile(rb'"[0-9a-f]{64}"\s*}\s*\Z')
"""How a file ends whose seal can no longer be recognized."""


class Damaged(ValueError):
    """A file is not what it was when it was written."""

    def __init__(self, why: str = "it is damaged or was changed: its checksum does not fit its content") -> None:
        super().__init__(why)


def sealed(value: Mapping[str, Any]) -> str:
    """JSON text of an object, sealed."""
    content = json.dumps(value, indent=2, ensure_ascii=False).removesuffix("\n}").encode()
    return (content + _BEFORE + _sha256(content) + _AFTER).decode()


def unsealed(text: bytes) -> Any:
    """The value of JSON text, without its seal if it has one.

    Raises
    ------
    Damaged
        If the seal does not fit.
    ValueError
        If it is not JSON.
    """
    content, seal, rest = text.rpartition(_BEFORE)
    if rest != _sha256(content) + _AFTER if seal else _TORN.search(text):
        raise Damaged
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if isinstance(value, dict):
        value.pop(SEAL, None)
    return value


def of_files(paths: Iterable[Path]) -> dict[str, str]:
    """Name of each file -> its SHA-256; files that are not there are left out."""
    return {path.name: of_file(path) for path in paths if path.is_file()}


def of_file(path: Path) -> str:
    """SHA-256 of a file; of what is no regular file there is none, as a pipe would be waited for.

    Raises
    ------
    Damaged, OSError
        If it is none, or cannot be read.
    """
    if path.exists() and not path.is_file():
        raise Damaged("it is no regular file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, value: Mapping[str, Any]) -> Path:
    """A file, if it is what a sealed value says of it, or that says nothing.

    Raises
    ------
    Damaged
        If it is not, or is missing.
    """
    sums = value.get(FILES, {})
    if not isinstance(sums, dict):
        raise Damaged
    expected = sums.get(path.name)
    if expected is not None and not path.is_file():
        raise Damaged("it is missing")
    if expected is not None and of_file(path) != expected:
        raise Damaged
    return path


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
