from __future__ import annotations

import gzip
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pydicom
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import ReadOptions, formats, open_recording, read
from fuzzing.inputs import FS, LEAD, OTHER, WRITERS, as_csv, as_dicom, as_edf, as_wfdb
from tests.conftest import Install
from tests.helpers import refusal


@pytest.mark.parametrize("suffix", sorted(suffix for form in formats.FORMATS for suffix in form.suffixes))
def test_the_reference_has_every_suffix(suffix: str) -> None:
    assert f"`{suffix}`" in (Path(__file__).parents[3] / "docs" / "reference" / "formats.md").read_text()


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS.keys())
def test_the_same_signal_is_read_from_every_format(tmp_path: Path, writer: Callable[[Path], Path]) -> None:
    path = writer(tmp_path)
    record = read(path)
    assert record.fs == FS
    assert record.name == "r"
    assert record.signal.dtype == np.float32
    assumed = {f"unit unknown, taken as {unit}" for unit in ("mV", "uV")}
    assert set(record.remarks) <= assumed | {"one of 2 leads, none of a name that is known"}
    np.testing.assert_allclose(record.signal, LEAD, atol=5.1e-4)  # half a step of the coarsest, WAV
    # Any part read from the file equals that part of the whole signal.
    recording = open_recording(path)
    assert recording.samples == len(LEAD)
    np.testing.assert_array_equal(recording.read(301, 777), record.signal[301:777])


BY_CONTENT = [
    "edf", "bdf", "npz", "parquet", "dicom", "mat-4", "mat-5", "mat-7", "hdf5", "csv", "apple", "withings", "csv.gz",
    "zip", "xlsx", "wav", "atc", "ishne", "scp", "mfer", "hl7", "muse", "philips", "mortara", "fitbit", "kardia",
    "movesense",
]  # fmt: skip


@pytest.mark.parametrize("writer", BY_CONTENT)
def test_a_format_is_known_by_its_content_too(tmp_path: Path, writer: str) -> None:
    path = WRITERS[writer](tmp_path)
    is_text = writer in ("csv", "apple", "withings", "csv.gz")  # which nothing tells but that it is nothing else
    for name in ("unnamed", "other.txt", *([] if is_text else ["other.npy"])):
        unnamed = shutil.copy(path, tmp_path / name)
        np.testing.assert_array_equal(read(unnamed).signal, read(path).signal)


@pytest.mark.parametrize(
    "writer",
    ["wfdb", "mat-5", "mat-7", "edf", "parquet", "dicom", "csv", "hdf5", "xlsx", "ishne", "scp", "hl7", "mfer"],
)
@pytest.mark.parametrize("lead", ["V1", "v1", "lead V1"])
def test_another_lead_can_be_asked_for(tmp_path: Path, writer: str, lead: str) -> None:
    record = read(WRITERS[writer](tmp_path), ReadOptions(lead=lead))
    assert "V1" in record.lead
    np.testing.assert_allclose(record.signal, OTHER, atol=3e-4)


@pytest.mark.parametrize(
    ("writer", "number"), [("wfdb", 1), ("mat-5", 1), ("edf", 2), ("parquet", 1), ("dicom", 1), ("csv", 1)]
)
def test_a_lead_can_be_asked_for_by_number(tmp_path: Path, writer: str, number: int) -> None:
    np.testing.assert_allclose(read(WRITERS[writer](tmp_path), ReadOptions(lead=str(number))).signal, OTHER, atol=3e-4)


def test_what_the_user_says_of_rate_and_unit_holds_whatever_the_file_says(tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", np.rint(LEAD * 200).astype(np.int16))
    record = read(tmp_path / "r.npy", ReadOptions(fs=360, unit="200/mV"))
    assert (record.fs, record.remarks) == (360, ())
    np.testing.assert_allclose(record.signal, LEAD, atol=0.0026)
    for writer in (as_edf, as_wfdb, as_csv(), as_dicom):
        as_written = read(writer(tmp_path))
        record = read(writer(tmp_path), ReadOptions(fs=125, unit="10 mV"))
        assert (as_written.fs, record.fs, len(record.signal)) == (FS, 125, len(as_written.signal))
        np.testing.assert_array_less(5 * as_written.signal.max(), record.signal.max())
        remarks = ", ".join(record.remarks)
        assert "in 10 mV as you say; the file says" in remarks
        assert "125 Hz as you say; the file says 250" in remarks
    scipy.io.savemat(tmp_path / "r.mat", {"val": LEAD, "units": "ADU"})
    assert read(tmp_path / "r.mat", ReadOptions(fs=FS, unit="mV")).signal.max() == pytest.approx(LEAD.max())


@pytest.mark.parametrize("suffix", [".csv", ".edf", ".npy", ".dcm", ".parquet", ".mat", ".hea", ""])
def test_an_empty_file_is_refused_as_such(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"r{suffix}"
    path.touch()
    assert refusal(lambda: read(path)) == f"{path}: this file is empty; get a new copy"


@pytest.mark.parametrize(
    "name",
    [
        "r.edf",
        "r.bdf",
        "r.npy",
        "r.npz",
        "r.parquet",
        "r.dcm",
        "r.mat",
        "r.h5",
        "r.xlsx",
        "r.zip",
        "r.gz",
        "r.atc",
        "r.scp",
        "r.mwf",
    ],
)
@given(content=st.binary(max_size=600))
@settings(deadline=None, max_examples=8)
def test_garbage_is_refused_by_name(tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes) -> None:
    path = tmp_path_factory.mktemp("garbage") / name
    path.write_bytes(content)
    assert refusal(lambda: read(path)).startswith(str(path))


@pytest.mark.parametrize("writer", BY_CONTENT)
@given(share=st.floats(0, 0.99), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=20))
@settings(deadline=None, max_examples=10)
def test_a_damaged_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, writer: str, share: float, flips: list[tuple[float, int]]
) -> None:
    path = WRITERS[writer](tmp_path_factory.mktemp("damaged"))
    content = bytearray(path.read_bytes())
    for where, value in flips:
        content[int(where * (len(content) - 1))] = value
    path.write_bytes(content[: int(len(content) * (share if share > 0.3 else 1))])
    try:
        record = read(path)
    except BadInput as error:
        assert str(error).startswith(str(path))
    else:
        assert np.isfinite(record.signal).all()


ZEROS = np.zeros(17_000_000)
"""More than a small compressed file may hold."""


def deflated_dicom(folder: Path) -> Path:
    dataset = pydicom.dcmread(as_dicom(folder))
    dataset.WaveformSequence[0].WaveformData = ZEROS.astype(np.int64).tobytes()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(folder / "r.dcm")
    return folder / "r.dcm"


def hdf5(folder: Path) -> None:
    with h5py.File(folder / "r.h5", "w") as file:
        file.create_dataset("ecg", data=ZEROS, compression="gzip", compression_opts=9)


def sheet(folder: Path) -> None:
    with zipfile.ZipFile(folder / "r.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(136_000_000))


PACKED: dict[str, Callable[[Path], object]] = {
    "r.npz": lambda folder: np.savez_compressed(folder / "r.npz", ecg=ZEROS, fs=300),
    "r.mat": lambda folder: scipy.io.savemat(folder / "r.mat", {"ecg": ZEROS}, do_compression=True),
    "r.parquet": lambda folder: pd.DataFrame({"ecg": ZEROS}).to_parquet(folder / "r.parquet"),
    "r.dcm": deflated_dicom,
    "r.h5": hdf5,
    "r.csv.gz": lambda folder: (folder / "r.csv.gz").write_bytes(gzip.compress(bytes(136_000_000))),
    "r.xlsx": sheet,
}


@pytest.mark.parametrize("name", PACKED)
def test_a_small_file_that_holds_far_too_much_is_refused(tmp_path: Path, name: str) -> None:
    PACKED[name](tmp_path)
    assert (tmp_path / name).stat().st_size < 1_000_000
    assert "times as large as the file" in refusal(lambda: read(tmp_path / name))


PLUGIN = """
import numpy as np
from ecg_rhythm.records import in_memory

def open_hex(path, options):
    return in_memory(path.stem, np.array([int(word, 16) for word in path.read_text().split()]), 100.0, "ECG", 1e-3)
"""


HEX = {"ecg_rhythm.formats": {".hex": "hex_ecg:open_hex"}}


def test_a_plugin_reads_a_format_of_its_own(tmp_path: Path, install: Install) -> None:
    install("hex_ecg", PLUGIN, HEX)
    (tmp_path / "r.hex").write_text("0 ff 10 " * 50)
    assert read(tmp_path / "r.hex").signal[:3].tolist() == pytest.approx([0, 0.255, 0.016])
    assert records.find(tmp_path) == {"r": tmp_path / "r.hex"}


def test_a_plugin_that_is_broken_stops_its_own_files_alone(tmp_path: Path, install: Install) -> None:
    install("hex_ecg", "import nothing_like_it", HEX)
    (tmp_path / "r.hex").write_text("0 ff 10 " * 50)
    np.savetxt(tmp_path / "r.xyz", np.arange(900))
    says = refusal(lambda: read(tmp_path / "r.hex"))
    assert "file format .hex of the package hex-ecg 1.0: hex_ecg:open_hex cannot be imported" in says
    assert "No module named 'nothing_like_it'" in says
    assert set(records.find(tmp_path)) == {"r"} and len(read(tmp_path / "r.xyz", ReadOptions(fs=300)).signal) == 900


def test_two_plugins_of_one_suffix_are_named(tmp_path: Path, install: Install) -> None:
    install("hex_ecg", PLUGIN, HEX)
    install("other_ecg", PLUGIN, {"ecg_rhythm.formats": {".HEX": "other_ecg:open_hex"}})
    (tmp_path / "r.hex").write_text("0 ff 10 " * 50)
    says = refusal(lambda: read(tmp_path / "r.hex"))
    assert "both hex-ecg 1.0 and other-ecg 1.0 have one of this name" in says or "both other-ecg" in says
