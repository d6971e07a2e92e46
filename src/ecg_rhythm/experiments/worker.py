"""The process of one run: it reads a request from standard input, carries it out, and ends with an exit code."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

from ecg_rhythm import files
from ecg_rhythm.experiments.folder import Busy, Run
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.schema import Section
from ecg_rhythm.training.progress import Progress

BUSY = 75
"""Exit code of a run that another process is at work on."""


class Request(Section):
    """A request to a run's process, one line of JSON on its standard input."""

    spec: RunSpec
    data: str
    logs: str
    device: str
    replaces: str | None


def obey() -> int:
    """Be the process of one run: read a `Request` from standard input, do it, return the exit code."""
    request = Request.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    run = Run(request.spec.folder(Path(request.logs)))
    from ecg_rhythm.experiments.run import train

    def report(progress: Progress) -> None:
        if progress.ends_epoch:
            print(progress, flush=True)

    try:
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
        sentence = files.sentence(error)
        with suppress(OSError):  # a disk may be full; the parent tells what it knows
            files.write_text(run.error, f"{sentence or f'{type(error).__name__}: {error}'}\n")
            if sentence is not None:
                print(f"error: {sentence}", flush=True)
        if sentence is None:
            raise
        return 2
    return 0


def _end_with_parent() -> None:
    while sys.stdin.read(1):
        pass
    os._exit(1)
