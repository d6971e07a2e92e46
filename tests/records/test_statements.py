"""What the user says goes before what the file says, that before times, and these before guesses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_rhythm.records import ReadOptions, of_signal, read
from fuzzing.inputs import FS, LEAD, TIMES, as_edf, as_rows, as_wfdb
from tests.helpers import refusal
from tests.records.writers import edit_header


@pytest.mark.parametrize("step", [1, 2, 3, 4, 12])
@pytest.mark.parametrize("wraps", [None, 256])
@pytest.mark.parametrize("name", ["", "index", "Sample Index", "nSeq", "sample"])
def test_an_index_is_no_clock(tmp_path: Path, step: int, wraps: int | None, name: str) -> None:
    index = step * np.arange(len(LEAD)) % (wraps or 10**9)
    path = tmp_path / "r.csv"
    pd.DataFrame({name: index, "ecg": LEAD}).to_csv(path, index=False)
    assert "its sampling rate is unknown" in refusal(lambda: read(path))
    record = read(path, ReadOptions(fs=FS))
    assert (record.fs, len(record.signal), record.lead) == (FS, len(LEAD), "ecg")
    path.write_text(f"# fs: {FS:g} Hz\n{path.read_text()}")
    assert read(path).fs == FS
    np.save(tmp_path / "r.npy", np.column_stack([index, LEAD]))
    assert "its sampling rate is unknown" in refusal(lambda: read(tmp_path / "r.npy"))
    np.testing.assert_allclose(read(tmp_path / "r.npy", ReadOptions(fs=FS)).signal, LEAD, atol=1e-6)


@given(fs=st.floats(60, 400), digits=st.integers(3, 6), seconds=st.integers(30, 120))
def test_a_rate_is_rounded_as_far_as_the_clock_leaves_open(
    tmp_path_factory: pytest.TempPathFactory, fs: float, digits: int, seconds: int
) -> None:
    path = tmp_path_factory.mktemp("rate") / "r.csv"
    count = int(seconds * fs)
    times = np.round(np.arange(count) / fs, digits)
    pd.DataFrame({"time (s)": times, "ecg_mV": np.sin(np.arange(count) / 9)}).to_csv(path, index=False)
    record = read(path)
    assert len(record.signal) == count
    assert abs(record.seconds - count / fs) <= 2 * 10.0**-digits + 2e-6 * seconds


def test_a_fractional_rate_is_not_rounded_away(tmp_path: Path) -> None:
    path = as_rows("time (s),ECG (mV)\n", lambda t, v: f"{t * 250 / 129.8:.3f},{v:.6f}")(tmp_path)
    assert read(path).fs == 129.8


def test_a_column_that_states_the_rate_is_no_lead(tmp_path: Path) -> None:
    pd.DataFrame({"ecg": LEAD, "fs": FS}).to_csv(tmp_path / "r.csv", index=False)
    record = read(tmp_path / "r.csv")
    assert (record.fs, record.lead) == (FS, "ecg")


@pytest.mark.parametrize(
    ("key", "value"),
    [("fs", 500), ("sf", 500), ("sampling_freq", 500), ("Fs_Hz", 500), ("Ts", 0.002), ("dt", 0.002), ("isi", 0.002)],
)
def test_a_rate_or_an_interval_is_known_by_many_names(tmp_path: Path, key: str, value: float) -> None:
    np.savez(tmp_path / "r.npz", **{"ecg": LEAD, key: np.array(value)})  # type: ignore[arg-type]
    assert read(tmp_path / "r.npz").fs == pytest.approx(500)


@pytest.mark.parametrize(
    ("line", "fs"),
    [
        ("Sampling rate: 0,100 kHz", 100), ("Sampling rate: 0,5 kHz", 500), ("Sampling rate: 1,000 Hz", 1000),
        ("Sampling rate: 250,000 Hz", 250), ("Sampling rate: 1,000 kHz", 1000), ("Sampling interval: 0,004 s", 250),
        ("Interval: 1,953125 ms", 512), ("Interval: 2,000 ms", 500), ("Interval: 4 ms", 250),
    ],
)  # fmt: skip
def test_decimal_commas_of_a_rate_or_an_interval(tmp_path: Path, line: str, fs: float) -> None:
    rows = "\n".join(f"{value:.4f}" for value in LEAD)
    (tmp_path / "r.csv").write_text(f"{line}\necg mV\n{rows}\n")
    assert read(tmp_path / "r.csv").fs == pytest.approx(fs)


def test_an_interval_of_no_time_tells_no_rate(tmp_path: Path) -> None:
    rows, path = "\n".join(f"{value:.4f}" for value in LEAD), tmp_path / "r.csv"
    path.write_text(f"Interval: 1e-320 us\n{rows}\n")
    assert "sampling rate is unknown" in refusal(lambda: read(path))
    np.savez(tmp_path / "r.npz", ecg=LEAD, dt=1e-320, dt_unit="ns")
    assert "sampling rate is unknown" in refusal(lambda: read(tmp_path / "r.npz"))
    path.write_text("time,ecg\n" + "\n".join(f"{i * 1e-320!r},{v:.4f}" for i, v in enumerate(LEAD)) + "\n")
    assert "sampling rate is unknown" in refusal(lambda: read(path))


def test_the_unit_of_an_interval_counts(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", ecg=LEAD, isi=2, isi_units="ms")
    assert read(tmp_path / "r.npz").fs == 500


def test_a_size_that_no_ecg_has_is_remarked_on_whoever_told_the_unit(tmp_path: Path) -> None:
    large = "its size of 1e+03 mV is not one of an ECG; check the unit"
    np.save(tmp_path / "r.npy", 1000 * LEAD)
    assert large in read(tmp_path / "r.npy", ReadOptions(fs=FS, unit="mV")).remarks
    path = as_rows("time (s),ECG (mV)\n", lambda t, v: f"{t:.3f},{1000 * v:.6f}")(tmp_path)
    assert large in read(path).remarks
    header = edit_header(as_wfdb(tmp_path), "/mV", "/V")
    assert any("is not one of an ECG" in remark for remark in read(header).remarks)
    assert large in of_signal(1000 * LEAD, FS).remarks
    assert not any("not one of an ECG" in remark for remark in of_signal(LEAD, FS).remarks)
    assert not any("not one of an ECG" in remark for remark in read(as_edf(tmp_path)).remarks)


def test_rows_that_are_no_samples_are_left_out_and_said(tmp_path: Path) -> None:
    lines = "\n".join(f"\t{value:.6f}\t0.2" for value in LEAD)
    (tmp_path / "r.txt").write_text(f"2 msec/sample\n\t{len(LEAD)}\t{len(LEAD)}\n{lines}\n")
    record = read(tmp_path / "r.txt", ReadOptions(unit="mV"))
    assert (record.fs, len(record.signal)) == (500, len(LEAD))
    assert "its first row is no sample and left out" in record.remarks
    (tmp_path / "e.csv").write_text("1696195029.0\n250.0\n" + "\n".join(f"{1000 * value:.1f}" for value in LEAD))
    record = read(tmp_path / "e.csv")
    assert (record.fs, len(record.signal)) == (250, len(LEAD))
    assert "its first row taken as a start time, its second as a rate of 250 Hz" in record.remarks


def test_a_header_that_comes_again_ends_the_recording_with_a_remark(tmp_path: Path) -> None:
    header = "Interval=\t0.004 s\nTimeFormat=\tStartOfBlock\nChannelTitle=\tECG\nRange=\t5.000 mV\n"
    rows = "".join(f"{t:.3f}\t{value:.6f}\n" for t, value in zip(TIMES, LEAD, strict=True))
    (tmp_path / "r.txt").write_text(header + rows + header + rows)
    record = read(tmp_path / "r.txt")
    assert (record.fs, len(record.signal), record.lead) == (FS, len(LEAD), "ECG")
    assert any("its header comes again" in remark for remark in record.remarks)


@pytest.mark.parametrize("row", ["{clock} -> {value:.0f}", "[{minutes} 01/01/2001] {value:.0f}"])
def test_times_of_loggers_tell_the_rate(tmp_path: Path, row: str) -> None:
    lines = [
        row.format(clock=f"21:17:{9 + t:06.3f}", minutes=f"00:{t:06.3f}", value=500 * value)
        for t, value in zip(TIMES, LEAD, strict=True)
    ]
    (tmp_path / "r.txt").write_text("\n".join(lines) + "\n")
    record = read(tmp_path / "r.txt")
    assert (record.fs, len(record.signal)) == (FS, len(LEAD))


def test_decimal_commas_are_seen_under_a_header_with_a_comma(tmp_path: Path) -> None:
    lines = "\n".join(f"{value:.4f}".replace(".", ",") for value in LEAD)
    (tmp_path / "r.csv").write_text(f"Unit,mV\n{lines}\n")
    record = read(tmp_path / "r.csv", ReadOptions(fs=FS))
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-4)


def test_each_line_may_be_a_lead_with_its_name(tmp_path: Path) -> None:
    rows = {"III": -LEAD, "I": LEAD, "V1": LEAD / 2}
    text = "\n".join(",".join([name, *(f"{value:.5f}" for value in values)]) for name, values in rows.items())
    (tmp_path / "r.csv").write_text(text)
    record = read(tmp_path / "r.csv", ReadOptions(fs=FS, unit="mV"))
    assert record.lead == "I"
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)
