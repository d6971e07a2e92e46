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
