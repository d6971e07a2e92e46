"""The packed data set: all signals in one memory-mapped file, and an index of the recordings.

`DIR/store/` holds `signals.int16` (all samples, end to end), `records.csv` (one row per recording), `index.npy` (the
same and a checksum of each recording, memory-mapped) and `store.json` (rate, classes, label versions, origin,
checksums of the files). Recordings are numbered from 1 in the order of their names. The folder appears whole or not at
all (`writing.py`), so training processes can share it as it is.
"""

from __future__ import annotations

import csv
import hashlib
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_rhythm import checksums
from ecg_rhythm.data import index
from ecg_rhythm.errors import BadInput
from ecg_rhythm.printable import shown

SAMPLE = np.dtype("<i2")
SIGNALS, TABLE, INDEX, FACTS = "signals.int16", "records.csv", "index.npy", "store.json"
CHECKSUMS = "crc32"
"""Key of `store.json` in earlier versions: the CRC-32 of the samples of each recording."""
AT_ONCE = 2**24
"""Samples that are hashed at a time, where all are."""

MALFORMED = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, csv.Error)
"""What files raise that are not those of a packed set."""


@dataclass(frozen=True, repr=False, eq=False)
class Store:
    """A packed data set, opened.

    Attributes
    ----------
    fs : float
        Sampling rate of all recordings in Hz.
    classes : list of str
        Class names; a label is a position in this list.
    label_versions : list of str
        Names of the label versions.
    default_labels : str
        Label version that is used where none is given.
    rows : structured ndarray, shape (n,)
        What is known of each recording, see `index.dtype`; memory-mapped, unless an earlier version packed the set.
    samples : ndarray of int16
        All signals, end to end; memory-mapped.
    fingerprint : str
        SHA-256 of signals and table; stores with the same fingerprint hold the same data.
    origin : str
        Source of the data, and whom to credit.
    """

    folder: Path
    fs: float
    classes: list[str]
    label_versions: list[str]
    default_labels: str
    rows: index.Index
    samples: NDArray[np.int16]
    fingerprint: str
    origin: str

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r}: {len(self)} recordings at {self.fs:g} Hz of {', '.join(self.classes)})"

    @property
    def names(self) -> Sequence[str]:
        """Record names, ascending; record number n is `names[n - 1]`."""
        return index.Names(self.rows[index.NAME])

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each recording starts in `samples`, shape (n,)."""
        return self.rows["offset"]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Samples of each recording, shape (n,)."""
        return self.rows["length"]

    @property
    def gains(self) -> NDArray[np.float32]:
        """Units per mV of each recording, shape (n,)."""
        return self.rows["gain"]

    @property
    def checksums(self) -> NDArray[np.uint32] | None:
        """CRC-32 of the samples of each recording, shape (n,); None if an earlier version packed the set."""
        return self.rows[index.CHECKSUM] if index.has(self.rows, index.CHECKSUM) else None

    def groups(self) -> list[list[int]]:
        """Groups of record numbers that stay together when the data set is divided, such as those of a patient."""
        if not index.has(self.rows, index.GROUP):
            return []
        order = np.argsort(self.rows[index.GROUP], kind="stable")
        borders = np.flatnonzero(np.diff(self.rows[index.GROUP][order])) + 1
        return [(group + 1).tolist() for group in np.split(order, borders) if len(group) > 1]

    @cached_property
    def _checked(self) -> NDArray[np.bool_]:
        """True for recordings whose samples were checked."""
        return np.zeros(len(self), dtype=np.bool_)

    def signal(self, position: int) -> NDArray[np.float32]:
        """Signal in mV at a position (record number - 1), shape (samples,).

        Raises
        ------
        BadInput
            If it is damaged.
        """
        self.check([position])
        signal: NDArray[np.float32] = self._samples_of(position) / self.gains[position]
        return signal

    def _samples_of(self, position: int) -> NDArray[np.int16]:
        start = self.offsets[position]
        return self.samples[start : start + self.lengths[position]]

    def check(self, positions: ArrayLike) -> None:
        """Check the samples of recordings, by their positions, against their checksums; each once.

        Raises
        ------
        BadInput
            If some are damaged.
        """
        if self.checksums is None:
            return
        new = np.unique(np.asarray(positions, dtype=np.int64))
        new = new[~self._checked[new]]
        expected = self.checksums[new].tolist()
        samples = map(self._samples_of, new.tolist())
        if damaged := [i for i, own, crc in zip(new, samples, expected, strict=True) if checksum(own) != crc]:
            more = f", and {len(damaged) - 1} more" if len(damaged) > 1 else ""
            raise BadInput(
                f"{self.folder / SIGNALS}: recording {self.names[damaged[0]]} is damaged{more} (the checksum does not "
                "fit the samples); get a good copy, or remove the data set and pack again"
            )
        self._checked[new] = True

    def _check_signals(self) -> None:
        for start in range(0, len(self), index.AT_ONCE):
            self.check(np.arange(start, min(start + index.AT_ONCE, len(self))))

    def check_all(self) -> None:
        """Check all that is in the files: the samples of all recordings, the table, the index and the fingerprint.

        Raises
        ------
        BadInput
            If something is damaged.
        """
        self._check_signals()
        digest, table = hashlib.sha256(), self.folder / TABLE
        for start in range(0, len(self.samples), AT_ONCE):
            digest.update(self.samples[start : start + AT_ONCE].data)
        try:
            with table.open("rb") as file:
                while content := file.read(AT_ONCE):
                    digest.update(content)
            damaged = ""
            if digest.hexdigest() != self.fingerprint:
                damaged = f"{SIGNALS} or {TABLE} is damaged (they do not fit the fingerprint in {FACTS})"
            elif not index.fits(self.rows, table, self.label_versions, self.classes):
                damaged = f"{INDEX} and {TABLE} say different things"
        except MALFORMED as error:
            raise _damaged(self.folder, TABLE, error) from None
        if damaged:
            raise BadInput(f"{self.folder}: {damaged}; get a good copy, or remove the data set and pack again")

    def label_version(self, version: str | None = None) -> str:
        """A label version, or where none is given the default.

        Raises
        ------
        BadInput
            If there is no such label version.
        """
        version = version or self.default_labels
        if version not in self.label_versions:
            raise BadInput(
                f"labels {version}: {self.folder} has no such label version; it has {', '.join(self.label_versions)}"
            )
        return version

    def targets(self, version: str | None = None) -> NDArray[np.int64]:
        """Class of every recording as a position in `classes`, shape (n,).

        Raises
        ------
        BadInput
            If there is no such label version.
        """
        column = self.label_versions.index(self.label_version(version))
        return self.rows[index.LABELS][:, column].astype(np.int64)

    def labels_of(self, version: str | None = None) -> list[str]:
        """Class name of every recording in a label version (default: `default_labels`)."""
        return [self.classes[target] for target in self.targets(version)]

    def duplicates(self) -> list[list[int]]:
        """Groups of record numbers with the same signal, sample by sample."""
        self._check_signals()
        known = self.checksums
        sums = np.array([checksum(self._samples_of(i)) for i in range(len(self))]) if known is None else known
        _, which, times = np.unique(sums, return_inverse=True, return_counts=True)
        groups: dict[bytes, list[int]] = defaultdict(list)
        for i in np.flatnonzero(times[which] > 1).tolist():  # few have a checksum that others have, too
            content = self._samples_of(i).tobytes() + self.gains[i].tobytes()
            groups[hashlib.sha256(content).digest()].append(i + 1)
        return [group for group in groups.values() if len(group) > 1]

    def counts(self, version: str | None = None) -> dict[str, int]:
        """Number of recordings of each class in a label version."""
        counts = np.bincount(self.targets(version), minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))


def checksum(samples: NDArray[np.int16]) -> int:
    """CRC-32 of samples."""
    return zlib.crc32(samples.data)


def store_folder(data: Path) -> Path:
    """Folder of the packed data set in a data folder."""
    return data / "store"


def splits_folder(data: Path) -> Path:
    """Folder of the splits in a data folder."""
    return data / "splits"


def is_of_data_set(path: Path) -> bool:
    """Whether a file is one of a packed data set, or of its splits."""
    return any(
        folder in (store_folder(folder.parent), splits_folder(folder.parent))
        and (store_folder(folder.parent) / FACTS).is_file()
        for folder in path.parents
    )


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
    return read_store(folder)


def read_store(folder: Path) -> Store:
    """Open the folder of a packed data set.

    Raises
    ------
    BadInput
        If its files do not fit together.
    """
    try:
        for place in (SIGNALS, TABLE, INDEX, FACTS):
            if (folder / place).exists() and not (folder / place).is_file():  # a pipe would be waited for
                raise ValueError("it is no regular file")
        facts: dict[str, Any] = checksums.unsealed((folder / FACTS).read_bytes())
        if not isinstance(facts, dict):
            raise ValueError("there are no facts in it")
        classes, versions = _names(facts["classes"]), _names(facts["label_versions"])
        if INDEX in facts.get(checksums.FILES, ()):
            place = INDEX
            rows = np.asarray(np.load(checksums.check(folder / INDEX, facts), mmap_mode="r"))
            width, groups = rows.dtype[index.NAME].itemsize, index.has(rows, index.GROUP)
            if rows.ndim != 1 or rows.dtype != index.dtype(width, len(versions), groups=groups):
                raise ValueError("it has other columns")
        else:
            place = TABLE
            rows = index.from_table(checksums.check(folder / TABLE, facts), versions, classes, facts.get(CHECKSUMS))
        place = f"{FACTS} or {place}"
        samples = np.asarray(np.memmap(folder / SIGNALS, dtype=SAMPLE, mode="r"))
        index.check(rows, len(samples), facts)
        return Store(
            folder=folder,
            fs=float(facts["fs"]),
            classes=classes,
            label_versions=versions,
            default_labels=facts["default_labels"],
            rows=rows,
            samples=samples,
            fingerprint=facts["fingerprint"],
            origin=facts["origin"],
        )
    except PermissionError:
        raise BadInput(f"{folder}: there is no permission to read it; change its permissions") from None
    except MALFORMED as error:
        raise _damaged(folder, place, error) from None


def _names(found: Any) -> list[str]:
    """Names of classes or of label versions, if they are that."""
    names = [name for name in found if isinstance(name, str) and name]
    if not names or len(names) != len(found) or len(set(names)) != len(names):
        raise ValueError("classes and label versions must have different names")
    if hidden := next((name for name in names if shown(name) != name), None):
        raise ValueError(f"the name {hidden} has letters that cannot be shown")
    return names


def _damaged(folder: Path, place: str, error: BaseException) -> BadInput:
    return BadInput(f"{folder}: this packed data set is damaged ({place}: {error}); remove it and pack again")
