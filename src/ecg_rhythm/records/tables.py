"""A table with a row per sample -> a recording: what text files and Parquet have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.printable import listed
from ecg_rhythm.records.clock import Start, since_1970
from ecg_rhythm.records.columns import BEGIN, counts, counts_by_one, is_moment, looked_at, rises, without_sentinels
from ecg_rhythm.records.leads import LONGEST_NAME, choose_lead, is_lead
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.personal import says_who
from ecg_rhythm.records.rates import RATE_NAMES, SAME, at_even_times, is_time, rate, stated_rate, unit_of_time
from ecg_rhythm.records.recording import Recording, in_memory
from ecg_rhythm.records.units import MILLIVOLTS, in_millivolts, is_unit, scale, size_of

LOOKED_AT = 8
"""How many columns without a lead's name are tried as times, and how many with a name of times."""
NO_WORD, LETTER, LETTERS = re.compile(r"[\W_]+"), re.compile(r"[a-zA-Zµμ]"), re.compile(r"[^\W\d_]+")


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
    remarks : sequence of str
        What was assumed in finding the table.
    of_columns : dict of int to str
        What was assumed in reading a column, by its position; reading columns adds to them.
    text : sequence of str
        Names of columns that hold text and are passed over.
    start : datetime, time or None
        When the recording began, if the file says it beside the table or in a column of dates or clocks.
    """

    names: Sequence[str]
    column: Callable[[int, int | None], NDArray[np.float64]]
    fs: float | None = None
    perhaps_fs: float | None = None
    unit: str | None = None
    lead: str | None = None
    remarks: Sequence[str] = ()
    of_columns: dict[int, str] = field(default_factory=dict)
    text: Sequence[str] = ()
    start: Start | None = None


def recording_of_table(table: Table, name: str, options: ReadOptions, source: str) -> Recording:
    """Make a recording of one lead of a table, with the rate and the gaps that a column of times tells.

    Raises
    ------
    BadInput
        If there is no lead, or nothing tells the rate.
    """
    table = replace(table, names=[name[:LONGEST_NAME] for name in table.names])
    columns = _columns(table)
    leads = columns.leads
    if options.lead is not None and (named := [i for i, name in enumerate(table.names) if name == options.lead]):
        leads = sorted({*leads, *named})
    if not leads:
        raise BadInput(f"{source}: there is no column of voltages in it; give a table with an ECG")
    labels = [_label(table.names[i]) or (str(number) if len(leads) > 1 else "ECG") for number, i in enumerate(leads, 1)]
    if table.lead and len(leads) == 1:
        labels = [table.lead]
    units = [_unit(table.names[i]) or "" for i in leads]
    stated = columns.fs if table.fs is None else table.fs
    known = stated if options.fs is None else float(options.fs)
    load = cache(lambda position: table.column(position, None))

    def look(lead: int) -> NDArray[np.float64]:
        samples: NDArray[np.float64] = load(leads[lead])
        return looked_at(lambda start, stop: samples[start:stop], len(samples))

    chosen, remarks = choose_lead(labels, options.lead, source, units, look, known)
    voltages, gone = without_sentinels(load(leads[chosen]))
    samples, of_times, assumed = _at_even_times(table, columns.times, voltages, known, source)
    remarks += [*gone, *assumed]
    if stated is not None and of_times is not None and abs(of_times - stated) > SAME * stated:
        remarks.append(f"its header says {stated:g} Hz, its times {of_times:g}")
    of_file = of_times if stated is None else stated
    if of_file is None and options.fs is None:
        if table.perhaps_fs is not None:
            of_file = table.perhaps_fs
            remarks.append("rate from the only frequency in its header")
        elif assumed:
            raise BadInput(f"{source}: {assumed[0]}, and its sampling rate is unknown; give it in Hz with --fs")
        elif unread := next(filter(is_time, table.text), None):
            raise BadInput(
                f"{source}: its column {unread} holds no times that are known, and its sampling rate is unknown; give "
                "it in Hz with --fs"
            )
    fs, said = rate(of_file, options, source)
    factor, of_unit = scale(units[chosen] or table.unit, options, source, size_of(samples))
    remarks = [*of_unit, *said, *remarks, *table.remarks]
    if words := table.of_columns.get(leads[chosen]):
        remarks.append(words)
    if table.text:
        remarks.append(f"passed over, as text: {listed(name[:LONGEST_NAME] for name in table.text)}")
    recording = in_memory(name, samples.astype(np.float32), fs, labels[chosen], factor, remarks)
    return replace(recording, start=table.start or _since_1970(table, columns.times))


def _since_1970(table: Table, times: list[int]) -> Start | None:
    """When the first row was taken, if a column counts time since 1970."""
    first = (float(value) for position in times for value in table.column(position, BEGIN)[:1])
    return next(filter(None, map(since_1970, first)), None)


def _at_even_times(
    table: Table, times: list[int], samples: NDArray[np.float64], known: float | None, source: str
) -> tuple[NDArray[np.float64], float | None, list[str]]:
    """Samples at even times, their rate, and what was assumed, by the first column of times that tells a rate."""
    remarks: list[str] = []
    for position in times:
        column, unit = table.column(position, None), unit_of_time(table.names[position])
        even, fs, remarks = at_even_times(samples, column, unit, source, known, table.names[position].strip())
        if fs is not None:
            return even, fs, remarks
    return samples, None, remarks


class _Columns(NamedTuple):
    """What the columns of a table are."""

    times: list[int]
    """Positions of columns that may hold times, those with such names first."""
    leads: list[int]
    fs: float | None
    """Sampling rate in Hz that a column states in each row."""


def _columns(table: Table) -> _Columns:
    """Tell columns of times, of leads, of a rate and counters apart.

    Of very many columns only the first of each kind are read: reading one may take as long as reading all.
    """
    if len(table.names) == 1 and not (is_time(table.names[0]) and rises(table.column(0, BEGIN))):
        return _Columns([], [0], None)
    named: list[int] = []
    rising: list[int] = []
    neither: list[int] = []
    fs = None
    looked = timed = 0
    for i, name in enumerate(table.names):
        is_voltage = (unit := _unit(name)) is not None and in_millivolts(unit) is not None
        if is_time(name) and not says_who(name) and not is_voltage:
            timed += 1
            if timed > LOOKED_AT:
                neither.append(i)
                continue
            is_counter = unit_of_time(name) is None and counts_by_one(begin := table.column(i, BEGIN))
            (neither if is_counter and not is_moment(begin) else named).append(i)
        elif is_lead(_label(name)):
            if i == 0 and counts(table.column(i, BEGIN)):  # ecg_index, or i
                neither.append(i)
        elif says_who(name) and not is_voltage:
            neither.append(i)
        elif looked < LOOKED_AT:
            looked += 1
            begin = table.column(i, BEGIN)
            if counts(begin):
                (rising if is_moment(begin) else neither).append(i)
            elif rises(begin):
                rising.append(i)
            elif len(begin) and (begin == begin[0]).all() and (stated := stated_rate({name: begin[0]}, RATE_NAMES)):
                fs = fs or stated
                neither.append(i)
    times = [*named, *rising]
    others = {*times, *neither}
    return _Columns(times, [i for i in range(len(table.names)) if i not in others], fs)


def _unit(name: str) -> str | None:
    """The unit in a column's name, such as `MLII (mV)`, `ecg_uV` or `I [µV]`; a V without brackets is a lead."""
    text = name.rstrip()
    if text.endswith((")", "]")):
        within = text[max(text.rfind("("), text.rfind("[")) + 1 : -1].strip()
        if len(within) < len(text) - 1 and (is_unit(within) or _is_scaled(within)):
            return within
    words = NO_WORD.split(name)
    return next((w for w in reversed(words[1:]) if w.lower() in MILLIVOLTS and w.lower() != "v"), None)


def _is_scaled(text: str) -> bool:
    """Whether a text is a voltage with a number, which must be understood or refused rather than passed over."""
    words = [word for word in LETTERS.findall(text.lower()) if word != "x"]  # 2 x mV
    return any(c.isdigit() for c in text) and len(words) == 1 and words[0] in MILLIVOLTS and words[0] != "v"


def _label(name: str) -> str:
    """A column's name without its unit."""
    unit = _unit(name)
    if unit is None:
        return name.strip()
    text = name.rstrip()
    bracket = text[-1:] if text.endswith((")", "]")) else ""
    text = text.removesuffix(bracket).rstrip()
    rest = text.removesuffix(unit)
    if rest == text or LETTER.fullmatch(rest[-1:]):  # the unit is not at the end, or a part of a word
        return name.strip()
    rest = rest.rstrip(" \t_,;")
    return (rest[:-1].rstrip(" \t_") if rest.endswith(("(", "[")) else rest + bracket).strip()
