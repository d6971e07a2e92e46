from __future__ import annotations

import zipfile
from pathlib import Path

import neurokit2
import numpy as np
import pytest
import sleepecg
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ecg_rhythm.records import read
from ecg_rhythm.signals.gaps import fill
from ecg_rhythm.signals.heartbeats import heart_rate, heartbeats
from studies.known_beats import RATES_HZ, Rhythm, Shape, Strip, bigeminy, ecg, fibrillation, noise, sinus

SEEDS = st.integers(0, 2**32)


def strip(rhythm: Rhythm, seconds: float, fs: float, rng: np.random.Generator, shape: Shape | None = None) -> Strip:
    signal = ecg(rhythm, seconds, fs, shape)
    return Strip((signal + noise(0.02, len(signal), fs, rng)).astype(np.float32), fs, rhythm.beats)


def found(strip: Strip) -> float | None:
    return heart_rate(strip.signal, strip.fs)


@pytest.mark.parametrize("fs", [100, 128, 250, 300, 360, 500, 2000])
@pytest.mark.parametrize("rate", [45, 70, 110, 160])
@pytest.mark.parametrize("polarity", [1, -1])
def test_the_rate_of_a_simulated_heart_is_found(fs: int, rate: int, polarity: int) -> None:
    ecg = neurokit2.ecg_simulate(duration=30, sampling_rate=fs, heart_rate=rate, noise=0.02, random_state=0)
    assert heart_rate((polarity * ecg).astype(np.float32), fs) == pytest.approx(rate, rel=0.03)


@settings(deadline=None, max_examples=50)
@given(bpm=st.floats(40, 200), seconds=st.floats(6, 60), fs=st.sampled_from(RATES_HZ), seed=SEEDS)
def test_the_rate_is_that_of_the_known_beats(bpm: float, seconds: float, fs: float, seed: int) -> None:
    assume(bpm * seconds >= 300)  # five beats: fewer may be too few for the duration
    rng = np.random.default_rng(seed)
    one = strip(sinus(bpm, seconds, rng), seconds, fs, rng)
    assert found(one) == pytest.approx(one.rate, rel=0.05)


@settings(deadline=None, max_examples=50)
@given(
    bpm=st.floats(45, 120),
    t=st.floats(0.1, 1.6),
    width=st.floats(0.035, 0.06),
    sign=st.sampled_from([1, -1]),
    seed=SEEDS,
)
def test_t_waves_are_not_counted_even_above_r(bpm: float, t: float, width: float, sign: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = strip(sinus(bpm, 30, rng), 30, 300, rng, Shape(t=(0.29, sign * t, width)))
    assert found(one) == pytest.approx(one.rate, rel=0.05)


@settings(deadline=None, max_examples=50)
@given(bpm=st.floats(50, 95), height=st.floats(0.9, 1.6), sign=st.sampled_from([1, -1]), seed=SEEDS)
def test_in_bigeminy_the_rate_is_the_mean_rate(bpm: float, height: float, sign: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = strip(bigeminy(bpm, 30, rng), 30, 300, rng, Shape(ventricular=sign * height))
    assert found(one) == pytest.approx(one.rate, rel=0.05)


@settings(deadline=None, max_examples=50)
@given(bpm=st.floats(60, 150), seed=SEEDS)
def test_in_fibrillation_the_rate_is_the_mean_rate(bpm: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = strip(fibrillation(bpm, 30, rng), 30, 300, rng, Shape(p=0))
    assert found(one) == pytest.approx(one.rate, rel=0.05)


@settings(deadline=None, max_examples=50)
@given(
    at=st.floats(0, 29.9), ms=st.floats(3, 100), mv=st.floats(1, 1000), sign=st.sampled_from([1, -1]),
    bpm=st.floats(45, 180), seed=SEEDS,
)  # fmt: skip
def test_a_pop_does_not_hide_the_beats(at: float, ms: float, mv: float, sign: int, bpm: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = strip(sinus(bpm, 30, rng), 30, 300, rng)
    start = int(at * 300)
    one.signal[start : start + max(int(0.3 * ms), 1)] += sign * mv
    assert found(one) == pytest.approx(one.rate, rel=0.05, abs=2.5)


@settings(deadline=None, max_examples=50)
@given(at=st.floats(0, 1), seconds=st.floats(0.1, 15), bpm=st.floats(50, 180), seed=SEEDS)
def test_beats_that_a_gap_hides_are_not_missing_from_the_rate(at: float, seconds: float, bpm: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = strip(sinus(bpm, 30, rng), 30, 300, rng)
    start = int(at * (30 - seconds) * 300)
    one.signal[start : start + int(seconds * 300)] = np.nan
    assert heart_rate(fill(one.signal), 300) == pytest.approx(one.rate, rel=0.05, abs=2.5)


@pytest.mark.parametrize("kind", ["muscles", "movement"])
def test_a_noisy_part_does_not_change_the_rate(kind: str) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        one = strip(sinus(70, 30, rng), 30, 300, rng)
        disturbance = rng.standard_normal(1500)
        one.signal[3000:4500] += disturbance if kind == "muscles" else 0.1 * np.cumsum(disturbance)
        assert found(one) == pytest.approx(one.rate, rel=0.08)


def test_a_pause_counts() -> None:
    beats = np.arange(0.5, 29, 0.8)
    rhythm = Rhythm(np.delete(beats, [10, 20]), np.zeros(len(beats) - 2, dtype=bool))
    one = strip(rhythm, 30, 300, np.random.default_rng(0))
    assert found(one) == pytest.approx(one.rate, rel=0.01)


def test_two_beats_give_no_rate() -> None:
    rhythm = Rhythm(np.array([0.5, 1.3]), np.zeros(2, dtype=bool))
    assert found(strip(rhythm, 2, 300, np.random.default_rng(0))) is None


@pytest.mark.parametrize("signal", [np.zeros(9000), np.zeros(10), np.zeros(0), np.ones(9000), np.arange(9000) / 300])
def test_what_does_not_beat_has_no_rate(signal: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    assert heart_rate(signal.astype(np.float32), 300) is None


@settings(deadline=None, max_examples=50)
@given(length=st.integers(0, 2000), fs=st.floats(20, 3000), size=st.floats(1e-6, 1e6), seed=SEEDS)
def test_any_signal_has_beats_within_it_and_a_plausible_rate_or_none(
    length: int, fs: float, size: float, seed: int
) -> None:
    signal = (size * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)
    beats, rate = heartbeats(signal, fs), heart_rate(signal, fs)
    assert not len(beats) or (beats[0] >= 0 and beats[-1] < length and (np.diff(beats) > 0).all())
    assert rate is None or 20 <= rate <= 300


def test_beats_do_not_depend_on_gain_or_offset() -> None:
    ecg = neurokit2.ecg_simulate(duration=30, sampling_rate=300, heart_rate=80, random_state=1).astype(np.float32)
    expected = heartbeats(ecg, 300)
    assert len(expected) == pytest.approx(40, abs=1)
    np.testing.assert_array_equal(heartbeats(500 * ecg + 3000, 300), expected)


def test_most_rates_are_those_another_library_finds(challenge_files: Path, tmp_path: Path) -> None:
    rows = [line.split(",") for line in (challenge_files / "REFERENCE-v3.csv").read_text().split()]
    normal = [name for name, label in rows if label == "N"][:200]
    agree = 0
    with zipfile.ZipFile(challenge_files / "training2017.zip") as archive:
        for name in normal:
            record = read(archive.extract(f"training2017/{name}.mat", tmp_path))
            beats = sleepecg.detect_heartbeats(record.signal.astype(np.float64), record.fs)
            expected = 60 * record.fs / np.median(np.diff(beats))
            agree += abs((heart_rate(record.signal, record.fs) or 0) / expected - 1) < 0.1
    assert agree >= 0.9 * len(normal)
