"""Pictures of answers, with `matplotlib` (extra `plot`): a strip on ECG paper, the rhythm over the hours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecg_rhythm import extras, files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.answers import Answer, Prediction, Timeline
from ecg_rhythm.inference.names import named
from ecg_rhythm.inference.smoothing import UNREADABLE
from ecg_rhythm.printable import shown
from ecg_rhythm.records import Record
from ecg_rhythm.warned import heard

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MM_PER_SECOND, MM_PER_MV = 25.0, 10.0
"""Scale of ECG paper."""
MARGIN, ABOVE, BETWEEN = 4.0, 10.0, 3.0
"""Around and between its rows, in mm."""
ROW_SECONDS, MOST_ROWS = 10.0, 12
"""Seconds of a strip in one row; rows of one picture."""
LABELLED_SECONDS = 2.0
"""From one time below a strip to the next."""
PAPER, GRID, INK, SHADE = "#fff8f6", "#f3b9b0", "#1a1a2e", "#ffe9a8"
COLOURS = {"N": "#3a9d5d", "A": "#d1495b", "O": "#edae49", UNREADABLE: "#b8b8c0"}
OTHER_COLOURS = ("#00798c", "#8d5a97", "#6b705c", "#cb997e")
FOOTNOTE = "ecg-rhythm, for research; not a medical device"


def check(folder: Path) -> None:
    """Check that pictures can be drawn into a folder, before any work.

    Raises
    ------
    BadInput
        If the folder is a file, cannot be made or written to, or the library is not installed.
    """
    new_figure(1, 1)
    place = next(place for place in (folder, *folder.parents) if place.exists())
    if not place.is_dir():
        raise BadInput(f"{place}: pictures go into a folder, and this is a file; name another")
    if not os.access(place, os.W_OK | os.X_OK):
        raise BadInput(f"{place}: there is no permission to put pictures there; change that, or name another folder")


def plot(answer: Answer, path: Path | None = None) -> Figure:
    """Draw an answer as a figure, and write it if there is a `path`; see `draw`."""
    figure = _figure_of(answer)
    if path is not None:
        _write(figure, path)
    import matplotlib.pyplot  # noqa: F401 -- makes notebooks show figures; this figure is not one of its own

    return figure


def draw(answer: Answer, path: Path) -> None:
    """Draw an answer: a strip on ECG paper with its prediction, or the rhythm over the hours.

    Parameters
    ----------
    answer : Answer
        A timeline, or a prediction that has its signal.
    path : Path
        Picture to write, `.png`, `.pdf` or `.svg`.

    Raises
    ------
    BadInput
        If the library is not installed, or there is no signal.
    """
    _write(_figure_of(answer), path)


def draw_into(folder: Path, answer: Answer, drawn: dict[Path, int]) -> None:
    """Draw an answer as `folder/<record>.png`, with a number if another recording of that name is `drawn` already."""
    draw(answer, files.unused(folder, answer.record, ".png", drawn))


def as_html(answer: Answer) -> str:
    """Show an answer in a notebook: the same picture, or its text where no picture can be drawn."""
    try:
        return f'<div style="overflow-x:auto">{svg(_figure_of(answer), answer.record)}</div>'
    except BadInput:
        return f"<div><b>{escape(_title(answer))}</b><br/><small>{escape(answer.reading)}; {FOOTNOTE}</small></div>"


def _figure_of(answer: Answer) -> Figure:
    if isinstance(answer, Timeline):
        return _timeline(answer)
    if not isinstance(answer, Prediction) or answer.signal is None:
        raise BadInput("a picture needs the signal; classify the recording with `ecg_rhythm.classify`")
    return _strip(answer.signal, answer)


def _title(answer: Answer) -> str:
    """The answer in a line: the label and what belongs to it, or the share of each rhythm."""
    if isinstance(answer, Prediction):
        probabilities = ", ".join(f"{name} {p:.2f}" for name, p in answer.probabilities.items())
        text = f"{named(answer.label, answer.probabilities)} ({probabilities})"
        if answer.prediction_set is not None:
            text += f"; prediction set: {' or '.join(answer.prediction_set)}"
        if answer.heart_rate is not None:
            text += f"; {answer.heart_rate:.0f} beats/min"
    else:
        assert isinstance(answer, Timeline)
        burdens = {name: answer.burden(name) for name in answer.rhythms}
        known = {named(name, answer.classes): burden for name, burden in burdens.items() if burden is not None}
        shares = ", ".join(f"{name} {burden:.1%}" for name, burden in known.items())
        text = f"{f'{shares} of the readable time; ' if shares else ''}unreadable {answer.unreadable:.1%}"
    return shown(f"{answer.record or 'signal'}: {text}")


def _strip(record: Record, prediction: Prediction) -> Figure:
    """A strip on ECG paper (25 mm/s, 10 mm/mV), ten seconds in a row, with its prediction."""
    rows = min(int(np.ceil(record.seconds / ROW_SECONDS)), MOST_ROWS)
    centre = float(np.median(record.signal))
    low, high = np.quantile(record.signal - centre, [0.001, 0.999])
    low, high = np.floor(2 * max(low, -3)) / 2 - 0.5, np.ceil(2 * min(high, 3)) / 2 + 0.5
    figure, axes = _paper(ROW_SECONDS * MM_PER_SECOND, float(high - low) * MM_PER_MV, rows)
    for number, axis in enumerate(axes):
        first = number * ROW_SECONDS
        part = record.signal[round(first * record.fs) : round((first + ROW_SECONDS) * record.fs)] - centre
        axis.plot(first + np.arange(len(part)) / record.fs, part, color=INK, linewidth=0.8)
        for start, end in prediction.because or []:
            axis.axvspan(start, end, color=SHADE, linewidth=0)
        axis.set(xlim=(first, first + ROW_SECONDS), ylim=(low, high), facecolor=PAPER)
        axis.set_xticks(np.arange(first, first + ROW_SECONDS + 0.01, 0.2), minor=False, labels=[])
        axis.set_yticks(np.arange(low, high + 0.01, 0.5), labels=[])
        axis.grid(color=GRID, linewidth=0.5)
        axis.tick_params(length=0)
        for second in np.arange(first, min(first + ROW_SECONDS, record.seconds), LABELLED_SECONDS):
            axis.text(second, low, f" {second:g} s", fontsize=6, color=INK, va="bottom")
    axes[0].set_title(_title(prediction), loc="left", fontsize=9, parse_math=False)
    cut = f"; the first {rows * ROW_SECONDS:g} s" if record.seconds > rows * ROW_SECONDS else ""
    shaded = "; shaded: most influential for the prediction" if prediction.because else ""
    caption = f"{shown(prediction.reading)}{cut}{shaded}; 25 mm/s, 10 mm/mV; {FOOTNOTE}"
    figure.supxlabel(caption, fontsize=7, parse_math=False)
    return figure


def _timeline(answer: Timeline) -> Figure:
    """The rhythm over the hours, and how probable each was."""
    figure = new_figure(12, 3.6, layout="constrained")
    band, curves = figure.subplots(2, 1, height_ratios=[1, 3])
    hours = np.arange(len(answer.labels) + 1) * answer.stride / 3600
    hours[-1] = answer.seconds / 3600
    colours = colours_of(answer.classes)
    for episode in answer.episodes():
        band.axvspan(episode.start / 3600, episode.end / 3600, color=colours[episode.label], linewidth=0)
    for name in answer.rhythms:
        probabilities = answer.probabilities[:, answer.classes.index(name)]
        curves.step(
            hours, np.append(probabilities, probabilities[-1:]), where="post", color=colours[name], linewidth=0.8
        )
    band.set(yticks=[], xticks=[])
    curves.set(ylim=(0, 1), xlabel="h:mm", ylabel="probability")
    curves.xaxis.set_major_formatter(lambda hour, _: "{}:{:02}".format(*divmod(round(hour * 60), 60)))
    for axis in (band, curves):
        axis.set_xlim(0, hours[-1])
    band.set_title(_title(answer), loc="left", fontsize=9, parse_math=False)
    handles = [band.fill_between([], [], color=colour, label=shown(name)) for name, colour in colours.items()]
    legend = band.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1), fontsize=8, frameon=False)
    for entry in legend.get_texts():
        entry.set_parse_math(False)
    figure.supxlabel(f"{shown(answer.reading)}; {FOOTNOTE}", fontsize=7, parse_math=False)
    return figure


def colours_of(classes: Sequence[str]) -> dict[str, str]:
    """The colour of each class, and of what is unreadable."""
    spare = iter(OTHER_COLOURS * len(classes))
    return {name: COLOURS.get(name) or next(spare) for name in [*classes, UNREADABLE]}


def _paper(width: float, height: float, rows: int) -> tuple[Figure, list[Axes]]:
    """Make a figure with axes below each other, each `width` mm wide and `height` mm high in print."""
    across, down = width + 2 * MARGIN, rows * (height + BETWEEN) - BETWEEN + 2 * ABOVE
    figure = new_figure(across / 25.4, down / 25.4)
    bottoms = [down - ABOVE - height - row * (height + BETWEEN) for row in range(rows)]
    return figure, [
        figure.add_axes((MARGIN / across, bottom / down, width / across, height / down)) for bottom in bottoms
    ]


def new_figure(width: float, height: float, **options: Any) -> Figure:
    """Make a figure of a size in inches, apart from any screen."""
    with extras.needed("plot", "a picture"):
        from matplotlib.figure import Figure
    return Figure(figsize=(width, height), **options)


def saved(figure: Figure, kind: str, *, dpi: int = 110, salt: str = "") -> bytes:
    """A figure as the content of a file, which is the same each time; identifiers in an SVG depend on the `salt`."""
    from matplotlib import rc_context

    made = BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"CreationDate": None} if kind == "pdf" else {}
    with heard(), rc_context({"svg.hashsalt": salt or "figure"}):  # a letter that no font has is drawn as a box
        figure.savefig(made, format=kind, dpi=dpi, metadata=metadata)
    return made.getvalue()


def svg(figure: Figure, salt: str) -> str:
    """A figure as a part of a page, with text that stays text; no two figures of a page have the same `salt`."""
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none"}):
        picture = saved(figure, "svg", salt=salt).decode()
    return picture[picture.index("<svg") :]


def _write(figure: Figure, path: Path) -> None:
    with files.replacing(path) as temporary:
        temporary.write_bytes(saved(figure, path.suffix.lstrip(".") or "png"))
