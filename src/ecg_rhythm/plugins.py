"""What other packages add to this one, found by entry point: networks, augmentations, file formats.

The names are read from what pip keeps of the installed packages. A package is imported when one of its names is used,
so a broken one stops nothing else.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ecg_rhythm.errors import BadInput

NETWORKS = "ecg_rhythm.networks"
"""Group of entry points: `model_name` of a model file -> a subclass of `networks.Network`."""
AUGMENTATIONS = "ecg_rhythm.augmentations"
"""Group of entry points: key in `data_augmentation` of a model file -> a `training.augment.Change`."""
FORMATS = "ecg_rhythm.formats"
"""Group of entry points: suffix of a file, such as `.xyz` -> a `records.formats.Opener`."""

WORDS = {NETWORKS: "network", AUGMENTATIONS: "augmentation", FORMATS: "file format"}


@cache
def found(group: str) -> dict[str, list[EntryPoint]]:
    """The entry points of a group: name -> those of this name, of which there should be one."""
    points: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=group):
        points.setdefault(point.name.lower() if group == FORMATS else point.name, []).append(point)
    return dict(sorted(points.items()))


def package_of(group: str, name: str) -> str | None:
    """The package that adds a name, with its version; None for what none adds."""
    return _package(found(group)[name][0]) if name in found(group) else None


def load(group: str, name: str) -> Any:
    """Import what a package adds under a name.

    Raises
    ------
    BadInput
        If no installed package adds this name, two do, or the one that does cannot be imported.
    """
    if name not in found(group):
        raise BadInput(f"{WORDS[group]} {name}: no installed package has it; install the one that does")
    point, *others = found(group)[name]
    if others:
        raise clash(group, name)
    try:
        added = point.load()
    except Exception as error:  # another package's code may raise anything
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise wrong(group, name, f"cannot be imported ({why})") from None
    if not callable(added):
        raise wrong(group, name, "is neither a function nor a class")
    return added


def clash(group: str, name: str, *ours: str) -> BadInput:
    """What to raise where two packages have the same name; `ours` is this one, where it has the name itself."""
    one, other = [*ours, *map(_package, found(group)[name])][:2]
    return BadInput(f"{WORDS[group]} {name}: both {one} and {other} have one of this name; uninstall one of them")


def wrong(group: str, name: str, what: str) -> BadInput:
    """What to raise where something is wrong with what a package adds."""
    return BadInput(
        f"{WORDS[group]} {name} of the package {package_of(group, name)}: {found(group)[name][0].value} {what}; "
        "correct, update or uninstall that package"
    )


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.module


def code_of(thing: Any) -> str:
    """A hash of the module of a class or function, which does not depend on comments and layout."""
    return code_of_modules([thing.__module__])


def code_of_modules(names: Iterable[str]) -> str:
    """A hash of modules, which does not depend on comments and layout.

    Raises
    ------
    BadInput
        If one has no source that can be read.
    """
    digest = hashlib.sha256()
    for name in names:
        try:
            source = inspect.getsource(sys.modules[name])
        except (OSError, TypeError):
            raise BadInput(f"{name}: the source of this module cannot be read; write it into a file") from None
        digest.update(ast.unparse(ast.parse(source)).encode())
    return digest.hexdigest()[:12]
