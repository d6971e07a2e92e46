from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import Record, check_length, fill_gaps, read, resample
from tests.helpers import refusal
from tests.records.writers import WAVE, write_wfdb


def with_a_gap(folder: Path) -> Path:
    return write_wfdb(folder, signals=np.where(np.arange(1000) % 400 == 7, np.nan, WAVE))


def test_straight_lines_fill_gaps(tmp_path: Path) -> None:
    record = read(with_a_gap(tmp_path))
    assert record.missing == pytest.approx(0.003)
    lost = np.arange(1000) % 400 == 7
    np.testing.assert_allclose(record.signal[~lost], WAVE[~lost].astype(np.float32), atol=1e-3)
    np.testing.assert_allclose(record.signal[407], (record.signal[406] + record.signal[408]) / 2, rtol=1e-6)


@given(st.lists(st.sampled_from([0.5, -2.0, np.nan, np.inf]), min_size=1, max_size=30))
def test_filling_gaps_leaves_finite_samples_as_they_were(values: list[float]) -> None:
    signal = np.array(values, dtype=np.float32)
    real = np.isfinite(signal)
    record = Record(name="r", signal=signal, fs=300.0, lead="")
    if real.mean() < 0.5:
        with pytest.raises(BadInput, match="more than half"):
            fill_gaps(record, "r")
        return
    filled = fill_gaps(record, "r")
    assert np.isfinite(filled.signal).all() and (filled.signal[real] == signal[real]).all()
    assert filled.missing == pytest.approx(1 - real.mean())


def sine(frequency: float, n: int, fs: float, phase: float = 0) -> NDArray[np.float32]:
    return np.asarray(np.sin(2 * np.pi * frequency * np.arange(n) / fs + phase), np.float32)


@given(
    fs=st.sampled_from([100.0, 128.0, 250.0, 257.5, 360.0, 500.0, 1000.0]),
    to=st.sampled_from([100.0, 250.0, 300.0, 360.0]),
    frequency=st.floats(1, 25),
    phase=st.floats(0, 6),
    offset=st.floats(-5, 5),
)
@settings(deadline=None, max_examples=40)
def test_a_resampled_sine_is_the_sine_at_the_new_rate(
    fs: float, to: float, frequency: float, phase: float, offset: float
) -> None:
    record = Record("r", sine(frequency, int(10 * fs), fs, phase) + np.float32(offset), fs, "I")
    got = resample(record, to)
    assert (got.name, got.fs, got.lead) == ("r", to, "I")
    assert got.signal.dtype == np.float32
    assert abs(len(got.signal) - 10 * to) <= 1
    inner = slice(int(to / 2), -int(to / 2))
    want = sine(frequency, len(got.signal), to, phase) + np.float32(offset)
    np.testing.assert_allclose(got.signal[inner], want[inner], atol=0.01)


def test_what_the_new_rate_cannot_hold_is_filtered_out() -> None:
    got = resample(Record("r", sine(180, 10_000, 1000.0), 1000.0, "I"), 100.0)
    assert np.abs(got.signal[50:-50]).max() < 0.01


def test_a_record_at_the_rate_already_is_left_alone() -> None:
    record = Record("r", sine(5, 300, 300.0), 300.0, "I")
    assert resample(record, 300.0) is record


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_a_flat_line_stays_flat_to_its_ends(offset: float) -> None:
    got = resample(Record("r", np.full(500, offset, np.float32), 250.0, "I"), 300.0)
    assert got.signal.shape == (600,)
    np.testing.assert_allclose(got.signal, offset, atol=0.01)


@pytest.mark.parametrize(
    ("fs", "to"),
    [
        (1e9, 300),
        (4.5e6, 300),
        (1e300, 300),
        (300, 1e-9),
        pytest.param(1e-300, 300),
    ],
)
def test_a_rate_out_of_all_proportion_is_refused(fs: float, to: float) -> None:
    record = Record("r", sine(5, 300, 300.0), fs, "I")
    assert refusal(lambda: resample(record, to)).startswith(f"r: a rate of {fs:g} Hz cannot be resampled to {to:g} Hz")


def test_a_rate_far_above_the_new_one_is_brought_down_exactly() -> None:
    assert len(resample(Record("r", sine(5, 90_000, 450_000), 450_000, "I"), 300).signal) == 60


def test_a_recording_shorter_than_a_second_is_refused() -> None:
    check_length(Record("r", sine(5, 250, 250), 250, "I"))
    assert refusal(lambda: check_length(Record("r", sine(5, 200, 250), 250, "I"))) == (
        "r: 0.8 s is too short; give at least 1 s"
    )
    assert refusal(lambda: check_length(Record("", sine(5, 1, 250), 250, "I"))).startswith("signal: 0.004 s is too")
    assert refusal(lambda: check_length(Record("r", sine(5, 1, 1), 1, "I"))).startswith("r: a single sample is too")


def test_a_recording_hardly_too_short_is_not_said_to_be_long_enough() -> None:
    assert "r: 1 s is" not in refusal(lambda: check_length(Record("r", sine(5, 249, 250), 250, "I")))


@given(fs=st.floats(299.9, 300.1))
def test_a_rate_very_close_to_the_new_one_becomes_the_new_one(fs: float) -> None:
    record = Record("r", np.sin(np.arange(9000) / 40).astype(np.float32), fs, "")
    resampled = resample(record, 300.0)
    assert (resampled.fs, abs(len(resampled.signal) - 9000) <= 4) == (300.0, True)
    assert abs(resampled.signal[3000:3400] - record.signal[3000:3400]).max() < 0.1


def test_a_signal_of_one_sample_is_refused_by_the_name_of_its_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", signal=np.array([1.0]), fs=1)
    record = read(tmp_path / "r.npz")
    message = refusal(lambda: records.check_length(record, "r.npz"))
    assert message.startswith("r.npz: a single sample is too short")
