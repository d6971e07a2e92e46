"""A table with a row per sample -> a recording: what text files and Parquet have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.leads import is_lead, read_lead
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.rates import BEGIN, UNEVEN, at_even_times, counts, is_time, rate, rises, unit_of_time
from ecg_rhythm.records.recording import Recording, in_memory
from ecg_rhythm.records.units import MILLIVOLTS, OTHER_UNITS, in_millivolts, scale, size_of

SAME = 0.02
"""A header's rate is that of the times, which may be rounded, if they differ by at most this share."""
LOOKED_AT = 8
"""How many columns without a lead's name are tried as times."""
MOMENT = 1e9
"""From here on, numbers that grow by one are moments in ms since 1970, not rows."""


@dataclass(frozen=True)
class Table:
    """Columns of a file.

    Attributes
    ----------
    names : sequence of str
        Names of the columns, with units in brackets or after an underscore; empty where the file gives none.
    column : callable
        Given a position and how many rows (None for all), the values: float64, shape (n,), NaN where there is none.
    fs : float or None
        Sampling rate in Hz that the file gives beside the table.
    perhaps_fs : float or None
        A frequency in Hz that may be the sampling rate; taken only if nothing else tells the rate.
    unit : str or None
        Unit of all leads that the file gives beside the table.
    lead : str or None
        Name of the only lead that the file gives beside the table.
    """

    names: Sequence[str]
    column: Callable[[int, int | None], NDArray[np.float64]]
    fs: float | None = None
    perhaps_fs: float | None = None
    unit: str | None = None
    lead: str | None = None


def recording_of_table(table: Table, name: str, options: ReadOptions, source: str) -> Recording:
    """Make a recording of one lead of a table, with the rate and the gaps that a column of times tells.

    Raises
    ------
    BadInput
        If there is no lead, or nothing tells the rate.
    """
    times, leads = _columns(table)
    if not leads:
        raise BadInput(f"{source}: there is no column of voltages in it; give a table with an ECG")
    labels = [_label(table.names[i]) or (str(number) if len(leads) > 1 else "ECG") for number, i in enumerate(leads, 1)]
    if table.lead and len(leads) == 1:
        labels = [table.lead]
    units = [_unit(table.names[i]) or "" for i in leads]
    chosen, raw, remarks = read_lead(labels, options.lead, source, units, lambda i: table.column(leads[i], None))
    samples, fs, of_times = _timed(table, times, raw.astype(np.float64), source)
    remarks += of_times
    if UNEVEN in of_times and options.fs is not None:
        fs = None  # the user knows the rate better than times of packets
    if fs is None and options.fs is None:
        if table.perhaps_fs is not None:
            fs = table.perhaps_fs
            remarks.append("rate from the only frequency in its header")
        elif of_times:
            raise BadInput(f"{source}: {of_times[0]}, and its sampling rate is unknown; give it in Hz with --fs")
    factor, assumed = scale(units[chosen] or table.unit, options, source, size_of(samples))
    samples = samples.astype(np.float32)
    return in_memory(name, samples, rate(fs, options, source), labels[chosen], factor, [*assumed, *remarks])


def _timed(
    table: Table, times: list[int], samples: NDArray[np.float64], source: str
) -> tuple[NDArray[np.float64], float | None, list[str]]:
    """Samples at even times, their rate, and what was assumed, by the first column of times that tells a rate.

    A header's rate is more exact than that of times; if the two differ, the header is wrong.
    """
    remarks: list[str] = []
    for position in times:
        column, unit = table.column(position, None), unit_of_time(table.names[position])
        even, fs, remarks = at_even_times(samples, column, unit, source)
        if fs is not None and table.fs is not None and abs(table.fs - fs) <= SAME * fs:
            return even, table.fs, remarks
        if fs is not None:
            return even, fs, remarks if table.fs is None else [*remarks, f"its header says {table.fs:g} Hz"]
    return samples, table.fs, remarks


def _columns(table: Table) -> tuple[list[int], list[int]]:
    """Positions of the columns that may hold times, those with such names first, and of those that hold leads."""
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


def _unit(name: str) -> str | None:
    """The unit in a column's name, such as `MLII (mV)`, `ecg_uV` or `I [µV]`; a V without brackets is a lead."""
    bracket = re.search(r"[\[(]\s*([^\])]+?)\s*[\])]\s*$", name)
    if bracket and (in_millivolts(bracket[1]) is not None or bracket[1].lower() in OTHER_UNITS):
        return bracket[1]
    words = re.split(r"[\W_]+", name)
    return next((w for w in reversed(words[1:]) if w.lower() in MILLIVOLTS and w.lower() != "v"), None)


def _label(name: str) -> str:
    """A column's name without its unit."""
    unit = _unit(name)
    if unit is None:
        return name.strip()
    return re.sub(rf"[\s_]*[\[(]?\s*(?<![a-zA-Zµμ]){re.escape(unit)}\s*[\])]?\s*$", "", name).strip()
