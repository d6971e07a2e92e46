"""A manifest: a table of ECG files and what is known of each, for folders of mixed files."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ecg_rhythm.errors import BadInput
from ecg_rhythm.given import hertz
from ecg_rhythm.printable import listed
from ecg_rhythm.records.decoding import decoded
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.paths import is_dir, is_url, path_of, wfdb_header

COLUMNS = ("file", "fs", "unit", "lead")
DELIMITERS = (",", ";", "\t")
LARGEST = 256 * 2**20
"""Bytes of a manifest, at most."""


@dataclass(frozen=True)
class Row:
    """A file of a manifest.

    Attributes
    ----------
    where : str
        The manifest and the row's line in it, for messages.
    path : Path or str
        The file, or its URL; a relative path is relative to the manifest's folder.
    options : ReadOptions or BadInput
        What the row says of it, or what is wrong with the row.
    """

    where: str
    path: Path | str
    options: ReadOptions | BadInput


class Manifest(NamedTuple):
    """The rows of a manifest, and the names of columns that mean nothing here."""

    rows: list[Row]
    unknown: list[str]


def read_manifest(path: Path | str, options: ReadOptions = ReadOptions()) -> Manifest:  # noqa: B008
    """Read a manifest: a table with a column `file` and perhaps `fs`, `unit` and `lead`.

    Parameters
    ----------
    path : path
        Text with a header; its columns are separated by commas, semicolons or tabs.
    options : ReadOptions
        What holds where a cell is empty or its column is missing.

    Raises
    ------
    BadInput
        If the file cannot be read, has no column `file`, a column twice, or no rows. A bad row raises nothing.
    """
    path = path_of(path)
    text = _text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=lambda one: sum(name in COLUMNS for name in _names(first.split(one))))
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[Row] = []
    header: list[str] = []
    try:
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if header:
                rows.append(_row(path, f"{path}, line {lines.line_num}", header, cells, options))
            else:
                header = _header(path, _names(cells))
    except csv.Error as error:
        raise BadInput(f"{path}, line {lines.line_num}: {error}; correct it") from None
    if not rows:
        raise BadInput(f"{path}: it names no files; give a header with a column `file`, and a row for each file")
    return Manifest(rows, [name for name in header if name and name not in COLUMNS])


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (FileNotFoundError, ValueError):  # ValueError: a name that no file can have
        raise BadInput(f"{path}: there is no such file; check the name") from None
    except OSError as error:
        raise BadInput(f"{path}: it cannot be read: {error.strerror or error}; name a table of files") from None
    if len(content) > LARGEST:
        raise BadInput(f"{path}: it is larger than {LARGEST // 2**20} MiB; name a table of files")
    text, _ = decoded(content)
    if "\0" in text:
        raise BadInput(f"{path}: this is not a text file; name a table of files")
    return text


def _names(cells: list[str]) -> list[str]:
    return [cell.strip().strip('"').strip().lower() for cell in cells]


def _header(path: Path, names: list[str]) -> list[str]:
    if "file" not in names:
        columns = listed(name for name in names if name)
        raise BadInput(f"{path}: its columns are {columns}; there must be one that is called `file`")
    if twice := [name for name in COLUMNS if names.count(name) > 1]:
        raise BadInput(f"{path}: two of its columns are called `{twice[0]}`; remove one")
    return names


def _row(path: Path, where: str, header: list[str], cells: list[str], options: ReadOptions) -> Row:
    own = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name in COLUMNS}
    own.setdefault("file", "")  # a short row may end before it
    file = own["file"] if is_url(own["file"]) else path.parent / own["file"]
    if any(cell.strip() for cell in cells[len(header) :]):
        problem = f"{len(cells)} cells, but there are {len(header)} columns; put a cell that has a separator in quotes"
        return Row(where, file, BadInput(problem))
    if not own["file"]:
        return Row(where, file, BadInput("its cell `file` is empty; name a file"))
    if isinstance(file, Path) and is_dir(file) and wfdb_header(file) is None:
        return Row(where, file, BadInput(f"{own['file']}: this is a folder; name each file of it in a row of its own"))
    said: dict[str, str | float] = {name: cell for name in ("unit", "lead") if (cell := own.get(name))}
    if rate := own.get("fs"):
        try:
            said["fs"] = hertz(rate)
        except ValueError:
            return Row(where, file, BadInput(f"{own['file']}: fs {rate!r} is no number; give the sampling rate in Hz"))
    return Row(where, file, replace(options, **said))  # type: ignore[arg-type]
