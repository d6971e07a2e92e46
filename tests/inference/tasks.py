"""What worker processes of tests do: a module that loads fast, as they load it, too."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.weights.metadata import Metadata

DEADLY = 77.0
"""Level in mV of a signal at which a process dies that classifies it."""


def power(base: int, exponent: int) -> tuple[int, int]:
    print("a library may say something")
    return int(base**exponent), os.getpid()


def die(marks: Path, item: int) -> str:
    """Die at 5 and, at the first attempt, at 3."""
    if item == 5 or (item == 3 and not (marks / "3").exists()):
        (marks / str(item)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return str(item)


def fail(kinds: dict[str, Exception], item: str) -> str:
    if item in kinds:
        raise kinds[item]
    return item


def same(state: object, item: int) -> int:
    return item


class Unloadable:
    """What cannot be unpickled."""

    def __reduce__(self) -> tuple[Callable[[], object], tuple[()]]:
        return cannot, ()


def cannot() -> object:
    raise ImportError("no such library")


@dataclass(frozen=True)
class Deadly:
    """A model that tells level 0 from 1, and at which a process dies for a third, unless it is this one."""

    metadata: Metadata
    spares: int

    def logits(self, signals: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        if (signals.max(axis=1) == DEADLY).any() and os.getpid() != self.spares:
            os.kill(os.getpid(), signal.SIGKILL)
        level = signals.sum(axis=1) / lengths
        found: NDArray[np.float32] = (-8 * np.abs(level[:, None] - np.arange(3))).astype(np.float32)
        return found
