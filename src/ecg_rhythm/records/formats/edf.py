"""EDF, EDF+, BDF and BDF+, with the `edfio` library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.clock import Start
from ecg_rhythm.records.columns import looked_at
from ecg_rhythm.records.formats import LIBRARY_ERRORS, why
from ecg_rhythm.records.leads import choose_lead
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.rates import rate
from ecg_rhythm.records.recording import CUT_OFF, Recording, check_span
from ecg_rhythm.records.units import SIZED, scale, size_of

if TYPE_CHECKING:
    import edfio

HEADER, RECORD_COUNT, SIGNAL_COUNT = 256, slice(236, 244), slice(252, 256)
"""Bytes of the header of the file and of a signal; where the numbers of data records and of signals stand."""
LABEL_BYTES, SAMPLES_AT, NUMBER_BYTES = 16, 216, 8
RANGES_AT = (104, 112, 120, 128)
"""Where the ranges of physical and of stored values, smallest and largest, stand in a signal's header."""
ANNOTATIONS = (b"EDF Annotations", b"BDF Annotations")
NO_DAY = date(1985, 1, 1)
"""What stands for a day that is left out."""
CLOCK_SAMPLES, CLOCK_SHARE = 2, 0.005
"""How far the clock of a data record may be off: in samples, or as a share of the record."""


def open_edf(path: Path, options: ReadOptions) -> Recording:
    """Open a file; EDF is read part by part, BDF at once.

    Where a recording was interrupted (EDF+D, BDF+D), samples are missing for that time.
    """
    import edfio

    with path.open("rb") as begin:
        header = begin.read(HEADER)
    is_bdf = header[:1] == b"\xff"
    try:
        file = edfio.read_bdf(path) if is_bdf else edfio.read_edf(path)
        signals = file.signals
        if not signals:
            raise BadInput(f"{path}: there are only annotations in it, no signal; give a file with an ECG")
        # Where the library finds no ASCII, a micro sign was meant.
        units = [signal.physical_dimension.replace("\ufffd", "µ") for signal in signals]

        def look(position: int) -> NDArray[np.float64]:
            signal = signals[position]
            rate_here = signal.sampling_frequency
            return looked_at(
                lambda start, stop: signal.get_digital_slice(start / rate_here, stop / rate_here),
                round(file.duration * rate_here),
            )

        lead, remarks = choose_lead([signal.label for signal in signals], options.lead, str(path), units, look)
        chosen = signals[lead]
        gain, offset, uncalibrated = _calibration(path, lead)
        fs, label = float(chosen.sampling_frequency), chosen.label
        samples = round(file.duration * fs)
        promised = int(header[RECORD_COUNT])  # -1 while it is being recorded
        if samples < 0:
            raise ValueError
        interrupted = file.reserved[:5] in ("EDF+D", "BDF+D")
        starts = _starts(path, file.num_data_records, 3 if is_bdf else 2) if interrupted else np.zeros(1)
        length = samples // len(starts)
        data = _DataRecords(_positions(starts * fs, length), length)
        size = abs(gain) * size_of(chosen.get_digital_slice(0, min(samples, SIZED) / fs))
    except LIBRARY_ERRORS as error:
        raise BadInput(f"{path}: this EDF or BDF file is damaged{why(error, path)}; get a new copy") from None
    factor, assumed = scale(None if uncalibrated else units[lead], options, f"{path}: lead {label}", size)
    chosen_fs, said = rate(fs, options, str(path))
    remarks += [*uncalibrated, *assumed, *said]
    if file.num_data_records < promised:  # the library reads what is there
        remarks.append(f"{CUT_OFF}: {file.num_data_records} of its {promised} data records are there")
    elif 0 <= promised < file.num_data_records:
        remarks.append(f"{file.num_data_records} data records are there, its header says {promised}")
    if (np.diff(data.positions) < length).any():
        raise BadInput(f"{path}: its data records are not in order of time; get a new copy")
    check_span(data.samples, samples, fs, str(path))

    def stored(start: int, stop: int) -> NDArray[np.float32]:
        try:
            part = chosen.get_digital_slice(start / fs, stop / fs)
        except LIBRARY_ERRORS as error:
            raise BadInput(f"{path}: this EDF or BDF file is damaged{why(error, path)}; get a new copy") from None
        voltage: NDArray[np.float32] = ((part * gain + offset) * factor).astype(np.float32)
        return voltage

    def read(start: int, stop: int) -> NDArray[np.float32]:
        return data.read(start, stop, stored)

    return Recording(path.stem, chosen_fs, label, data.samples, read, tuple(remarks), _start(file))


@dataclass(frozen=True)
class _DataRecords:
    """Where the data records of a file are in time: between two of them, samples may be missing.

    Attributes
    ----------
    positions : ndarray of int64
        The first sample of each, ascending.
    length : int
        Samples of each.
    """

    positions: NDArray[np.int64]
    length: int

    @property
    def samples(self) -> int:
        """How many samples the recording has, with those that are missing."""
        return int(self.positions[-1]) + self.length

    def read(self, start: int, stop: int, stored: Callable[[int, int], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Read samples, NaN where they are missing; `stored` reads samples as the file has them, without gaps."""
        positions, length = self.positions, self.length
        part = np.full(stop - start, np.nan, dtype=np.float32)
        first = max(int(np.searchsorted(positions, start, side="right")) - 1, 0)
        last = int(np.searchsorted(positions, stop, side="left"))
        # Data records that follow one another are read at once.
        breaks = first + 1 + np.flatnonzero(np.diff(positions[first:last]) > length)
        for a, b in zip([first, *breaks.tolist()], [*breaks.tolist(), last], strict=True):
            begin = max(int(positions[a]), start)
            end = min(int(positions[b - 1]) + length, stop)
            if begin < end:
                shift = a * length - int(positions[a])
                part[begin - start : end - start] = stored(begin + shift, end + shift)
        return part


def _start(file: edfio.Edf | edfio.Bdf) -> Start | None:
    """When the recording began; without its date if this was left out, and not at all if its time was, too."""
    try:
        clock = file.starttime
    except LIBRARY_ERRORS:
        return None
    try:
        day = file.startdate
    except LIBRARY_ERRORS:  # left out, or damaged
        day = NO_DAY
    return (clock if clock != time() else None) if day == NO_DAY else datetime.combine(day, clock)


def _calibration(path: Path, position: int) -> tuple[float, float, list[str]]:
    """What one step of a signal is in its unit, what a stored 0 is, and a remark if the header does not tell.

    The library takes stored numbers for physical ones if it cannot read a range, which may have a decimal comma.
    """
    with path.open("rb") as file:
        signals = int(file.read(HEADER)[SIGNAL_COUNT])
        header = file.read(HEADER * signals)
    fields = [header[at * signals + position * NUMBER_BYTES :][:NUMBER_BYTES] for at in RANGES_AT]
    texts = [field.decode("ascii", errors="replace").strip() for field in fields]
    try:
        low, high, lowest, highest = (float(text.replace(",", ".")) for text in texts)
        gain = (high - low) / (highest - lowest)
        if gain == 0 or not np.isfinite([gain, low, lowest]).all():
            raise ValueError
    except (ValueError, ZeroDivisionError):
        return 1.0, 0.0, ["not calibrated, as its header gives no range of values"]
    return gain, low - gain * lowest, []


def _positions(starts: NDArray[np.float64], length: int) -> NDArray[np.int64]:
    """The first sample of each data record, given when it starts by its clock, in samples.

    Clocks round and drift: a record that starts within a few samples of the end of the one before follows at once.
    """
    steps = np.rint(np.diff(starts)).astype(np.int64)
    steps[abs(steps - length) <= max(CLOCK_SAMPLES, CLOCK_SHARE * length)] = length
    return np.concatenate([[0], np.cumsum(steps)])


def _starts(path: Path, count: int, width: int) -> NDArray[np.float64]:
    """When each data record starts, in s from the first: the first annotation of each.

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
        sizes = [width * int(numbers[i * NUMBER_BYTES :][:NUMBER_BYTES]) for i in range(signals)]
        own = [label in ANNOTATIONS for label in labels].index(True)
        before, after = sum(sizes[:own]), sum(sizes[own + 1 :])
        times = []
        for _ in range(count):
            file.seek(before, 1)
            times.append(float(file.read(sizes[own]).split(b"\x14")[0]))
            file.seek(after, 1)
    starts = np.array(times)
    if not np.isfinite(starts).all():
        raise ValueError
    return np.asarray(starts - starts[0])
