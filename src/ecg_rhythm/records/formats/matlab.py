"""MATLAB files, those of the 2017 challenge among them, with `scipy`."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import inflating
from ecg_rhythm.records.arrays import recording_of_arrays
from ecg_rhythm.records.formats import LIBRARY_ERRORS, why
from ecg_rhythm.records.formats.hdf5 import open_hdf5
from ecg_rhythm.records.formats.matlab_structures import fields_and_depth
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.recording import Recording

CHALLENGE_FS, CHALLENGE_UNIT = 300.0, "1000/mV"
"""What holds for a `.mat` file of the challenge without its header; the file itself gives neither."""
HEADER, BYTE_ORDER_AT, TAG, COMPRESSED = 128, 126, 8, 15
"""Of version 5: bytes before the first variable, where in them the byte order stands, bytes before the data of a
variable, type of a compressed one."""
FIELDS, LEVELS = 4096, 32
"""Most fields of a structure, and most levels of structures and cells. ECG files have some dozens, and a few."""


def open_matlab(path: Path, options: ReadOptions) -> Recording:
    """Open the signal of a file of version 4 to 7.3, the last of which is HDF5."""
    import scipy.io
    from scipy.io.matlab import MatReadError, matfile_version

    try:
        version = matfile_version(path)[0]
        if version == 2:
            return open_hdf5(path, options)
        if version == 1:
            _check_variables(path)
        arrays = {name: value for name, value in scipy.io.loadmat(path).items() if not name.startswith("__")}
    except (*LIBRARY_ERRORS, MatReadError, zlib.error) as error:
        raise BadInput(
            f"{path}: this .mat file is damaged or not a .mat file{why(error, path)}; get a new copy"
        ) from None
    # Later challenges have several leads, at 500 Hz.
    challenge = version == 0 and list(arrays) == ["val"] and 1 in arrays["val"].shape
    if not challenge:
        return recording_of_arrays(arrays, path.stem, options, str(path))
    # What the user says comes before what is only assumed.
    fs = CHALLENGE_FS if options.fs is None else None
    unit = CHALLENGE_UNIT if options.unit is None else None
    recording = recording_of_arrays(arrays, path.stem, options, str(path), fs, unit)
    if options.fs is not None and options.unit is not None:
        return recording
    return replace(recording, remarks=(*recording.remarks, "no header, taken as the 2017 challenge's"))


def _check_variables(path: Path) -> None:
    """Check that the variables of a file of version 5 to 7.2 are not too large, and have few fields and levels.

    References
    ----------
    MathWorks, "MAT-File Format", chapter 1.
    """
    limit, size = inflating.limit(path), 0
    with path.open("rb") as file:
        order = ">" if file.read(HEADER)[BYTE_ORDER_AT:] == b"MI" else "<"
        for kind, length in _variables(file, order):
            size += inflating.inflated_size(file, length, limit - size) if kind == COMPRESSED else length
            inflating.check(path, size)
        file.seek(HEADER)
        for kind, length in _variables(file, order):
            if kind == COMPRESSED:
                content = zlib.decompress(file.read(length))
            else:
                file.seek(-TAG, os.SEEK_CUR)
                content = file.read(TAG + length)
            fields, levels = fields_and_depth(content, order)
            if fields > FIELDS:
                raise BadInput(f"{path}: one of its structures has over {FIELDS} fields; save the signal as an array")
            if levels > LEVELS:
                raise BadInput(f"{path}: its structures are nested over {LEVELS} levels deep; save the ECG as an array")


def _variables(file: IO[bytes], order: str) -> Iterator[tuple[int, int]]:
    """Type and length of each variable that follows; the file is at its data meanwhile."""
    while len(tag := file.read(TAG)) == TAG:
        kind, length = struct.unpack(f"{order}II", tag)
        after = file.tell() + length
        yield kind, length
        file.seek(after)
