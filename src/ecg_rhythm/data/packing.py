"""Your own labelled recordings -> a packed store like that of the challenge set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from ecg_rhythm import files, records
from ecg_rhythm.data.labels import Label, read_labels, spelled_alike
from ecg_rhythm.data.store import Store, is_of_data_set, store_folder
from ecg_rhythm.data.writing import OTHER, write_store
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
    """Pack all labelled recordings of a folder into `DIR/store`, whole or not at all.

    Parameters
    ----------
    folder : Path
        Folder of recordings, in any format that `records.read` knows.
    labels : Path
        Table with a line `record,label` for each recording, or `record,start_s,end_s,label` for each part of one, see
        `read_labels`; its labels are the classes. Each part becomes a recording of its own, and those of one recording
        or patient stay together when the data set is divided. Recordings of the class `~` (noise) are not part of the
        challenge score.
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
        If `DIR/store` exists already, a recording cannot be read or has no label, a label has no recording, or there is
        only one class.
    """
    if not 1 <= fs <= 10_000:
        raise BadInput(f"fs {fs:g}: the sampling rate must be from 1 to 10000 Hz")
    files.refuse_existing(store_folder(data), OTHER)
    table = read_labels(labels, report)
    paths = records.find(folder, lambda path: path.resolve() == labels.resolve() or is_of_data_set(path))
    labelled = {label.record for label in table}
    if without_label := sorted(paths.keys() - labelled):
        path = paths[without_label[0]]
        raise BadInput(f"{path}: this recording has no label; add a line `{path.stem},...` to {labels} or move it away")
    if without_record := sorted(labelled - paths.keys()):
        raise BadInput(
            f"{labels}: record {without_record[0]} is not in {folder}; put it there or remove the line "
            "(a first line that names the columns must be `record,label`)"
        )
    by_name = {label.name: label for label in table}
    if len(by_name) < len(table):
        name = Counter(label.name for label in table).most_common(1)[0][0]
        raise BadInput(f"{labels}: there is a recording {name}, and a part of another one has this name; rename it")
    classes = sorted({label.label for label in table})
    if len(classes) < 2:
        raise BadInput(f"{labels}: all recordings are labelled {classes[0]}; at least two classes are needed")

    groups = _groups(labels, table)
    for group in spelled_alike(classes):
        report(f"{' and '.join(map(repr, group))} are different classes; correct the labels if they are one")
    remarks: Counter[str] = Counter()

    @lru_cache(maxsize=1)
    def opened(name: str) -> records.Recording:
        return records.open_recording(paths[name], options)

    def signals() -> Iterator[tuple[str, NDArray[np.float32]]]:
        for name, label in track(sorted(by_name.items()), description="packing", transient=True):
            recording, source = opened(label.record), str(paths[label.record])
            if label.end < inf:
                source = f"{labels}, line {label.line}: {name}"
                try:
                    recording = records.part(recording, name, label.start, label.end)
                except BadInput as error:
                    raise BadInput(f"{labels}, line {label.line}: {label.record}: {error}; correct this line") from None
            record = records.to_record(recording, source)
            remarks.update(record.remarks)
            records.check_length(record)
            yield name, records.resample(record, fs).signal

    store = write_store(
        data,
        signals(),
        fs=fs,
        classes=classes,
        labels={LABEL_VERSION: {name: label.label for name, label in by_name.items()}},
        default_labels=LABEL_VERSION,
        origin=f"{folder.resolve().name}, labelled by {labels.name}",
        groups=groups,
    )
    for remark, count in remarks.most_common():
        report(f"{count} of {len(by_name)} recordings: {remark}")
    return store


def _groups(path: Path, table: list[Label]) -> dict[str, str] | None:
    """Name of a labelled part -> that of its group; None where each is alone.

    The parts of one recording are a group, and so are all recordings of a patient.
    """
    patients: dict[str, str] = {}
    for label in table:
        if label.group and patients.setdefault(label.record, label.group) != label.group:
            raise BadInput(
                f"{path}, line {label.line}: record {label.record} is of two groups; correct one of the lines"
            )
    groups = {label.name: patients.get(label.record, label.record) for label in table}
    return groups if len(set(groups.values())) < len(groups) else None
