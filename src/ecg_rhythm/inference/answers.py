"""What a model says: a prediction of a strip, a timeline of a long recording.

Tables, JSON, the HTTP schema and the reference are derived from the fields here: a new field is written once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from itertools import groupby
from typing import Annotated, Any, ClassVar, NamedTuple, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import files
from ecg_rhythm.evaluation.metrics import NOISE
from ecg_rhythm.inference.smoothing import UNREADABLE
from ecg_rhythm.records import Record


class About(NamedTuple):
    """What is published of a field of an answer.

    Attributes
    ----------
    description : str
        One sentence for the reference and the HTTP schema.
    digits : int or None
        Decimals of a number in a table.
    column : str or None
        Heading in a table, `{}` for the name of a class; the field's name if empty; None keeps it out of tables.
    of_rhythms : bool
        Whether a field of several columns has one for each rhythm, not for each class: `~` is none.
    """

    description: str
    digits: int | None = None
    column: str | None = ""
    of_rhythms: bool = False


class Published(NamedTuple):
    """A field of an answer as JSON has it: its name, type and value."""

    name: str
    type: Any
    about: About
    value: Callable[[Any], Any]


@dataclass(frozen=True)
class Answer:
    """What is said of any recording, and how it becomes JSON and a row of a table."""

    record: Annotated[str, About("Name of the recording.")]
    reading: Annotated[str, About("How it was read, and what was assumed: lead, rate, duration, gaps.")]
    lead: Annotated[str, About("Name of the lead that was read.")]
    fs: Annotated[float, About("Its sampling rate in Hz.")]
    seconds: Annotated[float, About("Its duration in s.")]
    missing: Annotated[float, About("Share of the samples that were no numbers; straight lines take their place.", 6)]
    kind: ClassVar[str]
    derived: ClassVar[tuple[Published, ...]] = ()
    """What JSON has beside the fields."""

    @classmethod
    def published(cls) -> tuple[Published, ...]:
        """List what JSON has of such an answer, in its order."""
        hints = get_type_hints(cls, include_extras=True)
        own = [
            Published(f.name, hint.__origin__, about, lambda answer, name=f.name: getattr(answer, name))  # type: ignore[misc]
            for f in fields(cls)
            for hint in [hints[f.name]]
            for about in getattr(hint, "__metadata__", ())
        ]
        return (*own, *cls.derived)

    def as_dict(self) -> dict[str, Any]:
        """Give the answer as JSON values."""
        return {"kind": self.kind} | {p.name: p.value(self) for p in self.published()}


@dataclass(frozen=True)
class Prediction(Answer):
    """What a model says of a strip; `docs/reference/answers.md` explains each field."""

    label: Annotated[str, About("The most probable class.")]
    probabilities: Annotated[
        dict[str, float],
        About("Class -> probability; they sum to 1. Calibrated, if the model is.", 6, "p({})"),
    ]
    prediction_set: Annotated[
        list[str] | None,
        About(
            "The classes it can be: of recordings like those of the training set, of each class, the share asked for "
            "(`coverage`) has its true class among them. Null if the model is not calibrated."
        ),
    ]
    heart_rate: Annotated[float | None, About("In beats per minute; null if there are too few beats to say.", 1)]
    quality: Annotated[
        float | None,
        About(
            "From 0 to 1: how probably the signal is good enough for a rhythm, which is 1 less the probability of `~`. "
            "Null if the model knows no such class.",
            4,
        ),
    ]
    because: Annotated[
        list[tuple[float, float]] | None,
        About("Start and end in s of what influenced the label most, if that was asked for."),
    ] = None
    signal: Record | None = field(default=None, repr=False, compare=False)
    """What was classified, for pictures."""
    kind: ClassVar[str] = "prediction"

    def _repr_html_(self) -> str:
        from ecg_rhythm.inference import plots

        return plots.as_html(self)


@dataclass(frozen=True)
class Episode:
    """A part of a recording with one rhythm.

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
class Timeline(Answer):
    """The rhythm of a long recording, step by step; `docs/reference/answers.md` explains each field.

    `probabilities` are the smoothed ones of each step, shape (steps, classes); NaN where nothing could be classified.
    """

    stride: Annotated[float, About("Length of a step in s; the last may be shorter.", column=None)]
    classes: Annotated[list[str], About("The classes.", column=None)]
    probabilities: NDArray[np.float64]
    labels: Annotated[
        list[str], About("The most probable class of each step, `~` where nothing could be classified.", column=None)
    ]
    kind: ClassVar[str] = "timeline"

    @property
    def rhythms(self) -> list[str]:
        """The classes but `~`."""
        return [name for name in self.classes if name != UNREADABLE]

    def episodes(self, label: str | None = None) -> list[Episode]:
        """Episodes of one rhythm, or of all, in the order of time."""
        return [episode for episode in self._episodes() if label in (None, episode.label)]

    def _episodes(self) -> Iterator[Episode]:
        step = 0
        for name, group in groupby(self.labels):
            steps = slice(step, step + len(list(group)))
            step = steps.stop
            own = self.probabilities[steps, self.classes.index(name)] if name in self.classes else np.array([1.0])
            end = min(steps.stop * self.stride, self.seconds)
            yield Episode(name, steps.start * self.stride, end, float(np.nan_to_num(own, nan=1.0).mean()))

    def hours(self, label: str) -> float:
        """How long a rhythm lasts in all, in h."""
        return sum(episode.seconds for episode in self.episodes(label)) / 3600

    @property
    def unreadable(self) -> float:
        """Share of the recording without a rhythm, for noise or for missing samples."""
        return self.hours(UNREADABLE) * 3600 / self.seconds

    def burden(self, label: str = "A") -> float | None:
        """Share of the readable time that a rhythm takes; None if nothing is readable."""
        readable = self.seconds / 3600 - self.hours(UNREADABLE)
        return self.hours(label) / readable if readable > 0 else None

    derived: ClassVar[tuple[Published, ...]] = (
        Published(
            "unreadable",
            float,
            About("Share of the recording without a rhythm, for noise or for missing samples.", 6),
            lambda timeline: timeline.unreadable,
        ),
        Published(
            "burden",
            dict[str, float | None],
            About(
                "Share of the readable time that each rhythm takes; null if nothing is readable.", 6, "burden({})", True
            ),
            lambda timeline: {name: timeline.burden(name) for name in timeline.rhythms},
        ),
        Published(
            "hours",
            dict[str, float],
            About("How long each rhythm lasts in all, in h.", 4, "hours({})", True),
            lambda timeline: {name: timeline.hours(name) for name in timeline.rhythms},
        ),
        Published(
            "episodes",
            list[Episode],
            About(
                "Every episode: its label, start and end in s, and mean probability; a table has their number.",
                column="episodes({})",
                of_rhythms=True,
            ),
            lambda timeline: [asdict(episode) for episode in timeline.episodes()],
        ),
    )

    def _repr_html_(self) -> str:
        from ecg_rhythm.inference import plots

        return plots.as_html(self)


LAST = "reading"
"""A long text, which a table has at its end."""


def columns(classes: list[str]) -> dict[str, bool]:
    """Columns of a table with a row per answer -> whether they hold text.

    What only the other kind of answer has stays empty.
    """
    both: dict[str, Published] = {p.name: p for kind in (Prediction, Timeline) for p in kind.published()}
    found = {"file": True, "kind": True}
    for p in sorted(both.values(), key=lambda p: p.name == LAST):
        if p.about.column is not None:
            text = p.type in (str, list[str] | None, list[tuple[float, float]] | None)
            names = [name for name in classes if name != NOISE or not p.about.of_rhythms]
            several = "{}" in p.about.column
            found |= {p.about.column.format(name): text for name in names} if several else {p.name: text}
    return found


def row(path: Any, answer: Answer) -> dict[str, str | float | None]:
    """A file's answer as a row of that table; what is several is joined by spaces, episodes are counted."""
    cells: dict[str, str | float | None] = {"file": files.shown(path), "kind": answer.kind}
    for p in answer.published():
        value, column = p.value(answer), p.about.column
        if column is None:
            continue
        if p.name == "episodes" and isinstance(answer, Timeline):
            cells |= {column.format(name): len(answer.episodes(name)) for name in answer.rhythms}
        elif isinstance(value, dict):
            cells |= {column.format(name): _cell(one, p.about.digits) for name, one in value.items()}
        else:
            cells[p.name] = _cell(value, p.about.digits)
    return cells


def _cell(value: Any, digits: int | None) -> str | float | None:
    if isinstance(value, list):
        return " ".join(one if isinstance(one, str) else f"{one[0]:g}-{one[1]:g}" for one in value)
    if isinstance(value, str):
        return files.shown(value)
    number: float | None = value
    return number if number is None or digits is None else round(number, digits)
