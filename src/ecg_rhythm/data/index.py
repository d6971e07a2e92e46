"""The index of a packed data set: a row for each recording, memory-mapped, so that millions open at once.

It holds what the table `records.csv` holds, which is for people and other programs, and a checksum of the samples of
each recording. A set that an earlier version packed has the table alone: its index is made when it is opened.
"""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

CHECKSUM, GROUP, LABELS, NAME = "crc32", "group", "labels", "name"
"""Columns that not every index has, or that are not a number."""
AT_ONCE = 10_000
"""Recordings that are checked at a time, where all are."""

Index = NDArray[np.void]
Row = tuple[Any, ...]
"""Offset, length, gain, number of the group where there are groups, class of each label version, name."""


def dtype(name_bytes: int, label_versions: int, *, checksums: bool = True, groups: bool = False) -> np.dtype[np.void]:
    """Columns of an index, for names of up to `name_bytes` bytes in UTF-8."""
    return np.dtype(
        [
            ("offset", "<i8"),
            ("length", "<i8"),
            ("gain", "<f4"),
            *[(CHECKSUM, "<u4")] * checksums,
            *[(GROUP, "<u4")] * groups,
            (LABELS, "<u2", (label_versions,)),
            (NAME, f"S{max(name_bytes, 1)}"),
        ]
    )


def has(index: Index, column: str) -> bool:
    """True if an index has a column that not every index has."""
    return column in (index.dtype.names or ())


def rows_of(table: Path, label_versions: Sequence[str], classes: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a table `records.csv`.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError, csv.Error
        If it is no such table.
    """
    position, groups = {name: i for i, name in enumerate(classes)}, dict[str, int]()
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            labels = [row[version] for version in label_versions]
            if not set(labels) <= position.keys():
                raise ValueError("a label is no class")
            codes = [position[label] for label in labels]
            group = [groups.setdefault(row[GROUP], len(groups))] if GROUP in row else []
            yield int(row["offset"]), int(row["length"]), np.float32(row["gain"]), *group, codes, row["record"].encode()


def from_table(
    table: Path, label_versions: Sequence[str], classes: Sequence[str], checksums: Sequence[str] | None
) -> Index:
    """Make the index of a set that has none from its table; `checksums` are hexadecimal digits.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError, OverflowError, csv.Error
        If it is no such table.
    """
    rows = list(rows_of(table, label_versions, classes))
    if not rows:
        raise ValueError("there are no recordings in it")
    if checksums is not None:
        if len(checksums) != len(rows):
            raise ValueError("checksums are missing")
        rows = [(*row[:3], int(digits, 16), *row[3:]) for row, digits in zip(rows, checksums, strict=True)]
    width = max(len(row[-1]) for row in rows)
    return np.array(rows, dtype=dtype(width, len(label_versions), checksums=checksums is not None))


def fits(index: Index, table: Path, label_versions: Sequence[str], classes: Sequence[str]) -> bool:
    """True if a table has the rows of an index.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError, OverflowError, csv.Error
        If it is no such table.
    """
    rows, begin = rows_of(table, label_versions, classes), 0
    longer_names = index.dtype[NAME].itemsize + 1  # so that none is cut off
    plain = dtype(longer_names, len(label_versions), checksums=False, groups=has(index, GROUP))
    while part := list(islice(rows, AT_ONCE)):
        told, kept = np.array(part, dtype=plain), index[begin : begin + len(part)]
        if not all(np.array_equal(told[column], kept[column]) for column in plain.names or ()):
            return False
        begin += len(part)
    return begin == len(index)


def check(index: Index, samples: int, facts: Mapping[str, Any]) -> None:
    """Check an index against the number of samples of the signals and the facts of its data set.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it does not fit them.
    """
    offsets, lengths, gains, names = (index[column] for column in ("offset", "length", "gain", NAME))
    ends = np.cumsum(lengths)
    if not len(index) or len(index) != facts["records"] or samples != ends[-1]:
        raise ValueError("the recordings do not fit the signals")
    if not np.array_equal(offsets, ends - lengths):
        raise ValueError("the recordings do not fit the signals")
    if (lengths <= 0).any() or not ((gains > 0) & np.isfinite(gains)).all() or not 0 < facts["fs"] < np.inf:
        raise ValueError("a gain, a length or the rate is impossible")
    if not (names[1:] > names[:-1]).all():
        raise ValueError("the names are not in ascending order")
    if facts["default_labels"] not in facts["label_versions"]:
        raise ValueError("labels are missing")
    if (index[LABELS] >= len(facts["classes"])).any():
        raise ValueError("a label is no class")


class Names(Sequence[str]):
    """Names of recordings, ascending; each is decoded when it is asked for."""

    def __init__(self, encoded: NDArray[np.bytes_]) -> None:
        self._encoded = encoded

    def __len__(self) -> int:
        return len(self._encoded)

    @overload
    def __getitem__(self, position: int) -> str: ...

    @overload
    def __getitem__(self, position: slice) -> Names: ...

    def __getitem__(self, position: int | slice) -> str | Names:
        if isinstance(position, slice):
            return Names(self._encoded[position])
        name: bytes = self._encoded[position]
        return name.decode()

    def index(self, name: Any, start: int = 0, stop: int | None = None) -> int:
        """Position of a name.

        Raises
        ------
        ValueError
            If it is not among them.
        """
        stop = len(self) if stop is None else stop
        position = bisect_left(self, name, start, stop)
        if position == stop or self[position] != name:
            raise ValueError(f"{name!r} is no name of a recording")
        return position
