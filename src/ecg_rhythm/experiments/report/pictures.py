"""Drawings of a report, with `matplotlib` (extra `plot`).

Colours are those of the page: each stands for a variable of its style sheet (`COLOURS`), which has another value in the
dark and in print. Shades are one colour, more or less opaque.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import extras
from ecg_rhythm.printable import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, RULE, ACCENT, WORSE, SHADE = "#1b1f24", "#5b6470", "#d5d9e0", "#1f6feb", "#c4432b", "#ffd978"
LINES = ("#0b6bcb", "#d9480f", "#0f8a5f", "#a83fa0", "#b58900", "#4a9fb5", "#6f56c9", "#8a5a3c")
"""Colours of configurations, distinct with colour blindness; after eight, lines are dashed, then dotted."""
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)))
COLOURS = {
    INK: "--ink", SOFT: "--soft", RULE: "--rule", ACCENT: "--accent", WORSE: "--worse", SHADE: "--shade",
    **{colour: f"--line{i}" for i, colour in enumerate(LINES)},
}  # fmt: skip
"""Colour in a drawing -> variable of the page."""
WIDTH, HEIGHT = 3.4, 2.9
"""Inches of a panel, and of one that takes the whole width: three and a half times as wide."""
WIDE = 9.6
MOST_POINTS, ALL_POINTS = 300, 2400
"""Points of a curve, as more are not seen; and of all curves of a panel, as a file is to stay small."""
STYLE: dict[Any, Any] = {
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "text.parse_math": False,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw and save in the style of a report.

    Raises
    ------
    BadInput
        If matplotlib is not installed.
    """
    with extras.needed("plot", "the report"):
        from matplotlib import rc_context
    with rc_context(STYLE):
        yield


def panel(width: float = WIDTH, height: float = HEIGHT, **axes: Any) -> tuple[Figure, Axes]:
    """An empty figure, of a size in inches, with its axes; `axes` are their properties."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axis = figure.subplots()
    axis.set(**axes)
    figure.patch.set_alpha(0)
    axis.patch.set_alpha(0)
    return figure, axis


def look(number: int) -> dict[str, Any]:
    """Colour and dashes of the configuration with a number."""
    return {"color": LINES[number % len(LINES)], "linestyle": DASHES[number // len(LINES) % len(DASHES)]}


def legend(names: Sequence[str]) -> Figure:
    """What line belongs to which name, for files that have no page around them."""
    from matplotlib.lines import Line2D

    columns = min(len(names), 4)
    figure, axis = panel(WIDE, 0.25 * -(-len(names) // columns) + 0.1)
    axis.axis("off")
    lines = [Line2D([], [], label=shown(name), **look(i)) for i, name in enumerate(names)]
    axis.legend(handles=lines, ncols=columns, loc="center")
    return figure


def lines(
    curves: Sequence[tuple[int, NDArray[np.float64], NDArray[np.float64]]],
    *,
    diagonal: bool = False,
    places: Sequence[str] = (),
    **axes: Any,
) -> Figure:
    """Curves, each with the number of its configuration, x and y; `places` are names for x of 0, 1, and so on."""
    figure, axis = panel(**axes)
    if diagonal:
        axis.plot([0, 1], [0, 1], color=RULE, linewidth=1)
    for number, x, y in curves:
        axis.plot(x, y, **look(number), marker="o" if len(x) <= 12 else None, markersize=3)
    if places:
        axis.set_xticks(range(len(places)), places)
    axis.grid(True)
    axis.set_axisbelow(True)
    return figure


def dots(names: Sequence[str], values: Sequence[Sequence[float | None]], label: str) -> Figure:
    """A row for each name: its values as dots, their mean as a line with its number."""
    figure, axis = panel(WIDE, 0.34 * len(names) + 0.6, xlabel=label)
    for row, own in enumerate(values):
        there = [value for value in own if value is not None]
        colour = LINES[row % len(LINES)]
        axis.plot(there, [row] * len(there), "o", color=colour, alpha=0.45, markersize=4.5, markeredgewidth=0)
        axis.plot([np.mean(there)] * 2, [row - 0.3, row + 0.3], color=colour, linewidth=2.2)
        axis.annotate(
            f"{np.mean(there):.3f}", (1, row), xycoords=("axes fraction", "data"), va="center", xytext=(4, 0),
            textcoords="offset points",
        )  # fmt: skip
    axis.set_yticks(range(len(names)), [shown(name) for name in names])
    axis.tick_params(axis="y", length=0, labelcolor=INK)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(True, axis="x")
    axis.spines["left"].set_visible(False)
    return figure


def heat(
    shades: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    width: float = WIDTH,
    cell: float = 0.5,
    **axes: Any,
) -> Figure:
    """A table of cells, whose shades from -1 to 1 are the colour for worse and that for better, more or less opaque.

    Parameters
    ----------
    shades : ndarray, shape (rows, columns)
        NaN is an empty cell.
    texts : sequence of sequence of str
        In the cells.
    rows, columns : sequence of str
        Their names.
    width, cell : float
        Inches of the whole width, and of the height of a row.
    axes
        Properties of the axes.
    """
    from matplotlib.patches import Rectangle

    figure, axis = panel(width, cell * len(rows) + 0.75, **axes)
    for i, j in np.ndindex(*shades.shape):
        shade = shades[i, j]
        if np.isfinite(shade) and abs(shade) > 0.005:
            alpha = 0.75 * min(abs(float(shade)), 1.0)
            colour = ACCENT if shade > 0 else WORSE
            axis.add_patch(Rectangle((j - 0.48, i - 0.47), 0.96, 0.94, facecolor=colour, alpha=alpha, linewidth=0))
        axis.text(j, i, texts[i][j], ha="center", va="center", fontsize=7.5, linespacing=1.25)
    axis.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    long = len(columns) > 4 and max(map(len, columns)) > 8
    turned: dict[str, Any] = {"rotation": 30, "ha": "left", "rotation_mode": "anchor"} if long else {}
    axis.set_xticks(range(len(columns)), [shown(name) for name in columns], **turned)
    axis.set_yticks(range(len(rows)), [shown(name) for name in rows])
    axis.xaxis.tick_top()
    axis.xaxis.set_label_position("top")
    axis.tick_params(length=0, labelcolor=INK)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return figure


def against(values: Sequence[tuple[int, float, float]], **axes: Any) -> Figure:
    """A dot for each configuration (its number, x, y), over a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure, axis = panel(**axes)
    axis.set_xscale("log")
    for number, x, y in values:
        axis.plot([x], [y], "o", color=LINES[number % len(LINES)], markersize=7, markeredgewidth=0)
    axis.margins(x=0.15, y=0.12)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if _decades(values) < 2 else (1,)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _short(x)))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(True)
    axis.set_axisbelow(True)
    return figure


def _decades(values: Sequence[tuple[int, float, float]]) -> float:
    return float(np.log10(max(x for _, x, _ in values) / min(x for _, x, _ in values)))


def _short(number: float) -> str:
    """A number with few letters: 5000000 is 5M."""
    for limit, letter in ((1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:g}{letter}"
    return f"{number:g}"


def strip(
    signal: NDArray[np.float32], fs: float, start: float, seconds: float, salient: Sequence[tuple[float, float]] = ()
) -> Figure:
    """Some seconds of a recording on a grid of 0.2 s and 0.5 mV, with the seconds that mattered shaded."""
    from matplotlib.ticker import MultipleLocator

    every = max(1, round(fs / 300))  # more points are not seen
    part = signal[int(start * fs) : int((start + seconds) * fs) : every]
    part = part - np.median(part)
    low, high = np.quantile(part, [0.002, 0.998]).tolist()
    figure, axis = panel(WIDE, 1.15, xlim=(start, start + seconds), ylim=(max(low - 0.3, -2.5), min(high + 0.3, 2.5)))
    for begin, end in salient:
        axis.axvspan(begin, end, color=SHADE, alpha=0.55, linewidth=0)
    axis.plot(start + np.arange(len(part)) * every / fs, part, color=INK, linewidth=0.7)
    axis.xaxis.set_major_locator(MultipleLocator(5))
    axis.xaxis.set_minor_locator(MultipleLocator(0.2))
    axis.xaxis.set_major_formatter(lambda second, _: f"{second:g} s")
    axis.yaxis.set_major_locator(MultipleLocator(0.5))
    axis.yaxis.set_major_formatter(lambda level, _: "")
    axis.grid(True, which="both", linewidth=0.4)
    axis.set_axisbelow(True)
    axis.tick_params(which="both", length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return figure


def thinned(
    x: NDArray[np.float64], y: NDArray[np.float64], curves: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thin the points of a curve evenly along its length, but keep both ends; more curves get fewer points each."""
    most = min(MOST_POINTS, ALL_POINTS // curves)
    if len(x) <= most:
        return x, y
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    chosen = np.searchsorted(length, np.linspace(0, length[-1], most - 2)).clip(0, len(x) - 1)
    chosen = np.unique([0, *chosen.tolist(), len(x) - 1])
    return x[chosen], y[chosen]
