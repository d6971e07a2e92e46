"""What a model says: a prediction of a short recording, a timeline of a long one."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.inference.smoothing import UNREADABLE
from ecg_rhythm.records import Record


@dataclass(frozen=True)
class Prediction:
    """What a model says of one recording.

    Attributes
    ----------
    record : str
        Name of the recording.
    reading : str
        How the recording was read: lead, rate, duration, gaps, and what was assumed.
    lead : str
        Name of the lead that was read.
    fs : float
        Its sampling rate in Hz.
    seconds : float
        Its duration in s.
    missing : float
        Share of it that was no numbers; straight lines took its place.
    label : str
        The most probable class.
    probabilities : dict of str to float
        Class -> probability; they sum to 1. Calibrated, if the model is.
    prediction_set : list of str or None
        The classes it can be: of recordings like those of the training set, of each class, the share that was asked
        for (`coverage`) has its true class among them. None if the model is not calibrated.
    heart_rate : float or None
        In beats per minute; None if there are too few beats to tell.
    quality : float or None
        Of the signal, from 0 to 1: how probably it is good enough to tell a rhythm, which is 1 less the probability of
        the class `~`. None if the model knows no such class.
    because : list of pairs of float, or None
        Start and end in s of the stretches that spoke most for the label, if that was asked for.
    """

    record: str
    reading: str
    lead: str
    fs: float
    seconds: float
    missing: float
    label: str
    probabilities: dict[str, float]
    prediction_set: list[str] | None
    heart_rate: float | None
    quality: float | None
    because: list[tuple[float, float]] | None = None
    kind: ClassVar[str] = "prediction"
    signal: Record | None = field(default=None, repr=False, compare=False)
    """What was classified, for notebooks."""

    def as_dict(self) -> dict[str, Any]:
        """Return the prediction as JSON values."""
        return {"kind": self.kind} | {name: value for name, value in vars(self).items() if name != "signal"}

    def _repr_html_(self) -> str:
        from ecg_rhythm.inference import notebook

        return notebook.prediction(self, self.signal)


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
        from ecg_rhythm.inference import notebook

        return notebook.timeline(self)
