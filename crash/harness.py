"""Run commands in forks of this process, undisturbed or cut off at one change."""

from __future__ import annotations

import atexit
import io
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from crash import shim
from crash.commands import Command
from crash.shim import Manner

SECONDS = 300.0
"""The longest that a command may take, on a machine that has much else to do."""
WARM = (
    "accelerate", "filelock", "matplotlib.pyplot", "optuna.visualization.matplotlib", "sklearn.ensemble", "sqlalchemy",
    "onnxruntime", "onnxscript", "pandas", "pooch", "pyarrow.parquet", "requests", "safetensors.torch", "scipy.signal",
    "torch.onnx", "torch.export", "torch._dynamo", "wfdb", "ecg_rhythm.cli", "ecg_rhythm.experiments.run",
    "ecg_rhythm.weights.export", "ecg_rhythm.inference.classify", "ecg_rhythm.experiments.results",
    "ecg_rhythm.experiments.search", "ecg_rhythm.inference.archive", "ecg_rhythm.data.packing",
    "ecg_rhythm.data.challenge",
)  # fmt: skip
"""Modules that take long to import; forks have them already."""
PASSING = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+|INSERT INTO \"trial_user_attributes\" VALUES\(\d+,\d+,'error','\"\"'\);\n"
)
"""In a dump of optuna's storage: times, and that a trial, which failed before, no longer has an error."""
APART = {"tmp", "log", "out", "err"}
"""What a command's folder has beside what the command makes."""
EXECUTE: Any = subprocess.Popen._execute_child  # type: ignore[attr-defined]
Tree = Mapping[str, bytes | None]


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes
    ----------
    code : int
        Its exit code; negative: the signal that killed it.
    said : str
        What it wrote to standard error.
    tree : mapping
        Path of each file and folder that there is afterwards -> content of a file.
    changes : list of (kind, path)
        What it changed on the disk, in order.
    """

    code: int
    said: str
    tree: Tree
    changes: list[tuple[str, str]]

    @property
    def is_sentence(self) -> bool:
        """Whether it refused in one sentence, without a traceback."""
        told = [line for line in self.said.splitlines() if line and not line.startswith("note: ") and "%|" not in line]
        one = len(told) == 1 and told[0].startswith("error: ")
        runs_failed = self.code == 1 and bool(told) and "runs failed" in told[0]  # a queue, with a line for each run
        return "Traceback" not in self.said and ((self.code == 2 and one) or runs_failed)


def warm_up() -> None:
    """Import all that commands need; without threads, which do not survive a fork."""
    for name in WARM:
        import_module(name)
    import_module("torch").set_num_threads(1)


@contextmanager
def mirror(command: Command, template: Path) -> Iterator[Command]:
    """The command with the address of a server of the files in `published`, if it asks for one."""
    if "MIRROR" not in command.words:
        yield command
        return

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(template / "published"))) as server:
        pid = os.fork()  # not a thread: forks of this process would lack it
        if pid == 0:
            server.serve_forever()
        address = f"http://127.0.0.1:{server.server_port}"
        words = tuple(address if word == "MIRROR" else word for word in command.words)
        try:
            yield Command(words, command.prepare, command.adapt)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def run(command: Command, folder: Path, at: int = 0, manner: Manner = Manner.COUNT) -> Outcome:
    """Run a command in a folder, in a fork of this process, and count what it changes; strike at one change."""
    beside = folder.parent / f"{folder.name}.said"
    beside.mkdir(exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _be(command, folder, beside, at, manner)
    code = _wait(pid)
    changes = [tuple(line.split("\t", 1)) for line in (beside / "log").read_text().splitlines()]
    said = (beside / "err").read_text(errors="replace")
    return Outcome(code, said, tree(folder), [(kind, path) for kind, path in changes])


def _wait(pid: int) -> int:
    end = time.monotonic() + SECONDS
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise TimeoutError(f"not done after {SECONDS:g} s")
        time.sleep(0.01)


def _be(command: Command, folder: Path, beside: Path, at: int, manner: Manner) -> None:
    """Be the command; does not come back."""
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        (folder / "tmp").mkdir(exist_ok=True)
        os.environ |= {"TMPDIR": str(folder / "tmp"), "PATH": "/nonexistent", "CUDA_VISIBLE_DEVICES": ""}
        tempfile.tempdir = None
        for number, name in enumerate((Path("/dev/null"), beside / "out", beside / "err")):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644), number)
        log = os.open(beside / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        _stop_clocks()
        command.adapt(folder)
        subprocess.Popen._execute_child = _forked  # type: ignore[attr-defined]
        sys.argv = ["ecg-rhythm", *command.words]
        shim.begin(folder, at, manner, log)
        code = _main()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _main() -> int:
    """Run the command line as the interpreter would, to the end of its last exit function."""
    from ecg_rhythm.cli import main

    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    atexit._run_exitfuncs()
    return code if isinstance(code, int) else bool(code)


def _stop_clocks() -> None:
    """Have runs take no time and bear the same id, so that their files are the same to the byte."""
    progress: Any = import_module("ecg_rhythm.training.progress")
    folder: Any = import_module("ecg_rhythm.experiments.folder")
    progress.time = SimpleNamespace(monotonic=lambda: 0.0, process_time=lambda: 0.0)
    folder.uuid = SimpleNamespace(uuid4=lambda: SimpleNamespace(hex="0" * 32))


def _forked(process: Any, *arguments: Any) -> None:
    """Start a child as a fork that is warm already, in place of `subprocess.Popen._execute_child`."""
    bound = signature(EXECUTE).bind(process, *arguments)
    given = bound.arguments
    words, environment = given["args"], given["env"]
    if "ecg_rhythm.weights.onnx_session" in words:  # lets a model compute once, and writes nothing: not cut off
        given["env"] = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        EXECUTE(*bound.args, **bound.kwargs)
        return
    if list(words[1:3]) != ["-m", "ecg_rhythm"]:
        raise FileNotFoundError(2, "No such file or directory", str(words[0]))
    descriptors = [given[name] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")]
    process.pid = os.fork()
    if process.pid:
        process._child_created = True
        process._close_pipe_fds(*descriptors)
        return
    code = 1
    try:
        os.setsid()
        for number, descriptor in enumerate(descriptors[::2][:1] + descriptors[3::2]):
            if descriptor != -1:
                os.dup2(descriptor, number)
        if descriptors[1] != -1:  # else standard input is a socket
            os.close(descriptors[1])
        os.environ |= environment or {}
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
        sys.argv = ["ecg-rhythm", *words[3:]]
        code = _main()
    finally:
        os._exit(code)


def tree(folder: Path) -> Tree:
    """All that is in a folder but for what the harness and libraries keep there meanwhile."""
    found: dict[str, bytes | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.split("/")[0] not in APART and path.name != "output.txt":  # of a run: one part for each attempt
            found[name] = _content(path) if path.is_file() else None
    return found


def _content(path: Path) -> bytes:
    """The bytes of a file; of a database, what it holds for good: its bytes count how often it was written."""
    if path.suffix != ".db":
        return path.read_bytes()
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as base:
            return PASSING.sub("", "\n".join(base.iterdump())).encode()
    except sqlite3.Error:  # it was cut off
        return path.read_bytes()
