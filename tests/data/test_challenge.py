from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecg_rhythm.data.challenge import CHALLENGE_2017, Release, download, fetch, pack_archive
from ecg_rhythm.data.split_rules import make_for_store
from ecg_rhythm.data.splits import load_split
from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.errors import BadInput
from tests.helpers import refusal

IN_ARCHIVE = "training2017/"


@dataclass(frozen=True)
class Published:
    """A small data set, published as the real one is."""

    folder: Path
    members: dict[str, bytes]
    signals: dict[str, NDArray[np.int16]]
    release: Release

    @property
    def archive(self) -> Path:
        return self.folder / "training2017.zip"

    @property
    def labels(self) -> Path:
        return self.folder / "REFERENCE-v3.csv"

    def fetch(self, data: Path) -> Store:
        return fetch(data, archive=self.archive, labels=self.labels, mirrors=[], release=self.release)

    def changed(self, to: Path, **contents: bytes | None) -> Path:
        """Write the archive with members replaced, added or, with None, left out; returns its path."""
        members = self.members | {IN_ARCHIVE + name.replace("__", "."): c for name, c in contents.items()}
        return write_zip(to, {name: content for name, content in members.items() if content is not None})


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return path


def header(name: str, length: int, fs: int = 300) -> bytes:
    return f"{name} 1 {fs} {length} 05:05:15 1/05/2000 \r\n{name}.mat 16+24 1000/mV 16 0 -127 0 0 ECG \r\n".encode()


def mat(samples: NDArray[np.int16]) -> bytes:
    return struct.pack("<5i4s", 30, 1, len(samples), 0, 4, b"val\0") + samples.tobytes()


def publish(folder: Path, n: int = 36) -> Published:
    rng = np.random.default_rng(0)
    names = [f"A{i:05d}" for i in range(1, n + 1)]
    signals = {name: rng.integers(-900, 900, rng.integers(200, 400)).astype("<i2") for name in names}
    v2 = {name: "NAO~"[i % 4] for i, name in enumerate(names)}
    versions = {"v1": v2 | {names[0]: "~"}, "v2": v2, "v3": v2 | {names[1]: "O"}}
    tables = {
        version: "".join(f"{name},{label}\n" for name, label in labels.items()).encode()
        for version, labels in versions.items()
    }
    members = {IN_ARCHIVE: b"", IN_ARCHIVE + "RECORDS": "\n".join(names).encode()}
    members |= {IN_ARCHIVE + "REFERENCE-original.csv": tables["v1"], IN_ARCHIVE + "REFERENCE.csv": tables["v2"]}
    for name, samples in signals.items():
        members[f"{IN_ARCHIVE}{name}.hea"] = header(name, len(samples))
        members[f"{IN_ARCHIVE}{name}.mat"] = mat(samples)
    folder.mkdir(parents=True, exist_ok=True)
    write_zip(folder / "training2017.zip", members)
    (folder / "REFERENCE-v3.csv").write_bytes(tables["v3"])
    sums = [
        f"{hashlib.sha256((folder / file).read_bytes()).hexdigest()} {file}\n"
        for file in ("REFERENCE-v3.csv", "training2017.zip")
    ]
    (folder / "SHA256SUMS.txt").write_text("".join(sums))
    release = Release(
        records=n,
        counts={version: dict(Counter(labels.values())) for version, labels in versions.items()},
        samples_sha256=hashlib.sha256(b"".join(samples.tobytes() for samples in signals.values())).hexdigest(),
        labels_sha256={version: hashlib.sha256(table).hexdigest() for version, table in tables.items()},
    )
    return Published(folder, members, signals, release)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return publish(tmp_path_factory.mktemp("published"))


def test_a_release_is_packed_with_its_labels_and_split(small: Published, tmp_path: Path) -> None:
    store = small.fetch(tmp_path)
    assert list(store.names) == list(small.signals)
    assert (store.fs, store.classes) == (300, ["N", "A", "O", "~"])
    for i, samples in enumerate(small.signals.values()):
        assert np.array_equal(store.signal(i), samples / np.float32(1000))
    assert store.label_versions == ["v1", "v2", "v3"]
    assert [store.labels_of(version)[0] for version in ("v1", "v2", "v3")] == ["~", "N", "N"]
    assert store.labels_of() == store.labels_of("v3")
    assert store.labels_of()[1] == "O"
    assert {version: store.counts(version) for version in store.label_versions} == small.release.counts
    assert "Attribution" in store.origin
    split = load_split(tmp_path / "splits" / "split_5_6_14", len(store))
    for mine, theirs in zip(split.folds, make_for_store(store, labels="v2").folds, strict=True):
        assert all(np.array_equal(getattr(mine, part), getattr(theirs, part)) for part in ("train", "valid", "test"))
    assert {path.name for path in tmp_path.iterdir()} == {"store", "splits"}


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_fetching_again_does_nothing(small: Published, tmp_path: Path) -> None:
    first = small.fetch(tmp_path)
    before = times(tmp_path)
    nowhere = Path("not there")
    again = fetch(tmp_path, archive=nowhere, labels=nowhere, mirrors=[], release=small.release)
    assert again.fingerprint == first.fingerprint
    assert times(tmp_path) == before


def test_fetching_again_removes_locks_of_a_process_that_was_killed_when_all_was_made(
    small: Published, tmp_path: Path
) -> None:
    small.fetch(tmp_path)
    locks = [tmp_path / ".store.lock", tmp_path / "splits" / ".split_5_6_14.lock"]
    for lock in locks:
        lock.touch()
    small.fetch(tmp_path)
    assert not any(lock.exists() for lock in locks)


def test_fetching_again_makes_what_an_interruption_left_out(small: Published, tmp_path: Path) -> None:
    pack_archive(tmp_path, small.archive, small.labels, small.release)
    assert not (tmp_path / "splits").exists()
    store = fetch(tmp_path, mirrors=[], release=small.release)
    assert len(load_split(tmp_path / "splits" / "split_5_6_14", len(store)).folds) == 5


def test_a_damaged_split_is_not_taken_for_the_published_one(small: Published, tmp_path: Path) -> None:
    small.fetch(tmp_path)
    (tmp_path / "splits" / "split_5_6_14" / "valid3.json").write_text("[1]")
    assert "valid3.json: it does not fit its checksum" in refusal(lambda: small.fetch(tmp_path))
    (tmp_path / "splits" / "split_5_6_14.sha256").unlink()  # as an earlier version left it
    assert "split_5_6_14, fold 3: record" in refusal(lambda: small.fetch(tmp_path))


def cut(small: Published, to: Path) -> Path:
    to.write_bytes(small.archive.read_bytes()[:-500])
    return to


def flip(small: Published, to: Path) -> Path:
    """Change one byte in the middle of a member's compressed content."""
    with zipfile.ZipFile(small.archive) as zipped:
        member = zipped.getinfo(IN_ARCHIVE + "A00003.mat")
    content = bytearray(small.archive.read_bytes())
    content[member.header_offset + 30 + len(member.filename) + member.compress_size // 2] ^= 0x10
    to.write_bytes(content)
    return to


def in_directory(at: int, bits: int) -> Callable[[Published, Path], Path]:
    """Change bits in what the archive's directory says of a member."""

    def apply(small: Published, to: Path) -> Path:
        content = bytearray(small.archive.read_bytes())
        entry = content.rindex(b"training2017/A00003.mat") - 46
        assert content[entry : entry + 4] == b"PK\1\2"
        content[entry + at] ^= bits
        to.write_bytes(content)
        return to

    return apply


def far_directory(small: Published, to: Path) -> Path:
    content = bytearray(small.archive.read_bytes())
    content[-3] ^= 0x80
    to.write_bytes(content)
    return to


def another_sample(small: Published, to: Path) -> Path:
    samples = small.signals["A00003"].copy()
    samples[100] += 1
    return small.changed(to, A00003__mat=mat(samples))


def another_label(small: Published, to: Path) -> Path:
    labels = small.members[IN_ARCHIVE + "REFERENCE.csv"].replace(b"A00001,N", b"A00001,A")
    return small.changed(to, REFERENCE__csv=labels)


def swapped(labels: bytes) -> bytes:
    """Labels of two records exchanged: each class has as many as before."""
    assert labels.startswith(b"A00001,N\n")
    assert b"A00004,~\n" in labels
    return labels.replace(b"A00001,N", b"A00001,~").replace(b"A00004,~", b"A00004,N")


def one_label_less(small: Published, to: Path) -> Path:
    labels = small.members[IN_ARCHIVE + "REFERENCE.csv"].replace(b"A00001,N\n", b"")
    return small.changed(to, REFERENCE__csv=labels)


def with_member(name: str) -> Callable[[Published, Path], Path]:
    return lambda small, to: write_zip(to, small.members | {name: b"x"})


def with_header(more: int = 0, fs: int = 300) -> Callable[[Published, Path], Path]:
    return lambda small, to: small.changed(to, A00003__hea=header("A00003", len(small.signals["A00003"]) + more, fs))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda small, to: to, "there is no such file"),
        (lambda small, to: to.parent, "there is no such file; check the name"),
        (lambda small, to: small.labels, "this zip file is damaged or not a zip file"),
        (cut, "this zip file is damaged or not a zip file"),
        (flip, "A00003.mat in it is damaged; download the archive again"),
        (in_directory(8, 0x01), "A00003.mat in it is damaged; download the archive again"),  # encrypted
        (in_directory(10, 0x40), "A00003.mat in it is damaged; download the archive again"),  # packed in an unknown way
        (far_directory, "in it is damaged; download the archive again"),
        (with_member("../x"), "unexpected member '../x'"),
        (with_member("training2017/../../x"), "unexpected member 'training2017/../../x'"),
        (with_member("/etc/x"), "unexpected member '/etc/x'"),
        (with_member("training2017/A00001.exe"), "unexpected member 'training2017/A00001.exe'"),
        (lambda small, to: small.changed(to, A00003__mat=None), "record A00003 must be one .hea and one .mat"),
        (lambda small, to: small.changed(to, A00003__hea=None), "record A00003 must be one .hea and one .mat"),
        (
            lambda small, to: small.changed(to, A00003__hea=None, A00003__mat=None),
            "it holds 35 recordings instead of 36",
        ),
        (lambda small, to: small.changed(to, REFERENCE__csv=None), "REFERENCE.csv is missing in it"),
        (lambda small, to: small.changed(to, REFERENCE__csv=b"A00001\n"), "each line must be `record,label`"),
        (
            lambda small, to: small.changed(to, A00003__hea=b"garbage"),
            "record A00003 is damaged; download the archive again",
        ),
        (lambda small, to: small.changed(to, A00003__mat=b""), "record A00003 is damaged; download the archive again"),
        (with_header(more=1), "record A00003 is damaged; download the archive again"),
        (with_header(more=-1), "record A00003 has 208 samples, its header says 207 at 300 Hz"),
        (with_header(fs=360), "at 360 Hz"),
        (one_label_less, "REFERENCE.csv: record A00001 has no label"),
        (another_label, "REFERENCE.csv: label counts are {"),
        (
            lambda small, to: small.changed(to, REFERENCE__csv=swapped(small.members[IN_ARCHIVE + "REFERENCE.csv"])),
            "REFERENCE.csv: the labels are not those that were published",
        ),
        (another_sample, "the signals are not those that were published"),
    ],
)
def test_an_archive_that_is_not_the_published_one_is_refused_and_leaves_nothing(
    small: Published, tmp_path: Path, damage: Callable[[Published, Path], Path], says: str
) -> None:
    archive, data = damage(small, tmp_path / "changed.zip"), tmp_path / "data"
    message = refusal(lambda: fetch(data, archive=archive, labels=small.labels, mirrors=[], release=small.release))
    assert says in message
    assert list(data.rglob("*")) == []
    small.fetch(data)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "labels.csv: there is no such file"),
        (b"", "labels.csv: record A00001 has no label"),
        (b"<html>moved</html>", "each line must be `record,label`"),
        (b"A00001,N\n", "labels.csv: record A00002 has no label"),
    ],
)
def test_labels_that_are_not_the_published_ones_are_refused(
    small: Published, tmp_path: Path, content: bytes | None, says: str
) -> None:
    labels, data = tmp_path / "labels.csv", tmp_path / "data"
    if content is not None:
        labels.write_bytes(content)
    message = refusal(lambda: fetch(data, archive=small.archive, labels=labels, mirrors=[], release=small.release))
    assert says in message
    assert list(data.rglob("*")) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (swapped, "labels.csv: the labels are not those that were published"),
        (lambda labels: labels + b"A09999,N\n", "labels.csv: record A09999 is not in the archive"),
    ],
)
def test_changed_labels_are_refused(
    small: Published, tmp_path: Path, change: Callable[[bytes], bytes], says: str
) -> None:
    labels, data = tmp_path / "labels.csv", tmp_path / "data"
    labels.write_bytes(change(small.labels.read_bytes()))
    assert says in refusal(lambda: pack_archive(data, small.archive, labels, small.release))
    assert list(data.rglob("*")) == []


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Published, str]:
    """A release of five recordings and the fingerprint of its store."""
    five = publish(tmp_path_factory.mktemp("tiny"), n=5)
    data = tmp_path_factory.mktemp("store")
    return five, pack_archive(data, five.archive, five.labels, five.release).fingerprint


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(deadline=None, max_examples=100)
def test_a_flipped_bit_gives_the_same_store_or_none(
    tmp_path_factory: pytest.TempPathFactory, tiny: tuple[Published, str], place: float, bit: int
) -> None:
    five, fingerprint = tiny
    folder = tmp_path_factory.mktemp("flipped")
    archive, data = folder / "training2017.zip", folder / "data"
    content = bytearray(five.archive.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    archive.write_bytes(content)
    try:
        assert pack_archive(data, archive, five.labels, five.release).fingerprint == fingerprint
    except BadInput:
        assert list(data.rglob("*")) == []


class Mirror(ThreadingHTTPServer):
    """Serves a folder on the loopback address and notes what is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.asked: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_port}/"


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Mirror)
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Mirror]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ExitStack() as stack:

        def start(folder: Path) -> Mirror:
            mirror = stack.enter_context(Mirror(folder))
            threading.Thread(target=mirror.serve_forever, args=[0.02], daemon=True).start()
            stack.callback(mirror.shutdown)
            return mirror

        yield start


def nobody() -> str:
    """The address of a mirror that is down."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def copy_of(small: Published, folder: Path, **contents: bytes | None) -> Path:
    """A mirror's folder with files replaced or, with None, left out."""
    folder.mkdir()
    for path in small.folder.iterdir():
        content = contents.get(path.stem.replace("-", "_"), path.read_bytes())
        if content is not None:
            (folder / path.name).write_bytes(content)
    return folder


def test_a_mirror_gives_all_that_is_needed_once(
    small: Published, tmp_path: Path, serve: Callable[[Path], Mirror]
) -> None:
    mirror, unused = serve(small.folder), serve(small.folder)
    store = fetch(tmp_path, mirrors=[mirror.address, unused.address], release=small.release)
    assert {version: store.counts(version) for version in store.label_versions} == small.release.counts
    asked = Counter(mirror.asked)
    assert (asked["/training2017.zip"], asked["/REFERENCE-v3.csv"]) == (1, 1)
    fetch(tmp_path, mirrors=[mirror.address], release=small.release)
    assert Counter(mirror.asked) == asked
    assert unused.asked == []


def test_a_file_downloaded_before_is_checked_and_not_fetched_again(
    small: Published, tmp_path: Path, serve: Callable[[Path], Mirror]
) -> None:
    mirror = serve(small.folder)
    for _ in range(2):
        path = download("REFERENCE-v3.csv", tmp_path, [mirror.address])
    assert mirror.asked.count("/REFERENCE-v3.csv") == 1
    path.write_text("damaged since")
    assert download("REFERENCE-v3.csv", tmp_path, [mirror.address]).read_bytes() == small.labels.read_bytes()
    assert mirror.asked.count("/REFERENCE-v3.csv") == 2


@pytest.mark.parametrize(
    "contents",
    [{"SHA256SUMS": None}, {"SHA256SUMS": b"0123 other.zip\n"}, {"REFERENCE_v3": None}],
    ids=["empty", "lists others", "lacks the file"],
)
def test_the_next_mirror_is_asked_when_one_has_not_got_the_file(
    small: Published, tmp_path: Path, serve: Callable[[Path], Mirror], contents: dict[str, bytes | None]
) -> None:
    first, second = serve(copy_of(small, tmp_path / "first", **contents)), serve(small.folder)
    path = download("REFERENCE-v3.csv", tmp_path / "got", [first.address, second.address])
    assert path.read_bytes() == small.labels.read_bytes()
    assert first.asked


def test_the_next_mirror_is_asked_when_one_is_down(
    small: Published, tmp_path: Path, serve: Callable[[Path], Mirror]
) -> None:
    store = fetch(tmp_path, mirrors=[nobody(), serve(small.folder).address], release=small.release)
    assert len(store) == 36


def test_wrong_bytes_are_never_taken(small: Published, tmp_path: Path, serve: Callable[[Path], Mirror]) -> None:
    liar = serve(copy_of(small, tmp_path / "first", REFERENCE_v3=small.labels.read_bytes().replace(b"N", b"A")))
    message = refusal(lambda: download("REFERENCE-v3.csv", tmp_path / "got", [liar.address, nobody()]))
    assert message.startswith("REFERENCE-v3.csv could not be downloaded: ")
    assert f"{liar.address} gave a damaged REFERENCE-v3.csv (its SHA-256 is wrong)" in message
    assert {path.name for path in (tmp_path / "got").iterdir()} <= {"SHA256SUMS.txt"}
    honest = serve(small.folder)
    path = download("REFERENCE-v3.csv", tmp_path / "got", [honest.address])
    assert path.read_bytes() == small.labels.read_bytes()


def test_when_all_mirrors_fail_all_are_named_with_the_way_out(tmp_path: Path, serve: Callable[[Path], Mirror]) -> None:
    mirrors = [f"{nobody()} gave ConnectionError", f"{serve(tmp_path / 'empty').address} gave HTTPError 404"]
    message = refusal(lambda: fetch(tmp_path, mirrors=[mirror.split()[0] for mirror in mirrors]))
    assert message.startswith("training2017.zip could not be downloaded: ")
    for part in (*mirrors, "--archive", "--labels"):
        assert part in message
    assert not (tmp_path / "store").exists()


FETCH = """
import json, sys
from pathlib import Path
from ecg_rhythm.data.challenge import Release, fetch
data, folder, release = sys.argv[1:]
folder = Path(folder)
fetch(Path(data), archive=folder / "training2017.zip", labels=folder / "REFERENCE-v3.csv", mirrors=[],
      release=Release(**json.loads(release)))
"""


def test_killed_in_the_middle_of_packing_there_is_no_store_and_the_next_fetch_works(tmp_path: Path) -> None:
    many = publish(tmp_path / "published", n=1500)
    data = tmp_path / "data"
    process = subprocess.Popen(
        [sys.executable, "-c", FETCH, str(data), str(many.folder), json.dumps(vars(many.release))],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not any(part.stat().st_size for part in data.glob(".store.*.part/signals.int16")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert all(path.name.startswith(".store.") and path.suffix in (".part", ".lock") for path in data.iterdir())
    assert "there is no packed data set" in refusal(lambda: open_store(data))

    few = publish(tmp_path / "few")
    few.fetch(data)
    assert len(open_store(data)) == 36
    assert {path.name for path in data.iterdir()} == {"store", "splits"}


@pytest.fixture(scope="module")
def real(challenge_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the real challenge set, packed once for all test processes."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with FileLock(root / "challenge.lock"):
        fetch(
            root / "challenge",
            archive=challenge_files / "training2017.zip",
            labels=challenge_files / "REFERENCE-v3.csv",
            mirrors=[],
        )
    return root / "challenge"


def test_the_challenge_set_has_8528_recordings_of_the_published_counts(real: Path) -> None:
    store = open_store(real)
    assert len(store) == 8528
    assert (store.names[0], store.names[-1]) == ("A00001", "A08528")
    assert store.counts("v1") == {"N": 5154, "A": 771, "O": 2557, "~": 46}
    assert store.counts("v2") == {"N": 5050, "A": 738, "O": 2456, "~": 284}
    assert store.counts("v3") == store.counts() == {"N": 5076, "A": 758, "O": 2415, "~": 279}
    assert (store.lengths.min(), store.lengths.max()) == (2714, 18286)
    assert store.lengths.mean() / store.fs == pytest.approx(32.5, abs=0.05)


def test_its_two_pairs_of_equal_recordings_are_found_and_can_be_kept_together(real: Path) -> None:
    store = open_store(real)
    pairs = [[227, 1176], [2656, 3123]]
    assert store.duplicates() == pairs
    for pair in pairs:
        assert [store.names[n - 1] for n in pair] == [f"A{n:05d}" for n in pair]
    for fold in make_for_store(store, keep_together=True).folds:
        for part in (fold.train, fold.valid, fold.test):
            assert all(len(set(part) & set(pair)) in (0, 2) for pair in pairs)


def test_its_samples_are_those_in_the_archive(real: Path, challenge_files: Path, tmp_path: Path) -> None:
    store = open_store(real)
    with zipfile.ZipFile(challenge_files / "training2017.zip") as zipped:
        for number in (1, 2, 227, 1000, 2714, 3123, 4735, 6000, 8000, 8528):
            member = zipped.extract(f"{IN_ARCHIVE}A{number:05d}.mat", tmp_path)
            samples = scipy.io.loadmat(member)["val"][0]
            start = store.offsets[number - 1]
            assert np.array_equal(store.samples[start : start + store.lengths[number - 1]], samples)
            assert np.array_equal(store.signal(number - 1), samples / np.float32(1000))


def test_its_split_is_the_published_one(real: Path, challenge_files: Path) -> None:
    made, published = real / "splits" / "split_5_6_14", challenge_files / "split_5_6_14"
    assert {path.name for path in made.iterdir()} == {path.name for path in published.iterdir()}
    for path in published.iterdir():
        assert json.loads((made / path.name).read_text()) == json.loads(path.read_text())


def test_another_release_is_refused(real: Path, challenge_files: Path, tmp_path: Path) -> None:
    other = replace(CHALLENGE_2017, records=8529)
    files = challenge_files / "training2017.zip", challenge_files / "REFERENCE-v3.csv"
    assert "8528 recordings instead of 8529" in refusal(lambda: pack_archive(tmp_path, *files, other))
    assert list(tmp_path.iterdir()) == []
