"""Find the code blocks of a page, and what is to happen to each; `scripts.story` runs them.

A page is a story: its blocks run in order, in one folder that has the recordings of `scripts.examples` in it. What
happens to a block follows from its language, and from HTML comments directly above it, which readers do not see:

| block | what happens |
|---|---|
| `sh` | bash runs it; it must succeed |
| `python` | runs, in one interpreter for the whole page |
| `console` | the lines that begin with `$ ` run; the others are what they print, and are rewritten |
| any, with `<!-- output -->` | what the Python block above it prints, and is rewritten |
| `json`, with `<!-- json: model -->` (or `job`) | is checked against that JSON Schema |
| any, with `<!-- file: NAME -->` | is written to that file instead of being run |
| any, with `<!-- not run: REASON -->` | nothing |

`<!-- small: OLD -> NEW -->` replaces a part of the block where the tests run it, so that it takes seconds.
`<!-- instead: OLD -> NEW -->` replaces it always, where what a reader does cannot be done here.
`<!-- exit: 2 -->` says that a command is to end with that code, `<!-- any order -->` that lines come as they may.
`<!-- setup: checkout -->` anywhere in a page runs it in a copy of the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
MARKS = ("output", "json", "file", "not run", "small", "instead", "exit", "any order", "setup")
PAGES = ("README.md", "CONTRIBUTING.md", "docs/**/*.md")


class Wrong(Exception):
    """A block that has no place in the documentation, or does not do what it says."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes
    ----------
    page : Path
        The file it is in.
    line : int
        Number of its first line, the fence, from 0 on.
    language : str
        What stands behind the fence.
    text : str
        Its content.
    marks : list of pairs of str
        Name and value of the comments above it.
    """

    page: Path
    line: int
    language: str
    text: str
    marks: list[tuple[str, str]] = field(default_factory=list)

    def mark(self, name: str) -> str | None:
        """Value of a mark; None without it."""
        return next((value for key, value in self.marks if key == name), None)

    @property
    def where(self) -> str:
        """Page and line, for people."""
        return f"{self.page.relative_to(ROOT)}:{self.line + 1}"

    def to_run(self, *, small: bool) -> str:
        """The text as it is run here; `small` is how the tests run it."""
        text = self.text
        for name, value in self.marks:
            if name == "instead" or (small and name == "small"):
                old, separator, new = value.partition(" -> ")
                if not separator or old not in text:
                    raise Wrong(f"{self.where}: `{old}` is to be replaced, but the block does not have it")
                text = text.replace(old, new)
        return text


def pages() -> list[Path]:
    """All pages whose blocks are run."""
    return sorted({page for pattern in PAGES for page in ROOT.glob(pattern)})


def marks_of(html: str) -> Iterator[tuple[str, str]]:
    """Names and values of the marks in HTML comments; one comment may have several lines."""
    for comment in COMMENT.findall(html):
        for line in filter(None, map(str.strip, comment.splitlines())):
            name, _, value = line.partition(":")
            yield name.strip(), value.strip()


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order.

    Raises
    ------
    Wrong
        If a comment above a block is none of the marks.
    """
    blocks, above = [], ""
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            above += token.content
        elif token.type == "fence":
            assert token.map is not None
            block = Block(page, token.map[0], token.info.strip(), token.content, list(marks_of(above)))
            for name, _ in block.marks:
                if name not in MARKS:
                    raise Wrong(f"{block.where}: {name!r} is no mark; choose one of {', '.join(MARKS)}")
            blocks.append(block)
            above = ""
        elif token.type not in ("list_item_open", "bullet_list_open", "ordered_list_open"):
            above = ""
    return blocks


def setup_of(page: Path) -> str | None:
    """What a page wants to be run in; None is a folder with the examples."""
    return dict(marks_of(page.read_text(encoding="utf-8"))).get("setup")


def alike(block: Block, printed: str) -> bool:
    """Whether a block shows what was printed, but for numbers, bars and the width of columns."""

    def masked(text: str) -> list[str]:
        lines = sorted(text.splitlines()) if block.mark("any order") is not None else [text]
        masked = re.sub(r"\d+([.:]\d+)*(e[+-]\d+)?", "#", "\n".join(lines))
        return re.sub(r"[\s─█▏▎▍▌▋▊▉]+", " ", masked).split()

    return masked(printed) == masked(block.text)
