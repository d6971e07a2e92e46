from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ecg_rhythm.records import ReadOptions, read
from fuzzing.inputs import APPLE, FS, LEAD, TIMES, as_rows, as_text
from tests.helpers import refusal
from tests.records.writers import RESP


@pytest.mark.parametrize("title", ["ecg_mV\n", "ecg (mV)\n", ""])
@pytest.mark.parametrize(("word", "every"), [("oops", 15_000), ("!", 9), ("lead off", 20)])
def test_rare_words_among_numbers_are_gaps_and_said(tmp_path: Path, title: str, word: str, every: int) -> None:
    lines = [f"{value:.4f}" for value in np.tile(LEAD, 10)]
    gone = range(every - 1, len(lines), every)
    for i in gone:
        lines[i] = word
    (tmp_path / "r.csv").write_text(title + "\n".join(lines))
    record = read(tmp_path / "r.csv", ReadOptions(fs=FS, unit="mV"))
    assert (len(record.signal), record.gaps) == (len(lines), len(gone))
    assert f"{len(gone)} of its {len(lines)} rows taken as gaps, as they hold words" in record.remarks


def test_many_words_among_numbers_are_refused_by_line(tmp_path: Path) -> None:
    lines = ["ecg_mV", *(f"{value:.4f}" for value in LEAD), *["oops"] * len(LEAD), "1.0"]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    message = refusal(lambda: read(tmp_path / "r.csv", ReadOptions(fs=FS)))
    assert f"line {len(LEAD) + 2}: it holds a word in place of a number; correct it" in message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_lead_in_each_line_of_any_length(tmp_path: Path, encoding: str) -> None:
    leads = [",".join(f"{value:.3f}" for value in np.tile(sign * LEAD, 8)) for sign in (1, -1)]
    (tmp_path / "r.csv").write_text("\n".join(leads) + "\n", encoding=encoding)
    record = read(tmp_path / "r.csv", ReadOptions(fs=FS, unit="mV", lead="1"))
    np.testing.assert_allclose(record.signal, np.tile(LEAD, 8), atol=1e-3)


@pytest.mark.parametrize(
    "content", [b"\n\n", b"just words\nand more\n", "ä,ö\n".encode("latin-1"), ("導" * 30_000).encode()]
)
def test_text_without_numbers_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.csv").write_bytes(content)
    assert "there are no lines of numbers in this text file" in refusal(lambda: read(tmp_path / "r.csv"))


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
        ("# Sampling interval: 4 ms\n", 250),
        ("# Sampling interval: 4e-3 s\n", 250),
        ("# fs: 2.5e2\n", 250),
        ("# fs = 1E3 Hz\n", 1000),
        ("Interval=\t0.002 s\n", 500),
        ("# 2 msec/sample\n", 500),
        ("# samples per second: 128\n", 128),
        ("# 采样速率,512.414赫兹\n", 512.414),
        ("# 샘플률,512.414헤르츠\n", 512.414),
        ('# {"device": {"sampling rate": 1000, "resolution": [10]}}\n', 1000),
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
        assert "its sampling rate is unknown" in refusal(lambda: read(tmp_path / "r.txt"))
    else:
        assert read(tmp_path / "r.txt").fs == fs


def test_the_only_frequency_in_a_header_is_the_rate_unless_the_user_gives_one(tmp_path: Path) -> None:
    path = as_text("# Rhythm strip, 200 Hz", "# unit: uV")(tmp_path)
    assert read(path).remarks == ("rate from the only frequency in its header",)
    record = read(path, ReadOptions(fs=250))
    assert (record.fs, record.remarks) == (250, ())


@pytest.mark.parametrize(
    ("header", "fs"),
    [
        ("Sampling rate: 500 Hz\n", 500),
        ("Sampling interval: 2 ms\n", 500),
        ("Sampling rate: 250.1 Hz\n", 250.1),
        ("Ventricular rate: 150 BPM\n", FS),
        ("Filtre: 50 Hz\n", FS),
    ],
)
def test_a_rate_in_the_header_goes_before_times_and_what_the_user_says_before_both(
    tmp_path: Path, header: str, fs: float
) -> None:
    path = as_rows(f"{header}time (s),ECG (mV)\n", lambda t, v: f"{t:.3f},{v:.6f}")(tmp_path)
    record = read(path)
    assert record.fs == fs
    assert record.remarks == (("its header says 500 Hz, its times 250",) if fs == 500 else ())
    assert read(path, ReadOptions(fs=360)).fs == 360


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


def test_a_line_with_a_key_above_a_column_is_not_its_name(tmp_path: Path) -> None:
    german = as_text(*APPLE, "Abtastrate,250 Hertz", "", "", "Ableitung,Ableitung I", "Einheit,µV", "", name="r.csv")
    assert read(german(tmp_path)).lead == "Ableitung I"
    np.savetxt(tmp_path / "r.txt", LEAD, header="fs 250")
    assert (read(tmp_path / "r.txt").lead, read(tmp_path / "r.txt").fs) == ("ECG", FS)


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
        "no lines of numbers|its lines do not have equally many numbers",
        refusal(lambda: read(tmp_path / "bad.csv", options)),
    )


def test_many_columns_are_leads_if_there_are_more_lines(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(300, 250))
    np.savetxt(tmp_path / "tall.csv", table, delimiter=",", fmt="%.4f", newline="\n\n")
    np.savetxt(tmp_path / "wide.csv", table.T, delimiter=",", fmt="%.4f", newline="\n\n")
    for name in ("tall", "wide"):
        record = read(tmp_path / f"{name}.csv", ReadOptions(fs=100, unit="mV", lead="7"))
        np.testing.assert_allclose(record.signal, table[:, 6], atol=6e-5)


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


def test_a_rate_is_found_in_chinese(tmp_path: Path) -> None:
    for rate in ("512赫兹", "512 Hz"):
        (tmp_path / "r.csv").write_text("\n".join(["姓名,X", f"采样率,{rate}", "", "单位,µV", "", *map(str, LEAD)]))
        assert read(tmp_path / "r.csv").fs == 512


def test_a_line_of_too_long_a_field_is_refused(tmp_path: Path) -> None:
    row = ",".join(["1.5"] * 300)
    (tmp_path / "r.csv").write_text(f"{row}\n" * 100 + '"' + "x" * 140_000 + f"\n{row}\n")
    assert "its lines do not have equally many numbers" in refusal(lambda: read(tmp_path / "r.csv", ReadOptions(fs=FS)))


def test_a_quote_in_a_header_that_is_not_closed_is_part_of_it(tmp_path: Path) -> None:
    record = read(as_rows('Patient,"Doe\ntime (s),ECG (mV)\n', lambda t, v: f"{t:.3f},{v:.6f}")(tmp_path))
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


@pytest.mark.parametrize("content", [";#;;;", ",#\n,#\n", "; #"])
def test_rows_of_comments_alone_are_no_rows(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.csv").write_text(content)
    assert "there are no lines of numbers in this text file" in refusal(lambda: read(tmp_path / "r.csv"))


@given(st.from_regex(r"\A-?[0-9]{1,3}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,20})?\Z"), st.sampled_from(["", "off"]))
@example("0.0e007539536618018576", "")  # at which pandas' own way to read numbers ends the process
@example("0.0e007539536618018576", "off")
@settings(deadline=None, max_examples=50)
def test_numbers_are_read_as_python_reads_them(tmp_path_factory: pytest.TempPathFactory, text: str, word: str) -> None:
    path = tmp_path_factory.mktemp("numbers") / "r.csv"
    rows = [f"{value:.5f}" for value in LEAD.tolist()]
    rows[500:502] = [text, word or "0.5"]
    path.write_text("ecg (mV)\n" + "\n".join(rows) + "\n")
    record = read(path, ReadOptions(fs=FS, unit="mV"))
    with np.errstate(over="ignore"):
        expected = np.float32(float(text))
    gone = record.filled is not None and record.filled[500]
    assert gone if np.isinf(expected) else record.signal[500] == expected


@pytest.mark.parametrize("word", ["NONE", "Na", "-"])
def test_words_for_missing_values_are_known_in_any_case(tmp_path: Path, word: str) -> None:
    rows = [f"{value:.5f}" for value in LEAD.tolist()]
    rows[500] = word
    (tmp_path / "r.csv").write_text("ecg (mV)\n" + "\n".join(rows) + "\n")
    record = read(tmp_path / "r.csv", ReadOptions(fs=FS))
    assert (record.gaps, record.remarks) == (1, ())
