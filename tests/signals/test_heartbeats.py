from __future__ import annotations

import zipfile
from pathlib import Path

import neurokit2
import numpy as np
import pytest
import sleepecg

from ecg_rhythm.records import read
from ecg_rhythm.signals.heartbeats import heart_rate, heartbeats


@pytest.mark.parametrize("fs", [100, 128, 250, 300, 360, 500, 2000])
@pytest.mark.parametrize("rate", [45, 70, 110, 160])
@pytest.mark.parametrize("polarity", [1, -1])
def test_the_rate_of_a_simulated_heart_is_found(fs: int, rate: int, polarity: int) -> None:
    ecg = neurokit2.ecg_simulate(duration=30, sampling_rate=fs, heart_rate=rate, noise=0.02, random_state=0)
    assert heart_rate((polarity * ecg).astype(np.float32), fs) == pytest.approx(rate, rel=0.03)


@pytest.mark.parametrize("signal", [np.zeros(9000), np.zeros(10), np.ones(9000), np.arange(9000) / 300])
def test_what_does_not_beat_has_no_rate(signal: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    assert heart_rate(signal.astype(np.float32), 300) is None


def test_beats_do_not_depend_on_gain_or_offset() -> None:
    ecg = neurokit2.ecg_simulate(duration=30, sampling_rate=300, heart_rate=80, random_state=1).astype(np.float32)
    expected = heartbeats(ecg, 300)
    assert len(expected) == pytest.approx(40, abs=1)
    np.testing.assert_array_equal(heartbeats(500 * ecg + 3000, 300), expected)


def test_most_rates_are_those_another_library_finds(challenge_files: Path, tmp_path: Path) -> None:
    rows = [line.split(",") for line in (challenge_files / "REFERENCE-v3.csv").read_text().split()]
    normal = [name for name, label in rows if label in "NA"][:200]
    agree = 0
    with zipfile.ZipFile(challenge_files / "training2017.zip") as archive:
        for name in normal:
            record = read(archive.extract(f"training2017/{name}.mat", tmp_path))
            beats = sleepecg.detect_heartbeats(record.signal.astype(np.float64), record.fs)
            expected = 60 * record.fs / np.median(np.diff(beats))
            agree += abs((heart_rate(record.signal, record.fs) or 0) / expected - 1) < 0.05
    assert agree >= 0.9 * len(normal)
