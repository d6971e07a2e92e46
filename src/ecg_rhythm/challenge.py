"""The PhysioNet/CinC Challenge 2017 set: fetch, verify, pack.

Data: Clifford et al., "AF Classification from a Short Single Lead ECG Recording", Computing in
Cardiology 44, 2017; Goldberger et al., "PhysioBank, PhysioToolkit, and PhysioNet", Circulation 101,
2000. Licence: Open Data Commons Attribution License 1.0.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.splits import check_split, load_split, make_split, save_split
from ecg_rhythm.store import Store, open_store, splits_folder, store_folder, write_store

CLASSES = ("N", "A", "O", "~")
ARCHIVE = "training2017.zip"
LABELS = "REFERENCE-v3.csv"
MIRRORS = (
    "https://physionet.org/files/challenge-2017/1.0.0/",
    "https://physionet-open.s3.amazonaws.com/challenge-2017/1.0.0/",
)
"""PhysioNet, and its public mirror."""

ORIGIN = (
    "PhysioNet/CinC Challenge 2017 training set, version 1.0.0 (Clifford et al. 2017; Goldberger et al. 2000), "
    "Open Data Commons Attribution License 1.0"
)
DEFAULT_SPLIT = "split_5_6_14"

_MEMBER = re.compile(r"training2017/((?P<record>A\d{5})\.(mat|hea)|RECORDS|REFERENCE(-original)?\.csv)?")


@dataclass(frozen=True)
class Release:
    """What a data set must be to be taken for the published one."""

    records: int
    counts: dict[str, dict[str, int]]
    """Label version -> class -> number of recordings."""
    samples_sha256: str
    """Of all samples as little-endian int16, in the order of record names."""


CHALLENGE_2017 = Release(
    records=8528,
    counts={
        "v1": {"N": 5154, "A": 771, "O": 2557, "~": 46},
        "v2": {"N": 5050, "A": 738, "O": 2456, "~": 284},
        "v3": {"N": 5076, "A": 758, "O": 2415, "~": 279},
    },
    samples_sha256="8a257fb08210697a26833c6fdff5205f4e29f89aa25f02d984f2d2052309705b",
)


def fetch(
    data: Path,
    *,
    archive: Path | None = None,
    labels: Path | None = None,
    mirrors: Sequence[str] = MIRRORS,
    release: Release = CHALLENGE_2017,
) -> Store:
    """Get the challenge set, verify it, pack it, and make the published split.

    Parameters
    ----------
    data : Path
        The data folder DIR; the result is `DIR/store` and `DIR/splits/split_5_6_14`. If they are
        there already, nothing is done.
    archive, labels : Path, optional
        `training2017.zip` and `REFERENCE-v3.csv` on this machine; what is not given is downloaded
        into `DIR/download`, checked against the SHA-256 that the server publishes.
    mirrors : sequence of str
        Addresses of the folder that holds these files, tried in turn.

    Raises
    ------
    BadInput
        If a file cannot be had, is damaged, or is not what was published.
    """
    if not (store_folder(data) / "store.json").exists():
        archive = archive or download(ARCHIVE, data / "download", mirrors)
        labels = labels or download(LABELS, data / "download", mirrors)
        pack_archive(data, archive, labels, release)
    store = open_store(data)
    if not (folder := splits_folder(data) / DEFAULT_SPLIT).exists():
        save_split(make_split(store.labels_of("v2"), store.classes), folder)
    check_split(load_split(folder, len(store)), len(store))
    return store


def download(name: str, folder: Path, mirrors: Sequence[str] = MIRRORS) -> Path:
    """Download a file of the challenge's folder, checked against its published SHA-256.

    A file that is there and right is not fetched again; a partial download is never left behind.

    Raises
    ------
    BadInput
        If no mirror gives the right file.
    """
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("ERROR")
    failures = []
    for mirror in mirrors:
        try:
            (folder / "SHA256SUMS.txt").unlink(missing_ok=True)
            sums = Path(pooch.retrieve(mirror + "SHA256SUMS.txt", None, fname="SHA256SUMS.txt", path=folder))
            lines = [line.split(maxsplit=1) for line in sums.read_text().splitlines()]
            published = {line[1].strip(): line[0] for line in lines if len(line) == 2}
            if name not in published:
                failures.append(f"{mirror} lists no SHA-256 of {name}")
                continue
            source = pooch.create(folder, mirror, registry={name: published[name]}, retry_if_failed=2)
            return Path(source.fetch(name, progressbar=True))
        except RequestException as error:
            failures.append(f"{mirror} gave {type(error).__name__}")
        except ValueError:
            failures.append(f"{mirror} gave a damaged {name} (its SHA-256 is wrong)")
    raise BadInput(
        f"{name} could not be downloaded: {'; '.join(failures)}; try again later, or get it by other means and "
        "give it with --archive or --labels"
    )


def pack_archive(data: Path, archive: Path, labels: Path, release: Release = CHALLENGE_2017) -> Store:
    """Verify `training2017.zip` and `REFERENCE-v3.csv` and pack them into `DIR/store`.

    Raises
    ------
    BadInput
        If a file is missing or damaged, has unexpected members, or is not the published data.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            names = _checked_members(zipped, archive)
            versions = {
                "v1": _read_labels(
                    zipped.read("training2017/REFERENCE-original.csv"), f"{archive}, REFERENCE-original.csv"
                ),
                "v2": _read_labels(zipped.read("training2017/REFERENCE.csv"), f"{archive}, REFERENCE.csv"),
                "v3": _read_labels(_read_bytes(labels), str(labels)),
            }
            for version, of_record in versions.items():
                _check_labels(version, of_record, names, release)
            return write_store(
                data,
                _unpacked(zipped, names, data),
                fs=records.CHALLENGE_FS,
                classes=CLASSES,
                labels=versions,
                default_labels="v3",
                origin=ORIGIN,
                check=lambda store: _check_samples(store, archive, release),
            )
    except FileNotFoundError as error:
        raise BadInput(f"{error.filename}: there is no such file; check the name") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BadInput(f"{archive}: this zip file is damaged ({error}); get it anew") from None
    except KeyError as error:
        raise BadInput(f"{archive}: a member is missing ({error.args[0]}); get it anew") from None


def _checked_members(zipped: zipfile.ZipFile, archive: Path) -> list[str]:
    """Return the record names in an archive whose members are all of the expected kind."""
    names: Counter[str] = Counter()
    for member in zipped.namelist():
        if not (match := _MEMBER.fullmatch(member)):
            raise BadInput(f"{archive}: unexpected member {member!r}; use training2017.zip as PhysioNet publishes it")
        if match["record"]:
            names[match["record"]] += 1
    for name, parts in names.items():
        if parts != 2:
            raise BadInput(f"{archive}: record {name} must be one .hea and one .mat; get the archive anew")
    return sorted(names)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; check the name") from None


def _read_labels(content: bytes, source: str) -> dict[str, str]:
    rows = list(csv.reader(io.StringIO(content.decode("ascii", errors="replace"))))
    if any(len(row) != 2 for row in rows):
        raise BadInput(f"{source}: each line must be `record,label`; get it anew")
    return dict(rows)


def _check_labels(version: str, of_record: dict[str, str], names: list[str], release: Release) -> None:
    if len(names) != release.records:
        raise BadInput(
            f"{len(names)} recordings instead of {release.records}: this is not the published set; get it anew"
        )
    if missing := sorted(set(names) ^ set(of_record)):
        raise BadInput(f"labels {version}: record {missing[0]} has no label or no signal; get the file anew")
    if (found := dict(Counter(of_record.values()))) != release.counts[version]:
        raise BadInput(f"labels {version}: counts are {found} instead of {release.counts[version]}; get the file anew")


def _unpacked(zipped: zipfile.ZipFile, names: Iterable[str], data: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield every recording, each unpacked to a scratch folder only while it is read."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ecg-rhythm-") as scratch:
        for name in track(list(names), description="packing", transient=True):
            paths = [Path(scratch) / f"{name}{extension}" for extension in (".hea", ".mat")]
            for path in paths:
                path.write_bytes(zipped.read(f"training2017/{path.name}"))
            record = records.read(paths[0])
            stored = (paths[1].stat().st_size - 24) // 2
            if len(record.signal) != stored or record.fs != records.CHALLENGE_FS:
                raise BadInput(
                    f"record {name}: the header says {len(record.signal)} samples at {record.fs:g} Hz, the file holds "
                    f"{stored}; get the archive anew"
                )
            yield name, record.signal
            for path in paths:
                path.unlink()


def _check_samples(store: Store, archive: Path, release: Release) -> None:
    if hashlib.sha256(store.samples.tobytes()).hexdigest() != release.samples_sha256:
        raise BadInput(f"{archive}: the signals are not those that were published; get it anew")
