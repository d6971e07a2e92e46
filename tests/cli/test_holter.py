"""A report and annotations of long recordings, from the command line; figures against an own computation."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import edfio
import numpy as np
import pytest
import wfdb
from matplotlib.figure import Figure

import ecg_rhythm
from ecg_rhythm.inference import holter
from ecg_rhythm.inference.answers import Timeline
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.holter.drawings import Leads, draw_strip
from ecg_rhythm.inference.holter.tables import facts
from ecg_rhythm.records import in_memory
from ecg_rhythm.records.annotations import read_wfdb
from scripts.examples import hour
from tests.commands import run

FS = 300


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic ECG of 140 minutes, with fibrillation in a quarter of each hour, and a gap at the end."""
    folder = tmp_path_factory.mktemp("holter")
    signal = np.tile(hour(), 3)[24 * 60 * FS : 164 * 60 * FS].astype(np.float64)
    signal[-3 * 60 * FS :] = np.nan
    np.savez(folder / "day.npz", ecg=signal, fs=FS, unit="mV")
    return folder / "day.npz"


def cells(page: str, heading: str) -> list[list[str]]:
    """The rows of the table below a heading."""
    table = page.split(f"<h2>{heading}</h2>")[1].split("</table>")[0]
    return [re.findall(r"<td>(.*?)</td>", row) for row in table.split("<tr>")[2:]]


def seconds_of(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    return 3600 * hours + 60 * minutes + seconds


def test_a_report_says_what_the_answer_says(recording: Path, tmp_path: Path) -> None:
    done = run("classify", recording, "--report", tmp_path / "r.html", "--json", "--annotations", tmp_path)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    page = (tmp_path / "r.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    fact = dict(re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>", page))
    own = [one for one in answer["episodes"] if one["label"] == "A"]
    assert len(own) >= 3 and answer["unreadable"] == pytest.approx(3 / 140, abs=0.01)
    # Of the labels, each of which is a step.
    readable = [label for label in answer["labels"] if label != "~"]
    burden = readable.count("A") / len(readable)
    assert fact["burden of A atrial fibrillation"] == f"{burden:.1%}"
    assert fact["unreadable"].startswith(f"{answer['labels'].count('~') / len(answer['labels']):.1%}")
    minutes = [rate for rate in answer["rates"]["minutes"] if rate is not None]
    assert f"lowest minute {min(minutes):.0f} beats/min, highest {max(minutes):.0f} beats/min" in fact["heart rate"]
    rows = cells(page, "Episodes of atrial fibrillation")
    assert [[seconds_of(row[1]), seconds_of(row[2])] for row in rows] == [[one["start"], one["end"]] for one in own]
    assert [row[4] for row in rows] == [f"{one['heart_rate']:.0f}" for one in own]
    assert [seconds_of(row[0]) for row in cells(page, "Hours")] == [0, 3600, 7200]
    for i, (_, mean, lowest, highest, hourly, unreadable) in enumerate(cells(page, "Hours")):
        steps = answer["labels"][720 * i : 720 * (i + 1)]  # of 5 s
        known = [rate for rate in answer["rates"]["minutes"][60 * i : 60 * (i + 1)] if rate is not None]
        assert (lowest, highest) == (f"{min(known):.0f}", f"{max(known):.0f}")
        assert float(mean) == pytest.approx(np.mean(known), rel=0.02)
        assert hourly == f"{steps.count('A') / (len(steps) - steps.count('~')):.1%}"
        assert unreadable == f"{steps.count('~') / len(steps):.1%}"
    assert page.count("<figure>") == 1 + len(own)
    # Annotations say the same episodes.
    found = wfdb.rdann(str(tmp_path / "day"), "atr")
    starts = [
        sample / FS for sample, note in zip(found.sample, found.aux_note, strict=True) if note.startswith("(AFIB")
    ]
    assert starts == [one["start"] for one in own]
    assert "~" in found.symbol


def test_annotations_and_scores_say_what_the_answer_does(recording: Path, tmp_path: Path) -> None:
    """The annotations of each format, read again; and the answer scored against its own annotations."""
    for kind in ("atr", "edf", "json"):
        done = run("classify", recording, "--json", "--annotations", tmp_path / kind, "--annotations-format", kind)
        assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    names = {"A": "AFIB"}
    expected = [(names.get(one["label"], one["label"]), one["start"], one["end"]) for one in answer["episodes"]]
    notes = edfio.read_edf(tmp_path / "edf" / "day.edf").annotations
    assert [(one.text, one.onset, one.onset + (one.duration or 0)) for one in notes] == expected
    rhythms = json.loads((tmp_path / "json" / "day.json").read_text())["rhythms"]
    assert [(one["name"], one["start"], one["end"]) for one in rhythms] == expected

    samples = round(FS * answer["seconds"])
    (tmp_path / "atr" / "day.hea").write_text(f"day 1 {FS} {samples}\nday.dat 16 200 16 0 0 0 0 II\n")
    assert [(one.name, one.start, one.end) for one in read_wfdb(tmp_path / "atr" / "day").rhythms] == expected
    (tmp_path / "answers.json").write_text(json.dumps([answer]))
    done = run("score-episodes", tmp_path / "atr", tmp_path / "answers.json", "--json", "--shortest", 0)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["gross"].values()) == {1.0}
    own = sum(end - start for name, start, end in expected if name == "AFIB") / answer["seconds"]
    assert found["records"][0]["true burden"] == pytest.approx(own)
    assert found["records"][0]["detected burden"] == pytest.approx(answer["burden"]["A"])


def test_other_formats(recording: Path, tmp_path: Path) -> None:
    done = run(
        "classify", recording, "--report", tmp_path / "r.pdf", "--annotations", tmp_path, "--annotations-format", "edf"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")
    assert "AFIB" in {one.text for one in edfio.read_edf(tmp_path / "day.edf").annotations}


def test_strips_show_the_lead_that_was_read(tmp_path: Path, meter: Classifier) -> None:
    t = np.arange(60_000) / 100
    wave = (0.05 * np.sin(7 * t)).astype(np.float32)
    first = np.where((t >= 200) & (t < 320), np.float32(np.nan), wave)
    other = in_memory("r", 1 + wave, 100, "II", 1.0)
    recording = replace(in_memory("r", first, 100, "I", 1.0), others=(lambda: other,))
    answer = ecg_rhythm.classify(recording, meter)
    assert isinstance(answer, Timeline)
    holter.write(tmp_path / "r.html", [holter.Sheet(answer, lambda: recording)])
    (episode,) = answer.episodes("A")
    axis = Figure().subplots()
    draw_strip(Leads(holter.Sheet(answer, lambda: recording)), episode, 1, axis)
    assert axis.get_title(loc="left").endswith(", lead II")
    assert np.isfinite(axis.lines[0].get_ydata()).all()
    alone = replace(recording, others=())
    draw_strip(Leads(holter.Sheet(answer, lambda: alone)), episode, 1, clean := Figure().subplots())
    assert "lead" not in clean.get_title(loc="left")


@pytest.mark.parametrize("suffix", ["html", "pdf"])
def test_infinite_samples_and_unreadable_recordings_have_a_report(
    tmp_path: Path, meter: Classifier, suffix: str
) -> None:
    signal = (1 + 0.05 * np.sin(np.arange(60_000) / 9)).astype(np.float32)
    signal[30_000:30_020] = np.inf
    for values in (signal, np.full(60_000, np.nan, dtype=np.float32)):
        recording = in_memory("r", values, 100, "I", 1.0)
        answer = ecg_rhythm.classify(recording, meter)
        assert isinstance(answer, Timeline)
        holter.write(tmp_path / f"r.{suffix}", [holter.Sheet(answer, partial(replace, recording))])
        assert all(text for _, text in facts(answer))


def test_several_recordings_have_an_index(recording: Path, tmp_path: Path) -> None:
    for name in ("one", "<two>"):
        np.savez(tmp_path / f"{name}.npz", ecg=hour()[: 150 * FS], fs=FS, unit="mV")
    done = run("classify", tmp_path, "--report", tmp_path / "r.html", "--csv")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text()
    assert "2 recordings" in page and '<a href="#r1">' in page and "&lt;two&gt;" in page and "<two>" not in page
    assert page.count("<section") == 2


def test_what_cannot_be_written_is_refused_before_any_work(recording: Path, tmp_path: Path) -> None:
    for words, says in (
        (("--report", tmp_path / "r.txt"), "its suffix says no format"),
        (("--annotations", tmp_path, "--annotations-format", "xml"), "there is no such format"),
    ):
        done = run("classify", recording, *words)
        assert (done.returncode, done.stdout) == (2, "") and says in done.stderr
    done = run("classify", "-", "--report", tmp_path / "r.html", given=b"1\n2\n")
    assert done.returncode == 2 and "can be read only once" in done.stderr
    np.savez(tmp_path / "short.npz", ecg=hour()[: 30 * FS], fs=FS, unit="mV")
    done = run("classify", tmp_path / "short.npz", "--report", tmp_path / "r.html")
    assert done.returncode == 2 and "no recording was classified in windows" in done.stderr
    assert not (tmp_path / "r.html").exists()


def test_clock_times_are_those_of_the_recording(tmp_path: Path) -> None:
    signal = edfio.EdfSignal(hour()[20 * 60 * FS : 40 * 60 * FS], FS, label="ECG", physical_dimension="mV")
    start = datetime(2024, 2, 29, 23, 45)
    edfio.Edf([signal], recording=edfio.Recording(startdate=start.date()), starttime=start.time()).write(
        tmp_path / "night.edf"
    )
    done = run("classify", tmp_path / "night.edf", "--report", tmp_path / "r.html", "--json")
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    page = (tmp_path / "r.html").read_text()
    assert "<td>2024-02-29 23:45:00 to 2024-03-01 00:05:00</td>" in page
    rows = cells(page, "Episodes of atrial fibrillation")
    own = [one for one in answer["episodes"] if one["label"] == "A"]
    assert [row[2] for row in rows] == [one["start_time"].split("T")[1] for one in own]
    assert [row[2] for row in rows] == [f"{start + timedelta(seconds=seconds_of(row[1])):%H:%M:%S}" for row in rows]
    assert [row[1] for row in cells(page, "Hours")] == ["23:45:00"]
    done = run("classify", tmp_path / "night.edf", "--report", tmp_path / "n.html", "--no-dates", "--csv")
    assert done.returncode == 0, done.stderr
    without = (tmp_path / "n.html").read_text()
    assert "2024-02-29" not in without and "23:45" not in without and "clock time" not in without


def test_a_report_speaks_of_one_time_and_one_rate(tmp_path: Path) -> None:
    """Clock times are rounded as times from the beginning are, and a mean is the same wherever it stands."""
    signal = edfio.EdfSignal(hour()[20 * 60 * FS : 40 * 60 * FS], FS, label="ECG", physical_dimension="mV")
    start = datetime(2024, 2, 29, 23, 45)
    edfio.Edf([signal], recording=edfio.Recording(startdate=start.date()), starttime=start.time()).write(
        tmp_path / "a.edf"
    )
    np.savez(tmp_path / "b.npz", ecg=hour()[: 150 * FS], fs=FS, unit="mV")
    done = run("classify", tmp_path, "--report", tmp_path / "r.html", "--json")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text()
    for number, answer in enumerate(json.loads(done.stdout)):
        mean = f"{answer['heart_rate']:.0f}"
        section = page.split("<section")[number + 1]
        assert f"mean {mean} beats/min" in section
        row = re.search(rf"<td><a[^>]*>{answer['record']}</a></td>(.*?)</tr>", page)
        assert row is not None and f"<td>{mean}</td>" in row[1]
        for said, after in re.findall(r"(\d\d:\d\d:\d\d) \((\d+:\d\d:\d\d) after the beginning\)", section):
            assert said == f"{start + timedelta(seconds=seconds_of(after)):%H:%M:%S}"
    assert "after the beginning)" in page and "Clifford" in page and "made by ecg-rhythm" in page.lower()
