"""What a recording is, whatever file it comes from, and which lead, rate and unit are taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput

SLOWEST, FASTEST = 1.0, 100_000.0
"""Sampling rates in Hz that a recording may have."""
MOST_STRETCHED = 10_000
"""Largest numerator or denominator that resampling takes."""
SHORTEST = 1.0
"""Least duration of a recording in s."""
PIECE = 1_000_000
"""Samples that are converted at once."""
LARGEST, LOOKED_AT = 20.0, 100_000
"""What no ECG exceeds in mV, wander included; on how many samples its size is judged."""

LIBRARY_ERRORS = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, MemoryError, EOFError,
    NotImplementedError, SyntaxError, NameError,
)  # fmt: skip
"""What libraries raise at files that are not as they should be."""

MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6, "v": 1e3}
"""What one unit of a signal is in mV, by the unit's name in lower case."""
PREFERRED_LEADS = ("i", "ii", "mlii")
"""Which lead is read of several: the first of these that is there, else the first that calls itself an ECG."""


@dataclass(frozen=True)
class Wanted:
    """What a user says about files that do not say it themselves, and which lead is to be read.

    Attributes
    ----------
    lead : str or None
        Name of the lead to read, or its number from 1 on.
    fs : float or None
        Sampling rate in Hz.
    unit : str or None
        Unit of the samples: mV, uV, nV, V, or how many of them are a mV, such as `200/mV`.
    """

    lead: str | None = None
    fs: float | None = None
    unit: str | None = None


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
    stretch: Callable[[int, int], NDArray[np.float32]]
    remarks: tuple[str, ...] = ()

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


def choose_lead(names: Sequence[str], wanted: str | None, source: str) -> int:
    """Return the position of the lead to read.

    It is the one wanted, by name or by number from 1 on; else I, else II or MLII, else the first whose name says
    that it is an ECG, else the first.

    Raises
    ------
    BadInput
        If the file has no such lead.
    """
    plain = [_plain(name) for name in names]
    if wanted is not None:
        for position, name in enumerate(names):
            if name.strip().lower() == wanted.strip().lower():
                return position
        if _plain(wanted) in plain:
            return plain.index(_plain(wanted))
        if wanted.strip().isdecimal() and 1 <= int(wanted) <= len(names):
            return int(wanted) - 1
        there = ", ".join(name.strip() or f"number {i}" for i, name in enumerate(names, start=1))
        raise BadInput(f"{source}: there is no lead {wanted!r} in it; choose one of {there}")
    for preferred in PREFERRED_LEADS:
        if preferred in plain:
            return plain.index(preferred)
    ecg = [i for i, name in enumerate(names) if re.search("ecg|ekg", name, re.IGNORECASE)]
    return ecg[0] if ecg else 0


def _plain(name: str) -> str:
    """Return a lead's name without what else is written around it: `ECG Lead II (Einthoven)`, `MDC_ECG_LEAD_II`."""
    name = re.sub(r"\(.*?\)|\[.*?\]", "", name.lower())
    words = [word for word in re.split(r"[^a-z0-9]+", name) if word not in ("mdc", "ecg", "ekg", "lead", "")]
    return "".join(words)


def rate(of_file: float | None, wanted: Wanted, source: str) -> float:
    """Return the sampling rate: the file's word if it is one of an ECG, else the user's.

    Raises
    ------
    BadInput
        If there is none, or it is not one of an ECG.
    """
    for fs in (wanted.fs, of_file if wanted.fs is None else None):
        if fs is not None and not SLOWEST <= fs <= FASTEST:
            raise BadInput(f"{source}: a sampling rate of {fs:g} Hz is not one of an ECG; give the right one with --fs")
    fs = of_file if of_file is not None and SLOWEST <= of_file <= FASTEST else wanted.fs
    if fs is None:
        raise BadInput(f"{source}: nothing in it tells its sampling rate; give it in Hz with --fs")
    return float(fs)


def size_of(samples: NDArray[Any]) -> float:
    """Return how large a signal is, in its own unit: half the span of all but a fiftieth of its first minutes."""
    part = samples[:LOOKED_AT].astype(np.float64)
    part = part[np.isfinite(part)]
    low, high = np.percentile(part, [1, 99]) if len(part) else (0.0, 0.0)
    return float(high - low) / 2


def scale(of_file: str | None, wanted: Wanted, source: str, size: float = 1.0) -> tuple[float, list[str]]:
    """Return what one unit is in mV, and what had to be assumed.

    Where nothing tells the unit, it is mV if the signal's `size` is one that an ECG can have in mV, else uV.

    Raises
    ------
    BadInput
        If the unit is not one of voltage.
    """
    given = None if wanted.unit is None else _in_millivolts(wanted.unit)
    own = _in_millivolts(of_file) if of_file and of_file.strip() else None
    for unit, known in ((wanted.unit, given), (of_file, own or given)):
        if unit and unit.strip() and known is None:
            raise BadInput(
                f"{source}: its samples are in {unit.strip()!r}, which is no voltage; give their unit with --unit: "
                "mV, uV, nV, V, or how many are a mV, such as 200/mV"
            )
    if own is not None:
        return own, [f"in {of_file}, not {wanted.unit}, by its own word"] if given not in (None, own) else []
    if given is not None:
        return given, []
    return (1.0, ["unit unknown, taken as mV"]) if size <= LARGEST else (1e-3, ["unit unknown, taken as uV"])


def _in_millivolts(unit: str) -> float | None:
    """Return what one unit is in mV; None if it is none of voltage."""
    name = unit.strip().lower()
    if (known := MILLIVOLTS.get(name)) is not None:
        return known
    if (match := re.fullmatch(r"([0-9.eE+]+)\s*/\s*(.v)", name)) and match[2] in MILLIVOLTS:
        try:
            per_unit = float(match[1])
        except ValueError:
            return None
        return MILLIVOLTS[match[2]] / per_unit if 0 < per_unit < float("inf") else None
    return None


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


def fill(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a signal with straight lines across its gaps, and zeros if it is nothing but one."""
    real = np.isfinite(signal)
    if real.all():
        return signal
    if not real.any():
        return np.zeros_like(signal)
    positions = np.arange(len(real))
    return np.interp(positions, positions[real], signal[real]).astype(np.float32)


def count_gaps(signal: NDArray[np.float32]) -> int:
    """Return how many stretches of a signal are no numbers."""
    gone = ~np.isfinite(signal)
    return int(gone[:1].sum() + (gone[1:] & ~gone[:-1]).sum())


def check_length(record: Record, source: str = "") -> None:
    """Refuse a recording that holds hardly a heart beat.

    Raises
    ------
    BadInput
        If it is shorter than a second; `source` is what the message calls it, instead of its name.
    """
    if record.seconds < SHORTEST:
        name = source or record.name or "signal"
        raise BadInput(f"{name}: {record.seconds:.3g} s is too short; give at least {SHORTEST:g} s")


def resample(record: Record, fs: float) -> Record:
    """Return a record at another rate, by polyphase filtering (`scipy.signal.resample_poly`).

    The rates' ratio is taken to the nearest fraction with a denominator of at most 10,000.

    Raises
    ------
    BadInput
        If no such fraction is near.
    """
    if record.fs == fs:
        return record
    from scipy.signal import resample_poly

    if len(record.signal) < 2:
        raise BadInput(f"{record.name}: a single sample cannot be resampled; give at least a second of signal")
    up, down = _ratio(record.fs, fs)
    if up > MOST_STRETCHED * down or abs(up / down * record.fs / fs - 1) > 1e-4:
        raise BadInput(f"{record.name}: a rate of {record.fs:g} Hz cannot be brought to {fs:g} Hz; check the header")
    if up == down:  # so near that a day would end a few seconds off
        return replace(record, fs=fs)
    # The edges are continued by their slope: zeros there would ring on a signal with an offset.
    window: Any = _low_pass(max(up, down))
    signal = resample_poly(record.signal.astype(np.float64), up, down, window=window, padtype="line")
    return replace(record, signal=signal.astype(np.float32), fs=fs)


@lru_cache(maxsize=16)
def _ratio(fs: float, to: float) -> tuple[int, int]:
    """Return the ratio of two rates as a fraction of small numbers; anew for each window of a day, that takes long."""
    ratio = Fraction(min(to / fs, 2.0 * MOST_STRETCHED)).limit_denominator(MOST_STRETCHED)
    return ratio.numerator, ratio.denominator


@lru_cache(maxsize=16)
def _low_pass(factor: int) -> NDArray[np.float64]:
    """Return the filter that `resample_poly` designs by default, anew each time."""
    from scipy.signal import firwin

    return np.asarray(firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0)))
