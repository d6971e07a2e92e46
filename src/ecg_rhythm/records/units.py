"""Which unit of voltage a signal is in: what the file says, what the user says, what its size tells."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.options import ReadOptions

MILLIVOLTS = {
    name: factor
    for factor, names in (
        (1.0, "mv mvolt millivolt"),
        (1e-3, "uv µv μv uvolt µvolt μvolt microvolt"),
        (1e-6, "nv nvolt nanovolt"),
        (1e3, "v volt"),
    )
    for word in names.split()
    for name in ((word, f"{word}s") if word.endswith("volt") else (word,))
}
"""What one unit of a signal is in mV, by the unit's name in lower case."""
OTHER_UNITS = frozenset(
    {
        "%", "°c", "degc", "deg", "g", "m/s2", "m/s^2", "m/s²", "mmhg", "hz", "bpm", "rpm", "l", "ml", "l/s", "l/min",
        "ohm", "ohms", "kohm", "ω", "kω", "mω", "us", "µs", "lux", "rad/s", "°/s", "dps", "ut", "µt",
    }
)  # fmt: skip
"""Units, in lower case, of what else is recorded beside an ECG."""
SMALLEST, LARGEST = 0.005, 20.0
"""Sizes in mV between which every ECG is, baseline wander included."""
SIZED = 100_000
"""Samples by which a signal's size is judged."""


def in_millivolts(unit: str) -> float | None:
    """What one unit such as `uV`, `10 uV` or `200/mV` is in mV; None if it is none of voltage."""
    name = unit.strip().lower()
    if (known := MILLIVOLTS.get(name)) is not None:
        return known
    match = re.fullmatch(r"([0-9.e+-]+)\s*(/?)\s*(\w+)", name)
    if match is None or match[3] not in MILLIVOLTS:
        return None
    try:
        number = float(match[1])
    except ValueError:
        return None
    if not 0 < number < float("inf"):
        return None
    return MILLIVOLTS[match[3]] / number if match[2] else MILLIVOLTS[match[3]] * number


def may_be_voltage(unit: str | None) -> bool:
    """Whether a unit is one of voltage, or not given."""
    return not unit or not unit.strip() or in_millivolts(unit) is not None


def size_of(samples: NDArray[Any]) -> float:
    """Half the range from the 1st to the 99th percentile of a signal's first samples, in the signal's own unit."""
    part = samples[:SIZED].astype(np.float64)
    part = part[np.isfinite(part)]
    low, high = np.percentile(part, [1, 99]) if len(part) else (0.0, 0.0)
    return float(high - low) / 2


def scale(of_file: str | None, options: ReadOptions, source: str, size: float = 1.0) -> tuple[float, list[str]]:
    """Choose the unit: the file's, else the user's, else mV if an ECG can have this `size` in mV, else uV or V.

    Returns
    -------
    factor : float
        What one unit is in mV.
    remarks : list of str
        What was assumed.

    Raises
    ------
    BadInput
        If the unit is not one of voltage.
    """
    given = None if options.unit is None else in_millivolts(options.unit)
    own = in_millivolts(of_file) if of_file and of_file.strip() else None
    for unit, known in ((options.unit, given), (of_file, own or given)):
        if unit and unit.strip() and known is None:
            raise BadInput(
                f"{source}: its samples are in {unit.strip()!r}, which is no voltage; give their unit with --unit: "
                "mV, uV, nV, V, or how many units are one mV, such as 200/mV"
            )
    if own is not None:
        return own, [f"in {of_file} as the file says, not {options.unit}"] if given not in (None, own) else []
    if given is not None:
        return given, []
    assumed = "uV" if size > LARGEST else "V" if 0 < size < SMALLEST else "mV"
    return MILLIVOLTS[assumed.lower()], [f"unit unknown, taken as {assumed}"]
