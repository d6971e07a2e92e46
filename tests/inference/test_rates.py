"""Heart rates of long recordings, against beats that are known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecg_rhythm.inference import rates
from ecg_rhythm.inference.rates import IntervalMeter, Rates, rates_of
from ecg_rhythm.signals.gaps import fill
from ecg_rhythm.signals.heartbeats import Intervals, heart_rate

FS = 200.0


def ecg(beats: list[float], seconds: float, fs: float = FS) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A signal with a QRS complex at each time, and a little noise, so that nothing is a straight line."""
    t = np.arange(round(seconds * fs)) / fs
    signal = np.random.default_rng(0).normal(0, 0.005, len(t))
    for beat in beats:
        part = slice(max(round((beat - 0.2) * fs), 0), round((beat + 0.2) * fs))
        signal[part] += np.exp(-(((t[part] - beat) / 0.012) ** 2)) - 0.25 * np.exp(
            -(((t[part] - beat - 0.03) / 0.012) ** 2)
        )
    return signal.astype(np.float32)


def measured(signal: np.ndarray[tuple[int], np.dtype[np.float32]], pieces: int = 1, fs: float = FS) -> Rates:
    meter = IntervalMeter(fs)
    for part in np.array_split(signal, pieces):
        meter.push(part)
    return rates_of(meter.rest(), len(signal) / fs)


def test_each_minute_and_hour_has_its_rate() -> None:
    beats, minutes = [0.5], [60, 75, 100, 50]
    for rate in minutes:
        beats += (beats[-1] + np.arange(1, rate + 1) * 60 / rate).tolist()
    found = measured(ecg(beats, 241))
    assert found.minutes[:4] == pytest.approx(minutes, rel=0.03)
    assert (found.lowest, found.highest) == pytest.approx((50, 100), rel=0.03)
    assert found.mean == pytest.approx(60 * (len(beats) - 1) / (beats[-1] - beats[0]), rel=0.01)
    (hour,) = found.hours
    assert (hour.start, hour.mean, hour.lowest, hour.highest) == (0, found.mean, found.lowest, found.highest)
    assert found.counted > 0.97 and found.pauses == []


def test_a_pause_is_found_where_it_is_also_between_two_pieces() -> None:
    beats = [b for b in np.arange(0.5, 400, 0.8).tolist() if not (128.2 < b < 131.6 or 300.2 < b < 302.6)]
    expected = [(a, b - a) for a, b in pairwise(beats) if b - a > 2.5]
    found = measured(ecg(beats, 400))
    assert [(p.start, p.seconds) for p in found.pauses] == [pytest.approx(one, abs=0.05) for one in expected]
    assert len(expected) == 2


@pytest.mark.parametrize("gap", [0.05, 0.1, 0.2, 0.24, 0.4])
def test_a_gap_that_hides_a_beat_makes_no_pause(gap: float) -> None:
    beats = np.arange(0.5, 300, 1.4)
    signal = ecg(beats.tolist(), 300)
    for at in beats[[50, 100]].tolist():
        signal[round((at - gap / 2) * FS) : round((at + gap / 2) * FS)] = np.nan
    found = measured(signal)
    assert found.pauses == []
    assert found.lowest == pytest.approx(60 / 1.4, rel=0.02)


@pytest.mark.parametrize("gap", [0.1, 0.3])
def test_gaps_that_hide_beats_do_not_lower_the_rate_of_a_strip(gap: float) -> None:
    beats = np.arange(0.5, 30, 1.0)
    signal = ecg(beats.tolist(), 30)
    for at in beats[3::4].tolist():
        signal[round((at - gap / 2) * FS) : round((at + gap / 2) * FS)] = np.nan
    gone = ~np.isfinite(signal)
    assert heart_rate(fill(signal), FS, gone) == pytest.approx(60, rel=0.02)


@pytest.mark.parametrize("fs", [256.41, 977.0, 997.0, 999.0, 1000 / 3])
def test_an_interval_that_ends_between_two_pieces_counts_once(fs: float) -> None:
    for end in np.linspace(129.992, 130.008, 5).tolist():
        beats = np.arange(end - 4 - 0.8 * 150, end - 3.9, 0.8).tolist() + np.arange(end, 299, 0.8).tolist()
        found = measured(ecg([b for b in beats if b > 0.3], 300, fs), fs=fs)
        assert [p.seconds for p in found.pauses] == [pytest.approx(4, abs=0.03)]
        assert found.counted == pytest.approx((beats[-1] - max(min(b for b in beats if b > 0.3), 0)) / 300, abs=0.01)


def test_an_hour_has_a_rate_if_a_minute_has_one() -> None:
    few = Intervals(np.array([100.0, 3700.0, *np.arange(7201.0, 7260.0)]), np.array([0.8, 1.5, *np.ones(59)]))
    found = rates_of(few, 10_800)
    assert [(hour.mean, hour.lowest, hour.highest) for hour in found.hours] == [(None,) * 3, (None,) * 3, (60, 60, 60)]
    assert rates_of(few.between(0, 7200), 7200).mean is None


@pytest.mark.parametrize("share", [0.25, 0.35])
def test_low_beats_that_are_not_recognised_make_no_pause(share: float) -> None:
    signal = ecg(np.arange(0.5, 400, 0.8).tolist(), 400)
    signal[round(200 * FS) : round(215 * FS)] *= share
    found = measured(signal)
    assert found.pauses == []
    assert found.minutes[3] == pytest.approx(75, rel=0.02)


def test_p_waves_alone_are_a_pause() -> None:
    """A block: the atria go on beating, with waves of 0.15 mV."""
    beats = [b for b in np.arange(0.5, 200, 0.8).tolist() if not 100 < b < 106]
    signal = ecg(beats, 200)
    t = np.arange(len(signal)) / FS
    for at in np.arange(0.34, 199, 0.8).tolist():
        signal += (0.15 * np.exp(-(((t - at) / 0.04) ** 2))).astype(np.float32)
    (pause,) = measured(signal).pauses
    assert (pause.start, pause.seconds) == pytest.approx((99.7, 6.4), abs=0.05)


@pytest.mark.parametrize("seconds", [8.0, 12.0, 30.0])
def test_a_pause_of_more_than_ten_seconds_may_be_a_loose_electrode(seconds: float) -> None:
    beats = [b for b in np.arange(0.5, 300, 0.8).tolist() if not 150 < b < 150 + seconds]
    found = measured(ecg(beats, 300))
    assert len(found.pauses) == (seconds < 10)
    assert found.counted == pytest.approx(1 - (seconds if seconds > 10 else 0) / 300, abs=0.01)


def test_what_is_left_at_the_end_is_no_minute() -> None:
    beats = np.arange(0.5, 121.2, 0.8).tolist()
    found = measured(ecg(beats, 121.2))
    assert len(found.minutes) == 3 and found.minutes[2] is None
    assert (found.lowest, found.highest) == (75, 75)


def test_no_heartbeats_are_looked_for_where_all_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[int] = []

    def counted(piece: NDArray[np.float32], fs: float, filled: NDArray[np.bool_]) -> Intervals:
        pieces.append(len(piece))
        return rates.NONE

    monkeypatch.setattr(rates, "intervals", counted)
    signal = np.full(round(100 * rates.PIECE_SECONDS * FS), np.nan, dtype=np.float32)
    signal[-100:] = 1
    measured(signal, 100)
    assert 1 <= len(pieces) <= 2


def test_what_is_missing_is_not_counted() -> None:
    signal = ecg(np.arange(0.5, 600, 1.0).tolist(), 600)
    signal[round(120 * FS) : round(300 * FS)] = np.nan
    found = measured(signal)
    assert found.minutes[2:5] == [None] * 3
    assert [rate for rate in found.minutes if rate is not None] == pytest.approx([60] * 7, abs=1)
    assert found.counted == pytest.approx(0.7, abs=0.03)
    assert found.pauses == []
    nothing = measured(np.full(20_000, np.nan, dtype=np.float32))
    assert (nothing.mean, nothing.lowest, nothing.highest, nothing.pauses, nothing.counted) == (None, None, None, [], 0)
    assert set(nothing.minutes) == {None} and nothing.hours[0].mean is None


@given(st.integers(1, 40), st.sampled_from([100.0, 140.0, 141.0, 259.9, 260.0, 300.0]))
@settings(deadline=None, max_examples=15)
def test_reading_in_parts_changes_nothing(pieces: int, seconds: float) -> None:
    signal = ecg(np.arange(0.5, seconds, 0.9).tolist(), seconds)
    found = measured(signal, pieces)
    assert found == measured(signal)
    assert found.counted > 0.95  # nothing is lost at the ends


def test_a_rate_that_shows_no_beats_has_none() -> None:
    assert measured(np.zeros(6000, dtype=np.float32), fs=40.0).mean is None
