from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse

from ecg_rhythm.records import ReadOptions, read
from fuzzing.inputs import FS, LEAD, OTHER, TIMES
from tests.helpers import refusal
from tests.records.writers import RESP


@pytest.mark.parametrize("kind", ["npz", "mat", "npy", "parquet", "index"])
def test_times_beside_a_signal_tell_its_rate_and_gaps(tmp_path: Path, kind: str) -> None:
    there = (TIMES < 3) | (TIMES >= 5)
    times, lead = TIMES[there], LEAD[there]
    if kind == "npz":
        np.savez(tmp_path / "r.npz", time=times, v=lead)
    elif kind == "mat":
        scipy.io.savemat(tmp_path / "r.mat", {"t": times, "y": lead})
    elif kind == "npy":
        np.save(tmp_path / "r.npy", np.column_stack([times, lead]))
    else:
        table = pd.DataFrame({"ecg": lead})
        if kind == "index":
            table.index = pd.Timestamp("2024-01-05") + pd.to_timedelta(times, unit="s")
        else:
            table["when"] = pd.to_timedelta(times, unit="s")
        table.to_parquet(tmp_path / "r.parquet")
    (path,) = (path for path in tmp_path.iterdir())
    record = read(path, ReadOptions(unit="mV"))
    assert (record.fs, record.gaps, len(record.signal)) == (FS, 1, len(LEAD))
    np.testing.assert_allclose(record.signal[TIMES < 3], LEAD[TIMES < 3], atol=1e-5)


def test_text_may_be_bytes(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", ecg=100 * LEAD, fs=np.bytes_(b"360 Hz"), unit=np.array(b"10 uV"))
    record = read(tmp_path / "r.npz")
    assert (record.fs, record.remarks) == (360, ())
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_an_array_of_another_kind_is_not_the_signal(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", annotation=np.arange(9 * len(LEAD)) % 7, lead_II=LEAD, fs=FS)
    np.testing.assert_allclose(read(tmp_path / "r.npz").signal, LEAD, atol=1e-5)


def test_arrays_named_after_leads_are_leads(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", II=OTHER, I=LEAD, srate=FS)
    assert read(tmp_path / "r.npz").lead == "I"
    np.testing.assert_allclose(read(tmp_path / "r.npz", ReadOptions(lead="ii")).signal, OTHER, atol=1e-5)
    np.savez(tmp_path / "r.npz", x=RESP, y=RESP, z=RESP, ecg_clean=LEAD, fs=FS)
    assert read(tmp_path / "r.npz").lead == "ecg_clean"
    np.savez(tmp_path / "r.npz", x=TIMES, y=LEAD)
    assert read(tmp_path / "r.npz").fs == FS


def test_many_recordings_in_one_array_are_refused(tmp_path: Path) -> None:
    beats = np.random.default_rng(0).normal(size=(500, 187))
    np.save(tmp_path / "r.npy", beats)
    assert "are many recordings or beats rather than leads; save each" in refusal(lambda: read(tmp_path / "r.npy"))
    channels = {"data": np.tile(LEAD, 2)[None], "datastart": np.array([[1], [2001]]), "samplerate": FS}
    scipy.io.savemat(tmp_path / "r.mat", channels)
    assert "export a single channel" in refusal(lambda: read(tmp_path / "r.mat"))


@pytest.mark.parametrize(
    "arrays",
    [
        {"data": LEAD, "i": 5.0},
        {"data": LEAD, "II": np.arange(3.0)},
        {"data": LEAD, "val": 7.0},
        {"data": LEAD, "val": np.arange(3.0)},
        {"I": LEAD, "i": 5.0},
        {"ECG": LEAD, "ecg": 5.0},
        {"I": LEAD, "II": OTHER, "i": 5.0},
        {"ii": LEAD, "audio": np.zeros(200 * len(LEAD))},
        {"II": LEAD, "weights": np.zeros((2, 150 * len(LEAD)))},
    ],
)
def test_a_signal_is_known_by_its_name_if_it_is_long_enough_to_be_one(tmp_path: Path, arrays: dict[str, Any]) -> None:
    scipy.io.savemat(tmp_path / "r.mat", {"fs": FS, **arrays})
    np.testing.assert_allclose(read(tmp_path / "r.mat").signal, LEAD, atol=1e-5)
