"""EDF, EDF+, BDF and BDF+, with the `edfio` library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.recording import LIBRARY_ERRORS, Recording, Wanted, choose_lead, rate, scale

HEADER, SIGNAL_COUNT = 256, slice(252, 256)
"""Bytes of the header before those of the signals (and as many for each of these), and what stands where in it."""
LABEL_BYTES, SAMPLES_AT, SAMPLES_BYTES = 16, 216, 8
ANNOTATIONS = (b"EDF Annotations", b"BDF Annotations")
MOST_DAYS = 31


def open_edf(path: Path, wanted: Wanted) -> Recording:
    """Open a file; EDF is read stretch by stretch, BDF at once.

    Where a recording was interrupted (EDF+D, BDF+D), samples are missing for as long as it was.
    """
    import edfio

    with path.open("rb") as begin:
        is_bdf = begin.read(1) == b"\xff"
    damaged = f"{path}: this EDF or BDF file is damaged; get it anew"
    try:
        file = edfio.read_bdf(path) if is_bdf else edfio.read_edf(path)
        signals = file.signals
        if not signals:
            raise BadInput(f"{path}: there is no signal in it, only annotations; give one with an ECG")
        lead = choose_lead([signal.label for signal in signals], wanted.lead, str(path))
        chosen = signals[lead]
        fs, unit, label = float(chosen.sampling_frequency), chosen.physical_dimension, chosen.label
        samples = round(file.duration * fs)
        if samples < 0:
            raise ValueError
        interrupted = file.reserved[:5] in ("EDF+D", "BDF+D")
        starts = _starts(path, file.num_data_records, 3 if is_bdf else 2) if interrupted else np.zeros(1)
        positions = np.rint(starts * fs).astype(np.int64)
    except LIBRARY_ERRORS:
        raise BadInput(damaged) from None
    factor, remarks = scale(unit, wanted, f"{path}: lead {label}")
    length = samples // len(positions)  # of a data record
    if (np.diff(positions) < length).any():
        raise BadInput(f"{path}: its data records are not in the order of time; get the file anew")
    if positions[-1] / fs > MOST_DAYS * 86400:
        raise BadInput(f"{path}: more than {MOST_DAYS} days lie between its beginning and its end; divide it")

    def joined(start: int, stop: int) -> NDArray[np.float32]:
        """Return samples as the file has them, one after the other."""
        try:
            part: NDArray[np.float32] = chosen.get_data_slice(start / fs, stop / fs).astype(np.float32)
        except LIBRARY_ERRORS:
            raise BadInput(damaged) from None
        return part * np.float32(factor)

    def stretch(start: int, stop: int) -> NDArray[np.float32]:
        found = np.full(stop - start, np.nan, dtype=np.float32)
        first = max(int(np.searchsorted(positions, start, side="right")) - 1, 0)
        last = int(np.searchsorted(positions, stop, side="left"))
        # Records that follow one another are read at once.
        breaks = first + 1 + np.flatnonzero(np.diff(positions[first:last]) > length)
        for a, b in zip([first, *breaks.tolist()], [*breaks.tolist(), last], strict=True):
            begin = max(int(positions[a]), start)
            end = min(int(positions[b - 1]) + length, stop)
            if begin < end:
                shift = a * length - int(positions[a])
                found[begin - start : end - start] = joined(begin + shift, end + shift)
        return found

    total = int(positions[-1]) + length
    return Recording(path.stem, rate(fs, wanted, str(path)), label, total, stretch, tuple(remarks))


def _starts(path: Path, count: int, width: int) -> NDArray[np.float64]:
    """Return when each data record begins, in s from the first; it is the first annotation of each.

    The library reads these but tells only whether they are contiguous.

    References
    ----------
    Kemp and Olivan, "European data format 'plus' (EDF+)", Clinical Neurophysiology 114, 2003, section 2.2.4.
    """
    with path.open("rb") as file:
        signals = int(file.read(HEADER)[SIGNAL_COUNT])
        header = file.read(HEADER * signals)
        labels = [header[i * LABEL_BYTES :][:LABEL_BYTES].strip() for i in range(signals)]
        numbers = header[SAMPLES_AT * signals :]
        sizes = [width * int(numbers[i * SAMPLES_BYTES :][:SAMPLES_BYTES]) for i in range(signals)]
        own = [label in ANNOTATIONS for label in labels].index(True)
        before, after = sum(sizes[:own]), sum(sizes[own + 1 :])
        starts = []
        for _ in range(count):
            file.seek(before, 1)
            starts.append(float(file.read(sizes[own]).split(b"\x14")[0]))
            file.seek(after, 1)
    found = np.array(starts)
    if not np.isfinite(found).all():
        raise ValueError
    return np.asarray(found - found[0])
