"""A report as Markdown or LaTeX for a paper: one text file, with a folder of drawings and tables beside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ecg_rhythm.experiments.report import pictures
from ecg_rhythm.experiments.report.document import Answers, Document, Item, Panel, Picture, Table
from ecg_rhythm.inference import plots
from ecg_rhythm.printable import shown

_CODE, _MARKS = re.compile(r"`([^`]+)`"), re.compile(r"[*_|<\[]")
_BAR = r"\|"
_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "±": r"$\pm$", "<": "$<$", ">": "$>$",
    "–": "--", "≥": r"$\ge$",
}  # fmt: skip
LONG = 40
"""Rows of a table that may be divided between pages."""


def _markdown(text: str) -> str:
    """Text of a paragraph or cell, so that nothing in it is Markdown but code."""
    words = _CODE.split(shown(text))  # every second one is code
    return "".join(
        f"`{word.replace('|', _BAR)}`" if i % 2 else _MARKS.sub(r"\\\g<0>", word) for i, word in enumerate(words)
    )


def markdown(document: Document, folder: str) -> str:
    """The text; drawings and tables are in a folder of that name."""
    parts = [f"# {_markdown(document.title)}", _markdown(document.about)]
    for section in document.sections:
        parts.append(f"## {_markdown(section.title)}")
        parts += [_markdown_item(item, folder) for item in section.items]
    return "\n\n".join(parts) + "\n"


def _markdown_item(item: Item, folder: str) -> str:
    if isinstance(item, str):
        return _markdown(item)
    if isinstance(item, Answers):
        return "\n\n".join(f"**{_markdown(question)}** {_markdown(answer)}" for question, answer in item.rows)
    parts = [f"**{_markdown(item.title)}**"]
    if isinstance(item, Table):
        rules = ["---:" if numeric else "---" for numeric in item.numeric]
        cells = [list(map(_markdown, row)) for row in (list(item.columns), *item.texts())]
        parts.append("\n".join("| " + " | ".join(row) + " |" for row in (cells[0], rules, *cells[1:])))
    else:
        parts += [f"![{panel.title or item.says}]({folder}/{name}.svg)" for name, panel in _drawn(item)]
    parts += [_markdown(item.note)] * bool(item.note)
    values = f"[CSV]({folder}/{item.name}.csv)"
    parts.append(f"{values} `{item.command}`" if item.command else values)
    return "\n\n".join(parts)


def latex(document: Document, folder: str) -> str:
    """The text, a document of its own; drawings and tables are in a folder of that name."""
    parts = [
        r"\documentclass[a4paper,10pt]{article}",
        r"\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}\usepackage[margin=20mm]{geometry}",
        r"\usepackage{booktabs,graphicx,longtable,textcomp}",
        rf"\title{{{_tex(document.title)}}}\date{{}}",
        r"\begin{document}\maketitle",
        _tex(document.about),
    ]
    for section in document.sections:
        parts.append(rf"\section{{{_tex(section.title)}}}")
        parts += [_tex_item(item, folder) for item in section.items]
    return "\n\n".join([*parts, r"\end{document}"]) + "\n"


def _tex(text: str) -> str:
    words = _CODE.split(shown(text))  # every second one is code
    escaped = ["".join(_TEX.get(letter, letter) for letter in word) for word in words]
    return "".join(rf"\texttt{{{word}}}" if i % 2 else word for i, word in enumerate(escaped))


def _tex_item(item: Item, folder: str) -> str:
    if isinstance(item, str):
        return _tex(item)
    if isinstance(item, Answers):
        rows = "\n".join(rf"\item[{_tex(question)}] {_tex(answer)}" for question, answer in item.rows)
        return f"\\begin{{description}}\n{rows}\n\\end{{description}}"
    note = " ".join(filter(None, [f"{item.title}.", item.note]))
    caption = rf"\caption{{{_tex(note)}}}\label{{{item.name}}}"
    if isinstance(item, Picture):
        share = r"\linewidth" if item.wide or len(item.panels) == 1 else r"0.48\linewidth"
        drawings = "\n".join(
            _minipage(_tex(panel.title), f"{folder}/{name}.pdf", r"\linewidth" if name.endswith("legend") else share)
            for name, panel in _drawn(item)
        )
        if len(item.panels) > 8:  # more than a page holds
            return rf"\noindent {drawings}" + "\n\n" + rf"\noindent\small {_tex(note)}"
        return f"\\begin{{figure}}[htbp]\\centering\n{drawings}\n{caption}\n\\end{{figure}}"
    columns = "".join("r" if numeric else "l" for numeric in item.numeric)
    head, *body = [" & ".join(map(_tex, row)) + r" \\" for row in (list(item.columns), *item.texts())]
    rows = f"\\toprule\n{head}\n\\midrule\n" + "\n".join(body) + "\n\\bottomrule"
    if len(body) > LONG:
        return f"{{\\scriptsize\\begin{{longtable}}{{{columns}}}{caption}\\\\\n{rows}\n\\end{{longtable}}}}"
    inner = f"\\begin{{tabular}}{{{columns}}}\n{rows}\n\\end{{tabular}}"
    fitted = rf"\resizebox{{\ifdim\width>\linewidth\linewidth\else\width\fi}}{{!}}{{{inner}}}"
    return f"\\begin{{table}}[htbp]\\centering\\small\n{caption}\n{fitted}\n\\end{{table}}"


def _minipage(title: str, file: str, width: str) -> str:
    drawing = rf"\includegraphics[width=\linewidth]{{{file}}}"
    return rf"\begin{{minipage}}{{{width}}}\centering\small {title}\par{drawing}\end{{minipage}}"


def _drawn(picture: Picture) -> list[tuple[str, Panel]]:
    """Names of files and what is drawn in them; a legend first."""
    legend = [Panel("", pictures.legend(picture.legend))] if picture.legend else []
    named = [f"{picture.name}_legend"] * len(legend)
    named += [
        f"{picture.name}_{i + 1}" if len(picture.panels) > 1 else picture.name for i in range(len(picture.panels))
    ]
    return list(zip(named, [*legend, *picture.panels], strict=True))


def write_beside(document: Document, folder: Path, kind: str) -> None:
    """Write all drawings, as `svg` or `pdf`, and all values as CSV into a folder."""
    for item in (item for section in document.sections for item in section.items):
        if isinstance(item, Table | Picture):
            data = replace(item.data, name=item.name) if isinstance(item, Picture) else item
            (folder / f"{data.name}.csv").write_text(data.csv(), encoding="utf-8")
        if isinstance(item, Picture):
            for name, panel in _drawn(item):
                (folder / f"{name}.{kind}").write_bytes(plots.saved(panel.figure, kind, dpi=150, salt=name))


FORMATS: dict[str, tuple[Callable[[Document, str], str], str]] = {
    "markdown": (markdown, "svg"),
    "latex": (latex, "pdf"),
}
"""Name of a format -> what makes its text, and the kind of its drawings."""
