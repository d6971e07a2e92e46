"""The report of long recordings as a PDF, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from ecg_rhythm.inference import plots
from ecg_rhythm.inference.holter.drawings import Leads, draw_strip, draw_trend
from ecg_rhythm.inference.holter.tables import (
    LIMITS,
    Sheet,
    Table,
    facts,
    index,
    made_by,
    tables_of,
    title_of,
    which_strips,
    with_strips,
)
from ecg_rhythm.warned import heard

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE, STRIPS_OF_PAGE, ROWS_OF_PAGE = (8.27, 11.69), 8, 48
"""Size of a page in inches (A4); strips and lines of a table on it."""
TOP, LINE, LETTERS = 0.92, 0.0175, 84
"""Where text begins on a page and how high a line is, as shares of the page; letters of a line of facts."""
FOOT_LETTERS = 150
"""Letters of a line at the foot of a page."""


def write(path: Path, sheets: Sequence[Sheet]) -> None:
    """Write the report."""
    from matplotlib.backends.backend_pdf import PdfPages

    with PdfPages(path, metadata={"CreationDate": None}) as pages, heard():
        if len(sheets) > 1:
            for figure in _pages_of(f"{len(sheets)} recordings", index(sheets)):
                pages.savefig(figure)
        for sheet in sheets:
            for figure in _pages(sheet):
                pages.savefig(figure)


def _pages(sheet: Sheet) -> Iterator[Figure]:
    """Yield the pages of a recording: facts and trends, tables, strips."""
    answer = sheet.answer
    name = title_of(answer)
    page = _page(name)
    y = TOP
    for fact, text in facts(answer):
        page.text(0.08, y, fact, fontsize=8, weight="bold", parse_math=False)
        for line in wrap(text, LETTERS) or [""]:
            page.text(0.36, y, line, fontsize=8, parse_math=False)
            y -= LINE
    grid = page.add_gridspec(3, 1, height_ratios=[1, 4, 3], left=0.1, right=0.95, bottom=0.11, top=0.5, hspace=0.12)
    draw_trend(answer, [page.add_subplot(grid[i]) for i in range(3)])
    yield page
    for title, table in tables_of(answer):
        if table[1]:
            yield from _pages_of(f"{name}: {title}", table)
    strips, leads = with_strips(answer), Leads(sheet)
    for first in range(0, len(strips), STRIPS_OF_PAGE):
        page = _page(f"{name}: strips", which_strips(answer))
        grid = page.add_gridspec(STRIPS_OF_PAGE, 1, left=0.05, right=0.97, bottom=0.07, top=0.915, hspace=0.35)
        for row, (number, episode) in enumerate(strips[first : first + STRIPS_OF_PAGE]):
            draw_strip(leads, episode, number, page.add_subplot(grid[row]))
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
    foot = "\n".join([*wrap(LIMITS, FOOT_LETTERS), *wrap(made_by(), FOOT_LETTERS)])
    page.text(0.08, 0.015, foot, fontsize=6, color="#555555")
    return page
