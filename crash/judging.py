"""Cut a command off at each of its changes, run it again undisturbed, and judge what became of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crash.commands import Command
from crash.harness import Tree, run
from crash.shim import Manner

MANNERS = (Manner.KILL, Manner.FULL, Manner.FAULT)


def differences(one: Tree, other: Tree) -> str:
    """Which files differ, in a line."""
    return ", ".join(sorted(name for name in {*one, *other} if one.get(name, 0) != other.get(name, 0))[:6])


def _visible(tree: Tree) -> Tree:
    """A tree without hidden files, such as a lock that could not be removed: the next command does that."""
    return {name: content for name, content in tree.items() if not any(part[0] == "." for part in Path(name).parts)}


@dataclass(frozen=True)
class Verdict:
    """What became of a command that was cut off at one change.

    Attributes
    ----------
    recovered : str
        `same`: in the end all bytes are as if nothing had happened; `sentence`: the command says what to do; empty: a
        fault of the program.
    why : str
        The sentence or the fault.
    """

    recovered: str
    why: str = ""


def judge(command: Command, template: Path, scratch: Path, at: int, manner: Manner, expected: Tree) -> Verdict:
    """Cut a command off at a change, run it again undisturbed, and compare the bytes with the expected ones."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(template, scratch)
    cut = run(command, scratch, at, manner)
    if cut.code == 0:
        if unlike := differences(_visible(cut.tree), _visible(expected)):
            return Verdict("", f"said nothing, but these differ: {unlike}")
    elif manner is not Manner.KILL and not cut.is_sentence:
        return Verdict("", f"no sentence (exit code {cut.code}): {_last(cut.said)}")
    again = run(command, scratch)
    if unlike := differences(again.tree, expected):
        if again.is_sentence:
            return Verdict("sentence", again.said.strip())
        return Verdict("", f"after it (exit code {again.code}) these differ: {unlike}; {_last(again.said)}")
    if again.code and not again.is_sentence:
        return Verdict("", f"after it no sentence (exit code {again.code}): {_last(again.said)}")
    return Verdict("same")


def _last(text: str) -> str:
    lines = re.sub(r"/\S+/crash-[^/]+/", "", text).strip().splitlines()
    return " | ".join(lines[-3:])


def points(
    command: Command,
    template: Path,
    scratch: Path,
    most: int | None = None,
    part: tuple[int, int] = (1, 1),
    first: int = 1,
) -> Iterator[tuple[int, str, Manner, Verdict]]:
    """Cut a command off at every change in every manner; gives its number, what it was, the manner and the verdict.

    `most` limits how many changes are tried, evenly from `first` to the last, with one failure each. `part` is (k, n):
    the k-th of n parts.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(template, scratch)
    whole = run(command, scratch)
    if whole.code:
        raise RuntimeError(f"{' '.join(command.words)}: ends with {whole.code} undisturbed: {whole.said}")
    chosen = [(at, manner) for at in range(first, len(whole.changes) + 1) for manner in MANNERS]
    if most is not None:
        chosen = [chosen[int(part * (len(chosen) - 1))] for part in np.linspace(0.1, 0.9, most)]
    for at, manner in chosen[part[0] - 1 :: part[1]]:
        try:
            verdict = judge(command, template, scratch, at, manner, whole.tree)
        except TimeoutError as error:
            verdict = Verdict("", str(error))
        yield at, ": ".join(whole.changes[at - 1]), manner, verdict
