"""Annotations that are written are read again by the formats' own libraries."""

from __future__ import annotations

import json
from pathlib import Path

import edfio
import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_rhythm.records.annotations import Rhythm, read_wfdb, write_edf, write_json, write_wfdb
from tests.helpers import refusal

DAY = [Rhythm("N", 0, 1800), Rhythm("AFIB", 1800, 1815), Rhythm("~", 1815, 2000), Rhythm("O", 2000, 86_400)]


def record(folder: Path, seconds: float, fs: float = 200.0) -> Path:
    """Write the header of a record, which is all that annotations need."""
    (folder / "r.hea").write_text(f"r 1 {fs:g} {round(seconds * fs)}\nr.dat 16 200 16 0 0 0 0 II\n")
    return folder / "r"


def test_wfdb_annotations_are_what_its_library_reads(tmp_path: Path) -> None:
    path = record(tmp_path, 86_400)
    write_wfdb(path.with_suffix(".atr"), DAY, 200.0)
    found = wfdb.rdann(str(path), "atr")
    assert found.sample.tolist() == [0, 360_000, 363_000, 363_000, 400_000, 400_000]
    assert found.symbol == ["+", "+", "~", "+", "~", "+"]
    assert [note.rstrip("\0") for note in found.aux_note] == ["(N", "(AFIB", "", "(U", "", "(O"]
    assert found.fs == 200
    own = read_wfdb(path)
    assert (own.rhythms, own.seconds, own.name, len(own.beats)) == (DAY, 86_400, "r", 0)


@pytest.mark.parametrize(
    ("start", "date", "time"),
    [
        ("2024-02-29T07:15:00+01:00", "2024-02-29", "07:15:00"),
        ("2024-02-29T07:15:00.250000", "2024-02-29", "07:15:00.250000"),
        ("23:59:59", None, "23:59:59"),
        ("1969-02-28T07:15:00", None, "07:15:00"),
        (None, None, "00:00:00"),
    ],
)
def test_edf_annotations_say_when_the_recording_began(
    tmp_path: Path, start: str | None, date: str | None, time: str
) -> None:
    write_edf(tmp_path / "r.edf", DAY, start)
    found = edfio.read_edf(tmp_path / "r.edf")
    if date is None:
        with pytest.raises(edfio.AnonymizedDateError):
            _ = found.startdate
    else:
        assert found.startdate.isoformat() == date
    assert found.starttime.isoformat() == time
    assert [(note.onset, note.text) for note in found.annotations] == [(one.start, one.name) for one in DAY]


def test_edf_annotations_are_what_its_library_reads(tmp_path: Path) -> None:
    write_edf(tmp_path / "r.edf", DAY)
    found = edfio.read_edf(tmp_path / "r.edf").annotations
    assert [(one.onset, one.duration, one.text) for one in found] == [
        (one.start, one.end - one.start, one.name) for one in DAY
    ]


def test_json_annotations_say_the_same(tmp_path: Path) -> None:
    write_json(tmp_path / "r.json", DAY, {"record": "r", "fs": 200.0})
    found = json.loads((tmp_path / "r.json").read_text())
    assert (found["record"], found["fs"]) == ("r", 200)
    assert [Rhythm(**one) for one in found["rhythms"]] == DAY


@given(st.lists(st.tuples(st.sampled_from(["N", "AFIB", "O", "~"]), st.integers(1, 100_000)), min_size=1, max_size=30))
@settings(max_examples=25)
def test_rhythms_come_back(tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[str, int]]) -> None:
    ends = np.cumsum([samples for _, samples in parts]) / 250
    starts = [0.0, *ends[:-1].tolist()]
    rhythms = [Rhythm(name, start, end) for (name, _), start, end in zip(parts, starts, ends.tolist(), strict=True)]
    path = record(tmp_path_factory.mktemp("r"), rhythms[-1].end, 250)
    write_wfdb(path.with_suffix(".atr"), rhythms, 250)
    found = read_wfdb(path).rhythms
    assert [one.name for one in found] == [one.name for one in rhythms]
    np.testing.assert_allclose([(one.start, one.end) for one in found], [(one.start, one.end) for one in rhythms])
    write_edf(path.with_suffix(".edf"), rhythms)
    notes = edfio.read_edf(path.with_suffix(".edf")).annotations
    assert [one.text for one in notes] == [one.name for one in rhythms]
    np.testing.assert_allclose([one.onset for one in notes], [one.start for one in rhythms])


def test_annotations_have_a_resolution_of_their_own(tmp_path: Path) -> None:
    record(tmp_path, 30, 250)
    notes, folder = ["(N", "(AFIB"], str(tmp_path)
    wfdb.wrann("r", "atr", np.array([0, 10_000]), ["+", "+"], aux_note=notes, fs=1000, write_dir=folder)
    assert read_wfdb(tmp_path / "r").rhythms == [Rhythm("N", 0, 10), Rhythm("AFIB", 10, 30)]


def test_a_rhythm_goes_on_where_the_signal_is_readable_again(tmp_path: Path) -> None:
    record(tmp_path, 30, 250)
    at, marks = np.array([2, 10, 12, 20, 22, 24, 26]), ["~", "~", "~", "~", "+", "~", "~"]
    at[0], marks = 0, ["+", *marks[1:]]
    qualities = np.array([0, -1, 0, 1, 0, -1, -1])
    notes = ["(AFIB", "", "", "", "(N", "", ""]
    wfdb.wrann("r", "atr", 250 * at, marks, qualities, aux_note=notes, fs=250, write_dir=str(tmp_path))
    found = read_wfdb(tmp_path / "r")
    assert found.rhythms == [Rhythm("AFIB", 0, 22), Rhythm("N", 22, 30)]
    assert found.unreadable == [(10, 12), (24, 26), (26, 30)]


def test_what_is_unreadable_is_written_as_other_programs_know_it(tmp_path: Path) -> None:
    """Programs that compare rhythms look at `+` alone; the quality of a signal holds until the next `~`."""
    write_wfdb(record(tmp_path, 86_400).with_suffix(".atr"), DAY, 200.0)
    found = wfdb.rdann(str(tmp_path / "r"), "atr")
    rhythm, quality, at = "", 0, dict[float, tuple[str, int]]()
    for sample, symbol, note, subtype in zip(found.sample, found.symbol, found.aux_note, found.subtype, strict=True):
        rhythm = note.rstrip("\0") if symbol == "+" else rhythm
        quality = int(subtype) if symbol == "~" else quality
        at[sample / 200] = rhythm, quality
    assert at == {0: ("(N", 0), 1800: ("(AFIB", 0), 1815: ("(U", -1), 2000: ("(O", 0)}


def test_a_header_in_upper_case_or_without_a_length(tmp_path: Path) -> None:
    path = record(tmp_path, 30)
    write_wfdb(path.with_suffix(".atr"), [Rhythm("N", 0, 30)], 200.0)
    header = path.with_suffix(".hea")
    upper = header.rename(tmp_path / "R.HEA")
    (tmp_path / "r.atr").rename(tmp_path / "R.atr")
    assert read_wfdb(upper).rhythms == [Rhythm("N", 0, 30)]
    upper.write_text("r 1 200\nr.dat 16 200 16 0 0 0 0 II\n")
    assert "does not say how many samples there are" in refusal(lambda: read_wfdb(upper))


def test_beats_and_rhythms_are_told_apart(tmp_path: Path) -> None:
    path = record(tmp_path, 100)
    samples, symbols = np.array([0, 100, 300, 350, 500, 700]), ["+", "N", "V", "|", "+", "A"]
    notes = ["(N", "", "", "", "(AFL", ""]
    wfdb.wrann("r", "atr", samples, symbols, aux_note=notes, fs=200, write_dir=str(tmp_path))
    found = read_wfdb(path.with_suffix(".hea"))
    assert found.rhythms == [Rhythm("N", 0, 2.5), Rhythm("AFL", 2.5, 100)]
    assert found.beats.tolist() == [0.5, 1.5, 3.5]


def test_what_is_no_annotation_is_refused(tmp_path: Path) -> None:
    assert "there is no such WFDB record" in refusal(lambda: read_wfdb(tmp_path / "none"))
    path = record(tmp_path, 100)
    assert "there are no annotations" in refusal(lambda: read_wfdb(path))
    path.with_suffix(".atr").write_bytes(b"\xff")
    assert "damaged" in refusal(lambda: read_wfdb(path))
    path.with_suffix(".atr").write_bytes(b"")
    assert read_wfdb(path).rhythms == []


@pytest.mark.parametrize(
    "note",
    [
        b"## tIme resolution: 250",
        b"## ",
        b"## end of definitions",
        b"## annotation type definitions",
        b"## annotation type definitions!",
    ],
)
def test_a_definition_that_is_unknown_is_refused_and_not_read_for_ever(tmp_path: Path, note: bytes) -> None:
    wfdb.wrsamp("r", 250, ["mV"], ["I"], p_signal=np.sin(np.arange(2500) / 9)[:, None], write_dir=str(tmp_path))
    rhythms = [Rhythm("N", 0.0, 10.0)]
    write_wfdb(tmp_path / "r.atr", rhythms, 250)
    assert [one.name for one in read_wfdb(tmp_path / "r").rhythms] == ["N"]
    after = (tmp_path / "r.atr").read_bytes()
    added = bytes([0, 22 << 2, len(note), 0xFC]) + note + b"\0" * (len(note) % 2)
    (tmp_path / "r.atr").write_bytes(added + after)
    assert "it defines something that is unknown" in refusal(lambda: read_wfdb(tmp_path / "r"))


def test_an_impossible_duration_is_refused(tmp_path: Path) -> None:
    wfdb.wrsamp("r", 250, ["mV"], ["I"], p_signal=np.sin(np.arange(2500) / 9)[:, None], write_dir=str(tmp_path))
    write_wfdb(tmp_path / "r.atr", [Rhythm("N", 0.0, 10.0)], 250)
    header = (tmp_path / "r.hea").read_text()
    for length in ("0", str(10**14)):
        (tmp_path / "r.hea").write_text(header.replace("r 1 250 2500", f"r 1 250 {length}"))
        assert refusal(lambda: read_wfdb(tmp_path / "r")).startswith(f"{tmp_path}/r.hea: no record lasts ")
