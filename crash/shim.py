"""The shim of `shim.c`: compiled where there is a C compiler, and loaded into this program before all else."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")


class Manner(IntEnum):
    """What happens at the chosen change."""

    COUNT = 0
    KILL = 1
    """The process is killed; a write has written its first half."""
    FULL = 2
    """The disk is full from then on."""
    FAULT = 3
    """The disk gives an error, once."""


def missing() -> str | None:
    """What it would take to use the shim here; None if all is there."""
    if not sys.platform.startswith("linux"):
        return "the shim works on Linux"
    return None if shutil.which("cc") else "a C compiler `cc` is needed"


def compiled() -> Path:
    """The shim as a library, compiled unless it is there already."""
    source = SOURCE.read_bytes()
    library = Path(tempfile.gettempdir()) / f"crash-{os.getuid()}-{hashlib.sha256(source).hexdigest()[:12]}.so"
    if not library.exists():
        made = library.with_suffix(f".{os.getpid()}.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, SOURCE, "-ldl"], check=True)
        made.replace(library)
    return library


def begin(folder: Path, at: int, manner: Manner, log: int) -> None:
    """Count changes below a folder from now on in this process and those that it forks."""
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
    shim.crash_begin.argtypes = (ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int)
    shim.crash_begin(os.fsencode(folder), at, manner, log)
