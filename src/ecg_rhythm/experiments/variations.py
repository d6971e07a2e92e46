"""Variations of a model file: a key set to one value after another, without a file for each."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ecg_rhythm.config import ModelConfig
from ecg_rhythm.errors import BadInput
from ecg_rhythm.schema import loads, parse

Changes = Mapping[str, Any]
"""Key of a model file, such as `training_parameters.learning_rate` -> its value."""

NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.+-]+")

MOST = 10_000
"""Largest number of variations of one command."""


def variations(settings: Sequence[str]) -> list[Changes]:
    """Every combination of values; without settings, the one that changes nothing.

    Parameters
    ----------
    settings : sequence of str
        `KEY=V1,V2,...` each. A value is JSON (a number, `true`, `null`, a list in brackets) or else text.

    Raises
    ------
    BadInput
        If one is of another form, a key comes twice, a value comes twice, or there are too many combinations.
    """
    values: dict[str, list[Any]] = {}
    for setting in settings:
        key, _, text = setting.partition("=")
        pieces = [piece.strip() for piece in _split(text)]
        if not key or not all(pieces):
            raise BadInput(f"--set {setting}: give a key and its values, such as training_parameters.drop_rate=0,0.2")
        if key in values:
            raise BadInput(f"--set {setting}: {key} is set before; give all its values at once")
        values[key] = [_value(piece) for piece in pieces]
        if any(value in values[key][:i] for i, value in enumerate(values[key])):
            raise BadInput(f"--set {setting}: a value comes twice; remove one")
    if math.prod(map(len, values.values())) > MOST:
        raise BadInput(f"--set: these are more than {MOST} combinations of values; give fewer")
    return [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]


def vary(model: ModelConfig, changes: Changes, source: str) -> ModelConfig:
    """Copy a model with other values of some keys.

    Raises
    ------
    BadInput
        If there is no such key, or a value does not belong there; the message begins with `source`.
    """
    if not changes:
        return model
    raw = model.model_dump()
    for key, value in changes.items():
        section = raw
        *outer, last = key.split(".")
        for depth, part in enumerate(outer, 1):
            if section.get(part) is None:
                section[part] = {}
            section = section[part]
            if not isinstance(section, dict):
                raise BadInput(f"{source}: there is no key {key}; set {'.'.join(outer[:depth])} as a whole")
        section[last] = value
    varied: ModelConfig = parse(ModelConfig, json.dumps(raw), source)
    return varied


def text_of(changes: Changes) -> str:
    """Changes as they are given, for people: `training_parameters.drop_rate=0.2 ...`."""
    return " ".join(f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in changes.items())


def suffix(model: ModelConfig, changes: Changes) -> str:
    """What a variation adds to the name of its job: last part and value of each key, by the order of keys.

    Values are taken from the varied model, so that `1e-3` and `0.001` give the same name.
    """
    parts = []
    for key in sorted(changes):
        value: Any = model.model_dump()
        for part in key.split("."):
            value = value[part]
        text = NOT_IN_NAMES.sub("-", json.dumps(value).strip('[]{}"'))
        parts.append(f"_{key.rpartition('.')[2]}-{text}")
    return "".join(parts)


def _split(text: str) -> list[str]:
    """Split a text at commas that are not in brackets."""
    pieces, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    return pieces


def _value(text: str) -> Any:
    try:
        return loads(text)
    except ValueError:
        return text
