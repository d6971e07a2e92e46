"""Regular expressions see text from files: none may take a time that grows faster than the text."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ecg_rhythm

SOURCE = Path(ecg_rhythm.__file__).parent
MODULES = [
    module.name for module in pkgutil.walk_packages([str(SOURCE)], "ecg_rhythm.") if "__main__" not in module.name
]
LETTERS = 100_000
STEPS = (400, 1_600, 6_400, 25_600, LETTERS)
SLOW = 0.05
"""Seconds of processor time from which on the growth is looked at: what is faster at 100,000 letters harms nobody."""
STEEPEST = 9
"""Growth of a time when the text grows by four: 4 if it is linear, 16 if it is quadratic."""


def patterns_in(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from patterns_in(list(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from patterns_in(one)


def every_pattern() -> dict[str, re.Pattern[Any]]:
    found: dict[str, re.Pattern[Any]] = {}
    for name in MODULES:
        for attribute, value in vars(importlib.import_module(name)).items():
            if not attribute.startswith("__"):
                found |= {f"{name}.{attribute}.{i}": pattern for i, pattern in enumerate(patterns_in(value))}
    return found


PATTERNS = every_pattern()


def worst_texts(pattern: re.Pattern[Any]) -> Iterator[str]:
    """Yield pieces to be repeated: spaces, digits, letters, separators, and each word and sign of the pattern."""
    yield from (
        " ",
        "\t",
        "1",
        "a",
        "é",
        "_",
        ",",
        ".",
        ":",
        "=",
        "(",
        "[",
        "a ",
        "1 ",
        "1,",
        "1.",
        ": ",
        "a1",
        "'",
        "\n",
    )
    plain = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    pieces = re.findall(r"[^\W\d_]{2,}|\\?.", re.sub(r"\{[\d,]*\}|\(\?<?[:=!]", "", plain))
    for piece in dict.fromkeys(pieces):
        plain = piece.removeprefix("\\")
        yield from (plain, f"{plain} ")


def time_of(pattern: re.Pattern[Any], text: str) -> float:
    """Processor time of this thread in all ways to use a pattern."""
    searched: Any = text if isinstance(pattern.pattern, str) else text.encode()
    began = time.thread_time()
    for _ in pattern.finditer(searched):
        pass
    pattern.match(searched)
    pattern.fullmatch(searched)
    return time.thread_time() - began


def grows_too_fast(pattern: re.Pattern[Any], piece: str, before: str = "", end: str = "\x00") -> bool:
    last = None
    for letters in STEPS:
        text = before + (piece * (letters // len(piece) + 1))[:letters] + end
        times = [time_of(pattern, text)]
        while last is not None and min(times) > max(SLOW, STEEPEST * last):
            if len(times) == 3:  # it was no chance
                return True
            times.append(time_of(pattern, text))
        last = max(min(times), 1e-5)
    return False


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_takes_a_time_that_is_linear_in_the_text(name: str) -> None:
    pattern = PATTERNS[name]
    slow = next((piece for piece in worst_texts(pattern) if grows_too_fast(pattern, piece)), None)
    assert slow is None, f"{name}: {pattern.pattern}"


@pytest.mark.parametrize(
    ("before", "piece"),
    [
        ("fs: 5", " "), ("sampling", "\t"), ("lead", "\t"), ("x (", " "), ("", "(a"), ("", "[ "), ("unit:", " "),
        ("fs:", "\t"),
    ],
)  # fmt: skip
def test_no_pattern_is_slow_at_a_text_that_begins_well(before: str, piece: str) -> None:
    assert not [name for name, pattern in PATTERNS.items() if grows_too_fast(pattern, piece, before, "s")]


def test_the_test_sees_a_quadratic_pattern() -> None:
    assert grows_too_fast(re.compile(r"\s*x"), " ")
    assert grows_too_fast(re.compile(r"\d+\.?\d*"), "1")
    assert not grows_too_fast(re.compile(r"\d+(\.\d*)?"), "1")


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_pattern_is_a_constant_of_its_module(path: Path) -> None:
    tree = ast.parse(path.read_text())
    inside = [
        node for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
    ]
    calls = [
        node.lineno
        for node in inside
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
    ]
    assert not calls, "else the test above does not see it"
