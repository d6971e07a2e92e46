"""How many fields the structures of a MATLAB file have, and how deeply they are nested.

The names of fields are read in a time that grows with the square of their number, and each level takes some of the
stack of the library that reads the file, which does not look whether any is left.
"""

from __future__ import annotations

import struct
from math import prod

MATRIX = 14
"""Type of an element that is a variable, or stands in one."""
CELL, STRUCTURE, OBJECT, FUNCTION, OPAQUE = 1, 2, 3, 16, 17
"""Classes of variables that hold others."""
DIMENSIONS = 32
"""Most dimensions of a variable, as of an array."""


def fields_and_depth(content: bytes, order: str) -> tuple[int, int]:
    """How many fields the largest structure has among variables and what they hold, and how many levels there are.

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
    most = deepest = at = 0
    left: list[int] = []
    """How many elements are still to come in each one that is open, as its size says: lengths may be wrong."""
    try:
        while at + 8 <= len(content):
            kind, start, end = _element(content, at, order)
            if kind != MATRIX:
                at = end
                continue
            while left and not left[-1]:
                left.pop()
            if left:
                left[-1] -= 1
            at = start
            if start == end:
                continue
            _, flags, at = _element(content, start, order)
            of = struct.unpack_from(f"{order}I", content, flags)[0] & 0xFF
            inner = 0
            if of in (CELL, STRUCTURE, OBJECT):
                _, sizes, at = _element(content, at, order)
                inner = prod(struct.unpack_from(f"{order}{min((at - sizes) // 4, DIMENSIONS)}i", content, sizes))
            if of in (STRUCTURE, OBJECT):
                for _ in range(1 if of == STRUCTURE else 2):  # its name, and of an object its class
                    _, _, at = _element(content, at, order)
                _, letters, at = _element(content, at, order)
                _, names, at = _element(content, at, order)
                fields = (at - names) // max(struct.unpack_from(f"{order}i", content, letters)[0], 1)
                most, inner = max(most, fields), inner * fields
            if of in (FUNCTION, OPAQUE):
                inner = 1
            if inner > 0:
                left.append(inner)
                deepest = max(deepest, len(left))
    except struct.error:
        pass
    return most, deepest


def _element(content: bytes, at: int, order: str) -> tuple[int, int, int]:
    """Type, begin and end of an element's data; the end is where the next one begins."""
    kind, length = struct.unpack_from(f"{order}II", content, at)
    if kind >> 16:  # its few bytes stand in its tag
        return kind & 0xFFFF, at + 4, at + 8
    return kind, at + 8, at + 8 + length + -length % 8
