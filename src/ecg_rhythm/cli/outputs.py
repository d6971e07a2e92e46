"""What a command writes must not replace what it reads."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from ecg_rhythm.errors import BadInput

STANDARD_OUTPUT = 1
"""Its file descriptor."""
BEGINNINGS = (b"file,kind,record,", b'[\n{"file": ')
"""How tables of answers begin: CSV and JSON."""
PARQUET_COLUMNS = ("file", "kind", "record")
"""First columns of a table of answers in Parquet."""


def refuse_inputs(option: str, to: Path, inputs: Iterable[Path]) -> None:
    """Refuse to replace a file that is an input, or lies in a folder that is one.

    Raises
    ------
    BadInput
        If it would be replaced.
    """
    if not to.exists():
        return
    folders = to.resolve().parents
    for path in inputs:
        if _is_same(path, to) or path.resolve() in folders:
            raise BadInput(f"{option} {to}: this file is among those to read; remove it, or name another")


def refuse_folder_of_inputs(option: str, to: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write files into a folder that recordings are read from, as they may have the names of these.

    Raises
    ------
    BadInput
        If one of them is in it.
    """
    if to.is_dir() and any(_is_same(folder, to) for folder in {path.parent for path in inputs}):
        raise BadInput(f"{option} {to}: recordings are read from this folder; name another")


def without_output(paths: list[Path], named: Sequence[str | Path], to: Path | None, option: str) -> list[Path]:
    """Leave out what this command writes into a folder of recordings, such as a table.

    Parameters
    ----------
    paths : list of Path
        Files that folders and patterns stand for.
    named : sequence of str or Path
        What the user named.
    to : Path or None
        The table to be written.
    option : str
        How the user named it.

    Raises
    ------
    BadInput
        If the table would replace a file that is named, or one of a folder that is no table of answers.
    """
    outputs: list[Path | int] = []
    if stat.S_ISREG(os.fstat(STANDARD_OUTPUT).st_mode):
        outputs.append(STANDARD_OUTPUT)
    if to is not None:
        is_read = any(_is_same(path, to) for path in paths) and not _holds_answers(to)
        if is_read or any(_is_same(name, to) for name in named):
            raise BadInput(f"{option} {to}: this file is among those to read; name another, or quote the pattern")
        outputs.append(to)
    return [path for path in paths if not any(_is_same(path, output) for output in outputs)]


def _holds_answers(path: Path) -> bool:
    """Whether a file is a table of answers, which an earlier command wrote."""
    with path.open("rb") as file:
        begins = file.read(max(map(len, BEGINNINGS)))
    if begins.startswith(b"PAR1"):
        try:
            from pyarrow import ArrowException, parquet
        except ModuleNotFoundError:  # so no command here wrote it
            return False
        try:
            return tuple(parquet.read_schema(path).names[: len(PARQUET_COLUMNS)]) == PARQUET_COLUMNS
        except (ArrowException, OSError):
            return False
    return begins.startswith(BEGINNINGS)


def _is_same(path: Path | str, other: Path | int) -> bool:
    """Whether two files are the same one; the second may be the descriptor of an open file."""
    try:
        return os.path.samestat(os.stat(path), os.stat(other))  # noqa: PTH116 -- takes descriptors, too
    except (OSError, ValueError):  # there is no such file yet
        return False
