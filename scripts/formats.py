"""Write the tables of file formats, which come from the readers' registry, into pages: `python -m scripts.formats`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ecg_rhythm.records.formats import FORMATS

ROOT = Path(__file__).parents[1]
START, END = "<!-- formats, by scripts/formats.py -->", "<!-- end -->"
"""What stands before and behind a list of formats in a page."""
BLOCK = re.compile(re.escape(START) + r".*?" + re.escape(END), re.DOTALL)


def table() -> str:
    """A row for each format: its name, suffixes, what must be installed, and notes."""
    rows = ["| format | files | needs | notes |", "|---|---|---|---|"]
    for form in FORMATS:
        suffixes = ", ".join(f"`{suffix}`" for suffix in form.suffixes)
        extra = f"extra `{form.extra}`" if form.extra else ""
        rows.append(f"| {form.name} | {suffixes} | {extra} | {form.notes} |")
    return "\n" + "\n".join(rows) + "\n"


def names() -> str:
    """The names of all formats in a line."""
    return ", ".join(form.name for form in FORMATS)


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/formats.md": table,
    "README.md": names,
    "src/ecg_rhythm/web/page/index.html": names,
}
"""Pages with a list of formats -> what makes it."""


def written(page: str) -> str:
    """A page with its list of formats as the registry has it now."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return BLOCK.sub(lambda _: f"{START}{PAGES[page]()}{END}", text)


def main() -> None:
    """Write all pages."""
    for page in PAGES:
        (ROOT / page).write_text(written(page), encoding="utf-8")


if __name__ == "__main__":
    main()
