"""Tables as other programs write them: words among the numbers, columns of text, dates, encodings, units and gaps."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ecg_rhythm.records import ReadOptions, read
from ecg_rhythm.records.leads import plain_name
from ecg_rhythm.records.recording import check_length
from fuzzing.inputs import FS, LEAD, OTHER, TIMES
from tests.helpers import refusal

ROWS = [f"{time:.3f},{value:.4f}" for time, value in zip(TIMES, LEAD, strict=True)]


def write(path: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    word=st.sampled_from(["N", "Start", "recording started", "!", "beat on"]),
    rows=st.lists(st.integers(0, len(ROWS) - 1), min_size=1, max_size=40),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_words_of_another_column_change_nothing_in_any_row(
    tmp_path: Path, word: str, rows: list[int], delimiter: str
) -> None:
    lines = [f"{row},{word if i in {0, *rows} else ''}".replace(",", delimiter) for i, row in enumerate(ROWS)]
    record = read(write(tmp_path / "r.csv", ["time_s,ecg_mV,event".replace(",", delimiter), *lines]))
    assert (record.lead, record.fs, record.missing) == ("ecg", FS, 0)
    assert "unit unknown" not in " ".join(record.remarks)
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-4)


@pytest.mark.parametrize("count", [1, 5, 60])
def test_leads_off_in_the_first_rows_are_gaps(tmp_path: Path, count: int) -> None:
    lines = [f"{row.split(',')[0]},!" if i < count else row for i, row in enumerate(ROWS)]
    record = read(write(tmp_path / "r.csv", ["time_s,ecg_mV", *lines]))
    assert (record.lead, len(record.signal), record.gaps) == ("ecg", len(LEAD), 1)
    np.testing.assert_allclose(record.signal[count:], LEAD[count:], atol=1e-4)


@pytest.mark.parametrize("text", ["rest", "False", "A0:9E:1A:00:11:22", '"left, arm"', "N"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_column_of_text_is_passed_over_and_said(tmp_path: Path, text: str, at: int) -> None:
    def with_text(row: str, cell: str) -> str:
        cells = row.split(",")
        return ",".join([*cells[:at], cell, *cells[at:]])

    lines = [with_text("time_s,ecg_mV", "activity"), *(with_text(row, text) for row in ROWS)]
    record = read(write(tmp_path / "r.csv", lines))
    assert (record.lead, record.fs) == ("ecg", FS)
    assert "passed over, as text: activity" in record.remarks
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-4)


def test_leads_below_each_other_are_refused(tmp_path: Path) -> None:
    lines = [
        f"{lead},{i},{value:.4f}" for lead, signal in (("I", LEAD), ("II", OTHER)) for i, value in enumerate(signal)
    ]
    path = write(tmp_path / "r.csv", ["lead,sample,value_mV", *lines])
    assert "its column lead names several leads below each other" in refusal(lambda: read(path, ReadOptions(fs=FS)))


def test_thousands_that_are_set_apart_are_no_text(tmp_path: Path) -> None:
    lines = [f"{f'{i * 4:,}'.replace(',', '.')};{value:.4f}".replace("0.", "0,") for i, value in enumerate(LEAD)]
    assert "no lines of numbers" in refusal(lambda: read(write(tmp_path / "r.csv", ["ms;mV", *lines])))


def test_names_and_numbers_for_the_serial_plotter_are_read(tmp_path: Path) -> None:
    lines = [f"ecg:{value:.4f},lo:0" for value in LEAD]
    record = read(write(tmp_path / "r.txt", ["boot", *lines]), ReadOptions(fs=FS))
    assert (record.lead, len(record.signal)) == ("ecg", len(LEAD))
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-4)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-8", "utf-16"])
@pytest.mark.parametrize("title", ["Zeit (s),EKG (µV)", "Zeit (s),EKG_µV", "Zeit (s),EKG µV"])
@pytest.mark.parametrize("times", [1, 20])
def test_the_micro_sign_is_read_in_any_encoding(tmp_path: Path, encoding: str, title: str, times: int) -> None:
    values = np.tile(LEAD, times)
    lines = [f"{i / FS:.3f},{value * 1000:.1f}" for i, value in enumerate(values)]
    record = read(write(tmp_path / "r.csv", [title, *lines], encoding))
    assert record.lead == "EKG"
    np.testing.assert_allclose(record.signal, values, atol=1e-3)


@pytest.mark.parametrize("name", ["millis", "millis()", "Millis", "milliseconds", "msec", "Time(millisec)"])
@pytest.mark.parametrize("step", [1, 4])
def test_names_of_milliseconds_are_times(tmp_path: Path, name: str, step: int) -> None:
    lines = [f"{12345 + i * step},{value:.4f}" for i, value in enumerate(LEAD)]
    assert read(write(tmp_path / "r.csv", [f"{name},ecg_mV", *lines])).fs == 1000 / step


@pytest.mark.parametrize("form", ["%m/%d/%Y", "%d.%m.%Y", "%Y-%m-%d", "%d/%m/%y", "%-m/%-d/%Y"])
@pytest.mark.parametrize("clock", ["%H:%M:%S.%f", "%I:%M:%S.%f %p"])
def test_a_date_and_a_clock_may_have_columns_of_their_own(tmp_path: Path, form: str, clock: str) -> None:
    begin = dt.datetime(2023, 1, 31, 23, 59, 57)
    moments = [begin + dt.timedelta(seconds=i / FS) for i in range(len(LEAD))]
    lines = [f"{moment:{form}},{moment:{clock}},{value:.4f}" for moment, value in zip(moments, LEAD, strict=True)]
    record = read(write(tmp_path / "r.csv", ["Date,Time,ECG (mV)", *lines]))
    assert (record.lead, record.fs, record.missing) == ("ECG", FS, 0)


def test_the_first_bad_line_is_named(tmp_path: Path) -> None:
    lines = [f"12:00:{time:06.3f},{value:.4f}" for time, value in zip(TIMES, LEAD, strict=True)]
    lines[1000] = "noon,0.1"
    message = refusal(lambda: read(write(tmp_path / "r.csv", ["time,ecg_mV", *lines])))
    assert "line 1002: it holds no time of day; correct it" in message


@pytest.mark.parametrize(("line", "gain"), [("200", 200), ("0/mV", None), ("0", None), ("", None)])
def test_a_wfdb_gain_that_is_assumed_is_said(tmp_path: Path, line: str, gain: float | None) -> None:
    np.round(LEAD * 200).astype("<i2").tofile(tmp_path / "r.dat")
    (tmp_path / "r.hea").write_text(f"r 1 {FS:g} {len(LEAD)}\nr.dat 16 {line} 12 0 0 0 0 ECG\n" if line else
                                    f"r 1 {FS:g} {len(LEAD)}\nr.dat 16\n")  # fmt: skip
    record = read(tmp_path / "r.hea")
    np.testing.assert_allclose(record.signal, LEAD, atol=0.003)
    assert any("taken as 200/mV" in remark for remark in record.remarks) == (gain is None)
    if gain is None:
        other = read(tmp_path / "r.hea", ReadOptions(unit="400/mV"))
        np.testing.assert_allclose(other.signal, LEAD / 2, atol=0.003)


def test_a_wfdb_rate_that_is_assumed_is_said(tmp_path: Path) -> None:
    wfdb.wrsamp(
        "r", fs=250, sig_name=["ECG"], p_signal=LEAD[:, None], units=["mV"], fmt=["16"], write_dir=str(tmp_path)
    )
    header = (tmp_path / "r.hea").read_text().splitlines()
    (tmp_path / "r.hea").write_text("\n".join(["r 1", *header[1:]]) + "\n")
    assert "its header gives no sampling rate, taken as 250 Hz" in read(tmp_path / "r.hea").remarks


@pytest.mark.parametrize(
    ("times", "values"),
    [
        (pa.array(TIMES), pa.array([Decimal(f"{value:.4f}") for value in LEAD])),
        (pa.array(TIMES), pa.array([f"{value:.4f}" for value in LEAD])),
        (pa.array([f"12:00:{time:06.3f}" for time in TIMES]), pa.array(LEAD)),
        (pa.array([f"2023-01-01T12:00:{time:06.3f}" for time in TIMES]), pa.array(LEAD)),
        (pa.array((TIMES * 1e6).round().astype("i8"), pa.time64("us")), pa.array(LEAD)),
    ],
)
def test_parquet_columns_of_any_type_are_read_as_in_text(tmp_path: Path, times: pa.Array, values: pa.Array) -> None:
    table = pa.table({"time": times, "ecg_mV": values, "who": pa.array(["rest"] * len(TIMES))})
    parquet.write_table(table, tmp_path / "r.parquet")
    record = read(tmp_path / "r.parquet")
    assert (record.lead, record.fs) == ("ecg", FS)
    assert "passed over, as text: who" in record.remarks
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-4)


def test_times_alone_are_no_ecg(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"time": TIMES, "ok": pa.array([True] * len(TIMES))}), tmp_path / "r.parquet")
    assert "there is no column of voltages" in refusal(lambda: read(tmp_path / "r.parquet", ReadOptions(fs=FS)))


def test_a_structured_array_is_a_table(tmp_path: Path) -> None:
    array = np.zeros(len(LEAD), dtype=[("t", "f8"), ("ecg_uV", "f4"), ("mark", "U3")])
    array["t"], array["ecg_uV"] = TIMES, LEAD * 1000
    np.save(tmp_path / "r.npy", array)
    record = read(tmp_path / "r.npy")
    assert (record.lead, record.fs) == ("ecg", FS)
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "lead"),
    [("MLI", "mli"), ("Modified lead I", "i"), ("LA-RA", "i"), ("Shimmer_5E_ECG_LL-RA_24BIT_CAL", "ii"),
     ("LL-LA", "iii"),
     ("CH1 (Lead I)", "i"), ("Einthoven I", "i"), ("Lead II (Einthoven)", "ii"), ("ECG", "")],
)  # fmt: skip
def test_names_of_leads(name: str, lead: str) -> None:
    assert plain_name(name) == lead


@pytest.mark.parametrize(
    "header",
    ["Gain: 200 adu/mV", "Gain;200 LSB/mV", "Gain: 2e2 adu/mV", "Auflösung;5 µV/LSB", "Resolution: 0.005 mV/bit"],
)
def test_a_gain_in_the_header_is_used(tmp_path: Path, header: str) -> None:
    lines = [f"{round(value * 200)}" for value in LEAD]
    record = read(write(tmp_path / "r.txt", ["Sampling rate: 250", header, "Lead: II", *lines]))
    np.testing.assert_allclose(record.signal, LEAD, atol=0.003)
    assert not record.remarks


@pytest.mark.parametrize(("unit", "per_mv"), [("mV/10", 10), ("10uV", 100), ("MV", 1)])
def test_parts_and_multiples_of_units_are_scaled(tmp_path: Path, unit: str, per_mv: float) -> None:
    lines = [f"{time:.3f},{value * per_mv:.4f}" for time, value in zip(TIMES, LEAD, strict=True)]
    record = read(write(tmp_path / "r.csv", [f"time_s,ECG ({unit})", *lines]))
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-4)


@pytest.mark.parametrize("least", [-(2**15), -(2**31)])
def test_the_least_number_far_below_all_others_is_a_gap(tmp_path: Path, least: int) -> None:
    values = np.round(LEAD * 1000)
    values[500:520] = least
    record = read(
        write(tmp_path / "r.csv", ["time_s,ecg_uV", *(f"{t:.3f},{v:.0f}" for t, v in zip(TIMES, values, strict=True))])
    )
    assert (record.gaps, f"20 samples of {least} taken as gaps" in record.remarks) == (1, True)


def test_a_delimiter_at_the_end_of_each_line_is_no_column(tmp_path: Path) -> None:
    header = ["Sample Rate;250 hertz", ";", "Lead;Lead I", "Unit;µV", ";"]
    record = read(write(tmp_path / "r.csv", [*header, *(f"{v * 1000:.1f};".replace(".", ",") for v in LEAD)]))
    assert (record.lead, record.fs) == ("Lead I", 250)
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-3)


def test_leads_may_be_named_behind_a_word_for_channels(tmp_path: Path) -> None:
    lines = [f"{round(a * 400)};{round(b * 400)}" for a, b in zip(LEAD, OTHER, strict=True)]
    record = read(
        write(tmp_path / "r.csv", ["Abtastrate;250 Hz", "Auflösung;2,5 µV/LSB", "Kanäle;EKG1;EKG2", "", *lines])
    )
    assert record.lead == "EKG1"
    np.testing.assert_allclose(record.signal, LEAD, atol=0.003)


def test_a_guess_of_the_unit_of_times_is_said_where_the_recording_is_too_short(tmp_path: Path) -> None:
    lines = [f"{time / 60:.8f},{value:.4f}" for time, value in zip(TIMES, LEAD, strict=True)]
    record = read(write(tmp_path / "r.csv", ["time,ecg_mV", *lines]))
    assert "times taken as s" in record.remarks
    assert "0.133 s is too short (times taken as s)" in refusal(lambda: check_length(record))
