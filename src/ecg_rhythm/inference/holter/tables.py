"""What a report says of a long recording: facts and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ecg_rhythm.inference.answers import Timeline
from ecg_rhythm.inference.names import fibrillation_in, named
from ecg_rhythm.inference.parts import Episode
from ecg_rhythm.inference.rates import HOUR
from ecg_rhythm.printable import shown
from ecg_rhythm.records import Recording
from ecg_rhythm.records.clock import later
from ecg_rhythm.signals.heartbeats import LONGEST_PAUSE, PAUSE_SECONDS
from ecg_rhythm.version import __version__

STRIPS, STRIP_SECONDS = 24, 10.0
"""Episodes that are shown, the longest ones; seconds of each that are shown, from its middle."""
PAUSES = 20
"""Pauses that are listed, the longest ones."""
LIMITS = (
    "For research; not a medical device. Rhythms are a network's, from one lead, without knowledge of the person; "
    "atrial flutter is called atrial fibrillation, ventricular flutter and fibrillation unreadable; short episodes can "
    "be missed, and other irregular rhythms taken for fibrillation. Check each pause: a missed beat looks like one. "
    "An asystole of more than 10 s is in no list: a loose electrode looks the same."
)
CREDIT = (
    "The networks that it includes were trained on the PhysioNet/CinC Challenge 2017 (Clifford et al. 2017; Goldberger "
    "et al. 2000; ODC-By 1.0)."
)

Table = tuple[list[str], list[list[str]]]
"""Headings and rows."""


class Sheet(NamedTuple):
    """The answer to a long recording, and what opens the recording again."""

    answer: Timeline
    open: Callable[[], Recording]


def made_by() -> str:
    """What made the report, and whom to credit."""
    return f"Made by ecg-rhythm {__version__}. {CREDIT}"


def title_of(answer: Timeline) -> str:
    """Name of a recording, fit to be shown."""
    return shown(answer.record) or "signal"


def clock(seconds: float) -> str:
    """Time from the beginning of the recording, as h:mm:ss."""
    minutes, second = divmod(round(seconds), 60)
    return "{}:{:02}:{:02}".format(*divmod(minutes, 60), second)


def facts(answer: Timeline) -> list[tuple[str, str]]:
    """What is said of a recording, name by name."""
    rates, label = answer.rates, fibrillation_in(answer.classes)
    found = [
        ("recording", shown(answer.reading)),
        *([("recorded", _period(answer))] if answer.start_time else []),
        ("duration", clock(answer.seconds)),
        ("unreadable", f"{answer.unreadable:.1%}, {clock(answer.unreadable * answer.seconds)}"),
        (
            "heart rate",
            f"mean {_rate(answer.heart_rate())}, lowest minute {_rate(rates.lowest)}, highest {_rate(rates.highest)}",
        ),
        ("heart rate measured in", f"{rates.counted:.1%} of the recording"),
        (f"pauses of {PAUSE_SECONDS:g} to {LONGEST_PAUSE:g} s", _pauses(answer)),
    ]
    burdens = [(name, answer.burden(name)) for name in answer.rhythms]
    found += [(f"burden of {named(name, answer.classes)}", _share(burden) or "unknown") for name, burden in burdens]
    if label is not None and (episodes := answer.episodes(label)):
        longest = max(episodes, key=lambda one: one.seconds)
        found += [
            (
                "episodes of fibrillation",
                f"{len(episodes)}, the longest {clock(longest.seconds)} from {_moment(answer, longest.start)}",
            )
        ]
        if timed := [one for one in episodes if one.heart_rate is not None]:
            fastest = max(timed, key=lambda one: one.heart_rate or 0)
            found.append(("fastest episode", f"{_rate(fastest.heart_rate)} from {_moment(answer, fastest.start)}"))
    elif label is not None:
        found.append(("episodes of fibrillation", "none"))
    rules = (
        f"Windows start every {answer.stride:g} s. Episodes less than {answer.join:g} s apart are merged; those "
        f"shorter than {answer.shortest:g} s are dropped. Burden is computed before both rules."
    )
    return [*found, ("rules", rules)]


def _moment(answer: Timeline, seconds: float) -> str:
    """When something was, by the clock if it is known, and from the beginning of the recording."""
    at = _time_of_day(answer, seconds)
    return f"{at} ({clock(seconds)} after the beginning)" if at else f"{clock(seconds)} after the beginning"


def _time_of_day(answer: Timeline, seconds: float) -> str:
    """The clock time as hh:mm:ss, empty without a start time; rounded as times from the beginning are."""
    return (later(answer.start_time, round(seconds)) or "").split("T")[-1][:8]


def _period(answer: Timeline) -> str:
    """When a recording began and ended."""
    ends = (answer.start_time, later(answer.start_time, answer.seconds))
    return " to ".join(shown(one).replace("T", " ") for one in ends if one)


def _pauses(answer: Timeline) -> str:
    pauses = answer.rates.pauses
    if not pauses:
        return "none"
    longest = max(pauses, key=lambda one: one.seconds)
    return f"{len(pauses)}, the longest {longest.seconds:.1f} s at {_moment(answer, longest.start)}"


def tables_of(answer: Timeline) -> list[tuple[str, Table]]:
    """The tables of a recording, with their titles."""
    count = len(answer.rates.pauses)
    which = f", the {PAUSES} longest of {count}" if count > PAUSES else ""
    return [
        ("Hours", hourly(answer)),
        ("Episodes of atrial fibrillation", listed(answer)),
        (f"Pauses of {PAUSE_SECONDS:g} to {LONGEST_PAUSE:g} s{which}", longest_pauses(answer)),
    ]


def _with_clock(answer: Timeline, table: Table, column: int, times: Iterable[float]) -> Table:
    """Insert a column with the time of day of each row, if the recording has a start time."""
    headings, rows = table
    if answer.start_time is None:
        return table
    clocks = (_time_of_day(answer, seconds) for seconds in times)
    with_clock = [[*row[:column], at, *row[column:]] for row, at in zip(rows, clocks, strict=True)]
    return [*headings[:column], "clock time", *headings[column:]], with_clock


def hourly(answer: Timeline) -> Table:
    """Rates and burden of each hour."""
    label = fibrillation_in(answer.classes)
    rows = []
    for hour in answer.rates.hours:
        end = min(hour.start + HOUR, answer.seconds)
        unreadable = 1 - sum(answer.hours(name, hour.start, end) for name in answer.rhythms) * HOUR / (end - hour.start)
        burden = [] if label is None else [_share(answer.burden(label, hour.start, end))]
        rows.append(
            [clock(hour.start), *map(_number, (hour.mean, hour.lowest, hour.highest)), *burden, _share(unreadable)]
        )
    headings = [
        "from",
        "mean rate",
        "lowest minute",
        "highest",
        *([] if label is None else [f"burden {label}"]),
        "unreadable",
    ]
    return _with_clock(answer, (headings, rows), 1, (hour.start for hour in answer.rates.hours))


def listed(answer: Timeline) -> Table:
    """All episodes of fibrillation."""
    headings = ["", "start", "end", "duration", "mean rate", "probability"]
    rows = [
        [str(number), *map(clock, (one.start, one.end, one.seconds)), _number(one.heart_rate), f"{one.probability:.2f}"]
        for number, one in enumerate(episodes_of(answer), 1)
    ]
    return _with_clock(answer, (headings, rows), 2, (one.start for one in episodes_of(answer)))


def longest_pauses(answer: Timeline) -> Table:
    """The longest pauses, in the order of time."""
    longest = sorted(answer.rates.pauses, key=lambda one: -one.seconds)[:PAUSES]
    shown_ones = sorted(longest, key=lambda one: one.start)
    rows = [[clock(one.start), f"{one.seconds:.1f}"] for one in shown_ones]
    return _with_clock(answer, (["start", "duration (s)"], rows), 1, (one.start for one in shown_ones))


def index(sheets: Iterable[Sheet]) -> Table:
    """A row for each recording."""
    rows = []
    for answer, _ in sheets:
        label = fibrillation_in(answer.classes)
        burden = "" if label is None else _share(answer.burden(label))
        rows.append(
            [
                title_of(answer),
                clock(answer.seconds),
                _share(answer.unreadable),
                burden,
                str(len(episodes_of(answer))),
                _number(answer.heart_rate()),
                str(len(answer.rates.pauses)),
            ]
        )
    return ["record", "duration", "unreadable", "burden A", "episodes of A", "mean rate", "pauses"], rows


def episodes_of(answer: Timeline) -> list[Episode]:
    """Episodes of fibrillation."""
    label = fibrillation_in(answer.classes)
    return [] if label is None else answer.episodes(label)


def with_strips(answer: Timeline) -> list[tuple[int, Episode]]:
    """Episodes that get a strip, with their numbers."""
    longest = sorted(enumerate(episodes_of(answer), 1), key=lambda pair: -pair[1].seconds)[:STRIPS]
    return sorted(longest)


def _share(value: float | None) -> str:
    return "" if value is None else f"{max(value, 0):.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _rate(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} beats/min"


def which_strips(answer: Timeline) -> str:
    """Which episodes are shown."""
    count = len(episodes_of(answer))
    which = f"The {STRIPS} longest of {count} episodes" if count > STRIPS else "Each episode"
    return f"{which}, {STRIP_SECONDS:g} s from its middle. A box is 0.2 s wide and 0.5 mV high."
