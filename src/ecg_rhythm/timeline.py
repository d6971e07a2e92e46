"""A long recording -> its rhythm over time, with episodes and burdens.

All is read, resampled and classified in stretches of some minutes, so memory grows with a recording only where its
format must be read at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_rhythm import records
from ecg_rhythm.classifier import Classifier, loaded
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import Record, Recording
from ecg_rhythm.smoothing import UNREADABLE, labels_of, merged, smoothed
from ecg_rhythm.windows import WINDOW, Cutter, check, classify_windows

LONG = 120.0
"""A recording of more seconds has a timeline rather than one label."""
STRETCH = 600.0
"""Seconds that are read at once."""


@dataclass(frozen=True)
class Episode:
    """A stretch of one rhythm.

    Attributes
    ----------
    label : str
        The rhythm.
    start, end : float
        In s from the beginning of the recording.
    probability : float
        Mean probability of the rhythm in it.
    """

    label: str
    start: float
    end: float
    probability: float

    @property
    def seconds(self) -> float:
        """Duration in s."""
        return self.end - self.start


@dataclass(frozen=True)
class Timeline:
    """The rhythm of a long recording, step by step.

    Attributes
    ----------
    record, reading : str
        Name of the recording, and how it was read.
    lead : str
        Name of the lead that was read.
    fs : float
        Its sampling rate in Hz.
    seconds : float
        Its duration in s.
    missing : float
        Share of it that was no numbers.
    stride : float
        Seconds of a step; the last may be shorter.
    classes : list of str
        The classes.
    probabilities : ndarray of float64, shape (steps, classes)
        Smoothed probabilities of each step; NaN where nothing could be classified.
    labels : list of str
        The most probable class of each step, `~` where nothing could be classified.
    """

    record: str
    reading: str
    lead: str
    fs: float
    seconds: float
    missing: float
    stride: float
    classes: list[str]
    probabilities: NDArray[np.float64]
    labels: list[str]
    kind: ClassVar[str] = "timeline"

    def episodes(self, label: str | None = None) -> list[Episode]:
        """Return the stretches of one rhythm, or of all, in the order of time."""
        found, step = [], 0
        for name, group in groupby(self.labels):
            steps = slice(step, step + len(list(group)))
            step = steps.stop
            if label is None or name == label:
                own = self.probabilities[steps, self.classes.index(name)] if name in self.classes else np.array([1.0])
                end = min(steps.stop * self.stride, self.seconds)
                found.append(Episode(name, steps.start * self.stride, end, float(np.nan_to_num(own, nan=1.0).mean())))
        return found

    def hours(self, label: str) -> float:
        """Return how long a rhythm lasts in all, in h."""
        return sum(episode.seconds for episode in self.episodes(label)) / 3600

    @property
    def unreadable(self) -> float:
        """Share of the recording whose rhythm cannot be told."""
        return self.hours(UNREADABLE) * 3600 / self.seconds

    def burden(self, label: str = "A") -> float | None:
        """Return the share of the readable time that a rhythm takes; None if nothing is readable."""
        readable = self.seconds / 3600 - self.hours(UNREADABLE)
        return self.hours(label) / readable if readable > 0 else None

    def as_dict(self) -> dict[str, Any]:
        """Return what is told of the recording as JSON values."""
        rhythms = [name for name in self.classes if name != UNREADABLE]
        return {
            "kind": self.kind,
            "record": self.record,
            "reading": self.reading,
            "lead": self.lead,
            "fs": self.fs,
            "seconds": self.seconds,
            "missing": self.missing,
            "stride": self.stride,
            "classes": self.classes,
            "labels": self.labels,
            "unreadable": self.unreadable,
            "burden": {name: self.burden(name) for name in rhythms},
            "hours": {name: self.hours(name) for name in rhythms},
            "episodes": [
                {"label": e.label, "start": e.start, "end": e.end, "probability": e.probability}
                for e in self.episodes()
            ],
        }

    def _repr_html_(self) -> str:
        from ecg_rhythm import notebook

        return notebook.timeline(self)


def timeline(
    classifier: Classifier, recording: Recording, *, window: float = WINDOW, stride: float | None = None
) -> Timeline:
    """Classify a recording window by window.

    Parameters
    ----------
    classifier : Classifier
        What classifies each window.
    recording : Recording
        Of any length; it is read in stretches.
    window, stride : float
        Seconds that are classified at once, and from the beginning of one window to that of the next (15, or half a
        shorter window).

    Raises
    ------
    BadInput
        If the recording is shorter than a window, cannot be read, or a stride is longer than its window.
    """
    stride = check(window, stride)
    if recording.seconds < window:
        raise BadInput(
            f"{recording.name or 'signal'}: {recording.seconds:.3g} s are less than one window of {window:g} s; "
            "classify it without a window"
        )
    cutter = Cutter(recording.fs, window, stride)
    gaps = missing = 0
    in_gap = False
    length = int(STRETCH * recording.fs)

    def windows() -> Iterator[NDArray[np.float32]]:
        nonlocal gaps, missing, in_gap
        for start in range(0, recording.samples, length):
            part = recording.stretch(start, min(start + length, recording.samples))
            gone = ~np.isfinite(part)
            gaps += records.count_gaps(part) - (in_gap and bool(gone[0]))  # one that goes on is no other
            missing, in_gap = missing + int(gone.sum()), bool(gone[-1])
            yield from cutter.push(part)
        yield from cutter.rest()

    found = list(classify_windows(classifier, windows(), recording.fs))
    steps = merged(np.array(found), _count(recording.seconds, stride), _count(window, stride))
    probabilities = smoothed(steps, stride)
    record = Record(
        name=recording.name,
        signal=np.zeros(0, dtype=np.float32),
        fs=recording.fs,
        lead=recording.lead,
        missing=missing / recording.samples,
        gaps=gaps,
        remarks=recording.remarks,
    )
    return Timeline(
        record=recording.name,
        reading=records.reading(record, classifier.fs, recording.seconds),
        lead=recording.lead,
        fs=recording.fs,
        seconds=recording.seconds,
        missing=record.missing,
        stride=stride,
        classes=classifier.classes,
        probabilities=probabilities,
        labels=labels_of(probabilities, classifier.classes),
    )


def _count(seconds: float, stride: float) -> int:
    """Return how many steps there are in so many seconds, the last perhaps not a whole one; rounding makes none."""
    return math.ceil(round(seconds / stride, 6))


def timeline_of_signal(
    model: Classifier | Path | str,
    signal: ArrayLike,
    fs: float,
    name: str = "",
    *,
    window: float = WINDOW,
    stride: float | None = None,
) -> Timeline:
    """Classify a signal in mV, shape (n,), at `fs` Hz, NaN where samples are missing, window by window; see `timeline`.

    The model is what `load` gives or takes.

    Raises
    ------
    BadInput
        As `timeline` does, and if it is no such signal.
    """
    return timeline(loaded(model), records.of_signal(signal, fs, name), window=window, stride=stride)
