"""When a recording began: as each format says it, in the answer, and left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from ecg_rhythm import classify
from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.records import ReadOptions, open_recording, read
from ecg_rhythm.records.clock import later, moment, of_cells, since_1970, started, time_of_day, written
from fuzzing.by_hand import BY_HAND
from fuzzing.inputs import FS, LEAD, START, TIMES, as_dicom, as_rows
from tests.commands import run

CET = timezone(timedelta(hours=1))
SAID = {
    "wfdb": START, "edf": START, "bdf": START, "atc": START.replace(tzinfo=CET), "ishne": START, "fitbit": START,
    "kardia": START.replace(tzinfo=UTC), "apple": START.replace(tzinfo=CET), "withings": START.replace(tzinfo=CET),
    "hl7": START, "muse": START, "philips": START, "mortara": START, "scp": START, "mfer": START,
    "csv": None, "xlsx": None, "wav": None, "mat-4": None, "movesense": None,
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_a_recording_has_the_start_that_its_file_says(tmp_path: Path, name: str) -> None:
    path = BY_HAND[name](tmp_path, {"I": LEAD}, FS, START)
    assert open_recording(path).start == SAID[name]
    assert read(path).start == SAID[name]
    assert open_recording(path, ReadOptions(dates=False)).start is None


@pytest.mark.parametrize(
    ("write", "start"),
    [
        (as_rows("date_time,ecg (mV)\n", lambda t, v: f"2024-01-02T03:04:{t + 5:06.3f},{v:.6f}"),
         datetime(2024, 1, 2, 3, 4, 5)),
        (as_rows("day;clock;ecg (mV)\n", lambda t, v: f"05.01.2024;10:20:{t + 1:06.3f};{v:.6f}"),
         datetime(2024, 1, 5, 10, 20, 1)),
        (as_rows("time;ecg mV\n", lambda t, v: f"10:20:{t + 1:06.3f};{v:.6f}"), time(10, 20, 1)),
        (as_rows("Elapsed time;ecg mV\n", lambda t, v: f"0:00:{t:06.3f};{v:.6f}"), None),
        (as_rows("timestamp (ms),ecg (mV)\n", lambda t, v: f"{1_700_000_000_000 + 1000 * t:.0f},{v:.6f}"),
         datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (as_rows("# Recording started: 2024-03-01 08:00:00\n# fs: 250\necg (mV)\n", lambda t, v: f"{v:.6f}"),
         datetime(2024, 3, 1, 8)),
        (as_rows('# {"device name": "X", "start": "2024-03-01T08:00:00", "fs": 250}\necg (mV)\n',
                 lambda t, v: f"{v:.6f}"), datetime(2024, 3, 1, 8)),
        (as_rows("# Exported: 2024-03-01 08:00:00\n# born: 1931-07-29 00:00:00\n# fs: 250\necg (mV)\n",
                 lambda t, v: f"{v:.6f}"), None),
        (as_rows("date_time,ecg (mV)\n", lambda t, v: f"03/04/2024 03:04:{t + 5:06.3f},{v:.6f}"), None),
    ],
    ids=["iso", "german", "clock", "elapsed", "epoch", "header", "json", "other-dates", "ambiguous"],
)  # fmt: skip
def test_a_table_says_its_start_in_its_first_row_or_its_header(tmp_path: Path, write, start) -> None:  # type: ignore[no-untyped-def]
    assert open_recording(write(tmp_path)).start == start


def test_other_libraries_files_say_their_start(tmp_path: Path) -> None:
    import pydicom

    begun = pd.Timestamp("2024-02-29T23:59:58Z")
    pd.DataFrame({"timestamp": begun + pd.to_timedelta(TIMES, unit="s"), "ecg_mV": LEAD}).to_parquet(
        tmp_path / "r.parquet"
    )
    assert open_recording(tmp_path / "r.parquet").start == begun
    np.savez(
        tmp_path / "r.npz", ecg=LEAD, fs=FS, unit="mV", recorded="2024-02-29 07:15:00", birth="1931-07-29 10:00:00"
    )
    assert open_recording(tmp_path / "r.npz").start == START
    path = as_dicom(tmp_path)
    dataset = pydicom.dcmread(path)
    dataset.AcquisitionDateTime, dataset.PatientBirthDate = "20240229071500.500+0100", "19310729"
    dataset.save_as(path)
    assert open_recording(path).start == datetime(2024, 2, 29, 7, 15, 0, 500_000, tzinfo=CET)
    del dataset.AcquisitionDateTime
    dataset.AcquisitionTime = "071500"
    dataset.save_as(path)
    assert open_recording(path).start == time(7, 15)


def birth_in_parquet(folder: Path) -> Path:
    born = pd.DataFrame({"birth_date": pd.Timestamp("1931-07-29"), "ecg_mV": LEAD})
    table = pa.Table.from_pandas(born).replace_schema_metadata({"fs": "250", "patient_record": "1931-07-29 00:00"})
    parquet.write_table(table, folder / "r.parquet")
    return folder / "r.parquet"


def birth_in_a_sheet(folder: Path) -> Path:
    pd.DataFrame({"birth_date": pd.Timestamp("1931-07-29"), "ecg_mV": LEAD}).to_excel(folder / "r.xlsx", index=False)
    return folder / "r.xlsx"


def birth_in_json(folder: Path) -> Path:
    content = {
        "ecg": LEAD.tolist(),
        "unit": "mV",
        "patient_record": "1931-07-29 00:00:00",
        "record": "born 1931-07-29 00:00",
    }
    (folder / "r.json").write_text(json.dumps(content))
    return folder / "r.json"


def birth_in_withings(folder: Path) -> Path:
    path = BY_HAND["withings"](folder, {"I": LEAD}, FS, START)
    names, row = path.read_text().splitlines()[:2]
    path.write_text(f"Date of Birth,{names}\n1931-07-29 00:00:00,{row}\n")
    return path


@pytest.mark.parametrize(
    ("write", "start"),
    [
        (birth_in_parquet, None),
        (birth_in_a_sheet, None),
        (birth_in_json, None),
        (birth_in_withings, START.replace(tzinfo=CET)),
        (as_rows("birth_date,ecg_mV\n", lambda t, v: f"1931-07-29 00:00:00,{v:.6f}"), None),
        (as_rows("birth_date,time,ecg_mV\n", lambda t, v: f"1931-07-29,10:20:{t + 1:06.3f},{v:.6f}"), time(10, 20, 1)),
        (as_rows("birth_time,ecg_mV\n", lambda t, v: f"1100000000,{v:.6f}"), None),
        (as_rows("Patient registered,1931-07-29 00:00\necg_mV\n", lambda t, v: f"{v:.6f}"), None),
        (as_rows("Recording of Jo born 1931-07-29 00:00\necg_mV\n", lambda t, v: f"{v:.6f}"), None),
        (as_rows('# {"patient record": "1931-07-29 00:00"}\necg_mV\n', lambda t, v: f"{v:.6f}"), None),
    ],
    ids=["parquet", "sheet", "json", "withings", "text", "beside-clock", "since-1970", "key", "within", "json-header"],
)
def test_a_date_of_birth_is_no_start(tmp_path: Path, write, start) -> None:  # type: ignore[no-untyped-def]
    assert open_recording(write(tmp_path), ReadOptions(fs=FS)).start == start


@pytest.mark.parametrize(
    "text",
    ["", "1931-07-29", "2024-13-01 10:00:00", "10:00:00", "01/02/2024 10:00:00", "2024-02-30 10:00:00", "x" * 999],
)
def test_what_is_no_date_with_a_time(text: str) -> None:
    assert moment(text) is None
    assert started([f"recorded {text}"]) is None


@given(st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)), st.sampled_from([None, UTC, CET]))
def test_every_date_is_read_as_it_is_written(when: datetime, zone: timezone | None) -> None:
    when = when.replace(tzinfo=zone)
    assert moment(when.isoformat()) == moment(str(when)) == when
    assert moment(when.strftime("%d.%m.%Y %H:%M:%S %z")) == when.replace(microsecond=0)
    assert time_of_day(when.strftime("%I:%M:%S %p")) == when.time().replace(microsecond=0)
    assert of_cells([when.strftime("%Y-%m-%d"), when.strftime("'%H:%M:%S'")]) == when.replace(
        microsecond=0, tzinfo=None
    )


@given(st.floats(1e9, 6.9e9), st.sampled_from([1, 1e3, 1e6, 1e9]))
def test_moments_since_1970_may_be_in_any_unit(seconds: float, unit: float) -> None:
    assert since_1970(seconds * unit) == datetime.fromtimestamp(round(seconds, 3), UTC)
    assert since_1970(seconds / 1e4) is None


@given(st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)), st.integers(0, 10**6))
def test_clock_times_are_the_start_and_what_has_passed(start: datetime, seconds: int) -> None:
    start = start.replace(microsecond=0)
    assert later(written(start), seconds) == (start + timedelta(seconds=seconds)).isoformat()
    assert later(written(start.time()), seconds) == (start + timedelta(seconds=seconds)).time().isoformat()
    assert later(None, seconds) is None
    assert later("9999-12-31T23:59:59", 5) is None


def long_recording(folder: Path) -> Path:
    """Ten minutes over midnight: half of it of level 0, half of level 1, which `meter` tells apart."""
    level = np.repeat([0.0, 1.0], 30_000)
    (folder / "long.csv").write_text(
        "# start: 2024-02-28 23:55:00\n# fs: 100\necg (mV)\n" + "\n".join(f"{v:.1f}" for v in level) + "\n"
    )
    return folder / "long.csv"


def test_episodes_have_clock_times_beside_offsets(tmp_path: Path, meter: Classifier) -> None:
    answer = classify(long_recording(tmp_path), meter)
    assert isinstance(answer, Timeline)
    first, last = answer.episodes()
    assert answer.start_time == first.start_time == "2024-02-28T23:55:00"
    assert (
        first.end_time == last.start_time == (datetime(2024, 2, 28, 23, 55) + timedelta(seconds=first.end)).isoformat()
    )
    assert last.end_time == "2024-02-29T00:05:00"
    assert answer.as_dict()["episodes"][1]["end_time"] == last.end_time
    without = classify(long_recording(tmp_path), meter, dates=False)
    assert isinstance(without, Timeline)
    assert without.start_time is None
    assert {episode.start_time for episode in without.episodes()} == {None}


def test_the_command_leaves_dates_out_if_asked(tmp_path: Path) -> None:
    path = BY_HAND["apple"](tmp_path, {"I": LEAD}, FS, START)
    (answer,) = json.loads(run("classify", path, "--json").stdout)
    assert answer["start_time"] == "2024-02-29T07:15:00+01:00"
    assert "2024-02-29T07:15:00+01:00" in run("classify", path, "--csv").stdout
    for option in ("--json", "--csv"):
        done = run("classify", path, option, "--no-dates")
        assert "07:15" not in done.stdout + done.stderr


def test_a_recording_keeps_its_start_in_python(tmp_path: Path, meter: Classifier) -> None:
    import ecg_rhythm

    recording = ecg_rhythm.read(BY_HAND["ishne"](tmp_path, {"I": LEAD}, FS, START))
    assert recording.start == START
    answer = classify(recording, meter)
    assert isinstance(answer, Prediction)
    assert answer.start_time == START.isoformat()


def test_a_truncated_wfdb_record_began_when_its_header_says(tmp_path: Path) -> None:
    samples = np.sin(np.arange(5000) / 9)[:, None]
    wfdb.wrsamp(
        "r",
        250,
        ["mV"],
        ["I"],
        p_signal=samples,
        fmt=["16"],
        write_dir=str(tmp_path),
        base_datetime=datetime(2000, 4, 1, 12, 4, 5),
    )
    whole = open_recording(tmp_path / "r").start
    (tmp_path / "r.dat").write_bytes((tmp_path / "r.dat").read_bytes()[:6000])
    assert open_recording(tmp_path / "r").start == whole == datetime(2000, 4, 1, 12, 4, 5)
    assert read(tmp_path / "r").remarks == ("cut off: 3000 of its 5000 samples are there",)
