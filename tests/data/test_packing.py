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
        ("a,N,1\nb,A,2\nc,N,3\n", "line 1: expected `record,label`, as no first line names the columns, found 3 cells"),
        ("a,N\nb\nc,N\n", "labels.csv, line 2: expected `record,label`, found 'b'; correct this line"),
        ("a,N\nb,A\nc,\n", "labels.csv, line 3: expected `record,label`, found 'c,'; correct this line"),
        ("record,label,patient\na,N\nb,A,Doe^John,1931-07-29\n", "line 2: expected `record,label`, found 2 cells"),
        ("a,N\nb,A,x\nc,N\n", "line 2: expected `record,label`, as no first line names the columns, found 3 cells"),
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


def test_a_data_set_among_the_recordings_is_none_of_them(recordings: Path) -> None:
    lines = "a,N\nb,A\nc,N\n"
    (recordings / "labels.csv").write_text(lines)

    def packed(data: str) -> Store:
        return pack_folder(recordings, recordings / "labels.csv", recordings / data)

    first = packed("data")
    (recordings / "data" / "splits" / "one").mkdir(parents=True)
    (recordings / "data" / "splits" / "one" / "train0.json").write_text("[1, 2]")
    store = recordings / "data" / "store"
    assert refusal(lambda: packed("data")) == f"{store}: exists already; name another --data folder, or remove it"
    assert packed("again").fingerprint == first.fingerprint
    (store / "store.json").unlink()
    assert "index.npy: this recording has no label" in refusal(lambda: packed("third"))


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


def of_record(path: Path) -> dict[str, str]:
    return {label.record: label.label for label in read_labels(path)}


def test_only_the_first_line_can_be_a_header(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("record,label\nrecord,label\na,N\n")
    assert of_record(tmp_path / "l.csv") == {"record": "label", "a": "N"}


def test_labels_may_hold_any_text(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text('r1,"AV block, 2nd degree"\nr2,Vorhofflimmern für Fälle\n', encoding="utf-8")
    assert of_record(tmp_path / "l.csv") == {"r1": "AV block, 2nd degree", "r2": "Vorhofflimmern für Fälle"}


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
    assert of_record(tmp_path / "l.csv") == labels


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


def ramp_file(folder: Path, name: str, seconds: int) -> None:
    """A recording whose sample in mV says where it is: 1 mV after 100 s; at 200 Hz."""
    folder.mkdir(exist_ok=True)
    np.savez(folder / f"{name}.npz", ecg=np.arange(200 * seconds) / 20_000, fs=200)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_parts_of_recordings_become_recordings_that_stay_together(tmp_path: Path, delimiter: str) -> None:
    for name in ("day", "strip"):
        ramp_file(tmp_path / "files", name, 60)
    comma = "," if delimiter == ";" else "."
    lines = ["record start_s end_s label", f"day.npz 2{comma}5 12{comma}5 N", "day 20 30 A", "strip   N"]
    (tmp_path / "l.csv").write_text("\n".join(lines).replace(" ", delimiter))
    store = pack_folder(tmp_path / "files", tmp_path / "l.csv", tmp_path / "data", fs=200)
    assert list(store.names) == ["day_2.5-12.5", "day_20-30", "strip"]
    assert store.labels_of() == ["N", "A", "N"]
    assert store.lengths.tolist() == [2000, 2000, 12000]
    np.testing.assert_allclose(store.signal(0), np.arange(500, 2500) / 20_000, atol=0.0006)
    np.testing.assert_allclose(store.signal(1), np.arange(4000, 6000) / 20_000, atol=0.0006)
    assert store.groups() == open_store(tmp_path / "data").groups() == [[1, 2]]
    store.check_all()


def test_recordings_of_a_patient_are_a_group_and_other_columns_are_named(tmp_path: Path) -> None:
    for name in "abcd":
        ramp_file(tmp_path / "files", name, 5)
    lines = ["file,rhythm,Patient ID,age", "a,N,p1,50", "b,A,p2,60", "c,A,p1,50", "d,N,,70"]
    (tmp_path / "l.csv").write_text("\n".join(lines))
    said: list[str] = []
    store = pack_folder(tmp_path / "files", tmp_path / "l.csv", tmp_path / "data", report=said.append)
    assert store.groups() == [[1, 3]]
    assert said[0] == f"{tmp_path / 'l.csv'}: passed over its columns 'age'"
    with (tmp_path / "data" / "store" / "records.csv").open() as table:
        assert [row["group"] for row in csv.DictReader(table)] == ["p1", "p2", "p1", "d"]


def test_of_two_columns_of_a_kind_the_first_counts(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("record,file,label,rhythm,subject,patient\na,x,N,B,s1,p1\nb,y,A,B,s1,p2\n")
    found = [(label.record, label.label, label.group) for label in read_labels(tmp_path / "l.csv")]
    assert found == [("a", "N", "s1"), ("b", "A", "s1")]


def test_a_set_without_groups_has_no_column_of_them(recordings: Path) -> None:
    store = pack(recordings, "record,start_s,end_s,label\na,,,N\nb,1,3,A\nc,,,N\n")
    assert store.groups() == []
    assert "group" not in (store.folder / "records.csv").read_text()


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["a,0,2,N", "a,1,3,A", "b,,,N", "c,,,N"], "lines 2 and 3 label the same part of record a; correct one"),
        (["a,0,2,N", "b,,,N", "c,,,N", "a,,,A"], "lines 2 and 5 label the same part of record a; correct one"),
        (["a,,,N", "a,,,A", "b,,,N", "c,,,N"], "line 3: record a is listed twice; remove one of the lines"),
        (["a,1,,N", "b,,,A", "c,,,N"], "line 2: '1' to '' is no part of a recording; give its start and end in s, or"),
        (["a,2,1,N", "b,,,A", "c,,,N"], "line 2: '2' to '1' is no part of a recording"),
        (["a,-1,1,N", "b,,,A", "c,,,N"], "line 2: '-1' to '1' is no part of a recording"),
        (["a,0,inf,N", "b,,,A", "c,,,N"], "line 2: '0' to 'inf' is no part of a recording"),
        (["a,nan,1,N", "b,,,A", "c,,,N"], "line 2: 'nan' to '1' is no part of a recording"),
        (
            ["a,1,5,N", "b,,,A", "c,,,N"],
            "line 2: a: it lasts 4.000 s, so there is no 1 to 5 s in it; correct this line",
        ),
        (["a,1,1.5,N", "b,,,A", "c,,,N"], "a_1-1.5: 0.5 s is too short; give at least 1 s"),
    ],
)
def test_parts_that_do_not_fit_are_refused(recordings: Path, lines: list[str], says: str) -> None:
    assert says in refusal(lambda: pack(recordings, "\n".join(["record,start_s,end_s,label", *lines])))
    assert left_behind(recordings) == []


def test_tables_of_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for name in ("a", "a_1-3", "b"):
        ramp_file(tmp_path / "files", name, 5)

    def packed(text: str) -> None:
        (tmp_path / "l.csv").write_text(text)
        pack_folder(tmp_path / "files", tmp_path / "l.csv", tmp_path / "data")

    assert "l.csv: it has a column of starts or of ends alone; give both, in s, or none" in refusal(
        lambda: packed("record,start_s,label\na,1,N\nb,1,A\n")
    )
    assert "there is a recording a_1-3, and a part of another one has this name; rename it" in refusal(
        lambda: packed("record,start_s,end_s,label\na,1,3,N\na_1-3,,,A\nb,,,N\n")
    )
    assert "line 3: record a is of two groups; correct one of the lines" in refusal(
        lambda: packed("record,start,end,label,patient\na,0,2,N,p1\na,3,5,N,p2\na_1-3,,,A,\nb,,,N,\n")
    )


def test_a_part_of_a_long_recording_is_read_alone(tmp_path: Path) -> None:
    """Gaps elsewhere do not matter to it."""
    (tmp_path / "files").mkdir()
    signal = np.full(20_000, np.nan)
    signal[8000:12_000] = np.sin(np.arange(4000) / 9)
    np.savez(tmp_path / "files" / "r.npz", ecg=signal, fs=200)
    (tmp_path / "l.csv").write_text("record,start_s,end_s,label\nr,40,50,N\nr,50,60,A\n")
    store = pack_folder(tmp_path / "files", tmp_path / "l.csv", tmp_path / "data", fs=200)
    assert store.lengths.tolist() == [2000, 2000]
