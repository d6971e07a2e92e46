"""Text from files as people see it: in a terminal and in CSV."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecg_rhythm.cli.console import console, new_table
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.predictions import Predictions, read_predictions, write_predictions
from ecg_rhythm.printable import csv_line, csv_text, listed, shown
from fuzzing.inputs import FS, LEAD

HOSTILE = "\x1b]0;X\x07\x1b[31m\x9b2J\x7f\u202e\u2066\u200f\r\u2028"
TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("=+-@\t\r\n'\";, "), max_size=12)
ROW = st.lists(TEXT | st.integers() | st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=5)


def controls(text: str) -> list[str]:
    return [
        letter for letter in text if letter != "\n" and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    ]


@given(st.text())
def test_nothing_that_controls_a_terminal_is_shown_and_all_else_as_it_is(text: str) -> None:
    assert not controls(shown(text))
    assert "\n" not in shown(text)
    assert shown(shown(text)) == shown(text)


def test_letters_of_all_scripts_are_shown_as_they_are() -> None:
    text = "心电 Größe\u00a0µV Отведение \u3000誘導 ☺"
    assert shown(text) == text
    assert shown(os.fsdecode(b"a\xff")) == "a\\udcff"


@given(st.text())
def test_a_message_is_one_line_without_control_characters(text: str) -> None:
    message = str(BadInput(f"{text}: wrong"))
    assert not controls(message)
    assert "\n" not in message


@given(st.text())
def test_a_table_in_the_terminal_has_no_control_characters_of_a_name(name: str) -> None:
    stream = io.StringIO()
    table = new_table("record", "p", title=name.replace("[", ""))
    table.add_row(name.replace("[", ""), "1")
    console(stream).print(table)
    assert not controls(stream.getvalue())


def test_of_many_names_a_message_lists_the_first() -> None:
    assert listed("abc") == "a, b, c"
    assert listed(map(str, range(60_000)), 2) == "0, 1, 59998 more"


@example([["", "\r="]])
@example([["", "a;=1\t-"], ["\n@", "'\r="]])
@given(st.lists(ROW, min_size=1, max_size=4))
def test_csv_is_read_back_by_any_reader_cell_by_cell(rows: list[list[object]]) -> None:
    text = "".join(map(csv_line, rows))
    for delimiter in (",", ";"):  # what a spreadsheet of another country divides by
        cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row]
        if delimiter == ",":
            read = list(csv.reader(io.StringIO(text, newline="")))
            assert [[csv_text(cell) for cell in row] for row in read] == [list(map(str, row)) for row in rows]
        numbers = {str(value) for row in rows for value in row if not isinstance(value, str)}
        first = [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
        assert not [cell for cell in first if cell.split(",")[0] not in numbers]


def test_numbers_stay_numbers() -> None:
    assert csv_line([-1, -0.5, None, float("nan"), "-1", np.float64(2.5)]) == "-1,-0.5,,,'-1,2.5\n"
    assert csv_line([-0.5, 3, "x"], digits=3) == "-0.500,3,x\n"


@given(st.lists(TEXT, min_size=1, max_size=5, unique=True))
def test_predictions_are_read_back_by_the_names_of_their_records(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    path = tmp_path_factory.mktemp("table") / "predictions.csv"
    zeros = np.zeros(len(names), dtype=np.int64)
    table = Predictions(names, zeros, zeros, np.tile([0.75, 0.25], (len(names), 1)), ["=N", "-A"])
    write_predictions(path, {"test": table})
    again = read_predictions(path)
    assert (again.records, again.classes) == (names, ["=N", "-A"])
    np.testing.assert_array_equal(again.targets, zeros)


@pytest.mark.skipif(os.name != "posix", reason="names with control characters")
@pytest.mark.parametrize("option", [[], ["--csv"], ["--json"]])
def test_names_of_files_leads_and_columns_do_not_control_the_terminal(tmp_path: Path, option: list[str]) -> None:
    hostile = HOSTILE.replace("/", "")
    for name in (hostile, f"={hostile}"):
        rows = "\n".join(f"{i / FS},{value:.4f}" for i, value in enumerate(LEAD))
        (tmp_path / f"{name}.csv").write_text(f"time (s),ECG {hostile[:-2]} (mV)\n{rows}\n", newline="")
    (tmp_path / f"bad{hostile}.csv").write_text("no numbers")
    done = subprocess.run(
        [sys.executable, "-m", "ecg_rhythm", "classify", str(tmp_path), *option], capture_output=True, check=False
    )
    text, errors = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 1, errors
    assert not controls(text)
    assert not controls(errors)
    if option == ["--csv"]:
        rows_read = list(csv.reader(io.StringIO(text, newline="")))
        assert len({len(row) for row in rows_read}) == 1
        assert len(rows_read) == 3
        assert not [cell for row in rows_read for cell in row if cell[:1] in ("=", "@", "+", "\r")]
