"""Kinds of files that are not read: what they are, and what to do with them."""

from __future__ import annotations

from collections.abc import Callable

UNPACK = "unpack it and give the file in it"
EXPORT = "export the ECG from the program that wrote it, as EDF, WFDB, DICOM or CSV"
SAVE = "save the signal in it as CSV, or in NumPy's or MATLAB's format"


def _starts(*magic: bytes, at: int = 0) -> Callable[[bytes], bool]:
    return lambda begin: begin[at:].startswith(magic)


def _is_text(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda begin: begin.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(starts)


KINDS: tuple[tuple[str, str, Callable[[bytes], bool]], ...] = (
    ("a bzip2 archive", UNPACK, _starts(b"BZh")),
    ("an xz archive", UNPACK, _starts(b"\xfd7zXZ\0")),
    ("a Zstandard archive", UNPACK, _starts(b"\x28\xb5\x2f\xfd")),
    ("a 7-Zip archive", UNPACK, _starts(b"7z\xbc\xaf\x27\x1c")),
    ("a RAR archive", UNPACK, _starts(b"Rar!")),
    ("a tar archive", UNPACK, _starts(b"ustar", at=257)),
    ("an Excel file (.xls)", "save its sheet as CSV", _starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")),
    ("an SQLite database", SAVE, _starts(b"SQLite format 3")),
    ("an Arrow or Feather file", "save its table as Parquet or CSV", _starts(b"ARROW1")),
    ("a Python pickle", SAVE, _starts(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")),
    ("a file of the beats of an ISHNE Holter", "give the ECG beside it, .ecg", _starts(b"ANN  1.0")),
    ("a GDF file", EXPORT, _starts(b"GDF ")),
    ("a PDF", "a printed ECG cannot be read; " + EXPORT, _starts(b"%PDF")),
    (
        "a picture",
        "a picture of an ECG cannot be read; " + EXPORT,
        _starts(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM6"),
    ),
    ("an HTML page", "the download may have failed; get the file itself", _is_text(b"<!doctype html", b"<html")),
)
"""What a file is that is not read, what to do with it, and whether it is one, given its first bytes."""
LAYOUTS: tuple[tuple[str, str, Callable[[bytes], bool]], ...] = (
    ("an XML file of an unknown layout", EXPORT, _is_text(b"<?xml", b"<")),
    ("a JSON file of an unknown layout", SAVE, _is_text(b"{", b"[{")),
)
"""The same of what is only known if its layout is."""


def other_kind(begin: bytes) -> str | None:
    """What kind of file this is, and what to do with it, by its first bytes; None if it may be one that is read."""
    return _one_of(KINDS, begin)


def unknown_layout(begin: bytes) -> str | None:
    """What kind of file this is if no reader knows its layout, by its first bytes; None if it may be text."""
    return _one_of(LAYOUTS, begin)


def _one_of(kinds: tuple[tuple[str, str, Callable[[bytes], bool]], ...], begin: bytes) -> str | None:
    return next((f"this is {kind}; {advice}" for kind, advice, is_one in kinds if is_one(begin)), None)
