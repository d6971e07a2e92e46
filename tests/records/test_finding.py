from __future__ import annotations

import glob
import os
import shutil
import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_rhythm import records
from ecg_rhythm.records import find, open_recording
from ecg_rhythm.records.finding import files_in
from fuzzing.inputs import as_csv, as_segments, as_wfdb
from tests.helpers import refusal
from tests.records.writers import write_mat, write_wfdb


def test_a_folder_lists_each_recording_once(tmp_path: Path) -> None:
    as_segments(tmp_path)
    (tmp_path / "sub").mkdir()
    csv = as_csv()(tmp_path / "sub")
    assert files_in(tmp_path) == [tmp_path / "r.hea", csv]


def test_the_files_that_a_header_names_are_parts_whatever_they_are_called(tmp_path: Path) -> None:
    header = as_wfdb(tmp_path)
    (tmp_path / "r.dat").rename(tmp_path / "signals.mat")
    header.write_text(header.read_text().replace("r.dat", "signals.mat"))
    assert files_in(tmp_path) == [header]
    upper = header.rename(tmp_path / "R.HEA")
    assert files_in(tmp_path) == [upper]


@pytest.mark.parametrize(
    "header", ["\u00a0\n", "a/2 1 360 1000\nsub/x 500\n../y 500\n", "a/2 1 360\n/ 9\n", "a 1\n/\n", "a\n"]
)
def test_a_strange_header_does_not_end_the_search(tmp_path: Path, header: str) -> None:
    (tmp_path / "a.hea").write_text(header, encoding="utf-8")
    csv = as_csv()(tmp_path)
    assert files_in(tmp_path) == [tmp_path / "a.hea", csv]


NAMES = st.text("ab.-_ 1", min_size=1, max_size=3).filter(lambda name: name[0] != "." and name == name.strip(" ."))


@given(st.lists(st.lists(NAMES, min_size=1, max_size=4), max_size=12))
@settings(deadline=None)
def test_files_of_nested_folders_come_in_the_order_of_their_paths(trees: list[list[str]]) -> None:
    with TemporaryDirectory() as folder:
        for names in trees:
            with suppress(OSError):  # a file has this name
                Path(folder, *names[:-1]).mkdir(parents=True, exist_ok=True)
                Path(folder, *names[:-1], f"{names[-1]}.csv").touch()
        there = sorted(path for path in Path(folder).rglob("*.csv") if path.is_file())
        assert files_in(Path(folder)) == there


def test_files_below_a_folder_are_not_all_held_in_memory(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"folder{i}").mkdir()
        for j in range(100):
            (tmp_path / f"folder{i}" / f"recording{j}.csv").touch()

    def peak(take: Callable[[], object]) -> int:
        tracemalloc.start()
        try:
            take()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    one_by_one = peak(lambda: sum(1 for _ in records.expand_one_by_one([str(tmp_path)], Counter())))
    assert one_by_one < peak(lambda: records.expand([str(tmp_path)])) / 3


def test_a_pattern_takes_each_recording_once(tmp_path: Path) -> None:
    as_segments(tmp_path)
    assert records.expand([f"{tmp_path}/*"]).paths == [tmp_path / "r.hea"]
    as_wfdb(tmp_path)
    assert records.expand([f"{tmp_path}/*.dat"]).paths == sorted(tmp_path.glob("*.dat"))


def test_a_name_with_brackets_is_no_pattern_where_a_record_has_it(tmp_path: Path) -> None:
    (tmp_path / "d[1]").mkdir()
    as_wfdb(tmp_path / "d[1]")
    name = str(tmp_path / "d[1]" / "r")
    assert records.expand([name, name]).paths == [Path(name)]
    assert "a name is empty" in refusal(lambda: records.expand([""]))


def test_a_folder_without_permission_is_listed_beside_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    path = as_wfdb(tmp_path)
    scandir, access = os.scandir, os.access

    def refusing(folder: str) -> Any:
        if Path(folder).name == "sub":
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "sub" and access(path, mode))
    assert records.expand([str(tmp_path)]).paths == [path, tmp_path / "sub"]
    assert "sub: there is no permission to read it" in refusal(lambda: open_recording(tmp_path / "sub"))


def test_a_name_without_files_is_listed_and_a_folder_without_them_is_a_problem(tmp_path: Path) -> None:
    path = as_wfdb(tmp_path)
    (tmp_path / "empty").mkdir()
    names = [str(tmp_path / "empty"), str(tmp_path / "*.xyz"), str(path)]
    found = records.expand(names)
    assert found.paths == [Path(name) for name in names[1:]]
    says = "no ECG files in it; name files, or a folder that has some"
    assert [str(problem) for problem in found.problems] == [f"{tmp_path / 'empty'}: {says}"]
    assert "empty: this folder is no recording" in refusal(lambda: open_recording(names[0]))
    assert "*.xyz: there is no such file" in refusal(lambda: open_recording(names[1]))


def test_what_is_passed_over_in_folders_is_counted_by_suffix(tmp_path: Path) -> None:
    as_segments(tmp_path)  # its parts are not passed over: they are read with it
    (tmp_path / "sub").mkdir()
    for name in ("a.txt~", "sub/b.PDF", "c.pdf", "sub/notes", ".hidden.doc"):
        (tmp_path / name).touch()
    for name in (str(tmp_path), str(tmp_path / "**")):
        assert records.expand([str(tmp_path)]).passed_over == {".pdf": 2, ".txt~": 1, "": 1}, name


def test_a_pattern_may_stand_for_folders(tmp_path: Path) -> None:
    (tmp_path / "sub" / ".checkpoints").mkdir(parents=True)
    path = as_csv()(tmp_path / "sub")
    for hidden in ("._r.csv", ".checkpoints/r.csv"):
        shutil.copy(path, tmp_path / "sub" / hidden)
    for pattern in ("s*", "**", "sub"):
        assert records.expand([str(tmp_path / pattern)]).paths == [path]


def test_a_deep_pattern_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "sub" / "c[1]").mkdir(parents=True)
    paths = [as_csv()(folder) for folder in (tmp_path, tmp_path / "sub", tmp_path / "sub" / "c[1]")]
    patterns = ("**", "**/*.csv", "**/c*/*.csv", "**/**/*.csv", "**/sub/**/*.csv", "*/**/*.csv", "s*/**", "sub/*.csv")
    without_links = [records.expand([f"{tmp_path}/{pattern}"]).paths for pattern in patterns]
    assert without_links[:2] == [sorted(paths)] * 2
    for pattern, found in zip(patterns[1:6], without_links[1:6], strict=True):
        assert found == sorted({Path(path) for path in glob.glob(f"{tmp_path}/{pattern}", recursive=True)})  # noqa: PTH207
    for name in ("one", "two"):
        (tmp_path / name).symlink_to(tmp_path)
        (tmp_path / "sub" / name).symlink_to(tmp_path)
    for pattern, found in zip(patterns[:5], without_links[:5], strict=True):
        assert records.expand([f"{tmp_path}/{pattern}"]).paths == found


def test_a_file_without_permission_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = as_csv()(tmp_path)
    stat = Path.stat

    def refusing(self: Path, **options: Any) -> os.stat_result:
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return stat(self, **options)

    monkeypatch.setattr(Path, "stat", refusing)
    for name in (tmp_path, tmp_path / "*"):
        assert records.expand([str(name)]).paths == [path]
    assert refusal(lambda: open_recording(path)) == f"{path}: there is no permission to read it; change its permissions"


def test_all_recordings_below_a_folder_are_found_once(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    header = write_wfdb(tmp_path, "b")
    (tmp_path / "b.mat").write_bytes(b"beside its header, so no recording of its own")
    deep = write_wfdb(tmp_path / "sub" / "deep", "c")
    mat = write_mat(tmp_path / "sub" / "a.mat", [1, 2])
    (tmp_path / "labels.csv").write_text("a,N\n")
    assert find(tmp_path, leaving_out=lambda path: path.name == "labels.csv") == {"a": mat, "b": header, "c": deep}


def test_two_recordings_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    first, second = write_wfdb(tmp_path), write_wfdb(tmp_path / "sub")
    message = refusal(lambda: find(tmp_path))
    assert str(first) in message
    assert str(second) in message


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("")
    assert refusal(lambda: find(tmp_path)).startswith(f"{tmp_path}: there are no recordings in it")
    assert refusal(lambda: find(tmp_path / "none")) == f"{tmp_path / 'none'}: there is no such folder; check the name"
