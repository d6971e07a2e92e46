"""How many fields the structures of a MATLAB file have: their names are read in a time that grows with their square."""

from __future__ import annotations

import struct

MATRIX = 14
"""Type of an element that is a variable, or stands in one."""
CELL, STRUCTURE, OBJECT, FUNCTION, OPAQUE = 1, 2, 3, 16, 17
"""Classes of variables that hold others."""


def most_fields(content: bytes, order: str) -> int:
    """How many fields the largest structure has among variables and what they hold.

    A damaged element ends the count; the library that reads the file reports the damage.

    Parameters
    ----------
    content : bytes
        Elements of a file of version 5 to 7.2, not compressed.
    order : str
        Byte order, as `struct` has it.

    References
    ----------
    MathWorks, "MAT-File Format", chapter 1.
    """
    most = at = 0
    try:
        while at + 8 <= len(content):
            kind, start, end = _element(content, at, order)
            if kind != MATRIX or start == end:
                at = end
                continue
            _, flags, at = _element(content, start, order)
            of = struct.unpack_from(f"{order}I", content, flags)[0] & 0xFF
            if of in (STRUCTURE, OBJECT):
                for _ in range(2 if of == STRUCTURE else 3):  # dimensions and name, and of an object its class
                    _, _, at = _element(content, at, order)
                _, letters, at = _element(content, at, order)
                _, names, at = _element(content, at, order)
                most = max(most, (at - names) // max(struct.unpack_from(f"{order}i", content, letters)[0], 1))
            elif of not in (CELL, FUNCTION, OPAQUE):
                at = end
    except struct.error:
        pass
    return most


def _element(content: bytes, at: int, order: str) -> tuple[int, int, int]:
    """Type, begin and end of an element's data; the end is where the next one begins."""
    kind, length = struct.unpack_from(f"{order}II", content, at)
    if kind >> 16:  # its few bytes stand in its tag
        return kind & 0xFFFF, at + 4, at + 8
    return kind, at + 8, at + 8 + length + -length % 8
