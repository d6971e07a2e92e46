"""Your own labelled recordings -> a packed store like that of the challenge set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from ecg_rhythm import records
from ecg_rhythm.data.labels import read_labels, spelled_alike
from ecg_rhythm.data.store import Store
from ecg_rhythm.data.writing import write_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import ReadOptions

DEFAULT_FS = 300.0
LABEL_VERSION = "labels"


def pack_folder(
    folder: Path,
    labels: Path,
    data: Path,
    *,
    fs: float = DEFAULT_FS,
    options: ReadOptions = ReadOptions(),  # noqa: B008
    report: Callable[[str], None] = lambda line: None,
) -> Store:
    """Pack all recordings below a folder into `DIR/store`, whole or not at all.

    Parameters
    ----------
    folder : Path
        Folder of recordings, in any format that `records.read` knows.
    labels : Path
        Table with a line `record,label` for each recording, see `read_labels`; its labels are the classes.
        Recordings of the class `~` (noise) are not part of the challenge score.
    data : Path
        The data folder DIR.
    fs : float
        All recordings are resampled to this rate in Hz.
    options : ReadOptions
        The lead, rate and unit of the files.
    report : callable
        Called with a line for all that was assumed.

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
            "(a first line that names the columns must be `record,label`)"
        )
    classes = sorted(set(of_record.values()))
    if len(classes) < 2:
        raise BadInput(f"{labels}: all recordings are labelled {classes[0]}; at least two classes are needed")

    for group in spelled_alike(classes):
        report(f"{' and '.join(map(repr, group))} are different classes; correct the labels if they are one")
    remarks: Counter[str] = Counter()

    def signals() -> Iterator[tuple[str, NDArray[np.float32]]]:
        for name in track(sorted(paths), description="packing", transient=True):
            record = records.read(paths[name], options)
            remarks.update(record.remarks)
            records.check_length(record)
            yield name, records.resample(record, fs).signal

    store = write_store(
        data,
        signals(),
        fs=fs,
        classes=classes,
        labels={LABEL_VERSION: of_record},
        default_labels=LABEL_VERSION,
        origin=f"{folder.resolve().name}, labelled by {labels.name}",
    )
    for remark, count in remarks.most_common():
        report(f"{count} of {len(paths)} recordings: {remark}")
    return store
