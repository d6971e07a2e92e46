"""Which file formats there are, and what opens them.

A further format is a module in this folder and a line here, or an entry point of another package (`plugins.FORMATS`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecg_rhythm import plugins
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.formats.others import other_kind
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.personal import without_words_of
from ecg_rhythm.records.recording import Recording

Opener = Callable[[Path, ReadOptions], Recording]
"""What opens one lead of a file."""

LONGEST_MAGIC = 300
"""First bytes of a file that tell its format."""

LIBRARY_ERRORS = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, MemoryError, EOFError,
    RuntimeError, SyntaxError, NameError,
)  # fmt: skip
"""What the libraries behind the formats raise if a file is malformed."""


def why(error: BaseException, *paths: Path) -> str:
    """What a library says of files that it cannot read, in brackets for a message."""
    text = without_words_of(paths, " ".join(str(error).split()))[:120]
    return f" ({type(error).__name__}: {text})" if text else f" ({type(error).__name__})"


def _is_matlab_4(begin: bytes) -> bool:
    """Whether a file begins like one of MATLAB 4, which has no magic bytes: type, rows, columns, ...."""
    kind, rows, columns, imaginary, name = np.frombuffer(begin.ljust(20, b"\xff")[:20], dtype="<i4")
    return bool(0 <= kind < 100 and rows > 0 and columns > 0 and imaginary in (0, 1) and 1 < name < 64)


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes
    ----------
    opener : str
        Module of this folder and function in it: an `Opener`. The module is imported when the first file is opened.
    suffixes : tuple of str
        Suffixes of its files, in lower case.
    magic : tuple of (int, bytes)
        Bytes that tell the format where the suffix is unknown, and where they stand in the file.
    resembles : callable
        Given the first bytes of a file, whether they are of this format, where it has no magic bytes.
    """

    opener: str
    suffixes: tuple[str, ...]
    magic: tuple[tuple[int, bytes], ...] = ()
    resembles: Callable[[bytes], bool] = lambda begin: False

    def load(self) -> Opener:
        """Import the function that opens a file."""
        module, function = self.opener.split(":")
        opener: Opener = getattr(importlib.import_module(f"{__name__}.{module}"), function)
        return opener

    def matches(self, begin: bytes) -> bool:
        """Whether a file that begins so is of this format."""
        return any(begin[start:].startswith(magic) for start, magic in self.magic) or self.resembles(begin)


WFDB = Format("wfdb_record:open_wfdb", (".hea",))
TEXT = Format("text:open_text", (".csv", ".tsv", ".txt"))
FORMATS = (
    WFDB,
    Format("edf:open_edf", (".edf", ".bdf"), ((0, b"0       "), (0, b"\xffBIOSEMI"))),
    Format("npy:open_numpy", (".npy", ".npz"), ((0, b"\x93NUMPY"), (0, b"PK\x03\x04"))),
    Format("parquet_table:open_parquet", (".parquet", ".pq"), ((0, b"PAR1"),)),
    Format("dicom:open_dicom", (".dcm",), ((128, b"DICM"),)),
    Format("matlab:open_matlab", (".mat",), ((0, b"MATLAB "),), _is_matlab_4),
    TEXT,
)
"""All formats. A file with an unknown suffix is compared with each in this order; what is nothing else is text."""


def find_opener(path: Path, begin: bytes) -> Opener:
    """Choose what opens a file by its suffix, else by its first bytes; what is nothing else is text.

    Raises
    ------
    BadInput
        If it is a file of a kind that is not read, a package that adds this suffix cannot be imported, or two add it.
    """
    suffix = path.suffix.lower()
    is_added = suffix in plugins.found(plugins.FORMATS)
    if not is_added and (kind := other_kind(path, begin)) is not None:
        raise BadInput(f"{path}: {kind}")
    for form in FORMATS:
        if suffix in form.suffixes:
            return form.load()
    if is_added:
        opener: Opener = plugins.load(plugins.FORMATS, suffix)
        return opener
    return next((form for form in FORMATS if form.matches(begin)), TEXT).load()


def known_suffixes() -> set[str]:
    """Suffixes of files that may be recordings, in lower case."""
    return {suffix for form in FORMATS for suffix in form.suffixes} | plugins.found(plugins.FORMATS).keys()
