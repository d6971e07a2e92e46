"""Arrays by name -> a recording: what NumPy's and MATLAB's files have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.recording import Recording, Wanted, choose_lead, in_memory, rate, scale, size_of

SIGNALS = ("ecg", "signal", "signals", "p_signal", "val", "data", "x")
RATES = ("fs", "rate", "sampling_rate", "sample_rate", "samplingrate", "samplerate", "sampling_frequency", "freq", "hz")
UNITS = ("unit", "units")
LEADS = ("lead", "leads", "lead_names", "sig_name", "channels", "labels")
"""Names, in lower case, under which people keep the signal, its rate, its unit and the names of its leads."""


def recording_of(
    arrays: Mapping[str, Any], name: str, wanted: Wanted, source: str, fs: float | None = None, unit: str | None = None
) -> Recording:
    """Return the recording in an array, or in the one of several that is called or looks like a signal.

    Of two axes the longer one is time. `fs` and `unit` are what holds where no array tells.

    Raises
    ------
    BadInput
        If none of them is a signal.
    """
    by_name = {key.strip().lower(): value for key, value in arrays.items()}
    signal = _signal(by_name, source)
    told = _first(by_name, RATES)
    if told is not None and np.issubdtype(told.dtype, np.number) and told.size == 1:
        fs = float(told.ravel()[0].real)
    names = [str(value) for value in _texts(by_name, LEADS)]
    units = [str(value) for value in _texts(by_name, UNITS)]
    if signal.ndim == 2 and signal.shape[0] <= signal.shape[1]:
        signal = signal.T
    leads = signal.shape[1] if signal.ndim == 2 else 1
    names = names if len(names) == leads else [f"{i}" for i in range(1, leads + 1)] if leads > 1 else ["ECG"]
    lead = choose_lead(names, wanted.lead, source)
    samples = signal[:, lead] if signal.ndim == 2 else signal
    if units:
        unit = units[lead] if len(units) == leads else units[0]
    factor, remarks = scale(unit, wanted, source, size_of(samples))
    return in_memory(name, samples, rate(fs, wanted, source), names[lead], factor, remarks)


def _signal(arrays: Mapping[str, Any], source: str) -> NDArray[Any]:
    """Return the array that is the signal: by its name, else the largest."""
    numbers = {
        name: array
        for name, array in arrays.items()
        if isinstance(array, np.ndarray) and array.dtype.kind in "iuf" and array.ndim in (1, 2) and array.size
    }
    named = [numbers[name] for name in SIGNALS if name in numbers]
    found = named or sorted(numbers.values(), key=lambda array: -array.size)
    if not found:
        raise BadInput(f"{source}: there is no row or table of numbers in it; give a file with a signal")
    return found[0]


def _first(arrays: Mapping[str, Any], names: tuple[str, ...]) -> NDArray[Any] | None:
    return next((np.asarray(arrays[name]) for name in names if name in arrays), None)


def _texts(arrays: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    found = _first(arrays, names)
    if found is None or found.dtype.kind not in "UO":
        return []
    # MATLAB's cells are arrays of arrays, each with one text.
    return [np.asarray(value).ravel()[0] for value in found.ravel() if np.asarray(value).size]
