"""Parquet data sets of signals: a row for each recording, read some rows at a time (extra `cluster`).

Columns are `signal` (a list of numbers), and perhaps `record` (its name), `fs` (Hz) and `unit`; what a row does not
say, the user does. A Parquet file with a row for each sample is an ECG file like others (`formats.parquet_table`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput
from ecg_rhythm.printable import first_line
from ecg_rhythm.records import remote
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.recording import Recording, of_signal

SIGNAL, NAME, FS, UNIT = "signal", "record", "fs", "unit"
ROWS = 64
"""Rows that are read at a time."""
BUFFER = 1 << 20
"""Bytes of each column that are read at a time."""
SUFFIX = ".parquet"


class Signal(NamedTuple):
    """A row of a data set: a recording to classify.

    Attributes
    ----------
    source : str
        The data set.
    name : str
        The name of the recording.
    samples : ndarray, shape (n,)
        Its samples, NaN where they are missing.
    options : ReadOptions or BadInput
        Rate and unit, or why there are none.
    where : str
        Empty: no manifest names it.
    """

    source: str
    name: str
    samples: NDArray[Any]
    options: ReadOptions | BadInput
    where: str = ""

    @property
    def path(self) -> str:
        """The data set and the name, for messages."""
        return f"{self.source}: {self.name}"

    @property
    def size(self) -> float:
        """Bytes of its samples."""
        return float(self.samples.nbytes)

    def open(self) -> Recording:
        """Make a recording of it."""
        if isinstance(self.options, BadInput):
            raise self.options
        if self.options.fs is None:
            raise BadInput(f"{self.path}: it has no rate; add a column {FS} in Hz, or give the rate with --fs")
        if self.options.lead is not None:
            raise BadInput(f"{self.path}: a row is of a single lead; leave --lead out")
        return of_signal(self.samples, self.options.fs, self.name, self.options.unit)


def row_groups(source: str) -> list[int] | None:
    """How many recordings each row group of a Parquet data set holds; None of another file.

    Raises
    ------
    BadInput
        If it cannot be opened.
    """
    if not source.lower().endswith(SUFFIX):
        return None
    with _opened(source) as file:
        import pyarrow

        schema = file.schema_arrow
        position = schema.get_field_index(SIGNAL)
        if position < 0 or not _is_list(schema.field(position).type, pyarrow.types):
            return None
        return [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]


def read(source: str, row_group: int, options: ReadOptions) -> Iterator[Signal]:
    """Read the recordings of a row group, some rows at a time; `options` hold where a row says nothing.

    Raises
    ------
    BadInput
        If it cannot be read.
    """
    with _opened(source) as file:
        wanted = [name for name in (SIGNAL, NAME, FS, UNIT) if name in file.schema_arrow.names]
        first = sum(file.metadata.row_group(i).num_rows for i in range(row_group))
        for batch in file.iter_batches(ROWS, row_groups=[row_group], columns=wanted, use_threads=False):
            cells = {name: batch.column(name).to_pylist() for name in wanted if name != SIGNAL}
            for i, samples in enumerate(batch.column(SIGNAL)):
                row = {name: values[i] for name, values in cells.items() if values[i] is not None}
                name = str(row.get(NAME, first + i + 1))
                yield Signal(source, name, _samples(samples), _options(source, name, row, options))
            first += batch.num_rows


def _samples(cell: Any) -> NDArray[Any]:
    """The numbers of a list; none of an empty cell."""
    if not cell.is_valid:
        return np.zeros(0)
    return np.asarray(cell.values.to_numpy(zero_copy_only=False))


def _options(source: str, name: str, row: dict[str, Any], options: ReadOptions) -> ReadOptions | BadInput:
    """What a row says comes before what the user says of all."""
    fs, unit = row.get(FS), row.get(UNIT)
    try:
        if fs is not None and not isfinite(fs := float(fs)):
            raise ValueError
    except (TypeError, ValueError):
        return BadInput(f"{source}: {name}: its rate {row[FS]!r} is no number; give it in Hz in column {FS}")
    return replace(options, fs=options.fs if fs is None else fs, unit=options.unit if unit is None else str(unit))


def _is_list(kind: Any, types: Any) -> bool:
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    numbers = (types.is_floating, types.is_integer)
    return any(is_kind(kind) for is_kind in lists) and any(is_kind(kind.value_type) for is_kind in numbers)


@contextmanager
def _opened(source: str) -> Iterator[Any]:
    with extras.needed("parquet", f"{source}: reading Parquet"):
        import pyarrow
        from pyarrow import parquet
    try:
        with remote.open_file(source) if remote.is_url(source) else Path(source).open("rb") as file:
            yield parquet.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER)  # not all of a column at once
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        why = first_line(error).rstrip(".")
        raise BadInput(f"{source}: this Parquet file cannot be read ({why}); save it again") from None
