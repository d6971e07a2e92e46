"""Units of voltage."""

from __future__ import annotations

import re

MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6, "v": 1e3}
"""What one unit of a signal is in mV, by the unit's name in lower case."""


def in_millivolts(unit: str) -> float | None:
    """Return what one unit is in mV, such as `uV` or `200/mV`; None if it is none of voltage."""
    name = unit.strip().lower()
    if (known := MILLIVOLTS.get(name)) is not None:
        return known
    if (match := re.fullmatch(r"([0-9.eE+]+)\s*/\s*(.v)", name)) and match[2] in MILLIVOLTS:
        try:
            per_unit = float(match[1])
        except ValueError:
            return None
        return MILLIVOLTS[match[2]] / per_unit if 0 < per_unit < float("inf") else None
    return None


def is_voltage(unit: str | None) -> bool:
    """Tell whether a unit is one of voltage, or not told."""
    return not unit or not unit.strip() or in_millivolts(unit) is not None
