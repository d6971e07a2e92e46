"""Kinds of files that are not read: what they are, and what to do with them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

UNPACK = "unpack it and give the file in it"
EXPORT = "export the ECG from the program that wrote it, as EDF, WFDB, DICOM or CSV"
SAVE = "save the signal in it as CSV, or in NumPy's or MATLAB's format"


def _starts(*magic: bytes, at: int = 0) -> Callable[[bytes], bool]:
    return lambda begin: begin[at:].startswith(magic)


def _is_text(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda begin: begin.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(starts)


KINDS: tuple[tuple[str, str, Callable[[bytes], bool]], ...] = (
    ("a gzip archive", UNPACK, _starts(b"\x1f\x8b")),
    ("a bzip2 archive", UNPACK, _starts(b"BZh")),
    ("an xz archive", UNPACK, _starts(b"\xfd7zXZ\0")),
    ("a Zstandard archive", UNPACK, _starts(b"\x28\xb5\x2f\xfd")),
    ("a 7-Zip archive", UNPACK, _starts(b"7z\xbc\xaf\x27\x1c")),
    ("a RAR archive", UNPACK, _starts(b"Rar!")),
    ("a tar archive", UNPACK, _starts(b"ustar", at=257)),
    ("an Excel file (.xls)", "save its sheet as CSV", _starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")),
    ("an HDF5 file", SAVE, _starts(b"\x89HDF\r\n\x1a\n")),
    ("an SQLite database", SAVE, _starts(b"SQLite format 3")),
    ("an Arrow or Feather file", "save its table as Parquet or CSV", _starts(b"ARROW1")),
    ("a Python pickle", SAVE, _starts(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")),
    ("an SCP-ECG file", EXPORT, _starts(b"SCPECG", at=16)),
    ("an ISHNE Holter file", EXPORT, _starts(b"ISHNE1.0", b"ANN  1.0")),
    ("a GDF file", EXPORT, _starts(b"GDF ")),
    ("a KardiaMobile file (.atc)", EXPORT, _starts(b"ALIVE")),
    ("a sound file (WAV)", SAVE, _starts(b"RIFF")),
    ("a PDF", "a printed ECG cannot be read; " + EXPORT, _starts(b"%PDF")),
    (
        "a picture",
        "a picture of an ECG cannot be read; " + EXPORT,
        _starts(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM6"),
    ),
    ("an HTML page", "the download may have failed; get the file itself", _is_text(b"<!doctype html", b"<html")),
    ("an XML file, such as HL7 aECG or GE MUSE", EXPORT, _is_text(b"<?xml", b"<")),
    ("a JSON file", SAVE, _is_text(b"{", b"[{")),
)
"""What a file is, what to do with it, and whether it is one, given its first bytes."""
ZIP = b"PK\x03\x04"


def other_kind(path: Path, begin: bytes) -> str | None:
    """What kind of file this is, and what to do with it, by its first bytes; None if it may be one that is read."""
    if begin.startswith(ZIP):
        return _in_zip(path)
    return next((f"this is {kind}; {advice}" for kind, advice, is_one in KINDS if is_one(begin)), None)


def _in_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return None  # what opens it tells what is wrong
    if any(name.endswith(".npy") for name in names):
        return None
    if any(name.startswith("xl/") for name in names):
        return "this is an Excel file (.xlsx); save its sheet as CSV"
    return f"this is a zip archive; {UNPACK}"
