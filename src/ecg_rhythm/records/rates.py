"""Which sampling rate a recording has: what the file says, what the user says, what a column of times tells."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.options import ReadOptions

SLOWEST, FASTEST = 1.0, 100_000.0
"""Sampling rates in Hz that a recording may have."""
TIME = re.compile(r"\b(time|timestamp|datetime|elapsed|seconds?|sec|msec|ms|t|ts)\b", re.IGNORECASE)
"""Names of columns of times."""
SECONDS = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3,
           "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6, "microseconds": 1e-6, "ns": 1e-9, "min": 60.0,
           "minutes": 60.0}  # fmt: skip
"""What one unit of time is in s."""
USUAL = (50.0, 4000.0)
"""Nearly all ECGs have a rate in Hz between these. It tells the unit of times without one."""
EVEN = 0.05
"""A step from one sample to the next is a usual one if it differs from the usual step by less than this share."""
BEGIN = 1000
"""Rows by which a column is judged."""
COUNTED = 0.9
"""A column counts its rows if this share of its steps is one; the other steps begin the count again."""
USUAL_STEPS, MOST_GAPS = 0.5, 0.05
"""Times of samples have at least this share of usual steps, and at most this share of gaps. Others are of packets."""
UNEVEN = "its samples are not evenly spaced; taken as if they were"


def rate(of_file: float | None, options: ReadOptions, source: str) -> float:
    """Choose the sampling rate in Hz: the file's, if an ECG can have it, else the user's.

    Raises
    ------
    BadInput
        If neither gives a rate, or an ECG cannot have it.
    """
    for fs in (options.fs, of_file if options.fs is None else None):
        if fs is not None and not SLOWEST <= fs <= FASTEST:
            raise BadInput(f"{source}: a sampling rate of {fs:g} Hz is not one of an ECG; give the right one with --fs")
    fs = of_file if of_file is not None and SLOWEST <= of_file <= FASTEST else options.fs
    if fs is None:
        raise BadInput(f"{source}: its sampling rate is unknown; give it in Hz with --fs")
    return float(fs)


def is_time(name: str) -> bool:
    """Whether a column's name is one of times."""
    return TIME.search(_words(name)) is not None


def unit_of_time(name: str) -> float | None:
    """What one unit is in s, by the unit in the name of a column of times; None without one."""
    return next((SECONDS[word] for word in reversed(_words(name).split()) if word in SECONDS), None)


def _words(name: str) -> str:
    return re.sub(r"[^a-zµ]+", " ", name.lower())


def rises(column: NDArray[np.float64]) -> bool:
    """Whether a column never falls, as times do and an ECG does not; a column of few values may be either."""
    steps = np.diff(column[np.isfinite(column)])
    return len(steps) >= 10 and bool((steps >= 0).all() and (steps > 0).mean() > 0.1)


def counts(column: NDArray[np.float64]) -> bool:
    """Whether a column counts its rows, perhaps again and again."""
    if len(column) < 2 or not np.isfinite(column).all():
        return False
    return bool((np.diff(column) == 1).mean() >= COUNTED)


def at_even_times(
    samples: NDArray[np.float64], times: NDArray[np.float64], unit: float | None, source: str
) -> tuple[NDArray[np.float64], float | None, list[str]]:
    """Spread samples over even times.

    Parameters
    ----------
    samples, times : ndarray of float64, shape (n,)
        Samples and when each was taken.
    unit : float or None
        What one unit of the times is in s. Without it, it is the first of s, ms, us and ns that gives a usual rate,
        else a rate of an ECG.
    source : str
        What messages call the file.

    Returns
    -------
    samples : ndarray of float64, shape (m,)
        NaN where the times leave a gap; as given if the times are not used.
    fs : float or None
        Their rate in Hz, None if the times tell none.
    remarks : list of str
        What was assumed.

    Raises
    ------
    BadInput
        If more than half of the time is a gap.
    """
    fs, positions, remarks = _positions(times, unit, source)
    if len(positions) and positions[-1] >= len(positions):
        spread = np.full(int(positions[-1]) + 1, np.nan)
        spread[positions] = samples
        samples = spread
    return samples, fs, remarks


def _positions(
    times: NDArray[np.float64], unit: float | None, source: str
) -> tuple[float | None, NDArray[np.int64], list[str]]:
    """The rate that times tell, each sample's position at that rate, and what was assumed."""
    rows = np.arange(len(times))
    steps = np.diff(times)
    if not len(steps) or not np.isfinite(times).all() or (steps <= 0).any():
        return None, rows, ["column of times does not rise everywhere and is not used"]
    clock = _resolution(times)
    step, usual = _usual_step(steps, clock)
    of_packets = usual.mean() < USUAL_STEPS or (np.rint(steps / step) > 1).mean() > MOST_GAPS
    if of_packets:
        step = float(np.polynomial.Polynomial.fit(rows, times, 1).convert().coef[1])
    fs, remarks = _rate_of_step(step, unit)
    if fs is None:
        return None, rows, remarks
    if of_packets:
        return fs, rows, [*remarks, UNEVEN]
    if times[-1] - times[0] > 2 * len(times) * step:
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


def _rate_of_step(step: float, unit: float | None) -> tuple[float | None, list[str]]:
    """The rate in Hz of samples that follow each other after `step` units of time, and what was assumed."""
    if unit is None:
        rates = {name: 1 / (step * SECONDS[name]) for name in ("s", "ms", "us", "ns")}
    else:
        rates = {"": 1 / (step * unit)}
    possible = [name for name, fs in rates.items() if 10 * SLOWEST <= fs <= FASTEST]
    if not possible:
        return None, ["column of times tells no sampling rate and is not used"]
    taken = next((name for name in possible if USUAL[0] <= rates[name] <= USUAL[1]), possible[0])
    fs = rates[taken]
    if abs(fs - round(fs)) < 2e-3 * fs:
        fs = float(round(fs))
    return fs, [f"times taken as {taken}"] if taken not in ("", "s") else []


def _resolution(times: NDArray[np.float64]) -> float:
    """The unit of the last digit that times are written with."""
    return next((10.0**-k for k in range(10) if (abs(times * 10**k - np.rint(times * 10**k)) < 1e-3).all()), 0.0)
