"""The rules for episodes: what is joined, what is dropped, and the same as labels come one by one."""

from __future__ import annotations

from functools import partial
from itertools import groupby, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_rhythm.inference.classify import Windows
from ecg_rhythm.inference.episodes import LiveRules, Rules, check_rules, ruled, runs
from tests.helpers import refusal

LABELS = st.lists(st.tuples(st.sampled_from("NAO~"), st.integers(1, 9)), max_size=12).map(
    lambda parts: [label for label, count in parts for _ in range(count)]
)


@pytest.mark.parametrize(
    ("labels", "rules", "expected"),
    [
        ("NNAAAAAANNN", Rules(30, 10), "NNAAAAAANNN"),
        ("AAAANNNNNAAAA", Rules(30, 10), "AAAAAAAAAAAAA"),  # 25 s between them
        ("AAAANNNNNNAAAA", Rules(30, 10), "AAAANNNNNNAAAA"),  # 30 s
        ("AAAANN~NNAAAA", Rules(30, 10), "AAAANN~NNAAAA"),  # across what is unreadable, nothing is joined
        ("AAAANNOOAAAA", Rules(30, 10), "AAAAAAAAAAAA"),
        ("NNNAOOO", Rules(30, 10), "NNNNOOO"),  # it becomes what is before it
        ("ANNN", Rules(30, 10), "NNNN"),  # or after it
        ("~A~", Rules(30, 10), "~~~"),
        ("NN~A~OO", Rules(30, 10), "NN~~~OO"),  # nothing is known of what is between
        ("NN~AOO", Rules(30, 10), "NN~OOO"),
        ("NNANNANN", Rules(30, 20), "NNAAAANN"),  # short ones that are joined last long enough
        ("NNANNANN", Rules(0, 20), "NNNNNNNN"),
        ("NNANNANN", Rules(0, 0), "NNANNANN"),
        ("NNAAAAANN", Rules(30, 30), "NNNNNNNNN"),  # 25 s
        ("NOONN", Rules(30, 30), "NOONN"),  # other rhythms are left as they are
        ("", Rules(), ""),
    ],
)
def test_cases_worked_by_hand(labels: str, rules: Rules, expected: str) -> None:
    """Steps of 5 s."""
    assert "".join(ruled(list(labels), 5.0, "A", "~", rules)) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(125, "NNA"), (120.1, "NNN")])
def test_the_last_step_lasts_as_long_as_the_recording(seconds: float, expected: str) -> None:
    labels = "N" * 23 + "AA"
    found = ruled(list(labels), 5.0, "A", "~", Rules(30, 10), seconds)
    assert "".join(found)[-4:-1] == expected


@given(LABELS, st.sampled_from([0.0, 10.0, 30.0]), st.sampled_from([0.0, 10.0, 30.0]))
def test_what_the_rules_leave_follows_them(labels: list[str], join: float, shortest: float) -> None:
    found = ruled(labels, 5.0, "A", "~", Rules(join, shortest))
    own = [run for run in runs(found) if run.label == "A"]
    assert all((run.stop - run.start) * 5 >= shortest for run in own)
    for one, other in pairwise(own):
        assert (other.start - one.stop) * 5 >= join or "~" in found[one.stop : other.start]
    assert [i for i, label in enumerate(labels) if label == "~"] == [
        i for i, label in enumerate(found) if label == "~" and labels[i] != "A"
    ]
    assert found == ruled(found, 5.0, "A", "~", Rules(join, shortest))


@given(LABELS)
def test_runs_are_those_of_the_labels(labels: list[str]) -> None:
    assert [(run.label, run.stop - run.start) for run in runs(labels)] == [
        (a, len(list(b))) for a, b in groupby(labels)
    ]
    assert "".join(run.label * (run.stop - run.start) for run in runs(labels)) == "".join(labels)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("NNAAAANNNNNNNN", "NNNAAAAAAANNNN"),  # told after 10 s, and its end after 25 s
        ("NNANNN", "NNNNNN"),
        ("AAAA~AAA", "AAAA~AAA"),  # no other rhythm is known
        ("NAAA~AAA", "NNAA~~AA"),
        ("NAANNNAAONNNNN", "NNAAAAAAAAAANN"),
        ("NNANANANNNNNNN", "NNNNAAAAAAANNN"),  # interruptions are part of an episode
        ("NNANNNNNANNNNN", "NNNNNNNNNNNNNN"),
    ],
)
def test_live_labels_are_told_when_the_rules_allow_it(labels: str, expected: str) -> None:
    live = LiveRules(5.0, "A", "~", Rules(25, 10))
    assert "".join(map(live.push, labels)) == expected


@given(LABELS, st.sampled_from([0.0, 10.0, 30.0]))
def test_a_live_episode_begins_late_by_what_the_rules_say(labels: list[str], shortest: float) -> None:
    """Without joining, the episodes are the same but for their beginnings."""
    live, labels = LiveRules(5.0, "A", "~", Rules(0, shortest)), ["N", *labels]
    told = [i for i, label in enumerate(map(live.push, labels)) if label == "A"]
    own = [run for run in runs(ruled(labels, 5.0, "A", "~", Rules(0, shortest))) if run.label == "A"]
    late = max(int(shortest / 5) - 1, 0)
    assert told == [i for run in own for i in range(run.start + late, run.stop)]


def test_other_rhythms_are_told_as_they_come() -> None:
    live = LiveRules(5.0, None, "~", Rules())
    assert [live.push(label) for label in "ABBA"] == list("ABBA")


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "30", None, True])
def test_rules_that_are_no_durations_are_refused(value: Any) -> None:
    assert "join" in refusal(partial(check_rules, Rules(value, 10)))
    assert "shortest" in refusal(lambda: Windows(shortest=value))
