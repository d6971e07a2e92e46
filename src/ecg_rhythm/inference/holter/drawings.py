"""Drawings of a report of a long recording: trends, and strips of episodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ecg_rhythm.inference import plots
from ecg_rhythm.inference.answers import Timeline
from ecg_rhythm.inference.holter.tables import STRIP_SECONDS, clock
from ecg_rhythm.inference.names import fibrillation_in
from ecg_rhythm.inference.parts import Episode
from ecg_rhythm.inference.rates import HOUR
from ecg_rhythm.printable import shown
from ecg_rhythm.records import Recording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICKS = 12
"""Times below a trend, at most."""


def draw_trend(answer: Timeline, axes: Sequence[Axes]) -> None:
    """Draw the rhythm, the rate per minute and the burden per hour, below each other."""
    band, rate, burden = axes
    colours = plots.colours_of(answer.classes)
    for episode in answer.episodes():
        band.axvspan(episode.start / HOUR, episode.end / HOUR, color=colours[episode.label], linewidth=0)
    handles = [band.fill_between([], [], color=colour, label=shown(name)) for name, colour in colours.items()]
    band.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles), fontsize=7, frameon=False)
    minutes = np.array([np.nan if one is None else one for one in answer.rates.minutes])
    rate.plot((np.arange(len(minutes)) + 0.5) / 60, minutes, color=plots.INK, linewidth=0.8)
    rate.set_ylabel("beats/min", fontsize=8)
    label = fibrillation_in(answer.classes)
    hours = range(math.ceil(answer.seconds / HOUR))
    shares = [0 if label is None else 100 * (answer.burden(label, h * HOUR, (h + 1) * HOUR) or 0) for h in hours]
    burden.bar([h + 0.5 for h in hours], shares, width=0.9, color=colours.get(label or "", plots.INK))
    burden.set(ylim=(0, 100), xlabel="h:mm from the beginning")
    burden.set_ylabel(f"burden {label or ''} (%)", fontsize=8)
    band.set(yticks=[])
    for axis in axes:
        axis.set_xlim(0, answer.seconds / HOUR)
        axis.tick_params(labelsize=7)
        axis.xaxis.set_major_formatter(lambda hour, _: "{}:{:02}".format(*divmod(round(hour * 60), 60)))
        if len(hours) > 2:
            axis.set_xticks(range(0, len(hours) + 1, math.ceil(len(hours) / TICKS)))
    for axis in (band, rate):
        axis.tick_params(labelbottom=False)


def draw_strip(recording: Recording, episode: Episode, number: int, axis: Axes) -> None:
    """Draw the middle of an episode on ECG paper."""
    fs = recording.fs
    start = max((episode.start + episode.end - STRIP_SECONDS) / 2, 0.0)
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
    title = f"{number}. from {clock(episode.start)}, {clock(episode.seconds)}{rate}; shown from {clock(start)}"
    axis.set_title(title, loc="left", fontsize=7)
