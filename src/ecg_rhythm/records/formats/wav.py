"""WAV files with an ECG as sound, with `scipy`. Their samples have no unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.arrays import recording_of_arrays
from ecg_rhythm.records.formats import LIBRARY_ERRORS, why
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.recording import Recording

SILENCE_OF_BYTES = 128
"""What a sample of eight bits is at 0 (Microsoft, "Multimedia Programming Interface and Data Specifications 1.0")."""


def open_wav(path: Path, options: ReadOptions) -> Recording:
    """Open a channel, memory-mapped if its samples are of whole words."""
    from scipy.io import wavfile

    try:
        try:
            fs, samples = wavfile.read(path, mmap=True)
        except ValueError:  # samples of three bytes cannot be mapped
            fs, samples = wavfile.read(path)
    except LIBRARY_ERRORS as error:
        raise BadInput(f"{path}: this WAV file is damaged{why(error, path)}; get a new copy") from None
    if samples.dtype == np.uint8:
        samples = samples.astype(np.int16) - SILENCE_OF_BYTES
    return recording_of_arrays({"signal": samples}, path.stem, options, str(path), float(fs))
