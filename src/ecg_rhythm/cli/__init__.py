"""The command `ecg-rhythm`: parse, call, print."""

from __future__ import annotations

import sys
from importlib import import_module

from ecg_rhythm import extras
from ecg_rhythm.cli.console import app, complain, err
from ecg_rhythm.errors import BadInput

VERBS = ("data", "train", "results", "classify", "serve", "export", "demo")
"""Modules with verbs, in the order in which --help lists these."""

for _module in VERBS:
    import_module(f"{__name__}.{_module}")

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

RESUMABLE = ("train", "queue", "evaluate")
"""Verbs that resume their runs after an interruption."""

EXTRAS = dict.fromkeys(("torch", "accelerate", "onnx", "onnxscript", "safetensors", "tensorboard"), "train") | {
    "neurokit2": "demo"
}
"""Modules that a light installation lacks, and the extra that brings each."""


def main() -> None:
    """Run the command; bad input ends it with one sentence and exit code 2."""
    try:
        app()
    except BadInput as error:
        _fail(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}; free some space, or check the folder and its permissions")
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        _fail(extras.sentence(EXTRAS[error.name], " ".join(sys.argv[1:2]), error))
    except SystemExit as end:
        if end.code == INTERRUPTED:
            resume = "; the same command resumes the runs that have begun, unless --restart is given"
            err.print(f"interrupted{resume if {*RESUMABLE} & {*sys.argv[1:2]} else ''}")
        raise


def _fail(message: str) -> None:
    complain(message)
    sys.exit(2)
