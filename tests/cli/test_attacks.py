"""Small files that once made the program hang, print what it should not, or write rows that others misread."""

from __future__ import annotations

import csv
import io
import os
import shutil
from pathlib import Path

import pytest

from tests.commands import run

ATTACKS = Path(__file__).parents[3] / "shared" / "attacks"
pytestmark = pytest.mark.skipif(not ATTACKS.is_dir(), reason=f"needs {ATTACKS}")


@pytest.mark.parametrize(
    ("folder", "files"),
    [("03-redos-column-name", 2), ("06-terminal-escapes", 2), ("07-csv-formula", 3), ("09-csv-carriage-return", 1)],
)
def test_names_in_files_do_no_harm(folder: str, files: int) -> None:
    done = run("classify", ATTACKS / folder, "--csv", "--fs", 300)
    assert done.returncode == 1 and "expected.txt" in done.stderr  # which is no ECG
    assert not {"\x1b", "\x9b"} & {*done.stdout, *done.stderr}
    headings, *rows = csv.reader(io.StringIO(done.stdout))
    assert len(rows) == files and {len(row) for row in rows} == {len(headings)}
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_pipe_beside_a_header_is_not_waited_for(tmp_path: Path) -> None:
    shutil.copy(ATTACKS / "15-fifo-signal-file" / "ff.hea", tmp_path)
    os.mkfifo(tmp_path / "ff.dat")
    done = run("classify", tmp_path)
    assert done.returncode == 2 and "ff.dat beside it is a folder, a pipe" in done.stderr
