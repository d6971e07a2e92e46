"""Labels of steps -> episodes: where one rhythm begins and ends, by stated rules."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from math import inf
from typing import NamedTuple

from ecg_rhythm.errors import BadInput
from ecg_rhythm.given import quoted, real

JOIN, SHORTEST = 30.0, 10.0
"""Largest gap between two episodes of atrial fibrillation that count as one, and shortest episode after that, in s."""


class Run(NamedTuple):
    """Steps of one label that follow each other: the first, and the one after the last."""

    label: str
    start: int
    stop: int


class Rules(NamedTuple):
    """What counts as an episode of atrial fibrillation.

    Attributes
    ----------
    join : float
        Two episodes count as one if the gap between them is shorter, in s, unless what lies between is unreadable.
    shortest : float
        Shortest episode that counts, in s.
    """

    join: float = JOIN
    shortest: float = SHORTEST


DEFAULT = Rules()


def check_rules(rules: Rules) -> Rules:
    """Give rules unchanged if they are durations.

    Raises
    ------
    BadInput
        If they are not.
    """
    for name, value in rules._asdict().items():
        if not isinstance(value, int | float) or not 0 <= real(value) < float("inf"):
            raise BadInput(f"{name} {quoted(value)}: give a number of seconds from 0 on, such as 30")
    return rules


def runs(labels: Sequence[str]) -> list[Run]:
    """Divide labels into runs, in the order of time."""
    found, step = list[Run](), 0
    for label, group in groupby(labels):
        found.append(Run(label, step, step + len(list(group))))
        step = found[-1].stop
    return found


def ruled(
    labels: Sequence[str], stride: float, label: str, unreadable: str, rules: Rules, seconds: float = inf
) -> list[str]:
    """Labels of steps after the rules: short interruptions of a rhythm first, then its short episodes, are replaced.

    An episode that is too short becomes what is right before it, or, where that is unreadable, what is right after it.

    Parameters
    ----------
    labels : sequence of str
        The label of each step.
    stride : float
        Length of a step in s.
    label : str
        The rhythm that the rules are about.
    unreadable : str
        The label of what cannot be classified. No episode goes on across it.
    rules : Rules
        The rules.
    seconds : float
        Duration of the recording, in which the last step may be shorter.
    """
    joined = list(labels)
    own = [run for run in runs(labels) if run.label == label]
    for one, other in pairwise(own):
        between = slice(one.stop, other.start)
        if (other.start - one.stop) * stride < rules.join and unreadable not in joined[between]:
            joined[between] = [label] * (other.start - one.stop)
    found = runs(joined)
    for number, run in enumerate(found):
        if run.label == label and min(run.stop * stride, seconds) - run.start * stride < rules.shortest:
            around = (*found[:number][-1:], *found[number + 1 : number + 2])
            near = next((other.label for other in around if other.label != unreadable), unreadable)
            joined[run.start : run.stop] = [near] * (run.stop - run.start)
    return joined


class LiveRules:
    """The rules for labels that come one by one, of which the later ones are not known.

    An episode is reported when it has lasted `shortest` s, with interruptions of less than `join` s, or at once if no
    other rhythm came before. Its end is reported when there has been no fibrillation for `join` s.

    Parameters
    ----------
    stride : float
        Length of a step in s.
    label : str or None
        The rhythm that the rules are about; without it, labels stay as they are.
    unreadable : str
        The label of what cannot be classified, which ends an episode at once.
    rules : Rules
        The rules.
    """

    def __init__(self, stride: float, label: str | None, unreadable: str, rules: Rules) -> None:
        self.stride, self.label, self.unreadable, self.rules = stride, label, unreadable, rules
        self._lasted = self._without = 0.0
        self._is_in, self._other = False, ""

    def push(self, label: str) -> str:
        """Take the label of the next step and give it after the rules."""
        if label == self.label:
            self._lasted, self._without = self._lasted + self._without + self.stride, 0.0
            self._is_in |= self._lasted >= self.rules.shortest
            return label if self._is_in or not self._other else self._other
        self._other = label if label != self.unreadable or self._other else ""
        self._without += self.stride
        if not self._lasted or label == self.unreadable or self._without >= self.rules.join:
            self._lasted, self._without, self._is_in = 0.0, 0.0, False
        return str(self.label) if self._is_in else label
