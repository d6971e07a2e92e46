"""What a user says about ECG files; it goes before what they say themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Real

from ecg_rhythm.errors import BadInput
from ecg_rhythm.given import quoted, real

OPTION = re.compile(r"--(lead|fs|unit)\b")


def with_options_called(message: str, name: str) -> str:
    r"""A message of a reader, with another name for `--fs` and the like where users do not have these options.

    Parameters
    ----------
    message : str
        What is wrong with a file.
    name : str
        The name, with `\1` for that of the option, such as `column \1`.
    """
    return OPTION.sub(name, message)


@dataclass(frozen=True)
class ReadOptions:
    """The lead to read, the rate and the unit of the files, and whether recordings keep their start time.

    Attributes
    ----------
    lead : str or None
        Name of the lead, or its number from 1 on.
    fs : float or None
        Sampling rate in Hz.
    unit : str or None
        Unit of the samples: mV, uV, nV, V, or how many of them are a mV, such as `200/mV`.
    dates : bool
        Whether a recording keeps the time when it began.

    Raises
    ------
    BadInput
        If one of them is of another type.
    """

    lead: str | None = None
    fs: float | None = None
    unit: str | None = None
    dates: bool = True

    def __post_init__(self) -> None:
        """Check the types, and make the rate a float: this is where values of users come in."""
        if not (self.fs is None or (isinstance(self.fs, Real) and not isinstance(self.fs, bool))):
            raise BadInput(f"fs {quoted(self.fs)}: give the sampling rate as a number of Hz")
        if self.fs is not None:
            object.__setattr__(self, "fs", real(self.fs))
        for name, value in (("lead", self.lead), ("unit", self.unit)):
            if not (value is None or isinstance(value, str)):
                raise BadInput(f"{name} {quoted(value)}: give it as text")
