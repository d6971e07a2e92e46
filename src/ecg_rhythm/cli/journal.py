"""A journal beside a file of answers: what a killed command has answered is there for the same command.

A line for each file that was answered or refused, with a checksum, after a line that says what the answers follow
from. The journal goes when the file is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Any

from ecg_rhythm import files, records
from ecg_rhythm.errors import BadInput, blaming
from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.version import __version__
from ecg_rhythm.weights.loading import DEFAULT, file_of, weights_of

PROBLEM = "problem"
"""Kind of an entry whose content is why there is no answer."""


@dataclass(frozen=True)
class Entry:
    """What became of a file.

    Attributes
    ----------
    file : str
        Its path.
    state : list
        Sizes and times of its files when it was read.
    kind : str
        That of its answer, or `problem`.
    content : dict or str
        The answer as it is written, or the problem.
    """

    file: str
    state: list[list[int]]
    kind: str
    content: Any


class Journal:
    """An open journal; see `journal`.

    Attributes
    ----------
    resumes : bool
        Whether a killed command had left one.
    kept : list of Entry
        What it had answered that need not be answered again.
    """

    def __init__(self, path: Path, file: FileIO, resumes: bool, kept: list[Entry]) -> None:
        self._path, self._file, self.resumes, self.kept = path, file, resumes, kept
        self._number = len(kept)

    def add(self, path: Path, kind: str, content: Any) -> None:
        """Add what became of a file."""
        with blaming(self._path):
            _append(self._file, asdict(Entry(str(path), _state(path), kind, content)))
            self._number += 1

    def contents(self) -> Iterator[Any]:
        """All answers, in order.

        Raises
        ------
        BadInput
            If the journal was damaged meanwhile.
        """
        number = 0
        with _place(self._path).open("rb") as file:
            file.readline()
            for entry, _ in _entries(file):
                number += 1
                if entry["kind"] != PROBLEM:
                    yield entry["content"]
        if number != self._number:
            raise BadInput(f"{_place(self._path)}: it was damaged meanwhile; remove it and start again")


@contextmanager
def journal(path: Path, made_from: Any, blocks: Iterable[Sequence[Path]]) -> Iterator[Journal]:
    """Open the journal of a file that is to be made, for this process alone; it is removed when all went well.

    Parameters
    ----------
    path : Path
        The file.
    made_from : JSON value
        What the answers follow from; a journal of something else starts again.
    blocks : iterable of sequence of Path
        The files to answer. Those of a block are classified together, and are kept together.

    Raises
    ------
    BadInput
        If another process makes the file.
    OSError
        If the journal cannot be written.
    """
    files.refuse_folder(path)
    place = _place(path)
    with files.alone(path, f"{path}: another process is writing it; wait for it, or name another file"):
        with blaming(path, place):
            journal_file = FileIO(place, "a")
        with journal_file as file:
            with blaming(path), place.open("rb") as before:
                resumes = os.fstat(file.fileno()).st_size > 0
                kept, end = _kept(before, blocks) if before.readline() == _line(made_from) else ([], 0)
                file.truncate(end)
                if not end:
                    _append(file, made_from)
            yield Journal(path, file, resumes, kept)
        with suppress(OSError):  # the file is whole
            place.unlink()


def _kept(file: IO[bytes], blocks: Iterable[Sequence[Path]]) -> tuple[list[Entry], int]:
    """The entries that hold for these files, of whole blocks, and where the last one ends."""
    kept: list[Entry] = []
    end, entries = 0, _entries(file)
    for block in blocks:
        read = [(path, Entry(**content), after) for path, (content, after) in zip(block, entries, strict=False)]
        if len(read) < len(block) or not all(_holds(entry, path) for path, entry, _ in read):
            break
        kept += [entry for _, entry, _ in read]
        end = read[-1][2]
    return kept, end


def _holds(entry: Entry, path: Path) -> bool:
    """Whether an entry is of this file, which is as it was."""
    return bool(entry.state) and (entry.file, entry.state) == (str(path), _state(path))


def _entries(file: IO[bytes]) -> Iterator[tuple[Any, int]]:
    """Each entry and where it ends; a damaged line, which a kill has cut off, is the end."""
    while line := file.readline():
        checksum, _, text = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
            return
        yield json.loads(text), file.tell()


def _append(file: FileIO, content: Any) -> None:
    """Write a line at once, without a buffer that would be written again after an error."""
    line = _line(content)
    while line:
        line = line[file.write(line) or 0 :]


def _place(path: Path) -> Path:
    return files.hidden_beside(path, ".journal")


def _line(content: Any) -> bytes:
    text = json.dumps(content).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _state(path: Path) -> list[list[int]]:
    """Size and time of each file that a recording consists of; none of what is no file, such as standard input."""
    return [[found.st_size, found.st_mtime_ns] for found in records.states(path)]


def of_files(model: Sequence[Path] | None, manifest: Path | None) -> list[Any]:
    """What answers follow from beside options: the version of the program, the models, the manifest."""
    names: Sequence[Path | str] = model or [DEFAULT]
    models = [file for name in names for file in weights_of(file_of(name))]
    return [__version__, [_digest(file) for file in models], manifest and _digest(manifest)]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kind_of(outcome: Prediction | Timeline | BadInput) -> str:
    """The kind of an entry for what became of a file."""
    return PROBLEM if isinstance(outcome, BadInput) else outcome.kind


def remark(path: Path, kept: int, of: int) -> str:
    """What is done with the journal of an interrupted command, in one sentence."""
    if kept:
        return f"{path}: {kept} of {of} files were answered before an interruption; the others follow"
    return f"{path}: starts again, as no answer of the interrupted command can be used for this one"
