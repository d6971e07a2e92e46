"""JSON text -> checked values, or one sentence on what is wrong."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from ecg_rhythm.errors import BadInput
from ecg_rhythm.printable import shown

Flag = Annotated[
    bool,
    BeforeValidator(
        lambda value: {"True": True, "False": False}.get(value, value) if isinstance(value, str) else value
    ),
    WithJsonSchema({"enum": [True, False, "True", "False"]}),
]
"""A boolean; the strings "True" and "False" of the original's files count as booleans too."""


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=100)]
"""A name for a folder or a file: up to 100 letters, digits and . _ + - only."""


def _visible(name: str) -> str:
    if shown(name) != name:
        raise ValueError("it has letters that cannot be shown, such as control characters")
    return name


ClassName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_visible)]
"""The name of a class; it is printed."""


class Section(BaseModel):
    """A part of a JSON file: no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


MOST_PROBLEMS, MOST_LETTERS = 4, 100
"""Largest number of problems of one file that a message names, and of letters of the key where one is."""
MOST_BYTES = 64 << 20
"""Size of the largest text file that is read as a whole."""


SENTENCES = {
    "string_pattern_mismatch": "only letters, digits and . _ + - are allowed, beginning with a letter or digit",
    "string_too_long": "this is longer than any that belongs here",
    "too_short": "give more values",
    "too_long": "give fewer values",
}
"""Pydantic's name of a problem -> our words for it."""


T = TypeVar("T")


def parse(kind: Any, text: str | bytes, source: str) -> Any:
    """Read JSON text as `kind`, any type pydantic can check.

    Raises
    ------
    BadInput
        If the text does not fit; the message gives `source`, each wrong key and what is allowed there.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        value = adapter.validate_json(text)
        json.loads(
            text,
            object_pairs_hook=lambda pairs: _without_repeats(pairs, source),
            parse_constant=lambda name: _finite(name, source),
            parse_float=lambda digits: _finite(digits, source),
        )
        return value
    except ValidationError as error:
        raise BadInput(f"{source}: {_explain(error, kind)}") from None
    except (ValueError, RecursionError):  # pydantic takes integers of any length, and deeper lists
        raise BadInput(f"{source}: its numbers or lists are longer or deeper than any that belong here") from None


def loads(text: str | bytes) -> Any:
    """Read JSON text; whatever is wrong with it is a ValueError.

    Raises
    ------
    ValueError
        If it is no JSON, or nested too deeply for Python.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def checked_name(name: str) -> str:
    """Check a name and give it unchanged.

    Raises
    ------
    BadInput
        If it cannot be the name of a folder.
    """
    try:
        return TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"name {name!r}: {SENTENCES.get(first['type'], first['msg'].lower())}; choose another") from None


def read_text(path: Path | str) -> str:
    """Text of a file.

    Raises
    ------
    BadInput
        If it cannot be read; the message says why.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise BadInput(f"{path}: this has more than {MOST_BYTES >> 20} MiB; name a smaller file")
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; check the name") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: this is a folder; name a file in it") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: this is not a text file in UTF-8; save it as such") from None
    except ValueError:  # a name that no file can have
        raise BadInput(f"{str(path)!r}: there is no such file; check the name") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; check its permissions") from None


def json_schema(kind: Any) -> dict[str, Any]:
    """JSON Schema of anything that `parse` reads, for editors that complete and check."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **adapter.json_schema()}
    if "patternProperties" in schema:
        schema["additionalProperties"] = False
    return schema


def _without_repeats(pairs: list[tuple[str, Any]], source: str) -> dict[str, Any]:
    """Refuse a repeated key, of which JSON readers silently keep one."""
    counts = Counter(key for key, _ in pairs)
    if repeated := sorted(key for key, count in counts.items() if count > 1):
        raise BadInput(f"{source}: key {_shown(repeated[0])} appears twice; remove or rename one of them")
    return dict(pairs)


def _finite(digits: str, source: str) -> float:
    """Refuse what JSON has no number for: readers take it for infinity, or not at all."""
    if not math.isfinite(number := float(digits)):
        raise BadInput(f"{source}: {_shown(digits)} is no number that can be computed with; correct it")
    return number


def _shown(key: str) -> str:
    """A key, as much of it as a message has room for."""
    key = key.encode("unicode_escape").decode()
    return key if len(key) <= MOST_LETTERS else f"{key[: MOST_LETTERS - 3]}..."


def _explain(error: ValidationError, kind: Any) -> str:
    problems = []
    all_problems = error.errors(include_url=False)
    for problem in all_problems[:MOST_PROBLEMS]:
        path = _shown(".".join(str(part) for part in problem["loc"] if part != "[key]"))
        if problem["type"] == "json_invalid":
            problems.append(f"this is not valid JSON: {problem['ctx']['error']}; correct it there")
        elif problem["type"] == "extra_forbidden":
            allowed = ", ".join(_keys_beside(kind, problem["loc"]))
            problems.append(f"unknown key {path}; allowed here: {allowed}")
        elif problem["type"] == "missing":
            problems.append(f"key {path} is missing; add it")
        else:
            message = SENTENCES.get(problem["type"], problem["msg"].removeprefix("Value error, "))
            value = json.dumps(problem["input"], default=str)
            shown = f" (found {value if len(value) <= 40 else value[:37] + '...'})"
            if problem["type"] == "value_error" and isinstance(problem["input"], dict):
                shown = ""  # the message names what does not fit
            problems.append(f"{path or 'the file'}: {message[:1].lower()}{message[1:]}{shown}; correct it")
    if len(all_problems) > MOST_PROBLEMS:
        problems.append(f"and {len(all_problems) - MOST_PROBLEMS} more")
    return "; ".join(problems)


def _keys_beside(kind: Any, location: tuple[int | str, ...]) -> list[str]:
    """Keys that are allowed in place of an unknown one."""
    while (origin := get_origin(kind)) is not None:  # of a dictionary, its values
        kind = get_args(kind)[0 if origin is Annotated else -1]
    section: type[BaseModel] = kind
    for part in location[:-1]:
        field = section.model_fields.get(part) if isinstance(part, str) else None
        for one in (field.annotation, *get_args(field.annotation)) if field is not None else ():  # it may be optional
            if isinstance(one, type) and issubclass(one, BaseModel):
                section = one
    return list(section.model_fields)
