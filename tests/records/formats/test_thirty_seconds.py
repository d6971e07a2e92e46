"""One ECG of thirty seconds in every format that can be written by hand: the same lead, rate, samples and label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecg_rhythm import classify
from ecg_rhythm.inference.answers import Prediction
from ecg_rhythm.inference.classifier import Classifier, load
from ecg_rhythm.records import ReadOptions, read
from fuzzing.by_hand import BY_HAND
from fuzzing.by_hand.common import STEP
from fuzzing.inputs import START, as_dicom_of, as_parquet_of

FS, SECONDS = 300.0, 30
TIMES = np.arange(int(FS * SECONDS)) / FS
BEATS = np.cumsum(np.resize([0.8, 0.82, 0.78, 0.81], 36))


def wave(size: float, at: float, width: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A wave of each beat: its size in mV, when it comes after the R wave, and how wide it is, in s."""
    return np.asarray(sum(size * np.exp(-(((TIMES - beat - at) / width) ** 2) / 2) for beat in BEATS))


ECG = (
    wave(0.12, -0.16, 0.02)
    + wave(-0.1, -0.03, 0.008)
    + wave(1.1, 0, 0.01)
    + wave(-0.2, 0.03, 0.01)
    + wave(0.3, 0.28, 0.04)
)
ECG += np.random.default_rng(0).normal(0, 0.01, len(ECG))
"""Sinus rhythm of about 75 beats a minute, in mV."""
COARSE = {"movesense": 1000 / 20 / 2**17, "apple": 1e-6, "bdf": 2.0**11 / 2**24, "mat-4": 1e-9, "npz": 1e-9}
"""What one step is in mV, where that is not `STEP`; float32 is exact to about 1e-7 of a mV."""
NO_LEAD = {"movesense", "mat-4", "npz", "wav"}
"""Formats that do not say which lead it is."""
OTHERS = {"parquet": as_parquet_of, "dicom": as_dicom_of}
"""Formats that another library writes: pandas and pydicom."""
EVERY = {**BY_HAND, **dict.fromkeys(OTHERS)}


@pytest.fixture(scope="module")
def default() -> Classifier:
    return load()


def test_there_are_enough_formats() -> None:
    assert len(EVERY) >= 18
    assert len([name for name in BY_HAND if name != "wav"]) >= 12  # by hand; Python's `wave` writes WAV


@pytest.mark.parametrize("name", EVERY)
def test_the_same_ecg_is_read_and_classified_alike(tmp_path: Path, name: str, default: Classifier) -> None:
    leads = {"I": ECG}
    path = BY_HAND[name](tmp_path, leads, FS, START) if name in BY_HAND else OTHERS[name](tmp_path, leads, FS)
    unit = f"{round(1 / STEP)}/mV" if name == "wav" else None
    record = read(path, ReadOptions(unit=unit))
    assert (record.fs, len(record.signal), record.gaps) == (FS, len(ECG), 0)
    if name not in NO_LEAD:
        assert record.lead.removeprefix("ECG ").removeprefix("Lead ") == "I"
    np.testing.assert_allclose(record.signal, ECG, atol=COARSE.get(name, STEP), rtol=1e-6)
    prediction = classify(path, default, unit=unit)
    assert isinstance(prediction, Prediction)
    assert prediction.label == "N"
    assert prediction.heart_rate == pytest.approx(75, abs=1)
