from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ecg_rhythm.records import ReadOptions, read
from ecg_rhythm.records.units import SIZED, in_millivolts, is_unit, may_be_voltage, scale, size_of
from fuzzing.inputs import FS, LEAD
from tests.helpers import refusal


@pytest.mark.parametrize(("factor", "remark"), [(1, "unit unknown, taken as mV"), (1000, "unit unknown, taken as uV")])
def test_an_unknown_unit_is_guessed_from_the_size_with_a_remark(tmp_path: Path, factor: float, remark: str) -> None:
    np.save(tmp_path / "r.npy", 60 * LEAD / LEAD.std() * 0.001 * factor)
    record = read(tmp_path / "r.npy", ReadOptions(fs=FS))
    assert record.remarks == (remark,)
    assert record.signal.std() == pytest.approx(0.06, rel=1e-4)


@pytest.mark.parametrize("unit", ["mmHg", "0/mV", "x/mV", "200/kg", "1e999/mV"])
def test_a_unit_that_is_none_of_voltage_is_refused(tmp_path: Path, unit: str) -> None:
    np.save(tmp_path / "r.npy", LEAD)
    options = ReadOptions(fs=FS, unit=unit)
    assert f"its samples are in {unit!r}, which is no voltage" in refusal(lambda: read(tmp_path / "r.npy", options))


@pytest.mark.parametrize(
    ("unit", "millivolts"),
    [
        ("mV", 1), (" MV ", 1), ("millivolt", 1), ("millivolts", 1), ("uV", 1e-3), ("µV", 1e-3), ("μV", 1e-3),
        ("microvolts", 1e-3), ("nV", 1e-6), ("nanovolt", 1e-6), ("V", 1e3), ("Volts", 1e3), ("毫伏", 1), ("мкВ", 1e-3),
        ("10 uV", 0.01), ("10uV", 0.01), ("2.5e+1 mV", 25), ("200/mV", 1 / 200), ("200 / mV", 1 / 200),
        ("1e3/mV", 1e-3), ("1 /V", 1e3), ("0.5/uV", 2e-3),
    ],
)  # fmt: skip
def test_units_of_voltage(unit: str, millivolts: float) -> None:
    assert in_millivolts(unit) == pytest.approx(millivolts, rel=1e-12)
    assert is_unit(unit) and may_be_voltage(unit)


@pytest.mark.parametrize(
    "unit",
    ["mmHg", "5 kg", "0/mV", "0 mV", "-5/mV", "1e999/mV", "1.2.3/mV", "e/mV", "/mV", "mv mv", "mvs", "uv/", "5 mv!"],
)
def test_what_is_no_unit_of_voltage(unit: str) -> None:
    assert in_millivolts(unit) is None
    assert not may_be_voltage(unit)


@pytest.mark.parametrize("unit", ["%", "(s)", "[ms]", "Seconds", "m/(s^2)", "m/s²", "m / s 2", "°C", "[uV]", "秒"])
def test_units_of_anything(unit: str) -> None:
    assert is_unit(unit)


@pytest.mark.parametrize("text", ["", "()", "lead", "II", "m/s3", "ecg mV"])
def test_what_is_no_unit_at_all(text: str) -> None:
    assert not is_unit(text)


@pytest.mark.parametrize(("unit", "may_be"), [(None, True), ("", True), ("  ", True), ("s", False), ("adu", False)])
def test_a_unit_that_is_not_given_may_be_one_of_voltage(unit: str | None, may_be: bool) -> None:
    assert may_be_voltage(unit) is may_be


@given(samples=arrays(np.float32, st.integers(1, 300), elements=st.floats(-1e6, 1e6, width=32)), gaps=st.integers(0, 9))
def test_a_signals_size_is_half_its_range_without_gaps_and_extremes(samples: NDArray[np.float32], gaps: int) -> None:
    low, high = np.sort(np.quantile(samples.astype(np.float64), [0.01, 0.99]))
    for gap in (np.nan, np.inf, -np.inf):
        assert size_of(np.concatenate([np.full(gaps, gap), samples])) == pytest.approx((high - low) / 2)


def test_a_signal_of_nothing_has_no_size() -> None:
    assert size_of(np.zeros(0)) == size_of(np.full(5, np.nan)) == 0


def test_a_signals_size_is_that_of_its_beginning() -> None:
    samples = np.concatenate([np.resize([-1.0, 1.0], SIZED), np.full(2 * SIZED, 50.0)])
    assert size_of(samples) == 1
    assert size_of(samples[: SIZED // 2].astype(np.int16)) == 1


NO_ECG = "mV is not one of an ECG; check the unit"


@pytest.mark.parametrize(
    ("of_file", "said", "size", "factor", "remarks"),
    [
        ("mV", None, 1.0, 1, []),
        ("uV", None, 500.0, 1e-3, []),
        ("uV", None, None, 1e-3, []),
        (None, None, None, 1, ["unit unknown, taken as mV"]),
        ("  ", None, 1.0, 1, ["unit unknown, taken as mV"]),
        (None, None, 0.0, 1, ["unit unknown, taken as mV"]),
        (None, None, 20.0, 1, ["unit unknown, taken as mV"]),
        (None, None, 20.1, 1e-3, ["unit unknown, taken as uV"]),
        (None, None, 0.005, 1, ["unit unknown, taken as mV"]),
        (None, None, 0.0049, 1e3, ["unit unknown, taken as V"]),
        (None, None, 1e6, 1e-3, ["unit unknown, taken as uV", f"its size of 1e+03 {NO_ECG}"]),
        ("uV", "mV", 1.0, 1, ["in mV as you say; the file says uV"]),
        ("millivolts", "mV", 1.0, 1, []),
        ("mmHg", "mV", 1.0, 1, []),
        (None, "200/mV", 100.0, 1 / 200, []),
        ("mV", None, 20.0, 1, []),
        ("mV", None, 0.005, 1, []),
        ("mV", None, 21.0, 1, [f"its size of 21 {NO_ECG}"]),
        ("uV", None, 4.0, 1e-3, [f"its size of 0.004 {NO_ECG}"]),
        ("mV", None, 0.0, 1, []),
    ],
)  # fmt: skip
def test_the_users_unit_goes_before_the_files_and_that_before_a_guess(
    of_file: str | None, said: str | None, size: float | None, factor: float, remarks: list[str]
) -> None:
    got, said_of_it = scale(of_file, ReadOptions(unit=said), "a.csv", size)
    assert got == pytest.approx(factor)
    assert said_of_it == remarks


@pytest.mark.parametrize(
    ("of_file", "said", "named"), [(" mmHg ", None, "mmHg"), ("mV", " kg", "kg"), ("Ohm", "", "Ohm")]
)
def test_a_unit_of_something_else_is_refused_with_the_way_out(of_file: str, said: str | None, named: str) -> None:
    message = refusal(lambda: scale(of_file, ReadOptions(unit=said), "a.csv"))
    assert message == (
        f"a.csv: its samples are in {named!r}, which is no voltage; give their unit with --unit: mV, uV, nV, V, or how "
        "many units are one mV, such as 200/mV"
    )
