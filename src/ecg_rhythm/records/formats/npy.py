"""NumPy files: one array (`.npy`) or several (`.npz`)."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import inflating
from ecg_rhythm.records.arrays import recording_of_arrays
from ecg_rhythm.records.formats import LIBRARY_ERRORS, why
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.recording import Recording


def _fields(name: str, array: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The fields of a structured array, as the columns of a table; any other array alone."""
    names = array.dtype.names
    return {name: array} if names is None or array.size <= 1 else {field: array[field] for field in names}


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
    arrays = {key: array for name, value in arrays.items() for key, array in _fields(name, value).items()}
    return recording_of_arrays(arrays, path.stem, options, str(path))
