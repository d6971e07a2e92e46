"""JSON with an ECG in it: as Fitbit, Kardia and Movesense write it, or any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.arrays import recording_of_arrays
from ecg_rhythm.records.clock import moment
from ecg_rhythm.records.decoding import decoded
from ecg_rhythm.records.formats.several import the_one
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.rates import rounded
from ecg_rhythm.records.recording import Recording

LARGEST = 64 * 2**20
"""Bytes of a file. A day of packets at 125 Hz has about as many."""
MARKS, MOST_MARKS = (b"[", b"{", b":"), 5_000_000
"""What begins lists, objects and values, and how many there may be; each takes far more memory than a letter."""
DEEPEST, MOST_ROWS = 8, 64
"""Levels at which an ECG may stand, and leads of a list of lists."""
LSB_OF_MOVESENSE = 1e6 / 20 / 2**17
"""What one step of a Movesense sensor is in uV, as its makers say: V / 20 / 2**17."""
MOVESENSE_RATES = (125.0, 128.0, 200.0, 250.0, 256.0, 500.0, 512.0)
SAME_RATE, PAUSE = 0.005, 1.5
"""A rate is one of these if it differs by at most this share; times between packets longer than usual are pauses."""
KARDIA_LEADS = {"leadI": "I", "leadII": "II", "leadIII": "III", "AVR": "aVR", "AVL": "aVL", "AVF": "aVF"}


def open_json(path: Path, options: ReadOptions) -> Recording:
    """Open the ECG in a file."""
    if path.stat().st_size > LARGEST:
        raise BadInput(f"{path}: this JSON has more than {LARGEST // 2**20} MiB; save the ECG as CSV, EDF or WFDB")
    written = path.read_bytes()
    if sum(written.count(mark) for mark in MARKS) > MOST_MARKS:
        raise BadInput(
            f"{path}: this JSON has more than {MOST_MARKS} lists and names; save the ECG as CSV, EDF or WFDB"
        )
    try:
        content = json.loads(decoded(written)[0])
    except (ValueError, RecursionError):
        raise BadInput(f"{path}: this JSON is damaged; get a new copy") from None
    objects = list(_objects(content))
    try:
        if readings := [one for one in objects if "waveformSamples" in one]:
            return _of_fitbit(path, options, readings)
        if blocks := [one for one in objects if "samples" in one and "amplitudeResolution" in one]:
            return _of_kardia(path, options, blocks[0], objects)
        if packets := list(_packets(objects)):
            return _of_movesense(path, options, packets)
        return recording_of_arrays(_arrays(objects), path.stem, options, str(path))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        raise BadInput(f"{path}: this JSON does not hold numbers where its ECG should be; get a new copy") from None


def _objects(content: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield all objects, the outer ones first."""
    if isinstance(content, dict):
        yield content
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    if depth < DEEPEST:
        for one in inner:
            if isinstance(one, dict | list):
                yield from _objects(one, depth + 1)


def _numbers(values: Any) -> NDArray[np.float64]:
    """A row of numbers, NaN where there is none."""
    if not isinstance(values, list) or not {type(value) for value in values} <= {int, float, type(None)}:
        raise TypeError
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _number(value: Any) -> float | None:
    """A positive number, perhaps as text."""
    number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    return number if 0 < number < float("inf") else None


def _of_fitbit(path: Path, options: ReadOptions, readings: list[dict[str, Any]]) -> Recording:
    """A reading of Fitbit's "Get ECG Log List": a sample divided by the scaling factor is in mV."""
    reading, options = the_one(path, readings, options)
    per_mv = _number(reading.get("scalingFactor"))
    arrays = {"signal": _numbers(reading["waveformSamples"]), "leads": np.array(["I"])}
    fs, unit = _number(reading.get("samplingFrequencyHz")), f"{per_mv!r}/mV" if per_mv else None
    recording = recording_of_arrays(arrays, path.stem, options, str(path), fs, unit)
    return replace(recording, start=moment(str(reading.get("startTime", ""))))


def _of_kardia(path: Path, options: ReadOptions, block: dict[str, Any], objects: list[dict[str, Any]]) -> Recording:
    """A recording of the Kardia API: `amplitudeResolution` is in nV."""
    leads = {KARDIA_LEADS.get(name, name): _numbers(values) for name, values in block["samples"].items()}
    shortest = min(map(len, leads.values()))
    arrays = {"signal": np.column_stack([lead[:shortest] for lead in leads.values()]), "leads": np.array([*leads])}
    resolution = _number(block["amplitudeResolution"])
    unit = f"{resolution!r} nV" if resolution else None
    recording = recording_of_arrays(arrays, path.stem, options, str(path), _number(block.get("frequency")), unit)
    return replace(
        recording, start=moment(next((str(one["recordedAt"]) for one in objects if "recordedAt" in one), ""))
    )


def _packets(objects: list[dict[str, Any]]) -> Iterator[tuple[float | None, list[Any], bool]]:
    """Yield time in ms, samples, and whether these are in mV, of each packet of a Movesense sensor."""
    for one in objects:
        for name, packet in one.items():
            key = name.lower().rpartition("/")[2]
            if "ecg" in key and isinstance(packet, dict):
                samples = packet.get("Samples", packet.get("samples"))
                if isinstance(samples, list):
                    yield packet.get("Timestamp", packet.get("timestamp")), samples, key.endswith("mv")


def _of_movesense(path: Path, options: ReadOptions, packets: list[tuple[float | None, list[Any], bool]]) -> Recording:
    """Packets of a Movesense sensor, one after another; where one is missing, there is a gap."""
    parts = [_numbers(samples) for _, samples, _ in packets]
    times = [float(time) for time, _, _ in packets if isinstance(time, int | float)]
    fs = None
    signal = np.concatenate(parts)
    steps = np.diff(times)
    if len(times) == len(parts) > 1 and (steps > 0).all():
        lengths = np.array([len(part) for part in parts[:-1]])
        usual = steps < PAUSE * np.median(steps)
        fs = float(1000 * lengths[usual].sum() / steps[usual].sum())
        fs = next(
            (one for one in MOVESENSE_RATES if abs(one - fs) <= SAME_RATE * fs), rounded(fs, 1 / steps[usual].sum())
        )
        signal = _spread(path, parts, (np.array(times) - times[0]) * fs / 1000)
    unit = "mV" if packets[0][2] else f"{LSB_OF_MOVESENSE!r} uV"
    return recording_of_arrays({"ecg": signal}, path.stem, options, str(path), fs, unit)


def _spread(path: Path, parts: list[NDArray[np.float64]], starts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Packets where their times put them, if that is at least half a packet after the end of the one before."""
    pieces, end = list[NDArray[np.float64]](), 0
    whole = sum(map(len, parts))
    for part, start in zip(parts, starts.tolist(), strict=True):
        if (gap := round(start) - end) >= max(len(part) / 2, 1):
            if end + gap > 2 * whole:
                raise BadInput(f"{path}: over half of the time that its packets span is missing; save its parts")
            pieces.append(np.full(gap, np.nan))
            end += gap
        pieces.append(part)
        end += len(part)
    return np.concatenate(pieces)


def _arrays(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows of numbers, numbers and texts by name; of one name, that of an outer object counts."""
    arrays: dict[str, Any] = {}
    for one in objects:
        for name, value in one.items():
            if isinstance(value, int | float | str) and not isinstance(value, bool):
                arrays.setdefault(name, np.asarray(value))
            elif isinstance(value, list) and value:
                try:
                    arrays.setdefault(name, _numbers(value))
                except TypeError:
                    if all(isinstance(text, str) for text in value):
                        arrays.setdefault(name, np.array(value, dtype=object))
                    elif len(value) <= MOST_ROWS and all(isinstance(row, list) for row in value):
                        arrays.setdefault(name, np.array([_numbers(row) for row in value]))
    return arrays
