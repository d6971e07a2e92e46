"""Files to classify -> blocks of files that are classified together.

Blocks follow from the files alone, before any is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import Manifest, ReadOptions, Recording
from ecg_rhythm.records.signal_set import Signal

FILES, BYTES = 64, 8 * 2**20
"""Most files of a block, and most bytes of theirs on disk; a larger file is a block by itself."""


class File(NamedTuple):
    """A file to classify.

    Attributes
    ----------
    path : path
        The file; `-` is standard input.
    options : ReadOptions or BadInput
        Lead, sampling rate and unit if the user says them, or what is wrong with what the user says.
    where : str
        The manifest that names it and the line there, for messages.
    """

    path: PathLike[str] | str
    options: ReadOptions | BadInput = ReadOptions()
    where: str = ""

    @property
    def size(self) -> float:
        """Bytes of the files that it consists of; infinite for what only this process can read, and once."""
        return records.size_on_disk(Path(self.path))

    def open(self) -> Recording:
        """Open it."""
        if isinstance(self.options, BadInput):
            raise self.options
        return records.open_recording(fspath(self.path), self.options)


Source = File | Signal
"""What is classified: a file, or a row of a data set."""


class Block(NamedTuple):
    """Files that are classified together.

    Attributes
    ----------
    files : list of File or Signal
        The files.
    bytes : float
        Their size on disk; infinite for what only this process can read, such as standard input.
    """

    files: list[Source]
    bytes: float

    @property
    def is_large(self) -> bool:
        """Whether it is one file that is larger than a block may be."""
        return self.bytes > BYTES


def listed(manifest: Manifest) -> list[File]:
    """The files of a manifest; what is wrong with one names its row, too."""
    return [File(row.path, row.options, row.where) for row in manifest.rows]


def blocks(files: Iterable[Source]) -> Iterator[Block]:
    """Divide files into blocks, in order. The division after a block does not depend on what is before it."""
    block, total = list[Source](), 0.0
    for file in files:
        size = 0.0 if isinstance(file.options, BadInput) else file.size
        if block and total + size > BYTES:
            yield Block(block, total)
            block, total = [], 0.0
        block.append(file)
        total += size
        if len(block) == FILES:
            yield Block(block, total)
            block, total = [], 0.0
    if block:
        yield Block(block, total)
