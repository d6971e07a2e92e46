"""What the service answers, for its OpenAPI documentation; `docs/answers.md` says more of each field."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Stretch = tuple[float, float]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Signal(_Answer):
    """The signal as the page shows it, which is at a lower rate if it is long."""

    fs: float = Field(description="Rate in Hz.")
    steps_per_mv: float
    samples: str = Field(description="Little-endian 16-bit steps in base64; -32768 where there is none.")


class Why(_Answer):
    """How much each stretch speaks for the label."""

    step: float = Field(description="Length of a stretch in s.")
    weights: list[float] = Field(description="By how much the label's log-odds fall when a stretch is hidden.")
    stretches: list[Stretch] = Field(description="Those that weigh most, from and to in s.")


class _Recording(_Answer):
    record: str
    reading: str = Field(description="How it was read, and what was assumed.")
    lead: str
    fs: float = Field(description="Its sampling rate in Hz.")
    seconds: float
    missing: float = Field(description="Share of the samples that were no numbers.")
    signal: Signal | None = Field(default=None, description="With `signal=true`.")


class Prediction(_Recording):
    """The answer to a strip."""

    kind: Literal["prediction"]
    label: str = Field(description="The most probable class.")
    probabilities: dict[str, float]
    prediction_set: list[str] | None = Field(description="The classes it can be, at the coverage that is asked for.")
    heart_rate: float | None = Field(description="In beats/min.")
    quality: float | None = Field(description="From 0 to 1.")
    because: list[Stretch] | None = Field(description="With `why=true`, what spoke most for the label, in s.")
    why: Why | None = Field(default=None, description="With `why=true`.")


class Episode(_Answer):
    """A stretch of one rhythm."""

    label: str
    start: float = Field(description="In s.")
    end: float = Field(description="In s.")
    probability: float


class Timeline(_Recording):
    """The answer to a recording of more than two minutes."""

    kind: Literal["timeline"]
    stride: float = Field(description="Length of a step in s.")
    classes: list[str]
    labels: list[str] = Field(description="The most probable class of each step.")
    unreadable: float = Field(description="Share of the recording whose rhythm cannot be told.")
    burden: dict[str, float | None] = Field(description="Share of the readable time that each rhythm takes.")
    hours: dict[str, float] = Field(description="How long each rhythm lasts.")
    episodes: list[Episode]


class Refusal(_Answer):
    """Why there is no answer."""

    error: str = Field(description="What is wrong and what to do, in a sentence.")
