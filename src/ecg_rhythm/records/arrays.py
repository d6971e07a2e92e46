"""Arrays by name -> a recording: what NumPy's and MATLAB's files have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.printable import listed
from ecg_rhythm.records.clock import started
from ecg_rhythm.records.columns import BEGIN, counts, counts_by_one, is_moment, looked_at, rises, without_sentinels
from ecg_rhythm.records.leads import AMBIGUOUS, choose_lead, is_lead, plain_name
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.rates import at_even_times, is_time, rate, stated_rate, unit_of_time
from ecg_rhythm.records.recording import Recording, in_memory
from ecg_rhythm.records.units import scale, size_of

SIGNALS = ("ecg", "signal", "signals", "p_signal", "val")
ANYTHING = ("data", "x")
UNITS = ("unit", "units")
LEADS = ("lead", "leads", "lead_names", "sig_name", "channels", "labels", "label")
"""Names, in lower case, of arrays that hold the signal, its unit and the names of its leads."""
FEWEST = 100
"""An array of fewer samples is no signal if there is a longer one, whatever its name."""


def recording_of_arrays(
    arrays: Mapping[str, Any],
    name: str,
    options: ReadOptions,
    source: str,
    fs: float | None = None,
    unit: str | None = None,
) -> Recording:
    """Make a recording of the array that is the signal, by its name or its shape.

    Of two axes the longer one is time. Arrays of one axis with names of leads are leads. An array beside the signal, or
    the signal's first column, holds times if it rises throughout; they tell the rate if no number does.

    Parameters
    ----------
    arrays : mapping of str to array
        What a file holds, by name.
    name : str
        Name of the recording.
    options : ReadOptions
        The lead to read, and what the user says of the rate and the unit.
    source : str
        What messages call the file.
    fs, unit : float and str, or None
        Sampling rate in Hz and unit, where no array gives them.

    Raises
    ------
    BadInput
        If there is no signal, nothing tells the rate, or the unit is not one of voltage.
    """
    arrays = _flattened(arrays)
    # Of names that differ only in case, such as a lead `I` and a counter `i`, the larger array counts.
    by_size = sorted(arrays, key=lambda key: np.size(arrays[key]))
    originals = {key.strip().lower(): key for key in by_size}
    by_name = {key: arrays[original] for key, original in originals.items()}
    numbers = _numbers(by_name)
    if _first(by_name, ("datastart",)) is not None and np.size(by_name["datastart"]) > 1:
        raise BadInput(f"{source}: LabChart has saved several channels in one row; export a single channel")
    key, signal, own_names = _signal(numbers, arrays, source)
    stated = stated_rate(arrays)
    fs = fs if stated is None else stated
    names = [originals[key].strip() for key in own_names] or [str(value) for value in _texts(by_name, LEADS)]
    units = [str(value) for value in _texts(by_name, UNITS)]
    table = signal.reshape(-1, 1) if signal.ndim == 1 else signal.T if signal.shape[0] <= signal.shape[1] else signal
    times, unit_of_times = _times(numbers, key, len(table))
    if len(names) in (0, table.shape[1] - 1):
        table, of_table = _without_times(table)
        times = of_table if times is None else times
    leads = table.shape[1]
    names = names if len(names) == leads else [f"{i}" for i in range(1, leads + 1)] if leads > 1 else ["ECG"]
    known = fs if options.fs is None else float(options.fs)
    lead, remarks = choose_lead(
        names,
        options.lead,
        source,
        units if len(units) == leads else (),
        lambda i: looked_at(lambda start, stop: table[start:stop, i], len(table)),
        known,
    )
    samples, gone = without_sentinels(table[:, lead])
    remarks += gone
    if times is not None:
        samples, of_times, assumed = at_even_times(
            samples.astype(np.float64), times.astype(np.float64), unit_of_times, source, known
        )
        fs = of_times if fs is None else fs
        remarks += assumed
    if units:
        unit = units[lead] if len(units) == leads else units[0]
    chosen_fs, said = rate(fs, options, source)
    factor, of_unit = scale(unit, options, source, size_of(samples))
    recording = in_memory(name, samples, chosen_fs, names[lead], factor, [*of_unit, *said, *remarks])
    texts = (
        f"{key}: {value}"
        for key, value in by_name.items()
        if np.asarray(value).dtype.kind == "U" and np.size(value) == 1
    )
    return replace(recording, start=started(texts))


def _flattened(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """What structs hold, by the names of their fields, beside all that is no struct; of one name, the larger counts."""
    flat: dict[str, Any] = {}
    for name, value in arrays.items():
        is_struct = isinstance(value, np.ndarray) and value.dtype.names is not None and value.size == 1
        fields = _flattened(dict(zip(value.dtype.names, value.item(), strict=True))) if is_struct else {name: value}
        for field, cell in fields.items():
            inner = _as_text(_only(cell))
            if field not in flat or np.size(inner) > np.size(flat[field]):
                flat[field] = inner
    return flat


def _only(value: Any) -> Any:
    """The array in a cell of one array, such as FieldTrip's only trial; anything else as it is."""
    is_cell = isinstance(value, np.ndarray) and value.dtype == object and value.size == 1
    inner = value.item() if is_cell else None
    return inner if isinstance(inner, np.ndarray) and inner.dtype.kind in "iuf" else value


def _as_text(value: Any) -> Any:
    """An array of bytes as text; anything else as it is."""
    is_bytes = isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "S"
    return np.char.decode(value, "utf-8", "replace") if is_bytes else value


def _numbers(arrays: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The arrays of real numbers with one or two axes; axes of a single element beside these do not count."""
    found = {
        name: array if array.ndim in (1, 2) else array.squeeze()
        for name, array in arrays.items()
        if isinstance(array, np.ndarray) and array.dtype.kind in "iuf" and array.size
    }
    return {name: array for name, array in found.items() if array.ndim in (1, 2)}


def _without_times(table: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """A table without a first column that counts or holds times, and these times."""
    first = table[:BEGIN, 0].astype(np.float64)
    if table.shape[1] == 1 or not (counts(first) or rises(first)):
        return table, None
    return table[:, 1:], table[:, 0] if is_moment(first) or not counts(first) else None


def _signal(
    numbers: Mapping[str, NDArray[Any]], arrays: Mapping[str, Any], source: str
) -> tuple[str, NDArray[Any], list[str]]:
    """The name of the array that is the signal, the signal, and the names of its leads if each has its own array.

    It is chosen by its name, else it is the largest that holds no times.
    """
    if not numbers:
        kinds = (f"{name} ({_kind_of(value)})" for name, value in sorted(arrays.items()))
        there = f", only {listed(kinds)}" if arrays else ""
        raise BadInput(f"{source}: there is no row or table of real numbers in it{there}; give a file with a signal")
    least = min(FEWEST, max(max(array.shape) for array in numbers.values()))
    numbers = {name: array for name, array in numbers.items() if max(array.shape) >= least}
    chosen = next((name for name in SIGNALS if name in numbers), None)
    if chosen is not None:
        return chosen, numbers[chosen], []
    leads = {
        name: array.ravel()
        for name, array in numbers.items()
        if array.size == max(array.shape) and _is_lead(name) and not _are_times(name, array)
    }
    if leads:
        longest = max(len(lead) for lead in leads.values())
        names = [name for name, lead in leads.items() if len(lead) == longest]
        return names[0], np.column_stack([leads[name] for name in names]), names
    by_size = sorted(numbers, key=lambda name: -numbers[name].size)
    chosen = next((name for name in by_size if _is_lead(name)), None)
    if chosen is None:
        no_times = [name for name in by_size if not _are_times(name, numbers[name])] or by_size
        chosen = next((name for name in (*ANYTHING, *no_times) if name in no_times), no_times[0])
    return chosen, numbers[chosen], []


def _kind_of(value: Any) -> str:
    """What an array holds that is no signal."""
    kind, shape = np.asarray(value).dtype.kind, " x ".join(map(str, np.shape(value)))
    words = {"c": "complex numbers", "U": "text", "S": "text", "O": "objects", "V": "records", "b": "yes or no"}
    return f"{words.get(kind, 'numbers')}{f', {shape}' if shape else ''}"


def _is_lead(name: str) -> bool:
    """Whether an array has the name of a lead; one with the name x may be anything."""
    return is_lead(name) and plain_name(name) not in AMBIGUOUS


def _are_times(name: str, array: NDArray[Any]) -> bool:
    return is_time(name) or (array.size == max(array.shape) and rises(array.ravel()[:BEGIN].astype(np.float64)))


def _times(numbers: Mapping[str, NDArray[Any]], signal: str, samples: int) -> tuple[NDArray[Any] | None, float | None]:
    """The times of a signal's samples, if an array beside it holds them, and what their unit is in s."""
    for name, array in numbers.items():
        same = name != signal and array.size == samples
        begin = array.ravel()[:BEGIN].astype(np.float64)
        is_index = counts_by_one(begin) if is_time(name) else counts(begin)
        if same and _are_times(name, array) and (unit_of_time(name) is not None or is_moment(begin) or not is_index):
            return array.ravel(), unit_of_time(name)
    return None, None


def _first(arrays: Mapping[str, Any], names: tuple[str, ...]) -> NDArray[Any] | None:
    return next((np.asarray(arrays[name]) for name in names if name in arrays), None)


def _texts(arrays: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    array = _first(arrays, names)
    if array is None or array.dtype.kind not in "UO":
        return []
    # MATLAB's cells are arrays of arrays, each with one text.
    return [np.asarray(value).ravel()[0] for value in array.ravel() if np.asarray(value).size]
