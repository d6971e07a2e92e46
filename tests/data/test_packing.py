from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import wfdb
from numpy.typing import NDArray

from ecg_rhythm.data.labels import read_labels
from ecg_rhythm.data.packing import pack_folder
from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.records import ReadOptions
from tests.helpers import refusal


def wave(fs: float, seconds: float = 4) -> NDArray[np.float64]:
    return np.asarray(np.sin(2 * np.pi * 5 * np.arange(int(seconds * fs)) / fs))


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Recordings a (250 Hz), b (500 Hz, two leads, in a folder of its own) and c (a challenge .mat, 300 Hz)."""
    folder = tmp_path / "recordings"
    (folder / "more").mkdir(parents=True)
    wfdb.wrsamp(
        "a", fs=250, units=["mV"], sig_name=["ECG"], p_signal=wave(250)[:, None], fmt=["16"], write_dir=str(folder)
    )
    two = np.stack([np.zeros(2000), wave(500)], axis=1)
    wfdb.wrsamp(
        "b",
        fs=500,
        units=["mV", "mV"],
        sig_name=["V1", "II"],
        p_signal=two,
        fmt=["212", "212"],
        write_dir=str(folder / "more"),
    )
    scipy.io.savemat(folder / "c.mat", {"val": np.rint(1000 * wave(300)).astype(np.int16)}, format="4")
    return folder


def pack(recordings: Path, labels: str, fs: float = 300) -> Store:
    csv = recordings.parent / "labels.csv"
    csv.write_text(labels, newline="")
    return pack_folder(recordings, csv, recordings.parent / "data", fs=fs)


def left_behind(recordings: Path) -> list[Path]:
    return list((recordings.parent / "data").rglob("*"))


@pytest.mark.parametrize(
    "labels",
    [
        "a,sinus\nb,flutter\nc,sinus\n",
        "record,label\na,sinus\nb,flutter\nc,sinus\n",
        "Record,Label\r\na,sinus\r\nb,flutter\r\nc,sinus",
        "\ufeffrecord,label\na, sinus\n\n b ,flutter\nc,sinus\n",
        'c,sinus\n"b","flutter"\na,sinus\n',
    ],
    ids=["plain", "header", "windows", "mark and blanks", "quoted and unsorted"],
)
def test_recordings_of_all_formats_are_packed_with_their_labels(recordings: Path, labels: str) -> None:
    pack(recordings, labels)
    store = open_store(recordings.parent / "data")
    assert list(store.names) == ["a", "b", "c"]
    assert store.classes == ["flutter", "sinus"]
    assert store.labels_of() == ["sinus", "flutter", "sinus"]
    assert store.targets().tolist() == [1, 0, 1]
    assert store.origin == "recordings, labelled by labels.csv"


@pytest.mark.parametrize("fs", [300, 250, 128])
def test_all_recordings_are_brought_to_one_rate(recordings: Path, fs: float) -> None:
    store = pack(recordings, "a,N\nb,A\nc,N\n", fs=fs)
    assert store.fs == fs
    assert store.lengths.tolist() == [4 * fs] * 3
    for i in range(3):
        inner = slice(int(fs / 2), -int(fs / 2))
        np.testing.assert_allclose(store.signal(i)[inner], wave(fs)[inner], atol=0.01)


def test_the_default_rate_is_that_of_the_challenge(recordings: Path) -> None:
    (recordings.parent / "labels.csv").write_text("a,N\nb,A\nc,N\n")
    store = pack_folder(recordings, recordings.parent / "labels.csv", recordings.parent / "data")
    assert store.fs == 300
    assert np.array_equal(store.signal(2), np.rint(1000 * wave(300)).astype(np.float32) / 1000)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("a,N\nb,A\n", "c.mat: this recording has no label; add a line `c,...` to"),
        ("a,N\nc,A\n", "b.hea: this recording has no label; add a line `b,...` to"),
        ("a,N\nb,A\nc,N\nd,N\n", "labels.csv: record d is not in"),
        ("ecg,rhythm name\na,N\nb,A\nc,N\n", "a first line that names the columns must be `record,label`"),
        ("a,N\nb,A\nc,N\na,N\n", "labels.csv, line 4: record a is listed twice; remove one of the lines"),
        ("a,N\nb,N\nc,N\n", "labels.csv: all recordings are labelled N; at least two classes are needed"),
        ("", "labels.csv: there are no labels in it; write a line `record,label`"),
        ("record,label\n", "labels.csv: there are no labels in it; write a line `record,label`"),
        ("a N\nb A\nc N\n", "labels.csv, line 1: expected `record,label`, found 'a N'; correct this line"),
        ("a,N,1\nb,A,2\nc,N,3\n", "line 1: expected `record,label`, as no first line names the columns, found 'a,N,1'"),
        ("a,N\nb\nc,N\n", "labels.csv, line 2: expected `record,label`, found 'b'; correct this line"),
        ("a,N\nb,A\nc,\n", "labels.csv, line 3: expected `record,label`, found 'c,'; correct this line"),
        ("a,N\nb,A,x\nc,N\n", "line 2: expected `record,label`, as no first line names the columns, found 'b,A,x'"),
        (f"a,{'N' * 2**18}\nb,A\nc,N\n", "labels.csv: this is not a CSV file (field larger than field limit"),
        ('a,N\nb,A\nc,N\n"d\ne",N\n', "labels.csv, line 4: expected"),
    ],
)
def test_labels_that_do_not_fit_are_refused(recordings: Path, labels: str, says: str) -> None:
    assert says in refusal(lambda: pack(recordings, labels))
    assert left_behind(recordings) == []


def lose_signals(folder: Path) -> None:
    (folder / "more" / "b.dat").unlink()


def make_gaps(folder: Path) -> None:
    scipy.io.savemat(folder / "c.mat", {"val": np.full((1, 300), np.nan)}, format="4")


def leave_half_a_second(folder: Path) -> None:
    scipy.io.savemat(folder / "c.mat", {"val": np.zeros(150)}, format="4")


def spoil(folder: Path) -> None:
    (folder / "c.mat").write_bytes(b"no matrix")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lose_signals, "b.hea: its signal file b.dat is missing"),
        (make_gaps, "c.mat: 300 of its 300 samples are not numbers"),
        (leave_half_a_second, "c: 0.5 s is too short; give at least 1 s"),
        (spoil, "c.mat: this .mat file is damaged or not a .mat file"),
    ],
)
def test_a_recording_that_cannot_be_read_leaves_no_data_set(
    recordings: Path, damage: Callable[[Path], None], says: str
) -> None:
    damage(recordings)
    assert says in refusal(lambda: pack(recordings, "a,N\nb,A\nc,N\n"))
    assert left_behind(recordings) == []


def test_the_folder_at_hand_is_named_in_the_origin(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (recordings.parent / "labels.csv").write_text("a,N\nb,A\nc,N\n")
    monkeypatch.chdir(recordings)
    assert pack_folder(Path(), Path("../labels.csv"), Path("../data")).origin == "recordings, labelled by labels.csv"


def test_packing_twice_is_refused_and_leaves_the_first(recordings: Path) -> None:
    first = pack(recordings, "a,N\nb,A\nc,N\n")
    assert "exists already" in refusal(lambda: pack(recordings, "a,A\nb,N\nc,N\n"))
    assert open_store(recordings.parent / "data").fingerprint == first.fingerprint


@pytest.mark.parametrize("fs", [0, -300, 0.5, 1e6, float("nan")])
def test_an_impossible_rate_is_refused(recordings: Path, fs: float) -> None:
    assert "the sampling rate must be from 1 to 10000 Hz" in refusal(lambda: pack(recordings, "a,N\nb,A\nc,N\n", fs))
    assert left_behind(recordings) == []


def test_missing_files_are_refused_by_name(recordings: Path) -> None:
    labels, data = recordings.parent / "labels.csv", recordings.parent / "data"
    assert refusal(lambda: pack_folder(recordings, labels, data)) == f"{labels}: there is no such file; check the name"
    labels.write_text("a,N\nb,A\n")
    assert str(recordings / "none") in refusal(lambda: pack_folder(recordings / "none", labels, data))
    empty = recordings.parent / "empty"
    empty.mkdir()
    assert f"{empty}: there are no recordings in it" in refusal(lambda: pack_folder(empty, labels, data))
    assert not data.exists()


def test_only_the_first_line_can_be_a_header(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("record,label\nrecord,label\na,N\n")
    assert read_labels(tmp_path / "l.csv") == {"record": "label", "a": "N"}


def test_labels_may_hold_any_text(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text('r1,"AV block, 2nd degree"\nr2,Vorhofflimmern für Fälle\n', encoding="utf-8")
    assert read_labels(tmp_path / "l.csv") == {"r1": "AV block, 2nd degree", "r2": "Vorhofflimmern für Fälle"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("first", "row"),
    [
        ((), ("{}", "{}")),
        (("record", "label"), ("{}", "{}")),
        (("Filename", "Rhythm"), ("{}.csv", "{}")),
        (("file", "label"), ("set/a.b/{}.hea", "{}")),
        (("label", "record"), None),
        (("record", "label", "age"), ("{}", "{}", "60")),
        (("", "record", "label"), ("7", "{}", "{}")),
    ],
)
def test_labels_are_read_as_people_write_them(
    tmp_path: Path, delimiter: str, first: tuple[str, ...], row: tuple[str, ...] | None
) -> None:
    labels = {"r0": "Normal", "r1": "AV block, 2nd degree", "r.2": "Other"}
    with (tmp_path / "l.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        if first:
            writer.writerow(first)
        for name, label in labels.items():
            filled = iter((name, label))
            writer.writerow(
                (label, name) if row is None else [cell.format(next(filled)) if "{}" in cell else cell for cell in row]
            )
    assert read_labels(tmp_path / "l.csv") == labels


def test_what_was_assumed_in_packing_is_said(recordings: Path) -> None:
    (recordings.parent / "labels.csv").write_text("a,Other\nb,other\nc,N\n")
    said: list[str] = []
    pack_folder(recordings, recordings.parent / "labels.csv", recordings.parent / "data", report=said.append)
    assert said[0] == "'Other' and 'other' are different classes; correct the labels if they are one"


def test_files_without_rate_unit_or_known_lead_are_packed_as_the_user_says(tmp_path: Path) -> None:
    wave = 1000 * np.sin(np.arange(4000) / 9)
    (tmp_path / "files").mkdir()
    for name in ("a", "b"):
        np.save(tmp_path / "files" / f"{name}.npy", np.column_stack([wave[::-1] ** 2, wave]))
    (tmp_path / "labels.csv").write_text("a,N\nb,A\n")
    data = tmp_path / "data"
    options = ReadOptions(lead="2", fs=200, unit="uV")
    store = pack_folder(tmp_path / "files", tmp_path / "labels.csv", data, fs=200, options=options)
    assert (store.fs, len(store.signal(0))) == (200, 4000)
    np.testing.assert_allclose(store.signal(0), wave / 1000, atol=0.002)
