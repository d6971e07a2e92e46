from __future__ import annotations

import resource
import subprocess
import sys
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import openpyxl
import pytest

from ecg_rhythm.records import ReadOptions, open_recording, read
from ecg_rhythm.records.formats.hdf5 import MOST_OBJECTS
from fuzzing.inputs import FS, LEAD, OTHER, TIMES, as_hdf5, as_matlab_7
from tests.helpers import refusal


def test_the_rate_may_be_an_array_or_an_attribute_anywhere(tmp_path: Path) -> None:
    for place in ("file", "group", "array"):
        with h5py.File(tmp_path / "r.h5", "w") as file:
            group = file.create_group("inner/most")
            array = group.create_dataset("signal", data=LEAD)
            {"file": file, "group": group, "array": array}[place].attrs["fs"] = FS
            array.attrs["unit"] = np.bytes_("mV")
        record = read(tmp_path / "r.h5")
        assert (record.fs, record.remarks) == (FS, ())
        np.testing.assert_allclose(record.signal, LEAD, atol=1e-6)


def test_a_table_of_fields_is_read_by_their_names(tmp_path: Path) -> None:
    table = np.zeros(len(LEAD), dtype=[("time", "f8"), ("II_mV", "f8"), ("note", "S4")])
    table["time"], table["II_mV"] = TIMES, LEAD
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file["rows"] = table
    record = read(tmp_path / "r.h5")
    assert record.fs == FS
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-6)


def test_names_of_leads_are_read_from_matlabs_cells(tmp_path: Path) -> None:
    path = as_matlab_7(tmp_path)
    np.testing.assert_allclose(read(path, ReadOptions(lead="V1")).signal, OTHER, atol=1e-6)
    assert read(path).lead == "II"


def test_nothing_outside_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "other.raw").write_bytes(LEAD.tobytes())
    as_hdf5(tmp_path).rename(tmp_path / "other.h5")
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file.attrs["fs"] = FS
        file["linked"] = h5py.ExternalLink("other.h5", "/recording/ecg")
        file["soft"] = h5py.SoftLink("/nowhere")
    assert "there is no row or table of real numbers in it" in refusal(lambda: read(tmp_path / "r.h5"))
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file.create_dataset("ecg", (len(LEAD),), "f8", external=[(str(tmp_path / "other.raw"), 0, h5py.h5f.UNLIMITED)])
    assert "it keeps arrays in other files" in refusal(lambda: read(tmp_path / "r.h5"))
    layout = h5py.VirtualLayout((len(LEAD),), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "recording/ecg", (len(LEAD), 2))[:, 0]
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file.create_virtual_dataset("ecg", layout)
    assert "it keeps arrays in other files" in refusal(lambda: read(tmp_path / "r.h5"))
    (tmp_path / "secret.txt").write_text("a secret of the server")
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file["ecg"], file["fs"] = LEAD, FS
        hidden = file.create_dataset("#refs#/a", (22,), "u1", external=[(str(tmp_path / "secret.txt"), 0, 22)])
        hidden.attrs["MATLAB_class"] = np.bytes_("char")
        file.create_dataset("leads", (1,), h5py.ref_dtype)[0] = hidden.ref
    assert "it keeps arrays in other files" in refusal(lambda: read(tmp_path / "r.h5"))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux alone")
def test_a_text_that_is_too_long_gets_no_memory(tmp_path: Path) -> None:
    path, before = as_hdf5(tmp_path), resource.getrlimit(resource.RLIMIT_DATA)
    with h5py.File(path) as file:
        offset = file["recording/leads"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[offset : offset + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    look = f"from ecg_rhythm.records import read\nfrom pathlib import Path\ntry: read(Path({str(path)!r}))\n"
    look += "except Exception as error: print(error)\nimport resource\n"
    look += "most = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]\n"  # in kB
    look += "print(most, resource.getrlimit(resource.RLIMIT_DATA))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    says, figures = done.stdout.splitlines()
    assert says.startswith(f"{path}: this HDF5 file is damaged (")
    most, _, limits = figures.partition(" ")
    assert int(most) < 2**20 and limits == str(before)


def test_a_file_of_very_many_objects_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "r.h5", "w") as file:
        for i in range(MOST_OBJECTS + 1):
            file.create_group(f"{i}")
    assert f"it has more than {MOST_OBJECTS} groups and arrays" in refusal(lambda: read(tmp_path / "r.h5"))


def workbook(path: Path, *rows: list[Any]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_dates_and_clocks_in_a_sheet_are_times(tmp_path: Path) -> None:
    begun = datetime(2024, 2, 29, 7, 15)
    rows = [[begun + timedelta(seconds=float(t)), v] for t, v in zip(TIMES, LEAD.tolist(), strict=True)]
    recording = open_recording(workbook(tmp_path / "r.xlsx", ["when", "ecg (mV)"], *rows))
    assert recording.start == begun
    assert recording.fs == pytest.approx(FS, rel=1e-3)
    np.testing.assert_allclose(recording.signal[: len(LEAD)], LEAD, atol=1e-6)
    rows = [[(begun + timedelta(seconds=float(t))).time(), v] for t, v in zip(TIMES, LEAD.tolist(), strict=True)]
    assert open_recording(workbook(tmp_path / "r.xlsx", ["time", "ecg (mV)"], *rows)).start == time(7, 15)


def test_a_header_above_the_columns_is_read_as_in_text(tmp_path: Path) -> None:
    header: list[list[Any]] = [["Sampling rate (Hz)", 250], ["Unit", "uV"], [], ["ECG II"]]
    path = workbook(tmp_path / "r.xlsx", *header, *([1000 * value] for value in LEAD.tolist()))
    record = read(path)
    assert (record.fs, record.lead) == (FS, "ECG II")
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_the_first_of_several_sheets_is_read_and_this_is_said(tmp_path: Path) -> None:
    path = workbook(tmp_path / "r.xlsx", ["time (s)", "ecg (mV)"], *np.column_stack([TIMES, LEAD]).tolist())
    book = openpyxl.load_workbook(path)
    book.create_sheet("of a patient").append([1])
    book.save(path)
    assert read(path).remarks == ("the first of 2 sheets",)


def test_a_sheet_without_an_ecg_is_refused_by_the_name_of_the_file(tmp_path: Path) -> None:
    path = workbook(tmp_path / "r.xlsx", ["name", "age"], ["Zyxwvut", "old"])
    message = refusal(lambda: read(path))
    assert message.startswith(f"{path}: there are no lines of numbers")
    wide = workbook(tmp_path / "w.xlsx", list(range(300)))
    assert "more than 1048576 rows or 256 columns" in refusal(lambda: read(wide))
