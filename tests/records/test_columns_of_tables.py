"""What the columns of a table are, of tables in memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from ecg_rhythm.records.columns import BEGIN
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.recording import Recording
from ecg_rhythm.records.tables import LOOKED_AT, Table, recording_of_table
from ecg_rhythm.records.units import LONGEST, in_millivolts
from fuzzing.inputs import FS, LEAD, OTHER, TIMES
from tests.helpers import refusal
from tests.records.writers import COUNT, RESP, STILL

IN_MV, MOMENT = ReadOptions(unit="mV"), 1_700_000_000.5


def table(columns: Mapping[str, ArrayLike], asked: list[tuple[int, int | None]] | None = None, **facts: Any) -> Table:
    """A table in memory, which notes the columns that it is asked for, and how many rows of each."""
    values = [np.asarray(column, np.float64) for column in columns.values()]

    def column(position: int, rows: int | None) -> NDArray[np.float64]:
        if asked is not None:
            asked.append((position, rows))
        return values[position][:rows]

    return Table(list(columns), column, **facts)


def read(made: Table, options: ReadOptions = IN_MV) -> Recording:
    return recording_of_table(made, "r", options, "file.x")


def leads_of(columns: Mapping[str, ArrayLike]) -> str:
    """What a message lists as leads."""
    message = refusal(lambda: read(table(columns, fs=FS), ReadOptions(lead="none")))
    return message.partition("choose one of ")[2]


def test_a_recording_has_the_name_and_the_type_that_all_have() -> None:
    recording = read(table({"ecg": LEAD}, fs=FS))
    assert recording.name == "r"
    assert recording.signal.dtype == np.float32


@pytest.mark.parametrize(
    ("stated", "remarks"), [(300, ["its header says 300 Hz, its times 250"]), (250.5, []), (250, [])]
)
def test_a_header_that_says_another_rate_than_the_times_is_remarked_on(stated: float, remarks: list[str]) -> None:
    recording = read(table({"time": TIMES, "ecg": LEAD}, fs=stated))
    assert (recording.fs, list(recording.remarks)) == (stated, remarks)


def test_a_frequency_that_may_be_the_rate_is_taken_with_a_remark() -> None:
    recording = read(table({"ecg": LEAD}, perhaps_fs=FS))
    assert (recording.fs, recording.remarks) == (FS, ("rate from the only frequency in its header",))
    assert read(table({"ecg": LEAD}, perhaps_fs=50), ReadOptions(fs=FS, unit="mV")).fs == FS


def test_times_that_are_text_are_named_where_nothing_tells_the_rate() -> None:
    message = refusal(lambda: read(table({"ecg": LEAD}, text=["comment", "time"])))
    assert message == (
        "file.x: its column time holds no times that are known, and its sampling rate is unknown; give it in Hz with "
        "--fs"
    )
    message = refusal(lambda: read(table({"ecg": LEAD}, text=["comment"])))
    assert message.startswith("file.x: ") and "comment" not in message


def test_what_was_assumed_in_reading_the_lead_is_said() -> None:
    assert "cells of dots" in read(table({"time": TIMES, "ecg": LEAD}, of_columns={1: "cells of dots"})).remarks
    assert "cells of dots" not in read(table({"time": TIMES, "ecg": LEAD}, of_columns={0: "cells of dots"})).remarks


@pytest.mark.parametrize(
    "made",
    [
        table({"ecg": LEAD}, fs=1e-5),
        table({"ecg (Ohm)": LEAD}, fs=FS),
        table({"time": TIMES + 100 * (COUNT >= 500), "ecg": LEAD}),
    ],
    ids=["rate", "unit", "times"],
)
def test_messages_name_the_file(made: Table) -> None:
    assert refusal(lambda: read(made, ReadOptions())).startswith("file.x: ")


def test_a_recording_starts_when_its_first_row_was_taken() -> None:
    begun = datetime(2024, 3, 1, 8, tzinfo=UTC)
    times = MOMENT + TIMES
    assert read(table({"time": times, "ecg": LEAD})).start == datetime.fromtimestamp(MOMENT, UTC)
    assert read(table({"time": times, "ecg": LEAD}, start=begun)).start == begun
    assert read(table({"time": TIMES, "ecg": LEAD}, start=begun)).start == begun
    assert read(table({"time": TIMES, "ecg": LEAD})).start is None


def test_a_counter_called_time_tells_no_rate_unless_it_counts_moments() -> None:
    assert "its sampling rate is unknown" in refusal(lambda: read(table({"time": COUNT, "ecg": LEAD})))
    assert read(table({"time": 1_700_000_000_000 + COUNT, "ecg": LEAD})).fs == 1000


def test_a_column_alone_is_the_lead_unless_it_holds_times() -> None:
    np.testing.assert_allclose(read(table({"ecg": COUNT}, fs=FS)).signal, COUNT)
    np.testing.assert_allclose(read(table({"time": LEAD}, fs=FS)).signal, LEAD, atol=1e-5)
    assert "no column of voltages" in refusal(lambda: read(table({"time": TIMES}, fs=FS)))


def test_a_first_column_that_counts_is_no_lead_whatever_its_name() -> None:
    assert leads_of({"ecg_index": COUNT, "I": LEAD}) == "I"
    assert leads_of({"ecg": LEAD, "I": COUNT}) == "ecg, I"
    assert leads_of({"time": TIMES, "I": COUNT}) == "I"


def test_a_column_of_a_rate_is_no_lead() -> None:
    assert leads_of({"ecg": LEAD, "samplerate": np.full(len(LEAD), 250)}) == "ecg"
    assert leads_of({"ecg": LEAD, "samplerate": RESP}) == "ecg, samplerate"
    assert leads_of({"ecg": LEAD, "rate": np.full(len(LEAD), 250)}) == "ecg, rate"
    changing = np.where(COUNT == 0, 250, 300)
    assert leads_of({"ecg": LEAD, "samplerate": changing}) == "ecg, samplerate"


def test_a_table_of_one_row_states_its_rate() -> None:
    assert read(table({"samplerate": [250], "ecg": [0.5]})).fs == 250


def test_a_unit_of_voltage_makes_a_lead_of_what_is_called_time() -> None:
    assert leads_of({"ecg": RESP, "time (mV)": LEAD}) == "ecg, time"


def test_of_columns_whose_names_tell_nothing_some_are_looked_at() -> None:
    asked: list[tuple[int, int | None]] = []
    columns = {f"n{i}": RESP for i in range(20)} | {"II": LEAD}
    assert read(table(columns, asked, fs=FS)).lead == "II"
    assert {position for position, _ in asked} == {*range(LOOKED_AT), 20}
    assert {rows for position, rows in asked if position < 20} == {BEGIN}


@pytest.mark.parametrize("good", [LOOKED_AT - 1, LOOKED_AT])
def test_of_columns_with_names_of_times_some_are_tried(good: int) -> None:
    columns = {f"time {i} (s)": TIMES if i == good else STILL for i in range(LOOKED_AT + 2)} | {"II": LEAD, "V1": RESP}
    if good < LOOKED_AT:
        assert read(table(columns)).fs == FS
    else:
        assert "its sampling rate is unknown" in refusal(lambda: read(table(columns)))
    assert leads_of(columns) == "II, V1"


@pytest.mark.parametrize(
    ("title", "label"),
    [
        ("ECG (mV) ", "ECG"),
        ("ECG (mV )", "ECG"),
        ("ECG[mV]", "ECG"),
        ("ECG (a) (mV)", "ECG (a)"),
        ("ECG [a] [mV]", "ECG [a]"),
        ("ECG (a) [mV]", "ECG (a)"),
        ("ECG [a] (mV)", "ECG [a]"),
        (" ecg mV", "ecg"),
        ("ecg mV raw", "ecg mV raw"),
        ("ecg mV xmV", "ecg mV xmV"),
        ("ecg_X_mV", "ecg_X"),
    ],
)
def test_a_lead_has_its_columns_name_without_the_unit(title: str, label: str) -> None:
    recording = read(table({"time": TIMES, title: LEAD}), ReadOptions())
    assert (recording.lead, recording.remarks) == (label, ())


def test_a_bracket_that_is_not_opened_holds_no_unit() -> None:
    assert "unit unknown, taken as mV" in read(table({"time": TIMES, "uV)": LEAD}), ReadOptions()).remarks


def test_a_title_that_is_a_unit_alone_is_understood() -> None:
    np.testing.assert_allclose(
        read(table({"time": TIMES, "(10 uV)": 100 * LEAD}), ReadOptions()).signal, LEAD, atol=1e-5
    )


def test_the_longest_unit_that_is_read() -> None:
    zeros = "0" * (LONGEST - 3)
    assert in_millivolts(f"{zeros}5mV") == 5
    assert in_millivolts(f"0{zeros}5mV") is None
    assert in_millivolts(f"mV{' ' * 8}/{' ' * 9}{'0' * 18}10") == 0.1
    assert in_millivolts(f"mV{' ' * 9}/{' ' * 9}{'0' * 18}10") is None


def test_what_a_column_is_its_beginning_tells() -> None:
    asked: list[tuple[int, int | None]] = []
    read(table({"time": MOMENT + TIMES, "ecg": LEAD}, asked))
    assert asked.count((0, None)) == 1  # for the times
    asked.clear()
    read(table({"i": np.arange(len(LEAD)), "ecg": LEAD}, asked, fs=FS))
    assert (0, None) not in asked
    asked.clear()
    assert "there is no column of voltages" in refusal(lambda: read(table({"time": TIMES}, asked)))
    assert set(asked) == {(0, BEGIN)}


def test_a_column_of_persons_is_no_lead() -> None:
    assert leads_of({"ecg": LEAD, "ii": LEAD, "patient number": OTHER}) == "ecg, ii"


@pytest.mark.parametrize(
    ("name", "lead"),
    [
        ("I [V]", "I"),
        ("I (V) ", "I"),
        ("ECG (a) (V)", "ECG (a)"),
        ("ECG [a] [V]", "ECG [a]"),
        ("ECG (a) [V]", "ECG (a)"),
        ("ECG [a] (V)", "ECG [a]"),
        ("VX (V)", "VX"),
    ],
)
def test_the_last_bracket_of_a_name_may_hold_its_unit(name: str, lead: str) -> None:
    recording = read(table({name: LEAD / 1000}, fs=FS), ReadOptions())
    assert (recording.lead, recording.remarks) == (lead, ())
    np.testing.assert_allclose(recording.signal, LEAD, rtol=1e-6)


def test_names_are_cut_off_before_they_are_shown() -> None:
    columns = {"time " + 1000 * "x": np.where(COUNT == 0, np.nan, TIMES), "ecg": LEAD}
    assert "has gaps" in refusal(lambda: read(table(columns)))
    assert len(refusal(lambda: read(table(columns)))) < 500


def test_a_recording_began_with_its_first_row() -> None:
    assert read(table({"time": MOMENT + TIMES, "ecg": LEAD})).start == datetime.fromtimestamp(MOMENT, UTC)
    times = np.where(COUNT == 0, np.nan, MOMENT + TIMES)
    assert read(table({"time": times, "ecg": LEAD}, fs=FS)).start is None
