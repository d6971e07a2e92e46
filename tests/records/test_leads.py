from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecg_rhythm.records import ReadOptions, read
from fuzzing.inputs import LEAD, OTHER, TIMES, as_rows, as_wfdb
from tests.helpers import refusal
from tests.records.writers import WAVE, write_wfdb


@pytest.mark.parametrize("lead", ["V9", "0", "9", ""])
def test_a_lead_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, lead: str) -> None:
    message = refusal(lambda: read(as_wfdb(tmp_path), ReadOptions(lead=lead)))
    assert f"there is no lead {lead!r} in it; choose one of V1, II" in message


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


def test_a_number_of_any_length_may_be_given_as_a_lead(tmp_path: Path) -> None:
    path = as_rows("time,a,b\n", lambda t, v: f"{t:.3f},0,{v:.6f}")(tmp_path)
    assert read(path, ReadOptions(lead=" 2 ")).lead == "b"
    for lead in ("9" * 5000, "3", "0"):
        assert refusal(partial(read, path, ReadOptions(lead=lead))).endswith("in it; choose one of a, b")


def test_leads_have_names_in_any_script(tmp_path: Path) -> None:
    path = as_rows("time (s),呼吸,心电\n", lambda t, v: f"{t:.3f},0,{v:.6f}")(tmp_path)
    assert read(path).lead == "心电"
    for lead in ("", "心电图", "сердце"):
        assert f"there is no lead {lead!r} in it" in refusal(partial(read, path, ReadOptions(lead=lead)))


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
    record = read(write_wfdb(tmp_path, signals=columns, leads=leads))
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
def test_an_uncertain_choice_has_a_remark(tmp_path: Path, leads: tuple[str, ...], remark: str) -> None:
    path = write_wfdb(tmp_path, signals=np.stack([WAVE] * len(leads), axis=1), leads=leads)
    assert read(path).remarks == (remark,)
    assert read(path, ReadOptions(lead=leads[0])).remarks == ()


def test_a_lead_in_volts_goes_before_one_that_is_not(tmp_path: Path) -> None:
    path = write_wfdb(tmp_path, signals=np.stack([2 * WAVE, WAVE], axis=1), leads=("a", "b"))
    text = path.read_text().splitlines()
    path.write_text("\n".join([text[0], text[1].replace("/mV", "/NU"), text[2]]) + "\n")
    assert read(path).lead == "b"
    assert "no voltage" in refusal(lambda: read(path, ReadOptions(lead="a")))
