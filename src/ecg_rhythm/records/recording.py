"""One lead of an ECG, in memory (`Record`) or read part by part (`Recording`), and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.given import real
from ecg_rhythm.printable import shown
from ecg_rhythm.records.clock import Start
from ecg_rhythm.records.leads import LONGEST_NAME
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.rates import FASTEST, GUESSED_TIMES, SLOWEST
from ecg_rhythm.records.units import scale, size_of
from ecg_rhythm.signals import resampling
from ecg_rhythm.signals.gaps import count_gaps, fill

SHORTEST = 1.0
"""Least duration of a recording in s."""
LONGEST_REMARK = 1000
"""Letters of a remark."""
CUT_OFF = "cut off"
"""The remark on a recording of which a part is missing in its file begins so."""
MOST_DAYS, MOST_SAMPLES, TIMES = 31, 2**30, 16
"""Limits of gaps: in days, in samples, and relative to what is recorded, which counts where it allows more."""
PIECE = 1_000_000
"""Samples that are converted at once."""
PART_SECONDS = 600.0
"""Seconds of a long recording that are read at once."""


@dataclass(frozen=True)
class Record:
    """One lead of an ECG recording, in memory.

    Attributes
    ----------
    name : str
        Name of the recording, without folder and suffix.
    signal : ndarray of float32, shape (n,)
        Voltage in mV, finite everywhere.
    fs : float
        Sampling rate in Hz.
    lead : str
        Name of the lead as the file gives it.
    missing : float
        Share of the samples that were missing and that `fill_gaps` has filled.
    gaps : int
        How many gaps these were.
    remarks : tuple of str
        What was assumed in reading it.
    start : datetime, time or None
        When it began, as the file says.
    filled : ndarray of bool, shape (n,), or None
        Which samples were missing; None if none was, or the record was resampled.
    """

    name: str
    signal: NDArray[np.float32]
    fs: float
    lead: str
    missing: float = 0.0
    gaps: int = 0
    remarks: tuple[str, ...] = ()
    start: Start | None = None
    filled: NDArray[np.bool_] | None = field(default=None, repr=False)

    @property
    def seconds(self) -> float:
        """Duration in s."""
        return len(self.signal) / self.fs


@dataclass(frozen=True)
class Recording:
    """One lead of an ECG recording, of which any part can be read.

    Attributes
    ----------
    name : str
        Name of the recording, without folder and suffix.
    fs : float
        Sampling rate in Hz.
    lead : str
        Name of the lead as the file gives it.
    samples : int
        How many there are.
    read : callable
        Given the first sample and the one after the last, these samples: mV, float32, NaN where they are missing.
    remarks : tuple of str
        What was assumed in opening it.
    start : datetime, time or None
        When it began, as the file says: date and time of day, perhaps with a time zone, or the time of day alone.
    others : tuple of callable
        Each opens another lead of an ECG in the same file; none if the user chose the lead.
    """

    name: str
    fs: float
    lead: str
    samples: int
    read: Callable[[int, int], NDArray[np.float32]] = field(repr=False)
    remarks: tuple[str, ...] = ()
    start: Start | None = None
    others: tuple[Callable[[], Recording], ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make what comes from a file fit to be shown."""
        object.__setattr__(self, "lead", shown(self.lead[:LONGEST_NAME]))
        object.__setattr__(self, "remarks", tuple(shown(remark[:LONGEST_REMARK]) for remark in self.remarks))

    @property
    def signal(self) -> NDArray[np.float32]:
        """All samples in mV, shape (samples,), NaN where they are missing."""
        return self.read(0, self.samples)

    @property
    def seconds(self) -> float:
        """Duration in s."""
        return self.samples / self.fs

    def parts(self, start: int = 0, stop: int | None = None) -> Iterator[NDArray[np.float32]]:
        """Read the samples from `start` to the one before `stop`, or all, in parts of ten minutes.

        Yields
        ------
        ndarray of float32
            The samples of a part in mV, NaN where they are missing.
        """
        stop, length = self.samples if stop is None else stop, int(PART_SECONDS * self.fs)
        for first in range(start, stop, length):
            yield self.read(first, min(first + length, stop))


def in_memory(
    name: str, signal: NDArray[np.generic], fs: float, lead: str, scale: float, remarks: Sequence[str] = ()
) -> Recording:
    """Make a recording of an array, shape (n,), in units of `scale` mV; it may be memory-mapped."""

    def read(start: int, stop: int) -> NDArray[np.float32]:
        part = np.empty(stop - start, dtype=np.float32)
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite
            for first in range(0, len(part), PIECE):  # converted in double precision, but not all of it at once
                piece = signal[start + first : min(start + first + PIECE, stop)]
                part[first : first + PIECE] = piece.astype(np.float64) * scale
        part[np.isinf(part)] = np.nan
        return part

    return Recording(name, fs, lead, len(signal), read, tuple(remarks))


def of_signal(signal: ArrayLike, fs: float | None, name: str = "", unit: str | None = None) -> Recording:
    """Make a recording of a signal, shape (n,), at `fs` Hz, in mV or another unit, NaN where samples are missing.

    Raises
    ------
    BadInput
        If it is no row of numbers, an ECG cannot have the rate `fs`, or the unit is not one of voltage.
    """
    try:
        samples, hertz = numbers_of(signal), real(fs)
        good = samples.ndim == 1 and SLOWEST <= hertz <= FASTEST
    except (TypeError, ValueError, OverflowError):
        good = False
    if not good:
        bounds = f"{SLOWEST:g} to {FASTEST:g}"
        raise BadInput(f"{name or 'signal'}: expected one row of numbers in mV and a rate of {bounds} Hz; give these")
    factor, remarks = scale(unit or "mV", ReadOptions(), name or "signal", size_of(samples))
    return in_memory(name, samples, hertz, "", factor, remarks)


def of_record(record: Record) -> Recording:
    """Make a recording of a record, where one that is read part by part is needed."""
    signal = record.signal if record.filled is None else np.where(record.filled, np.float32(np.nan), record.signal)
    recording = in_memory(record.name, signal, record.fs, record.lead, 1.0, record.remarks)
    return replace(recording, start=record.start)


def numbers_of(signal: ArrayLike) -> NDArray[np.float64]:
    """Convert a signal to float64, NaN where it is masked.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If it does not consist of real numbers.
    """
    if isinstance(signal, np.ma.MaskedArray):
        signal = np.ma.filled(signal.astype(np.float64), np.nan)
    numbers = np.asarray(signal)
    if numbers.dtype.kind in "cMm":
        raise TypeError(f"an ECG is not of {numbers.dtype}")
    return numbers.astype(np.float64)


def part(recording: Recording, name: str, start: float, end: float) -> Recording:
    """Take the part of a recording from `start` to `end`, in s, as a recording of its own.

    Raises
    ------
    BadInput
        If the recording ends before the part does.
    """
    first, stop = round(start * recording.fs), round(end * recording.fs)
    if stop > recording.samples:
        raise BadInput(f"it lasts {recording.seconds:.3f} s, so there is no {start:g} to {end:g} s in it")
    return replace(
        recording,
        name=name,
        samples=stop - first,
        read=lambda begin, until: recording.read(first + begin, first + until),
        others=(),
        start=None,
    )


def to_record(recording: Recording, source: str) -> Record:
    """Read all of a recording and fill its gaps.

    Raises
    ------
    BadInput
        If it is empty, or less than half of its samples are numbers; `source` is what the message calls it.
    """
    signal = recording.read(0, recording.samples)
    if len(signal) == 0:
        raise BadInput(f"{source}: the recording is empty; give one with at least a few seconds of signal")
    record = Record(
        name=recording.name,
        signal=np.ascontiguousarray(signal),
        fs=recording.fs,
        lead=recording.lead,
        remarks=recording.remarks,
        start=recording.start,
    )
    return fill_gaps(record, source)


def fill_gaps(record: Record, source: str) -> Record:
    """Fill gaps, where samples are NaN or infinite, with straight lines; a gap at an end with the nearest sample.

    Raises
    ------
    BadInput
        If less than half of the samples are numbers; `source` is what the message calls the record.
    """
    good = np.isfinite(record.signal)
    if good.all():
        return record
    if good.mean() < 0.5:
        raise BadInput(
            f"{source}: {(~good).sum()} of its {len(good)} samples are not numbers (NaN or infinite), more than half; "
            "give a recording with more signal"
        )
    missing, gaps = float(1 - good.mean()), count_gaps(record.signal)
    return replace(record, signal=fill(record.signal), missing=missing, gaps=gaps, filled=~good)


def check_span(samples: int, recorded: int, fs: float, source: str) -> None:
    """Check that a recording at `fs` Hz is not far longer than what is recorded in it: a gap takes as long to read.

    Raises
    ------
    BadInput
        If it is; `source` is what the message calls it.
    """
    if samples - recorded > max(TIMES * recorded, min(MOST_DAYS * 86400 * fs, MOST_SAMPLES)):
        raise BadInput(
            f"{source}: it lasts over {TIMES} times as long as what is recorded in it; divide it into several files"
        )


def check_length(record: Record, source: str = "") -> None:
    """Check that a record is long enough to hold a heart beat.

    Raises
    ------
    BadInput
        If it is shorter than a second or a single sample; `source` is what the message calls it, instead of its name.
    """
    name = source or record.name or "signal"
    if record.seconds < SHORTEST:
        guess = next((f" ({remark})" for remark in record.remarks if remark.startswith(GUESSED_TIMES)), "")
        raise BadInput(f"{name}: {record.seconds:.3g} s is too short{guess}; give at least {SHORTEST:g} s")
    if len(record.signal) < 2:
        raise BadInput(f"{name}: a single sample is too short; give at least a second of signal at its right rate")


def resample(record: Record, fs: float) -> Record:
    """Resample a record to `fs` Hz; see `signals.resampling.resample`.

    Raises
    ------
    BadInput
        If the two rates have no ratio of small numbers.
    """
    if record.fs == fs:
        return record
    try:
        return replace(record, signal=resampling.resample(record.signal, record.fs, fs), fs=fs, filled=None)
    except BadInput as error:
        raise BadInput(f"{record.name}: {error}") from None


def describe(record: Record, fs: float, seconds: float | None = None) -> str:
    """Describe in a line how a record was read: lead, rate and the `fs` of the model, duration, gaps, remarks.

    `seconds` is the duration of a recording that was read part by part, of which the record holds no signal.
    """
    seconds = record.seconds if seconds is None else seconds
    hours, minutes = seconds / 3600, seconds / 60
    duration = f"{hours:.3g} h" if hours >= 2 else f"{minutes:.3g} min" if minutes >= 2 else f"{seconds:.3g} s"
    parts = [
        f"lead {record.lead}" if record.lead else "",
        f"{record.fs:g} Hz" + ("" if record.fs == fs else f" resampled to {fs:g} Hz"),
        duration,
        f"{record.gaps} gap{'s' * (record.gaps > 1)} ({_percent(record.missing)} of it)" if record.gaps else "",
        *record.remarks,
    ]
    return ", ".join(part for part in parts if part)


def _percent(share: float) -> str:
    """A share of a recording, below a tenth to two digits."""
    percent = 100 * share
    return f"{percent:.2g} %" if percent < 10 else f"{percent:.0f} %"
