"""HDF5, and MATLAB files of version 7.3, which are HDF5, with the `h5py` library (extra `hdf5`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput
from ecg_rhythm.machine import bounded_memory
from ecg_rhythm.records import inflating
from ecg_rhythm.records.formats import LIBRARY_ERRORS, why
from ecg_rhythm.records.formats.npy import recording_of_loaded
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.recording import Recording

if TYPE_CHECKING:
    import h5py

MOST_OBJECTS, MOST_TEXTS = 4096, 256
"""Groups, arrays and attributes of a file that are looked at, and texts of an array."""
ROOM = 256 * 2**20
"""Bytes that reading a file may take beyond what may be in it, and a copy of that."""
OF_MATLAB = "MATLAB_class"
"""The attribute of an array that says of which class it is in MATLAB."""


def open_hdf5(path: Path, options: ReadOptions) -> Recording:
    """Open the signal among a file's arrays; attributes such as `fs` and `units` count as arrays."""
    with extras.needed("hdf5", f"{path}: reading HDF5"):
        import h5py
    try:
        # The library believes any length in the file.
        with bounded_memory(2 * inflating.limit(path) + ROOM), h5py.File(path, "r") as file:
            arrays = _Arrays(path, file).found
    except LIBRARY_ERRORS as error:
        raise BadInput(f"{path}: this HDF5 file is damaged{why(error, path)}; get a new copy") from None
    return recording_of_loaded(arrays, path, options)


class _Arrays:
    """What a file holds, by name: arrays, texts and attributes, those of inner groups among them.

    Parameters
    ----------
    path : Path
        What messages call the file.
    file : h5py.File
        The open file.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path, self.file = path, file
        self.found: dict[str, Any] = {}
        self.size = 0
        for name, item in self._items():
            for key in item.attrs:
                if (value := self._attribute(item, key)) is not None:
                    self.found.setdefault(key, value)
            if name and hasattr(item, "shape"):
                value = self._array(item)
                if value is not None and (name not in self.found or value.size > np.size(self.found[name])):
                    self.found[name] = value

    def _items(self) -> Iterator[tuple[str, Any]]:
        """Yield groups and arrays with their names. Links to other files are not followed."""
        import h5py

        waiting, seen, links = deque([("", self.file["/"])]), set(), 0
        while waiting:
            name, item = waiting.popleft()
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            yield name, item
            if isinstance(item, h5py.Group):
                links += len(item)
                if links > MOST_OBJECTS:
                    raise BadInput(
                        f"{self.path}: it has more than {MOST_OBJECTS} groups and arrays; save the ECG alone"
                    )
                for key in item:
                    if not key.startswith("#") and isinstance(item.get(key, getlink=True), h5py.HardLink):
                        waiting.append((key, item[key]))

    def _count(self, size: int) -> None:
        self.size += size
        inflating.check(self.path, self.size)

    def _check(self, item: h5py.Dataset) -> None:
        """Count an array before it is read, and refuse one whose values are in other files."""
        if item.external or item.is_virtual:
            raise BadInput(f"{self.path}: it keeps arrays in other files; save the ECG in one file")
        self._count(item.size * item.dtype.itemsize if item.size else 0)

    def _attribute(self, item: Any, key: str) -> Any:
        """A number or a text that stands beside an array; None for anything else."""
        kind = item.attrs.get_id(key)
        self._count(kind.get_storage_size())
        if key == OF_MATLAB or kind.get_storage_size() > MOST_TEXTS**2:
            return None
        value = item.attrs[key]
        value = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
        array = np.asarray(value)
        return array if array.dtype.kind in "iufU" else None

    def _array(self, item: h5py.Dataset) -> Any:
        """An array of numbers, texts, or fields; None for anything else."""
        import h5py

        self._check(item)
        of_matlab = item.attrs.get(OF_MATLAB, b"")
        if not item.size or item.attrs.get("MATLAB_empty", 0):
            return None
        if of_matlab == b"char" and item.dtype.kind == "u":
            return np.array(_text(item[()]))
        if h5py.check_ref_dtype(item.dtype) is h5py.Reference:
            return self._cells(item)
        if (info := h5py.check_string_dtype(item.dtype)) is not None:
            texts = []
            for at in np.ndindex(item.shape):
                text = item[at]
                text = text.decode(info.encoding, errors="replace") if isinstance(text, bytes) else str(text)
                self._count(len(text))
                texts.append(text)
                if len(texts) > MOST_TEXTS:
                    return None
            return np.array(texts, dtype=object)
        if item.dtype.kind in "iufb" or item.dtype.names is not None:
            value = item[()]
            return value.T if of_matlab else value
        return None

    def _cells(self, item: h5py.Dataset) -> Any:
        """The texts in the cells of a MATLAB cell array; None if it holds anything else."""
        if item.size > MOST_TEXTS:
            return None
        texts = []
        for reference in np.asarray(item[()]).ravel():
            cell = self.file[reference] if reference else None
            if cell is None or not hasattr(cell, "dtype") or cell.attrs.get(OF_MATLAB, b"") != b"char":
                return None
            self._check(cell)
            texts.append(_text(cell[()]))
        return np.array(texts, dtype=object)


def _text(codes: Any) -> str:
    """A text of MATLAB, whose letters are numbers."""
    return "".join(chr(int(code)) for code in np.asarray(codes).ravel()[: MOST_TEXTS**2])
