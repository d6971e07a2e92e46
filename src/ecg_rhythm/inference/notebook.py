"""Answers as HTML for notebooks, without any library: a strip on ECG paper, a timeline's band."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ecg_rhythm.evaluation.metrics import NOISE
from ecg_rhythm.records import Record

if TYPE_CHECKING:
    from ecg_rhythm.inference.answers import Prediction, Timeline

PX_PER_SECOND, PX_PER_MV, HEIGHT_MV = 60.0, 24.0, 4.0
"""Scale of a strip: 2.4 pixels per mm of paper."""
MOST_SECONDS = 30.0
WIDTH, HEIGHT = 900, 36
COLOURS = {"N": "#3a9d5d", "A": "#d1495b", "O": "#edae49", NOISE: "#b8b8c0"}
OTHER = "#00798c"
NOTE = "For research; not a medical device."


def prediction(answer: Prediction, record: Record | None) -> str:
    """Return a prediction as HTML, with its strip if there is one."""
    odds = ", ".join(f"{escape(name)} {p:.2f}" for name, p in answer.probabilities.items())
    facts = [odds]
    if answer.prediction_set is not None:
        facts.append(f"can be {escape(' or '.join(answer.prediction_set))}")
    if answer.heart_rate is not None:
        facts.append(f"{answer.heart_rate:.0f} beats/min")
    strip = "" if record is None else _strip(record, answer.because or [])
    return (
        f"<div><b>{escape(answer.record)}: {escape(answer.label)}</b> ({'; '.join(facts)})<br>{strip}"
        f"<small>{escape(answer.reading)}. {NOTE}</small></div>"
    )


def timeline(answer: Timeline) -> str:
    """Return a timeline as HTML: a band with a colour for each rhythm."""
    scale = WIDTH / answer.seconds
    bars = "".join(
        f'<rect x="{e.start * scale:.1f}" width="{max(e.seconds * scale, 0.5):.1f}" height="{HEIGHT}" '
        f'fill="{COLOURS.get(e.label, OTHER)}"><title>{escape(e.label)}, {e.start / 3600:.2f} to {e.end / 3600:.2f} h'
        "</title></rect>"
        for e in answer.episodes()
    )
    burdens = {name: answer.burden(name) for name in answer.classes if name != NOISE}
    shares = [f"{escape(name)} {burden:.1%}" for name, burden in burdens.items() if burden is not None]
    return (
        f"<div><b>{escape(answer.record)}</b>: {', '.join([*shares, f'unreadable {answer.unreadable:.1%}'])}<br>"
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">{bars}</svg><br>'
        f"<small>{escape(answer.reading)}. {NOTE}</small></div>"
    )


def _strip(record: Record, shaded: list[tuple[float, float]]) -> str:
    signal = record.signal[: round(MOST_SECONDS * record.fs)]
    seconds = len(signal) / record.fs
    width, height = seconds * PX_PER_SECOND, HEIGHT_MV * PX_PER_MV
    y = np.clip(height / 2 - (signal - np.median(signal)) * PX_PER_MV, 0, height)
    every = max(int(record.fs / 150), 1)
    points = " ".join(f"{i / record.fs * PX_PER_SECOND:.1f},{y[i]:.1f}" for i in range(0, len(y), every))
    square = 0.2 * PX_PER_SECOND
    grid = "".join(f"M{i * square:.1f} 0V{height:.1f}" for i in range(int(width / square) + 1))
    grid += "".join(f"M0 {i * square:.1f}H{width:.1f}" for i in range(int(height / square) + 1))
    shades = "".join(
        f'<rect x="{start * PX_PER_SECOND:.1f}" width="{(end - start) * PX_PER_SECOND:.1f}" height="{height:.1f}" '
        'fill="#ffe18a"/>'
        for start, end in shaded
        if start < seconds
    )
    return (
        '<div style="overflow-x:auto">'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'style="background:#fff8f6">{shades}<path d="{grid}" stroke="#f3b9b0" stroke-width="0.6"/>'
        f'<polyline points="{points}" fill="none" stroke="#1a1a2e" stroke-width="1"/></svg></div>'
    )
