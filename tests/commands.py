"""The command `ecg-rhythm` in a process of its own that starts at once: forked from one that has loaded the program.

What a test does to the start itself (limits, signals, missing modules, variables of libraries) needs a fresh process.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

LONGEST = 120.0
"""Seconds after which a command hangs."""
ROOT = Path(__file__).parents[1]
SLOW = ("ecg_rhythm.cli.classify", "ecg_rhythm.experiments.run", "matplotlib.pyplot", "pandas")
"""Modules that commands take long to load. ONNX Runtime is not among them: a process forked after it hangs."""
PROGRAM = """#!{python} -SE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"."], [0, 1, 2])
    server.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    sys.exit(int(server.recv(16) or 1))
"""


def run(
    *words: object, cwd: Path | None = None, env: dict[str, str] | None = None, given: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """What the command does with some words and standard input."""
    command = [str(program()), *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=env, input=given, capture_output=True, timeout=LONGEST, check=False)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


@functools.cache
def program() -> Path:
    """A file that can be called in place of `ecg-rhythm`; the process behind it ends with this one."""
    folder = tempfile.TemporaryDirectory()
    address = f"{folder.name}/socket"
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    program = Path(folder.name, "ecg-rhythm")
    program.write_text(PROGRAM.format(python=sys.executable, address=address))
    program.chmod(0o755)
    atexit.register(folder.cleanup)  # which keeps it until then
    return program


def _serve(address: str) -> None:
    """Fork for each caller; this returns in the process that is to be the command."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)
        while True:
            if sys.stdin in select.select([sys.stdin, server], [], [])[0]:
                sys.exit()  # nobody is left to call
            caller, _ = server.accept()
            if os.fork() == 0:
                break
            caller.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(caller, 1, 3)
    request = b""
    while not request.endswith(b"\n"):
        request += caller.recv(1 << 16)
    words, folder, variables = json.loads(request)
    if child := os.fork():
        for stream in streams:
            os.close(stream)
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if select.select([caller], [], [], 0.01)[0]:  # the caller has ended
                os.kill(child, signal.SIGTERM)
                os._exit(0)
        caller.sendall(str(os.waitstatus_to_exitcode(ended[1])).encode())
        os._exit(0)
    caller.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.argv = ["ecg-rhythm", *words]


if __name__ == "__main__":
    from ecg_rhythm.__main__ import main

    for module in SLOW:
        importlib.import_module(module)
    gc.freeze()  # a process that collects what was loaded would copy all of it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that answer a caller
    _serve(sys.argv[1])
    main()
