"""Which unit of voltage a signal is in: what the file says, what the user says, what its size tells."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.options import ReadOptions

SECONDS = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3,
           "msecs": 1e-3, "millis": 1e-3, "millisec": 1e-3, "millisecs": 1e-3, "millisecond": 1e-3,
           "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "usec": 1e-6, "usecs": 1e-6, "micros": 1e-6,
           "microsec": 1e-6, "microsecs": 1e-6, "microsecond": 1e-6, "microseconds": 1e-6, "ns": 1e-9, "nsec": 1e-9,
           "nanos": 1e-9, "nanosec": 1e-9, "nanosecond": 1e-9, "nanoseconds": 1e-9,
           "sekunde": 1.0, "sekunden": 1.0, "millisekunden": 1e-3, "mikrosekunden": 1e-6,
           "min": 60.0, "minutes": 60.0, "h": 3600.0,
           "hours": 3600.0, "秒": 1.0, "毫秒": 1e-3, "초": 1.0, "мс": 1e-3, "с": 1.0}  # fmt: skip
"""What one unit of time is in s; `millis` and `micros` are functions of Arduino."""
MILLIVOLTS = {
    name: factor
    for factor, names in (
        (1.0, "mv mvolt millivolt мв 毫伏 밀리볼트 ミリボルト"),
        (1e-3, "uv µv μv uvolt µvolt μvolt microvolt мкв 微伏 마이크로볼트 マイクロボルト"),
        (1e-6, "nv nvolt nanovolt"),
        (1e3, "v volt"),
    )
    for word in names.split()
    for name in ((word, f"{word}s") if word.endswith("volt") else (word,))
}
"""What one unit of a signal is in mV, by the unit's name in lower case."""
OTHER_UNITS = frozenset(
    {
        "%", "°c", "degc", "deg", "g", "m/s2", "mmhg", "hz", "bpm", "rpm", "l", "ml", "l/s", "l/min", "ohm", "ohms",
        "kohm", "ω", "kω", "mω", "lux", "rad/s", "°/s", "deg/s", "dps", "ut", "µt", "gauss", "utesla",
        "kpa", "pa", "hpa",
    }
)  # fmt: skip
"""Units, in lower case and without brackets and signs of powers, of what else is recorded beside an ECG."""
NO_UNITS = frozenset(
    {"nu", "au", "a.u.", "arb", "adu", "adc", "counts", "raw", "cal", "lsb", "none", "no_units", "nounits", "unitless"}
)
"""Words in place of a unit."""
MULTIPLE = re.compile(r"^([0-9.e+-]++)\s*+(/?)\s*+(\w+)")
PART = re.compile(r"^(\w{1,40})\s{0,9}/\s{0,9}([0-9.]{1,20})$")
"""Several units, or how many units are one of voltage; a part of a unit, such as mV/10."""
AROUND = re.compile(r"[\s()\[\]^]")
MEGA = "MV"
"""A unit written so is mV: no ECG is in megavolts."""
SMALLEST, LARGEST = 0.005, 20.0
"""Sizes in mV between which every ECG is, baseline wander included."""
LONGEST = 40
"""Letters that a unit has at most, signs included."""
SIZED = 100_000
"""Samples by which a signal's size is judged."""


def in_millivolts(unit: str) -> float | None:
    """What one unit such as `uV`, `10 uV` or `200/mV` is in mV; None if it is none of voltage."""
    name = unit.strip().lower()
    if (known := MILLIVOLTS.get(name)) is not None:
        return known
    match = MULTIPLE.fullmatch(name) if len(name) <= LONGEST else None
    if match is None and len(name) <= LONGEST and (part := PART.fullmatch(name)):
        match = MULTIPLE.fullmatch(f"{part[2]}/{part[1]}")
    if match is None or match[3] not in MILLIVOLTS:
        return None
    try:
        number = float(match[1])
    except ValueError:
        return None
    if not 0 < number < float("inf"):
        return None
    return MILLIVOLTS[match[3]] / number if match[2] else MILLIVOLTS[match[3]] * number


def is_unit(text: str) -> bool:
    """Whether a text is a unit of anything, time included, perhaps in brackets, such as `uV`, `(s)` or `m/(s^2)`."""
    plain = AROUND.sub("", text[:LONGEST].lower()).replace("²", "2")
    return plain in OTHER_UNITS or plain in SECONDS or in_millivolts(plain) is not None


def may_be_voltage(unit: str | None) -> bool:
    """Whether a unit is one of voltage, or not given."""
    return not unit or not unit.strip() or in_millivolts(unit) is not None


def size_of(samples: NDArray[Any]) -> float:
    """Half the range from the 1st to the 99th percentile of a signal's first samples, in the signal's own unit."""
    part = samples[:SIZED].astype(np.float64)
    part = part[np.isfinite(part)]
    low, high = np.percentile(part, [1, 99]) if len(part) else (0.0, 0.0)
    return float(high - low) / 2


def scale(of_file: str | None, options: ReadOptions, source: str, size: float | None = None) -> tuple[float, list[str]]:
    """Choose the unit: the user's, else the file's, else mV if an ECG can have this size in mV, else uV or V.

    Parameters
    ----------
    of_file : str or None
        What the file says.
    options : ReadOptions
        What the user says.
    source : str
        What messages call the file.
    size : float or None
        Size of the signal in its own unit, as by `size_of`.

    Returns
    -------
    factor : float
        What one unit is in mV.
    remarks : list of str
        What was assumed, and whether an ECG cannot have this size.

    Raises
    ------
    BadInput
        If the unit is not one of voltage.
    """
    said = options.unit or of_file or ""
    factor = in_millivolts(said)
    remarks = []
    if factor is None and said.strip():
        raise BadInput(
            f"{source}: its samples are in {said.strip()[:LONGEST]!r}, which is no voltage; give their unit with "
            "--unit: mV, uV, nV, V, or how many units are one mV, such as 200/mV"
        )
    if factor is None:
        assumed = "mV" if size is None else "uV" if size > LARGEST else "V" if 0 < size < SMALLEST else "mV"
        factor = MILLIVOLTS[assumed.lower()]
        remarks.append(f"unit unknown, taken as {assumed}")
    elif said.strip().startswith(MEGA):
        remarks.append(f"unit {said.strip()[:LONGEST]} taken as mV")
    elif options.unit and of_file and in_millivolts(of_file) not in (None, factor):
        remarks.append(f"in {options.unit} as you say; the file says {of_file[:LONGEST]}")
    if size and not SMALLEST <= size * factor <= LARGEST:
        remarks.append(f"its size of {size * factor:.2g} mV is not one of an ECG; check the unit")
    return factor, remarks
