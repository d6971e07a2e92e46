"""`score-episodes` against a case worked by hand, from files to figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from ecg_rhythm.inference.scoring import compared
from ecg_rhythm.records.annotations import Rhythm, write_wfdb
from tests.commands import run
from tests.helpers import refusal

FS = 100.0


def reference(folder: Path) -> Path:
    """A record of 1000 s with 100, 20 and 300 s of fibrillation, the last of which becomes flutter, and 60 beats/min.

    And one of 500 s without any, in which expert beats are 75 a minute.
    """
    folder.mkdir()
    for name, seconds, rate, changes in (
        (
            "a",
            1000,
            60,
            [
                (0, "(N"),
                (100, "(AFIB"),
                (200, "(N"),
                (400, "(AFIB"),
                (420, "(N"),
                (600, "(AFIB"),
                (700, "(AFL"),
                (900, "(N"),
            ],
        ),
        ("b", 500, 75, [(0, "(N")]),
    ):
        (folder / f"{name}.hea").write_text(f"{name} 1 {FS:g} {round(seconds * FS)}\n{name}.dat 16 200 16 0 0 0 0 II\n")
        marks = [(second, "+", note) for second, note in changes]
        marks += [(second, "N", "") for second in np.arange(0.5, seconds, 60 / rate).tolist()]
        marks.sort()
        times, symbols, notes = zip(*marks, strict=True)
        samples = np.rint(np.array(times) * FS).astype(int)
        wfdb.wrann(name, "atr", samples, list(symbols), aux_note=list(notes), fs=FS, write_dir=str(folder))
    return folder


def timeline(
    name: str, seconds: float, episodes: list[tuple[float, float]], rate: float, burden: float
) -> dict[str, Any]:
    return {
        "kind": "timeline",
        "record": name,
        "seconds": seconds,
        "classes": ["N", "A", "O", "~"],
        "episodes": [{"label": "A", "start": start, "end": end} for start, end in episodes],
        "burden": {"N": 1 - burden, "A": burden, "O": 0},
        "rates": {"minutes": [rate] * int(seconds // 60)},
    }


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    found = [
        timeline("a", 1000, [(150, 300), (700, 740), (950, 960)], 63, 0.22),
        timeline("b", 500, [(100, 140)], 73, 0.1),
        timeline("other", 500, [], 60, 0),
    ]
    (tmp_path / "answers.json").write_text(json.dumps(found))
    return tmp_path / "answers.json"


def test_figures_are_those_worked_by_hand(tmp_path: Path, answers: Path) -> None:
    """Of `a`, 50 + 40 s of 420 true and 200 claimed ones are right; `b` has 40 s that are wrong."""
    done = run("score-episodes", reference(tmp_path / "r"), answers, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["gross"] == pytest.approx(
        {
            "duration sensitivity": 90 / 420,
            "duration predictivity": 90 / 240,
            "episode sensitivity": 1,  # of 100 s and 300 s, as 20 s are too short
            "episode predictivity": 2 / 3,  # of 150 s, 40 s and the 40 s in the other record; 10 s are too short
        }
    )
    assert found["average"]["duration predictivity"] == pytest.approx((90 / 200 + 0) / 2)
    assert {row["from"]: (row["episodes"], row["detected"]) for row in found["by length"] if row["episodes"]} == {
        0: (1, 0), 60: (1, 1), 120: (1, 1),
    }  # fmt: skip
    differences = np.array([0.22 - 0.42, 0.1 - 0])
    assert found["burden"]["bias"] == pytest.approx(differences.mean())
    spread = 1.96 * differences.std(ddof=1)
    assert found["burden"]["limits"] == pytest.approx([differences.mean() - spread, differences.mean() + spread])
    assert found["heart rate"]["minutes"] == 16 + 8
    assert found["heart rate"]["rms error"] == pytest.approx(np.sqrt((16 * 3**2 + 8 * 2**2) / 24))
    every = json.loads(run("score-episodes", tmp_path / "r", answers, "--json", "--shortest", 0).stdout)
    assert every["gross"]["episode sensitivity"] == pytest.approx(2 / 3)
    alone = json.loads(run("score-episodes", tmp_path / "r", answers, "--json", "--rhythm", "AFIB").stdout)
    assert alone["records"][0]["reference"] == pytest.approx(100 + 20 + 100)


def test_people_read_the_same(tmp_path: Path, answers: Path) -> None:
    done = run("score-episodes", reference(tmp_path / "r"), answers)
    assert done.returncode == 0
    for text in ("21.4%", "37.5%", "66.7%", "RMS error 2.7 beats/min over 24 minutes", "bias -5.0%"):
        assert text in done.stdout, text


def test_what_is_before_a_time_does_not_count(tmp_path: Path, answers: Path) -> None:
    """From 300 s on, nothing of `b` is right or wrong, and of `a` 300 + 20 s are true; 40 of 50 s are right."""
    found = json.loads(run("score-episodes", reference(tmp_path / "r"), answers, "--json", "--from", 300).stdout)
    assert [row["record"] for row in found["records"]] == ["a", "b"]
    whole = json.loads(run("score-episodes", tmp_path / "r", answers, "--json").stdout)
    first = found["records"][0]
    assert first["answered"] == 40 + 10
    assert first["reference"] == whole["records"][0]["reference"] - 100
    assert first["detected burden"] == pytest.approx(50 / 700)
    assert found["heart rate"]["minutes"] == 11 + 3
    late = run("score-episodes", tmp_path / "r", answers, "--from", 500)
    assert (late.returncode, late.stderr) == (0, "note: 1 of 2 records last no longer than 500 s and are left out: b\n")
    assert "no record lasts longer" in run("score-episodes", tmp_path / "r", answers, "--from", 1000).stderr


def test_a_burden_that_is_unknown_is_no_burden_of_0(tmp_path: Path) -> None:
    unreadable = timeline("a", 1000, [], 63, 0) | {"burden": {"N": None, "A": None, "O": None}}
    (tmp_path / "answers.json").write_text(json.dumps([unreadable, timeline("b", 500, [], 73, 0.1)]))
    found = json.loads(run("score-episodes", reference(tmp_path / "r"), tmp_path / "answers.json", "--json").stdout)
    assert found["records"][0]["detected burden"] is None
    assert found["burden"] == {"bias": pytest.approx(0.1), "sd": None, "limits": None}


def test_a_reference_without_rhythms_is_refused(tmp_path: Path, answers: Path) -> None:
    folder = reference(tmp_path / "r")
    wfdb.wrann("a", "atr", np.array([10]), ["N"], fs=FS, write_dir=str(folder))
    done = run("score-episodes", folder, answers)
    assert done.returncode == 2
    assert done.stderr.startswith("error: a: its annotations name no rhythm, such as (AFIB; take it out")


def test_annotations_can_be_the_answers(tmp_path: Path, answers: Path) -> None:
    (tmp_path / "own").mkdir()
    rhythms = [Rhythm("N", 0, 150), Rhythm("AFIB", 150, 300), Rhythm("N", 300, 1000)]
    write_wfdb(tmp_path / "own" / "a.atr", rhythms, FS)
    found = json.loads(run("score-episodes", reference(tmp_path / "r"), tmp_path / "own", "--json").stdout)
    assert found["gross"]["duration sensitivity"] == pytest.approx(50 / 420)
    assert found["gross"]["duration predictivity"] == pytest.approx(50 / 150)
    assert found["burden"]["bias"] == pytest.approx(0.15 - 0.42)


def test_records_without_an_answer_are_named(tmp_path: Path, answers: Path) -> None:
    folder = reference(tmp_path / "r")
    for suffix in ("hea", "atr"):
        (folder / f"z.{suffix}").write_bytes((folder / f"a.{suffix}").read_bytes())
    done = run("score-episodes", folder, answers, "--json")
    assert json.loads(done.stdout)["unanswered"] == ["z"]
    assert done.stderr == "note: 1 of 3 records have no answer and are left out: z\n"


@pytest.mark.parametrize("shortest", ["inf", "1e999"])
def test_a_shortest_episode_that_is_no_duration_is_refused(tmp_path: Path, answers: Path, shortest: str) -> None:
    done = run("score-episodes", reference(tmp_path / "r"), answers, "--shortest", shortest, "--json")
    says = "error: shortest inf: give a number of seconds from 0 on, such as 30\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", says)


def test_what_cannot_be_scored_is_refused(tmp_path: Path, answers: Path) -> None:
    for words, says in (
        ((tmp_path / "none", answers), "there is no such folder"),
        ((reference(tmp_path / "r"), tmp_path / "none.json"), "there is no such file"),
        ((tmp_path / "r", "/dev/zero"), "there is no such file"),
        ((tmp_path / "r", tmp_path / "r" / "a.atr"), "these are no answers"),
        ((tmp_path, answers), "it has no answer to a record"),
    ):
        done = run("score-episodes", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert says in done.stderr and "Traceback" not in done.stderr
    old = json.loads(answers.read_text())
    del old[0]["rates"]
    answers.write_text(json.dumps(old))
    assert "not one of this version" in run("score-episodes", tmp_path / "r", answers).stderr


@pytest.mark.parametrize(
    "change",
    [
        {"episodes": [{"label": "A", "start": 10.0, "end": 300.0}, {"label": "A", "start": 200.0, "end": 400.0}]},
        {"episodes": [{"label": "A", "start": 90.0, "end": 10.0}]},
        {"episodes": [{"label": "A", "start": float("nan"), "end": 10.0}]},
        {"episodes": [{"label": "A", "start": 0.0, "end": 10**400}]},
        {"burden": {"N": 0.5, "A": float("nan"), "O": 0.0}},
        {"burden": {"N": 0.5, "A": 10**400, "O": 0.0}},
        {"burden": {"N": 0.5, "A": 1.5, "O": 0.0}},
    ],
)
def test_impossible_answers_are_refused(tmp_path: Path, answers: Path, change: dict[str, Any]) -> None:
    rows = json.loads(answers.read_text())
    answers.write_text(json.dumps([rows[0] | change, *rows[1:]]))
    done = run("score-episodes", reference(tmp_path / "r"), answers)
    assert (done.returncode, done.stdout) == (2, "")
    assert "its answer is not one of this version, or impossible" in done.stderr


def test_a_strips_answer_to_another_duration_is_refused(tmp_path: Path, answers: Path) -> None:
    strip = {"kind": "prediction", "record": "a", "seconds": 30, "label": "A", "probabilities": {"N": 0, "A": 1}}
    answers.write_text(json.dumps([strip]))
    assert "its answer is to 30 s, the record has 1000 s" in refusal(
        lambda: [*compared(reference(tmp_path / "r"), answers)[0]]
    )


def test_minutes_where_no_beats_are_annotated_have_no_true_rate(tmp_path: Path, answers: Path) -> None:
    folder = reference(tmp_path / "r")
    found = wfdb.rdann(str(folder / "a"), "atr")
    times, marks, notes = found.sample / FS, np.array(found.symbol), np.array(found.aux_note)
    keep = ~((marks == "N") & (times > 61) & (times < 90))
    quality = np.zeros(keep.sum() + 2, dtype=int)
    times, marks, notes = times[keep], marks[keep], notes[keep]
    at = np.searchsorted(times, [62.0, 89.0])
    times, marks = np.insert(times, at, [62.0, 89.0]), np.insert(marks, at, ["~", "~"])
    notes, quality[at[0]] = np.insert(notes, at, ["", ""]), -1
    samples = np.rint(times * FS).astype(int)
    wfdb.wrann("a", "atr", samples, list(marks), quality, aux_note=list(notes), fs=FS, write_dir=str(folder))
    (one, _) = compared(folder, answers)[0]
    assert [true for _, true, _ in one.rates] == pytest.approx([60] * 16, abs=0.5)


def test_an_answer_to_another_duration_is_refused(tmp_path: Path, answers: Path) -> None:
    rows = json.loads(answers.read_text())
    answers.write_text(json.dumps([rows[0] | {"seconds": 10.0}, *rows[1:]]))
    done = run("score-episodes", reference(tmp_path / "r"), answers)
    assert done.returncode == 2 and "its answer is to 10 s, the record has 1000 s" in done.stderr
