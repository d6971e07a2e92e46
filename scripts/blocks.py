"""Find the code blocks of a page and run them, one after the other, as a reader would.

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

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import jsonschema
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
WIDTH = 100
"""Columns of the terminal in which commands print."""
PROMPT = "$ "
COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
MARKS = ("output", "json", "file", "not run", "small", "instead", "exit", "any order", "setup")
PAGES = ("README.md", "CONTRIBUTING.md", "docs/**/*.md")

INTERPRETER = """
import io, json, sys, traceback
from contextlib import redirect_stdout
names = {"__name__": "__main__"}
for line in sys.stdin:
    printed, failed = io.StringIO(), ""
    try:
        with redirect_stdout(printed):
            exec(compile(json.loads(line), "<block>", "exec"), names)
    except BaseException:
        failed = traceback.format_exc()
    print(json.dumps([printed.getvalue(), failed]), flush=True)
"""


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
    found, above = [], ""
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            above += token.content
        elif token.type == "fence":
            assert token.map is not None
            block = Block(page, token.map[0], token.info.strip(), token.content, list(marks_of(above)))
            for name, _ in block.marks:
                if name not in MARKS:
                    raise Wrong(f"{block.where}: {name!r} is no mark; choose one of {', '.join(MARKS)}")
            found.append(block)
            above = ""
        elif token.type not in ("list_item_open", "bullet_list_open", "ordered_list_open"):
            above = ""
    return found


def setup_of(page: Path) -> str | None:
    """What a page wants to be run in; None is a folder with the examples."""
    return dict(marks_of(page.read_text(encoding="utf-8"))).get("setup")


class Story:
    """The folder, shell and interpreter in which the blocks of one page run."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.page, self.folder = page, folder
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": str(WIDTH),
            "NO_COLOR": "1",
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "agg",
        }
        if setup_of(page) == "checkout":
            copy_repository(folder)
            self.environment["PYTHONPATH"] = str(folder / "src")
        self._python: subprocess.Popen[str] | None = None
        self._printed = ""

    def __enter__(self) -> Story:
        return self

    def __exit__(self, *_: object) -> None:
        if self._python is not None:
            with suppress(BrokenPipeError):
                self._python.communicate()

    def run(self, block: Block, *, small: bool) -> str | None:
        """Do with a block what its language and marks say.

        Parameters
        ----------
        block : Block
            The block.
        small : bool
            Run what its marks put in place of parts of it.

        Returns
        -------
        str or None
            What the block has to be, where it is output; None where it is not.

        Raises
        ------
        Wrong
            If it fails, or if nothing says what is to happen to it.
        """
        text = block.to_run(small=small)
        if block.mark("not run") is not None:
            if not block.mark("not run"):
                raise Wrong(f"{block.where}: say why it is not run")
            return None
        kind, target = block.mark("json"), block.mark("file")
        if kind is not None:
            self._check(block, kind, text)
        if target is not None:
            (self.folder / target).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / target).write_text(text, encoding="utf-8")
        elif block.mark("output") is not None:
            return self._printed
        elif block.language == "sh":
            self._shell(block, text)
        elif block.language == "console":
            return self._console(block, text)
        elif block.language == "python":
            self._printed = self._execute(block, text)
        elif kind is None:
            raise Wrong(f"{block.where}: neither run, nor output, nor marked `<!-- not run: REASON -->`")
        return None

    def _check(self, block: Block, kind: str, text: str) -> None:
        schema = json.loads((ROOT / "schemas" / f"{kind}.schema.json").read_text())
        if (self.folder / "src").exists():  # a page that adds an architecture
            schema = json.loads(self._shell(block, f"ecg-rhythm schema {kind}"))
        try:
            jsonschema.validate(json.loads(text), schema)
        except (ValueError, jsonschema.ValidationError) as error:
            raise Wrong(f"{block.where}: {error}") from None

    def _shell(self, block: Block, text: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Wrong(f"{block.where}: exit code {done.returncode}\n{text}\n{done.stdout}")
        return self._clean(done.stdout)

    def _console(self, block: Block, text: str) -> str:
        """A console block with what its commands print."""
        shown = [line for line in block.text.splitlines() if line.startswith(PROMPT)]
        made = [line for line in text.splitlines() if line.startswith(PROMPT)]
        if not shown:
            raise Wrong(f"{block.where}: a console block begins with a command behind `$ `")
        lines = []
        for command, run in zip(shown, made, strict=True):
            script = run.removeprefix(PROMPT)
            if (code := block.mark("exit")) is not None:
                script = f"({script}) || test $? = {code}"
            lines += [command, *(line.rstrip() for line in self._shell(block, script).strip("\n").splitlines())]
        return "\n".join(lines) + "\n"

    def _execute(self, block: Block, text: str) -> str:
        if self._python is None:
            self._python = subprocess.Popen(
                [sys.executable, "-c", INTERPRETER],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._python.stdin is not None and self._python.stdout is not None
        self._python.stdin.write(json.dumps(text) + "\n")
        self._python.stdin.flush()
        answer = self._python.stdout.readline()
        if not answer:
            raise Wrong(f"{block.where}: the interpreter ended")
        printed, failed = json.loads(answer)
        if failed:
            raise Wrong(f"{block.where}: {failed}")
        return self._clean(printed)

    def _clean(self, text: str) -> str:
        """Text without names of folders of this machine."""
        return text.replace(f"{self.folder}/", "").replace(f"{ROOT}/", "")


def copy_repository(folder: Path) -> None:
    """Copy what a page needs of the repository: the program, its models and jobs."""
    for name in ("src", "models", "jobs", "schemas"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(folder / "models", folder / "src" / "ecg_rhythm" / "assets" / "models")
    shutil.copytree(folder / "jobs", folder / "src" / "ecg_rhythm" / "assets" / "jobs")


def alike(block: Block, printed: str) -> bool:
    """Whether a block shows what was printed, but for numbers, bars and the width of columns."""

    def masked(text: str) -> list[str]:
        lines = sorted(text.splitlines()) if block.mark("any order") is not None else [text]
        masked = re.sub(r"\d+([.:]\d+)*(e[+-]\d+)?", "#", "\n".join(lines))
        return re.sub(r"[\s─█▏▎▍▌▋▊▉]+", " ", masked).split()

    return masked(printed) == masked(block.text)
