"""Heart rates of a long recording: per minute, per hour and in all, and its pauses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.records import Recording
from ecg_rhythm.signals.gaps import fill
from ecg_rhythm.signals.heartbeats import LEAST_HZ, LONGEST_PAUSE, PAUSE_SECONDS, Intervals, intervals
from ecg_rhythm.signals.windows import SlidingWindow

PIECE_SECONDS, MARGIN_SECONDS = 120.0, LONGEST_PAUSE
"""Beats are found in pieces of the recording with a margin on both sides, in s, so that no pause is cut."""
MINUTE, HOUR, COUNTED = 60.0, 3600.0, 0.5
"""Durations in s; smallest share of a minute in intervals that count, for it to have a rate."""
APART = 0.02
"""A beat has at most this uncertainty in s: a sample of the lowest rate at which beats are found."""
DIGITS = 1
"""Decimals of a rate in beats/min."""
NONE = Intervals(np.zeros(0), np.zeros(0))
"""The intervals of what is missing."""


@dataclass(frozen=True)
class Pause:
    """A long interval between heartbeats.

    Attributes
    ----------
    start : float
        Time of the beat before it, in s from the beginning of the recording.
    seconds : float
        Its duration in s.
    """

    start: float
    seconds: float


@dataclass(frozen=True)
class HourlyRate:
    """Heart rate in an hour of a recording; each rate is null if no minute of the hour has one.

    Attributes
    ----------
    start : float
        Beginning of the hour in s from the beginning of the recording.
    mean, lowest, highest : float or None
        Mean rate, and that of the slowest and of the fastest minute, in beats/min.
    """

    start: float
    mean: float | None
    lowest: float | None
    highest: float | None


@dataclass(frozen=True)
class Rates:
    """Heart rates of a long recording in beats/min. What is unreadable, noisy or missing is not counted.

    Attributes
    ----------
    minutes : list of float or None
        Mean rate in each minute; null if less than half a minute of it is counted.
    mean, lowest, highest : float or None
        Mean rate of all that is counted, and that of the slowest and of the fastest minute; null if no minute has one.
    hours : list of HourlyRate
        The same for each hour.
    pauses : list of Pause
        Intervals between heartbeats of more than 2.5 s and at most 10 s, in which nothing looks like a beat.
    counted : float
        Share of the recording in intervals that are counted.
    """

    minutes: list[float | None]
    mean: float | None
    lowest: float | None
    highest: float | None
    hours: list[HourlyRate]
    pauses: list[Pause]
    counted: float


class IntervalMeter:
    """Finds the intervals between heartbeats of a recording that is read in parts.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    """

    def __init__(self, fs: float) -> None:
        self.fs = fs
        self._pieces = SlidingWindow(fs, PIECE_SECONDS + 2 * MARGIN_SECONDS, PIECE_SECONDS)
        self._samples = 0
        self._found: list[Intervals] = []
        self._last, self._after, self._until, self._end = NONE, 0.0, 0.0, 0.0

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take further samples in mV, NaN where they are missing."""
        self._samples += len(samples)
        for piece in self._pieces.push(samples):
            self._measure(piece, self._pieces.number * PIECE_SECONDS)
            self._until = (self._pieces.number + 1) * PIECE_SECONDS + MARGIN_SECONDS

    def rest(self) -> Intervals:
        """Give all intervals of the recording that count, after its last sample."""
        for piece in self._pieces.rest():
            self._measure(piece, (self._samples - len(piece)) / self.fs)
        self._keep(math.inf)
        return Intervals(*map(np.concatenate, zip(*self._found, strict=True)))

    def _measure(self, piece: NDArray[np.float32], first: float) -> None:
        """Find the intervals of a piece. Of the piece before, those count that end before its margin."""
        if self.fs >= LEAST_HZ:
            self._keep(self._until)
            gone = ~np.isfinite(piece)
            found = NONE if gone.all() else intervals(fill(piece), self.fs, gone)
            self._after, self._last = self._until, Intervals(found.ends + first, found.seconds)

    def _keep(self, until: float) -> None:
        """Keep the intervals of the last piece that count there, and are not of the piece before it.

        Two pieces may place a beat some milliseconds apart, which must not count an interval twice, nor lose it.
        """
        own = self._last.between(self._after - APART, until)
        new = own.ends - own.seconds >= self._end - APART
        self._found.append(Intervals(own.ends[new], own.seconds[new]))
        self._end = max(self._end, *own.ends[new].tolist()) if new.any() else self._end


def intervals_of(recording: Recording, start: float, end: float) -> Intervals:
    """Find the intervals between heartbeats from `start` to `end`, in s, as far as the recording is there."""
    meter, first = IntervalMeter(recording.fs), max(int(start * recording.fs), 0)
    for samples in recording.parts(first, int(min(end * recording.fs, recording.samples))):
        meter.push(samples)
    found = meter.rest()
    return Intervals(found.ends + first / recording.fs, found.seconds)


def rates_of(found: Intervals, seconds: float) -> Rates:
    """Heart rates of a recording of a duration in s from its intervals that count."""
    minutes = [_rounded(_of_minute(one)) for _, one in _divided(found, seconds, MINUTE)]
    per_hour = round(HOUR / MINUTE)
    hours = [
        HourlyRate(start, *_summary(one, minutes[number * per_hour : (number + 1) * per_hour]))
        for number, (start, one) in enumerate(_divided(found, seconds, HOUR))
    ]
    long = found.seconds > PAUSE_SECONDS
    pauses = [
        Pause(round(end - duration, 2), round(duration, 2))
        for end, duration in zip(found.ends[long].tolist(), found.seconds[long].tolist(), strict=True)
    ]
    counted = min(float(found.seconds.sum()) / seconds, 1.0)
    return Rates(minutes, *_summary(found, minutes), hours, pauses, counted)


def _divided(found: Intervals, seconds: float, length: float) -> Iterator[tuple[float, Intervals]]:
    """Yield the beginning of each part of a recording, and the intervals that end in it."""
    for number in range(math.ceil(seconds / length)):
        yield number * length, found.between(number * length, (number + 1) * length)


def _of_minute(found: Intervals) -> float | None:
    return found.rate if found.seconds.sum() >= COUNTED * MINUTE else None


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, DIGITS)


def _summary(found: Intervals, minutes: list[float | None]) -> tuple[float | None, float | None, float | None]:
    """The mean rate of intervals, and the lowest and highest of their minutes; None where no minute has a rate."""
    known = [rate for rate in minutes if rate is not None]
    return (_rounded(found.rate), min(known), max(known)) if known else (None, None, None)
