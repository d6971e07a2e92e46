"""Which tests `make quick` runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts import quick


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@localhost"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def test_a_change_is_what_differs_from_where_the_branch_left_main(tmp_path: Path) -> None:
    git(tmp_path, "init", "-b", "main")
    for name in ("same", "gone", "edited", "moved"):
        (tmp_path / name).write_text(name * 9)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "checkout", "-b", "branch")
    (tmp_path / "committed é").write_text("")
    git(tmp_path, "rm", "gone")
    git(tmp_path, "mv", "moved", "elsewhere")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "second")
    git(tmp_path, "checkout", "main")
    (tmp_path / "of others").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "third")
    git(tmp_path, "checkout", "branch")
    (tmp_path / "edited").write_text("")
    (tmp_path / "new").write_text("")
    assert quick.changed(tmp_path) == ["committed é", "edited", "elsewhere", "gone", "moved", "new"]


@pytest.mark.parametrize(
    ("path", "tests"),
    [
        ("src/ecg_rhythm/records/formats/edf.py", ["tests/records"]),
        ("src/ecg_rhythm/web/page/index.html", ["tests/web"]),
        ("tests/records/formats/test_edf.py", ["tests/records/formats/test_edf.py"]),
        ("tests/as_written/files/run/scores.json", ["tests/as_written"]),
        ("tests/records/writers.py", ["tests/records"]),
        ("tests/helpers.py", ["tests"]),
        ("scripts/install.py", ["tests/scripts", "tests/docs"]),
        ("README.md", [f"{quick.STORY}[README.md]"]),
        ("CHANGELOG.md", []),
        ("tests/records/test_that_is_deleted.py", []),
        ("constraints.txt", []),
    ],
)
def test_the_tests_of_a_file_are_those_of_its_wing(path: str, tests: list[str]) -> None:
    assert quick.tests_of(path) == tests


@pytest.mark.parametrize("path", ["src/ecg_rhythm/schema.py", "models/CNN_short.json"])
def test_what_all_wings_share_has_the_tests_outside_the_wings(path: str) -> None:
    assert {"tests/test_config.py", "tests/test_wings.py"} <= set(quick.tests_of(path))


def test_every_wing_has_tests() -> None:
    for wing in (quick.ROOT / "src" / "ecg_rhythm").glob("*/__init__.py"):
        assert quick.tests_of(str(wing.relative_to(quick.ROOT))), f"{wing.parent.name} has no folder in tests/"
