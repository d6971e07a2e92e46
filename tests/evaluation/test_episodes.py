"""Episodes against cases that were worked by hand, and against counting each second."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_rhythm.evaluation.episodes import (
    MEASURES,
    Compared,
    Interval,
    agreement,
    average,
    burdens,
    by_length,
    count,
    gross,
    overlap,
    rms_error,
)


def test_a_case_worked_by_hand() -> None:
    """Of 100 + 20 + 300 s true and 150 + 40 + 10 s answered, 50 + 0 + 40 s are in both.

    Episodes of 30 s or more: 2 true (100 s and 300 s), both found; 2 claimed (150 s and 40 s), both right.
    """
    one = Compared("a", 1000, [(100, 200), (400, 420), (600, 900)], [(150, 300), (700, 740), (950, 960)])
    counts = count(one)
    assert counts.values == (420, 200, 90, 2, 2, 2, 2)
    assert gross([counts]) == {
        "duration sensitivity": pytest.approx(90 / 420),
        "duration predictivity": pytest.approx(90 / 200),
        "episode sensitivity": 1,
        "episode predictivity": 1,
    }
    # With all episodes, one of three is missed (20 s), and one of three is wrong (10 s).
    every = gross([count(one, 0)])
    assert (every["episode sensitivity"], every["episode predictivity"]) == pytest.approx((2 / 3, 2 / 3))
    assert by_length([one])[0, 30] == (1, 0)
    assert by_length([one])[60, 120] == (1, 1)
    assert by_length([one])[120, 600] == (1, 1)
    assert burdens(one) == pytest.approx((0.42, 0.2))


def test_gross_and_average_differ_as_they_should() -> None:
    """One record with 100 of 100 s found, one with 0 of 300 s, one without the rhythm and with 50 s of false alarm."""
    records = [
        Compared("all", 1000, [(0, 100)], [(0, 100)]),
        Compared("none", 1000, [(0, 300)], []),
        Compared("false", 1000, [], [(0, 50)]),
    ]
    counts = [count(one) for one in records]
    assert gross(counts)["duration sensitivity"] == pytest.approx(100 / 400)
    assert average(counts)["duration sensitivity"] == pytest.approx((1 + 0) / 2)
    assert gross(counts)["duration predictivity"] == pytest.approx(100 / 150)
    assert average(counts)["duration predictivity"] == pytest.approx((1 + 0) / 2)
    assert gross(counts)["episode predictivity"] == average(counts)["episode predictivity"] == 1 / 2
    nothing = [count(Compared("n", 10, [], []))]
    assert set(gross(nothing).values()) == set(average(nothing).values()) == {None}


def test_agreement_of_burdens_worked_by_hand() -> None:
    """Differences of 0.1, -0.1 and 0.3: mean 0.1, standard deviation 0.2."""
    found = agreement([(0.2, 0.3), (0.5, 0.4), (0.0, 0.3)])
    assert found is not None and found.limits is not None
    assert (found.bias, found.sd) == pytest.approx((0.1, 0.2))
    assert found.limits == pytest.approx((0.1 - 1.96 * 0.2, 0.1 + 1.96 * 0.2))
    one = agreement([(0.2, 0.3)])
    assert one is not None and (one.sd, one.limits) == (None, None)
    assert agreement([]) is None and rms_error([]) is None
    assert rms_error([(60, 63), (80, 76)]) == pytest.approx(np.sqrt(12.5))


INTERVALS = st.lists(st.integers(0, 300), max_size=12, unique=True).map(
    lambda ends: [(float(a), float(b)) for a, b in zip(*[iter(sorted(ends))] * 2, strict=False)]
)


@given(INTERVALS, INTERVALS, st.sampled_from([0.0, 30.0]))
def test_counts_are_those_of_single_seconds(true: list[Interval], answered: list[Interval], shortest: float) -> None:
    """Against masks of seconds, in place of arithmetic with ends."""

    def mask(episodes: list[Interval]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        seconds = np.zeros(300, dtype=np.bool_)
        for start, end in episodes:
            seconds[int(start) : int(end)] = True
        return seconds

    a, b = mask(true), mask(answered)
    counts = count(Compared("r", 300, true, answered), shortest)
    assert counts.values[:3] == (a.sum(), b.sum(), (a & b).sum())
    found = [b[int(s) : int(e)].any() for s, e in true if e - s >= shortest]
    right = [a[int(s) : int(e)].any() for s, e in answered if e - s >= shortest]
    assert counts.values[3:] == (len(found), sum(found), len(right), sum(right))
    for value in gross([counts]).values():
        assert value is None or 0 <= value <= 1
    assert gross([counts, counts]) == pytest.approx(gross([counts]))
    assert set(gross([counts])) == set(MEASURES)


@given(
    times=st.lists(st.integers(0, 60), unique=True, max_size=20).map(sorted),
    start=st.integers(0, 60),
    length=st.integers(1, 60),
)
def test_what_others_cover_of_an_episode_is_the_sum_of_what_each_does(
    times: list[int], start: int, length: int
) -> None:
    others = [(float(a), float(b)) for a, b in zip(times[::2], times[1::2], strict=False)]
    episode = (float(start), float(start + length))
    each = [max(0.0, min(episode[1], end) - max(episode[0], begin)) for begin, end in others]
    assert overlap(episode, others) == sum(each)
