"""Classify an archive of recordings into a folder of Parquet files, one row per recording.

The archive is divided into parts, and the list of parts is saved before any recording is read. A part is written whole
or not at all. So each recording has exactly one row, even after a crash, and the same command continues with the parts
that are missing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

from ecg_rhythm import files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.answers import Answer
from ecg_rhythm.inference.blocks import File, Source
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.classify import Windows, answers_apart
from ecg_rhythm.inference.tables import columns, row, write_parquet
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.printable import shown
from ecg_rhythm.records import ReadOptions, remote, signal_set
from ecg_rhythm.records.signal_set import Signal

FILES = 512
"""Files of a part; of a data set, a row group is a part."""
LISTING = "_listing.parquet"
"""Names that begin with an underscore are passed over by those who read the folder as one table."""
PROBLEM = "problem"
"""Column that says why a recording has no answer."""
MADE_FROM, RECORDINGS = b"made_from", b"recordings"


class Counts(NamedTuple):
    """Recordings of a part, or of several, and how many of them have no answer."""

    recordings: int
    problems: int


class Archive:
    """The folder of the answers of an archive.

    Parameters
    ----------
    path : Path
        The folder; it has a listing.

    Attributes
    ----------
    parts, recordings : int
        How many there are to be.
    made_from : JSON value
        What the answers follow from.
    """

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self.path = path
        self._listing = parquet.ParquetFile(path / LISTING, page_checksum_verification=True)
        self.parts: int = self._listing.metadata.num_row_groups
        metadata = self._listing.metadata.metadata
        self.recordings = int(metadata[RECORDINGS])
        self.made_from: Any = json.loads(metadata[MADE_FROM])

    def part(self, number: int) -> Path:
        """The file of a part."""
        return self.path / f"part-{number:06}.parquet"

    def missing(self) -> list[int]:
        """The numbers of the parts that are not there."""
        return [number for number in range(self.parts) if not self.part(number).exists()]

    def counts(self) -> Counts:
        """Count the recordings of the parts that are there."""
        of_parts = [_counts(part) for number in range(self.parts) if (part := self.part(number)).exists()]
        return Counts(sum(one.recordings for one in of_parts), sum(one.problems for one in of_parts))

    def answer(self, number: int, workers: Workers[Classifier], windows: Windows, with_reasons: bool) -> Counts:
        """Classify the recordings of a part, and write it; a worker reads and computes.

        Raises
        ------
        BadInput
            If no worker can be started, or a data set is not as it was when it was listed.
        OSError
            If the part cannot be written.
        """
        entries = self._listing.read_row_group(number).to_pylist()
        with files.temporary_folder() as folder:
            copies, filled = Copies(Path(folder)), Path(folder, "answers.parquet")
            answered = answers_apart(workers, _sources(entries, copies), windows, with_reasons)
            rows = (copies.row(source, answer) for source, answer in answered)
            write_parquet(filled, columns(workers.state.classes) | {PROBLEM: True}, rows)
            if (counts := _counts(filled)).recordings != sum(entry["recordings"] for entry in entries):
                raise BadInput(f"{entries[0]['file']}: it has changed since it was listed; start again in a new folder")
            with files.replacing(self.part(number)) as made:
                shutil.copyfile(filled, made)
        return counts


def list_archive(path: Path, entries: Iterable[dict[str, Any]], made_from: Any) -> Archive:
    """Write down what an archive holds: some hundred files, or a row group of a data set, are a part.

    Parameters
    ----------
    path : Path
        The folder of its answers, which is made.
    entries : iterable of dict
        What `entries_of` gives.
    made_from : JSON value
        What the answers follow from.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    text, whole = pyarrow.string(), pyarrow.int64()
    kinds = {"file": text, "lead": text, "fs": pyarrow.float64(), "unit": text, "dates": pyarrow.bool_()}
    kinds |= {"where": text, "problem": text, "row_group": whole, "recordings": whole}
    schema = pyarrow.schema(kinds)
    recordings = 0
    path.mkdir(parents=True, exist_ok=True)
    try:
        with (
            files.replacing(path / LISTING) as made,
            parquet.ParquetWriter(made, schema, write_page_checksum=True) as writer,
        ):
            for part in _parts(entries):
                recordings += sum(entry["recordings"] for entry in part)
                writer.write_table(pyarrow.Table.from_pylist(part, schema=schema))
            writer.add_key_value_metadata({MADE_FROM: json.dumps(made_from), RECORDINGS: str(recordings)})
    except BaseException:
        with suppress(OSError):  # the folder is not empty
            path.rmdir()
        raise
    return Archive(path)


def entries_of(named: Iterable[File]) -> Iterator[dict[str, Any]]:
    """What a listing says of each file, and of each row group of a file that is a data set.

    Raises
    ------
    BadInput
        If a data set cannot be opened.
    """
    for file in named:
        source = str(file.path)
        entry: dict[str, Any] = {"file": source, "where": file.where, "problem": None}
        entry |= {"row_group": None, "recordings": 1}
        if isinstance(file.options, BadInput):
            yield entry | {"problem": str(file.options)}
            continue
        entry |= asdict(file.options)
        if (groups := signal_set.row_groups(source)) is None:
            yield entry
        else:
            yield from (entry | {"row_group": i, "recordings": rows} for i, rows in enumerate(groups))


def _parts(entries: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    for entry in entries:
        if part and (len(part) == FILES or entry["row_group"] is not None):
            yield part
            part = []
        part.append(entry)
        if entry["row_group"] is not None:
            yield part
            part = []
    if part:
        yield part


def _sources(entries: list[dict[str, Any]], copies: Copies) -> Iterator[Source]:
    """What is to be classified of a part."""
    for entry in entries:
        if entry["problem"] is not None:
            yield File(entry["file"], BadInput(entry["problem"]), entry["where"])
            continue
        options = ReadOptions(**{one.name: entry[one.name] for one in fields(ReadOptions)})
        if entry["row_group"] is not None:
            yield from signal_set.read(entry["file"], entry["row_group"], options)
        elif remote.is_url(entry["file"]):
            yield copies.fetched(File(entry["file"], options, entry["where"]))
        else:
            yield File(entry["file"], options, entry["where"])


class Copies:
    """Copies of files at URLs, which are there until they are answered.

    Parameters
    ----------
    folder : Path
        An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.urls: dict[str, str] = {}

    def fetched(self, file: File) -> File:
        """The file with the path of its copy, or why there is none."""
        url, place = str(file.path), self.folder / str(len(self.urls))
        place.mkdir()
        try:
            copy = str(remote.fetch(url, place))
        except BadInput as error:
            return file._replace(options=error)
        self.urls[copy] = url
        return file._replace(path=copy)

    def row(self, source: Source, answer: Answer | BadInput) -> dict[str, Any]:
        """The row of a recording, named by its URL if it has one, whose copy is removed."""
        path = str(source.path)
        if (url := self.urls.get(path)) is not None:
            shutil.rmtree(Path(path).parent, ignore_errors=True)
        name = source.source if isinstance(source, Signal) else url or path
        if not isinstance(answer, BadInput):
            return row(name, answer) | {PROBLEM: None}
        of_set = {"record": shown(source.name)} if isinstance(source, Signal) else {}
        return {"file": shown(name), PROBLEM: shown(str(answer).replace(path, url or path))} | of_set


def _counts(part: Path) -> Counts:
    """Count the rows of a part without reading it."""
    from pyarrow import parquet

    metadata = parquet.read_metadata(part)
    at = metadata.schema.names.index(PROBLEM)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    without = sum(group.column(at).statistics.null_count for group in groups if group.num_rows)
    return Counts(metadata.num_rows, metadata.num_rows - without)
