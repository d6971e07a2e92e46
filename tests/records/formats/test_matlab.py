from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_rhythm.records import ReadOptions, read
from tests.helpers import refusal
from tests.records.writers import WAVE, write_mat


def test_a_challenge_mat_is_read_without_its_header_as_with_it(tmp_path: Path) -> None:
    samples = np.rint(1000 * WAVE).astype(np.int16)
    alone = read(write_mat(tmp_path / "A00001.mat", samples))
    with_options = read(tmp_path / "A00001.mat", ReadOptions(fs=250, unit="500/mV"))
    assert (with_options.fs, with_options.signal.max(), with_options.remarks) == (250, 2 * alone.signal.max(), ())
    header = "A00001 1 300 1000 05:05:15 1/05/2000 \r\nA00001.mat 16+24 1000/mV 16 0 0 0 0 ECG \r\n"
    (tmp_path / "A00001.hea").write_bytes(header.encode())
    assert np.array_equal(alone.signal, samples / np.float32(1000))
    assert (alone.name, alone.fs) == ("A00001", 300)
    assert alone.remarks == ("no header, taken as the 2017 challenge's",)
    for name in ("A00001", "A00001.mat", "A00001.hea"):
        record = read(tmp_path / name)
        assert np.array_equal(record.signal, alone.signal)
        assert (record.name, record.fs, record.lead, record.remarks) == ("A00001", 300, "ECG", ())


def test_of_a_mat_with_several_rows_the_first_is_read(tmp_path: Path) -> None:
    path = write_mat(tmp_path / "r.mat", np.array([[1000, 2000, 1000], [3, 4, 3]], np.int16))
    assert read(path, ReadOptions(fs=500, unit="1000/mV")).signal.tolist() == [1, 2, 1]
    assert "its sampling rate is unknown" in refusal(lambda: read(path))  # later challenges have 500 Hz


def test_a_mat_may_hold_its_lead_as_a_column(tmp_path: Path) -> None:
    path = write_mat(tmp_path / "r.mat", np.array([[1000], [2000], [3000]], np.int16))
    assert read(path).signal.tolist() == [1, 2, 3]


@given(share=st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=30)
def test_a_mat_cut_short_is_refused(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "r.mat"
    samples = np.arange(1000, dtype=np.int16)
    scipy.io.savemat(path, {"val": samples}, format="4")
    assert np.array_equal(read(path).signal, samples / np.float32(1000))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    message = refusal(lambda: read(path))
    assert re.search("this .mat file is damaged or not a .mat file|this file is empty|no row or table", message)
