"""The report of long recordings, as HTML or PDF in one file, with `matplotlib` (extra `plot`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ecg_rhythm import files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference import plots
from ecg_rhythm.inference.answers import Episode, Timeline
from ecg_rhythm.inference.names import fibrillation_in, named
from ecg_rhythm.inference.rates import HOUR, PAUSE_SECONDS
from ecg_rhythm.printable import shown
from ecg_rhythm.records import Recording
from ecg_rhythm.warned import heard

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HTML, PDF = ".html", ".pdf"
STRIPS, STRIP_SECONDS = 24, 10.0
"""Episodes that are shown, the longest ones; seconds of each that are shown, from its middle."""
TICKS = 12
"""Times below a trend, at most."""
PAUSES = 20
"""Pauses that are listed, the longest ones."""
PAGE, STRIPS_OF_PAGE, ROWS_OF_PAGE = (8.27, 11.69), 8, 48
"""Size of a page in inches (A4); strips and lines of a table on it."""
TOP, LINE, LETTERS = 0.92, 0.0175, 90
"""Where text begins on a page and how high a line is, as shares of the page; letters of a line of facts."""
LIMITS = (
    "For research; not a medical device. Rhythms are a network's, from one lead, without knowledge of the person; "
    "atrial flutter is called atrial fibrillation, ventricular flutter unreadable; short episodes can be missed, and "
    "other irregular rhythms taken for fibrillation."
)
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a2e; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0 0 1.5rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
svg { max-width: 100%; height: auto; } figure { margin: 0 0 1rem; break-inside: avoid; } .limits { color: #555; }
th { white-space: nowrap; }
section { break-before: page; } section:first-of-type { break-before: auto; }
"""

Table = tuple[list[str], list[list[str]]]
"""Headings and rows."""


class Sheet(NamedTuple):
    """A long recording and its answer."""

    answer: Timeline
    recording: Recording


def check(path: Path) -> None:
    """Check that a report can be written to a file, before any work.

    Raises
    ------
    BadInput
        If its suffix is another, or the library is not installed.
    """
    if path.suffix.lower() not in (HTML, PDF):
        raise BadInput(f"--report {path}: its suffix says no format; name a file that ends in {HTML} or {PDF}")
    plots.check(path.parent)


def write(path: Path, sheets: Sequence[Sheet]) -> None:
    """Write the report of some recordings; with several, a table of all comes first."""
    with files.replacing(path) as temporary:
        if path.suffix.lower() == PDF:
            _write_pdf(temporary, sheets)
        else:
            temporary.write_text("".join(_html(sheets)), encoding="utf-8")


def clock(seconds: float) -> str:
    """Time from the beginning of the recording, as h:mm:ss."""
    minutes, second = divmod(round(seconds), 60)
    return "{}:{:02}:{:02}".format(*divmod(minutes, 60), second)


def facts(answer: Timeline) -> list[tuple[str, str]]:
    """What is said of a recording, name by name."""
    rates, label = answer.rates, fibrillation_in(answer.classes)
    found = [
        ("recording", shown(answer.reading)),
        ("duration", clock(answer.seconds)),
        ("unreadable", f"{answer.unreadable:.1%}, {clock(answer.unreadable * answer.seconds)}"),
        (
            "heart rate",
            f"mean {_rate(rates.mean)}, lowest minute {_rate(rates.lowest)}, highest {_rate(rates.highest)}",
        ),
        ("beats counted in", f"{rates.counted:.1%} of the recording"),
        (f"pauses of more than {PAUSE_SECONDS:g} s", _pauses(answer)),
    ]
    burdens = [(name, answer.burden(name)) for name in answer.rhythms]
    found += [(f"burden of {named(name, answer.classes)}", _share(burden)) for name, burden in burdens]
    if label is not None and (episodes := answer.episodes(label)):
        longest = max(episodes, key=lambda one: one.seconds)
        found += [
            (
                "episodes of fibrillation",
                f"{len(episodes)}, the longest {clock(longest.seconds)} from {clock(longest.start)}",
            )
        ]
        if timed := [one for one in episodes if one.heart_rate is not None]:
            fastest = max(timed, key=lambda one: one.heart_rate or 0)
            found.append(("fastest episode", f"{_rate(fastest.heart_rate)} from {clock(fastest.start)}"))
    elif label is not None:
        found.append(("episodes of fibrillation", "none"))
    rule = f"less than {answer.join:g} s apart are one, shorter ones than {answer.shortest:g} s are none"
    return [*found, ("rules", f"windows every {answer.stride:g} s; episodes {rule}; burden is before these rules")]


def _pauses(answer: Timeline) -> str:
    pauses = answer.rates.pauses
    if not pauses:
        return "none"
    longest = max(pauses, key=lambda one: one.seconds)
    return f"{len(pauses)}, the longest {longest.seconds:.1f} s at {clock(longest.start)}"


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
    return ["from", "mean", "lowest", "highest", *([] if label is None else [f"burden {label}"]), "unreadable"], rows


def listed(answer: Timeline) -> Table:
    """All episodes of fibrillation."""
    headings = ["", "start", "end", "duration", "mean rate", "probability"]
    rows = [
        [str(number), *map(clock, (one.start, one.end, one.seconds)), _number(one.heart_rate), f"{one.probability:.2f}"]
        for number, one in enumerate(_episodes(answer), 1)
    ]
    return headings, rows


def longest_pauses(answer: Timeline) -> Table:
    """The longest pauses, in the order of time."""
    longest = sorted(answer.rates.pauses, key=lambda one: -one.seconds)[:PAUSES]
    return ["start", "duration (s)"], [
        [clock(one.start), f"{one.seconds:.1f}"] for one in sorted(longest, key=lambda one: one.start)
    ]


def index(sheets: Iterable[Sheet]) -> Table:
    """A row for each recording."""
    rows = []
    for answer, _ in sheets:
        label = fibrillation_in(answer.classes)
        burden = "" if label is None else _share(answer.burden(label))
        rows.append(
            [
                shown(answer.record) or "signal",
                clock(answer.seconds),
                _share(answer.unreadable),
                burden,
                str(len(_episodes(answer))),
                _number(answer.heart_rate()),
                str(len(answer.rates.pauses)),
            ]
        )
    return ["record", "duration", "unreadable", "burden A", "episodes of A", "mean rate", "pauses"], rows


def _episodes(answer: Timeline) -> list[Episode]:
    label = fibrillation_in(answer.classes)
    return [] if label is None else answer.episodes(label)


def _shown_episodes(answer: Timeline) -> list[tuple[int, Episode]]:
    """Episodes that get a strip, with their numbers."""
    longest = sorted(enumerate(_episodes(answer), 1), key=lambda pair: -pair[1].seconds)[:STRIPS]
    return sorted(longest)


def _share(value: float | None) -> str:
    return "" if value is None else f"{max(value, 0):.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _rate(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} beats/min"


def _draw_trend(answer: Timeline, axes: Sequence[Axes]) -> None:
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


def _draw_strip(recording: Recording, episode: Episode, number: int, axis: Axes) -> None:
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


def _html(sheets: Sequence[Sheet]) -> Iterator[str]:
    """Yield the parts of the report as one page without any other file."""
    title = shown(sheets[0].answer.record) if len(sheets) == 1 else f"{len(sheets)} recordings"
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}: Holter report</title>'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>'
    if len(sheets) > 1:
        headings, rows = index(sheets)
        cells = [[f'<a href="#r{i}">{escape(row[0])}</a>', *map(escape, row[1:])] for i, row in enumerate(rows)]
        yield f"<h1>Holter report: {escape(title)}</h1>{_html_rows(headings, cells)}"
    for number, (answer, recording) in enumerate(sheets):
        yield f'<section id="r{number}"><h1>{escape(shown(answer.record) or "signal")}</h1><table>'
        yield "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in facts(answer))
        figure = plots.new_figure(10, 4.6, layout="constrained")
        _draw_trend(answer, list(figure.subplots(3, 1, height_ratios=[1, 4, 3], sharex=True)))
        yield f"</table><figure>{_svg(figure)}</figure>"
        for heading, (headings, rows) in (
            ("Hours", hourly(answer)),
            ("Episodes of atrial fibrillation", listed(answer)),
            (f"Pauses of more than {PAUSE_SECONDS:g} s", longest_pauses(answer)),
        ):
            if rows:
                yield f"<h2>{heading}</h2>{_html_rows(headings, [list(map(escape, row)) for row in rows])}"
        if strips := _shown_episodes(answer):
            yield f"<h2>Strips</h2><p>{_which(answer)}</p>"
        for which, episode in strips:
            figure = plots.new_figure(10, 1.6, layout="constrained")
            _draw_strip(recording, episode, which, figure.subplots())
            yield f"<figure>{_svg(figure)}</figure>"
        yield "</section>"
    yield f'<p class="limits">{escape(LIMITS)}</p></html>\n'


def _html_rows(headings: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in headings)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _svg(figure: Figure) -> str:
    from matplotlib import rc_context

    picture = BytesIO()
    with rc_context({"svg.fonttype": "none"}), heard():
        figure.savefig(picture, format="svg")
    svg = picture.getvalue().decode()
    return svg[svg.index("<svg") :]


def _which(answer: Timeline) -> str:
    """Which episodes are shown."""
    count = len(_episodes(answer))
    which = f"The {STRIPS} longest of {count} episodes" if count > STRIPS else "Each episode"
    return f"{which}, {STRIP_SECONDS:g} s from its middle, 25 mm/s in print at full width."


def _write_pdf(path: Path, sheets: Sequence[Sheet]) -> None:
    from matplotlib.backends.backend_pdf import PdfPages

    with PdfPages(path) as pages, heard():
        if len(sheets) > 1:
            for figure in _pages_of(f"{len(sheets)} recordings", index(sheets)):
                pages.savefig(figure)
        for answer, recording in sheets:
            for figure in _pages(answer, recording):
                pages.savefig(figure)


def _pages(answer: Timeline, recording: Recording) -> Iterator[Figure]:
    """Yield the pages of a recording: facts and trends, tables, strips."""
    name = shown(answer.record) or "signal"
    page = _page(name)
    y = TOP
    for fact, text in facts(answer):
        page.text(0.08, y, fact, fontsize=8, weight="bold", parse_math=False)
        for line in wrap(text, LETTERS):
            page.text(0.36, y, line, fontsize=8, parse_math=False)
            y -= LINE
    grid = page.add_gridspec(3, 1, height_ratios=[1, 4, 3], left=0.1, right=0.95, bottom=0.1, top=0.5, hspace=0.12)
    _draw_trend(answer, [page.add_subplot(grid[i]) for i in range(3)])
    yield page
    for title, table in (
        ("hours", hourly(answer)),
        ("episodes of atrial fibrillation", listed(answer)),
        (f"pauses of more than {PAUSE_SECONDS:g} s", longest_pauses(answer)),
    ):
        if table[1]:
            yield from _pages_of(f"{name}: {title}", table)
    strips = _shown_episodes(answer)
    for first in range(0, len(strips), STRIPS_OF_PAGE):
        page = _page(f"{name}: strips", _which(answer))
        grid = page.add_gridspec(STRIPS_OF_PAGE, 1, left=0.05, right=0.97, bottom=0.06, top=0.92, hspace=0.35)
        for row, (number, episode) in enumerate(strips[first : first + STRIPS_OF_PAGE]):
            _draw_strip(recording, episode, number, page.add_subplot(grid[row]))
        yield page


def _pages_of(title: str, table: Table) -> Iterator[Figure]:
    """Yield a table, as many rows on a page as it holds."""
    headings, rows = table
    places = np.linspace(0.08, 0.95, len(headings) + 1)
    for first in range(0, len(rows), ROWS_OF_PAGE):
        page = _page(title)
        for line, row in enumerate([headings, *rows[first : first + ROWS_OF_PAGE]]):
            for x, cell in zip(places, row, strict=False):
                weight = "normal" if line else "bold"
                page.text(x, TOP - LINE * line, cell[:40], fontsize=8, weight=weight, parse_math=False)
        yield page


def _page(title: str, below: str = "") -> Figure:
    """Make a page with its title, and the limits at its foot."""
    page = plots.new_figure(*PAGE)
    page.text(0.08, 0.955, f"Holter report: {title}", fontsize=12, weight="bold", parse_math=False)
    page.text(0.08, 0.94, below, fontsize=7)
    words, half = LIMITS.split(), len(LIMITS.split()) // 2
    page.text(0.08, 0.02, f"{' '.join(words[:half])}\n{' '.join(words[half:])}", fontsize=6, color="#555555")
    return page
