"""What JSON and tables say of a timeline beside its fields, as it follows from them."""

from __future__ import annotations

from dataclasses import asdict

from ecg_rhythm.inference.fields import Field
from ecg_rhythm.inference.parts import Episode, Substitute
from ecg_rhythm.inference.rates import Rates

OF_TIMELINE: tuple[Field, ...] = (
    Field(
        "unreadable",
        float,
        "Share of the recording that cannot be classified, because of noise or missing samples.",
        lambda timeline: timeline.unreadable,
        *("unreadable", 6, "unreadable", ".1%"),
    ),
    Field(
        "burden",
        dict[str, float | None],
        "Share of the readable time that each rhythm takes; null if nothing is readable.",
        lambda timeline: {name: timeline.burden(name) for name in timeline.rhythms},
        *("burden({})", 6, "burden({})", ".1%"),
    ),
    Field(
        "hours",
        dict[str, float],
        "Total duration of each rhythm in h.",
        lambda timeline: {name: timeline.hours(name) for name in timeline.rhythms},
        *("hours({})", 4),
    ),
    Field(
        "episodes",
        list[Episode],
        "All episodes in the order of time; a table has the number of each rhythm's.",
        lambda timeline: [asdict(episode) for episode in timeline.episodes()],
        "episodes({})",
    ),
    Field(
        "other_leads",
        list[Substitute],
        "Where another lead was read, as the chosen one was unreadable.",
        lambda timeline: [asdict(one) for one in timeline.substitutes],
        "",
    ),
    Field(
        "heart_rate",
        float | None,
        "Mean rate in beats/min; null if less than half of the recording is counted.",
        lambda timeline: timeline.heart_rate(),
        *("heart_rate", 1, "beats/min", ".0f"),
    ),
    Field(
        "lowest_rate",
        float | None,
        "Mean rate of the slowest minute in beats/min; null if no minute has one.",
        lambda timeline: timeline.rates.lowest,
        *("lowest_rate", 1, "lowest", ".0f"),
    ),
    Field(
        "highest_rate",
        float | None,
        "Mean rate of the fastest minute in beats/min; null if no minute has one.",
        lambda timeline: timeline.rates.highest,
        *("highest_rate", 1, "highest", ".0f"),
    ),
    Field(
        "pauses",
        float,
        "Number of intervals between heartbeats of 2.5 to 10 s.",
        lambda timeline: len(timeline.rates.pauses),
        *("pauses", 0, "pauses", ".0f"),
    ),
    Field(
        "rates",
        Rates,
        "Heart rates per minute, per hour and in all, and pauses.",
        lambda timeline: asdict(timeline.rates),
        "",
    ),
)
