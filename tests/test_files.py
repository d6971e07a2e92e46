"""Files appear whole or not at all, leave nothing behind, and errors at them are sentences."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow
import pytest
import torch
from safetensors.torch import save_file

from ecg_rhythm import errors, files
from ecg_rhythm.errors import BadInput

SOURCE = Path(files.__file__).parent
HOST = files.temporary_beside(Path("x")).name.split(".")[-3]


def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def part(folder: Path, host: str, process: int, *, days: float = 0) -> Path:
    path = folder / f".other.csv.{host}.{process}.part"
    path.write_text("half")
    then = time.time() - days * 86400
    os.utime(path, (then, then))
    return path


def test_left_overs_of_ended_processes_are_removed_by_the_next_writer(tmp_path: Path) -> None:
    gone = [part(tmp_path, HOST, dead()), part(tmp_path, "elsewhere", 7, days=3)]
    kept = [part(tmp_path, HOST, os.getppid()), part(tmp_path, "elsewhere", 8), tmp_path / ".mine.part"]
    kept[2].touch()
    files.write_text(tmp_path / "a.txt", "whole")
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
    assert (tmp_path / "a.txt").read_text() == "whole"


KILLED = """
import os, sys
from pathlib import Path
from ecg_rhythm import files
with files.replacing(Path(sys.argv[1])) as made:
    made.write_text("half")
    print(made.parent.name, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_a_killed_writer_tells_its_machine_and_process_and_the_next_one_removes_what_it_left(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as process:
        name = process.communicate()[0].strip()
    assert name == f".table.csv.{HOST}.{process.pid}.part"
    assert [left.name for left in tmp_path.iterdir()] == [name]
    assert [half.name for half in (tmp_path / name).iterdir()] == ["table.csv"]
    files.write_text(path, "whole")
    assert [left.name for left in tmp_path.iterdir()] == ["table.csv"]


LEFT = """
import os
from pathlib import Path
from ecg_rhythm import files
with files.temporary_folder() as folder:
    Path(folder, "large.edf").write_text("a copy")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_left_among_the_systems_temporary_files_is_removed_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-c", LEFT], env=os.environ | {"TMPDIR": str(tmp_path)}, check=False)
    assert [copy.name for copy in tmp_path.rglob("*.edf")] == ["large.edf"]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with files.temporary_folder() as folder:
        assert list(tmp_path.iterdir()) == [Path(folder)]
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_names_may_be_is_written(tmp_path: Path) -> None:
    for name in ("a" * 255, "ä" * 127, "心" * 85):
        files.write_text(tmp_path / name, "whole")
        assert (tmp_path / name).read_text() == "whole"


@pytest.mark.skipif(os.name != "posix", reason="needs permissions of POSIX")
def test_what_is_made_has_the_permissions_that_the_user_wants(tmp_path: Path) -> None:
    code = "import os, sys; os.umask(0o077); from pathlib import Path; from ecg_rhythm import files\n"
    code += "with files.new_folder(Path('made')): pass\nfiles.write_text(Path('made/a.txt'), 'a')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert [oct(path.stat().st_mode)[-3:] for path in (tmp_path / "made", tmp_path / "made" / "a.txt")] == [
        "700",
        "600",
    ]


def test_a_folder_that_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f".store.{HOST}.{dead()}.part"
    left.mkdir()
    (left / "signals.int16").write_bytes(b"1234")
    with files.new_folder(tmp_path / "store") as made:
        (made / "a").touch()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "store"]


def test_errors_of_libraries_that_are_not_written_in_python_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(OSError) as caught, files.replacing(path) as made:
        made.mkdir()
        save_file({"a": torch.zeros(3)}, made)
    assert (caught.value.filename, caught.value.errno) == (str(path), errno.EISDIR)
    assert str(errors.sentence(caught.value)).startswith(f"{path}: Is a directory; ")
    for error in (pyarrow.lib.ArrowException("cannot"), RuntimeError("write failed: No space left on device")):
        with pytest.raises(OSError) as caught, files.replacing(tmp_path / "t"):
            raise error
        assert caught.value.filename == str(tmp_path / "t")
    assert list(tmp_path.iterdir()) == []


def test_faults_of_the_program_and_bad_input_are_left_as_they_are(tmp_path: Path) -> None:
    for error in (ValueError("a fault"), BadInput("No space left on device"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, files.replacing(tmp_path / "t") as made:
            made.touch()
            raise error
        assert caught.value is error
    assert errors.sentence(ValueError("a fault")) is None
    assert list(tmp_path.iterdir()) == []


WRITES = {"write_text", "write_bytes", "mkdir", "touch", "unlink", "rename", "rmdir", "rmtree", "mkdtemp"}
NOT_KEPT = {
    "inference/processes.py": "removes a worker's temporary folder",
    "records/scratch.py": "temporary copies",
    "records/formats/wfdb_copy.py": "a corrected copy, in a temporary folder",
    "web/upload.py": "uploads, in a temporary folder",
    "records/reading.py": "what standard input gives, in a temporary folder",
    "records/formats/packed.py": "what is unpacked, in a temporary folder",
    "records/formats/excel.py": "the sheet as text, in a temporary folder",
    "inference/archive.py": "copies of files at URLs, in a temporary folder; it makes the folder of answers",
}
"""Modules that write what is not kept."""
PLAIN = {
    "experiments/folder.py": "makes and empties the folder of a run, which the process has claimed",
    "experiments/local.py": "appends what a run prints",
    "experiments/ray_engine.py": "makes the folder of a run",
    "experiments/search.py": "makes the folder of a search",
    "experiments/report/texts.py": "a new folder",
    "experiments/queue.py": "removes the error of an earlier attempt",
    "data/challenge.py": "a scratch folder",
    "data/splits.py": "a new folder",
    "cli/demo.py": "its own folder",
    "cli/journal.py": "the journal, which is made to be cut off",
    "data/synthetic.py": "recordings of the demo",
}
"""Modules that write within a folder that `files` gave them, or that no other file depends on, and why."""


class Counted(dict[Path, int]):
    """Counts how often something is looked for in it."""

    looks = 0

    def __contains__(self, path: object) -> bool:
        self.looks += 1
        return super().__contains__(path)


def test_many_files_of_one_name_are_numbered_without_trying_each_number_again() -> None:
    used = Counted()
    names = [*["a"] * 3, "a-2", "a-5", *["a"] * 500]
    given = [files.unused(Path("f"), name, ".png", used).name for name in names]
    assert given[:7] == ["a.png", "a-2.png", "a-3.png", "a-2-2.png", "a-5.png", "a-4.png", "a-6.png"]
    assert len(set(given)) == len(names)
    assert used.looks < 3 * len(names)


def test_all_else_is_written_by_the_one_door() -> None:
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
                owner = ast.unparse(node.func.value)
                if owner not in ("files", "made", "temporary"):
                    found.add(str(path.relative_to(SOURCE)))
    assert found - {"files.py"} == {*NOT_KEPT, *PLAIN}
