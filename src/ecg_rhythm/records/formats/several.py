"""Files with several ECGs of one lead: one is chosen by its number, as a lead is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ecg_rhythm.errors import BadInput
from ecg_rhythm.given import whole
from ecg_rhythm.records.options import ReadOptions

One = TypeVar("One")


def the_one(path: Path, ecgs: Sequence[One], options: ReadOptions) -> tuple[One, ReadOptions]:
    """The ECG that is to be read, and what the user says of it beside its number.

    Raises
    ------
    BadInput
        If there are several, and the user does not say which.
    """
    if len(ecgs) == 1:
        return ecgs[0], options
    if 1 <= (number := whole(options.lead or "") or 0) <= len(ecgs):
        return ecgs[number - 1], replace(options, lead=None)
    raise BadInput(f"{path}: it holds {len(ecgs)} ECGs; choose one by its number, --lead 1 to {len(ecgs)}")
