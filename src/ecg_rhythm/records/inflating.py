"""The bound on compressed files: what they hold must not be far larger than the file."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import IO

from ecg_rhythm.errors import BadInput

TIMES, LEAST = 16, 128 * 2**20
"""A file may hold this many times its own size, and any file this many bytes. ECGs shrink to about a third."""
CHUNK = 2**16
"""Bytes that are inflated at once."""


def limit(path: Path) -> int:
    """How many bytes a compressed file may hold."""
    return max(TIMES * path.stat().st_size, LEAST)


def check(path: Path, size: int) -> None:
    """Check that a file may hold `size` bytes.

    Raises
    ------
    BadInput
        If these are too many.
    """
    if size > limit(path):
        raise BadInput(f"{path}: its content is over {TIMES} times as large as the file; save it uncompressed")


def inflated_size(file: IO[bytes], compressed: int, most: int, wbits: int = zlib.MAX_WBITS) -> int:
    """How many bytes the next `compressed` bytes of a file inflate to; counting ends at the first number above `most`.

    Raises
    ------
    zlib.error
        If they are damaged.
    """
    stream, size, left = zlib.decompressobj(wbits), 0, compressed
    while size <= most and left > 0 and (part := file.read(min(CHUNK, left))):
        left -= len(part)
        while part and size <= most:
            size += len(stream.decompress(part, CHUNK))
            part = stream.unconsumed_tail
    return size
