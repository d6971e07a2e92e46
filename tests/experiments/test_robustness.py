from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import periodogram

from ecg_rhythm import checksums
from ecg_rhythm.cli.results import robustness as robustness_command
from ecg_rhythm.experiments import robustness
from ecg_rhythm.experiments.run import train
from ecg_rhythm.records import Record, fill_gaps
from ecg_rhythm.signals import perturbations
from ecg_rhythm.signals.perturbations import PERTURBATIONS, Perturbation
from tests.helpers import model, refusal, spec

FS = 300.0
WAVE = np.sin(2 * np.pi * np.arange(6000) / 250).astype(np.float32)
RECORD = Record(name="r", signal=WAVE, fs=FS, lead="")


def kind(name: str) -> Perturbation:
    (found,) = (one for one in PERTURBATIONS if one.name == name)
    return found


def applied(one: Perturbation, strength: float, *, seed: int) -> Record:
    signal, fs = one.applied(WAVE, FS, strength, seed)
    return replace(RECORD, signal=signal, fs=fs)


@pytest.mark.parametrize("one", PERTURBATIONS, ids=lambda one: str(one.name))
def test_a_perturbation_follows_from_its_seed_and_leaves_a_signal(one: Perturbation) -> None:
    for strength in one.strengths:
        changed = applied(one, strength, seed=3)
        np.testing.assert_array_equal(changed.signal, applied(one, strength, seed=3).signal)
        assert np.isfinite(fill_gaps(changed, "r").signal).all()
    np.testing.assert_array_equal(WAVE, np.sin(2 * np.pi * np.arange(6000) / 250).astype(np.float32))


@pytest.mark.parametrize("frequency", [50, 60])
def test_hum_has_its_frequency_and_strength(frequency: int) -> None:
    added = applied(kind(f"hum of {frequency} Hz"), 3, seed=0).signal - WAVE
    frequencies, power = periodogram(added, FS)
    assert frequencies[power.argmax()] == pytest.approx(frequency, abs=0.1)
    assert added.std() == pytest.approx(3 * WAVE.std(), rel=0.01)


def test_noise_has_its_ratio() -> None:
    noise = applied(kind("white noise"), 5, seed=0).signal - WAVE
    assert 10 * np.log10(WAVE.var() / noise.var()) == pytest.approx(5, abs=0.3)


@pytest.mark.parametrize(("name", "value"), [("flat share", None), ("share at the rail", 5.0)])
def test_a_stretch_is_as_long_as_said(name: str, value: float | None) -> None:
    changed = applied(kind(name), 0.3, seed=1).signal
    altered = np.flatnonzero(changed != WAVE)
    assert 1700 < len(altered) <= 1800 and np.ptp(altered) < 1800
    assert np.ptp(changed[altered]) == 0
    assert value is None or changed[altered[0]] == value


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_as_much_is_missing_as_said(share: float) -> None:
    missing = np.isnan(applied(kind("share missing"), share, seed=2).signal)
    assert missing.mean() == pytest.approx(share, abs=0.002)


def test_signals_are_clipped_shifted_and_multiplied() -> None:
    assert np.abs(applied(kind("clipped at"), 1, seed=0).signal).max() == pytest.approx(WAVE.std(), rel=0.01)
    np.testing.assert_allclose(applied(kind("gain"), -1, seed=0).signal, -WAVE)
    np.testing.assert_allclose(applied(kind("offset"), 5, seed=0).signal, WAVE + 5, rtol=1e-6)
    wander = applied(kind("baseline wander"), 3, seed=0).signal - WAVE
    assert 1.5 * WAVE.std() < wander.std() < 4.5 * WAVE.std()
    frequencies, power = periodogram(wander, FS)
    assert power[frequencies <= 0.6].sum() > 0.95 * power.sum()


def test_rates_and_strips() -> None:
    assert len(applied(kind("sampling rate"), 128, seed=0).signal) == 2560
    strip = applied(kind("strip of"), 5, seed=0)
    assert strip.seconds == 5.0


def test_empty_signals_hold_no_heart_and_are_of_mv() -> None:
    found = perturbations.empty_signals(3000, FS, seed=0)
    assert all(np.isfinite(signal).all() and abs(signal).max() < 10 for signal in found.values())
    assert np.ptp(found["zeros"]) == np.ptp(found["a constant"]) == 0


def test_a_job_is_measured_by_folds_it_did_not_train_on(data: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    scores = [train(spec(model(), fold=fold), data, logs, device="cpu") for fold in (0, 1)]
    job = spec(model(), fold=0).folder(logs).parent
    robustness_command(job, data=data, to=tmp_path / "r.json", workers=2)
    found = checksums.unsealed((tmp_path / "r.json").read_bytes())
    unchanged = [s["phases"][-1]["test"]["challenge"] for s in scores]
    assert found["rows"][0]["challenge"]["folds"] == pytest.approx(unchanged)
    assert len(found["rows"]) == 1 + sum(len(one.strengths) for one in PERTURBATIONS)
    assert all(sum(shares.values()) == pytest.approx(1) for shares in found["empty"].values())
    assert found == robustness.measure(job, data)  # in this process alone


def test_what_is_no_job_is_refused(data: Path, tmp_path: Path) -> None:
    assert "no finished fold of a job" in refusal(lambda: robustness.measure(tmp_path, data))
