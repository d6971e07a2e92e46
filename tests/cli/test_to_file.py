"""`classify --to`: the file is whole or absent, and a killed command goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from tests.commands import run

KILLED = """
import os, sys
from ecg_rhythm.cli import journal, main
add, left = journal.Journal.add, [131]
def killing(*entry):
    add(*entry)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), 9)
journal.Journal.add = killing
main()
"""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Strips, long recordings, and a file that cannot be read: four blocks, which processes can share."""
    folder, rng = tmp_path_factory.mktemp("recordings"), np.random.default_rng(0)
    for i, samples in enumerate((39_000, 38_000, 3000, 41_000, 2800, 2900)):
        np.savez(folder / f"r{i}.npz", ecg=np.cumsum(rng.normal(size=samples)) / 50, fs=300)
    (folder / "r1b.npz").write_bytes(b"no such")
    for i in range(193):
        np.savez(folder / f"s{i:03}.npz", ecg=np.cumsum(rng.normal(size=300 + i)) / 50, fs=300)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def killed(recordings: Path, to: Path, *more: str) -> None:
    """Classify recordings in a process that is killed after the second block, and three files of the third."""
    words = ["classify", str(recordings), "--to", str(to), *more]
    result = subprocess.run([sys.executable, "-c", KILLED, *words], capture_output=True, check=False)
    assert result.returncode == -9
    assert f".{to.name}.journal" in names(to.parent) and not to.exists()


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_a_killed_command_goes_on_and_gives_the_same_bytes(recordings: Path, tmp_path: Path, suffix: str) -> None:
    whole = run("classify", recordings, "--to", tmp_path / f"whole{suffix}", "--workers", 1)
    assert whole.returncode == 1 and "r1b.npz" in whole.stderr and whole.stderr.count("\n") == 1
    killed(recordings, tmp_path / f"cut{suffix}", "--workers", "2")
    again = run("classify", recordings, "--to", tmp_path / f"cut{suffix}")
    cut = f"{tmp_path / f'cut{suffix}'}"
    note = f"note: {cut}: 128 of 200 files were answered before an interruption; the others follow\n"
    assert (again.returncode, again.stderr) == (1, note + whole.stderr)
    assert (tmp_path / f"cut{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()
    assert names(tmp_path) == [f"cut{suffix}", f"whole{suffix}"]


def test_what_does_not_hold_for_the_command_is_begun_anew(recordings: Path, tmp_path: Path) -> None:
    to = tmp_path / "to.json"
    killed(recordings, to)
    journal = tmp_path / ".to.json.journal"
    journal.write_bytes(journal.read_bytes()[:-9])  # cut off within a line
    begun = f"note: {to}: starts again, as no answer of the interrupted command can be used for this one"
    assert run("classify", recordings, "--to", to, "--window", "60").stderr.startswith(begun)
    killed(recordings, to.with_name("other.json"))
    first = recordings / "r0.npz"
    os.utime(first, (1, 1))
    assert run("classify", recordings, "--to", to.with_name("other.json")).stderr.startswith(
        begun.replace("to", "other", 1)[:5]
    )
    assert json.loads(to.read_text())[0]["stride"] == 30
    assert names(tmp_path) == ["other.json", "to.json"]


def test_the_file_has_what_is_printed(recordings: Path, tmp_path: Path) -> None:
    for suffix in ("csv", "json"):
        run("classify", recordings, "--to", tmp_path / f"t.{suffix}")
        printed = run("classify", recordings, f"--{suffix}", "--workers", 1).stdout
        assert (tmp_path / f"t.{suffix}").read_text() == printed
    run("classify", recordings, "--parquet", tmp_path / "named.as.it.is")  # what --to would refuse
    table = pyarrow.parquet.read_table(tmp_path / "named.as.it.is").to_pylist()
    assert [row["file"] for row in table] == [
        answer["file"] for answer in json.loads((tmp_path / "t.json").read_text())
    ]


def test_a_file_that_cannot_be_written_is_refused_before_the_work(recordings: Path, tmp_path: Path) -> None:
    for to, says in (
        (tmp_path / "t.xlsx", "its suffix says no format; name a file that ends in .csv, .json or .parquet"),
        (tmp_path, "its suffix says no format"),
        (recordings / "r0.npz" / "t.csv", "r0.npz"),
    ):
        result = run("classify", recordings, "--to", to)
        assert result.returncode == 2 and says in result.stderr and result.stderr.count("\n") == 1
    (tmp_path / "folder.csv").mkdir()
    result = run("classify", recordings, "--to", tmp_path / "folder.csv")
    assert (result.returncode, "this is a folder; name a file in it" in result.stderr) == (2, True)
    result = run("classify", recordings, "--to", tmp_path / "t.csv", "--json")
    assert (result.returncode, "--json, --csv, --to, --parquet: choose one" in result.stderr) == (2, True)
    result = run("classify", recordings / "r1b.npz", "--to", tmp_path / "t.csv")
    assert (result.returncode, result.stderr.splitlines()[-1]) == (
        2,
        f"error: {tmp_path / 't.csv'}: not written, as no file could be classified",
    )
    assert names(tmp_path) == ["folder.csv"]
