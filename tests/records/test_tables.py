from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecg_rhythm.records import ReadOptions, read
from fuzzing.inputs import FS, LEAD, OTHER, SECONDS, TIMES, as_rows
from tests.helpers import refusal
from tests.records.writers import COUNT, RESP, STILL


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


def test_uneven_times_have_a_remark(tmp_path: Path) -> None:
    steps = np.where(np.arange(1999) < 1000, 0.004, 0.0052)
    times = np.concatenate([[0], np.cumsum(steps)])
    pd.DataFrame({"time": times, "II_mV": LEAD}).to_csv(tmp_path / "r.csv", index=False)
    assert read(tmp_path / "r.csv").remarks == ("its samples are not evenly spaced; taken as if they were",)


def test_times_that_jump_far_are_refused(tmp_path: Path) -> None:
    times = np.arange(2000) / FS + 3600 * np.floor(np.arange(2000) / 50)
    pd.DataFrame({"time": times, "II_mV": LEAD}).to_csv(tmp_path / "r.csv", index=False)
    message = refusal(lambda: read(tmp_path / "r.csv"))
    assert message.startswith(f"{tmp_path}/r.csv: over half of the time that its rows span is missing")


def test_missing_values_in_a_table_are_gaps(tmp_path: Path) -> None:
    values = pd.Series(LEAD).mask((np.arange(len(LEAD)) // 50) % 20 == 3)
    pd.DataFrame({"time": TIMES, "II_mV": values}).to_csv(tmp_path / "r.csv", index=False)
    record = read(tmp_path / "r.csv")
    assert record.gaps == 2
    assert record.missing == pytest.approx(values.isna().mean())


def test_a_table_of_times_alone_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"time": TIMES, "index": np.arange(len(TIMES))}).to_csv(tmp_path / "r.csv", index=False)
    assert "there is no column of voltages in it" in refusal(lambda: read(tmp_path / "r.csv"))


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
def test_a_column_that_rises_holds_times(tmp_path: Path, title: str, time: Callable[[float], str]) -> None:
    if "(s)" in title or "秒" in title:
        title = title if time(1.0) in ("1.0000", "1.000") else title.replace("(s)", "").replace("(秒)", "")
    header = f"{title}\n" if title else ""
    path = as_rows(header, lambda t, v: f"{time(t)};{v:.6f}")(tmp_path)
    if not title and time(1.0) == "1000":  # whole numbers without a name count rows, and tell no rate
        assert "its sampling rate is unknown" in refusal(lambda: read(path))
    for options in (ReadOptions(unit="mV"), ReadOptions(fs=FS, unit="mV"))[not title and time(1.0) == "1000" :]:
        record = read(path, options)
        assert record.fs == FS
        np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_times_may_be_in_minutes_and_in_any_column(tmp_path: Path) -> None:
    minutes = as_rows("Time (min),ECG (mV)\n", lambda t, v: f"{t / 60:.8f},{v:.6f}")(tmp_path)
    assert read(minutes).fs == FS
    last = as_rows(",ECG (mV),timestamp (ms)\n", lambda t, v: f"{t * FS:.0f},{v:.6f},{1000 * t:.0f}")(tmp_path)
    record = read(last)
    assert (record.fs, record.lead) == (FS, "ECG")
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_of_several_columns_of_times_one_that_tells_the_rate_is_taken(tmp_path: Path) -> None:
    def row(t: float, v: float) -> str:
        return f"{np.floor(10 * t) / 10:.1f};{1000 * t:.0f};{1000 * v:.3f}"  # the first is of packets

    record = read(as_rows("phone timestamp;timestamp [ms];ecg [uV]\n", row)(tmp_path))
    assert record.fs == FS
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_a_column_of_samples_is_a_lead_if_it_does_not_count(tmp_path: Path) -> None:
    record = read(as_rows("timestamp,sample\n", lambda t, v: f"{t:.3f},{v:.6f}")(tmp_path), ReadOptions(unit="mV"))
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)
    record = read(
        as_rows("# fs: 250\n", lambda t, v: f"{round(t * FS) % 16},0,{v:.6f}")(tmp_path), ReadOptions(lead="2")
    )
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)  # the first column counts packets


def test_times_that_fall_are_refused_with_the_reason(tmp_path: Path) -> None:
    path = as_rows("time,ECG (mV)\n", lambda t, v: f"{SECONDS - t:.3f},{v:.6f}")(tmp_path)
    assert refusal(lambda: read(path)).startswith(f"{path}: column of times time falls in 1999 of its rows")


@pytest.mark.parametrize(
    ("columns", "options", "lead"),
    [
        ({"time": TIMES, "V5": LEAD}, ReadOptions(unit="mV"), "V5"),
        ({"sample": COUNT, "V1": LEAD, "V2": OTHER}, ReadOptions(fs=FS), "V1"),
        ({"time": COUNT, "ecg": LEAD}, ReadOptions(fs=FS), "ecg"),
        ({"Time (samples)": COUNT, "ecg": LEAD}, ReadOptions(fs=FS), "ecg"),
        ({"ECG Timestamp (ms)": 1000 * TIMES, "ECG (mV)": LEAD}, ReadOptions(), "ECG"),
        ({"time": TIMES, "ECG (lead 2, mV)": LEAD}, ReadOptions(), "ECG (lead 2)"),
        ({"time": TIMES, "ECG [lead II; uV]": LEAD * 1000}, ReadOptions(), "ECG [lead II]"),
        ({"time": TIMES, "ECG_(mV)": LEAD}, ReadOptions(), "ECG"),
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


def test_a_lead_of_one_value_is_read_if_the_user_asks_for_it_or_its_name_is_ecg(tmp_path: Path) -> None:
    pd.DataFrame({"time": TIMES, "state": STILL, "CH1": LEAD}).to_csv(tmp_path / "a.csv", index=False)
    assert not read(tmp_path / "a.csv", ReadOptions(lead="state")).signal.any()
    pd.DataFrame({"time": TIMES, "ECG": STILL, "CH1": LEAD}).to_csv(tmp_path / "b.csv", index=False)
    assert read(tmp_path / "b.csv").lead == "ECG"


def test_leads_without_names_have_numbers_and_one_alone_is_the_ecg(tmp_path: Path) -> None:
    pd.DataFrame({"time": TIMES, "(mV)": LEAD}).to_csv(tmp_path / "one.csv", index=False)
    assert read(tmp_path / "one.csv").lead == "ECG"
    pd.DataFrame({"time": TIMES, "(mV)": RESP, "(uV)": 1000 * LEAD}).to_csv(tmp_path / "two.csv", index=False)
    record = read(tmp_path / "two.csv")
    assert record.lead == "2"
    assert record.remarks == ("one of 2 leads, none of a name that is known, the first that looks like an ECG",)
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_a_lead_that_is_not_there_is_refused_with_the_name_of_the_file(tmp_path: Path) -> None:
    pd.DataFrame({"time": TIMES, "II": LEAD, "V1": OTHER}).to_csv(tmp_path / "r.csv", index=False)
    assert refusal(lambda: read(tmp_path / "r.csv", ReadOptions(lead="V6"))).startswith(f"{tmp_path}/r.csv: ")


def test_a_column_that_is_no_lead_is_read_if_the_user_asks_for_it(tmp_path: Path) -> None:
    pd.DataFrame({"time": TIMES, "index": COUNT, "II (mV)": LEAD}).to_csv(tmp_path / "r.csv", index=False)
    record = read(tmp_path / "r.csv", ReadOptions(lead="index", unit="mV"))
    np.testing.assert_allclose(record.signal, COUNT)


def test_a_lead_in_units_of_voltage_comes_before_one_in_others(tmp_path: Path) -> None:
    pd.DataFrame({"time": TIMES, "CH1 (Ohm)": LEAD, "CH2 (mV)": OTHER}).to_csv(tmp_path / "r.csv", index=False)
    assert read(tmp_path / "r.csv").lead == "CH2"


def test_leads_without_known_names_are_judged_at_the_rate_that_the_user_gives(tmp_path: Path) -> None:
    pd.DataFrame({"a": RESP[::4], "b": LEAD[::4]}).to_csv(tmp_path / "r.csv", index=False)
    assert read(tmp_path / "r.csv", ReadOptions(fs=FS / 4, unit="mV")).lead == "b"


def test_times_of_another_rate_than_the_user_gives_tell_no_gaps(tmp_path: Path) -> None:
    there = (np.arange(len(LEAD)) < 500) | (np.arange(len(LEAD)) >= 700)
    pd.DataFrame({"time": TIMES[there], "II_mV": LEAD[there]}).to_csv(tmp_path / "r.csv", index=False)
    record = read(tmp_path / "r.csv", ReadOptions(fs=2 * FS))
    assert (record.fs, record.gaps, len(record.signal)) == (2 * FS, 0, there.sum())


def test_a_rate_that_a_column_states_in_each_row_is_taken(tmp_path: Path) -> None:
    pd.DataFrame({"ecg_mV": LEAD, "sampling_rate": np.full(len(LEAD), 250)}).to_csv(tmp_path / "r.csv", index=False)
    assert read(tmp_path / "r.csv").fs == 250


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    pd.DataFrame({"time": TIMES, f"ECG {'x' * 3000}": LEAD}).to_csv(tmp_path / "r.csv", index=False)
    assert read(tmp_path / "r.csv", ReadOptions(unit="mV")).lead == f"ECG {'x' * 196}"


@pytest.mark.parametrize("unit", ["uV*2", "1/1000 mV", "5 mV 2", "3 x mV"])
def test_a_voltage_that_is_not_understood_is_refused_rather_than_passed_over(tmp_path: Path, unit: str) -> None:
    pd.DataFrame({"time": TIMES, f"ECG ({unit})": LEAD}).to_csv(tmp_path / "r.csv", index=False)
    assert f"its samples are in '{unit}', which is no voltage" in refusal(lambda: read(tmp_path / "r.csv"))


@pytest.mark.parametrize("title", ["ECG (lead 2)", "ECG (V 2)", "ECG (12)", "ECG (12 leads)", "ECG (mv filtered)"])
def test_what_stands_in_brackets_and_is_no_voltage_is_a_part_of_the_name(tmp_path: Path, title: str) -> None:
    pd.DataFrame({"time": TIMES, title: LEAD}).to_csv(tmp_path / "r.csv", index=False)
    assert read(tmp_path / "r.csv", ReadOptions(unit="mV")).lead == title


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
    assert record.fs == pytest.approx(FS, rel=1e-3)
    assert (record.gaps, len(record.signal)) == (0, len(LEAD))
    assert "its samples are not evenly spaced; taken as if they were" in record.remarks
    assert read(tmp_path / "r.csv", ReadOptions(fs=256)).fs == 256
