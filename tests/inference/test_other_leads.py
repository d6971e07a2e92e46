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
from ecg_rhythm.inference.timeline import timeline
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


def test_rates_are_of_the_lead_that_is_read(meter: Classifier) -> None:
    rng = np.random.default_rng(0)
    beats = [*np.arange(0.5, 200, 0.8), *np.arange(200.9, 252, 0.5), *np.arange(255.0, 320, 0.5)]
    good = ecg([*beats, *np.arange(320.4, 600, 0.8)], 600, FS)
    first = good.copy()
    first[20_000:32_000] = 2 + rng.normal(0, 0.3, 12_000).astype(np.float32)  # which the model takes for noise
    second = ecg_rhythm.records.in_memory("r", 2 * good, FS, "II", 1.0)
    third = replace(second, lead="III", samples=27_000)  # which is read for 70 of the 120 s
    recording = ecg_rhythm.records.in_memory("r", first, FS, "I", 1.0)
    recording = replace(recording, others=(lambda: third, lambda: second))
    found = ecg_rhythm.classify(recording, meter)
    assert isinstance(found, Timeline)
    assert [one.lead for one in found.substitutes] == ["III", "II"] and found.unreadable == 0
    assert found.rates.minutes == pytest.approx([75] * 3 + [98.3, 120, 98.3] + [75] * 4, rel=0.1)
    assert [(one.start, one.seconds) for one in found.rates.pauses] == [pytest.approx((251.9, 3.1), abs=0.05)]
    assert found.rates.counted > 0.95
    ends, seconds = found.intervals
    assert (ends[1:] - seconds[1:] > ends[:-1] - 0.02).all()  # none counts twice


def test_no_interval_lies_across_a_part_of_another_lead_or_behind_the_end(meter: Classifier) -> None:
    own, other = np.arange(0.5, 120, 0.8), np.arange(0.9, 140, 0.8)
    first = ecg(own.tolist(), 120, FS)
    first[6000:6700] = np.float32(np.nan)  # 7 s
    second = ecg(other[(other < 110) | (other > 117)].tolist(), 140, FS)
    first[10_500:12_000] = np.float32(np.nan)
    recording = ecg_rhythm.records.in_memory("r", first, FS, "I", 1.0)
    lead = ecg_rhythm.records.in_memory("r", second, FS, "II", 1.0)
    found = timeline(meter, replace(recording, others=(lambda: lead,)), window=5)
    assert [one.lead for one in found.substitutes] == ["II", "II"]
    ends, seconds = found.intervals
    assert (ends[1:] - seconds[1:] > ends[:-1] - 0.02).all()  # none counts twice
    assert ends.max() <= 120
    assert [(one.start, one.seconds) for one in found.rates.pauses] == [pytest.approx((109.7, 8.0), abs=0.1)]


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
