"""Parquet tables, with the `pyarrow` library (extra `parquet`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import inflating
from ecg_rhythm.records.arrays import UNITS
from ecg_rhythm.records.clock import started
from ecg_rhythm.records.columns import BEGIN
from ecg_rhythm.records.formats import LIBRARY_ERRORS, why
from ecg_rhythm.records.formats.cells import numbers_of, seconds_of
from ecg_rhythm.records.formats.fields import NUMBER, is_clock, is_missing
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.personal import says_who
from ecg_rhythm.records.rates import stated_rate
from ecg_rhythm.records.recording import Recording
from ecg_rhythm.records.tables import Table, recording_of_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow
    import pyarrow.parquet

CLOCK = ":"
"""The kind of a column of text that holds times; that of numbers is their decimal sign."""


def open_parquet(path: Path, options: ReadOptions) -> Recording:
    """Open a table with a row per sample; its metadata may give the rate and the unit.

    Columns of text are read as in text files, if they hold numbers or times; any other column is passed over, and so is
    a text or a time that says who was recorded.
    """
    with extras.needed("parquet", f"{path}: reading Parquet"):
        import pyarrow
        from pyarrow import parquet
    try:
        file = parquet.ParquetFile(path, memory_map=True)
        inflating.check(path, 8 * file.metadata.num_rows)
        text = _kinds_of_text(file)
        fields = [
            (field, text.get(i, ""))
            for i, field in enumerate(file.schema_arrow)
            if _is_number(field) or ((text.get(i) or _is_moment(field)) and not says_who(field.name))
        ]
        others = [field.name for i, field in enumerate(file.schema_arrow) if text.get(i) == ""]
        pairs = (file.schema_arrow.metadata or {}).items()
        metadata = {key.decode().strip().lower(): value.decode() for key, value in pairs}
        fs = stated_rate(metadata)
        unit = next((metadata[key] for key in UNITS if key in metadata), None)
        moments = [field.name for field, _ in fields if pyarrow.types.is_timestamp(field.type)]
        begun = started(f"{key}: {value}" for key, value in metadata.items()) or (
            _first_moment(file, moments[0]) if moments else None
        )
    except (*LIBRARY_ERRORS, pyarrow.ArrowException) as error:
        raise BadInput(f"{path}: this Parquet file is damaged{why(error, path)}; save it again") from None
    columns = _Columns(path, file, fields)
    names = ["time (s)" if _is_moment(field) or kind == CLOCK else field.name for field, kind in fields]
    table = Table(names, columns.read, fs, unit=unit, of_columns=columns.words, text=others, start=begun)
    return recording_of_table(table, path.stem, options, str(path))


class _Columns:
    """Columns of a table as numbers; times are in s from the first row.

    Attributes
    ----------
    words : dict
        Position of each column that holds words in place of numbers -> a remark; known once the column is read.
    """

    def __init__(
        self, path: Path, file: pyarrow.parquet.ParquetFile, fields: Sequence[tuple[pyarrow.Field, str]]
    ) -> None:
        self.path, self.file, self.fields = path, file, fields
        self.often = Counter(file.schema_arrow.names)
        self.words: dict[int, str] = {}

    def read(self, position: int, rows: int | None) -> NDArray[np.float64]:
        """Read the first rows of a column, or all."""
        import pyarrow

        field, kind = self.fields[position]
        of_one_name = BadInput(f"{self.path}: several columns are called {field.name!r}; give each a name of its own")
        is_alone = self.often[field.name] == 1
        if rows is None and not is_alone:
            raise of_one_name
        try:
            values = self.file.read([field.name]).column(0)[:rows]
            if kind:
                return self._of_text(position, values.to_pandas().fillna("").str.strip(), kind)
            if _is_moment(field):
                return _seconds(values, field)
            return np.asarray(values.cast(pyarrow.float64()).to_numpy(), dtype=np.float64)
        except (*LIBRARY_ERRORS, pyarrow.ArrowException):
            damaged = BadInput(f"{self.path}: column {field.name!r} cannot be read; save the file again")
            raise (damaged if is_alone else of_one_name) from None

    def _of_text(self, position: int, cells: pd.Series[str], kind: str) -> NDArray[np.float64]:
        if kind == CLOCK:
            return seconds_of(cells)
        numbers, wrong = numbers_of(cells, kind)
        if wrong.any():
            self.words[position] = f"{wrong.sum()} of its {len(wrong)} rows taken as gaps, as they hold words"
        return numbers


def _seconds(values: pyarrow.ChunkedArray, field: pyarrow.Field) -> NDArray[np.float64]:
    """Dates, times of day or durations in s, the first two from the first row."""
    import pyarrow

    if pyarrow.types.is_time(field.type):
        return seconds_of(values.cast(pyarrow.string()).to_pandas())
    of_kind = pyarrow.duration if pyarrow.types.is_duration(field.type) else pyarrow.timestamp
    nanoseconds = values.cast(of_kind("ns")).cast(pyarrow.int64())
    first = nanoseconds[0].as_py()
    return np.asarray((nanoseconds.to_numpy() - first) / 1e9, dtype=np.float64)


def _is_moment(field: pyarrow.Field) -> bool:
    from pyarrow import types

    return bool(types.is_timestamp(field.type) or types.is_duration(field.type) or types.is_time(field.type))


def _is_number(field: pyarrow.Field) -> bool:
    from pyarrow import types

    return bool(types.is_integer(field.type) or types.is_floating(field.type) or types.is_decimal(field.type))


def _kinds_of_text(file: pyarrow.parquet.ParquetFile) -> dict[int, str]:
    """Position of each column of text -> what most of its cells are, as `_kind_of` calls it; of twin names, nothing."""
    from pyarrow import types

    fields, often = [*file.schema_arrow], Counter(file.schema_arrow.names)
    kinds = {i: "" for i, one in enumerate(fields) if types.is_string(one.type) or types.is_large_string(one.type)}
    alone = [i for i in kinds if often[fields[i].name] == 1]
    begin = next(file.iter_batches(BEGIN, columns=[fields[i].name for i in alone]), None) if alone else None
    for i, cells in zip(alone, begin.columns if begin is not None else [], strict=False):
        kinds[i] = _kind_of([cell for cell in cells.to_pylist() if cell is not None])
    return kinds


def _first_moment(file: pyarrow.parquet.ParquetFile, name: str) -> datetime | None:
    """The first date in a column of dates."""
    first = next(file.iter_batches(1, columns=[name]), None)
    value = None if first is None or not len(first) else first.column(0).cast("timestamp[us]", safe=False)[0].as_py()
    zone = file.schema_arrow.field(name).type.tz
    return value if value is None or zone is None else value.replace(tzinfo=UTC)


def _kind_of(cells: list[str]) -> str:
    """What most of a column's cells are: times, numbers with a decimal sign, or (empty) text."""
    cells = [cell.strip() for cell in cells]
    given = [cell for cell in cells if not is_missing(cell)]
    shares = {CLOCK: sum(map(is_clock, given))}
    shares |= {
        decimal: sum(pattern.fullmatch(cell) is not None for cell in given) for decimal, pattern in NUMBER.items()
    }
    kind = max(shares, key=lambda name: shares[name])
    return kind if shares[kind] > len(given) / 2 else ""
