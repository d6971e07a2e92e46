"""ISHNE Holter files (`.ecg`), read part by part.

References
----------
Badilini, "The ISHNE Holter Standard Output File Format", Annals of Noninvasive Electrocardiology 3(3), 1998.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.columns import looked_at
from ecg_rhythm.records.leads import choose_lead
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.rates import rate
from ecg_rhythm.records.recording import CUT_OFF, Recording
from ecg_rhythm.records.units import scale, size_of

HEADER = np.dtype(
    {
        "names": ["variable", "samples", "date", "time", "leads", "specification", "resolution", "fs"],
        "formats": ["<i4", "<i4", "3<i2", "3<i2", "<i2", "12<i2", "12<i2", "<i2"],
        "offsets": [10, 14, 138, 150, 156, 158, 206, 272],
        "itemsize": 522,
    }
)
"""What is read of the header: bytes of the block behind it, samples of each lead, day, month and year, hour, minute and
second, number of leads, which these are, their resolution in nV, sampling rate in Hz. Who was recorded is not read."""
LEADS = (
    "",
    "",
    "X",
    "Y",
    "Z",
    "I",
    "II",
    "III",
    "aVR",
    "aVL",
    "aVF",
    "V1",
    "V2",
    "V3",
    "V4",
    "V5",
    "V6",
    "ES",
    "AS",
    "AI",
)
"""Names of leads by their number; the first two are unknown and any bipolar lead."""
MOST_LEADS, NO_SAMPLE = 12, -32768


def open_ishne(path: Path, options: ReadOptions) -> Recording:
    """Open a lead of a Holter recording."""
    size = path.stat().st_size
    with path.open("rb") as file:
        begin = file.read(HEADER.itemsize)
    if len(begin) < HEADER.itemsize:
        raise BadInput(f"{path}: this ISHNE file is cut off within its header; get a new copy")
    header = np.frombuffer(begin, HEADER)[0]
    count, first = int(header["leads"]), HEADER.itemsize + int(header["variable"])
    if not 1 <= count <= MOST_LEADS or not HEADER.itemsize <= first < size:
        raise BadInput(f"{path}: the header of this ISHNE file is damaged; get a new copy")
    samples = (size - first) // (2 * count)
    if not samples:
        raise BadInput(f"{path}: there are no samples in this ISHNE file; get a new copy")
    table = np.memmap(path, "<i2", "r", first, (samples, count))
    codes, resolutions = header["specification"].tolist(), header["resolution"].tolist()
    names = [LEADS[code] if 0 <= code < len(LEADS) else "" for code in codes[:count]]
    names = [name or f"ECG {i}" for i, name in enumerate(names, start=1)] if count > 1 else [names[0] or "ECG"]
    units = [f"{resolution} nV" if resolution > 0 else "" for resolution in resolutions[:count]]

    def look(lead: int) -> NDArray[np.float64]:
        return looked_at(lambda start, stop: table[start:stop, lead], samples)

    chosen_fs, said = rate(float(header["fs"]) if header["fs"] > 0 else None, options, str(path))
    lead, remarks = choose_lead(names, options.lead, str(path), units, look, chosen_fs)
    factor, of_unit = scale(units[lead], options, f"{path}: lead {names[lead]}", size_of(table[:, lead]))
    if 0 < samples < (promised := int(header["samples"])):
        said.append(f"{CUT_OFF}: {samples} of its {promised} samples are there")

    def read(start: int, stop: int) -> NDArray[np.float32]:
        part = table[start:stop, lead]
        return np.where(part == NO_SAMPLE, np.nan, part * factor).astype(np.float32)

    begun = None
    with suppress(ValueError):
        day, month, year = header["date"].tolist()
        begun = datetime(year, month, day, *header["time"].tolist())
    return Recording(path.stem, chosen_fs, names[lead], samples, read, (*remarks, *of_unit, *said), begun)
