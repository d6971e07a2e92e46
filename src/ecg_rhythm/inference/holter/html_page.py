"""The report of long recordings as one HTML page, without any other file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from ecg_rhythm.inference import plots
from ecg_rhythm.inference.holter.drawings import Leads, draw_strip, draw_trend
from ecg_rhythm.inference.holter.tables import (
    LIMITS,
    Sheet,
    facts,
    index,
    made_by,
    tables_of,
    title_of,
    which_strips,
    with_strips,
)

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a2e; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0 0 1.5rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
svg { max-width: 100%; height: auto; } figure { margin: 0 0 1rem; break-inside: avoid; } .limits { color: #555; }
.wide { overflow-x: auto; } .wide th { white-space: nowrap; }
section { break-before: page; } section:first-of-type { break-before: auto; }
"""


def page(sheets: Sequence[Sheet]) -> Iterator[str]:
    """Yield the parts of the report as one page without any other file."""
    title = title_of(sheets[0].answer) if len(sheets) == 1 else f"{len(sheets)} recordings"
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}: Holter report</title>'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>'
    if len(sheets) > 1:
        headings, rows = index(sheets)
        cells = [[f'<a href="#r{i}">{escape(row[0])}</a>', *map(escape, row[1:])] for i, row in enumerate(rows)]
        yield f"<h1>Holter report: {escape(title)}</h1>{_table(headings, cells)}"
    for number, sheet in enumerate(sheets):
        answer = sheet.answer
        yield f'<section id="r{number}"><h1>{escape(title_of(answer))}</h1><table>'
        yield "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in facts(answer))
        figure = plots.new_figure(10, 4.6, layout="constrained")
        draw_trend(answer, list(figure.subplots(3, 1, height_ratios=[1, 4, 3], sharex=True)))
        yield f"</table><figure>{plots.svg(figure, f'trend {number}')}</figure>"
        for heading, (headings, rows) in tables_of(answer):
            if rows:
                yield f"<h2>{heading}</h2>{_table(headings, [list(map(escape, row)) for row in rows])}"
        if strips := with_strips(answer):
            yield f"<h2>Strips</h2><p>{which_strips(answer)}</p>"
        leads = Leads(sheet)
        for which, episode in strips:
            figure = plots.new_figure(10, 1.6, layout="constrained")
            draw_strip(leads, episode, which, figure.subplots())
            yield f"<figure>{plots.svg(figure, f'strip {number} {which}')}</figure>"
        yield "</section>"
    yield f'<p class="limits">{escape(LIMITS)} {escape(made_by())}</p></html>\n'


def _table(headings: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in headings)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'
