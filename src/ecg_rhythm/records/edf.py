"""EDF, EDF+, BDF and BDF+, with the `edfio` library."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.recording import LIBRARY_ERRORS, Recording, Wanted, choose_lead, rate, scale


def open_edf(path: Path, wanted: Wanted) -> Recording:
    """Open a file; EDF is read stretch by stretch, BDF at once."""
    import edfio

    with path.open("rb") as begin:
        is_bdf = begin.read(1) == b"\xff"
    damaged = f"{path}: this EDF or BDF file is damaged; get it anew"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a last data record that was cut off: the rest is good
            file = edfio.read_bdf(path) if is_bdf else edfio.read_edf(path)
        signals = file.signals
        if not signals:
            raise BadInput(f"{path}: there is no signal in it, only annotations; give one with an ECG")
        lead = choose_lead([signal.label for signal in signals], wanted.lead, str(path))
        chosen = signals[lead]
        fs, unit, label = float(chosen.sampling_frequency), chosen.physical_dimension, chosen.label
        samples = round(file.duration * fs)
    except LIBRARY_ERRORS:
        raise BadInput(damaged) from None
    factor, remarks = scale(unit, wanted, f"{path}: lead {label}")
    if file.reserved[:5] in ("EDF+D", "BDF+D"):
        remarks.append("its pieces, between which the recording was interrupted, are joined")

    def stretch(start: int, stop: int) -> NDArray[np.float32]:
        try:
            part: NDArray[np.float32] = chosen.get_data_slice(start / fs, stop / fs).astype(np.float32)
        except LIBRARY_ERRORS:
            raise BadInput(damaged) from None
        return part * np.float32(factor)

    return Recording(path.stem, rate(fs, wanted, str(path)), label, samples, stretch, tuple(remarks))
