"""Archives with one recording in them: gzip and zip. It is unpacked into a temporary folder and read from there."""

from __future__ import annotations

import gzip
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import finding, inflating, scratch
from ecg_rhythm.records.formats import LIBRARY_ERRORS, LONGEST_MAGIC, Opener, is_candidate
from ecg_rhythm.records.formats.excel import open_excel
from ecg_rhythm.records.formats.npy import open_numpy
from ecg_rhythm.records.formats.wfdb_header import files_named, is_header, text_of
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.reading import open_file
from ecg_rhythm.records.recording import Recording

INNER = "recording"
"""What the only file of an archive is called while it is read: its own name may be a patient's."""
NOT_READ = "a file in this archive is missing or cannot be read; unpack it and give the files in it, to learn which"
"""What is said in place of a message that names a file in an archive."""
AROUND = "\"'(),.:;"
"""Signs around a name in a sentence."""
OF_WFDB = frozenset({".hea", ".dat", ".mat", ""})
HIDDEN = (".", "__MACOSX")
"""What names of files and folders begin with that are no one's recordings."""
GZIP, ZIP = b"\x1f\x8b", b"PK"
DAMAGE = (*LIBRARY_ERRORS, zipfile.BadZipFile, zlib.error)
"""What unpacking raises if an archive is damaged, encrypted, or compressed in an unknown way."""


def open_gzip(path: Path, options: ReadOptions) -> Recording:
    """Open what a gzip file holds; the name without `.gz`, or the content, tells its format."""
    name = Path(path.stem) if path.suffix.lower() == ".gz" else path
    with _sentence(path), _folder() as folder:
        unpacked = folder / f"{INNER}{name.suffix}"
        with path.open("rb") as file, gzip.open(file, "rb") as source:
            _save(path, source, unpacked, 0)
        return _opened(path, unpacked, folder, options, name.stem)


def open_zip(path: Path, options: ReadOptions) -> Recording:
    """Open the only recording in a zip archive, or what is such an archive by itself: an Excel file, or arrays."""
    with _sentence(path), ZipFile(path) as archive:
        if (own := _own_opener(archive)) is not None:
            return own(path, options)
        with _folder() as folder:
            return _opened(path, _unpacked(path, archive, folder), folder, options, path.stem)


def _unpacked(path: Path, archive: ZipFile, folder: Path) -> Path:
    """Unpack the only recording of an archive into a folder, and give the file to open."""
    members = [one for one in archive.infolist() if not one.is_dir() and not _is_hidden(one)]
    if any(is_header(one.filename) for one in members):
        of_wfdb = [one for one in members if PurePosixPath(one.filename).suffix.lower() in OF_WFDB]
        _save_all(path, archive, of_wfdb, folder)
        found = finding.files_in(folder)
    else:
        wanted = members if len(members) == 1 else [one for one in members if _may_be(archive, one)]
        found = [folder / f"{INNER}{PurePosixPath(one.filename).suffix}" for one in wanted]
        if len(wanted) == 1:
            with archive.open(wanted[0]) as source:
                _save(path, source, found[0], 0)
    if len(found) != 1:
        what = f"it holds {len(found)} ECG files" if found else "there is no ECG file in this archive"
        raise BadInput(f"{path}: {what}; unpack it and give the files in it")
    return found[0]


def _own_opener(archive: ZipFile) -> Opener | None:
    """What opens a format whose files are zip archives; None for an archive of files."""
    names = archive.namelist()
    if any(name.endswith(".npy") for name in names):
        return open_numpy
    return open_excel if any(name.startswith("xl/") for name in names) else None


@contextmanager
def _sentence(path: Path) -> Iterator[None]:
    """Say what is wrong with an archive that cannot be unpacked."""
    try:
        yield
    except DAMAGE:
        raise BadInput(f"{path}: this archive is damaged or encrypted; unpack it and give the file in it") from None


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder for what an archive holds; it goes if the archive is refused."""
    folder = scratch.new_folder()
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _is_hidden(member: ZipInfo) -> bool:
    return any(part.startswith(HIDDEN) for part in PurePosixPath(member.filename).parts)


def _may_be(archive: ZipFile, member: ZipInfo) -> bool:
    """Whether a file of an archive may be a recording."""

    def begin() -> bytes:
        with archive.open(member) as file:
            return file.read(LONGEST_MAGIC)

    return is_candidate(member.filename, begin)


def _save_all(path: Path, archive: ZipFile, members: list[ZipInfo], folder: Path) -> None:
    """Unpack files into a folder, each where the archive has it."""
    size = 0
    for member in members:
        to = folder.joinpath(*PurePosixPath(member.filename).parts).resolve()
        if not to.is_relative_to(folder.resolve()):
            raise BadInput(f"{path}: a name in this archive leads out of it; unpack it and give the files in it")
        to.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source:
            size = _save(path, source, to, size)


def _save(path: Path, source: IO[bytes] | gzip.GzipFile, to: Path, size: int) -> int:
    """Unpack a file, after `size` bytes from the same archive, and give how many bytes these are then."""
    with to.open("wb") as file:
        while part := source.read(inflating.CHUNK):
            size += len(part)
            inflating.check(path, size)
            file.write(part)
    return size


def _opened(path: Path, unpacked: Path, folder: Path, options: ReadOptions, name: str) -> Recording:
    """Open what was unpacked; messages name the archive, and no file in it."""
    with unpacked.open("rb") as file:
        begin = file.read(2)
    is_archive = begin == GZIP
    if begin == ZIP:
        with ZipFile(unpacked) as inner:
            is_archive = _own_opener(inner) is None
    if is_archive:
        raise BadInput(f"{path}: it holds another archive; unpack it and give the file in it")
    inside = _names_in(unpacked.parent) | {_plain(f"{unpacked.stem}.hea")}

    def outside(said: str) -> str | None:
        """What is said of what was unpacked, as of the archive; None if it names a file in it."""
        rest = said.replace(str(unpacked), "")
        words = {_plain(word) for word in rest.split()}
        is_inside = str(unpacked.parent) in rest or not words.isdisjoint(inside)
        return None if is_inside else said.replace(str(unpacked), str(path))

    return _as_archive(path, partial(open_file, unpacked, options), outside, name, scratch.Kept(folder))


def _as_archive(
    path: Path, opener: Callable[[], Recording], outside: Callable[[str], str | None], name: str, kept: scratch.Kept
) -> Recording:
    """Open a lead of what was unpacked, and `kept` for it; neither messages nor remarks name a file in the archive."""

    @contextmanager
    def refusing() -> Iterator[None]:
        try:
            yield
        except BadInput as error:
            raise BadInput(outside(str(error)) or f"{path}: {NOT_READ}") from None

    with refusing():
        recording = opener()

    # As long as something can read it, it is kept.
    def read(start: int, stop: int, kept: scratch.Kept = kept) -> NDArray[np.float32]:
        with refusing():
            return recording.read(start, stop)

    remarks = tuple(filter(None, map(outside, recording.remarks)))
    others = tuple(partial(_as_archive, path, other, outside, name, kept) for other in recording.others)
    return replace(recording, name=name, read=read, remarks=remarks, others=others)


def _names_in(folder: Path) -> set[str]:
    """Names of the files in a folder, and of those that WFDB headers there name."""
    files = list(folder.iterdir())
    headers = [text_of(file) for file in files if is_header(file) and file.is_file()]
    named = [part for header in headers for part in files_named(header)]
    return set(map(_plain, (*named, *(PureWindowsPath(name).name for name in named), *(file.name for file in files))))


def _plain(name: str) -> str:
    """A name without what stands around it in a sentence, and without letters that a library drops."""
    return name.encode("ascii", "ignore").decode().strip(AROUND).casefold()
