"""The PhysioNet/CinC Challenge 2017 set: fetch, verify, pack.

Data: Clifford et al., "AF Classification from a Short Single Lead ECG Recording", Computing in
Cardiology 44, 2017; Goldberger et al., "PhysioBank, PhysioToolkit, and PhysioNet", Circulation 101,
2000. Licence: Open Data Commons Attribution License 1.0.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from ecg_rhythm import files, records
from ecg_rhythm.data.split_rules import make_split
from ecg_rhythm.data.splits import check_split, load_split, save_split
from ecg_rhythm.data.store import FACTS, Store, open_store, splits_folder, store_folder
from ecg_rhythm.data.writing import write_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.formats.matlab import CHALLENGE_FS
from ecg_rhythm.records.recording import CUT_OFF

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
DOWNLOADS = "download"
SUMS = "SHA256SUMS.txt"
DEFAULT_SPLIT = "split_5_6_14"

_MEMBER = re.compile(r"training2017/((?P<record>A\d{5})\.(mat|hea)|RECORDS|REFERENCE(-original)?\.csv)?")


ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError)
"""Exceptions of `zipfile` at damaged archives."""

MAT_HEADER = 24
"""Bytes before the samples of a `.mat` file of the challenge."""


@dataclass(frozen=True)
class Release:
    """Content of the published data set, to verify files against."""

    records: int
    counts: dict[str, dict[str, int]]
    """Label version -> class -> number of recordings."""
    samples_sha256: str
    """SHA-256 of all samples as little-endian int16, in the order of record names."""
    labels_sha256: dict[str, str] = field(default_factory=dict)
    """Label version -> SHA-256 of the lines `record,label` in the order of record names."""


CHALLENGE_2017 = Release(
    records=8528,
    counts={
        "v1": {"N": 5154, "A": 771, "O": 2557, "~": 46},
        "v2": {"N": 5050, "A": 738, "O": 2456, "~": 284},
        "v3": {"N": 5076, "A": 758, "O": 2415, "~": 279},
    },
    labels_sha256={
        "v1": "bb80d19c91239fc4272bd86815504ceeb35031c5cec0f6e55e4c001afdb97a81",
        "v2": "995a380d29f7aa45eb50fd907462bf2f7a3492e0f7ed33870f023753463f79fd",
        "v3": "ae517e474b0bc89a7517ad876b5b4dadc6c94f680d0665c04746db9432df855b",
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
    """Download the challenge set, verify it, pack it, and make the published split.

    Parameters
    ----------
    data : Path
        The data folder DIR; the result is `DIR/store`, `DIR/splits/split_5_6_14` and the same with `_refit`, where
        validation parts belong to training. What exists already is kept.
    archive, labels : Path, optional
        `training2017.zip` and `REFERENCE-v3.csv` on this machine; what is not given is downloaded
        to `DIR/download` and checked against the SHA-256 that the server publishes.
    mirrors : sequence of str
        Addresses of the folder with these files, tried in turn.

    Raises
    ------
    BadInput
        If a file cannot be downloaded, is damaged, or differs from the published one.
    """
    for folder in (data, data / DOWNLOADS, splits_folder(data)):
        files.remove_left_overs(folder)
    files.remove_lock(store_folder(data))
    if not (store_folder(data) / FACTS).exists():
        for given in filter(None, (archive, labels)):  # before the other one is downloaded
            if not given.is_file():
                raise BadInput(f"{given}: there is no such file; check the name")
        archive = archive or download(ARCHIVE, data / DOWNLOADS, mirrors)
        labels = labels or download(LABELS, data / DOWNLOADS, mirrors)
        pack_archive(data, archive, labels, release)
    store = open_store(data)
    if store.origin != ORIGIN:
        raise BadInput(f"{data}: it holds another data set ({store.origin}); choose another --data folder")
    for refit in (False, True):
        split = make_split(store.labels_of("v2"), store.classes, refit=refit)
        files.remove_lock(folder := splits_folder(data) / split.name)
        if not folder.exists():
            save_split(split, folder)
        check_split(load_split(folder, len(store)), len(store))
    return store


def download(name: str, folder: Path, mirrors: Sequence[str] = MIRRORS) -> Path:
    """Download a file of the challenge and check it against its published SHA-256.

    A complete file is not downloaded again; a partial download is removed, or, after a kill, by the next one.

    Raises
    ------
    BadInput
        If no mirror provides the file, complete and with the right SHA-256.
    """
    import pooch
    from requests import RequestException
    from tqdm import tqdm

    pooch.get_logger().setLevel("ERROR")
    failures = []
    for mirror in mirrors:
        try:
            with files.scratch_folder(folder / name) as scratch:
                sums = Path(pooch.retrieve(mirror + SUMS, None, fname=SUMS, path=scratch))
                lines = [line.split(maxsplit=1) for line in sums.read_text().splitlines()]
                published = {line[1].strip(): line[0] for line in lines if len(line) == 2}
                if name not in published:
                    failures.append(f"{mirror} lists no SHA-256 of {name}")
                    continue
                if (folder / name).is_file() and pooch.file_hash(str(folder / name)) == published[name]:
                    return folder / name
                source = pooch.create(scratch, mirror, registry={name: published[name]}, retry_if_failed=2)
                bar = tqdm(total=1, unit="B", unit_scale=True, disable=None)  # the library sets the total
                with files.replacing(folder / name) as temporary, bar:  # its own bar stays open at an error
                    got = source.fetch(name, downloader=pooch.HTTPDownloader(progressbar=bar))
                    Path(got).rename(temporary)
                return folder / name
        except RequestException as error:
            status = f" {error.response.status_code}" if error.response is not None else ""
            failures.append(f"{mirror} gave {type(error).__name__}{status}")
        except ValueError:
            failures.append(f"{mirror} gave a damaged {name} (its SHA-256 is wrong)")
    raise BadInput(
        f"{name} could not be downloaded: {'; '.join(failures)}; try again later, or get it by other means and "
        "give it with --archive or --labels"
    )


def pack_archive(data: Path, archive: Path, labels: Path, release: Release = CHALLENGE_2017) -> Store:
    """Verify `training2017.zip` and `REFERENCE-v3.csv`, and pack them into `DIR/store`.

    Raises
    ------
    BadInput
        If a file is missing or damaged, or its content differs from the published data.
    """
    if not archive.is_file():
        raise BadInput(f"{archive}: there is no such file; check the name")
    try:
        zipped = zipfile.ZipFile(archive)
    except ZIP_ERRORS:
        raise BadInput(f"{archive}: this zip file is damaged or not a zip file; download it again") from None
    with zipped:
        names = _checked_members(zipped, archive)
        sources = {
            "v1": (f"{archive}, REFERENCE-original.csv", _member(zipped, "REFERENCE-original.csv")),
            "v2": (f"{archive}, REFERENCE.csv", _member(zipped, "REFERENCE.csv")),
            "v3": (str(labels), _read_bytes(labels)),
        }
        if len(names) != release.records:
            raise BadInput(
                f"{archive}: it holds {len(names)} recordings instead of {release.records}; download it again"
            )
        return write_store(
            data,
            _unpacked(zipped, names, data),
            fs=CHALLENGE_FS,
            classes=CLASSES,
            labels={v: _read_labels(v, content, source, names, release) for v, (source, content) in sources.items()},
            default_labels="v3",
            origin=ORIGIN,
            check=lambda store: _check_samples(store, archive, release),
        )


def _checked_members(zipped: zipfile.ZipFile, archive: Path) -> list[str]:
    """Record names of an archive; refuse it if a member is unexpected or missing."""
    names: Counter[str] = Counter()
    for member in zipped.namelist():
        if not (match := _MEMBER.fullmatch(member)):
            raise BadInput(f"{archive}: unexpected member {member!r}; use training2017.zip as PhysioNet publishes it")
        if match["record"]:
            names[match["record"]] += 1
    for name, parts in names.items():
        if parts != 2:
            raise BadInput(f"{archive}: record {name} must be one .hea and one .mat; download the archive again")
    return sorted(names)


def _member(zipped: zipfile.ZipFile, name: str) -> bytes:
    try:
        return zipped.read(f"training2017/{name}")
    except KeyError:
        raise BadInput(f"{zipped.filename}: {name} is missing in it; download the archive again") from None
    except ZIP_ERRORS:
        raise BadInput(f"{zipped.filename}: {name} in it is damaged; download the archive again") from None


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; check the name") from None


def _read_labels(version: str, content: bytes, source: str, names: list[str], release: Release) -> dict[str, str]:
    """Label of each record in one version, checked against the published ones."""
    lines = [line.split(",") for line in content.decode("ascii", errors="replace").split()]
    if any(len(line) != 2 for line in lines):
        raise BadInput(f"{source}: each line must be `record,label`; download it again")
    of_record = {line[0]: line[1] for line in lines}
    if unlabelled := sorted(set(names) - set(of_record)):
        raise BadInput(f"{source}: record {unlabelled[0]} has no label; download the file again")
    if unknown := sorted(set(of_record) - set(names)):
        raise BadInput(f"{source}: record {unknown[0]} is not in the archive; download the file again")
    if (counts := dict(Counter(of_record.values()))) != release.counts[version]:
        raise BadInput(
            f"{source}: label counts are {counts} instead of {release.counts[version]}; download the file again"
        )
    digest = hashlib.sha256("".join(f"{name},{of_record[name]}\n" for name in names).encode()).hexdigest()
    if digest != release.labels_sha256.get(version, digest):
        raise BadInput(f"{source}: the labels are not those that were published; download the file again")
    return of_record


def _unpacked(zipped: zipfile.ZipFile, names: list[str], data: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield every recording; each is unpacked to a temporary folder only while it is read."""
    with files.scratch_folder(store_folder(data)) as scratch:
        for name in track(names, description="packing", transient=True):
            header, signal = (scratch / f"{name}{extension}" for extension in (".hea", ".mat"))
            header.write_bytes(_member(zipped, header.name))
            signal.write_bytes(_member(zipped, signal.name))
            try:
                record = records.read(header)
            except BadInput:
                record = None
            if record is None or record.missing or any(remark.startswith(CUT_OFF) for remark in record.remarks):
                raise BadInput(f"{zipped.filename}: record {name} is damaged; download the archive again")
            stored = (signal.stat().st_size - MAT_HEADER) // 2
            if len(record.signal) != stored or record.fs != CHALLENGE_FS:
                raise BadInput(
                    f"{zipped.filename}: record {name} has {stored} samples, its header says {len(record.signal)} "
                    f"at {record.fs:g} Hz; download the archive again"
                )
            yield name, record.signal
            header.unlink()
            signal.unlink()


def _check_samples(store: Store, archive: Path, release: Release) -> None:
    if hashlib.sha256(store.samples.data).hexdigest() != release.samples_sha256:
        raise BadInput(f"{archive}: the signals are not those that were published; download it again")
