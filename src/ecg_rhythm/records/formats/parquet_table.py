"""Parquet tables, with the `pyarrow` library (extra `parquet`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import inflating
from ecg_rhythm.records.arrays import UNITS
from ecg_rhythm.records.formats import why
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.rates import stated_rate
from ecg_rhythm.records.recording import Recording
from ecg_rhythm.records.tables import Table, recording_of_table


def open_parquet(path: Path, options: ReadOptions) -> Recording:
    """Open a table with a row per sample; its metadata may give the rate and the unit."""
    with extras.needed("parquet", f"{path}: reading Parquet"):
        import pyarrow
        from pyarrow import parquet

    def holds_numbers(field: pyarrow.Field) -> bool:
        types = pyarrow.types
        kinds = types.is_integer, types.is_floating, types.is_timestamp, types.is_duration
        return any(of_kind(field.type) for of_kind in kinds)

    def is_moment(field: pyarrow.Field) -> bool:
        return bool(pyarrow.types.is_timestamp(field.type) or pyarrow.types.is_duration(field.type))

    try:
        file = parquet.ParquetFile(path, memory_map=True)
        inflating.check(path, 8 * file.metadata.num_rows)
        fields = [field for field in file.schema_arrow if holds_numbers(field)]
        pairs = (file.schema_arrow.metadata or {}).items()
        metadata = {key.decode().strip().lower(): value.decode() for key, value in pairs}
        fs = stated_rate(metadata)
        unit = next((metadata[key] for key in UNITS if key in metadata), None)
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise BadInput(f"{path}: this Parquet file is damaged{why(error, path)}; save it again") from None

    def column(position: int, rows: int | None) -> NDArray[np.float64]:
        field = fields[position]
        if rows is None and file.schema_arrow.names.count(field.name) > 1:
            raise BadInput(f"{path}: several columns are called {field.name!r}; give each a name of its own")
        try:
            values = file.read([field.name]).column(0)[:rows]
            if is_moment(field):
                kind = pyarrow.duration if pyarrow.types.is_duration(field.type) else pyarrow.timestamp
                nanoseconds = values.cast(kind("ns")).cast(pyarrow.int64())
                first = nanoseconds[0].as_py()
                return np.asarray((nanoseconds.to_numpy() - first) / 1e9, dtype=np.float64)
            return np.asarray(values.cast(pyarrow.float64()).to_numpy(), dtype=np.float64)
        except (OSError, ValueError, KeyError, IndexError, TypeError, pyarrow.ArrowException):
            raise BadInput(f"{path}: column {field.name!r} cannot be read; save the file again") from None

    names = ["time (s)" if is_moment(field) else field.name for field in fields]
    return recording_of_table(Table(names, column, fs, unit=unit), path.stem, options, str(path))
