"""The command `ecg-rhythm`: parse, call, print."""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module

from ecg_rhythm import errors, extras
from ecg_rhythm.cli.console import app, complain, err

VERBS = (
    "data",
    "train",
    "search",
    "watch",
    "summarize",
    "results",
    "suspects",
    "episodes",
    "classify",
    "serve",
    "export",
    "demo",
)
"""Modules with verbs, in the order in which --help lists these."""

for _module in VERBS:
    import_module(f"{__name__}.{_module}")

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

_RUNS = "; the same command resumes the runs that have begun, unless --restart is given"
RESUMED = dict.fromkeys(("train", "queue", "search", "evaluate"), _RUNS) | {
    "classify": "; with --to, the same command goes on"
}
"""Verbs that go on after an interruption, and what is said of it."""

EXTRAS = dict.fromkeys(("torch", "accelerate", "onnx", "onnxscript", "safetensors", "tensorboard"), "train") | {
    "neurokit2": "demo"
}
"""Modules that a light installation lacks, and the extra that brings each."""


def main() -> None:
    """Run the command; bad input ends it with one sentence and exit code 2."""
    of_threads: list[str] = []  # they have told those that wait for them, but perhaps nobody does

    def keep(failed: threading.ExceptHookArgs) -> None:
        sentence = None if failed.exc_value is None else errors.sentence(failed.exc_value)
        of_threads.append(sentence) if sentence is not None else threading.__excepthook__(failed)

    threading.excepthook = keep
    os.environ[extras.SCREEN] = "agg"  # pictures are files here
    try:
        app()
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        verb = " ".join(sys.argv[1:2])
        _fail(extras.sentence("search" if verb == "search" else EXTRAS[error.name], verb, error))
    except Exception as error:
        if (sentence := errors.sentence(error)) is None:
            raise
        _fail(sentence)
    except SystemExit as end:
        if of_threads and not end.code:
            _fail(of_threads[0])
        if end.code == INTERRUPTED:
            err.print(f"interrupted{RESUMED.get(' '.join(sys.argv[1:2]), '')}")
        raise


def _fail(message: str) -> None:
    complain(message)
    sys.exit(2)
