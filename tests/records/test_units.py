from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecg_rhythm.records import ReadOptions, read
from fuzzing.inputs import FS, LEAD
from tests.helpers import refusal


@pytest.mark.parametrize(("factor", "remark"), [(1, "unit unknown, taken as mV"), (1000, "unit unknown, taken as uV")])
def test_an_unknown_unit_is_guessed_from_the_size_with_a_remark(tmp_path: Path, factor: float, remark: str) -> None:
    np.save(tmp_path / "r.npy", 60 * LEAD / LEAD.std() * 0.001 * factor)
    record = read(tmp_path / "r.npy", ReadOptions(fs=FS))
    assert record.remarks == (remark,)
    assert record.signal.std() == pytest.approx(0.06, rel=1e-4)


@pytest.mark.parametrize("unit", ["mmHg", "0/mV", "x/mV", "200/kg", "1e999/mV"])
def test_a_unit_that_is_none_of_voltage_is_refused(tmp_path: Path, unit: str) -> None:
    np.save(tmp_path / "r.npy", LEAD)
    options = ReadOptions(fs=FS, unit=unit)
    assert f"its samples are in {unit!r}, which is no voltage" in refusal(lambda: read(tmp_path / "r.npy", options))
