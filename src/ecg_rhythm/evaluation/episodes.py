"""How well episodes of a rhythm in long recordings are found: the measures of ANSI/AAMI EC57:2012 and IEC 60601-2-47.

Of durations and of episodes, the sensitivity is the share of the reference that was found, the positive predictivity
the share of what was found that is in the reference. An episode is found if any of it is. *Gross* figures add up all
recordings; *average* ones are the mean over the recordings that have one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, takewhile

import numpy as np

Interval = tuple[float, float]
"""Start and end of an episode, in s."""

LENGTHS = (0.0, 30.0, 60.0, 120.0, 600.0, 3600.0, float("inf"))
"""Limits in s of the groups of episodes by length."""
SHORTEST = 30.0
"""Episodes of fewer s do not count among episodes, unless it is said otherwise; all count in durations."""
AGREEMENT = 1.96
"""Limits of agreement, in standard deviations of the differences."""


@dataclass(frozen=True)
class Compared:
    """A recording: what is true of a rhythm in it and what was answered.

    Attributes
    ----------
    name : str
        Name of the recording.
    seconds : float
        Its duration in s.
    reference, answered : list of (float, float)
        Start and end in s of each episode, in the order of time; they do not overlap.
    burden : float or None
        Share of the recording that the answer says; None: that of its episodes; NaN: the answer knows none.
    rates : list of (float, float, float)
        When each minute begins, in s, and the true and the answered heart rate in beats/min, if it has both.
    """

    name: str
    seconds: float
    reference: list[Interval]
    answered: list[Interval]
    burden: float | None = None
    rates: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class Counts:
    """What sensitivity and positive predictivity are made of: durations in s, and numbers of episodes.

    Attributes
    ----------
    reference, answered, both : float
        Duration in the reference, in the answers, and in both.
    episodes, detected : int
        Episodes of the reference, and how many of them were found.
    claims, right : int
        Episodes of the answers, and how many of them are in the reference.
    """

    reference: float
    answered: float
    both: float
    episodes: int
    detected: int
    claims: int
    right: int

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(self.values, other.values, strict=True)))  # type: ignore[arg-type]

    @property
    def values(self) -> tuple[float, ...]:
        """All of them."""
        return tuple(vars(self).values())


MEASURES: dict[str, Callable[[Counts], tuple[float, float]]] = {
    "duration sensitivity": lambda counts: (counts.both, counts.reference),
    "duration predictivity": lambda counts: (counts.both, counts.answered),
    "episode sensitivity": lambda counts: (counts.detected, counts.episodes),
    "episode predictivity": lambda counts: (counts.right, counts.claims),
}
"""Measure -> the two numbers of which it is the ratio."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of two measurements of each recording, answered minus true.

    Attributes
    ----------
    bias : float
        Mean difference.
    sd : float or None
        Standard deviation of the differences; None for a single recording.
    limits : (float, float) or None
        Limits of agreement, the bias ± 1.96 standard deviations.

    References
    ----------
    Bland and Altman, "Statistical methods for assessing agreement between two methods of clinical measurement", Lancet
    327, 1986.
    """

    bias: float
    sd: float | None
    limits: tuple[float, float] | None


def later(one: Compared, start: float) -> Compared:
    """A recording without its first `start` s, of which it has more; the burden is then that of its episodes."""
    if not start:
        return one
    reference, answered = (
        [(max(begin, start), end) for begin, end in episodes if end > start]
        for episodes in (one.reference, one.answered)
    )
    burden = one.burden if one.burden != one.burden else None
    rates = tuple(rate for rate in one.rates if rate[0] >= start)
    return Compared(one.name, one.seconds - start, reference, answered, burden, rates)


def overlap(episode: Interval, others: Sequence[Interval]) -> float:
    """How many s of an episode others cover, which are in the order of time and do not overlap each other."""
    first = bisect_right(others, episode[0], key=lambda one: one[1])
    met = takewhile(lambda one: one[0] < episode[1], islice(others, first, None))
    return sum(max(0.0, min(episode[1], end) - max(episode[0], start)) for start, end in met)


def count(one: Compared, shortest: float = SHORTEST) -> Counts:
    """Count durations and episodes of a recording; among episodes, only those of at least `shortest` s."""
    episodes = [episode for episode in one.reference if _seconds(episode) >= shortest]
    claims = [episode for episode in one.answered if _seconds(episode) >= shortest]
    return Counts(
        reference=sum(map(_seconds, one.reference)),
        answered=sum(map(_seconds, one.answered)),
        both=sum(overlap(episode, one.answered) for episode in one.reference),
        episodes=len(episodes),
        detected=sum(overlap(episode, one.answered) > 0 for episode in episodes),
        claims=len(claims),
        right=sum(overlap(episode, one.reference) > 0 for episode in claims),
    )


def gross(counts: Sequence[Counts]) -> dict[str, float | None]:
    """Each measure of all recordings together; None where there is nothing to count."""
    total = sum(counts[1:], counts[0])
    return {name: _ratio(*parts(total)) for name, parts in MEASURES.items()}


def average(counts: Sequence[Counts]) -> dict[str, float | None]:
    """Mean of each measure over the recordings that have it; None if none has."""
    found = {name: [_ratio(*parts(one)) for one in counts] for name, parts in MEASURES.items()}
    known = {name: [value for value in values if value is not None] for name, values in found.items()}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}


def by_length(recordings: Iterable[Compared]) -> dict[Interval, tuple[int, int]]:
    """From and below which length in s -> how many episodes the reference has, and how many of them were found."""
    found = [(_seconds(episode), overlap(episode, one.answered) > 0) for one in recordings for episode in one.reference]
    return {
        (low, high): (len(own := [hit for seconds, hit in found if low <= seconds < high]), sum(own))
        for low, high in pairwise(LENGTHS)
    }


def burdens(one: Compared) -> tuple[float, float]:
    """The true and the answered burden of a recording, as shares of its duration."""
    true = sum(map(_seconds, one.reference)) / one.seconds
    return true, sum(map(_seconds, one.answered)) / one.seconds if one.burden is None else one.burden


def agreement(pairs: Sequence[tuple[float, float]]) -> Agreement | None:
    """Agreement of pairs of a true and an answered value, those without an answer (NaN) left out; None without any."""
    differences = np.array([answered - true for true, answered in pairs if answered == answered])
    if not len(differences):
        return None
    bias = float(differences.mean())
    if len(differences) == 1:
        return Agreement(bias, None, None)
    sd = float(differences.std(ddof=1))
    return Agreement(bias, sd, (bias - AGREEMENT * sd, bias + AGREEMENT * sd))


def rms_error(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Root of the mean squared difference of pairs; None without any."""
    return float(np.sqrt(np.mean([(answered - true) ** 2 for true, answered in pairs]))) if pairs else None


def _seconds(episode: Interval) -> float:
    return episode[1] - episode[0]


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
