"""Units of voltage."""

from __future__ import annotations

import re

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
OTHERS = frozenset(
    {
        "%", "°c", "degc", "deg", "g", "m/s2", "m/s^2", "m/s²", "mmhg", "hz", "bpm", "rpm", "l", "ml", "l/s", "l/min",
        "ohm", "ohms", "kohm", "ω", "kω", "mω", "us", "µs", "lux", "rad/s", "°/s", "dps", "ut", "µt",
    }
)  # fmt: skip
"""Units in lower case of what else is recorded beside an ECG."""


def in_millivolts(unit: str) -> float | None:
    """Return what one unit is in mV, such as `uV`, `10 uV` or `200/mV`; None if it is none of voltage."""
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


def is_voltage(unit: str | None) -> bool:
    """Tell whether a unit is one of voltage, or not told."""
    return not unit or not unit.strip() or in_millivolts(unit) is not None
