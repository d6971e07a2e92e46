"""Which file formats there are, and what opens them.

A further format is a module in this folder and a line here, or an entry point of another package (`plugins.FORMATS`).
"""

from __future__ import annotations

import importlib
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ecg_rhythm import plugins
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.formats.others import other_kind, unknown_layout
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.personal import without_words_of
from ecg_rhythm.records.recording import Recording

Opener = Callable[[Path, ReadOptions], Recording]
"""What opens one lead of a file."""

LONGEST_MAGIC = 4096
"""First bytes of a file that tell its format."""

LIBRARY_ERRORS = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, MemoryError, EOFError,
    RuntimeError, SyntaxError, NameError, struct.error,
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


HL7 = re.compile(rb"<([a-z_][\w.-]{0,64}:)?AnnotatedECG\b", re.IGNORECASE)
MUSE = re.compile(rb"<RestingECG[\s>]", re.IGNORECASE)
PHILIPS = re.compile(rb"<restingecgdata\b", re.IGNORECASE)
MORTARA = re.compile(rb"<ECG[\s>]", re.IGNORECASE)
FITBIT = re.compile(rb'"(ecgReadings|waveformSamples)"', re.IGNORECASE)
KARDIA = re.compile(rb'"(amplitudeResolution|recordedAt)"', re.IGNORECASE)
MOVESENSE = re.compile(rb'"[\w/]{0,64}ecg[\w/]{0,64}"\s{0,64}:\s{0,64}\{', re.IGNORECASE)
ARRAYS = re.compile(rb'"(samples|signal|data|ecg)"\s{0,64}:', re.IGNORECASE)
"""What a file of each format has near its beginning."""


def _has(first: bytes, pattern: re.Pattern[bytes]) -> Callable[[bytes], bool]:
    """A test whether a text begins with one of some letters and has a pattern; in UTF-16, every other byte is 0."""

    def test(begin: bytes) -> bool:
        text = begin.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
        text = text.replace(b"\0", b"").lstrip()
        return text[:1] in first and pattern.search(text) is not None

    return test


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes
    ----------
    name : str
        What people call it.
    opener : str
        Module of this folder and function in it: an `Opener`. The module is imported when the first file is opened.
    suffixes : tuple of str
        Suffixes of its files, in lower case.
    magic : tuple of (int, bytes)
        Bytes that tell the format where the suffix is unknown, and where they stand in the file.
    resembles : callable
        Given the first bytes of a file, whether they are of this format, where it has no magic bytes.
    extra : str
        What must be installed to read it.
    notes : str
        What the table of formats says of it.
    is_shared : bool
        Whether files of other kinds have its suffixes, too. A file is of this format only if it also begins so.
    """

    name: str
    opener: str
    suffixes: tuple[str, ...]
    magic: tuple[tuple[int, bytes], ...] = ()
    resembles: Callable[[bytes], bool] = lambda begin: False
    extra: str = ""
    notes: str = ""
    is_shared: bool = False

    def load(self) -> Opener:
        """Import the function that opens a file."""
        module, function = self.opener.split(":")
        opener: Opener = getattr(importlib.import_module(f"{__name__}.{module}"), function)
        return opener

    def matches(self, begin: bytes) -> bool:
        """Whether a file that begins so is of this format."""
        return any(begin[start:].startswith(magic) for start, magic in self.magic) or self.resembles(begin)


OF_EDF = re.compile(rb"[\dX. :-]{16}")
"""Date and time in the header of an EDF. What stands before them may begin a table of numbers, too."""
JSON, XML = b"{[", b"<"
"""What these begin with."""
UNVERIFIED = "read through `ecgdatakit`, not verified by us"
"""What the table says of a format without a public specification and without an independent writer."""
WFDB = Format(
    "WFDB", "wfdb_record:open_wfdb", (".hea",), notes="with `.dat` or `.mat`; several leads, several segments"
)
TEXT = Format(
    "CSV and other text",
    "text:open_text",
    (".csv", ".tsv", ".txt"),
    notes="delimiter, decimal sign, header, units, times and rate are detected; exports of Apple Health and Withings",
)
FORMATS = (
    WFDB,
    Format(
        "EDF, EDF+, BDF",
        "edf:open_edf",
        (".edf", ".bdf"),
        ((0, b"\xffBIOSEMI"),),
        lambda begin: begin.startswith(b"0       ") and OF_EDF.fullmatch(begin[168:184]) is not None,
    ),
    TEXT,
    Format("NumPy", "npy:open_numpy", (".npy", ".npz"), ((0, b"\x93NUMPY"),)),
    Format("Excel", "excel:open_excel", (".xlsx",), extra="excel", notes="the first sheet, read as text"),
    Format("zip", "packed:open_zip", (".zip",), ((0, b"PK\x03\x04"),), notes="with one recording in it"),
    Format("gzip", "packed:open_gzip", (".gz",), ((0, b"\x1f\x8b"),), notes="any other format, such as `.csv.gz`"),
    Format(
        "Parquet",
        "parquet_table:open_parquet",
        (".parquet", ".pq"),
        ((0, b"PAR1"),),
        extra="parquet",
        notes="a row per sample",
    ),
    Format("DICOM", "dicom:open_dicom", (".dcm",), ((128, b"DICM"),), extra="dicom", notes="waveforms"),
    Format(
        "MATLAB",
        "matlab:open_matlab",
        (".mat",),
        ((0, b"MATLAB "),),
        _is_matlab_4,
        notes="version 7.3 needs the extra `hdf5`",
    ),
    Format("HDF5", "hdf5:open_hdf5", (".h5", ".hdf5", ".hdf"), ((0, b"\x89HDF\r\n\x1a\n"),), extra="hdf5"),
    Format(
        "WAV",
        "wav:open_wav",
        (".wav",),
        ((0, b"RIFF"), (0, b"RIFX"), (0, b"RF64")),
        notes="its samples have no unit: say it with `--unit`",
        is_shared=True,
    ),
    Format("AliveCor", "alivecor:open_atc", (".atc",), ((0, b"ALIVE\0"),), notes="of KardiaMobile"),
    Format("ISHNE Holter", "ishne:open_ishne", (".ecg",), ((0, b"ISHNE1.0"),), is_shared=True),
    Format(
        "SCP-ECG",
        "clinical:open_scp",
        (".scp",),
        resembles=lambda begin: begin[16:22] == b"SCPECG" or (begin[8:10], begin[28:32]) == (b"\0\0", b"\7\0\0\0"),
        extra="clinical",
    ),
    Format("MFER", "clinical:open_mfer", (".mwf", ".mfer"), ((2, b"MFR "),), extra="clinical"),
    Format(
        "HL7 aECG",
        "clinical:open_hl7",
        (".xml",),
        resembles=_has(XML, HL7),
        extra="clinical",
        is_shared=True,
    ),
    Format(
        "GE MUSE XML",
        "clinical:open_muse",
        (".xml",),
        resembles=_has(XML, MUSE),
        extra="clinical",
        notes=UNVERIFIED,
        is_shared=True,
    ),
    Format(
        "Philips XML",
        "clinical:open_philips",
        (".xml",),
        resembles=_has(XML, PHILIPS),
        extra="clinical",
        notes=UNVERIFIED,
        is_shared=True,
    ),
    Format(
        "Mortara XML",
        "clinical:open_mortara",
        (".xml",),
        resembles=_has(XML, MORTARA),
        extra="clinical",
        notes=UNVERIFIED,
        is_shared=True,
    ),
    Format(
        "Fitbit JSON",
        "json_ecg:open_json",
        (".json",),
        resembles=_has(JSON, FITBIT),
        notes="as the Web API gives it",
        is_shared=True,
    ),
    Format(
        "Kardia JSON",
        "json_ecg:open_json",
        (".json",),
        resembles=_has(JSON, KARDIA),
        notes="as the Kardia API gives it",
        is_shared=True,
    ),
    Format(
        "Movesense JSON",
        "json_ecg:open_json",
        (".json",),
        resembles=_has(JSON, MOVESENSE),
        notes="packets of samples with a timestamp",
        is_shared=True,
    ),
    Format(
        "other JSON",
        "json_ecg:open_json",
        (".json",),
        resembles=_has(JSON, ARRAYS),
        notes='such as `{"ecg": [0.01, 0.02], "fs": 300, "unit": "mV"}`',
        is_shared=True,
    ),
)
"""All formats. A file that does not begin as its suffix says is compared with each in this order."""


def find_opener(path: Path, begin: bytes) -> Opener:
    """Choose what opens a file by its first bytes, else by its suffix; what is nothing else is text.

    Raises
    ------
    BadInput
        If it is a file of a kind that is not read, a package that adds this suffix cannot be imported, or two add it.
    """
    suffix = path.suffix.lower()
    if suffix in plugins.found(plugins.FORMATS) and not any(suffix in form.suffixes for form in FORMATS):
        opener: Opener = plugins.load(plugins.FORMATS, suffix)
        return opener
    if (kind := other_kind(begin)) is not None:
        raise BadInput(f"{path}: {kind}")
    own = [form for form in FORMATS if suffix in form.suffixes]
    if alike := next((form for form in (*own, *FORMATS) if form.matches(begin)), None):
        return alike.load()
    if (kind := unknown_layout(begin)) is not None:
        raise BadInput(f"{path}: {kind}")
    return next((form for form in own if not form.is_shared), TEXT).load()


def is_candidate(name: str, begin: Callable[[], bytes]) -> bool:
    """Whether a file may be a recording: by its suffix and, if other files have that, too, by its first bytes."""
    suffix = PurePosixPath(name).suffix.lower()
    forms = [form for form in FORMATS if suffix in form.suffixes]
    if not forms or not all(form.is_shared for form in forms):
        return bool(forms) or suffix in plugins.found(plugins.FORMATS)
    content = begin()
    return any(form.matches(content) for form in forms)


def known_suffixes() -> set[str]:
    """Suffixes of files that may be recordings, in lower case."""
    return {suffix for form in FORMATS for suffix in form.suffixes} | plugins.found(plugins.FORMATS).keys()
