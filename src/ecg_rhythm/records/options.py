"""What a user says about ECG files; it goes before what they say themselves."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from ecg_rhythm.errors import BadInput


@dataclass(frozen=True)
class ReadOptions:
    """The lead to read, and the rate and the unit of the files.

    Attributes
    ----------
    lead : str or None
        Name of the lead, or its number from 1 on.
    fs : float or None
        Sampling rate in Hz.
    unit : str or None
        Unit of the samples: mV, uV, nV, V, or how many of them are a mV, such as `200/mV`.

    Raises
    ------
    BadInput
        If one of them is of another type.
    """

    lead: str | None = None
    fs: float | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        """Check the types: this is where values of users come in."""
        if not (self.fs is None or (isinstance(self.fs, Real) and not isinstance(self.fs, bool))):
            raise BadInput(f"fs {self.fs!r}: give the sampling rate as a number of Hz")
        for name, value in (("lead", self.lead), ("unit", self.unit)):
            if not (value is None or isinstance(value, str)):
                raise BadInput(f"{name} {value!r}: give it as text")
