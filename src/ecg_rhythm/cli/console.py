"""What all verbs share: the program, where it prints, options that mean the same everywhere."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
import typer.core
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ecg_rhythm import given
from ecg_rhythm.machine import MOST_PROCESSES
from ecg_rhythm.printable import shown
from ecg_rhythm.version import __version__

WIDE = 200
"""Columns where there is no terminal: wide enough for every table."""


class Screen(Console):
    """A console that shows all text as `printable.shown` does: names in files must not control the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render what rich is to print; what rich itself says to the terminal stays."""
        for segment in super().render(renderable, options):
            if not segment.control:
                segment = Segment("\n".join(map(shown, segment.text.split("\n"))), segment.style)
            yield segment


def _forget_impossible_sizes() -> None:
    """Drop sizes of the terminal that rich would fail at, such as numbers of thousands of digits."""
    for name in ("COLUMNS", "LINES"):
        if (said := os.environ.get(name)) is not None and given.whole(said) is None:
            del os.environ[name]


def console(stream: TextIO) -> Console:
    """A console as wide as the terminal, or, without a terminal, wide enough for every table."""
    # Without markup and emoji: "[red]" and ":x:" in a name are no signs.
    return Screen(file=stream, width=_width(stream), emoji=False, markup=False)


def _width(stream: TextIO) -> int | None:
    """Columns of a console; None where rich finds them out, at each output."""
    if not stream.isatty():
        return WIDE
    none_said = os.environ.get("COLUMNS", "1").strip("0 ") == ""  # rich would take 0 columns as they are
    return shutil.get_terminal_size().columns if none_said else None


def new_table(*columns: str, title: str | None = None) -> Table:
    """Make an empty table; its first column is a name, the others are numbers."""
    line = Text(title, "table.title", no_wrap=True, overflow="ignore") if title else None  # may be wider than the table
    table = Table(title=line, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    return table


DATA, TRAIN, COMPARE, USE = "Data", "Train", "Compare", "Use"
"""Groups of verbs in `--help`: the `rich_help_panel` of each."""


class Verbs(typer.core.TyperGroup):
    """The verbs, grouped in plain text: rich's boxes would take longer and are hard to read without a terminal."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group of verbs, in the order in which they were added."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, verb in self.commands.items():
            if not verb.hidden and isinstance(verb, typer.core.TyperCommand):
                group = groups.setdefault(str(verb.rich_help_panel), [])
                group.append((name, verb.get_short_help_str(formatter.width)))
        width = max(len(name) for verbs in groups.values() for name, _ in verbs)
        for title, verbs in groups.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in verbs])


class WithCluster(typer.core.TyperCommand):
    """A verb whose option `--cluster` may stand without an address, which typer has no option for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in the word for a cluster of this machine where no address follows."""
        words: list[str] = []
        for i, word in enumerate(args):
            words.append(word)
            follows = args[i + 1] if i + 1 < len(args) else ""
            if word == "--cluster" and not _is_address(follows):
                words.append(HERE)
        return super().parse_args(ctx, words)


def _is_address(word: str) -> bool:
    """Whether what follows --cluster is an address; all else is a file, a URL or an option."""
    is_path = "/" in word or "\\" in word
    return word == "auto" or word.startswith("ray://") or (":" in word and not is_path)


HERE = "here"
"""In place of an address: a cluster of this machine, started for one command."""
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="[ADDRESS]",
        help="Use a Ray cluster: HOST:PORT, or auto for the one that this machine belongs to. Without an address, a "
        "local Ray instance is started and stopped.",
    ),
]

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# Python has None for a stream that is closed, as in a service without a console: nobody reads what is printed.
sys.stdout, sys.stderr = (stream or Path(os.devnull).open("w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):  # escapes what the encoding lacks: a file's name must not end a batch
        stream.reconfigure(errors="backslashreplace")
_forget_impossible_sizes()
out, err = console(sys.stdout), console(sys.stderr)

Data = Annotated[Path, typer.Option(help="Folder of the packed data set and its splits.")]
Logs = Annotated[Path, typer.Option(help="Folder of the runs.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_PROCESSES,
        help="Processes that compute at the same time. Default: one for each core.",
        show_default=False,
    ),
]


def complain(message: object, console: Console = err) -> None:
    """Print an error in one line."""
    console.print(f"error: {shown(' '.join(str(message).splitlines()))}", highlight=False, soft_wrap=True)


def hertz(text: str) -> float:
    """A frequency from the command line, with a decimal point or comma, as in a manifest."""
    try:
        return given.hertz(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a valid float.") from None


def note(message: str) -> None:
    """Print a remark in one line."""
    err.print(f"note: {shown(message)}", highlight=False, soft_wrap=True)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ecg-rhythm {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train, compare and use neural networks that classify heart rhythm in single-lead ECGs."""
