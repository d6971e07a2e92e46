"""Which sampling rate a recording has: what the user says, what the file says, what a column of times tells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.units import SECONDS

SLOWEST, FASTEST = 1.0, 100_000.0
"""Sampling rates in Hz that a recording may have."""
TIME = frozenset(
    {
        "time", "timestamp", "timestamps", "datetime", "elapsed", "second", "seconds", "sec", "msec", "ms", "t", "ts",
        "zeit", "uhrzeit", "zeitstempel", "temps", "heure", "tiempo", "hora", "tempo", "tid", "tijd", "czas", "aika",
        "время", "时间", "時間", "時刻", "시간", "uptime",
    }
    | SECONDS.keys() - {"s", "h", "min", "minutes", "hours", "с", "秒", "초"}
)  # fmt: skip
"""Words in the names of columns of times; a unit alone may be such a name."""
RATE_NAMES = (
    "fs", "sf", "sfreq", "sr", "srate", "samplingrate", "samplerate", "samplingfrequency", "samplefrequency",
    "samplingfreq", "samplefreq", "fsample", "sampfreq", "samprate", "samplespersecond", "samplespersec", "sps",
    "ecgfs", "fsecg", "ecgsamplingrate", "ecgsamplerate", "abtastrate", "abtastfrequenz",
)  # fmt: skip
SHORT_RATE_NAMES = ("rate", "freq", "frequency", "hz")
INTERVAL_NAMES = (
    "samplinginterval", "sampleinterval", "samplingperiod", "sampleperiod", "isi", "ts", "dt", "deltat", "timestep",
    "interval",
)  # fmt: skip
"""Letters in the names of a sampling rate in Hz, or of the time between two samples."""
USUAL = (50.0, 4000.0)
"""Nearly all ECGs have a rate in Hz between these. It tells the unit of times without one."""
EVEN = 0.05
"""A step from one sample to the next is a usual one if it differs from the usual step by less than this share."""
USUAL_STEPS, MOST_GAPS = 0.5, 0.05
"""Times of samples have at least this share of usual steps, and at most this share of gaps. Others are of packets."""
SAME = 0.02
"""Two rates of a recording are the same, but for rounded times, if they differ by at most this share."""
EXACT = 1e-6
"""Share by which a rate may be off in any case, as times may be stored in single precision."""
LETTERS, WORD = re.compile(r"[a-z]+"), re.compile(r"[^\W\d_]+")
IN_HERTZ = re.compile(r"(?<=.)(in)?hz$")
"""What the name of a rate may end with."""
GUESSED_TIMES = "times taken as"
"""The remark on times without a unit begins so."""
UNEVEN = "its samples are not evenly spaced; taken as if they were"


def rate(of_file: float | None, options: ReadOptions, source: str) -> tuple[float, list[str]]:
    """Choose the sampling rate in Hz: the user's, else the file's.

    Returns
    -------
    fs : float
        The rate.
    remarks : list of str
        What the file says, if the user says otherwise.

    Raises
    ------
    BadInput
        If neither gives a rate, or an ECG cannot have it.
    """
    fs = of_file if options.fs is None else options.fs
    if fs is None:
        raise BadInput(f"{source}: its sampling rate is unknown; give it in Hz with --fs")
    check_rate(fs, source)
    if of_file is None or abs(of_file - fs) <= 1e-9 * fs:
        return fs, []
    return fs, [f"{fs:g} Hz as you say; the file says {of_file:g}"]


def check_rate(fs: float, source: str) -> None:
    """Check a sampling rate in Hz, before anything is computed with it.

    Raises
    ------
    BadInput
        If an ECG cannot have it.
    """
    if not SLOWEST <= fs <= FASTEST:
        raise BadInput(f"{source}: a sampling rate of {fs:g} Hz is not one of an ECG; give the right one with --fs")


def hertz_of_step(step: float) -> float | None:
    """The sampling rate in Hz of samples that follow each other after `step` s; None of no time."""
    return 1 / step if step > 0 else None


def stated_rate(values: Mapping[str, Any], names: Sequence[str] = (*RATE_NAMES, *SHORT_RATE_NAMES)) -> float | None:
    """The sampling rate in Hz among named values: a rate, or an interval, with a unit of its own or in s.

    Parameters
    ----------
    values : mapping of str to anything
        Such as a file's metadata. A name such as `dt_units` gives the unit of `dt`.
    names : sequence of str
        Names of a rate that count.
    """
    by_letters = {IN_HERTZ.sub("", "".join(LETTERS.findall(key.lower()))): key for key in values}
    for name in names:
        if name in by_letters and (fs := _number(values[by_letters[name]])):
            return fs
    for name in INTERVAL_NAMES:
        if name in by_letters and (interval := _number(values[by_letters[name]])):
            of_unit = (values[by_letters[word]] for word in (f"{name}units", f"{name}unit") if word in by_letters)
            unit = next((str(np.asarray(text).ravel()[0]).strip().lower() for text in of_unit if np.size(text)), "s")
            return hertz_of_step(interval * SECONDS.get(unit, 1.0))
    return None


def _number(value: Any) -> float | None:
    """A single positive number, perhaps as text with Hz; None for anything else."""
    array = np.asarray(value).ravel()
    if array.size != 1 or array.dtype.kind not in "iufUO":
        return None
    try:
        number = float(str(array[0]).strip().lower().removesuffix("hertz").removesuffix("hz"))
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


def is_time(name: str) -> bool:
    """Whether a column's name is one of times."""
    return not TIME.isdisjoint(_words(name))


def unit_of_time(name: str) -> float | None:
    """What one unit is in s, by the unit in the name of a column of times; None without one."""
    return next((SECONDS[word] for word in reversed(_words(name)) if word in SECONDS), None)


def _words(name: str) -> list[str]:
    return WORD.findall(name.lower())


def at_even_times(
    samples: NDArray[np.float64],
    times: NDArray[np.float64],
    unit: float | None,
    source: str,
    known: float | None = None,
    name: str = "",
) -> tuple[NDArray[np.float64], float | None, list[str]]:
    """Spread samples over even times.

    Parameters
    ----------
    samples, times : ndarray of float64, shape (n,)
        Samples and when each was taken.
    unit : float or None
        What one unit of the times is in s. Without it, it is the one of s, ms, us and ns that gives the known rate,
        else the first that gives a usual rate, else a rate of an ECG.
    source : str
        What messages call the file.
    known : float or None
        The sampling rate in Hz that the user or the file states. The times then tell gaps only, and these only if
        their own rate is about the same.
    name : str
        Name of the column of times, for remarks.

    Returns
    -------
    samples : ndarray of float64, shape (m,)
        NaN where the times leave a gap; as given if the times are not used.
    fs : float or None
        The rate in Hz that the times tell, None if they tell none.
    remarks : list of str
        What was assumed.

    Raises
    ------
    BadInput
        If more than half of the time is a gap.
    """
    fs, positions, remarks = _positions(times, unit, source, known, f"column of times {name}".strip())
    if known is not None and (fs is None or abs(fs - known) > SAME * known or UNEVEN in remarks):
        return samples, fs, []
    if len(positions) and positions[-1] >= len(positions):
        spread = np.full(int(positions[-1]) + 1, np.nan)
        spread[positions] = samples
        samples = spread
    return samples, fs, remarks


def _positions(
    times: NDArray[np.float64], unit: float | None, source: str, known: float | None, name: str
) -> tuple[float | None, NDArray[np.int64], list[str]]:
    """The rate that times tell, each sample's position at that rate, and what was assumed."""
    rows = np.arange(len(times))
    steps = np.diff(times)
    if not len(steps) or not np.isfinite(times).all():
        return None, rows, [f"{name} has gaps and is not used"]
    if (steps <= 0).any():
        how = "repeats" if (steps >= 0).all() else "falls" if (steps != 0).all() else "repeats and falls"
        return None, rows, [f"{name} {how} in {int((steps <= 0).sum())} of its rows and is not used"]
    clock = _resolution(times)
    step, usual = _usual_step(steps, clock)
    passed = np.rint(steps / step)
    of_packets = usual.mean() < USUAL_STEPS or (passed > 1).mean() > MOST_GAPS
    if of_packets:
        step = float(np.polynomial.Polynomial.fit(rows, times, 1).convert().coef[1])
    elif (passed == 1).all():
        step = float(times[-1] - times[0]) / len(steps)
    # Each end of a part without gaps may be off by half of what the clock shows.
    uncertainty = clock * (1 + (passed > 1).sum()) / max(float(steps[usual].sum()), step)
    fs, remarks = _rate_of_step(step, uncertainty, unit, known, name)
    if fs is None:
        return None, rows, remarks
    if of_packets:
        return fs, rows, [*remarks, UNEVEN]
    if times[-1] - times[0] > 2 * len(times) * step:
        if known is not None and abs(fs - known) > SAME * known:  # of another rate, so they tell no gaps
            return fs, rows, remarks
        raise BadInput(
            f"{source}: over half of the time that its rows span is missing; save its parts as separate files"
        )
    passed = np.where(usual, 1, np.rint(steps / step)).astype(np.int64)
    positions = np.concatenate([[0], np.cumsum(passed)])
    off = abs((times - times[0]) / step - positions).max()  # each gap may end between two samples
    if (passed < 1).any() or off > 1 + clock / step + (passed > 1).sum() / 2:
        return fs, rows, [*remarks, UNEVEN]
    return fs, positions, remarks


def _usual_step(steps: NDArray[np.float64], clock: float) -> tuple[float, NDArray[np.bool_]]:
    """The mean of the usual steps, and which steps are usual, of times to the nearest `clock`.

    A clock that rounds to 1 ms shows steps of 3, 3 and 2 ms at 360 Hz: their mean is exact, their median is not.
    """
    step = float(np.median(steps))
    for _ in range(2):
        usual = abs(steps - step) < max(EVEN * step, clock) * (1 + 1e-6)
        step = float(steps[usual].mean()) if usual.any() else step
    return step, usual


def _rate_of_step(
    step: float, uncertainty: float, unit: float | None, known: float | None, name: str
) -> tuple[float | None, list[str]]:
    """The rate in Hz of samples that follow each other after `step` units of time, and what was assumed.

    It is rounded as far as the `uncertainty` of the step leaves open, a share of it.
    """
    units = {name: SECONDS[name] for name in ("s", "ms", "us", "ns")} if unit is None else {"": unit}
    rates = {name: hertz_of_step(step * of_unit) or 0.0 for name, of_unit in units.items()}
    possible = [name for name, fs in rates.items() if 10 * SLOWEST <= fs <= FASTEST]
    if not possible:
        return None, [f"{name} tells no sampling rate and is not used"]
    usual = [name for name in possible if USUAL[0] <= rates[name] <= USUAL[1]]
    agree = [name for name in possible if known is not None and abs(rates[name] - known) <= SAME * known]
    taken = [*agree, *usual, *possible][0]
    fs = rounded(rates[taken], max(uncertainty, EXACT))
    # That times without a unit are in s goes without saying, unless the rate is an odd one for them.
    is_sure = taken == "" or (taken == "s" and fs <= USUAL[1])
    return fs, [] if is_sure else [f"{GUESSED_TIMES} {taken}"]


def rounded(fs: float, uncertainty: float) -> float:
    """A rate, rounded as far as its uncertainty, a share of it, leaves open."""
    return next((short for digits in range(7) if abs((short := round(fs, digits)) - fs) <= fs * uncertainty), fs)


def _resolution(times: NDArray[np.float64]) -> float:
    """The unit of the last digit that times are written with."""
    return next((10.0**-k for k in range(10) if (abs(times * 10**k - np.rint(times * 10**k)) < 1e-3).all()), 0.0)
