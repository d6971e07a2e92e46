"""Where the chosen lead is unreadable, another one is read, and this is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ecg_rhythm
from ecg_rhythm.inference.answers import Timeline
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.parts import Substitute
from ecg_rhythm.records.leads import choose_lead, other_leads
from tests.inference.test_rates import ecg

FS = 100.0


def two_leads(path: Path, first: np.ndarray, second: np.ndarray, names: tuple[str, str] = ("I", "II")) -> Path:
    """Write a table of two leads at 100 Hz."""
    rows = np.column_stack([np.arange(len(first)) / FS, first, second])
    header = f"time (s),{names[0]} (mV),{names[1]} (mV)"
    np.savetxt(path, rows, fmt="%.4f", delimiter=",", header=header, comments="")
    return path


def timeline_of(path: Path, meter: Classifier, lead: str | None = None) -> Timeline:
    answer = ecg_rhythm.classify(path, meter, lead=lead)
    assert isinstance(answer, Timeline)
    return answer


@pytest.mark.parametrize("gone", [np.nan, 2.0])  # missing, or what the model takes for noise
def test_another_lead_is_read_where_the_first_is_unreadable(meter: Classifier, tmp_path: Path, gone: float) -> None:
    t = np.arange(60_000) / FS
    wave = 0.05 * np.sin(7 * t)  # not flat
    first = np.where((t >= 200) & (t < 320), gone, wave)
    path = two_leads(tmp_path / "r.csv", first, 1 + wave)
    found = timeline_of(path, meter)
    assert found.lead == "I" and found.unreadable == 0
    assert [(e.label, e.start, e.end) for e in found.episodes()] == [("N", 0, 200), ("A", 200, 320), ("N", 320, 600)]
    (other,) = found.substitutes
    assert other.lead == "II" and (other.start, other.end) == pytest.approx((200, 320), abs=5)
    assert "lead II used for" in found.reading
    assert found.as_dict()["other_leads"] == [vars(other)]


def test_a_recording_that_was_read_before_has_its_other_leads_too(meter: Classifier, tmp_path: Path) -> None:
    wave = 0.05 * np.sin(np.arange(30_000) / 9)
    first = np.where(np.arange(30_000) < 15_000, wave, np.nan)
    path = two_leads(tmp_path / "r.csv", first, 1 + wave)
    read = ecg_rhythm.classify(ecg_rhythm.read(path), meter)
    assert isinstance(read, Timeline) and read.substitutes
    assert read.as_dict() == timeline_of(path, meter).as_dict()


def test_a_lead_that_was_asked_for_is_the_only_one(meter: Classifier, tmp_path: Path) -> None:
    t = np.arange(60_000) / FS
    first = np.where((t >= 200) & (t < 320), np.nan, 0.05 * np.sin(7 * t))
    path = two_leads(tmp_path / "r.csv", first, 1 + 0.05 * np.sin(7 * t))
    found = timeline_of(path, meter, lead="I")
    assert [e.label for e in found.episodes()] == ["N", "~", "N"]
    assert found.substitutes == [] and "II" not in found.reading


def test_what_no_lead_shows_stays_unreadable(meter: Classifier, tmp_path: Path) -> None:
    t = np.arange(60_000) / FS
    gone = np.where((t >= 200) & (t < 320), np.nan, 0.05 * np.sin(7 * t))
    found = timeline_of(two_leads(tmp_path / "r.csv", gone, gone), meter)
    assert [e.label for e in found.episodes()] == ["N", "~", "N"]
    assert found.substitutes == []


def test_a_signal_that_is_no_ecg_is_no_other_lead(meter: Classifier, tmp_path: Path) -> None:
    t = np.arange(60_000) / FS
    gone = np.where((t >= 200) & (t < 320), np.nan, 0.05 * np.sin(7 * t))
    found = timeline_of(two_leads(tmp_path / "r.csv", gone, 1 + gone, ("ECG", "Resp")), meter)
    assert found.substitutes == [] and found.lead == "ECG"


def test_a_lead_that_ends_before_is_not_read_at_another_time(meter: Classifier) -> None:
    t = np.arange(60_000) / FS
    wave = (0.05 * np.sin(7 * t)).astype(np.float32)
    first = np.where(((t >= 200) & (t < 260)) | ((t >= 450) & (t < 500)), np.float32(np.nan), wave)
    other = ecg_rhythm.records.in_memory("r", 1 + wave[:30_000], FS, "II", 1.0)
    recording = replace(ecg_rhythm.records.in_memory("r", first, FS, "I", 1.0), others=(lambda: other,))
    found = ecg_rhythm.classify(recording, meter)
    assert isinstance(found, Timeline)
    assert [(e.label, e.start, e.end) for e in found.episodes()] == [
        ("N", 0, 200), ("A", 200, 260), ("N", 260, 450), ("~", 450, 500), ("N", 500, 600)
    ]  # fmt: skip
    (one,) = found.substitutes
    assert (one.start, one.end) == pytest.approx((200, 260), abs=5)


def test_no_rates_are_of_a_lead_that_is_unreadable(meter: Classifier) -> None:
    rng = np.random.default_rng(0)
    beats = np.arange(0.5, 600, 0.8)
    good = ecg(beats.tolist(), 600, FS)
    first = good.copy()
    first[20_000:32_000] += 5 + rng.normal(0, 1, 12_000).astype(np.float32)  # which the model takes for noise
    other = ecg_rhythm.records.in_memory("r", good, FS, "II", 1.0)
    recording = replace(ecg_rhythm.records.in_memory("r", first, FS, "I", 1.0), others=(lambda: other,))
    found = ecg_rhythm.classify(recording, meter)
    assert isinstance(found, Timeline)
    assert found.substitutes and found.unreadable == 0
    assert found.rates.pauses == []
    assert (found.rates.lowest, found.rates.highest) == pytest.approx((75, 75), abs=1)
    assert found.rates.counted == pytest.approx(0.75, abs=0.06)  # 120 s of 600 are noise


def test_other_leads_are_in_the_order_of_preference() -> None:
    def chosen(names: list[str], lead: str | None = None) -> list[str]:
        with other_leads() as others:
            choose_lead(names, lead, "r", ["mV"] * len(names), lambda _: np.random.default_rng(0).normal(size=1000))
        return others

    assert chosen(["V1", "II", "Resp", "I"]) == ["II", "V1"]
    assert chosen(["V1", "II"], "V1") == []
    assert chosen(["II", "II", "V1"]) == ["V1"]  # which of two of one name cannot be said
    assert chosen(["a", "b"]) == []
    assert Substitute("II", 0, 1).lead == "II"
