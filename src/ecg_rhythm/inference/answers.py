"""What a model says: a prediction of a strip, a timeline of a long recording.

A new field is written here and given a value in `classifier.py` or `timeline.py`; what follows from other fields of a
timeline is in `derived.py`. JSON, tables, the HTTP schema and the page have it by themselves; its meaning is what the
docstring says, its metadata say how tables show it (`fields.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.inference.derived import OF_TIMELINE
from ecg_rhythm.inference.episodes import Rules, ruled, runs
from ecg_rhythm.inference.fields import PYTHON_ONLY, Field, published
from ecg_rhythm.inference.names import fibrillation_in, named
from ecg_rhythm.inference.parts import Episode, Substitute
from ecg_rhythm.inference.rates import Rates, rates_of
from ecg_rhythm.inference.smoothing import UNREADABLE
from ecg_rhythm.records import Record
from ecg_rhythm.records.clock import later
from ecg_rhythm.signals.heartbeats import Intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False, eq=False)
class Answer:
    """What a model says of any recording.

    Attributes
    ----------
    record : str
        Name of the recording.
    reading : str
        How it was read, in words: lead, rate, duration, gaps, and what was assumed.
    lead : str
        Name of the lead.
    fs : float
        Sampling rate of the recording in Hz.
    seconds : float
        Duration in s.
    missing : float
        Share of the samples that are no numbers; in a strip, straight lines replace them.
    start_time : str or None
        When the recording began, in ISO 8601: date and time of day, or the time of day alone; null if the file does not
        say it, or if dates are left out.
    """

    kind: ClassVar[str]
    record: str = field(metadata={"heading": "record"})
    reading: str = field(metadata={"heading": "read as"})
    lead: str
    fs: float
    seconds: float
    missing: float = field(metadata={"digits": 6})
    start_time: str | None = field(metadata={"heading": "began"})

    def __eq__(self, other: object) -> bool:
        """Whether two answers say the same, to the digits that JSON has."""
        return isinstance(other, Answer) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]  # as of all that compares by content and holds lists

    def as_dict(self) -> dict[str, Any]:
        """Give the answer as JSON values."""
        return {"kind": self.kind} | {one.name: one.value(self) for one in published(type(self))}

    def plot(self, path: Path | str | None = None) -> Figure:
        """Draw the answer: a strip on ECG paper, or the rhythm over the hours.

        Parameters
        ----------
        path : path, optional
            Where to write the picture, too: `.png`, `.pdf` or `.svg`.

        Returns
        -------
        matplotlib.figure.Figure
            The picture; a notebook shows it, `savefig` writes it.

        Raises
        ------
        BadInput
            If the library `matplotlib` is not installed, or a prediction does not have its signal.
        """
        from ecg_rhythm.inference import plots

        return plots.plot(self, None if path is None else Path(path))

    def __repr__(self) -> str:
        facts = "; ".join([self.summary(), self.reading])
        return f"<{type(self).__name__} of {self.record or 'a signal'}: {facts}>"

    def summary(self) -> str:
        """What the model says, in a few words."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        from ecg_rhythm.inference import plots

        return plots.as_html(self)


@dataclass(frozen=True, repr=False, eq=False)
class Prediction(Answer):
    """What a model says of a strip, beside the fields of every `Answer`.

    Attributes
    ----------
    label : str
        The most probable class.
    probabilities : dict of str to float
        Probability of each class; they sum to 1.
    prediction_set : list of str or None
        The classes it can be, at the coverage asked for, the label among them; null if the model is not calibrated, or
        several models vote.
    heart_rate : float or None
        Mean rate in beats/min; null if the label is `~`, or if there are too few beats for the duration.
    quality : float or None
        Quality of the signal from 0 to 1: one minus the probability of `~`; null if the model has no such class.
    because : list of pairs of float, or None
        Start and end in s of the parts that influenced the prediction most; null if not asked for.
    signal : Record or None
        What was classified, in mV; in Python only.
    """

    kind: ClassVar[str] = "prediction"
    label: str = field(metadata={"heading": "label"})
    probabilities: dict[str, float] = field(
        metadata={"column": "p({})", "digits": 6, "heading": "p({})", "format": ".3f"}
    )
    prediction_set: list[str] | None = field(metadata={"heading": "prediction set"})
    heart_rate: float | None = field(metadata={"digits": 1, "heading": "beats/min", "format": ".0f"})
    quality: float | None = field(metadata={"digits": 4, "heading": "quality", "format": ".2f"})
    because: list[tuple[float, float]] | None = field(
        default=None, metadata={"heading": "most influential (s)", "format": "g"}
    )
    signal: Record | None = field(default=None, metadata=PYTHON_ONLY)

    def summary(self) -> str:
        """The label, its probability, and the heart rate."""
        text = f"{named(self.label, self.probabilities)}, probability {self.probabilities[self.label]:.2f}"
        return text if self.heart_rate is None else f"{text}, {self.heart_rate:.0f} beats/min"


@dataclass(frozen=True, repr=False, eq=False)
class Timeline(Answer):
    """What a model says of a long recording, step by step, beside the fields of every `Answer`.

    Attributes
    ----------
    stride : float
        Length of a step in s; the last step may be shorter.
    join, shortest : float
        Episodes of atrial fibrillation that are less than `join` s apart are one; after that, one that is shorter than
        `shortest` s is none.
    classes : list of str
        The classes.
    probabilities : ndarray of float64, shape (steps, classes)
        Smoothed probabilities of each step, NaN where it cannot be classified; in Python only.
    labels : list of str
        The most probable class of each step, `~` where it cannot be classified, before the rules for episodes.
    substitutes : list of Substitute
        Where another lead was read; in JSON as `other_leads`.
    intervals : Intervals
        Intervals between heartbeats that count, wherever the rhythm is readable; in Python only.
    """

    kind: ClassVar[str] = "timeline"
    stride: float = field(metadata={"column": ""})
    join: float = field(metadata={"column": ""})
    shortest: float = field(metadata={"column": ""})
    classes: list[str] = field(metadata={"column": ""})
    probabilities: NDArray[np.float64] = field(metadata=PYTHON_ONLY)
    labels: list[str] = field(metadata={"column": ""})
    substitutes: list[Substitute] = field(metadata=PYTHON_ONLY)
    intervals: Intervals = field(metadata=PYTHON_ONLY)

    def summary(self) -> str:
        """The share of each rhythm."""
        shares = [f"{named(name, self.classes)} {part:.1%}" for name in self.rhythms if (part := self.burden(name))]
        if self.unreadable:
            shares.append(f"unreadable {self.unreadable:.1%}")
        return ", ".join(shares)

    @property
    def rhythms(self) -> list[str]:
        """The classes except `~`."""
        return rhythms_of(self.classes)

    @property
    def unreadable(self) -> float:
        """Share of the recording that cannot be classified, because of noise or missing samples."""
        return self.hours(UNREADABLE) * 3600 / self.seconds

    def burden(self, label: str = "A", start: float = 0.0, end: float = inf) -> float | None:
        """Share of the readable time, from one time to another in s, that a rhythm takes; None if nothing is readable.

        It is the share of steps, before the rules for episodes, which would make it larger or smaller.
        """
        readable = sum(self.hours(name, start, end) for name in self.rhythms)
        return self.hours(label, start, end) / readable if readable > 0 else None

    def hours(self, label: str, start: float = 0.0, end: float = inf) -> float:
        """Total duration of a rhythm in h, from one time to another in s, before the rules for episodes."""
        own = [run for run in runs(self.labels) if run.label == label]
        parts = (min(self._end(run.stop), end) - max(run.start * self.stride, start) for run in own)
        return sum(part for part in parts if part > 0) / 3600

    def episodes(self, label: str | None = None) -> list[Episode]:
        """Episodes of one rhythm, or of all, in the order of time."""
        labels, fibrillation = self.labels, fibrillation_in(self.classes)
        if fibrillation is not None:
            labels = ruled(labels, self.stride, fibrillation, UNREADABLE, Rules(self.join, self.shortest), self.seconds)
        return [self._episode(*run) for run in runs(labels) if label in (None, run.label)]

    def _episode(self, name: str, first: int, stop: int) -> Episode:
        own = self.probabilities[first:stop, self.classes.index(name)] if name in self.classes else np.array([1.0])
        start, end = first * self.stride, self._end(stop)
        clock = (later(self.start_time, seconds) for seconds in (start, end))
        return Episode(name, start, end, float(np.nan_to_num(own, nan=1.0).mean()), self.heart_rate(start, end), *clock)

    def _end(self, stop: int) -> float:
        """When the step before another ends, in s."""
        return min(stop * self.stride, self.seconds)

    def heart_rate(self, start: float = 0.0, end: float | None = None) -> float | None:
        """Mean rate in beats/min from one time to another in s; None if less than half of the time is counted."""
        start, end = max(start, 0.0), self.seconds if end is None else min(end, self.seconds)
        found = self.intervals.between(start, end)
        return found.rate if found.seconds.sum() >= (end - start) / 2 else None

    @property
    def rates(self) -> Rates:
        """Heart rates per minute, per hour and in all, and pauses."""
        return rates_of(self.intervals, self.seconds)

    derived: ClassVar[tuple[Field, ...]] = OF_TIMELINE
    """What JSON and tables have beside the fields."""


def rhythms_of(classes: list[str]) -> list[str]:
    """The classes except `~`."""
    return [name for name in classes if name != UNREADABLE]
