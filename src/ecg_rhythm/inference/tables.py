"""Answers as rows of tables: in files and on the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from ecg_rhythm.inference.answers import Answer, Prediction, Timeline, rhythms_of
from ecg_rhythm.inference.fields import Field, published
from ecg_rhythm.inference.names import named
from ecg_rhythm.printable import shown

AT_ONCE = 4096
"""Rows that are written to a Parquet file at a time."""

LAST = "reading"
"""A long text, which stands at the end of a row."""


def columns(classes: list[str]) -> dict[str, bool]:
    """Columns of a table in a file -> whether they hold text.

    There is a row for each answer; what does not apply to it is empty.
    """
    holds_text = {"file": True, "kind": True}
    both = [(one, classes) for one in published(Prediction)]
    both += [(one, rhythms_of(classes)) for one in published(Timeline)]
    for one, names in sorted(both, key=lambda pair: pair[0].name == LAST):
        each = "{}" in one.column
        is_text = not (each or float in (one.type, *get_args(one.type)))
        holds_text |= dict.fromkeys([one.column.format(name) for name in names] if each else [one.column], is_text)
    holds_text.pop("", None)
    return holds_text


def row(path: Path | str, answer: Answer) -> dict[str, str | float | None]:
    """A file's answer as a row of that table: several values are joined by spaces, episodes are counted."""
    cells = {name: _in_file(value, one.digits) for name, value, one in _cells(answer, "column")}
    return {"file": shown(path), "kind": answer.kind} | cells


def write_parquet(path: Path, columns: dict[str, bool], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows to a Parquet file, some at a time; `columns` says of each column whether it holds text."""
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema((name, pyarrow.string() if text else pyarrow.float64()) for name, text in columns.items())
    rows = iter(rows)
    with parquet.ParquetWriter(path, schema, write_page_checksum=True) as writer:
        while some := list(islice(rows, AT_ONCE)):
            writer.write_table(pyarrow.Table.from_pylist(some, schema=schema))


def screen_row(answer: Answer) -> dict[str, str]:
    """An answer as a row of a table on the screen, heading -> text; what is null has none."""
    row = {name: _on_screen(value, one.format) for name, value, one in _cells(answer, "heading") if value is not None}
    if isinstance(answer, Prediction):
        row["label"] = named(answer.label, answer.probabilities, between="  ")
    return row


def _cells(answer: Answer, kind: Literal["column", "heading"]) -> Iterator[tuple[str, Any, Field]]:
    """Name, value and field of each cell; a field that has a column for each class fills several."""
    for one in sorted(published(type(answer)), key=lambda one: one.name == LAST):
        name, value = getattr(one, kind), one.value(answer)
        if "{}" in name:
            if isinstance(answer, Timeline) and isinstance(value, list):
                counts = Counter(item["label"] for item in value)
                value = {label: counts[label] for label in answer.rhythms}
            yield from ((name.format(label), part, one) for label, part in value.items())
        elif name:
            yield name, value, one


def _in_file(value: Any, digits: int | None) -> str | float | None:
    if isinstance(value, list):
        return " ".join(shown(one) if isinstance(one, str) else f"{one[0]:g}-{one[1]:g}" for one in value)
    if isinstance(value, str):
        return shown(value)
    number: float | None = value
    return number if number is None or digits is None else round(number, digits)


def _on_screen(value: Any, number: str) -> str:
    if isinstance(value, list):
        pairs = ["-".join(format(part, number) for part in one) for one in value if not isinstance(one, str)]
        return ", ".join(pairs) or " or ".join(value)
    return value if isinstance(value, str) else format(value, number)
