from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray

from ecg_rhythm import checksums
from ecg_rhythm.data import store as data_store
from ecg_rhythm.data.store import Store, is_of_data_set, open_store, splits_folder, store_folder
from ecg_rhythm.data.writing import write_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.training.batches import on_device
from tests.helpers import refusal

Signal = NDArray[np.float32]
SIGNALS = arrays(np.float32, st.integers(1, 50), elements=st.floats(-1, 1, width=16))


def write(data: Path, signals: list[ArrayLike], names: str = "abcdefgh", **changes: Any) -> Store:
    """Pack signals as recordings a, b, c, ..., all of class N."""
    names = names[: len(signals)]
    usual: dict[str, Any] = {
        "fs": 250.0,
        "classes": ["N", "A"],
        "labels": {"first": dict.fromkeys(names, "N")},
        "default_labels": "first",
        "origin": "made for a test",
    }
    recordings = [(name, np.asarray(signal, np.float32)) for name, signal in zip(names, signals, strict=True)]
    return write_store(data, iter(recordings), **usual | changes)


@given(
    signals=st.lists(
        st.tuples(SIGNALS, st.sampled_from([1e-20, 1e-3, 1.0, 32.767, 40.0, 1e30])).map(lambda pair: pair[0] * pair[1]),
        min_size=1,
        max_size=6,
    )
)
@settings(deadline=None, max_examples=40)
def test_signals_come_back_to_half_a_unit(tmp_path_factory: pytest.TempPathFactory, signals: list[Signal]) -> None:
    store = write(tmp_path_factory.mktemp("store"), list(signals))
    assert len(store) == len(signals)
    for i, signal in enumerate(signals):
        got = store.signal(i)
        assert got.dtype == np.float32
        assert got.shape == signal.shape
        half_a_unit = 0.5 / float(store.gains[i])
        rounding = 4e-7 * float(np.abs(signal).max())
        assert float(np.abs(got.astype(np.float64) - signal).max()) <= half_a_unit + rounding


@pytest.mark.parametrize("peak", [1e-8, 1e-6, 0.099, 0.1, 1, 32.767, 32.768, 50, 1e4, 3e38])
def test_any_amplitude_keeps_its_shape(tmp_path: Path, peak: float) -> None:
    shape = np.linspace(-1, 1, 201)
    store = write(tmp_path, [shape * peak])
    steps = min(1000 * peak, 32000) if 0.1 <= peak <= 32.767 else 32000
    np.testing.assert_allclose(store.signal(0).astype(np.float64) / peak, shape, atol=0.51 / steps)


@pytest.mark.parametrize(
    ("peak", "gain"), [(0.05, 640_000), (0.1, 1000), (0.5, 1000), (5, 1000), (32, 1000), (33, 32_000 / 33)]
)
def test_the_gain_is_that_of_the_challenge_unless_16_bits_are_too_few_or_hardly_used(
    tmp_path: Path, peak: float, gain: float
) -> None:
    assert write(tmp_path, [[peak, 0, -peak / 2]]).gains.tolist() == [pytest.approx(gain)]


@pytest.mark.parametrize("peak", [1e-45, 1e-30, 9e-10])
def test_an_amplitude_below_any_signal_is_a_flat_line(tmp_path: Path, peak: float) -> None:
    store = write(tmp_path, [[0, peak, -peak]])
    assert store.gains.tolist() == [1000]
    assert store.signal(0).tolist() == [0, 0, 0]


def test_challenge_samples_are_kept_bit_for_bit(tmp_path: Path) -> None:
    samples = np.array([-32767, -1000, -1, 0, 1, 127, 32767], np.int16)
    store = write(tmp_path, [samples / np.float32(1000)])
    assert store.samples.tolist() == samples.tolist()
    assert store.gains.tolist() == [1000]


def test_a_flat_line_stays_flat(tmp_path: Path) -> None:
    assert not write(tmp_path, [np.zeros(30)]).signal(0).any()


def test_what_was_written_is_what_opens(tmp_path: Path) -> None:
    labels = {"first": {"a": "N", "b": "A"}, "second": {"a": "A", "b": "A"}}
    written = write(tmp_path, [[1, 2, 3], [4, 5]], labels=labels, default_labels="second")
    store = open_store(tmp_path)
    assert store.folder == store_folder(tmp_path)
    assert (store.fs, store.classes, list(store.names)) == (250.0, ["N", "A"], ["a", "b"])
    assert (store.offsets.tolist(), store.lengths.tolist()) == ([0, 3], [3, 2])
    assert store.origin == "made for a test"
    assert store.fingerprint == written.fingerprint
    assert {path.name for path in store.folder.iterdir()} == {"signals.int16", "records.csv", "index.npy", "store.json"}
    assert not store.samples.flags.writeable
    assert (store.folder, splits_folder(tmp_path)) == (tmp_path / "store", tmp_path / "splits")


def test_label_versions_are_kept_apart(tmp_path: Path) -> None:
    labels = {"first": {"a": "N", "b": "A"}, "second": {"a": "A", "b": "A"}}
    store = write(tmp_path, [[1], [2]], labels=labels, default_labels="second")
    assert store.labels_of() == store.labels_of("second") == ["A", "A"]
    assert store.labels_of("first") == ["N", "A"]
    assert store.targets("first").tolist() == [0, 1]
    assert store.targets().tolist() == [1, 1]
    assert store.counts("first") == {"N": 1, "A": 1}
    assert store.counts() == {"N": 0, "A": 2}
    message = refusal(lambda: store.targets("third"))
    assert "labels third: " in message
    assert "it has first, second" in message


def test_the_fingerprint_follows_signals_and_labels(tmp_path: Path) -> None:
    prints = {
        write(tmp_path / "1", [[1, 2]]).fingerprint,
        write(tmp_path / "2", [[1, 2.001]]).fingerprint,
        write(tmp_path / "3", [[1, 2]], labels={"first": {"a": "A"}}).fingerprint,
    }
    assert len(prints) == 3
    assert write(tmp_path / "4", [[1, 2]]).fingerprint in prints


def test_duplicates_are_found_by_content(tmp_path: Path) -> None:
    store = write(tmp_path, [[1, 2], [3, 4], [1, 2], [1, 2, 3], [3, 4], [1, 2], [2, 1]])
    assert store.duplicates() == [[1, 3, 6], [2, 5]]


def test_duplicates_are_found_in_a_store_without_checksums(tmp_path: Path) -> None:
    as_earlier(write(tmp_path, [[1, 2], [3, 4], [1, 2], [2, 1]]).folder, "files", "crc32")
    store = open_store(tmp_path)
    assert store.checksums is None
    assert store.duplicates() == [[1, 3]]


def test_a_class_without_recordings_is_counted(tmp_path: Path) -> None:
    assert write(tmp_path, [[1], [2], [3]]).counts() == {"N": 3, "A": 0}


def test_the_same_samples_at_another_gain_are_no_duplicate(tmp_path: Path) -> None:
    store = write(tmp_path, [[50, -25], [100, -50]])
    assert store.samples[:2].tolist() == store.samples[2:].tolist()
    assert store.duplicates() == []


def test_a_failing_check_leaves_nothing(tmp_path: Path) -> None:
    def check(store: Store) -> None:
        assert list(store.names) == ["a"]
        raise BadInput("not what was expected")

    assert refusal(lambda: write(tmp_path, [[1, 2]], check=check)) == "not what was expected"
    assert list(tmp_path.iterdir()) == []
    assert list(write(tmp_path, [[1, 2]]).names) == ["a"]


def test_a_recording_that_fails_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    def recordings() -> Iterator[tuple[str, Signal]]:
        yield "a", np.ones(5000, np.float32)
        raise BadInput("b is broken")

    labels = {"first": {"a": "N", "b": "N"}}
    usual: dict[str, Any] = {"classes": ["N"], "labels": labels, "default_labels": "first", "origin": ""}
    assert refusal(lambda: write_store(tmp_path, recordings(), fs=300.0, **usual)) == "b is broken"
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_never_written_over(tmp_path: Path) -> None:
    first = write(tmp_path, [[1, 2]])
    assert refusal(lambda: write(tmp_path, [[3]])).endswith("exists already; name another --data folder, or remove it")
    assert open_store(tmp_path).fingerprint == first.fingerprint


def test_a_refusal_to_write_over_leaves_no_lock(tmp_path: Path) -> None:
    write(tmp_path, [[1, 2]])
    refusal(lambda: write(tmp_path, [[3]]))
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize(
    ("signals", "names"),
    [
        ([[1], [1, np.nan]], "ab"),
        ([[1], [1, np.inf]], "ab"),
        ([[1], []], "ab"),
        ([[1], [2]], "ba"),
        ([[1], [2]], "aa"),
    ],
    ids=["not a number", "infinite", "empty", "unsorted", "one name twice"],
)
def test_recordings_that_cannot_be_kept_are_refused(tmp_path: Path, signals: list[ArrayLike], names: str) -> None:
    message = refusal(lambda: write(tmp_path, signals, names))
    assert message == f"{names[1]}: recordings must be finite, not empty, and in ascending order of names"
    assert list(tmp_path.iterdir()) == []


PACK = """
import sys
from pathlib import Path
import numpy as np
from ecg_rhythm.data.writing import write_store

def recordings():
    yield "a", np.ones(5000, np.float32)
    print("half", flush=True)
    sys.stdin.read()
    yield "b", np.ones(3, np.float32)

write_store(Path(sys.argv[1]), recordings(), fs=300.0, classes=["N"], labels={"v": {"a": "N", "b": "N"}},
            default_labels="v", origin="")
"""


def test_a_second_process_is_told_of_the_first_and_does_not_disturb_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PACK, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "half\n"
        before = {path.name for path in tmp_path.iterdir()}
        assert ".store.lock" in before
        busy = f"{tmp_path / 'store'}: another process is making it; wait for it"
        assert refusal(lambda: write(tmp_path, [[1, 2]])) == busy
        assert {path.name for path in tmp_path.iterdir()} == before
        first.communicate(timeout=60)
    assert first.returncode == 0
    assert list(open_store(tmp_path).names) == ["a", "b"]
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_what_a_killed_attempt_left_is_removed(tmp_path: Path) -> None:
    left_over = tmp_path / ".store.abcd1234.part"
    left_over.mkdir()
    (left_over / "signals.int16").write_bytes(b"1234")
    write(tmp_path, [[1, 2]])
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_an_empty_data_folder_is_refused_with_the_way_out(tmp_path: Path) -> None:
    assert refusal(lambda: open_store(tmp_path / "none")) == (
        f"{tmp_path / 'none'}: there is no packed data set in it; make one with `ecg-rhythm fetch` (the 2017 challenge "
        "set) or `ecg-rhythm pack` (your own recordings), or name its folder with --data"
    )


def test_files_of_a_data_set_are_known(tmp_path: Path) -> None:
    def known() -> list[str]:
        return [
            name
            for name in ("store/index.npy", "splits/s/0.txt", "other/index.npy", "r")
            if is_of_data_set(tmp_path / name)
        ]

    assert known() == []
    write(tmp_path, [[1]])
    assert known() == ["store/index.npy", "splits/s/0.txt"]


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def edit(old: str, new: str) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return apply


LENGTHS = "3,0,N\nb,250,1000,2,3,N"


def as_earlier(folder: Path, *without: str) -> None:
    """Make a packed set one of an earlier version, without an index: the first version had no checksums, either."""
    facts = checksums.unsealed((folder / "store.json").read_bytes())
    facts["crc32"] = [f"{crc:08x}" for crc in np.load(folder / "index.npy")["crc32"].tolist()]
    del facts["files"]["index.npy"]
    (folder / "index.npy").unlink()
    facts = {key: value for key, value in facts.items() if key not in without}
    (folder / "store.json").write_text(json.dumps(facts, indent=2) if without else checksums.sealed(facts))


def change(column: str, row: int, value: object) -> Callable[[Path], None]:
    """Write another value into an index, and its checksum into `store.json`: as if it had been packed so."""

    def apply(path: Path) -> None:
        index = np.load(path)
        index[column][row] = value
        store_index(path, index)

    return apply


def store_index(path: Path, index: NDArray[Any]) -> None:
    np.save(path, index)
    facts = checksums.unsealed((path.parent / "store.json").read_bytes())
    facts["files"]["index.npy"] = checksums.of_file(path)
    (path.parent / "store.json").write_text(checksums.sealed(facts))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("signals.int16", shorten),
        ("signals.int16", lambda path: path.write_bytes(path.read_bytes() + b"\0")),
        ("signals.int16", lambda path: path.write_bytes(path.read_bytes() + b"\0\0")),
        ("signals.int16", lambda path: path.write_bytes(b"")),
        ("signals.int16", Path.unlink),
        ("index.npy", shorten),
        ("index.npy", lambda path: path.write_bytes(b"")),
        ("index.npy", Path.unlink),
        ("index.npy", lambda path: store_index(path, np.load(path)[:-1])),
        ("index.npy", lambda path: store_index(path, np.load(path)[None])),
        ("index.npy", lambda path: store_index(path, np.load(path)["offset"])),
        ("index.npy", lambda path: store_index(path, np.load(path)[["offset", "name"]])),
        ("index.npy", change("gain", 1, 0)),
        ("index.npy", change("gain", 0, np.nan)),
        ("index.npy", change("gain", 0, np.inf)),
        ("index.npy", change("offset", 1, 2)),
        ("index.npy", change("length", 1, 3)),
        ("index.npy", change("labels", 1, 2)),
        ("index.npy", change("name", 1, b"a")),
        ("store.json", edit("250.0", "0")),
        ("store.json", edit("{", "")),
        ("store.json", lambda path: path.write_text("[]")),
        ("store.json", lambda path: path.write_text("[" * 10**5)),
        ("store.json", edit('"records": 2', '"records": 3')),
        ("store.json", edit('"fingerprint"', '"print"')),
        ("store.json", edit('"N",', "[],")),
        ("store.json", edit('"N",', "NaN,")),
        ("store.json", edit('"N",', '"",')),
        ("store.json", edit('"N",', '"A",')),
        ("store.json", edit('"classes": [', '"classes": [], "others": [')),
        ("store.json", edit('"label_versions": [', '"label_versions": 5, "others": [')),
    ],
)
def test_a_damaged_store_is_refused(tmp_path: Path, name: str, damage: Callable[[Path], object]) -> None:
    folder = write(tmp_path, [[1, 2, 3], [4, 5]]).folder
    damage(folder / name)
    message = refusal(lambda: open_store(tmp_path))
    assert message.startswith(f"{folder}: this packed data set is damaged")
    assert message.endswith("remove it and pack again")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (change("offset", 1, 2), "the recordings do not fit the signals"),
        (change("length", 1, 3), "the recordings do not fit the signals"),
        (change("gain", 1, 0), "a gain, a length or the rate is impossible"),
        (change("name", 1, b"a"), "the names are not in ascending order"),
        (change("labels", 1, 2), "a label is no class"),
    ],
)
def test_an_index_that_cannot_be_is_refused_with_the_reason(
    tmp_path: Path, damage: Callable[[Path], object], says: str
) -> None:
    damage(write(tmp_path, [[1, 2, 3], [4, 5]]).folder / "index.npy")
    assert f"(store.json or index.npy: {says})" in refusal(lambda: open_store(tmp_path))


def test_names_that_are_not_in_order_are_noticed_behind_the_first_two(tmp_path: Path) -> None:
    change("name", 1, b"z")(write(tmp_path, [[1], [2], [3]]).folder / "index.npy")
    assert "(store.json or index.npy: the names are not in ascending order)" in refusal(lambda: open_store(tmp_path))


@pytest.mark.parametrize("select", [lambda rows: rows[None], lambda rows: rows[["offset", "name"]].copy()])
def test_an_index_with_other_columns_is_refused_with_the_reason(
    tmp_path: Path, select: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    path = write(tmp_path, [[1, 2, 3], [4, 5]]).folder / "index.npy"
    store_index(path, select(np.load(path)))
    assert "(index.npy: it has other columns)" in refusal(lambda: open_store(tmp_path))


NAMES = "store.json: classes and label versions must have different names"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"records": 3}, "store.json or index.npy: the recordings do not fit the signals"),
        ({"fs": 0}, "store.json or index.npy: a gain, a length or the rate is impossible"),
        ({"default_labels": "second"}, "store.json or index.npy: labels are missing"),
        ({"classes": ["N", "N"]}, NAMES),
        ({"classes": ["N", ""]}, NAMES),
        ({"classes": ["N", 5]}, NAMES),
        ({"classes": []}, NAMES),
        ({"label_versions": []}, NAMES),
    ],
)
def test_facts_that_cannot_be_are_refused_with_the_reason(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    facts = write(tmp_path, [[1, 2, 3], [4, 5]]).folder / "store.json"
    facts.write_text(checksums.sealed(checksums.unsealed(facts.read_bytes()) | changes))
    assert f"({says})" in refusal(lambda: open_store(tmp_path))
    facts.write_text("5")
    assert "(store.json: there are no facts in it)" in refusal(lambda: open_store(tmp_path))


def test_a_rate_below_one_is_a_rate(tmp_path: Path) -> None:
    write(tmp_path, [[1, 2]], fs=0.5)
    assert open_store(tmp_path).fs == 0.5


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("records.csv", Path.unlink),
        ("records.csv", lambda path: path.write_text("")),
        ("records.csv", lambda path: path.write_text("\n".join(path.read_text().splitlines()[:-1]))),
        ("records.csv", edit("length", "len")),
        ("records.csv", edit(",1000,", ",much,")),
        ("records.csv", edit(",1000,", ",0,")),
        ("records.csv", edit(",1000,", ",nan,")),
        ("records.csv", edit(",1000,", ",inf,")),
        ("records.csv", edit("2,3,N", "2,2,N")),
        ("records.csv", edit("2,3,N", "2,3,B")),
        ("records.csv", edit("2,3,N", "2,3")),
        ("records.csv", edit(LENGTHS, LENGTHS.replace("3,0", "5,0").replace("2,3", "0,5"))),
        ("records.csv", edit(LENGTHS, LENGTHS.replace("3,0", "6,0").replace("2,3", "-1,6"))),
        ("records.csv", edit("3,0,N", f"{10**20},0,N")),
        ("records.csv", edit("\na,", f"\n{'a' * 2**18},")),
        ("records.csv", edit("\nb,", "\na,")),
        ("store.json", edit("250.0", "0")),
        ("store.json", edit("250.0", "NaN")),
        ("store.json", edit("250.0", "Infinity")),
        ("store.json", edit('"records": 2', '"records": 3')),
        ("store.json", edit('"first"', '"second"')),
        ("store.json", edit('"fingerprint"', '"print"')),
        ("store.json", edit('"default_labels": "first"', '"default_labels": "second"')),
    ],
)
@pytest.mark.parametrize("keys", [(), ("files", "crc32")], ids=["with checksums", "without"])
def test_a_damaged_store_of_an_earlier_version_is_refused(
    tmp_path: Path, name: str, damage: Callable[[Path], object], keys: tuple[str, ...]
) -> None:
    folder = write(tmp_path, [[1, 2, 3], [4, 5]]).folder
    as_earlier(folder, *keys)
    damage(folder / name)
    assert "this packed data set is damaged" in refusal(lambda: open_store(tmp_path))


def test_a_store_of_an_earlier_version_that_lacks_checksums_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, [[1, 2, 3], [4, 5]]).folder
    as_earlier(folder, "files")
    facts = json.loads((folder / "store.json").read_text())
    (folder / "store.json").write_text(json.dumps(facts | {"crc32": facts["crc32"][:1]}))
    assert "(records.csv: checksums are missing)" in refusal(lambda: open_store(tmp_path))


def test_a_store_of_an_earlier_version_with_an_impossible_table_is_refused_with_the_reason(tmp_path: Path) -> None:
    folder = write(tmp_path, [[1, 2, 3], [4, 5]]).folder
    as_earlier(folder, "files", "crc32")
    table = folder / "records.csv"
    edit("2,3,N", "2,3,B")(table)
    assert "(records.csv: a label is no class)" in refusal(lambda: open_store(tmp_path))
    table.write_text(table.read_text().splitlines()[0] + "\n")
    assert "(records.csv: there are no recordings in it)" in refusal(lambda: open_store(tmp_path))


def test_a_check_of_everything_compares_groups_and_goes_through_all_of_a_long_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecg_rhythm.data.index.AT_ONCE", 2)
    folder = write(
        tmp_path, [[1], [2], [3], [4], [5]], groups={"a": "p", "b": "q", "c": "p", "d": "q", "e": "r"}
    ).folder
    store = open_store(tmp_path)
    store.check_all()
    assert store.groups() == [[1, 3], [2, 4]]
    change("group", 4, 1)(folder / "index.npy")
    assert "index.npy and records.csv say different things" in refusal(open_store(tmp_path).check_all)


@pytest.mark.parametrize("number", range(5))
def test_a_check_of_everything_names_the_recording_that_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr("ecg_rhythm.data.index.AT_ONCE", 2)
    folder = write(tmp_path, [[1], [2], [3], [4], [5]]).folder
    flip(folder / "signals.int16", 16 * number)
    for check in (open_store(tmp_path).check_all, open_store(tmp_path).duplicates):
        assert f"recording {'abcde'[number]} is damaged" in refusal(check)


def test_all_that_are_damaged_are_counted(tmp_path: Path) -> None:
    folder = write(tmp_path, [[1], [2], [3], [4], [5]]).folder
    for number, more in ((1, ""), (2, ", and 1 more"), (4, ", and 2 more")):
        flip(folder / "signals.int16", 16 * number)
        assert refusal(lambda: open_store(tmp_path).check([0, 1, 2, 3, 4])) == (
            f"{folder}/signals.int16: recording b is damaged{more} (the checksum does not fit the samples); get a good "
            "copy, or remove the data set and pack again"
        )


@pytest.mark.parametrize("name", ["signals.int16", "records.csv", "index.npy"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, [[1], [2]]).folder / name
    path.unlink()
    os.mkfifo(path)
    assert f"({name}: it is no regular file)" in refusal(lambda: open_store(tmp_path))


@pytest.mark.parametrize("name", ["N\x1b[31m", "O\r\nx", "\u202eN"])
def test_a_class_that_cannot_be_shown_is_refused(tmp_path: Path, name: str) -> None:
    says = refusal(lambda: write(tmp_path, [[1]], classes=[name, "A"], labels={"first": {"a": "A"}}))
    assert "has letters that cannot be shown" in says and name not in says


def test_no_recordings_are_no_data_set(tmp_path: Path) -> None:
    assert refusal(lambda: write(tmp_path, [])) == (
        "there are no recordings to pack; give a folder or a table that names some"
    )
    assert list(tmp_path.iterdir()) == []
    folder = write(tmp_path, [[1], [2]]).folder
    store_index(folder / "index.npy", np.load(folder / "index.npy")[:0])
    assert "the recordings do not fit the signals" in refusal(lambda: open_store(tmp_path))


def test_a_name_may_hold_the_end_of_a_line(tmp_path: Path) -> None:
    write(tmp_path, [[1], [2], [3]], names="\n\rb")
    store = open_store(tmp_path)
    store.check_all()
    assert list(store.names) == ["\n", "\r", "b"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (Path.unlink, "this packed data set is damaged (records.csv: [Errno 2] No such file"),
        (edit(",1000,", ",100,"), "signals.int16 or records.csv is damaged"),
        (lambda path: path.write_text(""), "signals.int16 or records.csv is damaged"),
    ],
)
def test_a_check_of_everything_sees_the_table(tmp_path: Path, damage: Callable[[Path], object], says: str) -> None:
    folder = write(tmp_path, [[1, 2, 3], [4, 5]]).folder
    damage(folder / "records.csv")
    store = open_store(tmp_path)
    assert refusal(store.check_all).startswith(f"{folder}: {says}")


@pytest.mark.parametrize(
    "damage",
    [
        change("gain", 1, 999),
        change("labels", 1, 1),
        change("name", 1, b"c"),
        lambda path: store_index(
            path, np.load(path).astype([*np.dtype(np.load(path).dtype).descr[:-1], ("name", "S9")])
        ),
    ],
)
def test_an_index_and_a_table_that_say_different_things_are_refused(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    folder = write(tmp_path, [[1, 2, 3], [4, 5]]).folder
    before = np.load(folder / "index.npy")
    damage(folder / "index.npy")
    store = open_store(tmp_path)
    if all(np.array_equal(before[column], store.rows[column]) for column in before.dtype.names or ()):
        store.check_all()  # a wider column holds the same
        return
    message = refusal(store.check_all)
    assert message.startswith(f"{folder}: index.npy and records.csv say different things; get a good copy")


def test_a_table_with_further_recordings_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, [[1, 2, 3], [4, 5]]).folder
    facts = checksums.unsealed((folder / "store.json").read_bytes())
    table = (folder / "records.csv").read_bytes() + b"c,250,1000,1,5,N\r\n"
    (folder / "records.csv").write_bytes(table)
    content = (folder / "signals.int16").read_bytes()
    facts["fingerprint"] = hashlib.sha256(content + table).hexdigest()
    (folder / "store.json").write_text(checksums.sealed(facts))
    assert "index.npy and records.csv say different things" in refusal(open_store(tmp_path).check_all)


def test_a_store_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, [[1, 2, 3]]).folder

    def refuse(path: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(np, "memmap", refuse)
    message = refusal(lambda: open_store(tmp_path))
    assert message == f"{folder}: there is no permission to read it; change its permissions"


def test_a_store_shows_what_it_holds(tmp_path: Path) -> None:
    store = write(tmp_path, [[1, 2, 3], [4]])
    assert repr(store) == f"Store('{store.folder}': 2 recordings at 250 Hz of N, A)"


def test_the_table_can_be_read_by_others(tmp_path: Path) -> None:
    folder = write(tmp_path, [[1, 2, 3], [50]]).folder
    assert (folder / "records.csv").read_text().splitlines() == [
        "record,fs,gain,length,offset,first",
        "a,250,1000,3,0,N",
        "b,250,640,1,3,N",
    ]
    assert json.loads((folder / "store.json").read_text())["classes"] == ["N", "A"]
    assert np.fromfile(folder / "signals.int16", "<i2").tolist() == [1000, 2000, 3000, 32000]


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


@given(bit=st.integers(0, 10**6))
@example(bit=3480)  # what remains of a file is no JSON
@settings(max_examples=60)
def test_a_flipped_bit_anywhere_in_a_store_is_noticed(tmp_path_factory: pytest.TempPathFactory, bit: int) -> None:
    data = tmp_path_factory.mktemp("store")
    folder = write(data, [np.arange(40) / 100, np.arange(70) / 90, np.arange(10)]).folder
    open_store(data).check_all()
    paths = sorted(folder.iterdir())
    bit %= 8 * sum(path.stat().st_size for path in paths)
    for path in paths:
        if bit < 8 * path.stat().st_size:
            flip(path, bit)
            message = refusal(lambda: open_store(data).check_all())
            assert message.startswith(str(folder)) and path.name in message
            return
        bit -= 8 * path.stat().st_size


def test_damage_is_noticed_when_that_recording_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path, [np.arange(40) / 100, np.arange(70) / 90, np.arange(10)]).folder
    flip(folder / "signals.int16", 8 * 2 * 40)  # the first sample of the second recording
    store = open_store(tmp_path)
    assert len(store.signal(0)) == 40 and len(store.signal(2)) == 10
    says = f"{folder / 'signals.int16'}: recording b is damaged"
    assert refusal(lambda: store.signal(1)).startswith(says)
    assert refusal(lambda: store.duplicates()).startswith(says)
    batches = on_device(store)
    assert len(batches.batch(np.array([0, 2])).lengths) == 2
    assert refusal(lambda: batches.batch(np.array([0, 1]))).startswith(says)


def test_each_recording_is_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, checked = write(tmp_path, [[1, 2], [3, 4], [5, 6]]), list[float]()
    checksum = data_store.checksum

    def noted(samples: NDArray[np.int16]) -> int:
        checked.append(samples[0] / 1000)
        return checksum(samples)

    monkeypatch.setattr(data_store, "checksum", noted)
    for position in (1, 0, 1):
        store.signal(position)
    store.check_all()
    assert checked == [3, 1, 5]


def test_a_store_of_an_earlier_version_has_a_fingerprint_alone(tmp_path: Path) -> None:
    folder = write(tmp_path, [np.arange(40) / 100, np.arange(10)]).folder
    as_earlier(folder, "files", "crc32")
    store = open_store(tmp_path)
    assert store.checksums is None
    assert store.duplicates() == []
    store.check_all()
    flip(folder / "signals.int16", 100)
    store.signal(0)
    says = f"{folder}: signals.int16 or records.csv is damaged (they do not fit the fingerprint"
    assert refusal(store.check_all).startswith(says)


def test_a_store_of_an_earlier_version_has_its_checksums_beside_the_facts(tmp_path: Path) -> None:
    store = write(tmp_path, [np.arange(40) / 100, np.arange(10), [50, 1]], labels={"first": dict.fromkeys("abc", "A")})
    as_earlier(store.folder)
    earlier = open_store(tmp_path)
    assert (list(earlier.names), earlier.labels_of()) == (["a", "b", "c"], ["A", "A", "A"])
    for column in store.rows.dtype.names or ():
        np.testing.assert_array_equal(earlier.rows[column], store.rows[column])
    earlier.check_all()
    flip(store.folder / "signals.int16", 100)
    assert "recording a is damaged" in refusal(lambda: open_store(tmp_path).signal(0))


@given(
    names=st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=9), min_size=1, unique=True)
)
@settings(deadline=None, max_examples=30)
def test_any_name_is_found(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    names.sort()
    store = write_store(
        tmp_path_factory.mktemp("store"),
        ((name, np.full(3, i, np.float32)) for i, name in enumerate(names)),
        fs=250.0,
        classes=["N"],
        labels={"first": dict.fromkeys(names, "N")},
        default_labels="first",
        origin="",
    )
    store.check_all()
    assert list(store.names) == names and list(store.names[1:]) == names[1:]
    assert [store.names.index(name) for name in names] == list(range(len(names)))
    for position, name in enumerate(names):
        assert store.names.index(name, position, position + 1) == position
        for start, stop in [(0, end) for end in range(position + 1)] + [(position + 1, len(names))]:
            with pytest.raises(ValueError, match="is no name of a recording"):
                store.names.index(name, start, stop)
    for other in ("", names[0] + " ", "\U0010ffff"):
        if other not in names:
            with pytest.raises(ValueError, match="is no name of a recording"):
                store.names.index(other)


def test_packing_and_opening_keep_no_object_for_each_recording(tmp_path: Path) -> None:
    names = [f"{i:06d}" for i in range(20_000)]
    labels = {"first": dict.fromkeys(names, "N")}
    options: dict[str, Any] = {"fs": 300.0, "classes": ["N"], "default_labels": "first", "origin": ""}
    write(tmp_path / "before", [[1]])  # what is loaded once
    tracemalloc.start()
    write_store(tmp_path, ((name, np.ones(1, np.float32)) for name in names), labels=labels, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * len(names), "bytes; a small object of Python has as many, and a string for its name further 50"
