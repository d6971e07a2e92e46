"""How well a method makes episodes of the steps of spliced recordings, for `studies/timelines.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.evaluation.episodes import Compared, Interval, burdens, count, gross, overlap
from ecg_rhythm.inference.episodes import Rules, ruled, runs
from ecg_rhythm.inference.sliding import WINDOW
from ecg_rhythm.inference.smoothing import UNREADABLE, labels_of, smoothed, transitions
from studies.timeline_cases import DAY, OLD_STRIDE, Case

AT_ONCE = 64
"""Recordings that are smoothed together."""
OLD_MINUTES, OLD_TRUST = 40.0, 0.7
"""Timelines as they were: the mean duration of every rhythm, and how far the network is trusted."""


class Method(NamedTuple):
    """How steps become episodes."""

    is_old: bool
    changes: Mapping[tuple[str, str], float]
    trust: float
    rules: Rules

    @property
    def stride(self) -> float:
        """Length of a step in s."""
        return OLD_STRIDE if self.is_old else WINDOW / 2


BEFORE = Method(True, {}, OLD_TRUST, Rules(0, 0))


def compared(found: Sequence[Case], method: Method, classes: list[str]) -> list[Compared]:
    """What a method answers to each case; the burden is that of steps, before the rules for episodes."""
    if method.is_old:
        change = uniform(len(classes), OLD_MINUTES, method.stride)
    else:
        change = transitions(classes, method.stride, method.changes)
    answers: dict[int, Compared] = {}
    order = sorted(range(len(found)), key=lambda i: found[i].seconds)
    for first in range(0, len(order), AT_ONCE):
        group = order[first : first + AT_ONCE]
        steps = [found[i].old if method.is_old else found[i].new for i in group]
        padded = np.full((max(map(len, steps)), len(steps), len(classes)), np.nan)
        for column, one in enumerate(steps):
            padded[: len(one), column] = one
        together = smoothed(padded, change, method.trust)
        for column, i in enumerate(group):
            labels = labels_of(together[: len(steps[column]), column], classes)
            answers[i] = answered(found[i], labels, method)
    return [answers[i] for i in range(len(found))]


def answered(case: Case, labels: list[str], method: Method) -> Compared:
    """Episodes and burden of a case from the labels of its steps."""

    def episodes(of: list[str]) -> list[Interval]:
        own = [run for run in runs(of) if run.label == "A"]
        return [(run.start * method.stride, min(run.stop * method.stride, case.seconds)) for run in own]

    burden = sum(end - start for start, end in episodes(labels)) / case.seconds
    found = episodes(ruled(labels, method.stride, "A", UNREADABLE, method.rules))
    return Compared(case.kind, case.seconds, case.truth, found, burden)


def uniform(classes: int, minutes: float, stride: float) -> NDArray[np.float64]:
    """Changes of rhythm as they were: each lasts a number of minutes on average, then changes to any other."""
    leave = 1 - np.exp(-stride / 60 / minutes)
    matrix = np.full((classes, classes), leave / (classes - 1))
    np.fill_diagonal(matrix, 1 - leave)
    return matrix


def judged(found: Sequence[Case], answers: Sequence[Compared]) -> dict[str, Any]:
    """What a method reaches."""
    detected: dict[float, list[bool]] = defaultdict(list)
    of_recognized: dict[float, list[bool]] = defaultdict(list)
    for case, answer in zip(found, answers, strict=True):
        if case.kind == "single":
            (episode,) = case.truth
            length, hit = round(episode[1] - episode[0]), overlap(episode, answer.answered) > 0
            detected[length].append(hit)
            if case.recognized:
                of_recognized[length].append(hit)
    quiet = [answer for answer in answers if answer.name == "quiet"]
    false = sum(end - start for one in quiet for start, end in one.answered) / 60
    counted = sum((one.burden or 0) * one.seconds for one in quiet) / 60
    days = sum(one.seconds for one in quiet) / DAY
    paroxysmal = [answer for answer in answers if answer.name == "paroxysmal"]
    errors = np.array([own - true for true, own in map(burdens, paroxysmal)])
    claims, episodes = (
        sum(len(part) for part in parts)
        for parts in zip(*((one.answered, one.reference) for one in paroxysmal), strict=True)
    )
    return {
        "detected": {f"{length:g}": [sum(hits), len(hits)] for length, hits in sorted(detected.items())},
        "detected of those the network recognizes": {
            f"{length:g}": [sum(hits), len(hits)] for length, hits in sorted(of_recognized.items())
        },
        "days": days,
        "false minutes per day": false / days,
        "false minutes per day in the burden": counted / days,
        "burden bias": float(errors.mean()),
        "burden error": float(np.abs(errors).mean()),
        "episodes per true episode": claims / episodes,
        **gross([count(one, 0) for one in paroxysmal]),
    }
