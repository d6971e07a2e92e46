"""Tables of files and what is known of each."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import ReadOptions, read_manifest
from tests.helpers import refusal

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8)
FILES = CELLS.filter(lambda name: name.strip("/."))  # else it is a folder
RATES = st.floats(0.01, 1e5).map(str) | st.just("")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(FILES, RATES, CELLS, CELLS), min_size=1, max_size=5),
    order=st.permutations(range(4)),
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_manifest_is_read_as_it_was_written(
    tmp_path: Path, rows: list[tuple[str, ...]], order: list[int], delimiter: str, encoding: str
) -> None:
    names, given_options = ("file", "FS", "unit", " Lead"), ReadOptions("II", 100, "uV")
    with (tmp_path / "m.csv").open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([[cells[i] for i in order] for cells in (names, *rows)])
    read, unknown = read_manifest(tmp_path / "m.csv", given_options)
    assert unknown == []
    assert [row.path for row in read] == [tmp_path / file for file, *_ in rows]
    assert [row.options for row in read] == [
        ReadOptions(lead or "II", float(fs) if fs else 100, unit or "uV") for _, fs, unit, lead in rows
    ]


def written(folder: Path, text: str) -> Path:
    (folder / "m.csv").write_text(text)
    return folder / "m.csv"


def test_all_columns_but_one_may_be_missing(tmp_path: Path) -> None:
    (row,) = read_manifest(written(tmp_path, "\nfile\n\nsub/a b.csv\n")).rows
    assert (row.path, row.options) == (tmp_path / "sub" / "a b.csv", ReadOptions())
    assert row.where == f"{tmp_path / 'm.csv'}, line 4"
    rows, unknown = read_manifest(written(tmp_path, f"patient;file;;Age\n7;{tmp_path}/a;x;80\n"))
    assert unknown == ["patient", "age"]
    assert rows[0].path == tmp_path / "a"


@pytest.mark.parametrize(("cell", "fs"), [("1,000", 1000), ("256,41", 256.41), ("0,5", 0.5), ("125.5", 125.5)])
def test_rates_with_commas(tmp_path: Path, cell: str, fs: float) -> None:
    (row,) = read_manifest(written(tmp_path, f"file;fs\na;{cell}\n")).rows
    assert isinstance(row.options, ReadOptions) and row.options.fs == fs


def test_a_bad_row_does_not_end_the_others(tmp_path: Path) -> None:
    text = "file;fs\na.csv;250,5\n;300\nb.csv;fast\nc.csv;1;2\nd.csv\n"
    rows = read_manifest(written(tmp_path, text)).rows
    said = [str(row.options) if isinstance(row.options, BadInput) else row.options.fs for row in rows]
    assert said == [
        250.5,
        "its cell `file` is empty; name a file",
        "b.csv: fs 'fast' is no number; give the sampling rate in Hz",
        "3 cells, but there are 2 columns; put a cell that has a separator in quotes",
        None,
    ]


def test_a_row_that_ends_before_the_file_is_refused(tmp_path: Path) -> None:
    short, whole = read_manifest(written(tmp_path, "fs,file\n100\n100,a.csv\n")).rows
    assert str(short.options) == "its cell `file` is empty; name a file"
    assert whole.options == ReadOptions(fs=100)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it names no files"),
        ("file,fs\n", "it names no files"),
        ("name,fs\na,1\n", "its columns are name, fs; there must be one that is called `file`"),
        ("file,fs,FS\na,1,1\n", "two of its columns are called `fs`; remove one"),
        ("file\0\na\n", "this is not a text file"),
        ("file\n" + "a" * 200_000, "line 2: field larger than field limit"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str, says: str) -> None:
    message = refusal(lambda: read_manifest(written(tmp_path, text)))
    assert message.startswith(str(tmp_path / "m.csv")) and says in message


def test_a_manifest_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(lambda: read_manifest(tmp_path / "m")) == f"{tmp_path / 'm'}: there is no such file; check the name"
    assert "it cannot be read: Is a directory" in refusal(lambda: read_manifest(tmp_path))
