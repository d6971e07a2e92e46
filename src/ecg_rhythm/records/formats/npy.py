"""NumPy files: one array (`.npy`) or several (`.npz`)."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import inflating
from ecg_rhythm.records.arrays import recording_of_arrays
from ecg_rhythm.records.formats import LIBRARY_ERRORS, why
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.recording import Recording


def open_numpy(path: Path, options: ReadOptions) -> Recording:
    """Open an array, memory-mapped, or the signal among several arrays."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                inflating.check(path, sum(member.file_size for member in archive.infolist()))
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        arrays = {"signal": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except (*LIBRARY_ERRORS, tokenize.TokenError, zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(
            f"{path}: this NumPy file is damaged or holds more than numbers and text{why(error, path)}; "
            "save the signal again"
        ) from None
    return recording_of_arrays(arrays, path.stem, options, str(path))
