"""A table of numbers with a row per sample -> a recording: what text files and Parquet have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.leads import is_lead, read_lead
from ecg_rhythm.records.recording import FASTEST, SLOWEST, ReadOptions, Recording, in_memory, rate, scale, size_of
from ecg_rhythm.records.units import MILLIVOLTS, OTHERS, in_millivolts

TIME = re.compile(r"\b(time|timestamp|datetime|elapsed|seconds?|sec|msec|ms|t|ts)\b", re.IGNORECASE)
"""What columns of times are called."""
SECONDS = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3,
           "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6, "microseconds": 1e-6, "ns": 1e-9, "min": 60.0,
           "minutes": 60.0}  # fmt: skip
"""What one unit of time is in s."""
USUAL = (50.0, 4000.0)
"""Between which rates in Hz nearly all ECGs are recorded; this tells the unit of times that have none."""
SAME = 0.02
"""By what part of itself a rate that is told may differ from that of the times, which may be rounded."""
EVEN = 0.05
"""By what part of itself the step from one sample to the next may differ from the usual one."""
BEGIN, LOOKED_AT = 1000, 8
"""Rows by which columns are judged, and how many that are not called leads are looked at for times."""
COUNTED = 0.9
"""Share of rows from which on a column of numbers that grow by one counts them; the others begin anew."""
MOMENT = 1e9
"""From here on numbers that grow by one are moments in ms since 1970, not rows."""
USUAL_STEPS, MOST_GAPS = 0.5, 0.05
"""Least share of steps that are alike in times of samples, and most that are gaps; others are times of packets."""
UNEVEN = "its samples are not evenly spaced; taken as if they were"


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
    perhaps_fs : float or None
        The same, if it may be another frequency; only taken if nothing else tells it.
    unit : str or None
        Unit of all leads, if the file tells it elsewhere.
    lead : str or None
        Name of the only lead, if the file tells it elsewhere.
    """

    names: Sequence[str]
    column: Callable[[int, int | None], NDArray[np.float64]]
    fs: float | None = None
    perhaps_fs: float | None = None
    unit: str | None = None
    lead: str | None = None


def recording_of(table: Table, name: str, options: ReadOptions, source: str) -> Recording:
    """Return one lead of a table, at the rate and with the gaps that its column of times tells, if it has one.

    Raises
    ------
    BadInput
        If there is no lead, or nothing tells the rate.
    """
    times, leads = _columns(table)
    if not leads:
        raise BadInput(f"{source}: there is no column of voltages in it; give one with an ECG")
    labels = [_label(table.names[i]) or (str(number) if len(leads) > 1 else "ECG") for number, i in enumerate(leads, 1)]
    if table.lead and len(leads) == 1:
        labels = [table.lead]
    units = [_unit(table.names[i]) or "" for i in leads]
    chosen, raw, remarks = read_lead(labels, options.lead, source, units, lambda i: table.column(leads[i], None))
    samples, fs, trouble = _timed(table, times, raw.astype(np.float64), source)
    remarks += trouble
    if UNEVEN in trouble and options.fs is not None:
        fs = None  # times of packets tell a rate less well than the user
    if fs is None and options.fs is None:
        if table.perhaps_fs is not None:
            fs = table.perhaps_fs
            remarks.append("rate from the only frequency in its header")
        elif trouble:
            raise BadInput(f"{source}: {trouble[0]}, and nothing else tells its sampling rate; give it in Hz with --fs")
    factor, assumed = scale(units[chosen] or table.unit, options, source, size_of(samples))
    samples = samples.astype(np.float32)
    return in_memory(name, samples, rate(fs, options, source), labels[chosen], factor, [*assumed, *remarks])


def _timed(
    table: Table, times: list[int], samples: NDArray[np.float64], source: str
) -> tuple[NDArray[np.float64], float | None, list[str]]:
    """Return samples at even times, the rate, and what was assumed, by the first column of times that tells one.

    A header's rate is more exact than that of times, but if it is another, it is wrong.
    """
    remarks: list[str] = []
    for position in times:
        even, fs, remarks = at_times(samples, table.column(position, None), unit_of_time(table.names[position]), source)
        if fs is not None and table.fs is not None and abs(table.fs - fs) <= SAME * fs:
            return even, table.fs, remarks
        if fs is not None:
            return even, fs, remarks if table.fs is None else [*remarks, f"its header says {table.fs:g} Hz"]
    return samples, table.fs, remarks


def _columns(table: Table) -> tuple[list[int], list[int]]:
    """Return which columns may hold times, those that are called so before others that rise, and which hold leads."""
    if len(table.names) == 1:
        return [], [0]
    named: list[int] = []
    rising: list[int] = []
    counting: list[int] = []
    looked = 0
    for i, name in enumerate(table.names):
        unit = _unit(name)
        if is_time(name) and (unit is None or in_millivolts(unit) is None):
            counter = unit_of_time(name) is None and counts(begin := table.column(i, BEGIN)) and begin[0] < MOMENT
            (counting if counter else named).append(i)
        elif is_lead(_label(name)) and i > 0:
            continue
        elif is_lead(_label(name)):
            if counts(table.column(i, BEGIN)):  # ecg_index, or i
                counting.append(i)
        elif looked < LOOKED_AT:
            looked += 1
            begin = table.column(i, BEGIN)
            if counts(begin):
                counting.append(i)
            elif rises(begin):
                rising.append(i)
    times = [*named, *rising]
    return times, [i for i in range(len(table.names)) if i not in times and i not in counting]


def rises(column: NDArray[np.float64]) -> bool:
    """Tell whether a column never falls, as times do and an ECG does not; one of a few values may be either."""
    steps = np.diff(column[np.isfinite(column)])
    return len(steps) >= 10 and bool((steps >= 0).all() and (steps > 0).mean() > 0.1)


def counts(column: NDArray[np.float64]) -> bool:
    """Tell whether a column counts its rows, perhaps again and again."""
    if len(column) < 2 or not np.isfinite(column).all():
        return False
    return bool((np.diff(column) == 1).mean() >= COUNTED)


def at_times(
    samples: NDArray[np.float64], times: NDArray[np.float64], unit: float | None, source: str
) -> tuple[NDArray[np.float64], float | None, list[str]]:
    """Return samples at even times, NaN where there were none, the rate that times tell, and what was assumed."""
    fs, positions, remarks = _evenly(times, unit, source)
    if len(positions) and positions[-1] >= len(positions):
        spread = np.full(int(positions[-1]) + 1, np.nan)
        spread[positions] = samples
        samples = spread
    return samples, fs, remarks


def _evenly(
    times: NDArray[np.float64], unit: float | None, source: str
) -> tuple[float | None, NDArray[np.int64], list[str]]:
    """Return the rate that times tell, each sample's position at that rate, and what was assumed.

    Without a unit it is s, ms, us or ns: the first in which the rate is a usual one, else one of an ECG.
    """
    everywhere = np.arange(len(times))
    steps = np.diff(times)
    if not len(steps) or not np.isfinite(times).all() or (steps <= 0).any():
        return None, everywhere, ["column of times does not rise everywhere and is not used"]
    clock, step = _resolution(times), float(np.median(steps))
    for _ in range(2):  # a clock that rounds to 1 ms tells 3, 3, 2 ms for 360 Hz: the mean is exact, the median is not
        usual = abs(steps - step) < max(EVEN * step, clock) * (1 + 1e-6)
        step = float(steps[usual].mean()) if usual.any() else step
    of_packets = usual.mean() < USUAL_STEPS or (np.rint(steps / step) > 1).mean() > MOST_GAPS
    if of_packets:
        step = float(np.polynomial.Polynomial.fit(everywhere, times, 1).convert().coef[1])
    rates = (
        {name: 1 / (step * SECONDS[name]) for name in ("s", "ms", "us", "ns")}
        if unit is None
        else {"": 1 / (step * unit)}
    )
    found = [name for name, fs in rates.items() if 10 * SLOWEST <= fs <= FASTEST]
    if not found:
        return None, everywhere, ["column of times tells no sampling rate and is not used"]
    taken = next((name for name in found if USUAL[0] <= rates[name] <= USUAL[1]), found[0])
    fs, remarks = rates[taken], [f"times taken as {taken}"] if taken not in ("", "s") else []
    if abs(fs - round(fs)) < 2e-3 * fs:
        fs = float(round(fs))
    if of_packets:
        return fs, everywhere, [*remarks, UNEVEN]
    if times[-1] - times[0] > 2 * len(times) * step:
        raise BadInput(f"{source}: more than half of the time its rows span is missing; give its parts as files apart")
    passed = np.where(usual, 1, np.rint(steps / step)).astype(np.int64)
    positions = np.concatenate([[0], np.cumsum(passed)])
    off = abs((times - times[0]) / step - positions).max()  # each gap may end between two samples
    if (passed < 1).any() or off > 1 + clock / step + (passed > 1).sum() / 2:
        return fs, everywhere, [*remarks, UNEVEN]
    return fs, positions, remarks


def _resolution(times: NDArray[np.float64]) -> float:
    """Return the unit of the last digit that times are written with."""
    return next((10.0**-k for k in range(10) if (abs(times * 10**k - np.rint(times * 10**k)) < 1e-3).all()), 0.0)


def _words(name: str) -> str:
    return re.sub(r"[^a-zµ]+", " ", name.lower())


def is_time(name: str) -> bool:
    """Tell whether a name is one of times."""
    return TIME.search(_words(name)) is not None


def unit_of_time(name: str) -> float | None:
    """Return how many seconds the unit in a name of times is."""
    return next((SECONDS[word] for word in reversed(_words(name).split()) if word in SECONDS), None)


def _unit(name: str) -> str | None:
    """Return the unit in a column's name, such as `MLII (mV)`, `ecg_uV` or `I [µV]`; a V without brackets is a lead."""
    bracket = re.search(r"[\[(]\s*([^\])]+?)\s*[\])]\s*$", name)
    if bracket and (in_millivolts(bracket[1]) is not None or bracket[1].lower() in OTHERS):
        return bracket[1]
    words = re.split(r"[\W_]+", name)
    return next((w for w in reversed(words[1:]) if w.lower() in MILLIVOLTS and w.lower() != "v"), None)


def _label(name: str) -> str:
    """Return a column's name without its unit."""
    unit = _unit(name)
    if unit is None:
        return name.strip()
    return re.sub(rf"[\s_]*[\[(]?\s*(?<![a-zA-Zµμ]){re.escape(unit)}\s*[\])]?\s*$", "", name).strip()
