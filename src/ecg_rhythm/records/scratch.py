"""Temporary folders for copies of files that may be read as long as the program runs."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path


def new_folder() -> Path:
    """Make a temporary folder, which is removed when the program ends."""
    return Path(tempfile.mkdtemp(dir=_root().name))


@cache
def _root() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="ecg-rhythm-")
