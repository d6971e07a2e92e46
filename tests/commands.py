"""The command `ecg-rhythm` in a process of its own that starts at once: forked from one that has loaded the program.

What a test does to the start itself (limits, signals, missing modules, variables of libraries) needs a fresh process.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

LONGEST = 120.0
"""Seconds after which a command hangs."""
ROOT = Path(__file__).parents[1]


def run(
    *words: object, cwd: Path | None = None, env: dict[str, str] | None = None, given: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """What the command does with some words and standard input, in the shape of `subprocess.run`."""
    command = [*map(str, words)]
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        streams[0].write_bytes(given)
        request = [command, str(cwd or Path.cwd()), dict(os.environ if env is None else env), [*map(str, streams)]]
        server = _server()
        hangs = threading.Timer(LONGEST, server.kill)
        hangs.start()
        assert server.stdin and server.stdout
        print(json.dumps(request), file=server.stdin, flush=True)
        code = server.stdout.readline()
        hangs.cancel()
        assert code, f"{command} took over {LONGEST:.0f} s"
        return subprocess.CompletedProcess(command, int(code), streams[1].read_text(), streams[2].read_text())


@functools.cache
def _server() -> subprocess.Popen[str]:
    """Start what commands are forked from; it ends with this process, which holds its standard input."""
    command = [sys.executable, "-m", __name__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def _serve() -> None:
    """Fork for each request, a line of JSON, and answer with the exit code of the process."""
    from ecg_rhythm.__main__ import main

    gc.freeze()  # a child that collects what was loaded would copy all of it
    with os.fdopen(os.dup(0)) as requests, os.fdopen(os.dup(1), "w") as answers:
        for line in requests:  # noqa: B007
            child = os.fork()
            if child == 0:
                break
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
        else:
            return
    words, folder, variables, streams = json.loads(line)
    for number, path in enumerate(streams):
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.argv = ["ecg-rhythm", *words]
    main()


if __name__ == "__main__":
    _serve()
