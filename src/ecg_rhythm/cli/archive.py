"""Archives: `classify --cluster`, which fills a folder."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ecg_rhythm import extras, files, records
from ecg_rhythm.cli.answers import counting, note_passed_over
from ecg_rhythm.cli.console import HERE, complain, note, out
from ecg_rhythm.cluster import check, connected
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.blocks import File
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.classify import Windows
from ecg_rhythm.records import Manifest, ReadOptions, remote


def classify_archive(
    named: Iterable[File],
    to: Path,
    cluster: str,
    made_from: Any,
    classifier: Classifier,
    windows: Windows,
    with_reasons: bool,
) -> None:
    """Classify files on the nodes of a cluster; leave with exit code 1 if some have no answer, 2 if all.

    The files are listed once: an interrupted command resumes with the same list.
    """
    with extras.needed("cluster", "--cluster"):
        import pyarrow.parquet  # noqa: F401
    check()
    from ecg_rhythm.inference.archive import LISTING, Archive, entries_of, list_archive
    from ecg_rhythm.inference.ray_archive import answer_missing

    if to.exists() and not (to / LISTING).exists() and (not to.is_dir() or any(to.glob("[!.]*"))):
        raise BadInput(f"--to {to}: with --cluster, this is a folder that is made; name one that is not there")
    with files.alone(to, f"{to}: another process is filling it; wait for it, or name another folder"):
        if (to / LISTING).exists():
            archive = Archive(to)
            if archive.made_from != made_from:
                raise BadInput(
                    f"{to}: its answers are of other files, models or options, or another version; name another folder"
                )
        else:
            archive = list_archive(to, entries_of(named), made_from)
        there, problems = archive.counts()
        if 0 < there < archive.recordings:
            note(f"{to}: {there} of {archive.recordings} recordings were answered before an interruption")
        if there < archive.recordings:
            with (
                connected(None if cluster == HERE else cluster),
                counting(out, archive.recordings, "recordings") as advance,
            ):
                advance(there)
                for part in answer_missing(archive, classifier, windows, with_reasons):
                    advance(part.recordings)
                    problems += part.problems
        files.remove_parts(to)  # which could not be removed before, or are of workers that were killed
    out.print(f"{to}: {archive.recordings} recordings in {archive.parts} files. For research; not a medical device.")
    if problems:
        complain(f"{to}: {problems} of these recordings have no answer; column `problem` says why")
        sys.exit(1 if problems < archive.recordings else 2)


def absolute(names: Iterable[str], manifest: Path | None) -> list[str]:
    """What names mean, in whichever folder they are given."""
    given = [name if remote.is_url(name) else str(Path(name).absolute()) for name in names]
    return [*given, *([] if manifest is None else [str(manifest.absolute())])]


def named_files(names: Sequence[str], manifest: Manifest, options: ReadOptions) -> Iterator[File]:
    """The files that names stand for, by paths that other nodes understand; at the end, say what was passed over."""
    passed_over = Counter[str]()
    found = _found(names, manifest, options, passed_over)
    yield from _once(found)
    note_passed_over(passed_over)


def _once(found: Iterable[File]) -> Iterator[File]:
    """Leave out a file that several names stand for, and say how many there were; digests, as there may be millions."""
    seen, again = set[bytes](), 0
    for file in found:
        meant = repr((_really(str(file.path)), file.options)).encode(errors="surrogateescape")
        if (digest := blake2b(meant, digest_size=12).digest()) in seen:
            again += 1
            continue
        seen.add(digest)
        yield file
    if again:
        note(f"{again} further name{'s' * (again > 1)} of the same files {'are' if again > 1 else 'is'} left out")


def _found(names: Iterable[str], manifest: Manifest, options: ReadOptions, passed_over: Counter[str]) -> Iterator[File]:
    from ecg_rhythm.inference.blocks import listed
    from ecg_rhythm.records.paths import STANDARD_INPUT

    for name in dict.fromkeys(names):
        if name == STANDARD_INPUT:
            raise BadInput("-: other nodes cannot read the standard input; name files")
        if remote.is_url(name):
            yield from (File(url, options) for url in remote.find(name))
            continue
        for one in records.expand_one_by_one([name], passed_over):
            yield File(name, one) if isinstance(one, BadInput) else File(one.absolute(), options)
    for file in listed(manifest):
        yield file if remote.is_url(str(file.path)) else file._replace(path=Path(file.path).absolute())


def _really(path: str) -> tuple[str, str]:
    """The real folder of a file, and its name in it: by whatever way it is named, it is the same."""
    folder, name = os.path.split(path)
    return folder if remote.is_url(path) else _real(folder), name


@lru_cache(1024)
def _real(folder: str) -> str:
    return os.path.realpath(folder)
