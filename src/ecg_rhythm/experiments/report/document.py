"""What a report consists of, whatever it is written as: sections of paragraphs, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ecg_rhythm.printable import csv_line, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Value = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows of values, with the format that people see them in.

    Attributes
    ----------
    name : str
        Name of its file, without suffix.
    title : str
        What it shows, in a few words.
    columns : dict of str to str
        Title of each column -> format of its values, such as ".3f"; empty for text.
    rows : list of sequence of str, int, float or None
        None is an empty cell.
    note : str
        What a reader must know, below it.
    command : str
        The command that makes its figures.
    """

    name: str
    title: str
    columns: dict[str, str]
    rows: Sequence[Sequence[Value]]
    note: str = ""
    command: str = ""

    def texts(self) -> list[list[str]]:
        """Cells as people see them."""
        return [[text(v, kind) for v, kind in zip(row, self.columns.values(), strict=True)] for row in self.rows]

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers."""
        return [bool(kind) for kind in self.columns.values()]

    def csv(self) -> str:
        """All values as CSV, numbers in six decimals."""
        return "".join(csv_line(row, digits=6) for row in [list(self.columns), *self.rows])


def text(value: Value, kind: str) -> str:
    """A value as people see it."""
    if value is None or value != value:
        return ""
    if isinstance(value, str) or not kind:
        return shown(value)
    if kind == "p":
        return f"{value:.3f}" if value >= 0.001 else "< 0.001"
    return format(value, kind)


@dataclass(frozen=True)
class Panel:
    """One drawing of a picture."""

    title: str
    figure: Figure


@dataclass(frozen=True)
class Picture:
    """Drawings that belong together, and the values behind them.

    Attributes
    ----------
    name : str
        Name of its files, without suffix.
    title : str
        What it shows, in a few words.
    panels : list of Panel
        Side by side, as far as there is room.
    data : Table
        The values that are drawn.
    says : str
        What the picture shows in a sentence, for those who do not see it.
    legend : list of str
        Names of the lines, in the order of their colours.
    note : str
        What a reader must know, below it.
    command : str
        The command that makes its figures.
    wide : bool
        Whether a panel takes the whole width.
    """

    name: str
    title: str
    panels: list[Panel]
    data: Table
    says: str
    legend: list[str] = field(default_factory=list)
    note: str = ""
    command: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Answers:
    """Questions with their answers, each a sentence or two."""

    rows: list[tuple[str, str]]


Item = str | Table | Picture | Answers
"""A paragraph, in which `...` marks what a program reads, and so on."""


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    name: str
    title: str
    items: list[Item]


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes
    ----------
    title : str
        Its heading.
    about : str
        What it compares, in a sentence.
    sections : list of Section
        In their order.
    """

    title: str
    about: str
    sections: list[Section]
