"""Parts of a long recording that its answer names: episodes of one rhythm, and where another lead was read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Episode:
    """A part of a recording that has one rhythm.

    Attributes
    ----------
    label : str
        The rhythm.
    start, end : float
        In s from the beginning of the recording.
    probability : float
        Mean probability of the rhythm.
    heart_rate : float or None
        Mean rate in beats/min; null if less than half of it is counted.
    start_time, end_time : str or None
        The same as clock times, in ISO 8601; null if the recording has no start time.
    """

    label: str
    start: float
    end: float
    probability: float
    heart_rate: float | None = None
    start_time: str | None = None
    end_time: str | None = None

    @property
    def seconds(self) -> float:
        """Duration in s."""
        return self.end - self.start


@dataclass(frozen=True)
class Substitute:
    """A part of a recording in which another lead was read, as the chosen one was unreadable.

    Attributes
    ----------
    lead : str
        Name of the other lead.
    start, end : float
        In s from the beginning of the recording.
    """

    lead: str
    start: float
    end: float
