"""A report as one HTML file: no script, nothing from elsewhere; for any screen, light or dark, and for paper."""

from __future__ import annotations

import base64
import re
from html import escape as escaped
from pathlib import Path
from typing import TYPE_CHECKING

from ecg_rhythm.experiments.report import pictures
from ecg_rhythm.experiments.report.document import Answers, Document, Item, Picture, Section, Table
from ecg_rhythm.inference import plots
from ecg_rhythm.printable import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED = re.compile(r' id="(?:figure|patch|axes|matplotlib\.axis|xtick|ytick|line2d|text|legend|PolyCollection)_\d+"')
_SIZE = re.compile(r' width="[\d.]+pt" height="[\d.]+pt"')
_TAG, _DIGITS = re.compile(r"<[^<>]+>"), re.compile(r"(\d\.\d{2})\d+")
_CODE = re.compile(r"`([^`]+)`")
LONG = 24
"""Letters of a cell that may be divided between lines."""
FORBIDDEN = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Content security policy: a browser loads nothing."""


def written(document: Document) -> str:
    """The whole file."""
    links = "".join(f'<li><a href="#{s.name}">{escape(s.title)}</a></li>' for s in document.sections)
    sections = "".join(map(_section, document.sections))
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{FORBIDDEN}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(document.title)}</title><style>{style}</style></head><body>"
        '<a class="skip" href="#content">Skip to the content</a>'
        f"<header><h1>{escape(document.title)}</h1><p>{escape(document.about)}</p></header>"
        f'<nav aria-label="Sections"><ol>{links}</ol></nav>'
        f'<main id="content">{sections}</main></body></html>\n'
    )


def escape(text: str) -> str:
    """Text as HTML."""
    return escaped(shown(text))


def _section(section: Section) -> str:
    title = f'<h2 id="{section.name}">{escape(section.title)}</h2>'
    return f'<section aria-labelledby="{section.name}">{title}{"".join(map(_item, section.items))}</section>'


def _item(item: Item) -> str:
    if isinstance(item, str):
        return f"<p>{_inline(item)}</p>"
    if isinstance(item, Answers):
        rows = "".join(f"<div><dt>{escape(q)}</dt><dd>{_inline(a)}</dd></div>" for q, a in item.rows)
        return f'<dl class="answers">{rows}</dl>'
    return _table(item) if isinstance(item, Table) else _picture(item)


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _table(table: Table) -> str:
    texts = table.texts()
    long = [max((len(row[i]) for row in texts), default=0) > LONG for i in range(len(table.columns))]
    kinds = ["number" if numeric else "long" * wide for numeric, wide in zip(table.numeric, long, strict=True)]
    head = "".join(
        f'<th scope="col" class="{kind}">{escape(name)}</th>' for name, kind in zip(table.columns, kinds, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{_inline(cell)}</th>' if i == 0 else f'<td class="{kind}">{_inline(cell)}</td>'
            for i, (cell, kind) in enumerate(zip(row, kinds, strict=True))
        )
        + "</tr>"
        for row in texts
    )
    title = escape(table.title)
    return (
        f'<figure class="table"><figcaption><b>{title}</b></figcaption>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{_below(table, table)}</figure>"
    )


def _picture(picture: Picture) -> str:
    legend = "".join(f"<li>{_key(i)}{escape(name)}</li>" for i, name in enumerate(picture.legend))
    keys = f'<ul class="legend">{legend}</ul>' if legend else ""
    kind = "panels" + " wide" * picture.wide + " pairs" * (len(picture.panels) in (2, 4))
    panels = "".join(_panel(picture, i) for i in range(len(picture.panels)))
    return (
        f"<figure><figcaption><b>{escape(picture.title)}</b></figcaption>{keys}"
        f'<div class="{kind}">{panels}</div>{_below(picture, picture.data)}</figure>'
    )


def _panel(picture: Picture, number: int) -> str:
    panel = picture.panels[number]
    title = f"<h3>{escape(panel.title)}</h3>" if panel.title else ""
    says = escape(f"{panel.title} {picture.says}".strip())
    scrolls = ' tabindex="0"' if picture.wide else ""
    drawing = svg(panel.figure, f"{picture.name}{number}")
    return f'<div>{title}<div class="drawing" role="img" aria-label="{says}"{scrolls}>{drawing}</div></div>'


def _key(number: int) -> str:
    """The line of a configuration, for a legend."""
    return f'<svg viewBox="0 0 24 6" aria-hidden="true"><line x1="0" y1="3" x2="24" y2="3" {_line(number)}/></svg>'


def _line(number: int) -> str:
    dashes = ("", 'stroke-dasharray="6 3"', 'stroke-dasharray="1.5 2.5"')[number // len(pictures.LINES) % 3]
    return f'style="stroke: var(--line{number % len(pictures.LINES)})" {dashes}'


def _below(item: Table | Picture, data: Table) -> str:
    """What stands below a table or picture: what to know, the values, the command."""
    note = f"<p>{_inline(item.note)}</p>" if item.note else ""
    content = base64.b64encode(data.csv().encode()).decode()
    link = f'<a download="{escape(item.name)}.csv" href="data:text/csv;base64,{content}">CSV</a>'
    command = f"<code>{escape(item.command)}</code>" if item.command else ""
    return f'{note}<p class="source">{link}{command}</p>'


def svg(figure: Figure, salt: str) -> str:
    """A drawing to stand in the page: its colours are the page's, its identifiers its own."""
    text = plots.svg(figure, salt)
    for kind in ("metadata", "style"):
        before, _, rest = text.partition(f"<{kind}")
        text = before + rest.partition(f"</{kind}>")[2]
    text = _SIZE.sub("", text, count=1)
    text = _NAMED.sub("", text)
    text = _TAG.sub(lambda tag: _DIGITS.sub(r"\1", tag[0]), text)  # of coordinates, not of what is read
    for colour, variable in pictures.COLOURS.items():
        text = text.replace(colour, f"var({variable})")
    return text.strip()
