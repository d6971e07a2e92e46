"""The report of long recordings, as HTML or PDF in one file, with `matplotlib` (extra `plot`).

Data flow: an answer -> facts and tables (`tables`), and drawings (`drawings`) -> a page (`html_page`) or pages
(`pdf_pages`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ecg_rhythm import files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference import plots
from ecg_rhythm.inference.holter.tables import Sheet

__all__ = ["Sheet", "check", "write"]

HTML, PDF = ".html", ".pdf"


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
    from ecg_rhythm.inference.holter import html_page, pdf_pages

    with files.replacing(path) as temporary:
        if path.suffix.lower() == PDF:
            pdf_pages.write(temporary, sheets)
        else:
            temporary.write_text("".join(html_page.page(sheets)), encoding="utf-8")
