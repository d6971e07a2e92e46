from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import ReadOptions, Record, check_length, fill_gaps, find, open_recording, read, resample
from tests.helpers import refusal

WAVE = np.sin(np.arange(1000) / 20)
HEADER = "{name} 1 300 1000\n{name}.dat 16 1000/mV 16 0 0 0 0 ECG\n"


def write(
    folder: Path,
    name: str = "r",
    signals: ArrayLike = WAVE,
    leads: tuple[str, ...] = ("ECG",),
    unit: str = "mV",
    fmt: str = "16",
    fs: float = 300,
) -> Path:
    """Write a WFDB record, one column per lead; returns the path of its header."""
    columns = np.asarray(signals, np.float64).reshape(-1, len(leads))
    kinds = {"units": [unit] * len(leads), "fmt": [fmt] * len(leads)}
    wfdb.wrsamp(name, fs=fs, sig_name=list(leads), p_signal=columns, write_dir=str(folder), **kinds)
    return folder / f"{name}.hea"


def write_mat(path: Path, samples: ArrayLike, variable: str = "val") -> Path:
    scipy.io.savemat(path, {variable: samples}, format="4")
    return path


@pytest.mark.parametrize(("fmt", "resolution"), [("16", 2**16), ("212", 2**12), ("24", 2**24), ("80", 2**8)])
@pytest.mark.parametrize(("unit", "scale"), [("mV", 1), ("uV", 1e3), ("V", 1e-3), ("nV", 1e6)])
def test_any_wfdb_format_and_voltage_unit_is_read_in_mv(
    tmp_path: Path, fmt: str, resolution: int, unit: str, scale: float
) -> None:
    record = read(write(tmp_path, signals=WAVE * scale, unit=unit, fmt=fmt))
    assert record.signal.dtype == np.float32
    np.testing.assert_allclose(record.signal, WAVE, atol=2.1 / resolution + 1e-6)
    assert (record.name, record.fs, record.lead) == ("r", 300, "ECG")


def edit(path: Path, old: str, new: str, encoding: str = "utf-8") -> Path:
    """Change a header; returns its path."""
    text = path.read_text()
    assert old in text
    path.write_bytes(text.replace(old, new).encode(encoding))
    return path


@pytest.mark.parametrize(
    ("unit", "encoding"), [("µV", "utf-8"), ("μV", "utf-8"), ("µV", "latin-1")], ids=["micro", "mu", "latin-1"]
)
def test_microvolts_may_be_written_with_a_greek_letter(tmp_path: Path, unit: str, encoding: str) -> None:
    path = edit(write(tmp_path, signals=WAVE * 1e3, unit="uV"), "uV", unit, encoding)
    np.testing.assert_allclose(read(path).signal, WAVE, atol=1e-3)


@pytest.mark.parametrize(("old", "new"), [(" V1\n", " V1, once in µV\n"), (" V1\n", " V1\n# calibrated in µV\n")])
def test_microvolts_elsewhere_in_a_header_leave_a_lead_in_volts(tmp_path: Path, old: str, new: str) -> None:
    path = write(tmp_path, signals=np.stack([WAVE, WAVE], axis=1) * 1e-3, leads=("II", "V1"), unit="V")
    np.testing.assert_allclose(read(edit(path, old, new)).signal, WAVE, atol=1e-3)


def test_microvolts_in_a_segment_are_read_as_such(tmp_path: Path) -> None:
    edit(write(tmp_path, "part", signals=WAVE * 1e3, unit="uV"), "uV", "µV")
    (tmp_path / "whole.hea").write_text("whole/1 1 300 1000\npart 1000\n")
    np.testing.assert_allclose(read(tmp_path / "whole").signal, WAVE, atol=1e-3)


@pytest.mark.parametrize("rate", ["360", "360.0", "360/1(0)", "360/1", "360(0)"])
def test_a_rate_is_read_in_all_its_forms(tmp_path: Path, rate: str) -> None:
    assert read(edit(write(tmp_path), " 300 ", f" {rate} ")).fs == 360


def test_a_header_without_a_rate_means_what_the_format_says(tmp_path: Path) -> None:
    assert read(edit(write(tmp_path), " 300 1000\n", "\n")).fs == 250


@pytest.mark.parametrize("rate", ["-5", "inf", "nan", "1e5x", "0.5", "300Hz", "0"])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, rate: str) -> None:
    path = edit(write(tmp_path), " 300 ", f" {rate} ")
    says = "the sampling rate in its first line is not one of an ECG in Hz; correct it there"
    assert refusal(lambda: read(path)) == f"{path}: {says}"


@pytest.mark.parametrize("fs", [100, 128, 257.5, 360, 1000])
def test_a_record_keeps_its_rate(tmp_path: Path, fs: float) -> None:
    record = read(write(tmp_path, fs=fs))
    assert record.fs == fs
    assert record.seconds == pytest.approx(1000 / fs)


@pytest.mark.parametrize("given_as", ["r", "r.hea", "r.dat"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_record_goes_by_its_name_and_by_its_files(
    tmp_path: Path, given_as: str, kind: Callable[[Path], str | Path]
) -> None:
    write(tmp_path)
    write(tmp_path, "other", signals=-WAVE)
    np.testing.assert_allclose(read(kind(tmp_path / given_as)).signal, WAVE, atol=1e-3)


def test_a_name_with_a_dot_is_a_name(tmp_path: Path) -> None:
    with_dot = write(tmp_path, "a").rename(tmp_path / "a.two.hea")
    without = write(tmp_path, "a")
    for given_as in ("a.two", "a.two.hea"):
        assert read(tmp_path / given_as).name == "a.two"
    assert find(tmp_path) == {"a": without, "a.two": with_dot}


def test_another_file_of_a_name_is_not_the_record(tmp_path: Path) -> None:
    write(tmp_path, "a")
    assert "there is no such file or WFDB record" in refusal(lambda: read(tmp_path / "a.edf"))
    (tmp_path / "a.edf").write_bytes(b"0       ")
    assert "this EDF or BDF file is damaged" in refusal(lambda: read(tmp_path / "a.edf"))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("x" * 300, "there is no such file or WFDB record"),
        ("a\0b", "there is no such file or WFDB record"),
        *((folder, "this folder is no recording") for folder in ("", ".", "..", "/")),
    ],
    ids=["long", "null", "empty", "here", "above", "root"],
)
def test_a_path_that_names_no_file_is_refused(path: str, says: str) -> None:
    assert says in refusal(lambda: read(path))


@pytest.mark.parametrize(
    ("leads", "chosen"),
    [
        (("V1", "II", "I"), "I"),
        (("V1", "V2", "ii"), "ii"),
        (("V5", "MLII"), "MLII"),
        (("MLII", "II"), "II"),
        (("V1", "V2"), "V1"),
        (("III", "aVL"), "III"),
        (("PLETH", "V5"), "V5"),
        (("ECG_HR", "ECG"), "ECG"),
        (("ECG Quality", "ECG signal"), "ECG signal"),
        (("Lead_Off_I", "Ch1"), "Ch1"),
        (("ACC_X", "MCL1"), "MCL1"),
        (("V1", "DII"), "DII"),
        (("V1", "Lead 2"), "Lead 2"),
        (("V1", "LeadII"), "LeadII"),
        (("V1", "II-raw"), "II-raw"),
        (("V1", "Ableitung II"), "Ableitung II"),
        (("V1", "ECG [II]"), "ECG [II]"),
        (("ECG1", "ECG2"), "ECG1"),
    ],
)
def test_of_several_leads_one_is_chosen(tmp_path: Path, leads: tuple[str, ...], chosen: str) -> None:
    columns = np.stack([WAVE * (i + 1) for i in range(len(leads))], axis=1)
    record = read(write(tmp_path, signals=columns, leads=leads))
    assert record.lead == chosen
    np.testing.assert_allclose(record.signal, WAVE * (leads.index(chosen) + 1), atol=1e-3)


@pytest.mark.parametrize(
    ("leads", "remark"),
    [
        (("Ch1", "Ch2"), "one of 2 leads, none of a name that is known"),
        (("EEG Fpz", "Resp"), "not called an ECG"),
        (("EEG Fpz",), "not called an ECG"),
    ],
)
def test_a_choice_that_may_be_wrong_is_said(tmp_path: Path, leads: tuple[str, ...], remark: str) -> None:
    path = write(tmp_path, signals=np.stack([WAVE] * len(leads), axis=1), leads=leads)
    assert read(path).remarks == (remark,)
    assert read(path, ReadOptions(lead=leads[0])).remarks == ()


def test_a_lead_in_volts_goes_before_one_that_is_not(tmp_path: Path) -> None:
    path = write(tmp_path, signals=np.stack([2 * WAVE, WAVE], axis=1), leads=("a", "b"))
    text = path.read_text().splitlines()
    path.write_text("\n".join([text[0], text[1].replace("/mV", "/NU"), text[2]]) + "\n")
    assert read(path).lead == "b"
    assert "no voltage" in refusal(lambda: read(path, ReadOptions(lead="a")))


@pytest.mark.parametrize("small", [4_000_000, 10])  # read at once, and stretch by stretch
@pytest.mark.parametrize("per_frame", [(4, 1), (1, 4), (4,)])
def test_each_lead_of_a_frame_is_read_at_its_own_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int, per_frame: tuple[int, ...]
) -> None:
    monkeypatch.setattr("ecg_rhythm.records.formats.wfdb_record.SMALL", small)
    leads = ["II", "Resp"] if per_frame[0] == 4 else ["Resp", "II"]
    signals = [WAVE.astype(np.float64)[:: 4 // samples] for samples in per_frame]
    n = len(signals)
    wfdb.wrsamp("r", fs=75, units=["mV"] * n, sig_name=leads[:n], e_p_signal=signals, fmt=["16"] * n,
                samps_per_frame=list(per_frame), write_dir=str(tmp_path))  # fmt: skip
    recording = open_recording(tmp_path / "r")
    assert (recording.lead, recording.fs, recording.samples, recording.remarks) == ("II", 300, len(WAVE), ())
    np.testing.assert_allclose(recording.read(0, len(WAVE)), WAVE, atol=1e-3)
    np.testing.assert_allclose(recording.read(13, 27), WAVE[13:27], atol=1e-3)


def test_leads_of_different_units_are_each_read_in_their_own(tmp_path: Path) -> None:
    path = write(tmp_path, signals=np.stack([WAVE, WAVE], axis=1), leads=("PLETH", "II"))
    text = path.read_text().splitlines()
    path.write_text("\n".join([text[0], text[1].replace("/mV", "/mmHg"), text[2]]) + "\n")
    np.testing.assert_allclose(read(path).signal, WAVE, atol=1e-3)


def test_a_challenge_mat_is_read_without_its_header_as_with_it(tmp_path: Path) -> None:
    samples = np.rint(1000 * WAVE).astype(np.int16)
    alone = read(write_mat(tmp_path / "A00001.mat", samples))
    told = read(tmp_path / "A00001.mat", ReadOptions(fs=250, unit="500/mV"))
    assert (told.fs, told.signal.max(), told.remarks) == (250, 2 * alone.signal.max(), ())
    header = "A00001 1 300 1000 05:05:15 1/05/2000 \r\nA00001.mat 16+24 1000/mV 16 0 0 0 0 ECG \r\n"
    (tmp_path / "A00001.hea").write_bytes(header.encode())
    assert np.array_equal(alone.signal, samples / np.float32(1000))
    assert (alone.name, alone.fs) == ("A00001", 300)
    assert alone.remarks == ("no header, taken as the 2017 challenge's",)
    for name in ("A00001", "A00001.mat", "A00001.hea"):
        record = read(tmp_path / name)
        assert np.array_equal(record.signal, alone.signal)
        assert (record.name, record.fs, record.lead, record.remarks) == ("A00001", 300, "ECG", ())


def test_of_a_mat_with_several_rows_the_first_is_read(tmp_path: Path) -> None:
    path = write_mat(tmp_path / "r.mat", np.array([[1000, 2000], [3, 4]], np.int16))
    assert read(path, ReadOptions(fs=500, unit="1000/mV")).signal.tolist() == [1, 2]
    assert "nothing in it tells its sampling rate" in refusal(lambda: read(path))  # later challenges have 500 Hz


def test_a_mat_may_hold_its_lead_as_a_column(tmp_path: Path) -> None:
    path = write_mat(tmp_path / "r.mat", np.array([[1000], [2000], [3000]], np.int16))
    assert read(path).signal.tolist() == [1, 2, 3]


def break_header(text: str) -> Callable[[Path], Path]:
    def apply(folder: Path) -> Path:
        path = write(folder)
        path.write_text(text.format(name="r"))
        return path

    return apply


def truncated(fmt: str) -> Callable[[Path], Path]:
    def apply(folder: Path) -> Path:
        path = write(folder, fmt=fmt)
        signals = path.with_suffix(".dat")
        signals.write_bytes(signals.read_bytes()[:777])
        return path

    return apply


def without_signals(folder: Path) -> Path:
    path = write(folder)
    path.with_suffix(".dat").unlink()
    return path


def with_a_gap(folder: Path) -> Path:
    return write(folder, signals=np.where(np.arange(1000) % 400 == 7, np.nan, WAVE))


def a_file(name: str, content: bytes) -> Callable[[Path], Path]:
    def apply(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return apply


def a_mat(samples: Any, variable: str = "val") -> Callable[[Path], Path]:
    return lambda folder: write_mat(folder / "r.mat", samples, variable)


def test_straight_lines_bridge_gaps(tmp_path: Path) -> None:
    found = read(with_a_gap(tmp_path))
    assert found.missing == pytest.approx(0.003)
    lost = np.arange(1000) % 400 == 7
    np.testing.assert_allclose(found.signal[~lost], WAVE[~lost].astype(np.float32), atol=1e-3)
    np.testing.assert_allclose(found.signal[407], (found.signal[406] + found.signal[408]) / 2, rtol=1e-6)


@given(st.lists(st.sampled_from([0.5, -2.0, np.nan, np.inf]), min_size=1, max_size=30))
def test_what_is_bridged_is_finite_and_else_as_it_was(values: list[float]) -> None:
    signal = np.array(values, dtype=np.float32)
    real = np.isfinite(signal)
    record = Record(name="r", signal=signal, fs=300.0, lead="")
    if real.mean() < 0.5:
        with pytest.raises(BadInput, match="more than half"):
            fill_gaps(record, "r")
        return
    found = fill_gaps(record, "r")
    assert np.isfinite(found.signal).all() and (found.signal[real] == signal[real]).all()
    assert found.missing == pytest.approx(1 - real.mean())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "none.hea", "there is no such file or WFDB record; check the name"),
        (lambda folder: folder / "none.mat", "there is no such file or WFDB record; check the name"),
        (lambda folder: folder / "none", "there is no such file or WFDB record; check the name"),
        (lambda folder: folder, "this folder is no recording"),
        (a_file("r.txt", b"1\n2\n3\n"), "nothing in it tells its sampling rate; give it in Hz with --fs"),
        (a_file("r.dat", bytes(range(256))), "unknown format; it is neither text nor one of the ECG formats"),
        (without_signals, "its signal file r.dat is missing; put it beside it"),
        (truncated("16"), "this WFDB record is damaged or of an unknown kind"),
        (truncated("212"), "this WFDB record is damaged or of an unknown kind"),
        (lambda folder: write(folder, unit="mmHg"), "lead ECG: its samples are in 'mmHg', which is no voltage"),
        (break_header(""), "this file is empty; get it anew"),
        (break_header("garbage"), "this WFDB record is damaged or of an unknown kind"),
        (break_header(HEADER.replace(" 16 ", " 99 ", 1)), "this WFDB record is damaged or of an unknown kind"),
        (break_header(HEADER.replace(" 1000\n", " 1500\n")), "this WFDB record is damaged or of an unknown kind"),
        (break_header(HEADER.replace(" 1 ", " 2 ", 1)), "this WFDB record is damaged or of an unknown kind"),
        (break_header(HEADER.replace(" 300 ", " 0 ")), "the sampling rate in its first line is not one of an ECG"),
        (break_header("{name} 0 300 1000\n"), "this WFDB record holds no signal"),
        (a_file("r.hea", bytes(range(256))), "this WFDB record is damaged or of an unknown kind"),
        (a_file("r.mat", b"garbage" * 50), "this .mat file is damaged or not a .mat file"),
        (a_mat(np.ones(9), variable="ecg"), "nothing in it tells its sampling rate; give it in Hz with --fs"),
        (a_mat("text"), "there is no row or table of numbers in it"),
        (a_mat(np.ones(9) * 1j), "there is no row or table of numbers in it"),
        (a_mat(scipy.sparse.csc_matrix(np.eye(9))), "there is no row or table of numbers in it"),
        (a_mat(np.zeros((1, 0))), "there is no row or table of numbers in it"),
        (a_mat([np.nan, np.nan, np.inf]), "3 of its 3 samples are not numbers"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, make: Callable[[Path], Path], says: str) -> None:
    path = make(tmp_path)
    message = refusal(lambda: read(path))
    assert says in message
    assert message.startswith(str(path))


@given(share=st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=30)
def test_a_mat_cut_short_is_refused(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "r.mat"
    samples = np.arange(1000, dtype=np.int16)
    scipy.io.savemat(path, {"val": samples}, format="4")
    assert np.array_equal(read(path).signal, samples / np.float32(1000))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    message = refusal(lambda: read(path))
    assert re.search("this .mat file is damaged or not a .mat file|this file is empty|no row or table", message)


def test_all_recordings_below_a_folder_are_found_once(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    header = write(tmp_path, "b")
    (tmp_path / "b.mat").write_bytes(b"beside its header, so no recording of its own")
    deep = write(tmp_path / "sub" / "deep", "c")
    mat = write_mat(tmp_path / "sub" / "a.mat", [1, 2])
    (tmp_path / "labels.csv").write_text("a,N\n")
    assert find(tmp_path, leaving_out=tmp_path / "labels.csv") == {"a": mat, "b": header, "c": deep}


def test_two_recordings_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    first, second = write(tmp_path), write(tmp_path / "sub")
    message = refusal(lambda: find(tmp_path))
    assert str(first) in message
    assert str(second) in message


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("")
    assert refusal(lambda: find(tmp_path)).startswith(f"{tmp_path}: there are no recordings in it")
    assert refusal(lambda: find(tmp_path / "none")) == f"{tmp_path / 'none'}: there is no such folder; check the name"


def sine(frequency: float, n: int, fs: float, phase: float = 0) -> NDArray[np.float32]:
    return np.asarray(np.sin(2 * np.pi * frequency * np.arange(n) / fs + phase), np.float32)


@given(
    fs=st.sampled_from([100.0, 128.0, 250.0, 257.5, 360.0, 500.0, 1000.0]),
    to=st.sampled_from([100.0, 250.0, 300.0, 360.0]),
    frequency=st.floats(1, 25),
    phase=st.floats(0, 6),
    offset=st.floats(-5, 5),
)
@settings(deadline=None, max_examples=40)
def test_a_resampled_sine_is_the_sine_at_the_new_rate(
    fs: float, to: float, frequency: float, phase: float, offset: float
) -> None:
    record = Record("r", sine(frequency, int(10 * fs), fs, phase) + np.float32(offset), fs, "I")
    got = resample(record, to)
    assert (got.name, got.fs, got.lead) == ("r", to, "I")
    assert got.signal.dtype == np.float32
    assert abs(len(got.signal) - 10 * to) <= 1
    inner = slice(int(to / 2), -int(to / 2))
    want = sine(frequency, len(got.signal), to, phase) + np.float32(offset)
    np.testing.assert_allclose(got.signal[inner], want[inner], atol=0.01)


def test_what_the_new_rate_cannot_hold_is_filtered_out() -> None:
    got = resample(Record("r", sine(180, 10_000, 1000.0), 1000.0, "I"), 100.0)
    assert np.abs(got.signal[50:-50]).max() < 0.01


def test_a_record_at_the_rate_already_is_left_alone() -> None:
    record = Record("r", sine(5, 300, 300.0), 300.0, "I")
    assert resample(record, 300.0) is record


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_a_flat_line_stays_flat_to_its_ends(offset: float) -> None:
    got = resample(Record("r", np.full(500, offset, np.float32), 250.0, "I"), 300.0)
    assert got.signal.shape == (600,)
    np.testing.assert_allclose(got.signal, offset, atol=0.01)


@pytest.mark.parametrize(
    ("fs", "to"),
    [
        (1e9, 300),
        (4.5e6, 300),
        (1e300, 300),
        (300, 1e-9),
        pytest.param(1e-300, 300),
    ],
)
def test_a_rate_out_of_all_proportion_is_refused(fs: float, to: float) -> None:
    record = Record("r", sine(5, 300, 300.0), fs, "I")
    assert refusal(lambda: resample(record, to)).startswith(f"r: a rate of {fs:g} Hz cannot be brought to {to:g} Hz")


def test_a_rate_far_above_the_new_one_is_brought_down_exactly() -> None:
    assert len(resample(Record("r", sine(5, 90_000, 450_000), 450_000, "I"), 300).signal) == 60


def test_a_recording_shorter_than_a_second_is_refused() -> None:
    check_length(Record("r", sine(5, 250, 250), 250, "I"))
    assert refusal(lambda: check_length(Record("r", sine(5, 200, 250), 250, "I"))) == (
        "r: 0.8 s is too short; give at least 1 s"
    )
    assert refusal(lambda: check_length(Record("", sine(5, 1, 250), 250, "I"))).startswith("signal: 0.004 s is too")
    assert refusal(lambda: check_length(Record("r", sine(5, 1, 1), 1, "I"))).startswith("r: a single sample is too")


def test_a_recording_hardly_too_short_is_not_said_to_be_long_enough() -> None:
    assert "r: 1 s is" not in refusal(lambda: check_length(Record("r", sine(5, 249, 250), 250, "I")))


@given(fs=st.floats(299.9, 300.1))
def test_a_rate_next_to_the_wanted_one_is_brought_to_it(fs: float) -> None:
    record = Record("r", np.sin(np.arange(9000) / 40).astype(np.float32), fs, "")
    found = resample(record, 300.0)
    assert (found.fs, abs(len(found.signal) - 9000) <= 4) == (300.0, True)
    assert abs(found.signal[3000:3400] - record.signal[3000:3400]).max() < 0.1
