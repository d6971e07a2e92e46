"""Which lead is read by what its samples look like, in all formats alike."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import edfio
import neurokit2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ecg_rhythm.records import ReadOptions, read
from ecg_rhythm.records.columns import LIKELY, likeness, why_no_ecg
from tests.helpers import refusal
from tests.records.writers import edit_header, write_wfdb

FS, SECONDS = 250, 20
COUNT = np.arange(FS * SECONDS)
RNG = np.random.default_rng(1)
ECG = np.asarray(neurokit2.ecg_simulate(SECONDS, sampling_rate=FS, random_state=1), dtype=np.float64)
NO_ECG = {
    "flat": np.zeros(len(ECG)),
    "digital": (np.sin(COUNT / 90) > 0).astype(float),
    "rate": np.repeat(RNG.integers(60, 80, SECONDS), FS).astype(float),
    "count": (COUNT % 256).astype(float),
}
OTHERS = {
    "noise": RNG.normal(size=len(ECG)),
    "respiration": np.asarray(neurokit2.rsp_simulate(SECONDS, sampling_rate=FS, random_state=1), dtype=np.float64),
    "acceleration": 9.8 + 0.03 * RNG.normal(size=len(ECG)),
}
Signals = dict[str, NDArray[np.float64]]


def as_csv(path: Path, signals: Signals) -> Path:
    pd.DataFrame(signals).to_csv(path.with_suffix(".csv"), index=False)
    return path.with_suffix(".csv")


def as_edf(path: Path, signals: Signals) -> Path:
    leads = [
        edfio.EdfSignal(samples, FS, label=name, physical_dimension="mV", physical_range=(-20, 300))
        for name, samples in signals.items()
    ]
    edfio.Edf(leads).write(path.with_suffix(".edf"))
    return path.with_suffix(".edf")


def as_wfdb(path: Path, signals: Signals) -> Path:
    return write_wfdb(path.parent, path.name, np.column_stack(list(signals.values())), tuple(signals), fs=FS)


def as_npz(path: Path, signals: Signals) -> Path:
    np.savez(path.with_suffix(".npz"), signal=np.column_stack(list(signals.values())), leads=list(signals))
    return path.with_suffix(".npz")


WRITERS = pytest.mark.parametrize("write", [as_csv, as_edf, as_wfdb, as_npz])


@WRITERS
@pytest.mark.parametrize("kind", NO_ECG)
@pytest.mark.parametrize("names", [("I", "II"), ("CH1", "CH2")])
def test_what_cannot_be_an_ecg_is_passed_over_and_said(
    tmp_path: Path, write: Callable[[Path, Signals], Path], kind: str, names: tuple[str, str]
) -> None:
    path = write(tmp_path / "r", dict(zip(names, (NO_ECG[kind], ECG), strict=True)))
    record = read(path, ReadOptions(fs=FS, unit="mV"))
    assert record.lead == names[1]
    np.testing.assert_allclose(record.signal, ECG, atol=0.02)
    if not (kind == "count" and write is as_csv):  # a counter is no lead of a table
        assert any(f"passed over: {names[0]} " in remark for remark in record.remarks)
    assert read(path, ReadOptions(fs=FS, unit="mV", lead=names[1])).lead == names[1]


@WRITERS
@pytest.mark.parametrize("kind", OTHERS)
def test_of_leads_without_known_names_the_first_that_looks_like_an_ecg_is_read(
    tmp_path: Path, write: Callable[[Path, Signals], Path], kind: str
) -> None:
    record = read(write(tmp_path / "r", {"CH1": OTHERS[kind], "CH2": ECG}), ReadOptions(fs=FS, unit="mV"))
    assert record.lead == "CH2"
    assert any("the first that looks like an ECG" in remark for remark in record.remarks)
    assert read(write(tmp_path / "s", {"II": OTHERS[kind], "CH2": ECG}), ReadOptions(fs=FS, unit="mV")).lead == "II"


def test_what_is_like_an_ecg() -> None:
    assert likeness(ECG, FS) > LIKELY
    for samples in OTHERS.values():
        assert why_no_ecg(samples) is None
        assert likeness(samples, FS) < LIKELY
    for samples in NO_ECG.values():
        assert why_no_ecg(samples) is not None


@pytest.mark.parametrize("unknown", ["m/(s^2)", "m/s²", "CAL", "no units", "foo"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_row_of_units_is_known_though_one_of_them_is_not(tmp_path: Path, unknown: str, delimiter: str) -> None:
    rows = [["time", "acc_x", "ECG"], ["s", unknown, "uV"]]
    rows += [[f"{i / FS:.3f}", "9.8", f"{1000 * value:.2f}"] for i, value in enumerate(ECG)]
    (tmp_path / "r.txt").write_text("\n".join(delimiter.join(row) for row in rows))
    record = read(tmp_path / "r.txt")
    assert (record.lead, record.fs) == ("ECG", FS)
    np.testing.assert_allclose(record.signal, ECG, atol=1e-4)


@pytest.mark.parametrize(("sensors", "lead"), [(["EDABIT", "ECGBIT"], "A2 ECGBIT"), (["ECGBIT", "RAW"], "A1 ECGBIT")])
def test_a_header_of_json_names_columns_sensors_and_rate(tmp_path: Path, sensors: list[str], lead: str) -> None:
    device = {
        "sensor": sensors,
        "column": ["nSeq", "I1", "O1", "A1", "A2"],
        "sampling rate": FS,
        "resolution": [10, 10],
    }
    header = f"# OpenSignals Text File Format\n# {json.dumps({'AA:BB': device})}\n# EndOfHeader\n"
    counts = np.rint(500 + 100 * ECG)
    rows = [f"{i % 16}\t1\t0\t{counts[i]:.0f}\t{counts[i] + 3:.0f}\t" for i in range(len(ECG))]
    (tmp_path / "r.txt").write_text(header + "\n".join(rows) + "\n")
    record = read(tmp_path / "r.txt")
    assert (record.lead, record.fs) == (lead, FS)
    assert read(tmp_path / "r.txt", ReadOptions(lead="A2")).lead.startswith("A2")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("r 1 250 5000", "r.mat 1 250 5000"),
        ("r 1 250 5000", "r 1 250 0"),
        ("r 1 250 5000", "r 1 250 5000 10:00:00 12/03/199"),
        ("r 1 250 5000", "r 1 250 5000 10:00:00 2020-05-01"),
        ("r 1 250 5000", "r 1 250 5000 05-May-2020 14:50:55"),
        ("ECG\n", "ECG\nAge: 25\nSex: Male\n"),
        ("r.dat", "C:\\data\\r.dat"),
        ("r.dat", "./r.dat"),
        ("r 1 250", "data/r 1 250"),
    ],
)
def test_a_wfdb_header_is_read_whatever_is_wrong_with_what_does_not_matter(tmp_path: Path, old: str, new: str) -> None:
    header = edit_header(write_wfdb(tmp_path, signals=ECG, fs=FS), old, new)
    record = read(header)
    assert (record.fs, record.remarks) == (FS, ())
    np.testing.assert_allclose(record.signal, ECG, atol=1e-3)


@pytest.mark.parametrize("left", [9998, 5000])
def test_a_wfdb_record_whose_signal_file_is_cut_off_is_read_with_a_remark(tmp_path: Path, left: int) -> None:
    header = write_wfdb(tmp_path, signals=ECG, fs=FS)
    signals = header.with_suffix(".dat")
    signals.write_bytes(signals.read_bytes()[:left])
    record = read(header)
    assert (len(record.signal), record.remarks) == (left // 2, (f"cut off: {left // 2} of its 5000 samples are there",))


def test_a_wfdb_record_in_upper_case_is_read(tmp_path: Path) -> None:
    header = write_wfdb(tmp_path, signals=ECG, fs=FS)
    for path in (header, header.with_suffix(".dat")):
        path.rename(path.with_name(path.name.upper()))
    for name in ("R", "R.HEA", "R.DAT"):
        np.testing.assert_allclose(read(tmp_path / name).signal, ECG, atol=1e-3)


def test_several_samples_in_a_frame_are_all_read_in_records_of_segments_too(tmp_path: Path) -> None:
    counts = np.rint(200 * ECG).astype("<i2")
    half = len(counts) // 2
    for name, part in (("r1", counts[:half]), ("r2", counts[half:])):
        frames = np.column_stack([part.reshape(-1, 4), np.zeros(len(part) // 4, "<i2")]).astype("<i2")
        (tmp_path / f"{name}.dat").write_bytes(frames.tobytes())
        lines = [
            f"{name} 2 62.5 {len(frames)}",
            f"{name}.dat 16x4 200/mV 16 0 0 0 0 II",
            f"{name}.dat 16 1/NU 16 0 0 0 0 Pleth",
        ]
        (tmp_path / f"{name}.hea").write_text("\n".join(lines) + "\n")
    layout = ["r0 2 62.5 0", "~ 0x4 200/mV 16 0 0 0 0 II", "~ 0 1/NU 16 0 0 0 0 Pleth"]
    (tmp_path / "r0.hea").write_text("\n".join(layout) + "\n")
    segments = ["r0 0", f"r1 {half // 4}", "~ 100", f"r2 {half // 4}"]
    (tmp_path / "r.hea").write_text("\n".join([f"r/4 2 62.5 {len(counts) // 4 + 100}", *segments]) + "\n")
    record = read(tmp_path / "r")
    assert (record.fs, record.lead, record.gaps, len(record.signal)) == (250, "II", 1, len(counts) + 400)
    np.testing.assert_allclose(record.signal[:half], ECG[:half], atol=3e-3)
    np.testing.assert_allclose(record.signal[half + 400 :], ECG[half:], atol=3e-3)


def edf_with(path: Path, low: str, high: str) -> Path:
    edfio.Edf(
        [edfio.EdfSignal(ECG * 1000, FS, label="ECG", physical_dimension="uV", physical_range=(-3276.8, 3276.7))]
    ).write(path)
    content = bytearray(path.read_bytes())
    content[256 + 104 : 256 + 120] = low.ljust(8).encode() + high.ljust(8).encode()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("low", "high"), [("-3276.8", "3276.7"), ("-3276,8", "3276,7")])
def test_an_edf_range_may_have_a_decimal_comma(tmp_path: Path, low: str, high: str) -> None:
    with warnings.catch_warnings(action="error"):
        record = read(edf_with(tmp_path / "r.edf", low, high))
    np.testing.assert_allclose(record.signal, ECG, atol=1e-3)
    assert record.remarks == ()


@pytest.mark.parametrize(("low", "high"), [("0", "0"), ("5", "5"), ("", ""), ("?", "100"), ("nan", "1")])
def test_an_edf_without_a_range_is_said_to_be_uncalibrated(tmp_path: Path, low: str, high: str) -> None:
    record = read(edf_with(tmp_path / "r.edf", low, high))
    assert "not calibrated, as its header gives no range of values" in record.remarks
    assert any("unit unknown" in remark for remark in record.remarks)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"BZh91AY", "this is a bzip2 archive; unpack it"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "this HDF5 file is damaged"),
        (b"<?xml version='1.0'?><ClinicalDocument/>", "this is an XML file of an unknown layout; export"),
        (b'{"weight": [1, 2]}', "this is a JSON file of an unknown layout; save"),
        (b"RIFF0000WAVE", "this WAV file is damaged"),
        (b"%PDF-1.7", "this is a PDF; a printed ECG cannot be read"),
        (bytes(16) + b"SCPECG" + bytes(90), "this SCP-ECG file is damaged"),
    ],
)
@pytest.mark.parametrize("name", ["r", "r.csv", "r.edf", "r.xyz"])
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, says: str, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert f"{tmp_path / name}: {says}" in refusal(lambda: read(tmp_path / name))


def test_what_a_library_says_of_a_file_is_in_the_message(tmp_path: Path) -> None:
    header = write_wfdb(tmp_path, signals=ECG, fs=FS)
    edit_header(header, " 16 ", " 99 ")
    message = refusal(lambda: read(header))
    assert "99" in message
    assert "check its header, or get a new copy" in message


def test_fields_of_a_struct_and_axes_of_length_one_are_found(tmp_path: Path) -> None:
    import scipy.io

    scipy.io.savemat(tmp_path / "r.mat", {"ECG": {"sex": "Male", "age": 60.0, "data": np.stack([ECG, -ECG])}})
    np.testing.assert_allclose(read(tmp_path / "r.mat", ReadOptions(fs=FS, unit="mV")).signal, ECG, atol=1e-6)
    scipy.io.savemat(tmp_path / "s.mat", {"data": {"signal": ECG, "Fs": 500.0, "units": "mV"}})
    assert read(tmp_path / "s.mat").fs == 500
    for shape in ((1, 1, -1), (1, -1, 1), (1, -1)):
        np.save(tmp_path / "r.npy", ECG.reshape(shape))
        assert len(read(tmp_path / "r.npy", ReadOptions(fs=FS)).signal) == len(ECG)


@pytest.mark.parametrize("columns", [188, 100])
def test_a_table_of_beats_is_refused(tmp_path: Path, columns: int) -> None:
    beats = np.random.default_rng(0).random((300, columns)).round(3)
    pd.DataFrame(beats).to_csv(tmp_path / "r.csv", header=False, index=False)
    message = refusal(lambda: read(tmp_path / "r.csv", ReadOptions(fs=125)))
    assert f"{columns} columns or rows without names are many recordings or beats" in message


@pytest.mark.parametrize("fs", ["1e12", "1e308", "9" * 400, "1e-9", "nan"])
def test_an_impossible_rate_is_refused_before_anything_is_computed_with_it(tmp_path: Path, fs: str) -> None:
    rows = "\n".join(f"{value:.4f},{-value:.4f}" for value in np.sin(np.arange(3000) / 9))
    (tmp_path / "r.csv").write_text(f"a,b\n{rows}\n")
    says = "is not one of an ECG; give the right one with --fs"
    assert says in refusal(lambda: read(tmp_path / "r.csv", ReadOptions(fs=float(fs))))
    if fs not in ("nan", "1e-9"):  # which a header would not say
        (tmp_path / "r.csv").write_text(f"fs: {fs}\na,b\n{rows}\n")
        assert says in refusal(lambda: read(tmp_path / "r.csv"))
