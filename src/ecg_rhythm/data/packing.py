"""Your own labelled recordings -> a packed store like that of the challenge set."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from ecg_rhythm import records
from ecg_rhythm.data.store import Store, write_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.schema import read_text

DEFAULT_FS = 300.0
LABEL_VERSION = "labels"


def pack_folder(folder: Path, labels: Path, data: Path, *, fs: float = DEFAULT_FS) -> Store:
    """Pack all recordings below a folder into `DIR/store`, whole or not at all.

    Parameters
    ----------
    folder : Path
        Folder of recordings, in any format that `records.read` knows.
    labels : Path
        CSV with a line `record,label` for each recording, with or without a header; its labels are the
        classes. Recordings of the class `~` (noise) are not part of the challenge score.
    data : Path
        The data folder DIR.
    fs : float
        All recordings are resampled to this rate in Hz.

    Raises
    ------
    BadInput
        If a recording cannot be read or has no label, a label has no recording, or there is only one class.
    """
    if not 1 <= fs <= 10_000:
        raise BadInput(f"fs {fs:g}: the sampling rate must be from 1 to 10000 Hz")
    of_record = read_labels(labels)
    paths = records.find(folder, leaving_out=labels)
    if without_label := sorted(paths.keys() - of_record.keys()):
        path = paths[without_label[0]]
        raise BadInput(f"{path}: this recording has no label; add a line `{path.stem},...` to {labels} or move it away")
    if without_record := sorted(of_record.keys() - paths.keys()):
        raise BadInput(
            f"{labels}: record {without_record[0]} is not in {folder}; put it there or remove the line "
            "(write names without extension; a header must be `record,label`)"
        )
    classes = sorted(set(of_record.values()))
    if len(classes) < 2:
        raise BadInput(f"{labels}: all recordings are labelled {classes[0]}; at least two classes are needed")

    def signals() -> Iterator[tuple[str, NDArray[np.float32]]]:
        for name in track(sorted(paths), description="packing", transient=True):
            record = records.read(paths[name])
            records.check_length(record)
            yield name, records.resample(record, fs).signal

    return write_store(
        data,
        signals(),
        fs=fs,
        classes=classes,
        labels={LABEL_VERSION: of_record},
        default_labels=LABEL_VERSION,
        origin=f"{folder.resolve().name}, labelled by {labels.name}",
    )


def read_labels(path: Path) -> dict[str, str]:
    """Read a CSV of lines `record,label`; a first line of exactly these words is skipped.

    Raises
    ------
    BadInput
        If the file is missing or empty, or a line is not of this form or repeats a record.
    """
    of_record: dict[str, str] = {}
    try:
        rows = list(csv.reader(io.StringIO(read_text(path))))
    except csv.Error as error:
        raise BadInput(f"{path}: this is not a CSV file ({error}); write a line `record,label` for each") from None
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and [c.lower() for c in cells] == ["record", "label"]):
            continue
        if len(cells) != 2 or not all(cells) or not all(cell.isprintable() for cell in cells):
            raise BadInput(
                f"{path}, line {number}: expected `record,label`, found {','.join(row)!r}; correct this line"
            )
        if cells[0] in of_record:
            raise BadInput(f"{path}, line {number}: record {cells[0]} is listed twice; remove one of the lines")
        of_record[cells[0]] = cells[1]
    if not of_record:
        raise BadInput(f"{path}: there are no labels in it; write a line `record,label` for each recording")
    return of_record
