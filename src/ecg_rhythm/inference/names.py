"""Names of classes, for people. Labels are letters of the data set; what a letter means depends on the set."""

from __future__ import annotations

from collections.abc import Iterable

FIBRILLATION = "atrial fibrillation"
CHALLENGE = {"N": "normal", "A": FIBRILLATION, "O": "other rhythm", "~": "too noisy"}
"""Names of the classes of the PhysioNet/CinC Challenge 2017."""


def names_of(classes: Iterable[str]) -> dict[str, str]:
    """Label -> name, if all classes are those of the challenge; else nothing, as other sets use letters otherwise."""
    labels = list(classes)
    return {label: CHALLENGE[label] for label in labels} if CHALLENGE.keys() >= set(labels) else {}


def named(label: str, classes: Iterable[str], between: str = " ") -> str:
    """A label with its name behind it, if it has one."""
    name = names_of(classes).get(label)
    return f"{label}{between}{name}" if name else label


def fibrillation_in(classes: Iterable[str]) -> str | None:
    """The label of atrial fibrillation, if a class is known to be that."""
    return next((label for label, name in names_of(classes).items() if name == FIBRILLATION), None)
