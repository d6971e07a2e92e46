"""An archive has a row for each recording, once, whatever is killed; what cannot be read has a sentence."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet

from ecg_rhythm import BadInput, Prediction
from ecg_rhythm.cli.archive import absolute, named_files
from ecg_rhythm.inference.archive import FILES, Archive, entries_of, list_archive
from ecg_rhythm.inference.blocks import File
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.classify import Windows, answers
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.records import ReadOptions, find, read_manifest, remote
from scripts.ray_cluster import add_node, empty_cluster
from tests.commands import run
from tests.helpers import refusal
from tests.records.writers import write_wfdb

FS = 300.0
CLASSES = ["N", "A", "~"]
on_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra `cluster` is not installed")


def ecg(kind: int, seconds: float = 10) -> np.ndarray:
    """A signal in mV that `meter` takes for the class of this number."""
    return np.full(int(seconds * FS), float(kind)) + np.random.default_rng(kind).normal(0, 0.01, int(seconds * FS))


def write_folder(folder: Path, number: int) -> Path:
    """So many WFDB records, the classes one after the other, and a file that is none."""
    folder.mkdir()
    for i in range(number):
        write_wfdb(folder, f"r{i:04}", ecg(i % 3), fs=FS)
    (folder / "r0001x.csv").write_text("nonsense\n")
    return folder


def write_set(path: Path, number: int, rows: int, **columns: list[Any]) -> Path:
    """A data set of signals, the classes one after the other."""
    cells = {"signal": [ecg(i % 3).tolist() for i in range(number)], "record": [f"s{i:04}" for i in range(number)]}
    parquet.write_table(pyarrow.table(cells | columns), path, row_group_size=rows)
    return path


def table_of(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder).sort_values(["file", "record"]).reset_index(drop=True)


def answered(archive: Archive, classifier: Classifier) -> pd.DataFrame:
    """Answer all parts, without a cluster."""
    with Workers(classifier) as workers:
        for number in archive.missing():
            archive.answer(number, workers, Windows(), False)
    return table_of(archive.path)


def test_a_folder_gives_a_row_for_each_file_and_a_sentence_for_what_is_none(tmp_path: Path, meter: Classifier) -> None:
    files = [File(path) for path in find(write_folder(tmp_path / "in", 5)).values()]
    archive = list_archive(tmp_path / "out", entries_of(files), "")
    assert (archive.parts, archive.recordings) == (1, 6)
    table = answered(archive, meter)
    assert list(table["file"]) == [str(file.path) for file in files]
    is_wrong = table["problem"].notna()
    assert list(table["record"][~is_wrong]) == [f"r{i:04}" for i in range(5)]
    assert list(table["label"][~is_wrong]) == [CLASSES[i % 3] for i in range(5)]
    (problem,) = table["problem"][is_wrong]
    assert problem.startswith(f"{tmp_path}/in/r0001x.csv: ")
    assert archive.counts() == (6, 1)


def test_answers_are_those_of_the_plain_command(tmp_path: Path, meter: Classifier) -> None:
    files = [File(path) for path in find(write_folder(tmp_path / "in", 9)).values()]
    archive = list_archive(tmp_path / "out", entries_of(files), "")
    found = answered(archive, meter).set_index("file")
    with Workers(meter) as workers:
        for file, answer in zip(files, answers(workers, files), strict=True):
            row = found.loc[str(file.path)]
            if isinstance(answer, BadInput):
                assert row["problem"] == str(answer)
            else:
                assert isinstance(answer, Prediction)
                assert [row[f"p({label})"] for label in CLASSES] == pytest.approx(
                    list(answer.probabilities.values()), abs=1e-4
                )


def test_some_hundred_files_are_a_part(tmp_path: Path) -> None:
    files = [File(tmp_path / f"{i}.csv") for i in range(2 * FILES + 1)]
    archive = list_archive(tmp_path / "out", entries_of(files), "")
    assert (archive.parts, archive.recordings, archive.missing()) == (3, 2 * FILES + 1, [0, 1, 2])


def test_a_row_group_of_a_data_set_is_a_part(tmp_path: Path, meter: Classifier) -> None:
    path = write_set(tmp_path / "set.parquet", 7, 3, fs=[str(FS)] * 5 + [None, "fast"])
    archive = list_archive(tmp_path / "out", entries_of([File(path)]), "")
    assert (archive.parts, archive.recordings) == (3, 7)
    table = answered(archive, meter)
    assert list(table["record"]) == [f"s{i:04}" for i in range(7)]
    assert list(table["label"][:5]) == [CLASSES[i % 3] for i in range(5)]
    assert list(table["problem"].isna()) == [True] * 5 + [False] * 2
    assert table["problem"].iloc[5] == (
        f"{path}: s0005: it has no rate; add a column fs in Hz, or give the rate with --fs"
    )
    assert table["problem"].iloc[6] == f"{path}: s0006: its rate 'fast' is no number; give it in Hz in column fs"


def test_an_empty_row_group_is_a_part_without_rows(tmp_path: Path, meter: Classifier) -> None:
    path = write_set(tmp_path / "set.parquet", 3, 3)
    parquet.write_table(parquet.read_table(path)[:0], tmp_path / "none.parquet")
    archive = list_archive(tmp_path / "out", entries_of([File(tmp_path / "none.parquet"), File(path)]), "")
    assert len(answered(archive, meter)) == 3
    assert archive.counts() == (3, 3)


@pytest.mark.parametrize("kind", [pyarrow.float32(), pyarrow.int16()])
def test_what_a_row_does_not_say_the_user_does(tmp_path: Path, meter: Classifier, kind: Any) -> None:
    signals = pyarrow.array([(1000 * ecg(i)).round().tolist() for i in range(3)], pyarrow.list_(kind))
    parquet.write_table(pyarrow.table({"signal": signals}), tmp_path / "set.parquet")
    named = File(tmp_path / "set.parquet", ReadOptions(fs=FS, unit="uV"))
    table = answered(list_archive(tmp_path / "out", entries_of([named]), ""), meter)
    assert list(table["record"]) == ["1", "2", "3"]
    assert list(table["label"]) == CLASSES


def test_a_parquet_file_with_a_row_for_each_sample_is_one_recording(tmp_path: Path, meter: Classifier) -> None:
    parquet.write_table(pyarrow.table({"ecg": ecg(1)}), tmp_path / "one.parquet")
    named = File(tmp_path / "one.parquet", ReadOptions(fs=FS, unit="mV"))
    archive = list_archive(tmp_path / "out", entries_of([named]), "")
    assert archive.recordings == 1
    assert list(answered(archive, meter)["label"]) == ["A"]


def test_a_damaged_data_set_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set.parquet", 3, 3)
    path.write_bytes(path.read_bytes()[:-30])
    says = refusal(lambda: list_archive(tmp_path / "out", entries_of([File(path)]), ""))
    assert says.startswith(f"{path}: this Parquet file cannot be read (")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A web server of this machine, whose folder is `in`."""
    handler = partial(Quiet, directory=str(tmp_path / "in"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        pass


def test_recordings_at_a_url_are_found_fetched_and_named_by_it(tmp_path: Path, meter: Classifier, address: str) -> None:
    write_folder(tmp_path / "in", 4)
    urls = remote.find(address)
    assert [url.removeprefix(address) for url in urls] == sorted(["r0001x.csv", *(f"r{i:04}.hea" for i in range(4))])
    (tmp_path / "in" / "r0003.dat").unlink()
    table = answered(list_archive(tmp_path / "out", entries_of(map(File, urls)), ""), meter)
    assert list(table["file"]) == urls
    assert list(table["label"].dropna()) == ["N", "A", "~"]
    wrong = table["problem"].dropna()
    assert len(wrong) == 2 and all(text.startswith(url) for text, url in zip(wrong, [urls[2], urls[4]], strict=True))
    assert "/tmp" not in " ".join(wrong)


def test_a_data_set_at_a_url_is_read_there(tmp_path: Path, meter: Classifier) -> None:
    (tmp_path / "in").mkdir()
    write_set(tmp_path / "in" / "set.parquet", 4, 2, fs=[FS] * 4)
    urls = remote.find(f"file://{tmp_path}/in/*.parquet")
    archive = list_archive(tmp_path / "out", entries_of(map(File, urls)), "")
    assert archive.parts == 2
    assert list(answered(archive, meter)["label"]) == ["N", "A", "~", "N"]


def test_recordings_and_data_sets_in_s3_are_read(
    tmp_path: Path, meter: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = pytest.importorskip("moto.server", reason="needs moto[server] and s3fs").ThreadedMotoServer
    system = pytest.importorskip("s3fs", reason="needs moto[server] and s3fs").S3FileSystem
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    started = server(ip_address="127.0.0.1", port=0)
    started.start()
    try:
        host, port = started.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        write_set(write_folder(tmp_path / "in", 3) / "set.parquet", 4, 2, fs=[FS] * 4)
        system.clear_instance_cache()
        system().mkdir("archive")
        system().put(f"{tmp_path}/in/*", "archive/ecgs/")
        urls = remote.find("s3://archive/ecgs")
        table = answered(list_archive(tmp_path / "out", entries_of(map(File, urls)), ""), meter)
        assert list(table["label"].dropna()) == ["N", "A", "~", "N", "A", "~", "N"]
        assert set(table["file"]) == set(urls) and len(table["problem"].dropna()) == 1
        assert refusal(lambda: remote.find("s3://nowhere/x")).startswith("s3://nowhere/x: there is no such file")
    finally:
        started.stop()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense://x", "it cannot be read (Protocol not known: nonsense); check the URL, and who may read it"),
        ("file:///nowhere/at/all", "no ECG files there; name files, or a folder that has some"),
    ],
)
def test_a_url_that_cannot_be_read_is_refused(url: str, says: str) -> None:
    assert refusal(lambda: remote.find(url)) == f"{url}: {says}"


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "ecg_rhythm", "classify", *map(str, words)]


def test_the_same_names_in_another_folder_are_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meant = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        meant.append(absolute(["r.csv", "s3://archive/r.csv"], Path("files.csv")))
    assert meant[0] == [f"{tmp_path}/one/r.csv", "s3://archive/r.csv", f"{tmp_path}/one/files.csv"]
    assert meant[0] != meant[1]


def test_a_file_that_several_names_stand_for_is_classified_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    monkeypatch.setattr("ecg_rhythm.cli.archive.note", notes.append)
    folder = write_folder(tmp_path / "in", 2)
    (tmp_path / "way").symlink_to(folder)
    (tmp_path / "files.csv").write_text("file,lead\nin/r0000.hea,\nin/r0000.hea,II\ns3://archive/r.edf,\n")
    manifest = read_manifest(tmp_path / "files.csv")
    names = [f"{folder}", f"{folder}/../in/*.hea", f"{tmp_path}/way/r0001.hea"]
    found = [(str(file.path), file.options) for file in named_files(names, manifest, ReadOptions())]
    assert found == [
        (f"{folder}/r0000.hea", ReadOptions()),
        (f"{folder}/r0001.hea", ReadOptions()),
        (f"{folder}/r0001x.csv", ReadOptions()),
        (f"{folder}/r0000.hea", ReadOptions(lead="II")),
        ("s3://archive/r.edf", ReadOptions()),
    ]
    assert notes == ["4 further names of the same files are left out"]


@on_ray
@pytest.mark.slow
def test_a_killed_command_goes_on_and_each_recording_has_one_row(tmp_path: Path) -> None:
    number, rows = 240, 10
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.pdf").touch()
    write_set(tmp_path / "in" / "set.parquet", number, rows, fs=[FS] * (number - 1) + [1e9])
    words = command(tmp_path / "in", "--cluster", "--to", tmp_path / "out")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until = time.monotonic() + 120
    while len(list(tmp_path.glob("out/part-*"))) < 5:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    process.kill()
    assert b"note: passed over 1 file: 1 .pdf" in process.communicate()[0]
    time.sleep(2)  # its Ray ends
    before = {part: part.stat().st_mtime_ns for part in tmp_path.glob("out/part-*")}
    assert len(before) < number // rows
    left = tmp_path / "out" / f".{min(before).name}.host.1.part"
    left.mkdir()
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert f"out: {number} recordings in {number // rows} files" in again.stdout
    assert "1 of these recordings have no answer" in again.stderr
    assert "were answered before an interruption" in again.stderr
    table = table_of(tmp_path / "out")
    assert list(table["record"]) == [f"s{i:04}" for i in range(number)]
    assert all(part.stat().st_mtime_ns == time for part, time in before.items()), "no part is answered twice"
    assert not left.exists(), "of a part that is there already"
    other = subprocess.run([*words, "--lead", "II"], capture_output=True, text=True, check=False)
    assert other.returncode == 2 and "its answers are of other files, models or options" in other.stderr


@on_ray
@pytest.mark.slow
def test_a_lost_node_loses_no_recording(tmp_path: Path) -> None:
    number, rows = 1200, 10
    write_set(tmp_path / "set.parquet", number, rows, fs=[FS] * number)
    with empty_cluster() as cluster, (tmp_path / "said.txt").open("w") as said:
        nodes = [add_node(cluster), add_node(cluster)]
        words = command(tmp_path / "set.parquet", "--cluster", cluster.address, "--to", tmp_path / "out")
        process = subprocess.Popen(words, stdout=said, stderr=said)
        try:
            until = time.monotonic() + 120
            while len(list(tmp_path.glob("out/part-*"))) < 5:
                assert time.monotonic() < until and process.poll() is None
                time.sleep(0.02)
            cluster.remove_node(nodes.pop(), allow_graceful=False)
            assert len(list(tmp_path.glob("out/part-*"))) < number // rows
            assert process.wait(300) == 0, (tmp_path / "said.txt").read_text()
        finally:
            process.kill()
    assert list(table_of(tmp_path / "out")["record"]) == [f"s{i:04}" for i in range(number)]


@on_ray
@pytest.mark.slow
def test_recordings_at_a_url_are_classified_on_a_cluster(tmp_path: Path, address: str) -> None:
    write_folder(tmp_path / "in", 12)
    done = subprocess.run(
        command(address, "--cluster", "--to", tmp_path / "out"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    table = table_of(tmp_path / "out")
    assert list(table["file"]) == sorted(
        address + name for name in ["r0001x.csv", *(f"r{i:04}.hea" for i in range(12))]
    )
    assert table["problem"].notna().sum() == 1 and table["label"].notna().sum() == 12


@on_ray
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["r.csv"], "--cluster: give --to FOLDER"),
        (["r.csv", "--to", "out", "--csv"], "--cluster: give --to FOLDER, and none of --json, --csv"),
        (["r.csv", "--to", "out", "--report", "r.html"], "--cluster: give --to FOLDER, and none of --json, --csv"),
        (["r.csv", "--to", "out", "--annotations", "notes"], "--cluster: give --to FOLDER, and none of --json, --csv"),
        (["-", "--to", "out"], "-: other nodes cannot read the standard input"),
        (["r.csv", "--to", "here"], "--to here: with --cluster, this is a folder that is made"),
    ],
)
def test_what_does_not_go_with_a_cluster_is_refused(tmp_path: Path, words: list[str], says: str) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine").touch()
    result = run("classify", "--cluster", *words, cwd=tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here"]
