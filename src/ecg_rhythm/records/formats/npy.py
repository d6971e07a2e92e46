"""NumPy files: one array (`.npy`) or several (`.npz`)."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import inflating
from ecg_rhythm.records.arrays import recording_of_arrays
from ecg_rhythm.records.formats import LIBRARY_ERRORS, why
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.recording import Recording
from ecg_rhythm.records.tables import Table, recording_of_table


def open_numpy(path: Path, options: ReadOptions) -> Recording:
    """Open an array, memory-mapped, or the signal among several arrays."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                inflating.check(path, sum(member.file_size for member in archive.infolist()))
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        arrays = {"signal": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except ValueError as error:
        if "Object arrays" not in str(error) and "Python objects" not in str(error):
            raise BadInput(f"{path}: this NumPy file is damaged{why(error, path)}; save the signal again") from None
        raise BadInput(f"{path}: it holds Python objects, which are not read; save the signal as numbers") from None
    except (*LIBRARY_ERRORS, tokenize.TokenError, zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(
            f"{path}: this NumPy file is damaged or holds more than numbers and text{why(error, path)}; "
            "save the signal again"
        ) from None
    return recording_of_loaded(arrays, path, options)


def recording_of_loaded(arrays: Mapping[str, Any], path: Path, options: ReadOptions) -> Recording:
    """Make a recording of arrays by name; one with fields is a table.

    Raises
    ------
    BadInput
        As `recording_of_arrays` and `recording_of_table`.
    """
    for array in arrays.values():
        if array.dtype.names is not None and array.ndim == 1 and len(array) > 1:
            return recording_of_table(_table(array), path.stem, options, str(path))
    return recording_of_arrays(arrays, path.stem, options, str(path))


def _table(array: NDArray[Any]) -> Table:
    """The fields of a structured array that are numbers, as columns, shape (n,)."""
    kinds = {name: array.dtype[name] for name in array.dtype.names or ()}
    names = [name for name, kind in kinds.items() if kind.kind in "iuf" and not kind.shape]
    others = [name for name in kinds if name not in names]

    def column(position: int, rows: int | None) -> NDArray[np.float64]:
        return np.asarray(array[names[position]][:rows], dtype=np.float64)

    return Table(names, column, text=others)
