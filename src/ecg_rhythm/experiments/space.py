"""What a search may try: a file that gives keys of a model file lists or ranges of values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.variations import Changes
from ecg_rhythm.schema import Name, Section, parse, read_text

Bounds = Annotated[list[int | float], Field(min_length=2, max_length=2)]


class Range(Section):
    """A range of numbers: whole ones, if both bounds are. With `log_range`, their logarithm is uniform."""

    range: Bounds | None = None
    log_range: Bounds | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Range:
        if (self.range is None) == (self.log_range is None):
            raise ValueError("give a list of values, or one of range and log_range with two bounds")
        if self.bounds[0] >= self.bounds[1]:
            raise ValueError("the first bound of a range must be below the second")
        if self.log_range and self.log_range[0] <= 0:
            raise ValueError("the bounds of a log_range must be above 0")
        return self

    @property
    def bounds(self) -> list[int | float]:
        """The lowest and the highest number."""
        return self.range or self.log_range or []


class Space(Section):
    """A search: a model file, what may be tried for its keys, and the data on which trials are compared."""

    description: str = ""
    """Text for people; it changes nothing."""
    model: Name
    """Name of the model file, without `.json`; what the space does not name is as it says."""
    split: Name
    """Name of the split."""
    labels: str | None = None
    """Label version to train and score on; null takes the default of the data set."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the search and of all runs."""
    space: dict[str, Any] = Field(min_length=1)
    """Key of the model file, such as `training_parameters.learning_rate` -> a list of values, `{"range": [0, 0.5]}`, or
    `{"log_range": [1e-4, 1e-2]}`."""

    @property
    def corners(self) -> list[Changes]:
        """The first value or lower bound of every key, and the last or upper."""
        ends = {key: values if isinstance(values, list) else values.bounds for key, values in self.space.items()}
        return [{key: values[i] for key, values in ends.items()} for i in (0, -1)]

    def suggest(self, trial: Any) -> Changes:
        """What a trial of optuna tries."""
        return {key: _suggest(trial, key, values) for key, values in self.space.items()}

    def changes(self, parameters: Mapping[str, Any]) -> Changes:
        """What a trial of optuna with these parameters tried."""
        return {
            key: next(v for v in values if _shown(v) == parameters[key])
            if isinstance(values, list)
            else parameters[key]
            for key, values in self.space.items()
        }


def load_space(path: Path) -> Space:
    """Read a space file.

    Raises
    ------
    BadInput
        If it is missing or wrong, or a list has a value twice.
    """
    space: Space = parse(Space, read_text(path), str(path))
    read: dict[str, list[Any] | Range] = {}
    for key, values in space.space.items():
        source = f"{path}: space.{key}"
        if isinstance(values, list):
            if not values or len({json.dumps(value) for value in values}) < len(values):
                raise BadInput(f"{source}: give each value of a list once, and at least one")
            read[key] = values
        else:
            read[key] = parse(Range, json.dumps(values), source)
    return space.model_copy(update={"space": read})


def trials_of(logs: Path, name: str) -> Path:
    """Where the runs of a search's trials are, apart from those of jobs."""
    return search_folder(logs, name) / "trials"


def search_folder(logs: Path, name: str) -> Path:
    """The folder of a search."""
    return logs / "searches" / name


def _shown(value: Any) -> Any:
    """A value of a list as optuna takes it: lists and sections as JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def _suggest(trial: Any, key: str, values: list[Any] | Range) -> Any:
    if isinstance(values, list):
        chosen = trial.suggest_categorical(key, [_shown(value) for value in values])
        return next(value for value in values if _shown(value) == chosen)
    low, high = values.bounds
    whole = isinstance(low, int) and isinstance(high, int)
    suggest = trial.suggest_int if whole else trial.suggest_float
    return suggest(key, low, high, log=values.log_range is not None)
