"""Drawings of a report of a long recording: trends, and strips of episodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference import plots
from ecg_rhythm.inference.answers import Timeline
from ecg_rhythm.inference.holter.tables import STRIP_SECONDS, Sheet, clock
from ecg_rhythm.inference.names import fibrillation_in
from ecg_rhythm.inference.parts import Episode
from ecg_rhythm.inference.rates import HOUR, MINUTE
from ecg_rhythm.printable import shown
from ecg_rhythm.records import Recording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICKS, STEPS, FEW = 12, (15, 30, 60, 120, 300, 600, 1800, 3600), 10
"""Times below a trend, at most; seconds between them, or whole hours; minutes that are drawn as points, too."""
ROOM = 15.0
"""Beats/min that the rate's axis shows above and below the mean, at least."""
SHORT = 900.0
"""Duration in s of recordings whose trend has seconds below it."""


def draw_trend(answer: Timeline, axes: Sequence[Axes]) -> None:
    """Draw the rhythm, the rate per minute and the burden per hour, below each other."""
    band, rate, burden = axes
    colours = plots.colours_of(answer.classes)
    for episode in answer.episodes():
        band.axvspan(episode.start / HOUR, episode.end / HOUR, color=colours[episode.label], linewidth=0)
    handles = [band.fill_between([], [], color=colour, label=shown(name)) for name, colour in colours.items()]
    band.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles), fontsize=7, frameon=False)
    minutes = np.array([np.nan if one is None else one for one in answer.rates.minutes])
    middles = np.arange(len(minutes)) + 0.5
    marker = "o" if np.isfinite(minutes).sum() <= FEW else ""
    rate.plot(middles * MINUTE / HOUR, minutes, color=plots.INK, linewidth=0.8, marker=marker, markersize=3)
    if (known := minutes[np.isfinite(minutes)]).size:
        rate.set_ylim(max(min(known.min() - 5, known.mean() - ROOM), 0), max(known.max() + 5, known.mean() + ROOM))
    rate.set_ylabel("beats/min", fontsize=8)
    label = fibrillation_in(answer.classes)
    hours = range(math.ceil(answer.seconds / HOUR))
    found = [None if label is None else answer.burden(label, h * HOUR, (h + 1) * HOUR) for h in hours]
    shares = [np.nan if share is None else 100 * share for share in found]
    ends = [min(h + 1, answer.seconds / HOUR) for h in hours]
    widths = [0.9 * (end - h) for h, end in zip(hours, ends, strict=True)]
    middles_of_hours = [(h + end) / 2 for h, end in zip(hours, ends, strict=True)]
    burden.bar(middles_of_hours, shares, width=widths, color=colours.get(label or "", plots.INK))
    is_short = answer.seconds < SHORT
    burden.set(ylim=(0, 100), xlabel=f"{'m:ss' if is_short else 'h:mm'} from the beginning")
    burden.set_ylabel(f"burden {label or ''} (%)", fontsize=8)
    band.set(yticks=[])
    per_hour = HOUR if is_short else HOUR / MINUTE
    whole_hours = math.ceil(len(hours) / TICKS) * HOUR
    step = next((step for step in STEPS if answer.seconds <= TICKS * step), whole_hours)
    for axis in axes:
        axis.set_xlim(0, answer.seconds / HOUR)
        axis.tick_params(labelsize=7)
        axis.xaxis.set_major_formatter(lambda hour, _: "{}:{:02}".format(*divmod(round(hour * per_hour), 60)))
        axis.set_xticks(np.arange(0, answer.seconds + 1, step) / HOUR)
    for axis in (band, rate):
        axis.tick_params(labelbottom=False)


class Leads:
    """The leads of a long recording that strips show, each opened once, when it is asked for.

    Parameters
    ----------
    sheet : Sheet
        The recording and its answer.
    """

    def __init__(self, sheet: Sheet) -> None:
        self._substitutes, self._open = sheet.answer.substitutes, sheet.open
        self._others: dict[str, Recording] = {}

    @cached_property
    def _chosen(self) -> Recording:
        return self._open()

    def at(self, time: float) -> tuple[Recording, str]:
        """The lead that was read at a time in s, and a remark if it is not the chosen one."""
        lead = next((one.lead for one in self._substitutes if one.start <= time < one.end), None)
        if lead is None:
            return self._chosen, ""
        if lead not in self._others:
            self._others[lead] = self._opened(lead)
        return self._others[lead], f", lead {lead}" if self._others[lead] is not self._chosen else ""

    def _opened(self, lead: str) -> Recording:
        for open_other in self._chosen.others:
            with suppress(BadInput):
                if (other := open_other()).lead == lead:
                    return other
        return self._chosen


def draw_strip(leads: Leads, episode: Episode, number: int, axis: Axes) -> None:
    """Draw the middle of an episode on ECG paper, in the lead that was read there."""
    start = max((episode.start + episode.end - STRIP_SECONDS) / 2, 0.0)
    recording, of_lead = leads.at(start + STRIP_SECONDS / 2)
    fs = recording.fs
    first, last = round(start * fs), min(round((start + STRIP_SECONDS) * fs), recording.samples)
    signal = recording.read(first, last)
    signal = signal - np.nanmedian(signal) if np.isfinite(signal).any() else signal
    axis.plot(np.arange(len(signal)) / fs, signal, color=plots.INK, linewidth=0.6)
    size = float(np.nanquantile(np.abs(signal), 0.999)) if np.isfinite(signal).any() else 1.0
    edge = min(max(0.5 * math.ceil(2 * size), 1.0), 3.0)
    axis.set(xlim=(0, STRIP_SECONDS), ylim=(-edge, edge), facecolor=plots.PAPER)
    axis.set_xticks(np.arange(0, STRIP_SECONDS + 0.01, 0.2), labels=[])
    axis.set_yticks(np.arange(-edge, edge + 0.01, 0.5), labels=[])
    axis.grid(color=plots.GRID, linewidth=0.4)
    axis.tick_params(length=0)
    rate = "" if episode.heart_rate is None else f", mean {episode.heart_rate:.0f} beats/min"
    title = f"{number}. from {clock(episode.start)}, {clock(episode.seconds)}{rate}; shown from {clock(start)}{of_lead}"
    axis.set_title(title, loc="left", fontsize=7)
