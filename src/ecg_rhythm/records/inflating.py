"""Compressed files may not hold far more than an ECG of their size would."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import IO

from ecg_rhythm.errors import BadInput

TIMES, LEAST = 16, 128 * 2**20
"""How many times its own size a file may hold, and how many bytes any may: ECGs shrink to a third or so."""
CHUNK = 2**16


def most(path: Path) -> int:
    """Return how many bytes a compressed file may hold."""
    return max(TIMES * path.stat().st_size, LEAST)


def check(path: Path, size: int) -> None:
    """Refuse a file that holds so many bytes, if they are too many.

    Raises
    ------
    BadInput
        If they are.
    """
    if size > most(path):
        raise BadInput(f"{path}: what is packed in it is over {TIMES} times as large as the file; save it uncompressed")


def inflated(file: IO[bytes], compressed: int, limit: int, wbits: int = zlib.MAX_WBITS) -> int:
    """Return how many bytes the next `compressed` bytes of a file inflate to, or the first number above a limit.

    Raises
    ------
    zlib.error
        If they are damaged.
    """
    stream, size, left = zlib.decompressobj(wbits), 0, compressed
    while size <= limit and left > 0 and (part := file.read(min(CHUNK, left))):
        left -= len(part)
        while part and size <= limit:
            size += len(stream.decompress(part, CHUNK))
            part = stream.unconsumed_tail
    return size
