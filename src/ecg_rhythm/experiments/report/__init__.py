"""A report on results, jobs and searches: which is best, whether that is real, where it fails, what it costs.

`inputs` reads folders, `building` makes a `document` of sections, which `html` or `texts` write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ecg_rhythm import files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.report import html, pictures, texts
from ecg_rhythm.experiments.report.building import build
from ecg_rhythm.experiments.report.inputs import gather

FORMATS = ("html", *texts.FORMATS)
SUFFIXES = {"html": (".html", ".htm"), "markdown": (".md", ".markdown"), "latex": (".tex",)}
"""Suffixes of a report: it never replaces another kind of file, such as what it is about."""
EXISTS = "exists already; remove it, or name another file"


def write(
    paths: Sequence[Path],
    to: Path,
    data: Path,
    command: Sequence[str],
    *,
    kind: str = "html",
    title: str = "",
    report: Callable[[str], None] = lambda what: None,
) -> list[str]:
    """Write a report.

    Parameters
    ----------
    paths : sequence of Path
        What it is about, see `inputs.gather`.
    to : Path
        File to write. Markdown and LaTeX have their drawings and tables in a folder beside it, `<name>_files`.
    data : Path
        Data folder, for lengths and strips of recordings.
    command : sequence of str
        What was called.
    kind : {'html', 'markdown', 'latex'}
        What to write it as.
    title : str
        Its title.
    report : callable
        Called with the name of what is made next.

    Returns
    -------
    list of str
        One sentence for each job or result that is left out.

    Raises
    ------
    BadInput
        If there is nothing to report, what is there is damaged, matplotlib is missing, or the folder beside a Markdown
        or LaTeX file is there already.
    """
    if kind not in FORMATS:
        raise BadInput(f"--format {kind}: choose one of {', '.join(FORMATS)}")
    files.refuse_folder(to)
    if to.suffix.lower() not in SUFFIXES[kind]:
        raise BadInput(f"--to {to}: a report as {kind} ends in {' or '.join(SUFFIXES[kind])}; name such a file")
    folder = to.with_name(f"{to.stem}_files")
    if kind != "html" and folder.exists():
        raise BadInput(f"{folder}: {EXISTS}")
    material = gather(paths)
    document = build(material, data, command, title=title, report=report)
    with pictures.style():
        if kind == "html":
            files.write_text(to, html.written(document))
        else:
            text, drawings = texts.FORMATS[kind]
            with files.new_folder(folder, EXISTS.partition("; ")[2]) as made:
                texts.write_beside(document, made, drawings)
            files.write_text(to, text(document, folder.name))
    return material.problems
