"""The table of ECGs in Withings' export (`signal.csv`): a row for each ECG, with all its samples in one cell.

References
----------
Withings, description in the export of a user's data: `Frequency` in Hz, `Wear Position` 0 and 1 for a wrist, 2 and 3
for an arm, `Signal` in uV if a watch recorded it, in mV if a blood pressure monitor did.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.arrays import recording_of_arrays
from ecg_rhythm.records.clock import moment
from ecg_rhythm.records.formats.several import the_one
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.personal import says_who
from ecg_rhythm.records.recording import Recording

SIGNAL, FREQUENCY, POSITION = "signal", "frequency", "wearposition"
UNITS = {"0": "uV", "1": "uV", "2": "mV", "3": "mV"}
"""Unit of the samples by where the device was worn."""
LETTERS, BETWEEN = re.compile(r"[^a-z]"), re.compile(r"[\s,;]+")


def is_export(line: str) -> bool:
    """Whether a table with this first line is the one of ECGs."""
    names = _names(line.split(","))
    return SIGNAL in names and FREQUENCY in names


def open_export(path: Path, encoding: str, options: ReadOptions) -> Recording:
    """Open an ECG of the table: its only one, or the one whose number the user gives as lead."""
    try:
        table = pd.read_csv(path, dtype=str, encoding=encoding, encoding_errors="replace", keep_default_na=False)
        names = _names([*table.columns])
        ecgs = [dict(zip(names, row, strict=True)) for row in table.fillna("").to_numpy().tolist()]
        ecg, options = the_one(path, [one for one in ecgs if one.get(SIGNAL, "").strip("[] ")], options)
        samples = np.array([float(word) for word in BETWEEN.split(ecg[SIGNAL].strip("[] ").strip())])
        fs = float(ecg[FREQUENCY])
    except (ValueError, KeyError):
        raise BadInput(f"{path}: its column of signals does not hold numbers alone; get a new copy") from None
    arrays = {"signal": samples, "leads": np.array(["I"])}
    recording = recording_of_arrays(arrays, path.stem, options, str(path), fs, UNITS.get(ecg.get(POSITION, "").strip()))
    return replace(recording, start=next(filter(None, map(moment, _others(ecg))), None))


def _names(cells: Sequence[str]) -> list[str]:
    return [LETTERS.sub("", cell.lower()) for cell in cells]


def _others(ecg: dict[str, str]) -> list[str]:
    """The cells that hold no samples, and do not say who was recorded."""
    return [cell for name, cell in ecg.items() if name != SIGNAL and not says_who(name)]
