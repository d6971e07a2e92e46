"""Recordings -> a packed data set, written as they come: its size costs no memory."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import checksums, files
from ecg_rhythm.data import index
from ecg_rhythm.data.store import (
    FACTS,
    INDEX,
    SAMPLE,
    SIGNALS,
    TABLE,
    Store,
    checksum,
    open_store,
    read_store,
    store_folder,
)
from ecg_rhythm.errors import BadInput

UNITS_PER_MV = 1000.0
"""Usual gain of packed signals: 1 µV per unit, as in the challenge."""
OTHER = "name another --data folder, or remove it"
"""What to do if there is a data set already."""


def write_store(
    data: Path,
    recordings: Iterable[tuple[str, NDArray[np.float32]]],
    *,
    fs: float,
    classes: Sequence[str],
    labels: dict[str, dict[str, str]],
    default_labels: str,
    origin: str,
    groups: dict[str, str] | None = None,
    check: Callable[[Store], None] = lambda store: None,
) -> Store:
    """Pack recordings into `DIR/store`, whole or not at all.

    Parameters
    ----------
    data : Path
        The data folder DIR.
    recordings : iterable of (name, signal)
        In ascending order of names; signals in mV at `fs`, finite.
    classes : sequence of str
        All class names.
    labels : dict
        Label version -> record name -> class name; every version covers every recording.
    groups : dict, optional
        Record name -> name of a group of recordings that stay together when the data set is divided.
    check : callable
        Called with the finished store before it takes its place; raises to refuse it.

    Raises
    ------
    BadInput
        If `DIR/store` exists already, there is no recording, or one cannot be kept.
    """
    if not labels[default_labels]:
        raise BadInput("there are no recordings to pack; give a folder or a table that names some")
    position = {name: i for i, name in enumerate(classes)}
    with files.new_folder(store_folder(data), OTHER) as new:
        width = max(len(name.encode()) for name in labels[default_labels])
        columns, numbers = index.dtype(width, len(labels), groups=groups is not None), dict[str, int]()
        titles = [] if groups is None else [index.GROUP]
        digest, count, offset, previous = hashlib.sha256(), 0, 0, ""
        with ExitStack() as open_files:
            signals, rows = (open_files.enter_context((new / name).open("wb")) for name in (SIGNALS, INDEX))
            table = csv.writer(open_files.enter_context((new / TABLE).open("w", newline="")))
            table.writerow(["record", "fs", "gain", "length", "offset", *titles, *labels])
            _write_header(rows, columns, 0)
            for name, signal in recordings:
                if len(signal) == 0 or not np.isfinite(signal).all() or (count and name <= previous):
                    raise BadInput(f"{name}: recordings must be finite, not empty, and in ascending order of names")
                gain = _gain(signal)
                samples = np.rint(signal * gain).astype(SAMPLE)
                signals.write(samples.data)
                digest.update(samples.data)
                own = [of_record[name] for of_record in labels.values()]
                codes = [position[label] for label in own]
                group = [] if groups is None else [groups[name]]
                number = [numbers.setdefault(name, len(numbers)) for name in group]
                row = (offset, len(samples), gain, checksum(samples), *number, codes, name.encode())
                rows.write(np.array(row, dtype=columns).tobytes())
                table.writerow([name, f"{fs:g}", f"{gain:.9g}", len(samples), offset, *group, *own])
                count, offset, previous = count + 1, offset + len(samples), name
            rows.seek(0)
            _write_header(rows, columns, count)
        with (new / TABLE).open("rb") as content:
            for line in content:
                digest.update(line)
        facts = {
            "fs": fs,
            "classes": list(classes),
            "label_versions": list(labels),
            "default_labels": default_labels,
            "records": count,
            "fingerprint": digest.hexdigest(),
            "origin": origin,
            checksums.FILES: checksums.of_files([new / TABLE, new / INDEX]),
        }
        files.write_text(new / FACTS, checksums.sealed(facts))
        check(read_store(new))
    return open_store(data)


def _write_header(file: BinaryIO, columns: np.dtype[Any], rows: int) -> None:
    """Write the head of an .npy file; NumPy leaves room in it, so that it can be written again for more rows."""
    head = np.lib.format.header_data_from_array_1_0(np.empty(0, dtype=columns))
    np.lib.format.write_array_header_1_0(file, head | {"shape": (rows,)})


def _gain(signal: NDArray[np.float32]) -> np.float32:
    """Gain in units per mV: 1000, unless the signal would then exceed 16 bits or hardly use them."""
    peak = float(np.abs(signal).max())
    if peak < 1e-9 or 0.1 <= peak <= 32.767:
        return np.float32(UNITS_PER_MV)
    return np.float32(32000.0 / peak)
