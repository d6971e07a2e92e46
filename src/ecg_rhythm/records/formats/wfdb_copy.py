"""WFDB headers as they are found -> headers that the library reads.

The library refuses, or misreads, headers of which only what does not matter here is wrong: dates, comments, the number
of samples. Such a header is read from a corrected copy, beside links to its signal files.
"""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path, PureWindowsPath

from ecg_rhythm.records import scratch
from ecg_rhythm.records.formats.wfdb_header import SEGMENTS, files_named, is_header, lines_of, text_of

SUFFIXES = (".hea", ".dat", ".mat")


def corrected(text: str, name: str, keep_length: bool = True) -> str:
    """A header with only what is read: a record's name, its numbers of segments, leads and samples, its rate.

    Parameters
    ----------
    text : str
        The header.
    name : str
        Name of the record.
    keep_length : bool
        Whether the number of samples is kept, if it is more than 0.
    """
    first, *others = lines_of(text)
    words = first.split()
    several = SEGMENTS.search(words[0])
    segments, leads = several[1] if several else "", int(words[1])
    record = [f"{name}/{segments}" if segments else name, *words[1:3]]
    if len(words) > 3 and words[3].isdecimal() and int(words[3]) and keep_length:
        record.append(words[3])
    kept = [_without_folder(line) for line in others[: int(segments) if segments else leads]]
    return "\n".join([" ".join(record), *kept]) + "\n"


def _without_folder(line: str) -> str:
    """A line about a signal or a segment, with the file's name alone."""
    name, *rest = line.split(maxsplit=1)
    return " ".join([PureWindowsPath(name).name, *rest])  # which knows both kinds of slashes


def copy_of(header: Path, text: str) -> Path:
    """Write a corrected header to a temporary folder, with links to the files beside the original; gives its path."""
    folder = scratch.new_folder()
    copy = folder / f"{header.stem}.hea"
    for name in _names_in(header, text):
        original = header.with_name(name)
        if not original.is_file():
            original = _in_lower_case(header.parent, header.parent.stat().st_mtime_ns).get(name.lower(), original)
        if original.is_file() and name != copy.name:  # which the header may name, too
            _link(original, folder / name)
    copy.write_text(text, encoding="utf-8")
    return copy


@lru_cache(maxsize=1)
def _in_lower_case(folder: Path, changed: int) -> dict[str, Path]:
    """The files of records in a folder, by their names in lower case.

    Remembered until the folder is `changed` (in ns), as each record of a large one may ask.
    """
    return {file.name.lower(): file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES}


def _names_in(header: Path, text: str) -> set[str]:
    """Names of the signal files in a header, and in those of its segments, and of the headers of these."""
    names = set(files_named(text))
    for segment in [header.parent / name for name in names if is_header(name)]:
        if segment.is_file():
            names |= {*files_named(text_of(segment))}
    return names


def _link(original: Path, link: Path) -> None:
    try:
        link.symlink_to(original.absolute())
    except OSError:  # Windows allows links to administrators alone
        shutil.copyfile(original, link)
