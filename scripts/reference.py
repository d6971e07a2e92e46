"""Pages of the reference that are made from the program: command line, keys of model and job files, modules."""

from __future__ import annotations

import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import griffe
import typer.cli
import typer.main
from typer.testing import CliRunner

from ecg_rhythm import config, networks, schema
from ecg_rhythm.cli.console import app

SOURCE = Path(config.__file__).parents[1]
NAMES = {"object": "object", "string": "text", "integer": "whole number", "number": "number", "null": "`null`"}
"""Types of JSON Schema, in words."""


def command_line() -> str:
    """The page of all commands, with the texts of `--help`, as `typer` writes it."""
    command = ["ecg_rhythm.cli", "utils", "docs", "--name", "ecg-rhythm", "--title", "Command line"]
    written = CliRunner().invoke(typer.cli.app, command, catch_exceptions=False).stdout
    for name, verb in typer.main.get_group(app).commands.items():
        if verb.hidden:  # typer lists these too
            written = re.sub(rf"^\* `{name}`: .*\n", "", written, flags=re.MULTILINE)
            written = re.sub(rf"^## `ecg-rhythm {name}`\n.*?(?=^## |\Z)", "", written, flags=re.MULTILINE | re.DOTALL)
    return written


def model_file() -> str:
    """The page of all keys of a model file."""
    whole = networks.json_schema()
    parts = [
        "# Model file",
        f"{whole['description']} Every key without a default must be there; any other key is refused. "
        "`ecg-rhythm schema model` prints the same as JSON Schema, for editors.",
        *section(config.ModelConfig, whole, whole),
    ]
    for key, value in whole["properties"].items():
        if (described := next((each for each in (value, *value.get("anyOf", [])) if "$ref" in each), None)) is not None:
            own = resolved(described, whole)
            parts += [f"## {key}", own["description"], *section(getattr(config, own["title"]), own, whole)]
    parts.append("## model_parameters")
    parts.append("Its keys depend on `model_name`.")
    for name, architecture in sorted(networks.ARCHITECTURES.items()):
        own = architecture.Parameters.model_json_schema()
        parts += [f"### {name}", sentence(architecture), *section(architecture.Parameters, own, own)]
    return "\n\n".join(parts) + "\n"


def job_file() -> str:
    """The page of all keys of a job file."""
    whole = schema.json_schema(config.JobFile)
    own = whole["$defs"]["Job"]
    return (
        "\n\n".join(
            [
                "# Job file",
                "A job file maps names to jobs. The name of a job becomes a folder below `logs/<architecture>/`. "
                "`ecg-rhythm schema job` prints the JSON Schema, for editors.",
                "## Keys of a job",
                own["description"],
                *section(config.Job, own, whole),
            ]
        )
        + "\n"
    )


def wing(name: str) -> str:
    """The page of one wing of the package, `data` for example: what its modules offer to code outside."""
    package = import_module(f"ecg_rhythm.{name}")
    modules = sorted(module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    parts = [f"# {package.__name__}", *(f"::: {module}" for module in modules if "._" not in module)]
    return "\n\n".join(parts) + "\n"


def section(owner: type, own: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    """A table with a row for each key of an object."""
    meanings = texts(owner)
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, value in own["properties"].items():
        default = "required" if key in own.get("required", []) else f"`{json.dumps(value.get('default'))}`"
        meaning = " ".join(meanings.get(key, "").split()).replace("|", "\\|")
        if "$ref" in value:
            meaning = meaning or f"[Keys below](#{key})"
        rows.append(f"| `{key}` | {kind(value, root)} | {default} | {meaning} |")
    yield "\n".join(rows)


def resolved(value: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """What a reference inside a schema points to."""
    section: dict[str, Any] = root["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
    return section


def kind(value: dict[str, Any], root: dict[str, Any]) -> str:
    """What values a key takes, in words."""
    value = resolved(value, root)
    if "anyOf" in value:
        return " or ".join(kind(option, root) for option in value["anyOf"])
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        # The strings "True" and "False" are taken too, as the files of 2017 have them.
        options = [option for option in value["enum"] if True not in value["enum"] or isinstance(option, bool)]
        return " or ".join(f"`{json.dumps(option)}`" for option in options)
    if value.get("type") == "array":
        items = resolved(value.get("items", {}), root)
        least = value.get("minItems")
        count = f"{least} " if least and least == value.get("maxItems") else ""
        each = bounds(items)
        return f"list of {count}{NAMES.get(items.get('type', ''), 'value')}s" + (f", each{each}" if each else "")
    return NAMES.get(value.get("type", ""), "any value") + bounds(value)


def bounds(value: dict[str, Any]) -> str:
    """The range of a number, in words."""
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    shown = [f"{sign} {value[name]}" for name, sign in limits.items() if name in value]
    return f" {', '.join(shown)}" if shown else ""


def texts(owner: type) -> dict[str, str]:
    """Docstrings of the attributes of a class and of those it inherits from."""
    docstrings: dict[str, str] = {}
    for each in reversed(inspect.getmro(owner)):
        if each.__module__.startswith("ecg_rhythm"):
            members = griffe.load(f"{each.__module__}.{each.__qualname__}", search_paths=[SOURCE]).members
            docstrings |= {name: member.docstring.value for name, member in members.items() if member.docstring}
    return docstrings


def sentence(thing: type) -> str:
    """The first sentence of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]
