"""The packed data set: all signals in one memory-mapped file, and a table of the recordings.

`DIR/store/` holds `signals.int16` (all samples, end to end), `records.csv` (one row per recording)
and `store.json` (rate, classes, label versions, origin, checksums). Recordings are numbered from 1 in the order
of their names. The folder appears whole or not at all, so training processes can share it as it is.
"""

from __future__ import annotations

import csv
import hashlib
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import checksums, files
from ecg_rhythm.errors import BadInput

SAMPLE = np.dtype("<i2")
SIGNALS, TABLE, FACTS = "signals.int16", "records.csv", "store.json"
SIGNAL_CHECKSUMS = "crc32"
"""Key of `store.json`: the CRC-32 of the samples of each recording."""
UNITS_PER_MV = 1000.0
"""Usual gain of packed signals: 1 µV per unit, as in the challenge."""


@dataclass(frozen=True, repr=False)
class Store:
    """A packed data set, opened.

    Attributes
    ----------
    fs : float
        Sampling rate of all recordings in Hz.
    classes : list of str
        Class names; a label is a position in this list.
    names : list of str
        Record names, ascending; record number n is `names[n - 1]`.
    offsets, lengths : ndarray of int64, shape (n,)
        Where each recording starts in `samples` and how many samples it has.
    gains : ndarray of float32, shape (n,)
        Units per mV.
    labels : dict of str to list of str
        Label version -> class name of every recording.
    default_labels : str
        Label version that is used where none is given.
    samples : memmap of int16
        All signals, end to end.
    fingerprint : str
        SHA-256 of signals and table; stores with the same fingerprint hold the same data.
    origin : str
        Source of the data, and whom to credit.
    checksums : list of str, or None
        CRC-32 of the samples of each recording, in hexadecimal digits; None if an earlier version packed it.
    """

    folder: Path
    fs: float
    classes: list[str]
    names: list[str]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    gains: NDArray[np.float32]
    labels: dict[str, list[str]]
    default_labels: str
    samples: NDArray[np.int16]
    fingerprint: str
    origin: str
    checksums: list[str] | None = None
    _checked: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r}: {len(self)} recordings at {self.fs:g} Hz of {', '.join(self.classes)})"

    def signal(self, index: int) -> NDArray[np.float32]:
        """Signal in mV at a position (record number - 1), shape (samples,).

        Raises
        ------
        BadInput
            If it is damaged.
        """
        self.check([index])
        signal: NDArray[np.float32] = self._samples_of(index) / self.gains[index]
        return signal

    def _samples_of(self, index: int) -> NDArray[np.int16]:
        start = self.offsets[index]
        return self.samples[start : start + self.lengths[index]]

    def check(self, indices: Iterable[int]) -> None:
        """Check the samples of recordings, by their positions, against their checksums; each once.

        Raises
        ------
        BadInput
            If some are damaged.
        """
        if self.checksums is None:
            return
        new = {int(index) for index in indices} - self._checked
        if damaged := [i for i in sorted(new) if _checksum(self._samples_of(i).tobytes()) != self.checksums[i]]:
            more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
            raise BadInput(
                f"{self.folder / SIGNALS}: recording {self.names[damaged[0]]}{more} is damaged (its checksum does not "
                "fit its samples); get a good copy, or remove the data set and pack again"
            )
        self._checked.update(new)

    def check_all(self) -> None:
        """Check all that is in the files: the samples of all recordings, the table and the fingerprint.

        Raises
        ------
        BadInput
            If something is damaged.
        """
        self.check(range(len(self)))
        digest = hashlib.sha256()
        for i in range(len(self)):
            digest.update(self._samples_of(i).tobytes())
        digest.update((self.folder / TABLE).read_bytes())
        if digest.hexdigest() != self.fingerprint:
            raise BadInput(
                f"{self.folder}: {SIGNALS} or {TABLE} is damaged (they do not fit the fingerprint in {FACTS}); "
                "get a good copy, or remove the data set and pack again"
            )

    def targets(self, version: str | None = None) -> NDArray[np.int64]:
        """Class of every recording as a position in `classes`, shape (n,).

        Raises
        ------
        BadInput
            If there is no such label version.
        """
        position = {name: i for i, name in enumerate(self.classes)}
        return np.array([position[label] for label in self.labels_of(version)], dtype=np.int64)

    def labels_of(self, version: str | None = None) -> list[str]:
        """Class name of every recording in a label version (default: `default_labels`)."""
        version = version or self.default_labels
        if version not in self.labels:
            raise BadInput(
                f"labels {version}: {self.folder} has no such label version; it has {', '.join(self.labels)}"
            )
        return self.labels[version]

    def duplicates(self) -> list[list[int]]:
        """Groups of record numbers with the same signal, sample by sample."""
        groups: dict[bytes, list[int]] = defaultdict(list)
        self.check(range(len(self)))
        for i in range(len(self)):
            content = self._samples_of(i).tobytes() + self.gains[i].tobytes()
            groups[hashlib.sha256(content).digest()].append(i + 1)
        return [group for group in groups.values() if len(group) > 1]

    def counts(self, version: str | None = None) -> dict[str, int]:
        """Number of recordings of each class in a label version."""
        count = Counter(self.labels_of(version))
        return {name: count[name] for name in self.classes}


def _checksum(samples: bytes) -> str:
    return f"{zlib.crc32(samples):08x}"


def store_folder(data: Path) -> Path:
    """Folder of the packed data set in a data folder."""
    return data / "store"


def splits_folder(data: Path) -> Path:
    """Folder of the splits in a data folder."""
    return data / "splits"


def write_store(
    data: Path,
    recordings: Iterable[tuple[str, NDArray[np.float32]]],
    *,
    fs: float,
    classes: Sequence[str],
    labels: dict[str, dict[str, str]],
    default_labels: str,
    origin: str,
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
    check : callable
        Called with the finished store before it takes its place; raises to refuse it.

    Raises
    ------
    BadInput
        If `DIR/store` exists already, or a recording cannot be kept.
    """
    with files.new_folder(store_folder(data), "name another --data folder, or remove it") as new:
        rows: list[list[Any]] = []
        of_signals: list[str] = []
        digest = hashlib.sha256()
        offset = 0
        with (new / SIGNALS).open("wb") as signals:
            for name, signal in recordings:
                if len(signal) == 0 or not np.isfinite(signal).all() or (rows and name <= rows[-1][0]):
                    raise BadInput(f"{name}: recordings must be finite, not empty, and in ascending order of names")
                gain = _gain(signal)
                samples = np.rint(signal * gain).astype(SAMPLE)
                content = samples.tobytes()
                signals.write(content)
                digest.update(content)
                of_signals.append(_checksum(content))
                versions = [labels[version][name] for version in labels]
                rows.append([name, f"{fs:g}", f"{gain:.9g}", len(samples), offset, *versions])
                offset += len(samples)
        with (new / TABLE).open("w", newline="") as table:
            writer = csv.writer(table)
            writer.writerow(["record", "fs", "gain", "length", "offset", *labels])
            writer.writerows(rows)
        digest.update((new / TABLE).read_bytes())
        facts = {
            "fs": fs,
            "classes": list(classes),
            "label_versions": list(labels),
            "default_labels": default_labels,
            "records": len(rows),
            "fingerprint": digest.hexdigest(),
            "origin": origin,
            checksums.FILES: checksums.of_files([new / TABLE]),
            SIGNAL_CHECKSUMS: of_signals,
        }
        files.write_text(new / FACTS, checksums.sealed(facts))
        check(_open(new))
    return open_store(data)


def _gain(signal: NDArray[np.float32]) -> np.float32:
    """Gain in units per mV: 1000, unless the signal would then exceed 16 bits or hardly use them."""
    peak = float(np.abs(signal).max())
    if peak < 1e-9 or 0.1 <= peak <= 32.767:
        return np.float32(UNITS_PER_MV)
    return np.float32(32000.0 / peak)


def open_store(data: Path) -> Store:
    """Open the packed data set of a data folder, memory-mapped.

    Raises
    ------
    BadInput
        If there is none, or its files do not fit together.
    """
    folder = store_folder(data)
    if not (folder / FACTS).is_file():
        raise BadInput(
            f"{data}: there is no packed data set in it; make one with `ecg-rhythm fetch` (the 2017 challenge set) "
            "or `ecg-rhythm pack` (your own recordings), or name its folder with --data"
        )
    return _open(folder)


def _open(folder: Path) -> Store:
    try:
        place = FACTS
        facts: dict[str, Any] = checksums.unsealed((folder / FACTS).read_bytes())
        if not isinstance(facts, dict):
            raise ValueError("there are no facts in it")
        place = TABLE
        with checksums.check(folder / TABLE, facts).open(newline="") as table:
            rows = list(csv.DictReader(table))
        lengths = np.array([int(row["length"]) for row in rows], dtype=np.int64)
        place = f"{FACTS} or {TABLE}"
        samples = np.memmap(folder / SIGNALS, dtype=SAMPLE, mode="r")
        offsets = np.array([int(row["offset"]) for row in rows], dtype=np.int64)
        gains = np.array([row["gain"] for row in rows], dtype=np.float32)
        labels = {version: [row[version] for row in rows] for version in facts["label_versions"]}
        chained = np.array_equal(offsets, np.cumsum(lengths) - lengths)
        if samples.size != lengths.sum() or len(rows) != facts["records"] or not chained:
            raise ValueError("the table does not fit the signals")
        scaled = (gains > 0).all() and np.isfinite(gains).all() and 0 < facts["fs"] < np.inf
        if not scaled or (lengths <= 0).any() or len({row["record"] for row in rows}) != len(rows):
            raise ValueError("a gain, a length, the rate or a name is impossible")
        if facts["default_labels"] not in labels:
            raise ValueError("labels are missing")
        if not set().union(*labels.values()) <= set(facts["classes"]):
            raise ValueError("a label is no class")
        of_signals = facts.get(SIGNAL_CHECKSUMS)
        if of_signals is not None and len(of_signals) != len(rows):
            raise ValueError("checksums are missing")
        return Store(
            folder=folder,
            fs=float(facts["fs"]),
            classes=facts["classes"],
            names=[row["record"] for row in rows],
            offsets=offsets,
            lengths=lengths,
            gains=gains,
            labels=labels,
            default_labels=facts["default_labels"],
            samples=samples,
            fingerprint=facts["fingerprint"],
            origin=facts["origin"],
            checksums=of_signals,
        )
    except PermissionError:
        raise BadInput(f"{folder}: there is no permission to read it; change its permissions") from None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, csv.Error) as error:
        raise BadInput(
            f"{folder}: this packed data set is damaged ({place}: {error}); remove it and pack again"
        ) from None
