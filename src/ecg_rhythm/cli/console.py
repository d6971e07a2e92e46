"""What all commands share: the program, where it prints, options that mean the same everywhere."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from ecg_rhythm.version import __version__

WIDE = 200
"""Columns where there is no terminal: wide enough for every table."""


def console(stream: TextIO) -> Console:
    """Make a console as wide as the terminal, or wide enough for every table where there is none."""
    return Console(file=stream, width=None if stream.isatty() else WIDE)


def new_table(*columns: str, title: str | None = None) -> Table:
    """Make an empty table; its first column is a name, the others are numbers."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    return table


DATA, TRAIN, COMPARE, USE = "Data", "Train", "Compare", "Use"
"""Groups of verbs, in the order in which `--help` lists them."""


class Grouped(TyperGroup):
    """Lists verbs by their groups; the library does so only with boxes around them."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # whose types are private to the library
        """Write a section for each group."""
        verbs = [(name, verb) for name in self.list_commands(ctx) if (verb := self.get_command(ctx, name))]
        for group in (DATA, TRAIN, COMPARE, USE):
            own = [
                (name, verb.get_short_help_str(80))
                for name, verb in verbs
                if group == getattr(verb, "rich_help_panel", "")
            ]
            with formatter.section(group):
                formatter.write_dl(own)


app = typer.Typer(
    cls=Grouped,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
# Where these are closed, as in a service without a console, Python has None: nobody reads what is printed.
sys.stdout, sys.stderr = (stream or Path(os.devnull).open("w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):  # what its encoding lacks is escaped: a file's name must not end a batch
        stream.reconfigure(errors="backslashreplace")
out, err = console(sys.stdout), console(sys.stderr)

Data = Annotated[Path, typer.Option(help="Data folder, with the packed data set and its splits.")]
Logs = Annotated[Path, typer.Option(help="Folder with the runs.")]


def complain(message: object, console: Console = err) -> None:
    """Print an error in one line."""
    console.print(f"error: {' '.join(str(message).splitlines())}", markup=False, highlight=False, soft_wrap=True)


def note(message: str) -> None:
    """Print a remark in one line."""
    err.print(f"note: {message}", markup=False, highlight=False, soft_wrap=True)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ecg-rhythm {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Train, compare and use neural networks that classify heart rhythm in single-lead ECGs."""
