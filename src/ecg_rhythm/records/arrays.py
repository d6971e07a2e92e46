"""Arrays by name -> a recording: what NumPy's and MATLAB's files have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.leads import AMBIGUOUS, is_lead, plain_name, read_lead
from ecg_rhythm.records.recording import ReadOptions, Recording, in_memory, rate, scale, size_of
from ecg_rhythm.records.tables import BEGIN, at_times, counts, is_time, rises, unit_of_time

SIGNALS = ("ecg", "signal", "signals", "p_signal", "val")
ANYTHING = ("data", "x")
RATES = (
    "fs", "sfreq", "sampling_rate", "sample_rate", "samplingrate", "samplerate", "sampling_frequency", "srate", "sr",
    "rate", "freq", "hz",
)  # fmt: skip
UNITS = ("unit", "units")
LEADS = ("lead", "leads", "lead_names", "sig_name", "channels", "labels")
"""Names, in lower case, under which people keep the signal, its rate, its unit and the names of its leads."""
FEWEST = 100
"""Of fewer samples, an array is no signal beside a longer one, whatever it is called."""
MOST_UNNAMED = 64
"""Of more rows than these, without names, each is a recording or a beat, not a lead."""


def recording_of(
    arrays: Mapping[str, Any],
    name: str,
    options: ReadOptions,
    source: str,
    fs: float | None = None,
    unit: str | None = None,
) -> Recording:
    """Return the recording in an array, or in the one of several that is called or looks like a signal.

    Of two axes the longer one is time; arrays of one axis that are named after leads are those. `fs` and `unit` are
    what holds where no array tells. An array beside the signal, or its first column, that rises throughout holds
    times; they tell the rate where no number does.

    Raises
    ------
    BadInput
        If none of them is a signal.
    """
    by_size = sorted(arrays, key=lambda key: np.size(arrays[key]))  # of lead `I` and a loop's `i`, the larger counts
    originals = {key.strip().lower(): key for key in by_size}
    by_name = {key: arrays[original] for key, original in originals.items()}
    numbers = {
        key: value
        for key, value in by_name.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and value.ndim in (1, 2) and value.size
    }
    if _first(by_name, ("datastart",)) is not None and np.size(by_name["datastart"]) > 1:
        raise BadInput(f"{source}: this is LabChart's form of several channels in a row; export one channel alone")
    called, signal, own_names = _signal(numbers, source)
    told = _first(by_name, RATES)
    if told is not None and np.issubdtype(told.dtype, np.number) and told.size == 1:
        fs = float(told.ravel()[0].real)
    names = [originals[key].strip() for key in own_names] or [str(value) for value in _texts(by_name, LEADS)]
    units = [str(value) for value in _texts(by_name, UNITS)]
    if signal.ndim == 2 and signal.shape[0] <= signal.shape[1]:
        signal = signal.T
    times, unit_of_times = _times(numbers, called, len(signal))
    if signal.ndim == 2 and signal.shape[1] > 1 and len(names) in (0, signal.shape[1] - 1):
        first = signal[:BEGIN, 0].astype(np.float64)
        if counts(first) or rises(first):
            times = signal[:, 0] if times is None and not counts(first) else times
            signal = signal[:, 1:]
    leads = signal.shape[1] if signal.ndim == 2 else 1
    if options.lead is None and len(names) != leads and leads > MOST_UNNAMED:
        shape = " x ".join(str(size) for size in signal.shape)
        raise BadInput(f"{source}: {shape} numbers are many recordings rather than leads; choose with --lead")
    names = names if len(names) == leads else [f"{i}" for i in range(1, leads + 1)] if leads > 1 else ["ECG"]
    table = signal.reshape(len(signal), leads)
    lead, samples, remarks = read_lead(
        names, options.lead, source, units if len(units) == leads else (), lambda i: table[:, i]
    )
    if times is not None and fs is None:
        even, fs, trouble = at_times(samples.astype(np.float64), times.astype(np.float64), unit_of_times, source)
        samples, remarks = even, [*remarks, *trouble]
    if units:
        unit = units[lead] if len(units) == leads else units[0]
    factor, assumed = scale(unit, options, source, size_of(samples))
    return in_memory(name, samples, rate(fs, options, source), names[lead], factor, [*assumed, *remarks])


def _signal(numbers: Mapping[str, NDArray[Any]], source: str) -> tuple[str, NDArray[Any], list[str]]:
    """Return the array that is the signal, its name, and the names of its leads if it is made of arrays of theirs.

    It is chosen by its name, else it is the largest that holds no times.
    """
    if not numbers:
        raise BadInput(f"{source}: there is no row or table of numbers in it; give a file with a signal")
    least = min(FEWEST, max(max(array.shape) for array in numbers.values()))
    numbers = {name: array for name, array in numbers.items() if max(array.shape) >= least}
    called = next((name for name in SIGNALS if name in numbers), None)
    if called is not None:
        return called, numbers[called], []
    leads = {
        name: array.ravel()
        for name, array in numbers.items()
        if array.size == max(array.shape) and _is_named(name) and not _are_times(name, array)
    }
    if leads:
        longest = max(len(lead) for lead in leads.values())
        names = [name for name, lead in leads.items() if len(lead) == longest]
        return names[0], np.column_stack([leads[name] for name in names]), names
    by_size = sorted(numbers, key=lambda name: -numbers[name].size)
    called = next((name for name in by_size if _is_named(name)), None)
    if called is None:
        no_times = [name for name in by_size if not _are_times(name, numbers[name])] or by_size
        called = next((name for name in (*ANYTHING, *no_times) if name in no_times), no_times[0])
    return called, numbers[called], []


def _is_named(name: str) -> bool:
    """Tell whether an array is called a lead; one called x may be anything."""
    return is_lead(name) and plain_name(name) not in AMBIGUOUS


def _are_times(name: str, array: NDArray[Any]) -> bool:
    return is_time(name) or (array.size == max(array.shape) and rises(array.ravel()[:BEGIN].astype(np.float64)))


def _times(numbers: Mapping[str, NDArray[Any]], signal: str, samples: int) -> tuple[NDArray[Any] | None, float | None]:
    """Return the times of a signal's samples, and their unit, if an array beside it holds them."""
    for name, array in numbers.items():
        same = name != signal and array.size == samples
        if same and _are_times(name, array) and not counts(array.ravel()[:BEGIN].astype(np.float64)):
            return array.ravel(), unit_of_time(name)
    return None, None


def _first(arrays: Mapping[str, Any], names: tuple[str, ...]) -> NDArray[Any] | None:
    return next((np.asarray(arrays[name]) for name in names if name in arrays), None)


def _texts(arrays: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    found = _first(arrays, names)
    if found is None or found.dtype.kind not in "UO":
        return []
    # MATLAB's cells are arrays of arrays, each with one text.
    return [np.asarray(value).ravel()[0] for value in found.ravel() if np.asarray(value).size]
