"""What the writers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Leads = Mapping[str, NDArray[np.float64]]
Writer = Callable[[Path, Leads, float, datetime], Path]
STEP = 1e-4
"""Resolution in mV: 100 nV."""
WHO = {"name": "Test", "id": "0", "born": "19310729"}
"""What files say of the person, where a format has a place for it; tests of privacy replace it."""


def steps(signal: NDArray[np.float64], step: float = STEP) -> NDArray[np.int16]:
    """A signal in mV as whole steps."""
    return np.rint(signal / step).astype("<i2")
