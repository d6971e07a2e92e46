"""What `result.json` holds, so that one from outside is checked before anything of it is used."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Number = Annotated[float, Field(allow_inf_nan=False)]


class _Format(BaseModel):
    """Keys that are used; others may stand beside them."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Measure(_Format):
    """A measure: its mean over the folds, and its value in each."""

    mean: Number
    folds: list[Number]


class _Measures(_Format):
    __pydantic_extra__: dict[str, _Measure]
    challenge: _Measure


class _Figures(_Format):
    """What `evaluate` computes."""

    measures: _Measures
    confusion: list[list[int]]
    calibration_error: Number
    calibrated: dict[str, Any] | None


class _Spent(_Format):
    """What training a network took, in each fold, in s."""

    seconds: list[Number] = []
    cpu_seconds: list[Number] = []


class _Training(_Spent):
    """The same of a network, and of its teacher."""

    teacher: _Spent | None = None


class ResultFormat(_Format):
    """The whole file."""

    title: str
    data: str
    split: Annotated[str, Field(pattern=r"^[^/\\]+$")]
    labels: str
    missing_folds: list[int] = []
    training: dict[str, _Training]
    figures: _Figures
    files: dict[str, str] = {}


def fault(result: dict[str, Any]) -> str:
    """The key of a `result.json` that is missing or not what it should be, such as `figures`; empty if none is."""
    try:
        ResultFormat.model_validate(result)
    except ValidationError as error:
        return ".".join(map(str, error.errors()[0]["loc"]))
    return ""
