"""What the service answers, for its OpenAPI documentation: derived from the fields of answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from ecg_rhythm.inference import answers


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Signal(_Part):
    """The signal as the page shows it, which is at a lower rate if it is long."""

    fs: float = Field(description="Rate in Hz.")
    steps_per_mv: float
    samples: str = Field(description="Little-endian 16-bit steps in base64; -32768 where there is none.")


class Why(_Part):
    """How much each part of a strip influenced the label."""

    step: float = Field(description="Length of a part in s.")
    weights: list[float] = Field(description="By how much the label's log-odds fall when a part is hidden.")
    stretches: list[tuple[float, float]] = Field(description="Those that weigh most, from and to in s.")


class Refusal(_Part):
    """Why there is no answer."""

    error: str = Field(description="What is wrong and what to do, in a sentence.")


def _model(answer: type[answers.Answer], **more: Any) -> type[BaseModel]:
    given: dict[str, Any] = {p.name: (p.type, Field(description=p.about.description)) for p in answer.published()}
    kind: Any = (Literal[answer.kind], ...)
    return create_model(answer.__name__, __base__=_Part, __doc__=answer.__doc__, kind=kind, **given, **more)


SIGNAL = (Signal | None, Field(default=None, description="With `signal=true`."))
Prediction = _model(
    answers.Prediction, signal=SIGNAL, why=(Why | None, Field(default=None, description="With `why=true`."))
)
Timeline = _model(answers.Timeline, signal=SIGNAL)
