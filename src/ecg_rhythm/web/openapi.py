"""The HTTP interface as OpenAPI documents it: what a request has, and what it is answered with."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Annotated, Any, Literal, get_args

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, create_model

from ecg_rhythm.inference import answers
from ecg_rhythm.inference.fields import published
from ecg_rhythm.web.service import NAME_LENGTH

Name = Annotated[str | None, Query(description="Name of the recording in the answer.")]
Lead = Annotated[str | None, Query(max_length=NAME_LENGTH, description="Name of the lead to read, or its number.")]
Rate = Annotated[float | None, Query(description="Sampling rate in Hz; default: what the file says.")]
Unit = Annotated[
    str | None, Query(max_length=20, description="Unit of the samples (mV, uV, 200/mV); default: what the file says.")
]
WithSignal = Annotated[bool, Query(description="Add the signal to the answer.")]
WithWhy = Annotated[bool, Query(description="Add the seconds that influenced the prediction of a strip most.")]
WithRow = Annotated[bool, Query(description="Add the answer as a line of CSV; `/api/model` has the columns.")]
Dates = Annotated[bool, Query(description="Give when the recording began, and clock times of episodes.")]
Kind = Annotated[Literal["png", "pdf"], Query(description="Format of the picture.")]
MEDIA_TYPES = {"png": "image/png", "pdf": "application/pdf"}

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["samples", "fs"],
                    "properties": {
                        "samples": {"type": "array", "items": {"type": "number", "nullable": True}},
                        "fs": {"type": "number"},
                        "unit": {"type": "string", "default": "mV"},
                    },
                }
            },
        },
    }
}


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Signal(_Closed):
    """The signal as the page shows it; a long one has a lower sampling rate."""

    fs: float = Field(description="Sampling rate in Hz.")
    steps_per_mv: float
    samples: str = Field(description="Little-endian 16-bit steps in base64; -32768 where a sample is missing.")


class Why(_Closed):
    """How much each part of a strip influenced the prediction."""

    step: float = Field(description="Length of a part in s.")
    weights: list[float] = Field(description="By how much the log-odds of the label fall when the part is hidden.")
    stretches: list[tuple[float, float]] = Field(description="Start and end in s of the parts that weigh most.")


class Job(_Closed):
    """An upload that is classified while nobody waits."""

    id: str = Field(description="What to ask for it by: `/api/jobs/{id}`.")
    state: Literal["waiting", "running", "done", "failed"]
    done: int = Field(description="Windows of a long recording that are classified.")
    of: int | None = Field(description="Windows that it has; null until it is read, and of a strip.")
    error: str | None = Field(description="Why there is no answer, if it failed.")


class Refusal(_Closed):
    """Why there is no answer."""

    error: str = Field(description="What is wrong and what to do, in a sentence.")


def _model(of: type, /, **more: Any) -> Any:
    """Describe a dataclass of `answers`; its fields and what they mean are there."""
    fields = {one.name: (_type(one.type), Field(description=one.meaning)) for one in published(of)}
    summary = (of.__doc__ or "").partition("\n")[0]
    return create_model(of.__name__, __base__=_Closed, __doc__=summary, **fields | more)


def _type(of: Any) -> Any:
    """Type of a field in the description: a dataclass is described by its model, also in a list."""
    if isinstance(of, type) and is_dataclass(of):
        return _model(of)
    item = next(iter(get_args(of)), None)
    return list[_model(item)] if isinstance(item, type) and is_dataclass(item) else of  # type: ignore[misc]


def _optional(kind: Any, parameter: str) -> Any:
    return kind | None, Field(default=None, description=f"With `{parameter}=true`.")


Prediction = _model(
    answers.Prediction,
    kind=(Literal["prediction"], ...),
    signal=_optional(Signal, "signal"),
    why=_optional(Why, "why"),
    row=_optional(str, "row"),
)
Timeline = _model(
    answers.Timeline,
    kind=(Literal["timeline"], ...),
    signal=_optional(Signal, "signal"),
    row=_optional(str, "row"),
)

ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"model": Prediction | Timeline, "description": "Of a strip, or of a long recording."}
}
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {of: {} for of in MEDIA_TYPES.values()}, "description": "The picture."}
}


def _refusals(*pairs: tuple[int, str]) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Refusal, "description": description} for status, description in pairs}


REFUSALS = _refusals(
    (403, "The request comes from another site, or its `Host` is no name of this server."),
    (408, "The body took too long to arrive."),
    (413, "The body is too large."),
    (422, "The request cannot be read."),
    (503, "Too many requests or jobs wait (`Retry-After` says when to come again), or no process could do the work."),
    (504, "The answer took too long."),
)
NO_JOB = _refusals((404, "There is no such job, or no longer; the server forgets jobs that nobody asks for."))
NOT_DONE = _refusals((409, "The job is not finished."))
NOT_WELL: dict[int | str, dict[str, Any]] = {503: {"description": "No worker process can be started."}}
