"""Files that other libraries write, read by ours."""

from __future__ import annotations

import copy
import io
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import edfio
import numpy as np
import pandas as pd
import pyarrow as pa
import pydicom
import pytest
import scipy.io
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyarrow import parquet
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import ReadOptions, formats, open_recording, read
from ecg_rhythm.records.finding import files_in
from tests.helpers import refusal

FS = 250.0
SECONDS = 8
TIMES = np.arange(int(FS * SECONDS)) / FS
LEAD = np.sin(2 * np.pi * 1.3 * TIMES) ** 15 + 0.05 * np.sin(2 * np.pi * 0.3 * TIMES)
"""Something like an ECG, in mV."""
OTHER = -0.5 * LEAD + 0.1


def as_wfdb(folder: Path) -> Path:
    signals = np.column_stack([OTHER, LEAD])
    wfdb.wrsamp("r", fs=FS, units=["mV"] * 2, sig_name=["V1", "II"], p_signal=signals, fmt=["16"] * 2,
                write_dir=str(folder))  # fmt: skip
    return folder / "r.hea"


def as_wfdb_flac(folder: Path) -> Path:
    wfdb.wrsamp("r", fs=FS, units=["mV"], sig_name=["II"], p_signal=LEAD[:, None], fmt=["516"], adc_gain=[10_000.0],
                baseline=[0], write_dir=str(folder))  # fmt: skip
    return folder / "r.hea"


def as_segments(folder: Path) -> Path:
    half = len(LEAD) // 2
    for name, part in (("r1", LEAD[:half]), ("r2", LEAD[half:])):
        wfdb.wrsamp(name, fs=FS, units=["mV"], sig_name=["II"], p_signal=part[:, None], fmt=["16"],
                    adc_gain=[10_000.0], baseline=[0], write_dir=str(folder))  # fmt: skip
    (folder / "r.hea").write_text(f"r/2 1 {FS:g} {2 * half}\nr1 {half}\nr2 {half}\n")
    return folder / "r.hea"


def as_matlab_4(folder: Path) -> Path:
    scipy.io.savemat(folder / "r.mat", {"val": LEAD[None, :], "fs": FS}, format="4")
    return folder / "r.mat"


def as_matlab_5(folder: Path) -> Path:
    content = {"ecg": np.column_stack([OTHER, LEAD]) * 1000, "Fs": FS, "units": "uV",
               "leads": np.array(["V1", "II"], dtype=object)}  # fmt: skip
    scipy.io.savemat(folder / "r.mat", content, do_compression=True)
    return folder / "r.mat"


def as_edf(folder: Path) -> Path:
    signals = [
        edfio.EdfSignal(np.zeros(SECONDS * 10), 10, label="Resp", physical_dimension="l", physical_range=(-1, 1)),
        edfio.EdfSignal(OTHER * 1000, FS, label="ECG V1", physical_dimension="uV", physical_range=(-2000, 2000)),
        edfio.EdfSignal(LEAD * 1000, FS, label="ECG II", physical_dimension="uV", physical_range=(-2000, 2000)),
    ]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(0, None, "here, in the first data record")]).write(
        folder / "r.edf"
    )
    return folder / "r.edf"


def as_bdf(folder: Path) -> Path:
    signal = edfio.BdfSignal(LEAD, FS, label="II", physical_dimension="mV", physical_range=(-2, 2))
    edfio.Bdf([signal]).write(folder / "r.bdf")
    return folder / "r.bdf"


def as_numpy(folder: Path) -> Path:
    np.savez_compressed(folder / "r.npz", signal=LEAD.astype(np.float32), fs=FS, unit="mV")
    return folder / "r.npz"


def as_parquet(folder: Path) -> Path:
    pd.DataFrame({"time": TIMES, "V1 (mV)": OTHER, "II (mV)": LEAD}).to_parquet(folder / "r.parquet")
    return folder / "r.parquet"


def as_parquet_with_metadata(folder: Path) -> Path:
    table = pa.table({"ecg": LEAD * 1000}).replace_schema_metadata({"fs": "250", "unit": "uV"})
    parquet.write_table(table, folder / "r.pq")
    return folder / "r.pq"


def as_parquet_with_dates(folder: Path) -> Path:
    dates = pd.Timestamp("2024-02-29T23:59:58Z") + pd.to_timedelta(TIMES, unit="s")
    pd.DataFrame({"timestamp": dates, "ecg_mV": LEAD}).to_parquet(folder / "r.parquet")
    return folder / "r.parquet"


def as_dicom(folder: Path) -> Path:
    def code(value: str, meaning: str) -> DicomSequence:
        item = Dataset()
        item.CodeValue, item.CodeMeaning, item.CodingSchemeDesignator = value, meaning, "UCUM"
        return DicomSequence([item])

    channels = []
    for name in ("Lead V1", "Lead II"):
        channel = Dataset()
        channel.ChannelSourceSequence = code("x", name)
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = "0.1", "1"
        channel.ChannelSensitivityUnitsSequence = code("uV", "microvolt")
        channel.ChannelBaseline, channel.WaveformBitsStored = "0", 16
        channels.append(channel)
    group = Dataset()
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = 2, len(LEAD)
    group.SamplingFrequency, group.WaveformOriginality = str(FS), "ORIGINAL"
    group.ChannelDefinitionSequence = DicomSequence(channels)
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformData = np.rint(np.column_stack([OTHER, LEAD]) * 10_000).astype("<i2").tobytes()
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.9.1.1")
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    dataset = FileDataset(str(folder / "r.dcm"), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.WaveformSequence = DicomSequence([group])
    dataset.save_as(folder / "r.dcm", enforce_file_format=True)
    return folder / "r.dcm"


def as_csv(**options: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        pd.DataFrame({"time (s)": TIMES, "V1 (mV)": OTHER, "II (mV)": LEAD}).to_csv(
            folder / "r.csv", index=False, **options
        )
        return folder / "r.csv"

    return write


def text(*lines: str, decimal: str = ".", name: str = "r.txt", encoding: str = "utf-8") -> Callable[[Path], Path]:
    """Write a header and a column of samples in uV below it."""

    def write(folder: Path) -> Path:
        samples = [f"{value:.3f}".replace(".", decimal) for value in LEAD * 1000]
        (folder / name).write_text("\n".join([*lines, *samples]) + "\n", encoding=encoding)
        return folder / name

    return write


def rows(header: str, row: Callable[[float, float], str], name: str = "r.csv") -> Callable[[Path], Path]:
    """Write a header and a row for each time and sample in mV."""

    def write(folder: Path) -> Path:
        lines = [row(t, v) for t, v in zip(TIMES, LEAD, strict=True)]
        (folder / name).write_text(header + "\n".join(lines) + "\n")
        return folder / name

    return write


def as_lines(folder: Path) -> Path:
    lines = [",".join(f"{value:.4f}" for value in lead) for lead in (LEAD, OTHER)]
    (folder / "r.csv").write_text("\n".join(["# fs = 250 Hz", "# unit: mV", *lines]) + "\n")
    return folder / "r.csv"


def clock(t: float) -> str:
    return (
        f"23:59:{55 + int(t):02d}.{round(t % 1 * 1000):03d}"
        if t < 5
        else f"00:00:{int(t) - 5:02d}.{round(t % 1 * 1000):03d}"
    )


APPLE = ("Name,A Name", 'Date of Birth,"Jan 1, 1970"', "Recorded Date,2024-02-29 07:15:00 +0100",
         "Classification,Sinus Rhythm", "Symptoms,", "Software Version,1.90", 'Device,"Watch6,7"')  # fmt: skip
WRITERS = {
    "wfdb": as_wfdb,
    "wfdb-flac": as_wfdb_flac,
    "wfdb-segments": as_segments,
    "mat-4": as_matlab_4,
    "mat-5": as_matlab_5,
    "edf": as_edf,
    "bdf": as_bdf,
    "npz": as_numpy,
    "parquet": as_parquet,
    "parquet-metadata": as_parquet_with_metadata,
    "parquet-dates": as_parquet_with_dates,
    "dicom": as_dicom,
    "csv": as_csv(),
    "csv-semicolon": as_csv(sep=";", decimal=","),
    "csv-semicolon-point": as_csv(sep=";"),
    "csv-tab": as_csv(sep="\t"),
    "csv-bom": as_csv(encoding="utf-8-sig"),
    "csv-utf16": as_csv(encoding="utf-16"),
    "csv-lines": as_lines,
    "csv-quoted": rows("time (s),ecg (mV)\n", lambda t, v: f'"{t:.3f}","{v:.6f}"'.replace(".", ",")),
    "apple": text(*APPLE, "Sample Rate,250 hertz", "", "", "Lead,Lead II", "Unit,µV", "", name="r.csv"),
    "apple-comma": text(*APPLE, "Abtastrate,250 Hertz", "", "", "Ableitung,Ableitung II", "Einheit,µV", "",
                        decimal=",", name="r.csv"),
    "txt-comment": text("# fs = 250", "# unit: uV"),
    "txt-one-line": text("# fs = 250 Hz, unit: uV, of a watch"),
    "txt-latin": text("# Größe: klein", "# sampling rate 250 Hz", "# Einheit: µV", encoding="latin-1"),
    "physiobank": rows("'sample #','II'\n'(sec)','(mV)'\n", lambda t, v: f"{t:.3f},{v:.6f}"),
    "physiobank-clock": rows("'Elapsed time','II'\n'hh:mm:ss.mmm','(mV)'\n", lambda t, v: f"'0:{t:06.3f}',{v:.6f}"),
    "clock-over-midnight": rows("time;ecg mV\n", lambda t, v: f"{clock(t)};{v:.6f}"),
    "dates": rows("date_time,ecg (mV)\n", lambda t, v: f"2024-01-02T03:04:{t:06.3f},{v:.6f}"),
    "milliseconds": rows("time_ms ecg_mV\n", lambda t, v: f"{1000 * t:.0f} {v:.6f}", "r.txt"),
    "no-header": rows("", lambda t, v: f"{t:.3f}\t{v:.6f}", "r.tsv"),
    "missing-values": rows("t,II (mV)\n", lambda t, v: f"{t:.3f},{v:.6f}", "r.csv"),
}  # fmt: skip


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS.keys())
def test_the_same_signal_is_read_from_every_format(tmp_path: Path, writer: Callable[[Path], Path]) -> None:
    path = writer(tmp_path)
    record = read(path)
    assert record.fs == FS
    assert record.name == "r"
    assert record.signal.dtype == np.float32
    assert set(record.remarks) <= {"unit unknown, taken as mV", "one of 2 leads, none of a name that is known"}
    np.testing.assert_allclose(record.signal, LEAD, atol=3e-4)
    # Any stretch is the same as that part of the whole.
    recording = open_recording(path)
    assert recording.samples == len(LEAD)
    np.testing.assert_array_equal(recording.read(301, 777), record.signal[301:777])


@pytest.mark.parametrize("writer", ["edf", "bdf", "npz", "parquet", "dicom", "mat-4", "mat-5", "csv", "apple"])
def test_a_format_is_known_by_its_content_too(tmp_path: Path, writer: str) -> None:
    path = WRITERS[writer](tmp_path)
    unnamed = shutil.copy(path, tmp_path / "unnamed")
    np.testing.assert_array_equal(read(unnamed).signal, read(path).signal)


@pytest.mark.parametrize("writer", ["wfdb", "mat-5", "edf", "parquet", "dicom", "csv"])
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


@pytest.mark.parametrize("lead", ["V9", "0", "9", ""])
def test_a_lead_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, lead: str) -> None:
    message = refusal(lambda: read(as_wfdb(tmp_path), ReadOptions(lead=lead)))
    assert f"there is no lead {lead!r} in it; choose one of V1, II" in message


def interrupted(folder: Path, starts: Sequence[float]) -> Path:
    """Return an EDF+D file: as_edf's, whose data records, a second each, begin at other times."""

    def moved(found: re.Match[bytes]) -> bytes:
        return (f"+{starts[int(found[1])]:.10g}\x14\x14\0".encode()).ljust(len(found[0]), b"\0")

    path = as_edf(folder)
    content = path.read_bytes().replace(b"EDF+C", b"EDF+D", 1)
    path.write_bytes(re.sub(rb"\+(\d+)\x14\x14\0+", moved, content))
    return path


def test_an_interrupted_recording_has_gaps_where_it_was(tmp_path: Path) -> None:
    starts = [k + 7 * (k >= 3) + 100 * (k >= 5) for k in range(SECONDS)]
    recording = open_recording(interrupted(tmp_path, starts))
    assert recording.seconds == starts[-1] + 1
    there = (np.array(starts)[:, None] * int(FS) + np.arange(int(FS))).ravel()
    signal = recording.read(0, recording.samples)
    np.testing.assert_allclose(signal[there], LEAD, atol=1e-3)
    assert np.isfinite(signal).sum() == len(LEAD)
    for start, stop in [(0, 1), (505, 2750), (1000, 2250), (1250, 2500), (7500, 10000)]:
        np.testing.assert_array_equal(recording.read(start, stop), signal[start:stop])


@pytest.mark.parametrize("drift", [0.004, -0.004, 0.001])
def test_a_clock_that_drifts_by_a_sample_makes_no_gap(tmp_path: Path, drift: float) -> None:
    recording = open_recording(interrupted(tmp_path, [round(k * (1 + drift), 3) for k in range(SECONDS)]))
    assert recording.samples == len(LEAD)
    np.testing.assert_allclose(recording.read(0, len(LEAD)), LEAD, atol=1e-3)


def test_the_unit_of_an_edf_file_is_that_of_its_size_or_a_micro_sign(tmp_path: Path) -> None:
    content = as_edf(tmp_path).read_bytes()
    for unit in (b"      ", b"\xb5V    "):
        (tmp_path / "u.edf").write_bytes(content.replace(b"uV    ", unit))
        np.testing.assert_allclose(read(tmp_path / "u.edf").signal, LEAD, atol=1e-3)


def test_more_data_records_than_an_edf_header_says_are_told(tmp_path: Path) -> None:
    content = as_edf(tmp_path).read_bytes()
    (tmp_path / "r.edf").write_bytes(content[:236] + b"5       " + content[244:])
    assert read(tmp_path / "r.edf").remarks == (f"{SECONDS} data records are there, its header says 5",)


@pytest.mark.parametrize("old", [b"'descr'", b"(2000,)"])
def test_numpy_headers_that_cannot_be_are_refused(tmp_path: Path, old: bytes) -> None:
    np.save(tmp_path / "r.npy", LEAD)
    content = (tmp_path / "r.npy").read_bytes()
    assert old in content
    (tmp_path / "r.npy").write_bytes(content.replace(old, b"(" * len(old)))
    assert "this NumPy file is damaged" in refusal(lambda: read(tmp_path / "r.npy"))


DURATION, HEADER_SIZE, RECORD_COUNT = 244, 184, 236
"""Where they begin in an EDF header, each of eight bytes."""


@pytest.mark.parametrize(
    ("writer", "fields", "says"),
    [
        (as_edf, {DURATION: b"0"}, "this EDF or BDF file is damaged"),
        (as_edf, {DURATION: b"-1"}, "this EDF or BDF file is damaged"),
        (as_bdf, {HEADER_SIZE: b"9999999", RECORD_COUNT: b"-1"}, "this EDF or BDF file is damaged"),
    ],
)
def test_headers_that_cannot_be_are_refused(
    tmp_path: Path, writer: Callable[[Path], Path], fields: dict[int, bytes], says: str
) -> None:
    path = writer(tmp_path)
    content = bytearray(path.read_bytes())
    for where, value in fields.items():
        content[where : where + 8] = value.ljust(8)
    path.write_bytes(content)
    assert says in refusal(lambda: read(path))


def test_pieces_in_disorder_or_months_apart_are_refused(tmp_path: Path) -> None:
    disorder = [k - 2 * (k >= 3) for k in range(SECONDS)]
    assert "not in the order of time" in refusal(lambda: open_recording(interrupted(tmp_path, disorder)))
    apart = [k + 10_000_000 * (k >= 3) for k in range(SECONDS)]
    assert "more than 31 days" in refusal(lambda: open_recording(interrupted(tmp_path, apart)))


def test_a_header_of_millions_of_leads_is_refused(tmp_path: Path) -> None:
    path = as_wfdb(tmp_path)
    header = path.read_bytes()
    for many in (b"r 22482705 ", b"r 2\xfa2482705 "):  # the library passes over what is not ASCII
        path.write_bytes(header.replace(b"r 2 ", many))
        assert "r.hea: its first line names more than 1000 leads" in refusal(lambda: read(path))


def test_what_the_user_says_of_rate_and_unit_holds_where_the_file_is_silent(tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", np.rint(LEAD * 200).astype(np.int16))
    record = read(tmp_path / "r.npy", ReadOptions(fs=360, unit="200/mV"))
    assert (record.fs, record.remarks) == (360, ())
    np.testing.assert_allclose(record.signal, LEAD, atol=0.0026)
    for writer in (as_edf, as_wfdb, as_csv(), as_dicom):
        record = read(writer(tmp_path), ReadOptions(fs=125, unit="nV"))
        assert record.fs == FS
        assert record.signal.max() == pytest.approx(LEAD.max(), rel=0.01)
        unit, rate = record.remarks
        assert unit.endswith("V, not nV, by its own word")
        assert rate == "at 250 Hz, not 125, by its own word"
    scipy.io.savemat(tmp_path / "r.mat", {"val": LEAD, "units": "ADU"})
    assert read(tmp_path / "r.mat", ReadOptions(fs=FS, unit="mV")).signal.max() == pytest.approx(LEAD.max())


@pytest.mark.parametrize(("factor", "remark"), [(1, "unit unknown, taken as mV"), (1000, "unit unknown, taken as uV")])
def test_an_unknown_unit_is_guessed_from_the_size_and_said(tmp_path: Path, factor: float, remark: str) -> None:
    np.save(tmp_path / "r.npy", 60 * LEAD / LEAD.std() * 0.001 * factor)
    record = read(tmp_path / "r.npy", ReadOptions(fs=FS))
    assert record.remarks == (remark,)
    assert record.signal.std() == pytest.approx(0.06, rel=1e-4)


@pytest.mark.parametrize("fs", [0.0, -1.0, 1e6])
def test_a_rate_that_no_ecg_has_is_refused(tmp_path: Path, fs: float) -> None:
    np.save(tmp_path / "r.npy", LEAD)
    message = refusal(lambda: read(tmp_path / "r.npy", ReadOptions(fs=fs)))
    assert f"a sampling rate of {fs:g} Hz is not one of an ECG" in message


@pytest.mark.parametrize("unit", ["mmHg", "0/mV", "x/mV", "200/kg", "1e999/mV"])
def test_a_unit_that_is_none_of_voltage_is_refused(tmp_path: Path, unit: str) -> None:
    np.save(tmp_path / "r.npy", LEAD)
    options = ReadOptions(fs=FS, unit=unit)
    assert f"its samples are in {unit!r}, which is no voltage" in refusal(lambda: read(tmp_path / "r.npy", options))


def test_a_gap_in_the_times_of_a_table_is_a_gap_of_the_recording(tmp_path: Path) -> None:
    there = (np.arange(len(LEAD)) < 500) | (np.arange(len(LEAD)) >= 700)
    pd.DataFrame({"time": TIMES[there], "II_mV": LEAD[there]}).to_csv(tmp_path / "r.csv", index=False)
    record = read(tmp_path / "r.csv")
    assert (record.fs, len(record.signal), record.gaps) == (FS, len(LEAD), 1)
    assert record.missing == pytest.approx(200 / len(LEAD))
    np.testing.assert_allclose(record.signal[there], LEAD[there], atol=1e-6)


@given(
    fs=st.sampled_from([128, 180, 240, 256, 300, 360, 400, 512]) | st.integers(50, 550),
    digits=st.sampled_from([3, 4, 6]),
    start=st.floats(0, 1e5),
    gap=st.none() | st.integers(2, 500),
)
def test_times_that_a_clock_has_rounded_tell_the_rate_all_the_same(
    tmp_path_factory: pytest.TempPathFactory, fs: int, digits: int, start: float, gap: int | None
) -> None:
    path = tmp_path_factory.mktemp("clock") / "r.csv"
    there = np.ones(3000, dtype=bool)
    if gap is not None:
        there[1000 : 1000 + gap] = False
    times = np.round(start + np.arange(3000) / fs, digits)[there]
    pd.DataFrame({"time": times, "II_mV": np.sin(np.arange(3000) / 9)[there]}).to_csv(path, index=False)
    record = read(path)
    assert record.fs == fs
    assert record.remarks == ()
    assert record.gaps == (gap is not None)
    assert abs(len(record.signal) - 3000) <= 1  # a gap of rounded ends may be a sample longer


def test_times_that_are_not_even_are_said_not_to_be(tmp_path: Path) -> None:
    steps = np.where(np.arange(1999) < 1000, 0.004, 0.0052)
    times = np.concatenate([[0], np.cumsum(steps)])
    pd.DataFrame({"time": times, "II_mV": LEAD}).to_csv(tmp_path / "r.csv", index=False)
    assert read(tmp_path / "r.csv").remarks == ("its samples are not evenly spaced; taken as if they were",)


@pytest.mark.parametrize(
    ("names", "lead"),
    [
        (["time_s", "V1_mV", "I_mV"], "I"),
        (["t", "MDC_ECG_LEAD_V1", "MDC_ECG_LEAD_I"], "MDC_ECG_LEAD_I"),
        (["time", "V1 [uV]", "ECG I [uV]"], "ECG I"),
        (["time", "dev", "ecg_uV"], "ecg"),
    ],
)
def test_a_lead_is_known_whatever_is_written_around_it(tmp_path: Path, names: list[str], lead: str) -> None:
    pd.DataFrame(dict(zip(names, (TIMES, OTHER, LEAD), strict=True))).to_csv(tmp_path / "r.csv", index=False)
    assert read(tmp_path / "r.csv").lead == lead


def test_times_that_jump_far_are_refused(tmp_path: Path) -> None:
    times = np.arange(2000) / FS + 3600 * np.floor(np.arange(2000) / 50)
    pd.DataFrame({"time": times, "II_mV": LEAD}).to_csv(tmp_path / "r.csv", index=False)
    message = refusal(lambda: read(tmp_path / "r.csv"))
    assert "more than half of the time its rows span is missing" in message


def test_missing_values_in_a_table_are_gaps(tmp_path: Path) -> None:
    values = pd.Series(LEAD).mask((np.arange(len(LEAD)) // 50) % 20 == 3)
    pd.DataFrame({"time": TIMES, "II_mV": values}).to_csv(tmp_path / "r.csv", index=False)
    record = read(tmp_path / "r.csv")
    assert record.gaps == 2
    assert record.missing == pytest.approx(values.isna().mean())


def test_a_word_among_numbers_is_named_by_its_line(tmp_path: Path) -> None:
    lines = ["ecg_mV", *(f"{value:.4f}" for value in np.tile(LEAD, 10))]
    lines[15_000] = "oops"
    (tmp_path / "r.csv").write_text("\n".join(lines))
    assert "line 15001: 'oops' is not a number; correct this line" in refusal(
        lambda: read(tmp_path / "r.csv", ReadOptions(fs=FS))
    )


def test_a_bad_line_among_rows_is_named_and_what_is_before_it_is_no_header(tmp_path: Path) -> None:
    rows = [f"{value:.4f}" for value in LEAD[:500]]
    (tmp_path / "r.csv").write_text("\n".join(["ecg (mV)", *rows[:99], "oops", *rows[99:]]))
    message = refusal(lambda: read(tmp_path / "r.csv", ReadOptions(fs=FS)))
    assert "line 101: 'oops' is not a number; correct this line" in message


@pytest.mark.parametrize("content", [b"\n\n", b"just words\nand more\n", b"<html></html>", "ä,ö\n".encode("latin-1")])
def test_text_without_numbers_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.csv").write_bytes(content)
    assert "there are no lines of numbers in this text file" in refusal(lambda: read(tmp_path / "r.csv"))


@pytest.mark.parametrize("suffix", [".csv", ".edf", ".npy", ".dcm", ".parquet", ".mat", ".hea", ""])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"r{suffix}"
    path.touch()
    assert refusal(lambda: read(path)) == f"{path}: this file is empty; get it anew"


@pytest.mark.parametrize("options", [{"fs": "300"}, {"lead": 2}, {"unit": 200}])
def test_wishes_of_another_type_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    assert refusal(lambda: ReadOptions(**options)).startswith(f"{name} {options[name]!r}: give")


def test_a_table_of_times_alone_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"time": TIMES, "index": np.arange(len(TIMES))}).to_csv(tmp_path / "r.csv", index=False)
    assert "there is no column of voltages in it" in refusal(lambda: read(tmp_path / "r.csv"))


@pytest.mark.parametrize("name", ["r.edf", "r.bdf", "r.npy", "r.npz", "r.parquet", "r.dcm", "r.mat"])
@given(content=st.binary(max_size=600))
@settings(deadline=None, max_examples=8)
def test_garbage_is_refused_by_name(tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes) -> None:
    path = tmp_path_factory.mktemp("garbage") / name
    path.write_bytes(content)
    assert refusal(lambda: read(path)).startswith(str(path))


@pytest.mark.parametrize("writer", ["edf", "bdf", "npz", "parquet", "dicom", "mat-4", "mat-5", "csv", "apple"])
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


def test_a_deflated_dicom_file_is_read(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(as_dicom(tmp_path))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "r.dcm")
    np.testing.assert_allclose(read(tmp_path / "r.dcm").signal, LEAD, atol=3e-4)


def test_what_a_library_warns_of_and_still_reads_is_not_said(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = as_dicom(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1", b"1.2.840.10008.1..21"))
    with pytest.warns(UserWarning, match="Invalid value for VR UI"):
        pydicom.dcmread(path)
    np.testing.assert_allclose(read(path).signal, LEAD, atol=3e-4)
    assert not recwarn.list


PACKED: dict[str, Callable[[Path], object]] = {
    "r.npz": lambda folder: np.savez_compressed(folder / "r.npz", ecg=ZEROS, fs=300),
    "r.mat": lambda folder: scipy.io.savemat(folder / "r.mat", {"ecg": ZEROS}, do_compression=True),
    "r.parquet": lambda folder: pd.DataFrame({"ecg": ZEROS}).to_parquet(folder / "r.parquet"),
    "r.dcm": deflated_dicom,
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


@pytest.fixture
def plugin(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package, as pip installs it, that reads a format of its own."""
    site = tmp_path_factory.mktemp("site")
    (site / "hex_ecg.py").write_text(PLUGIN)
    (site / "hex_ecg-1.0.dist-info").mkdir()
    (site / "hex_ecg-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: hex-ecg\nVersion: 1.0\n")
    (site / "hex_ecg-1.0.dist-info" / "entry_points.txt").write_text("[ecg_rhythm.formats]\n.hex = hex_ecg:open_hex\n")
    monkeypatch.syspath_prepend(site)
    formats.plugins.cache_clear()
    yield
    formats.plugins.cache_clear()


@pytest.mark.usefixtures("plugin")
def test_a_plugin_reads_a_format_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "r.hex").write_text("0 ff 10 " * 50)
    assert read(tmp_path / "r.hex").signal[:3].tolist() == pytest.approx([0, 0.255, 0.016])
    assert records.find(tmp_path) == {"r": tmp_path / "r.hex"}


def test_a_folder_lists_each_recording_once(tmp_path: Path) -> None:
    as_segments(tmp_path)
    (tmp_path / "sub").mkdir()
    csv = as_csv()(tmp_path / "sub")
    assert files_in(tmp_path) == [tmp_path / "r.hea", csv]


def test_a_pattern_takes_each_recording_once(tmp_path: Path) -> None:
    as_segments(tmp_path)
    assert records.expand([f"{tmp_path}/*"]) == [tmp_path / "r.hea"]
    as_wfdb(tmp_path)
    assert records.expand([f"{tmp_path}/*.dat"]) == sorted(tmp_path.glob("*.dat"))


@pytest.mark.parametrize(
    ("header", "fs"),
    [
        ("# powerline: 50 Hz\n# fs: 250\n", 250),
        ("# recorded 2024, 0.05-150 Hz, fs=500 Hz\n", 500),
        ("# ECG 1,000 Hz\n", 1000),
        ("# Abtastrate,499,806 Hertz\n", 499.806),
        ("# samples: 2000\n# sampling frequency (Hz): 128\n", 128),
        ("# rate = 1 kHz\n", 1000),
        ("# mains 50 Hz\n# line frequency: 60\n", None),
        ("# 250 Hz, later 300 Hz\n", None),
        ("Ventricular rate: 150 BPM\n", None),
        ("Rate: 75\n", None),
        ("Vent. rate,75\n", None),
        ("# Response: 0.05-150 Hz\n", None),
        ("# Filtro: 50 Hz\n", None),
        ("# LP: 100 Hz\n", None),
        ("# Chart rate: 25 mm/s\n", None),
        ("# Sampling interval: 4 ms\n", None),
        ("# Sampling date: 2024-01-05\n", None),
        ("# Sampling start: 12:00:00\n# Sampling rate: 250\n", 250),
        ("# Sampling resolution: 16 bit\n# Sampling rate: 250 Hz\n", 250),
        ("# Fréquence d’échantillonnage,512 hertz\n", 512),
        ("# frecuencia de muestreo: 500\n", 500),
    ],
)
def test_the_sampling_rate_is_told_from_other_frequencies(tmp_path: Path, header: str, fs: float | None) -> None:
    (tmp_path / "r.txt").write_text(header + "\n".join(f"{value:.4f}" for value in LEAD))
    if fs is None:
        assert "nothing in it tells its sampling rate" in refusal(lambda: read(tmp_path / "r.txt"))
    else:
        assert read(tmp_path / "r.txt").fs == fs


def test_a_frequency_that_may_be_another_is_said_and_goes_after_the_users(tmp_path: Path) -> None:
    path = text("# Rhythm strip, 200 Hz", "# unit: uV")(tmp_path)
    assert read(path).remarks == ("rate from the only frequency in its header",)
    record = read(path, ReadOptions(fs=250))
    assert (record.fs, record.remarks) == (250, ())


@pytest.mark.parametrize(
    "header", ["Sampling rate: 500 Hz\n", "Ventricular rate: 150 BPM\n", "Filtre: 50 Hz\n", "Sampling interval: 4 ms\n"]
)
def test_times_go_before_what_a_header_says(tmp_path: Path, header: str) -> None:
    record = read(rows(f"{header}time (s),ECG (mV)\n", lambda t, v: f"{t:.3f},{v:.6f}")(tmp_path))
    assert record.fs == FS
    assert record.remarks == (("its header says 500 Hz",) if "500" in header else ())


@pytest.mark.parametrize(
    "title",
    [
        "Zeit (s);Kanal 1 (mV)",
        "Temps (s);Voie 1 (mV)",
        "Tiempo;Derivación I (mV)",
        "时间(秒);心电(mV)",
        "tempo;valor (mV)",
        "datetime;value_mV",
        "ts;ECG (mV)",
        "",
    ],
)
@pytest.mark.parametrize(
    "time",
    [
        lambda t: f"{t:.4f}",
        lambda t: f"{t:.3f}",
        lambda t: f"{1000 * t:.0f}",
        lambda t: f"{1_700_000_000_000 + 1000 * t:.0f}",
        lambda t: f"2024-01-02T03:04:{t:06.3f}",
        lambda t: f"05.01.2024 10:20:{t:06.3f}",
        lambda t: f"10:20:{t:06.3f}",
        lambda t: f"0 days 00:00:{t:09.6f}",
    ],
    ids=["s", "rounded", "ms", "epoch", "iso", "german", "clock", "pandas"],
)
def test_a_column_that_rises_is_no_ecg_but_times(tmp_path: Path, title: str, time: Callable[[float], str]) -> None:
    if "(s)" in title or "秒" in title:
        title = title if time(1.0) in ("1.0000", "1.000") else title.replace("(s)", "").replace("(秒)", "")
    header = f"{title}\n" if title else ""
    path = rows(header, lambda t, v: f"{time(t)};{v:.6f}")(tmp_path)
    for options in (ReadOptions(unit="mV"), ReadOptions(fs=FS, unit="mV")):
        record = read(path, options)
        assert record.fs == FS
        np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_times_may_be_in_minutes_and_in_any_column(tmp_path: Path) -> None:
    minutes = rows("Time (min),ECG (mV)\n", lambda t, v: f"{t / 60:.8f},{v:.6f}")(tmp_path)
    assert read(minutes).fs == FS
    last = rows(",ECG (mV),timestamp (ms)\n", lambda t, v: f"{t * FS:.0f},{v:.6f},{1000 * t:.0f}")(tmp_path)
    record = read(last)
    assert (record.fs, record.lead) == (FS, "ECG")
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_of_several_columns_of_times_one_that_tells_the_rate_is_taken(tmp_path: Path) -> None:
    def row(t: float, v: float) -> str:
        return f"{np.floor(10 * t) / 10:.1f};{1000 * t:.0f};{1000 * v:.3f}"  # the first is of packets

    record = read(rows("phone timestamp;timestamp [ms];ecg [uV]\n", row)(tmp_path))
    assert record.fs == FS
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_a_column_of_samples_is_a_lead_if_it_does_not_count(tmp_path: Path) -> None:
    record = read(rows("timestamp,sample\n", lambda t, v: f"{t:.3f},{v:.6f}")(tmp_path), ReadOptions(unit="mV"))
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)
    record = read(rows("# fs: 250\n", lambda t, v: f"{round(t * FS) % 16},0,{v:.6f}")(tmp_path), ReadOptions(lead="2"))
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)  # the first column counts packets


def test_leads_have_names_in_any_script(tmp_path: Path) -> None:
    path = rows("time (s),呼吸,心电\n", lambda t, v: f"{t:.3f},0,{v:.6f}")(tmp_path)
    assert read(path).lead == "心电"
    for lead in ("", "心电图", "сердце"):
        assert f"there is no lead {lead!r} in it" in refusal(partial(read, path, ReadOptions(lead=lead)))


def test_why_times_tell_no_rate_is_said(tmp_path: Path) -> None:
    path = rows("time,ECG (mV)\n", lambda t, v: f"{SECONDS - t:.3f},{v:.6f}")(tmp_path)
    assert "column of times does not rise everywhere" in refusal(lambda: read(path))


def test_empty_lines_of_a_single_column_are_a_gap(tmp_path: Path) -> None:
    lines = [f"{value:.4f}" for value in LEAD]
    gone = slice(len(LEAD) // 2, len(LEAD) // 2 + 100)
    lines[gone] = [""] * 100
    options = ReadOptions(fs=FS, unit="mV")
    (tmp_path / "r.csv").write_text("ecg\n" + "\n".join(lines) + "\n")
    record = read(tmp_path / "r.csv", options)
    assert (len(record.signal), record.gaps) == (len(LEAD), 1)
    assert record.missing == pytest.approx(100 / len(LEAD))
    (tmp_path / "spaced.csv").write_text("\n\n".join(f"{value:.4f}" for value in LEAD))
    assert len(read(tmp_path / "spaced.csv", options).signal) == len(LEAD)
    (tmp_path / "remarked.csv").write_text("ecg\n" + "\n".join(f"{value:.4f}" for value in LEAD) + "\n# end\n")
    assert len(read(tmp_path / "remarked.csv", options).signal) == len(LEAD)


def test_a_columns_of_numbers_above_a_header_line_is_not_its_name(tmp_path: Path) -> None:
    german = text(*APPLE, "Abtastrate,250 Hertz", "", "", "Ableitung,Ableitung I", "Einheit,µV", "", name="r.csv")
    assert read(german(tmp_path)).lead == "Ableitung I"
    np.savetxt(tmp_path / "r.txt", LEAD, header="fs 250")
    assert (read(tmp_path / "r.txt").lead, read(tmp_path / "r.txt").fs) == ("ECG", FS)


@pytest.mark.parametrize("kind", ["npz", "mat", "npy", "parquet", "index"])
def test_times_beside_a_signal_tell_its_rate_and_gaps(tmp_path: Path, kind: str) -> None:
    there = (TIMES < 3) | (TIMES >= 5)
    times, lead = TIMES[there], LEAD[there]
    if kind == "npz":
        np.savez(tmp_path / "r.npz", time=times, v=lead)
    elif kind == "mat":
        scipy.io.savemat(tmp_path / "r.mat", {"t": times, "y": lead})
    elif kind == "npy":
        np.save(tmp_path / "r.npy", np.column_stack([times, lead]))
    else:
        table = pd.DataFrame({"ecg": lead})
        if kind == "index":
            table.index = pd.Timestamp("2024-01-05") + pd.to_timedelta(times, unit="s")
        else:
            table["when"] = pd.to_timedelta(times, unit="s")
        table.to_parquet(tmp_path / "r.parquet")
    (path,) = (path for path in tmp_path.iterdir())
    record = read(path, ReadOptions(unit="mV"))
    assert (record.fs, record.gaps, len(record.signal)) == (FS, 1, len(LEAD))
    np.testing.assert_allclose(record.signal[TIMES < 3], LEAD[TIMES < 3], atol=1e-5)


def test_an_array_of_another_kind_is_not_the_signal(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", annotation=np.arange(9 * len(LEAD)) % 7, lead_II=LEAD, fs=FS)
    np.testing.assert_allclose(read(tmp_path / "r.npz").signal, LEAD, atol=1e-5)


def test_a_dicom_files_padding_is_a_gap_and_its_group_with_an_ecg_is_read(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(as_dicom(tmp_path))
    group = dataset.WaveformSequence[0]
    samples = np.frombuffer(group.WaveformData, "<i2").reshape(-1, 2).copy()
    samples[500:750] = -32768
    group.WaveformData = samples.tobytes()
    group.add_new("WaveformPaddingValue", "OW", np.int16(-32768).tobytes())
    for channel, name in zip(group.ChannelDefinitionSequence, ("V1", "II"), strict=True):
        del channel.ChannelSourceSequence
        channel.ChannelLabel = name
    longer = copy.deepcopy(group)
    longer.NumberOfWaveformSamples = 2 * len(samples)
    longer.WaveformData = np.tile(samples, (2, 1)).tobytes()
    for channel in longer.ChannelDefinitionSequence:
        channel.ChannelLabel = "Pressure"
    dataset.WaveformSequence.append(longer)
    dataset.save_as(tmp_path / "r.dcm")
    record = read(tmp_path / "r.dcm")
    assert (record.lead, record.gaps, len(record.signal)) == ("II", 1, len(LEAD))


def test_a_long_record_that_begins_with_a_gap_has_the_unit_of_its_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_segments(tmp_path)
    (tmp_path / "r_layout.hea").write_text(f"r_layout 1 {FS:g} 0\n~ 0 10000(0)/mV 16 0 0 0 0 II\n")
    half = len(LEAD) // 2
    (tmp_path / "r.hea").write_text(f"r/4 1 {FS:g} {3 * half}\nr_layout 0\n~ {half}\nr1 {half}\nr2 {half}\n")
    monkeypatch.setattr("ecg_rhythm.records.formats.wfdb_record.SMALL", 10)
    recording = open_recording(tmp_path / "r.hea")
    np.testing.assert_allclose(recording.read(half, 3 * half), LEAD, atol=3e-4)
    assert np.isnan(recording.read(0, half)).all()


def test_a_name_with_brackets_is_no_pattern_where_a_record_has_it(tmp_path: Path) -> None:
    (tmp_path / "d[1]").mkdir()
    as_wfdb(tmp_path / "d[1]")
    name = str(tmp_path / "d[1]" / "r")
    assert records.expand([name, name]) == [Path(name)]
    assert "a name is empty" in refusal(lambda: records.expand([""]))


def test_a_folder_that_is_closed_is_told_of_and_the_rest_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    path = as_wfdb(tmp_path)
    scandir, access = os.scandir, os.access

    def refusing(folder: str) -> Any:
        if Path(folder).name == "sub":
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "sub" and access(path, mode))
    assert records.expand([str(tmp_path)]) == [path, tmp_path / "sub"]
    assert "sub: there is no permission to read it" in refusal(lambda: open_recording(tmp_path / "sub"))


def test_what_stands_for_no_file_is_told_of_and_the_rest_go_on(tmp_path: Path) -> None:
    path = as_wfdb(tmp_path)
    (tmp_path / "empty").mkdir()
    names = [str(tmp_path / "empty"), str(tmp_path / "*.xyz"), str(path)]
    assert records.expand(names) == [Path(name) for name in names]
    assert "empty: this folder is no recording" in refusal(lambda: open_recording(names[0]))
    assert "*.xyz: there is no such file" in refusal(lambda: open_recording(names[1]))


@pytest.mark.parametrize("writer", ["edf", "bdf"])
def test_an_edf_file_that_was_cut_off_says_so(tmp_path: Path, writer: str) -> None:
    path = WRITERS[writer](tmp_path)
    whole = read(path)
    content = path.read_bytes()
    path.write_bytes(content[: -len(content) // 3])
    record = read(path)
    assert re.fullmatch(rf"cut off: \d+ of its {SECONDS} data records are there", record.remarks[0])
    np.testing.assert_array_equal(record.signal, whole.signal[: len(record.signal)])
    path.write_bytes(content[:236] + b"-1      " + content[244:])  # as it is while it is being recorded
    assert read(path).remarks == ()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", ", "])
@pytest.mark.parametrize("seconds", [10, 60])  # a line of more than what a form is judged by, too
@pytest.mark.parametrize("header", ["", "# fs = 250 Hz\n"])
def test_a_line_of_text_may_be_a_lead(tmp_path: Path, delimiter: str, seconds: int, header: str) -> None:
    signal = np.resize(LEAD, round(seconds * FS))
    one = delimiter.join(f"{value:.4f}" for value in signal)
    other = delimiter.join(f"{-value:.4f}" for value in signal)
    options = ReadOptions(fs=FS, unit="mV")
    (tmp_path / "one.csv").write_text(f"{header}{one}\n")
    np.testing.assert_allclose(read(tmp_path / "one.csv", options).signal, signal, atol=6e-5)
    (tmp_path / "two.csv").write_text(f"{header}{one}\n{other}\n")
    np.testing.assert_allclose(read(tmp_path / "two.csv", options).signal, signal, atol=6e-5)
    np.testing.assert_allclose(read(tmp_path / "two.csv", replace(options, lead="2")).signal, -signal, atol=6e-5)
    (tmp_path / "bad.csv").write_text(f"{header}{one}{delimiter}abc\n")
    assert re.search(
        "no lines of numbers|not rows of as many numbers each", refusal(lambda: read(tmp_path / "bad.csv", options))
    )


def test_many_columns_are_leads_if_there_are_more_lines(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(300, 250))
    np.savetxt(tmp_path / "tall.csv", table, delimiter=",", fmt="%.4f", newline="\n\n")
    np.savetxt(tmp_path / "wide.csv", table.T, delimiter=",", fmt="%.4f", newline="\n\n")
    for name in ("tall", "wide"):
        record = read(tmp_path / f"{name}.csv", ReadOptions(fs=100, unit="mV", lead="7"))
        np.testing.assert_allclose(record.signal, table[:, 6], atol=6e-5)


def test_standard_input_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"ecg mV\n" + b"\n".join(b"%.4f" % value for value in LEAD)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    np.testing.assert_allclose(read("-", ReadOptions(fs=FS, unit="mV")).signal, LEAD, atol=1e-4)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"nonsense")))
    assert refusal(lambda: read("-")).startswith("-: there are no lines of numbers")
    monkeypatch.setattr(sys, "stdin", None)
    assert refusal(lambda: read("-")) == "-: there is no standard input; give files"


RESP = np.cos(2 * np.pi * 0.2 * TIMES)
COUNT, STILL = np.arange(len(LEAD)), np.zeros(len(LEAD))


@pytest.mark.parametrize(
    ("columns", "options", "lead"),
    [
        ({"time": TIMES, "V5": LEAD}, ReadOptions(unit="mV"), "V5"),
        ({"sample": COUNT, "V1": LEAD, "V2": OTHER}, ReadOptions(fs=FS), "V1"),
        ({"time": COUNT, "ecg": LEAD}, ReadOptions(fs=FS), "ecg"),
        ({"Time (samples)": COUNT, "ecg": LEAD}, ReadOptions(fs=FS), "ecg"),
        ({"ECG Timestamp (ms)": 1000 * TIMES, "ECG (mV)": LEAD}, ReadOptions(), "ECG"),
        ({"ecg_time": TIMES, "ecg_value": LEAD}, ReadOptions(), "ecg_value"),
        ({"ecg_index": COUNT, "ecg": LEAD}, ReadOptions(fs=FS), "ecg"),
        ({"i": COUNT, "ecg": LEAD}, ReadOptions(fs=FS), "ecg"),
        ({"time": TIMES, "X": RESP, "Y": RESP, "Z": RESP, "ECG": LEAD}, ReadOptions(), "ECG"),
        ({"time": TIMES, "state": STILL, "CH1": LEAD}, ReadOptions(), "CH1"),
        ({"time": TIMES, "CH1 (Ohm)": RESP, "CH2 (mV)": LEAD}, ReadOptions(), "CH2"),
        ({"time": TIMES, "ECG (Volts)": LEAD / 1000}, ReadOptions(), "ECG"),
        ({"time": TIMES, "ecg_V": LEAD / 1000}, ReadOptions(), "ecg_V"),
        ({"time": TIMES, "ECG (10 uV)": LEAD * 100}, ReadOptions(), "ECG"),
        ({"time": TIMES, "ECG I": RESP, "ECG I filtered": LEAD}, ReadOptions(lead="I filtered"), "ECG I filtered"),
        ({"time": TIMES, "SNUADC/ECG_V5": RESP, "SNUADC/ECG_II": LEAD}, ReadOptions(), "SNUADC/ECG_II"),
        ({"time": TIMES, "device ECG_V5": RESP, "device ECG_II": LEAD}, ReadOptions(lead="II"), "device ECG_II"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("write", ["csv", "tsv", "parquet"])
def test_a_table_is_read_by_the_names_of_its_columns(
    tmp_path: Path, columns: dict[str, NDArray[np.float64]], options: ReadOptions, lead: str, write: str
) -> None:
    table, path = pd.DataFrame(columns), tmp_path / f"r.{write}"
    if write == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="," if write == "csv" else "\t")
    record = read(path, options)
    assert (record.lead, record.fs, record.gaps) == (lead, FS, 0)
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_a_lead_of_one_value_is_read_if_it_is_wanted_or_called_an_ecg(tmp_path: Path) -> None:
    pd.DataFrame({"time": TIMES, "state": STILL, "CH1": LEAD}).to_csv(tmp_path / "a.csv", index=False)
    assert not read(tmp_path / "a.csv", ReadOptions(lead="state")).signal.any()
    pd.DataFrame({"time": TIMES, "ECG": STILL, "CH1": LEAD}).to_csv(tmp_path / "b.csv", index=False)
    assert read(tmp_path / "b.csv").lead == "ECG"


def test_a_table_of_no_voltage_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"time": TIMES, "CH1 (Ohm)": LEAD}).to_csv(tmp_path / "r.csv", index=False)
    assert "in 'Ohm', which is no voltage" in refusal(lambda: read(tmp_path / "r.csv"))


@pytest.mark.parametrize(
    "times",
    [
        np.cumsum(np.resize([0.006, 0.003, 0.003], len(LEAD))),
        TIMES + np.random.default_rng(0).uniform(-0.0015, 0.0015, len(LEAD)),
        10 / FS * (COUNT // 10) + 1e-4 * (COUNT % 10),
    ],
    ids=["in turns", "jitter", "packets"],
)
def test_times_of_packets_tell_the_rate_by_their_mean_and_no_gaps(tmp_path: Path, times: NDArray[np.float64]) -> None:
    pd.DataFrame({"time": times, "ecg_mV": LEAD}).to_csv(tmp_path / "r.csv", index=False)
    record = read(tmp_path / "r.csv")
    assert (record.fs, record.gaps, len(record.signal)) == (FS, 0, len(LEAD))
    assert "its samples are not evenly spaced; taken as if they were" in record.remarks
    assert read(tmp_path / "r.csv", ReadOptions(fs=256)).fs == 256


@pytest.mark.parametrize(
    "form", ["%Y/%m/%d %H:%M:%S", "%m/%d/%y %H:%M:%S", "%d-%m-%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S", "%Y-%m-%d,%H:%M:%S"]
)
@pytest.mark.parametrize("start", ["2024-02-29 23:59:57", "2024-02-29 10:00:00"])
def test_dates_are_read_in_any_order(tmp_path: Path, form: str, start: str) -> None:
    moments = pd.Timestamp(start) + pd.to_timedelta(TIMES, unit="s")
    title = "Date,Time,ECG (mV)" if "," in form else "Time,ECG (mV)"
    lines = (f"{m.strftime(form)}.{m.microsecond // 1000:03},{v:.5f}" for m, v in zip(moments, LEAD, strict=True))
    (tmp_path / "r.csv").write_text("\n".join([title, *lines]) + "\n")
    record = read(tmp_path / "r.csv")
    assert (record.fs, record.gaps) == (FS, 0)
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_clocks_of_twelve_hours_begin_anew_at_one(tmp_path: Path) -> None:
    moments = pd.Timestamp("2024-02-29 12:59:57") + pd.to_timedelta(TIMES, unit="s")
    lines = (f"{m:%I:%M:%S}.{m.microsecond // 1000:03} PM,{v:.5f}" for m, v in zip(moments, LEAD, strict=True))
    (tmp_path / "r.csv").write_text("\n".join(["Time,ECG (mV)", *lines]) + "\n")
    assert (read(tmp_path / "r.csv").fs, len(read(tmp_path / "r.csv").signal)) == (FS, len(LEAD))


def test_columns_keep_their_names_with_tabs_at_their_ends(tmp_path: Path) -> None:
    lines = (f"{t:.3f}\t{r:.4f}\t{v:.5f}\t" for t, r, v in zip(TIMES, RESP, LEAD, strict=True))
    (tmp_path / "r.tsv").write_text("\n".join(["time (s)\tRESP\tII (mV)\t", *lines]) + "\n")
    record = read(tmp_path / "r.tsv")
    assert (record.lead, record.fs) == ("II", FS)
    pd.DataFrame({"RESP": RESP, "II": LEAD}).to_csv(tmp_path / "r.tsv", sep="\t")
    assert read(tmp_path / "r.tsv", ReadOptions(fs=FS)).lead == "II"


def test_lines_of_keys_are_no_titles(tmp_path: Path) -> None:
    rows = "\n".join(f"{t:.3f}\t{r:.4f}\t{v:.5f}" for t, r, v in zip(TIMES, RESP, LEAD, strict=True))
    (tmp_path / "r.txt").write_text(f"Interval=\t0.004 s\nChannelTitle=\tResp\tECG\nRange=\t10 V\t10 mV\n{rows}\n")
    record = read(tmp_path / "r.txt")
    assert (record.lead, record.fs) == ("ECG", FS)


def test_arrays_named_after_leads_are_leads(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", II=OTHER, I=LEAD, srate=FS)
    assert read(tmp_path / "r.npz").lead == "I"
    np.testing.assert_allclose(read(tmp_path / "r.npz", ReadOptions(lead="ii")).signal, OTHER, atol=1e-5)
    np.savez(tmp_path / "r.npz", x=RESP, y=RESP, z=RESP, ecg_clean=LEAD, fs=FS)
    assert read(tmp_path / "r.npz").lead == "ecg_clean"
    np.savez(tmp_path / "r.npz", x=TIMES, y=LEAD)
    assert read(tmp_path / "r.npz").fs == FS


def test_many_recordings_in_one_array_are_refused(tmp_path: Path) -> None:
    beats = np.random.default_rng(0).normal(size=(500, 187))
    np.save(tmp_path / "r.npy", beats)
    assert "many recordings rather than leads; choose with --lead" in refusal(lambda: read(tmp_path / "r.npy"))
    channels = {"data": np.tile(LEAD, 2)[None], "datastart": np.array([[1], [2001]]), "samplerate": FS}
    scipy.io.savemat(tmp_path / "r.mat", channels)
    assert "export one channel alone" in refusal(lambda: read(tmp_path / "r.mat"))


def test_a_rate_is_found_in_chinese(tmp_path: Path) -> None:
    for told in ("512赫兹", "512 Hz"):
        (tmp_path / "r.csv").write_text("\n".join(["姓名,X", f"采样率,{told}", "", "单位,µV", "", *map(str, LEAD)]))
        assert read(tmp_path / "r.csv").fs == 512


def test_a_damaged_record_of_compressed_samples_is_refused(tmp_path: Path) -> None:
    path = as_wfdb_flac(tmp_path)
    content = (tmp_path / "r.dat").read_bytes()
    for damaged in (content[: len(content) // 2], content[:4] + bytes(500)):
        (tmp_path / "r.dat").write_bytes(damaged)
        assert "this WFDB record is damaged" in refusal(lambda: read(path))


def test_a_record_that_is_its_own_segment_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.hea").write_text("r/2 1 300 12000\nr 6000\nr 6000\n")
    assert "this WFDB record is damaged" in refusal(lambda: read(tmp_path / "r.hea"))


def test_names_that_the_wfdb_library_changes_are_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = as_wfdb(tmp_path)
    text = path.read_text()
    path.write_text(f"{text}Größe 1\n")  # no file's name
    np.testing.assert_allclose(read(path).signal, LEAD, atol=1e-3)
    path.write_text(text)
    (tmp_path / "r.dat").rename(tmp_path / "Müller.dat")
    path.write_text(path.read_text().replace("r.dat", "Müller.dat"))
    assert "it names Müller.dat, but WFDB knows ASCII letters alone" in refusal(lambda: read(path))
    (tmp_path / "a::b").mkdir()
    path = as_wfdb(tmp_path / "a::b")
    monkeypatch.chdir(path.parent)
    for name in (path, Path("r.hea")):
        assert "takes the '::' in this path for something else; rename it" in refusal(partial(read, name))


@pytest.mark.parametrize(
    "arrays",
    [
        {"data": LEAD, "i": 5.0},
        {"data": LEAD, "II": np.arange(3.0)},
        {"data": LEAD, "val": 7.0},
        {"data": LEAD, "val": np.arange(3.0)},
        {"I": LEAD, "i": 5.0},
        {"ECG": LEAD, "ecg": 5.0},
        {"I": LEAD, "II": OTHER, "i": 5.0},
        {"ii": LEAD, "audio": np.zeros(200 * len(LEAD))},
        {"II": LEAD, "weights": np.zeros((2, 150 * len(LEAD)))},
    ],
)
def test_a_signal_is_known_by_its_name_if_it_is_long_enough_to_be_one(tmp_path: Path, arrays: dict[str, Any]) -> None:
    scipy.io.savemat(tmp_path / "r.mat", {"fs": FS, **arrays})
    np.testing.assert_allclose(read(tmp_path / "r.mat").signal, LEAD, atol=1e-5)


def test_a_signal_of_one_sample_is_refused_by_the_name_of_its_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", signal=np.array([1.0]), fs=1)
    record = read(tmp_path / "r.npz")
    message = refusal(lambda: records.check_length(record, "r.npz"))
    assert message.startswith("r.npz: a single sample is too short")


def test_a_line_of_too_long_a_field_is_refused(tmp_path: Path) -> None:
    row = ",".join(["1.5"] * 300)
    (tmp_path / "r.csv").write_text(f"{row}\n" * 100 + '"' + "x" * 140_000 + f"\n{row}\n")
    assert "not rows of as many numbers each" in refusal(lambda: read(tmp_path / "r.csv", ReadOptions(fs=FS)))


def test_a_quote_in_a_header_that_is_not_closed_is_part_of_it(tmp_path: Path) -> None:
    record = read(rows('Patient,"Doe\ntime (s),ECG (mV)\n', lambda t, v: f"{t:.3f},{v:.6f}")(tmp_path))
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_columns_of_one_name_are_not_taken_for_each_other(tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_arrays([pa.array(OTHER), pa.array(LEAD)], ["ecg", "ecg"]), tmp_path / "r.parquet")
    message = refusal(lambda: read(tmp_path / "r.parquet", ReadOptions(lead="2", fs=FS)))
    assert "several columns are called 'ecg'; give each a name of its own" in message
    markers = pa.array(np.zeros(len(LEAD)))
    table = pa.Table.from_arrays([pa.array(LEAD), markers, markers], ["ecg", "marker", "marker"])
    parquet.write_table(table, tmp_path / "r.parquet")
    np.testing.assert_allclose(read(tmp_path / "r.parquet", ReadOptions(fs=FS)).signal, LEAD, atol=1e-5)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    for name, content in (("one", as_csv()(tmp_path).read_bytes()), ("other", b"nonsense")):
        pipe = tmp_path / name
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(content,))
        writer.start()
        if name == "one":
            record = read(pipe, ReadOptions(fs=FS / 2))
            np.testing.assert_allclose(record.signal, LEAD, atol=1e-4)
            assert record.name == "one" and len([remark for remark in record.remarks if "own word" in remark]) == 1
        else:
            assert refusal(partial(read, pipe)).startswith(f"{pipe}: there are no lines of numbers")
        writer.join()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_a_closed_pipe_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(self: Path, *options: Any) -> IO[bytes]:
        raise PermissionError(13, "Permission denied", str(self))

    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "open", refusing)  # the user who runs tests may be one who may do anything
    assert "there is no permission to read it" in refusal(lambda: read(tmp_path / "pipe"))


def test_a_pattern_may_stand_for_folders(tmp_path: Path) -> None:
    (tmp_path / "sub" / ".checkpoints").mkdir(parents=True)
    path = as_csv()(tmp_path / "sub")
    for hidden in ("._r.csv", ".checkpoints/r.csv"):
        shutil.copy(path, tmp_path / "sub" / hidden)
    for pattern in ("s*", "**", "sub"):
        assert records.expand([str(tmp_path / pattern)]) == [path]


def test_a_file_that_cannot_be_looked_at_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = as_csv()(tmp_path)
    stat = Path.stat

    def refusing(self: Path, **options: Any) -> os.stat_result:
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return stat(self, **options)

    monkeypatch.setattr(Path, "stat", refusing)
    for name in (tmp_path, tmp_path / "*"):
        assert records.expand([str(name)]) == [path]
    assert refusal(lambda: open_recording(path)) == f"{path}: there is no permission to read it; change that"
