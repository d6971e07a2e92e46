"""The process of one run: it reads a request from its engine, carries it out, and ends with an exit code.

Standard input is a socket to the engine. What comes in is the request; when the line breaks, the engine has ended, and
so does the process. What goes out are signs of life, one for each batch, and why the run failed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

from ecg_rhythm import errors
from ecg_rhythm.experiments.folder import Busy
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.schema import Section
from ecg_rhythm.training.progress import Progress

BUSY = 75
"""Exit code of a run that another process is at work on."""

ALIVE = b"\n"
"""A sign of life. Everything else that goes to the engine is the text of an error, as JSON."""


class Request(Section):
    """A request to a run's process, one line of JSON on its standard input."""

    spec: RunSpec
    data: str
    logs: str
    device: str
    replaces: str | None


def obey() -> int:
    """Be the process of one run: read a `Request` from standard input, do it, return the exit code."""
    _be_killed_with_parent()
    request = Request.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_engine, daemon=True).start()
    engine = socket.socket(fileno=os.dup(sys.stdin.fileno()))

    def report(progress: Progress) -> None:
        with suppress(OSError):  # an engine that does not listen now, perhaps as it is stopped
            engine.send(ALIVE, socket.MSG_DONTWAIT)
        if progress.ends_epoch:
            print(progress, flush=True)

    try:
        from ecg_rhythm.experiments.run import train

        train(
            request.spec,
            Path(request.data),
            Path(request.logs),
            device="cpu" if request.device == "cpu" else "cuda",
            replaces=request.replaces,
            report=report,
        )
    except Busy:
        return BUSY
    except BaseException as error:
        sentence = errors.sentence(error)
        with suppress(OSError):
            engine.sendall(json.dumps(sentence or f"{type(error).__name__}: {error}").encode())
        if sentence is None:
            raise
        with suppress(OSError):  # a disk may be full
            print(f"error: {sentence}", flush=True)
        return 2
    return 0


def _end_with_engine() -> None:
    while sys.stdin.read(1):
        pass
    os._exit(1)


def _be_killed_with_parent() -> None:
    """Have Linux kill this process when its parent ends: a stopped one would not see that the line is broken."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
