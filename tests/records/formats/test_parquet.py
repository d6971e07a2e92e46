from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from ecg_rhythm.records import ReadOptions, read
from fuzzing.inputs import FS, LEAD, OTHER
from tests.helpers import refusal


def test_columns_of_one_name_are_not_taken_for_each_other(tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_arrays([pa.array(OTHER), pa.array(LEAD)], ["ecg", "ecg"]), tmp_path / "r.parquet")
    message = refusal(lambda: read(tmp_path / "r.parquet", ReadOptions(lead="2", fs=FS)))
    assert "several columns are called 'ecg'; give each a name of its own" in message
    markers = pa.array(np.zeros(len(LEAD)))
    table = pa.Table.from_arrays([pa.array(LEAD), markers, markers], ["ecg", "marker", "marker"])
    parquet.write_table(table, tmp_path / "r.parquet")
    np.testing.assert_allclose(read(tmp_path / "r.parquet", ReadOptions(fs=FS)).signal, LEAD, atol=1e-5)


def test_a_strange_table_is_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    n, path = len(LEAD), tmp_path / "r.parquet"

    def saved(names: list[str], *columns: pa.Array) -> Path:
        table = pa.table([pa.array(LEAD), *columns], names=["ecg", *names])
        parquet.write_table(table.replace_schema_metadata({"fs": str(FS)}), path)
        return path

    parquet.write_table(pa.table({"time": pa.array([], pa.float64()), "ecg": pa.array([], pa.float64())}), path)
    assert "the recording is empty" in refusal(lambda: read(path, ReadOptions(fs=FS)))
    late = pa.array([2**40] * n, pa.int64()).cast(pa.timestamp("s"))
    assert "this Parquet file is damaged" in refusal(lambda: read(saved(["t"], late)))
    for twins in ([["12:00:00"] * n, [b"x"] * n], [["1.5"] * n, [2.5] * n]):
        np.testing.assert_allclose(read(saved(["fs", "fs"], *map(pa.array, twins))).signal, LEAD, atol=1e-6)
    words = saved(["note", "note"], pa.array(["x"] * n), pa.array([0.1] * n))
    assert "several columns are called 'note'" in refusal(lambda: read(words))
