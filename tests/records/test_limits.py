"""Readers end, in a time that is linear in the size of the file, whatever it holds and whatever stands beside it."""

from __future__ import annotations

import json
import os
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import openpyxl
import pyarrow as pa
import pydicom
import pytest
import scipy.io
from pyarrow import parquet
from pydicom.sequence import Sequence

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import ReadOptions, read, reading
from ecg_rhythm.records.formats.matlab import FIELDS, LEVELS
from ecg_rhythm.records.leads import LONGEST_NAME
from fuzzing.inputs import LEAD, TIMES, WRITERS, as_dicom, as_edf, as_segments, as_wfdb
from tests.commands import run
from tests.helpers import refusal

posix = pytest.mark.skipif(os.name != "posix", reason="pipes, sockets and devices as files")
NUMBERS = "\n".join(f"{value:.4f}" for value in LEAD)
ROWS = "\n".join(f"{t:.3f},{value:.4f}" for t, value in zip(TIMES, LEAD, strict=True))


def text(make: Callable[[int], str], name: str = "r.csv") -> Callable[[Path, int], Path]:
    def write(folder: Path, n: int) -> Path:
        (folder / name).write_text(make(n))
        return folder / name

    return write


def square(title: str) -> Callable[[int], str]:
    """A table of as many rows as columns, about n cells."""

    def make(n: int) -> str:
        side = int(n**0.5) + 1
        rows = "\n".join(",".join([str(i // 10 % 10)] * side) for i in range(side + 50))
        return ",".join([title] * side) + "\n" + rows + "\n"

    return make


def many_arrays(version: Literal["4", "5"]) -> Callable[[Path, int], Path]:
    def write(folder: Path, n: int) -> Path:
        content = {f"a{i}": np.zeros(1) for i in range(n // 20)} | {"ecg": LEAD, "fs": 250.0}
        scipy.io.savemat(folder / "r.mat", content, format=version)
        return folder / "r.mat"

    return write


def many_fields(folder: Path, n: int) -> Path:
    inner = np.array([[{f"f{i}": i for i in range(n // 2)}]], dtype=object)
    scipy.io.savemat(folder / "r.mat", {"ecg": LEAD, "fs": 250, "about": {"inner": inner}}, do_compression=True)
    return folder / "r.mat"


def npz(folder: Path, n: int) -> Path:
    content: dict[str, Any] = {f"a{i}": np.zeros(1) for i in range(n // 40)}
    np.savez(folder / "r.npz", ecg=LEAD, fs=250, **content)
    return folder / "r.npz"


def wide_parquet(folder: Path, n: int) -> Path:
    parquet.write_table(pa.table({f"time {i}": np.arange(3.0) for i in range(n // 10)}), folder / "r.parquet")
    return folder / "r.parquet"


def many_segments(folder: Path, n: int) -> Path:
    as_segments(folder)
    samples = int((folder / "r1.hea").read_text().split()[3])
    count = n // 1000
    (folder / "r.hea").write_text(f"r/{count} 1 250 {samples * count}\n" + f"r1 {samples}\n" * count)
    return folder / "r.hea"


def many_comments(folder: Path, n: int) -> Path:
    header = as_wfdb(folder)
    header.write_text(header.read_text() + "# a comment\n" * (n // 10) + "#" + " x" * n)
    return header


def many_channels(folder: Path, n: int) -> Path:
    path = as_dicom(folder)
    dataset = pydicom.dcmread(path)
    group, count = dataset.WaveformSequence[0], n // 40
    group.ChannelDefinitionSequence = Sequence([group.ChannelDefinitionSequence[0]] * count)
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = count, 5
    group.WaveformData = np.zeros((5, count), "<i2").tobytes()
    dataset.save_as(path)
    return path


def many_members(folder: Path, n: int) -> Path:
    with zipfile.ZipFile(folder / "r.zip", "w") as archive:
        archive.writestr("r.csv", f"time,ecg (mV)\n{ROWS}\n")
        for i in range(n // 40):
            archive.writestr(f"{i}.json", "{}")
    return folder / "r.zip"


def wide_sheet(folder: Path, n: int) -> Path:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for i in range(n // 50):
        sheet.append([i % 7 / 10] * 10)
    book.save(folder / "r.xlsx")
    return folder / "r.xlsx"


def many_objects(folder: Path, n: int) -> Path:
    with h5py.File(folder / "r.h5", "w") as file:
        file.create_dataset("ecg", data=LEAD)
        file.attrs["fs"] = 250.0
        for i in range(n // 200):
            group = file.create_group(f"{i}")
            group.create_dataset("a", data=np.zeros(1))
            group["again"] = file  # a circle
    return folder / "r.h5"


def many_links(folder: Path, n: int) -> Path:
    with h5py.File(folder / "r.h5", "w") as file:
        array = file.create_dataset("ecg", data=LEAD)
        file.attrs["fs"] = 250.0
        for i in range(n // 40):
            file[f"{i}"] = array
    return folder / "r.h5"


def many_blocks(folder: Path, n: int) -> Path:
    path = WRITERS["atc"](folder)
    empty = b"note" + bytes(4)
    path.write_bytes(path.read_bytes() + (empty + struct.pack("<I", sum(empty))) * (n // 10))
    return path


def xml(make: Callable[[int], str], writer: str = "hl7") -> Callable[[Path, int], Path]:
    def write(folder: Path, n: int) -> Path:
        path = WRITERS[writer](folder)
        content = path.read_text()
        at = content.rindex("</")
        path.write_text(content[:at] + make(n) + content[at:])
        return path

    return write


WIDE: dict[str, Callable[[Path, int], Path]] = {
    "name-of-spaces": text(lambda n: f"time,I ({' ' * n}x\n{ROWS}\n"),
    "name-of-brackets": text(lambda n: f"time,I{'[(' * (n // 2)}\n{ROWS}\n"),
    "name-of-a-unit": text(lambda n: f"time,{'I mV' * (n // 4)}\n{ROWS}\n"),
    "header-lines": text(lambda n: "# a: b\n" * (n // 10) + NUMBERS),
    "header-of-channels": text(lambda n: "999 channels\n" * (n // 20) + NUMBERS),
    "header-of-spaces": text(lambda n: f"fs: 5{' ' * n}s\nlead{chr(9) * n}!\n{NUMBERS}"),
    "header-of-brackets": text(lambda n: f"{'[ ' * (n // 2)}\n{NUMBERS}"),
    "header-of-commas": text(lambda n: ("," * (n // 20) + "\n") * 20 + NUMBERS),
    "deep-json": text(lambda n: "# {" + '"a":{' * (n // 5) + f"\n{NUMBERS}"),
    "keys-of-json": text(lambda n: f"# {json.dumps({str(i): i for i in range(n // 12)})}\n{NUMBERS}"),
    "columns": text(square("q")),
    "columns-of-times": text(square("t")),
    "columns-of-persons": text(square("id")),
    "hdf5-links": many_links,
    "one-line": text(lambda n: "I," + ",".join(["0.5", "0.1"] * (n // 8))),
    "line-of-spaces": text(lambda n: f"{NUMBERS}\n1{' ' * n}2\n{NUMBERS}"),
    "line-of-digits": text(lambda n: f"ecg\n{NUMBERS}\n{'1' * n}x\n{NUMBERS}"),
    "clocks": text(lambda n: "\n".join(f"10:00:{i % 60:02d}{' ' * (n // 100)}0.{i % 7}" for i in range(100))),
    "npz": npz,
    "zip": many_members,
    "xlsx": wide_sheet,
    "hdf5": many_objects,
    "atc": many_blocks,
    "json-objects": text(
        lambda n: json.dumps({"ecg": LEAD.tolist(), "a": [{"b": i} for i in range(n // 4)]}), "r.json"
    ),
    "json-packets": text(
        lambda n: json.dumps({"data": [{"ecg": {"Samples": [1], "Timestamp": i}} for i in range(n // 10)]}), "r.json"
    ),
    "json-deep": text(lambda n: '{"ecg":' + '{"a":' * (n // 5), "r.json"),
    "withings": text(lambda n: "frequency,signal\n" + '250,"[1,2,3]"\n' * (n // 10)),
    "hl7-deep": xml(lambda n: "<a>" * (n // 7) + "</a>" * (n // 7)),
    "hl7-leads": xml(
        lambda n: "<component><series><code code='x'/></series></component>" * (n // 60),
    ),
    "hl7-annotations": xml(
        lambda n: (
            "<subjectOf><annotationSet>"
            + "<component><annotation>" * (n // 50)
            + "</annotation></component>" * (n // 50)
            + "</annotationSet></subjectOf>"
        )
    ),
    "muse": xml(lambda n: "<Waveform><LeadData/></Waveform>" * (n // 30), "muse"),
    "philips": xml(lambda n: "<interpretation/>" * (n // 17), "philips"),
    "mortara": xml(lambda n: "<CHANNEL NAME='I' DATA='AAAA' SAMPLE_FREQ='250'/>" * (n // 50), "mortara"),
    "mat-4": many_arrays("4"),
    "mat-5": many_arrays("5"),
    "mat-fields": many_fields,
    "parquet": wide_parquet,
    "wfdb-segments": many_segments,
    "wfdb-comments": many_comments,
    "dicom-channels": many_channels,
}


def cpu_of(path: Path) -> float:
    """Processor time of this thread for reading a file, or for refusing it."""
    times = []
    for _ in range(2):
        began = time.thread_time()
        with suppress(BadInput):
            read(path)
        times.append(time.thread_time() - began)
    return min(times)


@pytest.mark.parametrize("name", WIDE)
def test_a_reader_takes_a_time_that_is_linear_in_the_size_of_the_file(tmp_path: Path, name: str) -> None:
    """Times are compared with each other only, where they are long enough to be compared."""
    for folder in ("small", "large"):
        (tmp_path / folder).mkdir()
    cpu_of(WIDE[name](tmp_path / "small", 2_000))  # loads what is loaded once
    small, large = (WIDE[name](tmp_path / folder, n) for folder, n in (("small", 15_000), ("large", 60_000)))
    assert cpu_of(large) < 9 * max(cpu_of(small), 0.05)  # 4 times if it is linear, 16 if it is quadratic


@pytest.mark.parametrize("compressed", [True, False])
def test_a_structure_of_matlab_may_have_some_fields(tmp_path: Path, compressed: bool) -> None:
    def saved(n: int) -> Path:
        about = {"inner": np.array([[{f"f{i}": i for i in range(n)}, "text"]], dtype=object)}
        scipy.io.savemat(tmp_path / "r.mat", {"about": about, "ecg": LEAD, "fs": 250}, do_compression=compressed)
        return tmp_path / "r.mat"

    assert len(read(saved(FIELDS)).signal) == len(LEAD)
    assert f"one of its structures has over {FIELDS} fields" in refusal(lambda: read(saved(FIELDS + 1)))


def nested_cells(levels: int, *, are_lengths_true: bool) -> bytes:
    """A MATLAB file with cells nested to a depth of `levels`; their stated lengths may omit their content."""
    content = struct.pack("<4I2I2i2I2Id", 6, 8, 6, 0, 5, 8, 1, 1, 1, 0, 9, 8, 1.0)
    content = struct.pack("<2I", 14, len(content)) + content
    head = struct.pack("<4I2I2i2I", 6, 8, 1, 0, 5, 8, 1, 1, 1, 0)
    for level in range(levels):
        is_outermost = level == levels - 1  # the library looks at this length
        length = len(head) + (len(content) if are_lengths_true or is_outermost else 0)
        content = struct.pack("<2I", 14, length) + head + content
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + content


@pytest.mark.parametrize("are_lengths_true", [True, False])
def test_cells_of_matlab_may_be_nested_some_levels(tmp_path: Path, are_lengths_true: bool) -> None:
    def saved(levels: int) -> Path:
        (tmp_path / "r.mat").write_bytes(nested_cells(levels, are_lengths_true=are_lengths_true))
        return tmp_path / "r.mat"

    assert "there is no row or table of real numbers" in refusal(lambda: read(saved(LEVELS)))
    assert f"nested over {LEVELS} levels deep" in refusal(lambda: read(saved(LEVELS + 1)))
    # In a process of its own: were it read, the process would end.
    result = run("classify", saved(5000), "--lead", "I")
    assert result.returncode == 2 and f"nested over {LEVELS} levels deep" in result.stderr


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(f"time,ECG {'x' * 10_000}\n{ROWS}\n")
    assert len(read(tmp_path / "r.csv").lead) == LONGEST_NAME
    message = refusal(lambda: read(as_edf(tmp_path), ReadOptions(lead="y" * 3)))
    assert "choose one of" in message


def beside(folder: Path, kind: str) -> Path:
    path = as_wfdb(folder)
    _put(folder / "r.dat", kind)
    return path


def segment(folder: Path, kind: str) -> Path:
    path = as_segments(folder)
    _put(folder / "r2.hea", kind)
    return path


def signal_of_segment(folder: Path, kind: str) -> Path:
    path = as_segments(folder)
    _put(folder / "r2.dat", kind)
    return path


def _put(path: Path, kind: str) -> None:
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as made:  # its name must be short
            made.bind(f"{short}/s")
            Path(short, "s").rename(path)


@posix
@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "socket"])
@pytest.mark.parametrize("make", [beside, segment, signal_of_segment])
def test_what_stands_beside_a_header_in_place_of_a_file_is_refused(
    tmp_path: Path, make: Callable[[Path, str], Path], kind: str
) -> None:
    header = make(tmp_path, kind)
    assert "put a file there" in refusal(lambda: read(header))


@posix
def test_a_device_or_a_socket_is_no_file(tmp_path: Path) -> None:
    assert refusal(lambda: read("/dev/zero")) == (
        "/dev/zero: this is a device or a socket; copy what it gives to a file"
    )
    path = tmp_path / "r.csv"
    path.touch()
    _put(path, "socket")
    assert "this is a device or a socket" in refusal(lambda: read(path))


@posix
def test_a_stream_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_STREAMED", 2**30 // 256)
    monkeypatch.setattr(reading, "PART", 2**16)
    with open("/dev/zero") as zeros:  # noqa: PTH123 -- no file
        monkeypatch.setattr(sys, "stdin", zeros)
        assert "save it and give the file" in refusal(lambda: read("-"))


@posix
def test_a_manifest_without_end_is_refused() -> None:
    verb = [sys.executable, "-m", "ecg_rhythm", "classify", "--manifest", "/dev/zero"]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))

    done = subprocess.run(verb, capture_output=True, text=True, check=False, preexec_fn=limit)
    assert done.returncode == 2, done.stderr
    assert "name a table of files" in done.stderr


def test_a_header_that_names_itself_is_not_written_to(tmp_path: Path) -> None:
    header = as_wfdb(tmp_path)
    text_of = header.read_text().replace("r.dat", "r.hea").replace("250", "250 x", 1)
    header.write_text(text_of)
    with suppress(BadInput):
        read(header)
    assert header.read_text() == text_of
    (tmp_path / "s.hea").write_text("s/2 1 250 2000\ns 1000\ns 1000\n")
    with suppress(BadInput):
        read(tmp_path / "s.hea")
    assert (tmp_path / "s.hea").read_text().startswith("s/2")
