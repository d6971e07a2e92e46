"""What a recording is, whatever file it comes from, and which lead, rate and unit are taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.units import MILLIVOLTS, in_millivolts
from ecg_rhythm.signals import resampling
from ecg_rhythm.signals.gaps import count_gaps, fill

SLOWEST, FASTEST = 1.0, 100_000.0
"""Sampling rates in Hz that a recording may have."""
SHORTEST = 1.0
"""Least duration of a recording in s."""
PIECE = 1_000_000
"""Samples that are converted at once."""
SMALLEST, LARGEST, LOOKED_AT = 0.005, 20.0, 100_000
"""Between which sizes in mV every ECG is, wander included; on how many samples that is judged."""

LIBRARY_ERRORS = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, MemoryError, EOFError,
    RuntimeError, SyntaxError, NameError,
)  # fmt: skip
"""What libraries raise at files that are not as they should be."""


@dataclass(frozen=True)
class ReadOptions:
    """What a user says about files that do not say it themselves, and which lead is to be read.

    Attributes
    ----------
    lead : str or None
        Name of the lead to read, or its number from 1 on.
    fs : float or None
        Sampling rate in Hz.
    unit : str or None
        Unit of the samples: mV, uV, nV, V, or how many of them are a mV, such as `200/mV`.

    Raises
    ------
    BadInput
        If one of them is of another type.
    """

    lead: str | None = None
    fs: float | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is of another type."""
        if not (self.fs is None or (isinstance(self.fs, Real) and not isinstance(self.fs, bool))):
            raise BadInput(f"fs {self.fs!r}: give the sampling rate as a number of Hz")
        for name, value in (("lead", self.lead), ("unit", self.unit)):
            if not (value is None or isinstance(value, str)):
                raise BadInput(f"{name} {value!r}: give it as a text")


@dataclass(frozen=True)
class Record:
    """One lead of an ECG recording, in memory.

    Attributes
    ----------
    name : str
        Name of the recording, without folder and extension.
    signal : ndarray of float32, shape (n,)
        Voltage in mV, finite everywhere.
    fs : float
        Sampling rate in Hz.
    lead : str
        Name of the lead as the file gives it.
    missing : float
        Share of the samples that were no numbers and that `bridged` has filled.
    gaps : int
        How many stretches these were.
    remarks : tuple of str
        What was assumed in reading it.
    """

    name: str
    signal: NDArray[np.float32]
    fs: float
    lead: str
    missing: float = 0.0
    gaps: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration in s."""
        return len(self.signal) / self.fs


@dataclass(frozen=True)
class Recording:
    """One lead of an ECG recording in a file, of which any stretch can be read.

    Attributes
    ----------
    name : str
        Name of the recording, without folder and extension.
    fs : float
        Sampling rate in Hz.
    lead : str
        Name of the lead that is read, as the file gives it.
    samples : int
        How many there are.
    stretch : callable
        Given the first sample and the one after the last, returns these in mV, float32, NaN where there are none.
    remarks : tuple of str
        What was assumed in reading it.
    """

    name: str
    fs: float
    lead: str
    samples: int
    stretch: Callable[[int, int], NDArray[np.float32]] = field(repr=False)
    remarks: tuple[str, ...] = ()

    @property
    def signal(self) -> NDArray[np.float32]:
        """All samples in mV, shape (samples,), NaN where they are missing."""
        return self.stretch(0, self.samples)

    @property
    def seconds(self) -> float:
        """Duration in s."""
        return self.samples / self.fs


def in_memory(
    name: str, signal: NDArray[np.generic], fs: float, lead: str, scale: float, remarks: Sequence[str] = ()
) -> Recording:
    """Return a recording whose samples are an array, in units of `scale` mV; it may be memory-mapped."""

    def stretch(start: int, stop: int) -> NDArray[np.float32]:
        found = np.empty(stop - start, dtype=np.float32)
        with np.errstate(over="ignore"):  # what is too large for a number is a gap
            for first in range(0, len(found), PIECE):  # in double precision, but not all of it at once
                piece = signal[start + first : min(start + first + PIECE, stop)]
                found[first : first + PIECE] = piece.astype(np.float64) * scale
        return found

    return Recording(name, fs, lead, len(signal), stretch, tuple(remarks))


def of_signal(signal: ArrayLike, fs: float | None, name: str = "", unit: str | None = None) -> Recording:
    """Make a recording of a signal in mV or another unit, shape (n,), at `fs` Hz, NaN where samples are missing.

    Raises
    ------
    BadInput
        If it is no row of numbers, `fs` is no rate of an ECG, or the unit is none of voltage.
    """
    try:
        samples, hertz = numbers_of(signal), float(fs)  # type: ignore[arg-type]
        good = samples.ndim == 1 and SLOWEST <= hertz <= FASTEST and not isinstance(fs, bool | str)
    except (TypeError, ValueError, OverflowError):
        good = False
    if not good:
        bounds = f"{SLOWEST:g} to {FASTEST:g}"
        raise BadInput(f"{name or 'signal'}: expected one row of numbers in mV and a rate of {bounds} Hz; give these")
    factor, _ = scale(unit or "mV", ReadOptions(), name or "signal")
    return in_memory(name, samples, hertz, "", factor)


def of_record(record: Record) -> Recording:
    """Make a recording, which is read part by part, of one in memory."""
    return in_memory(record.name, record.signal, record.fs, record.lead, 1.0, record.remarks)


def numbers_of(signal: ArrayLike) -> NDArray[np.float64]:
    """Return a signal as numbers, NaN where it is masked; what is none raises ValueError or TypeError."""
    if isinstance(signal, np.ma.MaskedArray):
        signal = np.ma.filled(signal.astype(np.float64), np.nan)
    numbers = np.asarray(signal)
    if numbers.dtype.kind in "cMm":
        raise TypeError(f"an ECG is not of {numbers.dtype}")
    return numbers.astype(np.float64)


def reading(record: Record, fs: float, seconds: float | None = None) -> str:
    """Say in a line how a record was read: its lead, its rate and the one it is brought to, duration, gaps.

    Of a record that was read in stretches, `seconds` is the duration.
    """
    seconds = record.seconds if seconds is None else seconds
    hours, minutes = seconds / 3600, seconds / 60
    duration = f"{hours:.3g} h" if hours >= 2 else f"{minutes:.3g} min" if minutes >= 2 else f"{seconds:.3g} s"
    parts = [
        f"lead {record.lead}" if record.lead else "",
        f"{record.fs:g} Hz" if record.fs == fs else f"{record.fs:g} -> {fs:g} Hz",
        duration,
        f"{record.gaps} gap{'s' * (record.gaps > 1)} ({record.missing:.2g} of it)" if record.gaps else "",
        *record.remarks,
    ]
    return ", ".join(part for part in parts if part)


def rate(of_file: float | None, options: ReadOptions, source: str) -> float:
    """Return the sampling rate: the file's word if it is one of an ECG, else the user's.

    Raises
    ------
    BadInput
        If there is none, or it is not one of an ECG.
    """
    for fs in (options.fs, of_file if options.fs is None else None):
        if fs is not None and not SLOWEST <= fs <= FASTEST:
            raise BadInput(f"{source}: a sampling rate of {fs:g} Hz is not one of an ECG; give the right one with --fs")
    fs = of_file if of_file is not None and SLOWEST <= of_file <= FASTEST else options.fs
    if fs is None:
        raise BadInput(f"{source}: nothing in it tells its sampling rate; give it in Hz with --fs")
    return float(fs)


def size_of(samples: NDArray[Any]) -> float:
    """Return how large a signal is, in its own unit: half the span of all but a fiftieth of its first minutes."""
    part = samples[:LOOKED_AT].astype(np.float64)
    part = part[np.isfinite(part)]
    low, high = np.percentile(part, [1, 99]) if len(part) else (0.0, 0.0)
    return float(high - low) / 2


def scale(of_file: str | None, options: ReadOptions, source: str, size: float = 1.0) -> tuple[float, list[str]]:
    """Return what one unit is in mV, and what had to be assumed.

    Where nothing tells the unit, it is mV if the signal's `size` is one that an ECG can have in mV, else uV or V.

    Raises
    ------
    BadInput
        If the unit is not one of voltage.
    """
    given = None if options.unit is None else in_millivolts(options.unit)
    own = in_millivolts(of_file) if of_file and of_file.strip() else None
    for unit, known in ((options.unit, given), (of_file, own or given)):
        if unit and unit.strip() and known is None:
            raise BadInput(
                f"{source}: its samples are in {unit.strip()!r}, which is no voltage; give their unit with --unit: "
                "mV, uV, nV, V, or how many are a mV, such as 200/mV"
            )
    if own is not None:
        return own, [f"in {of_file}, not {options.unit}, by its own word"] if given not in (None, own) else []
    if given is not None:
        return given, []
    assumed = "uV" if size > LARGEST else "V" if 0 < size < SMALLEST else "mV"
    return MILLIVOLTS[assumed.lower()], [f"unit unknown, taken as {assumed}"]


def bridged(record: Record, source: str) -> Record:
    """Return a record whose samples are all numbers: straight lines bridge gaps (NaN or infinite).

    A gap at either end is filled with the nearest sample.

    Raises
    ------
    BadInput
        If less than half of its samples are numbers; `source` is what the message calls it.
    """
    real = np.isfinite(record.signal)
    if real.all():
        return record
    if real.mean() < 0.5:
        raise BadInput(
            f"{source}: {(~real).sum()} of its {len(real)} samples are not numbers (NaN or infinite), more than half; "
            "give a recording with more signal"
        )
    return replace(record, signal=fill(record.signal), missing=float(1 - real.mean()), gaps=count_gaps(record.signal))


def check_length(record: Record, source: str = "") -> None:
    """Refuse a recording that holds hardly a heart beat.

    Raises
    ------
    BadInput
        If it is shorter than a second or a single sample; `source` is what the message calls it, instead of its name.
    """
    name = source or record.name or "signal"
    if record.seconds < SHORTEST:
        raise BadInput(f"{name}: {record.seconds:.3g} s is too short; give at least {SHORTEST:g} s")
    if len(record.signal) < 2:
        raise BadInput(f"{name}: a single sample is too short; give at least a second of signal at its right rate")


def resample(record: Record, fs: float) -> Record:
    """Bring a record to another rate; see `signals.resampling.resample`.

    Raises
    ------
    BadInput
        If the two rates have no ratio of small numbers.
    """
    if record.fs == fs:
        return record
    try:
        return replace(record, signal=resampling.resample(record.signal, record.fs, fs), fs=fs)
    except BadInput as error:
        raise BadInput(f"{record.name}: {error}") from None
