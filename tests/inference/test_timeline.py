from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import ecg_rhythm
from ecg_rhythm.inference.answers import Timeline
from ecg_rhythm.inference.classifier import Classifier, load
from ecg_rhythm.inference.smoothing import TRUST, merged, shares, smoothed, transitions
from ecg_rhythm.inference.streaming import StreamingClassifier
from ecg_rhythm.inference.timeline import timeline
from ecg_rhythm.records import ReadOptions, Record, Recording, in_memory, open_recording
from ecg_rhythm.signals.heartbeats import Intervals
from ecg_rhythm.signals.windows import SlidingWindow
from tests.helpers import onnx_model, predict, refusal

FS = 100.0


def recording(levels: list[tuple[float, float]], fs: float = FS) -> Recording:
    """Return a recording of given levels, each for some seconds."""
    signal = np.concatenate([np.full(round(seconds * fs), level, dtype=np.float32) for level, seconds in levels])
    return in_memory("r", signal, fs, "II", 1.0)


@pytest.mark.parametrize("fs", [FS, 128.0, 250.0])
def test_episodes_are_found_where_they_are(meter: Classifier, fs: float) -> None:
    found = timeline(meter, recording([(0, 1200), (1, 600), (0, 900), (2, 300), (1, 1800)], fs))
    assert [(e.label, e.start, e.end) for e in found.episodes()] == [
        ("N", 0, 1200), ("A", 1200, 1800), ("N", 1800, 2700), ("~", 2700, 3000), ("A", 3000, 4800),
    ]  # fmt: skip
    assert found.hours("A") == pytest.approx(2400 / 3600)
    assert found.unreadable == pytest.approx(300 / 4800)
    assert found.burden() == pytest.approx(2400 / 4500)
    assert all(e.probability > 0.8 for e in found.episodes())
    assert found.reading == f"lead II, {f'{fs:g} Hz' if fs == FS else f'{fs:g} Hz resampled to {FS:g} Hz'}, 80 min"


def test_a_single_strange_window_is_smoothed_away_and_a_long_one_is_not(meter: Classifier) -> None:
    assert [e.label for e in timeline(meter, recording([(0, 600), (0.6, 5), (0, 600)])).episodes()] == ["N"]
    assert [e.label for e in timeline(meter, recording([(0, 600), (1, 30), (0, 600)])).episodes()] == ["N", "A", "N"]


def test_what_is_missing_is_unreadable_and_said(meter: Classifier) -> None:
    levels = recording([(1, 600), (np.nan, 300), (1, 600)])
    found = timeline(meter, levels)
    assert [e.label for e in found.episodes()] == ["A", "~", "A"]
    assert found.unreadable == pytest.approx(0.2, abs=0.025)
    assert found.burden() == pytest.approx(1)
    assert "1 gap (20 % of it)" in found.reading
    nothing = timeline(meter, recording([(np.nan, 300)]))
    assert (nothing.unreadable, nothing.burden(), nothing.burden("N")) == (1, None, None)


@given(st.floats(30.5, 400), st.sampled_from([2.0, 5.0, 7.5, 10.0]))
@settings(deadline=None, max_examples=30)
def test_episodes_cover_all_of_a_recording(meter: Classifier, seconds: float, stride: float) -> None:
    found = timeline(meter, recording([(0, seconds)]), stride=stride)
    (episode,) = found.episodes()
    assert (episode.label, episode.start) == ("N", 0)
    assert episode.end == pytest.approx(seconds, abs=0.011)
    assert found.burden("N") == pytest.approx(1)
    assert found.burden("A") == 0


@pytest.mark.parametrize(
    ("seconds", "window", "stride"),
    [(150, 30, 12), (162, 30, 22), (180, 30, 25), (140, 20, 15), (150, 10, 4), (85_000 * 3 / 1000, 30, 15)],
)
def test_the_end_is_as_readable_as_the_rest(meter: Classifier, seconds: float, window: float, stride: float) -> None:
    fs = 1000 / 3 if seconds == 255 else 100.0
    whole = in_memory("r", np.zeros(round(seconds * fs)), fs, "I", 1.0)
    found = timeline(meter, whole, window=window, stride=stride)
    (episode,) = found.episodes()
    assert (episode.label, episode.start) == ("N", 0)
    assert episode.end == pytest.approx(seconds)
    assert found.unreadable == 0


def test_a_record_that_was_read_says_what_was_missing(meter: Classifier, tmp_path: Path) -> None:
    t = np.arange(60_000) / FS
    np.savez(tmp_path / "r.npz", ecg=np.where((t > 100) & (t < 300), np.nan, 0.1 * np.sin(7 * t)), fs=FS, unit="mV")
    of_file = ecg_rhythm.classify(tmp_path / "r.npz", meter)
    of_record = ecg_rhythm.classify(ecg_rhythm.read(tmp_path / "r.npz"), meter)
    assert isinstance(of_file, Timeline) and isinstance(of_record, Timeline)
    assert of_record.missing == pytest.approx(1 / 3, abs=1e-3)
    assert of_record.as_dict() == of_file.as_dict()


def test_the_rates_of_any_part_are_of_the_recording(meter: Classifier) -> None:
    found = replace(
        timeline(meter, recording([(0.0, 5000)])),
        intervals=Intervals(np.arange(1.0, 5000.0), np.ones(4999)),
    )
    for start, end in ((3600, 5000), (3600, 7200), (0, float("inf")), (-1e5, 5000)):
        assert found.heart_rate(start, end) == pytest.approx(60)


def test_a_gap_is_one_however_it_is_read(meter: Classifier) -> None:
    signal = np.zeros(400_000)
    signal[100_000:250_000] = np.nan
    signal[300_000:300_100] = np.nan
    assert "2 gaps (38 % of it)" in timeline(meter, in_memory("r", signal, 100.0, "I", 1.0)).reading


def test_reading_in_parts_changes_nothing(meter: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    signal = np.repeat(rng.integers(0, 2, 40), 3000) + rng.normal(0, 0.3, 120_000)
    whole = in_memory("r", signal, FS, "II", 1.0)
    before = timeline(meter, whole)
    monkeypatch.setattr("ecg_rhythm.records.recording.PART_SECONDS", 7.77)
    np.testing.assert_array_equal(timeline(meter, whole).probabilities, before.probabilities)


@given(st.lists(st.integers(0, 400), max_size=30), st.integers(1, 10))
def test_windows_are_those_of_the_whole_signal_however_it_comes(pieces: list[int], stride: int) -> None:
    signal = np.arange(sum(pieces), dtype=np.float32)
    cutter, found, at = SlidingWindow(10.0, 10.0, stride), [], 0
    for piece in pieces:
        found += list(cutter.push(signal[at : at + piece]))
        at += piece
    expected = [signal[i : i + 100] for i in range(0, len(signal) - 99, 10 * stride)]
    assert len(found) == len(expected)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    rest = list(cutter.rest())
    last = found[-1][-1] + 1 if found else 0
    assert bool(rest) == (last < len(signal))
    if rest:
        assert np.array_equal(rest[0], signal[-100:])


def test_a_step_has_the_mean_of_its_windows() -> None:
    windows = np.array([[0.9, 0.1], [0.5, 0.5], [np.nan, np.nan]])
    found = merged(windows, 5, 10, 5)
    np.testing.assert_allclose(found[:3], [[0.9, 0.1], [0.75, 0.25], [0.5, 0.5]])
    assert np.isnan(found[3:]).all()


@pytest.mark.parametrize(("window", "stride"), [(10, 5), (10, 9), (10, 7), (30, 20), (30, 25), (10, 10), (30, 15)])
def test_a_step_follows_the_windows_that_cover_most_of_it(window: float, stride: float) -> None:
    """An onset is found within a second or two, whatever the stride, if each window says how much of it is A."""
    late = []
    for onset in np.linspace(600, 600 + 2 * stride, 40, endpoint=False).tolist():
        starts = np.arange(0, 1200, stride)
        share = np.clip((starts + window - onset) / window, 0.001, 0.999)
        steps = merged(np.column_stack([1 - share, share]), len(starts), window, stride)
        late.append(np.flatnonzero(steps[:, 1] > 0.5)[0] * stride - onset)
    assert abs(np.mean(late)) < 0.25 * window
    assert sum(shares(window, stride)) == pytest.approx(window / stride)


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=30))
def test_smoothing_gives_the_hidden_markov_models_probabilities(values: list[float]) -> None:
    """Against the sum over all paths, where they are few, and as probabilities everywhere."""
    steps = np.array([[p, 1 - p] for p in values])
    change = transitions(["sinus", "other"], 15.0)
    found = smoothed(steps, change)
    together = smoothed(np.stack([steps, steps], axis=1), change)  # of several recordings at once
    np.testing.assert_allclose(together[:, 1], found)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    if len(values) <= 6:
        expected = np.zeros_like(steps)
        for path in product(range(2), repeat=len(values)):
            weight = np.prod([steps[i, s] ** TRUST for i, s in enumerate(path)])
            weight *= np.prod([change[a, b] for a, b in pairwise(path)])
            for i, s in enumerate(path):
                expected[i, s] += weight
        np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), rtol=1e-9)


def test_a_live_signal_is_answered_as_windows_fill(meter: Classifier) -> None:
    live = StreamingClassifier(FS, meter)
    assert live.push(np.zeros(999)) == []
    (first,) = live.push(0.0)
    assert (first.start, first.end, first.label) == (0, 10, "N")
    decisions = [d for _ in range(300) for d in live.push(np.ones(100))]
    assert [d.start for d in decisions] == [5.0 * i for i in range(1, 61)]
    assert [d.label for d in decisions[:1]] == ["N"]
    assert {d.label for d in decisions[5:]} == {"A"}
    assert decisions[-1].probabilities["A"] > 0.9
    (gone,) = live.push(np.full(500, np.nan))[-1:]
    assert gone.label in ("A", "~")
    (gone,) = live.push(np.full(500, np.nan))[-1:]
    assert gone.label == "~"


def test_a_live_signal_is_answered_by_any_model(tmp_path: Path) -> None:
    model = onnx_model(tmp_path / "m.onnx")
    by_path, by_classifier = (StreamingClassifier(FS, given).push(np.ones(3000)) for given in (model, load(model)))
    assert by_path == by_classifier
    assert "there is no such model" in refusal(lambda: StreamingClassifier(FS, "none"))
    rates: list[Any] = [None, 0, float("inf"), "x", "300", True]
    for fs in rates:
        message = refusal(partial(StreamingClassifier, fs, model))
        assert "sampling rate" in message and "--" not in message  # there is no command line here
    no_models: list[Any] = [None, 3, []]
    for none in no_models:
        assert "this is no model" in refusal(partial(load, none))
    no_rows: list[Any] = ["abc", [[1.0], [2.0]]]
    for samples in no_rows:
        message = refusal(partial(StreamingClassifier(FS, model).push, samples))
        assert message.startswith("samples: expected one row")
    half = StreamingClassifier(FS, model, window=10)
    assert [(d.start, d.end) for d in half.push(np.ones(1500))] == [(0, 10), (5, 15)]


def test_what_no_float_can_hold_is_missing_without_a_warning(meter: Classifier) -> None:
    stream = StreamingClassifier(FS, meter)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decisions = stream.push([1e300, -1e300, np.inf] * 2000)
    assert decisions and all(one.label == "~" for one in decisions)


def test_what_is_masked_is_missing(meter: Classifier) -> None:
    signal = np.tile(np.repeat([0.0, 1.0], 3000), 5)
    masked = np.ma.masked_equal(np.where(np.arange(len(signal)) % 5000 < 1000, -32768.0, signal), -32768)
    filled = masked.filled(np.nan)
    long = [ecg_rhythm.classify(samples, meter, fs=FS) for samples in (masked, filled)]
    assert isinstance(long[0], Timeline) and long[0].as_dict() == long[1].as_dict()
    assert predict(meter, masked[:9000], FS) == predict(meter, filled[:9000], FS)
    live = [StreamingClassifier(FS, meter).push(samples) for samples in (masked, filled)]
    assert str(live[0]) == str(live[1])  # NaN is not equal to itself


@pytest.mark.parametrize(
    ("window", "stride", "says"),
    [
        (4.0, 2.0, "window 4: give from 5 s"),
        (float("nan"), 2.0, "window nan: give from 5 s"),
        (30.0, 31.0, "stride 31: it must be from 1 s to the window's 30 s"),
        (30.0, 0.0, "stride 0: it must be from 1 s"),
        (float("inf"), 2.0, "window inf: give from 5 s"),
        ("10", 2.0, "window '10', stride 2.0: give numbers of seconds"),
    ],
)
def test_windows_that_are_none_are_refused(meter: Classifier, window: float, stride: float, says: str) -> None:
    assert says in refusal(lambda: timeline(meter, recording([(0, 100)]), window=window, stride=stride))
    assert says in refusal(lambda: StreamingClassifier(FS, meter, window=window, stride=stride))


def test_a_recording_shorter_than_a_window_is_refused(meter: Classifier) -> None:
    assert "9 s are less than one window of 10 s" in refusal(lambda: timeline(meter, recording([(0, 9)])))


def test_a_timeline_says_all_in_json(meter: Classifier, tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", np.repeat([0.0, 1.0], 30_000))
    found = timeline(meter, open_recording(tmp_path / "long.npy", ReadOptions(fs=FS, unit="mV")))
    unknown = {"heart_rate": None, "start_time": None, "end_time": None}
    assert found.as_dict() == {
        "kind": "timeline",
        "record": "long",
        "reading": "lead ECG, 100 Hz, 10 min",
        "lead": "ECG",
        "fs": 100,
        "seconds": 600,
        "missing": 0,
        "start_time": None,
        "stride": 5,
        "join": 30,
        "shortest": 10,
        "classes": meter.classes,
        "labels": ["N"] * 60 + ["A"] * 60,
        "unreadable": 0,
        "burden": {"N": 0.5, "A": 0.5},
        "hours": {"N": pytest.approx(1 / 12), "A": pytest.approx(1 / 12)},
        "episodes": [
            {"label": "N", "start": 0, "end": 300, "probability": pytest.approx(1, abs=0.1)} | unknown,
            {"label": "A", "start": 300, "end": 600, "probability": pytest.approx(1, abs=0.1)} | unknown,
        ],
        "other_leads": [],
        "heart_rate": None,
        "lowest_rate": None,
        "highest_rate": None,
        "pauses": 0,
        "rates": {
            "minutes": [None] * 10,
            "mean": None,
            "lowest": None,
            "highest": None,
            "hours": [{"start": 0, "mean": None, "lowest": None, "highest": None}],
            "pauses": [],
            "counted": 0,
        },
    }


def test_a_signal_in_memory_gets_the_timeline_of_its_file(meter: Classifier, tmp_path: Path) -> None:
    signal = np.repeat([0.0, 1.0, np.nan, 1.0], 10_000)
    np.savez(tmp_path / "r.npz", ecg=signal, fs=FS, unit="mV")
    of_file = timeline(meter, open_recording(tmp_path / "r.npz"))
    assert ecg_rhythm.classify(signal.tolist(), meter, fs=FS).as_dict() == of_file.as_dict() | {
        "record": "",
        "lead": "",
        "reading": of_file.reading.removeprefix("lead ECG, "),
    }


def test_a_label_for_a_long_signal_is_remarked_on(meter: Classifier) -> None:
    remark = "more than the 300 s that one label is meant for"
    strips = [Record("r", np.zeros(n, dtype=np.float32), FS, "") for n in (30_000, 30_001)]
    assert [remark in prediction.reading for prediction in meter.classify(strips)] == [False, True]


@pytest.mark.parametrize("classes", [["N", "A", "O", "~"], ["N", "A"], ["sinus", "paced", "other"], ["one"]])
def test_changes_in_ten_seconds_are_those_of_twice_five(classes: list[str]) -> None:
    once, twice = transitions(classes, 5.0), transitions(classes, 10.0)
    np.testing.assert_allclose(once.sum(axis=1), 1)
    assert (once >= 0).all()
    np.testing.assert_allclose(once @ once, twice, atol=1e-12)


def test_changes_are_those_of_each_pair() -> None:
    """In a short step, a change is as probable as its rate times the step."""
    changes = {("N", "A"): 36.0, ("A", "N"): 3.6}
    np.testing.assert_allclose(transitions(["N", "A"], 0.1, changes), [[0.999, 0.001], [0.0001, 0.9999]], atol=2e-6)


class Counting(Classifier):
    """Counts the windows that are computed."""

    computed = 0

    def probabilities(self, recordings: Sequence[Record]) -> NDArray[np.float64]:
        self.computed += len(recordings)
        return super().probabilities(recordings)


def test_windows_between_two_that_say_the_same_are_not_computed(meter: Classifier) -> None:
    model = Counting(meter.members)
    quiet = timeline(model, recording([(0, 3600)]))
    assert set(quiet.labels) == {"N"} and model.computed < 0.55 * 719
    model.computed = 0
    restless = timeline(model, recording([(level, 5) for level in np.tile([0, 0, 1, 1], 90)]))
    assert restless.labels.count("A") > 0 and model.computed > 0.9 * 359
    model.computed = 0
    timeline(model, recording([(0, 3600)]), stride=8)  # those between are not within the others
    assert model.computed == len(range(0, 3591, 8)) + 1


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_a_change_between_two_windows_is_seen(meter: Classifier, seed: int) -> None:
    """Episodes begin and end where they do when all windows are computed."""
    rng = np.random.default_rng(seed)
    levels = [(float(i % 2), float(rng.integers(15, 90))) for i in range(12)]
    whole, found = recording(levels), dict[float, list[str]]()
    for alike in (-1.0, 0.5):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ecg_rhythm.inference.sliding.ALIKE", alike)
            found[alike] = timeline(meter, whole).labels
    differing = sum(a != b for a, b in zip(found[-1.0], found[0.5], strict=True))
    assert differing <= 2 * len(levels)
