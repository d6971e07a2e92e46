"""The fields of an answer, read from its dataclass: JSON, tables and the HTTP schema are derived from them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple, get_type_hints

PARAGRAPH = re.compile(r"^(\w[^:\n]*) : .*\n((?: {4}.*\n?)+)", re.MULTILINE)
"""A name in a section of a docstring and, below it, what it means."""
PYTHON_ONLY = {"published": False}
"""Metadata of a dataclass's field that JSON and tables do not have."""


class Field(NamedTuple):
    """A field of an answer; the last four are the metadata of a dataclass's field.

    A `{}` in a column or heading stands for a class: each class has its own.

    Attributes
    ----------
    name : str
        Its key in JSON.
    type : type
        Type of its value in JSON.
    meaning : str
        What the docstring says of it.
    value : callable
        Takes an answer and gives the field's value in JSON.
    column : str
        Its column in CSV and Parquet, by default its name; empty if it has none.
    digits : int or None
        Decimals there.
    heading : str
        Its column in a table on the screen; empty if it has none.
    format : str
        Format of a number there.
    """

    name: str
    type: Any
    meaning: str
    value: Callable[[Any], Any]
    column: str
    digits: int | None = None
    heading: str = ""
    format: str = ""


def published(kind: type) -> tuple[Field, ...]:
    """All fields that JSON has of a dataclass, in its order."""
    return _published(kind)


@cache
def _published(kind: Any) -> tuple[Field, ...]:
    types, meanings, described = get_type_hints(kind), _meanings(kind), []
    for one in fields(kind):
        if one.metadata != PYTHON_ONLY:
            shown: dict[str, Any] = {"column": one.name} | dict(one.metadata)
            described.append(Field(one.name, types[one.name], meanings[one.name], attrgetter(one.name), **shown))
    return (*described, *getattr(kind, "derived", ()))


def _meanings(kind: type) -> dict[str, str]:
    """What the docstrings of a class and of those it extends say of each attribute; python -OO keeps none."""
    meanings = dict.fromkeys((one.name for one in fields(kind)), "")
    for one in kind.__mro__:
        _, _, section = inspect.cleandoc(one.__doc__ or "").partition("\nAttributes\n----------\n")
        for names, meaning in PARAGRAPH.findall(section):
            meanings |= dict.fromkeys(names.split(", "), " ".join(meaning.split()))
    return meanings
