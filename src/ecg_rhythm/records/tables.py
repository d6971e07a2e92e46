"""A table of numbers with a row per sample -> a recording: what text files and Parquet have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.recording import (  # fmt: skip
    FASTEST,
    MILLIVOLTS,
    SLOWEST,
    Recording,
    Wanted,
    choose_lead,
    in_memory,
    rate,
    scale,
    size_of,
)

TIME = re.compile(r"\b(time|timestamp|elapsed|seconds?|sec|msec|ms|t)\b", re.IGNORECASE)
COUNTER = re.compile(r"^\W*(sample|samples|index|idx|row|n|no|nr|#|number|sample.?#|unnamed.*)\W*$", re.IGNORECASE)
"""What columns are called that hold no lead."""
SECONDS = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3,
           "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6, "microseconds": 1e-6, "ns": 1e-9}  # fmt: skip
"""What one unit of time is in s."""
EVEN = 0.05
"""By what part of itself the step from one sample to the next may differ from the usual one."""
BEGIN = 1000
"""Rows by which columns without names are judged."""


@dataclass(frozen=True)
class Table:
    """Columns of a file.

    Attributes
    ----------
    names : sequence of str
        Of the columns, with units in brackets or after an underscore; empty where the file gives none.
    column : callable
        Given a position and how many rows (None for all), returns float64 values, shape (n,), NaN where there is none.
    fs : float or None
        Sampling rate in Hz, if the file tells it elsewhere.
    unit : str or None
        Unit of all leads, if the file tells it elsewhere.
    lead : str or None
        Name of the only lead, if the file tells it elsewhere.
    """

    names: Sequence[str]
    column: Callable[[int, int | None], NDArray[np.float64]]
    fs: float | None = None
    unit: str | None = None
    lead: str | None = None


def recording_of(table: Table, name: str, wanted: Wanted, source: str) -> Recording:
    """Return one lead of a table, at the rate and with the gaps that its column of times tells, if it has one.

    Raises
    ------
    BadInput
        If there is no lead, or nothing tells the rate.
    """
    times = _column_of_times(table)
    leads = [i for i in range(len(table.names)) if i != times and not COUNTER.match(table.names[i])]
    if times is None and len(leads) == len(table.names) > 1 and _counts(table.column(0, BEGIN)):
        leads = leads[1:]
    if not leads:
        raise BadInput(f"{source}: there is no column of voltages in it; give one with an ECG")
    labels = [_label(table.names[i]) for i in leads]
    if table.lead and len(leads) == 1:
        labels = [table.lead]
    chosen = choose_lead(labels, wanted.lead, source)
    column = leads[chosen]
    samples, fs = table.column(column, None), table.fs
    remarks: list[str] = []
    if times is not None:
        told, positions, remarks = _evenly(table.column(times, None), _unit_of_time(table.names[times]), source)
        fs = told if fs is None else fs
        if len(positions) and positions[-1] >= len(positions):
            spread = np.full(int(positions[-1]) + 1, np.nan)
            spread[positions] = samples
            samples = spread
    factor, assumed = scale(_unit(table.names[column]) or table.unit, wanted, source, size_of(samples))
    samples = samples.astype(np.float32)
    label = labels[chosen] or "ECG"
    return in_memory(name, samples, rate(fs, wanted, source), label, factor, [*assumed, *remarks])


def _column_of_times(table: Table) -> int | None:
    """Return which column holds times: by its name, or the first if it has none and rises evenly by fractions."""
    if len(table.names) < 2:
        return None
    for i, name in enumerate(table.names):
        if TIME.search(_words(name)):
            return i
    if not table.names[0]:
        column = table.column(0, BEGIN)
        steps = np.diff(column)
        if len(steps) and (steps > 0).all() and np.ptp(steps) <= EVEN * np.median(steps) and not _counts(column):
            return 0
    return None


def _counts(column: NDArray[np.float64]) -> bool:
    """Tell whether a column counts 0, 1, 2, ..."""
    return len(column) > 1 and column[0] in (0, 1) and bool((np.diff(column) == 1).all())


def _evenly(
    times: NDArray[np.float64], unit: float | None, source: str
) -> tuple[float | None, NDArray[np.int64], list[str]]:
    """Return the rate that times tell, each sample's position at that rate, and what was assumed.

    Without a unit it is s, ms, us or ns: the first in which the rate is one of an ECG.
    """
    everywhere = np.arange(len(times))
    steps = np.diff(times)
    if not len(steps) or not np.isfinite(times).all() or (steps <= 0).any():
        return None, everywhere, ["column of times does not rise everywhere and is not used"]
    clock, step = _resolution(times), float(np.median(steps))
    for _ in range(2):  # a clock that rounds to 1 ms tells 3, 3, 2 ms for 360 Hz: the mean is exact, the median is not
        usual = abs(steps - step) < max(EVEN * step, clock) * (1 + 1e-6)
        step = float(steps[usual].mean()) if usual.any() else step
    units = [unit] if unit is not None else [1.0, 1e-3, 1e-6, 1e-9]
    fs = next((1 / (step * u) for u in units if 10 * SLOWEST <= 1 / (step * u) <= FASTEST), None)
    if fs is None:
        return None, everywhere, ["column of times tells no sampling rate and is not used"]
    if abs(fs - round(fs)) < 2e-3 * fs:
        fs = float(round(fs))
    if times[-1] - times[0] > 2 * len(times) * step:
        raise BadInput(f"{source}: more than half of the time its rows span is missing; give its parts as files apart")
    passed = np.where(usual, 1, np.rint(steps / step)).astype(np.int64)
    positions = np.concatenate([[0], np.cumsum(passed)])
    off = abs((times - times[0]) / step - positions).max()  # each gap may end between two samples
    if (passed < 1).any() or off > 1 + clock / step + (passed > 1).sum() / 2:
        return fs, everywhere, ["its samples are not evenly spaced; taken as if they were"]
    return fs, positions, []


def _resolution(times: NDArray[np.float64]) -> float:
    """Return the unit of the last digit that times are written with."""
    return next((10.0**-k for k in range(10) if (abs(times * 10**k - np.rint(times * 10**k)) < 1e-3).all()), 0.0)


def _words(name: str) -> str:
    return re.sub(r"[^a-zµ]+", " ", name.lower())


def _unit_of_time(name: str) -> float | None:
    return next((SECONDS[word] for word in reversed(_words(name).split()) if word in SECONDS), None)


def _unit(name: str) -> str | None:
    """Return the unit in a column's name, such as `MLII (mV)`, `ecg_uV` or `I [µV]`."""
    words = re.split(r"[^a-zA-Zµμ]+", name)
    return next((word for word in reversed(words) if word.lower() in MILLIVOLTS and len(words) > 1), None)


def _label(name: str) -> str:
    """Return a column's name without its unit."""
    unit = _unit(name)
    return re.sub(rf"[\s_]*[\[(]?(?<![a-zA-Zµμ]){unit}[\])]?\s*$", "", name).strip() if unit else name.strip()
