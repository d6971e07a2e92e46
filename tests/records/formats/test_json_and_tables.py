"""JSON, and tables with a row per ECG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ecg_rhythm.records import ReadOptions, read
from fuzzing.by_hand.devices import fitbit, kardia, movesense
from fuzzing.by_hand.tables import withings
from fuzzing.inputs import FS, LEAD, OTHER, START
from tests.helpers import refusal


def write(folder: Path, content: Any) -> Path:
    (folder / "r.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder / "r.json"


def changed(path: Path, change: Any) -> Path:
    content = json.loads(path.read_text())
    change(content)
    return write(path.parent, content)


def test_one_of_several_ecgs_is_chosen_by_its_number(tmp_path: Path) -> None:
    path = fitbit(tmp_path, {"I": LEAD}, FS, START)
    second = [round(value * 10_000) for value in OTHER]
    path = changed(path, lambda c: c["ecgReadings"].append(c["ecgReadings"][0] | {"waveformSamples": second}))
    assert refusal(lambda: read(path)) == f"{path}: it holds 2 ECGs; choose one by its number, --lead 1 to 2"
    assert "it holds 2 ECGs" in refusal(lambda: read(path, ReadOptions(lead="3")))
    np.testing.assert_allclose(read(path, ReadOptions(lead="1")).signal, LEAD, atol=1e-4)
    np.testing.assert_allclose(read(path, ReadOptions(lead="2")).signal, OTHER, atol=1e-4)


def test_a_cell_of_a_withings_table_may_be_long(tmp_path: Path) -> None:
    long = np.tile(LEAD, 30)
    path = withings(tmp_path, {"I": long}, FS, START)
    assert max(map(len, path.read_text().splitlines())) > 131_072  # more than Python's csv reads
    assert len(read(path).signal) == len(long)


def test_withings_table_has_a_row_for_each_ecg(tmp_path: Path) -> None:
    path = withings(tmp_path, {"I": LEAD}, FS, START)
    header, row = path.read_text().splitlines()
    other = withings(tmp_path, {"I": OTHER}, 300.0, START).read_text().splitlines()[1]
    path.write_text("\n".join([header, row, other, ""]))
    assert "it holds 2 ECGs" in refusal(lambda: read(path))
    record = read(path, ReadOptions(lead="2"))
    assert (record.fs, record.lead) == (300, "I")
    np.testing.assert_allclose(record.signal, OTHER, atol=1e-4)
    of_arm = row.replace(',1,"', ',2,"')  # of a blood pressure monitor, in mV
    path.write_text(f"{header}\n{of_arm}\n")
    assert read(path).signal.max() == pytest.approx(1000 * LEAD.max(), rel=1e-3)
    path.write_text(f"{header}\n{row.replace('[0', '[x')}\n")
    assert "does not hold numbers alone" in refusal(lambda: read(path))


def test_a_lost_packet_is_a_gap(tmp_path: Path) -> None:
    path = movesense(tmp_path, {"I": LEAD}, FS, START)
    path = changed(path, lambda c: c["data"].pop(50))
    record = read(path)
    assert (record.fs, record.gaps, len(record.signal)) == (FS, 1, len(LEAD))
    assert record.missing == pytest.approx(16 / len(LEAD))
    path = changed(path, lambda c: c["data"][-1]["ecg"].update(Timestamp=10**12))
    assert "over half of the time that its packets span is missing" in refusal(lambda: read(path))
    path = changed(path, lambda c: [packet["ecg"].pop("Timestamp") for packet in c["data"]])
    assert "its sampling rate is unknown" in refusal(lambda: read(path))


def test_packets_in_millivolts_are_known_by_their_name(tmp_path: Path) -> None:
    packets = [{"ECGmV": {"timestamp": 8 * at, "Samples": LEAD[at : at + 16].tolist()}} for at in range(0, 2000, 16)]
    record = read(write(tmp_path, {"Samples": packets}))
    assert record.fs == 125  # 16 samples in 128 ms
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-6)


def test_a_lead_of_kardias_six_can_be_chosen(tmp_path: Path) -> None:
    path = kardia(tmp_path, {"I": LEAD, "II": OTHER}, 300.0, START)
    np.testing.assert_allclose(read(path, ReadOptions(lead="II")).signal, OTHER, atol=1e-4)
    np.testing.assert_allclose(read(path).signal, LEAD, atol=1e-4)


def rounded(signal: NDArray[np.float64]) -> list[float]:
    return [round(value, 5) for value in signal.tolist()]


@pytest.mark.parametrize(
    "content",
    [
        {"samples": rounded(LEAD), "fs": FS, "unit": "mV"},
        {"signal": rounded(LEAD), "sampling_rate": "250 Hz", "units": "mV"},
        {"info": {"fs": FS}, "ecg": {"II": rounded(LEAD), "V1": rounded(OTHER)}, "unit": "mV"},
        {"fs": FS, "unit": "mV", "leads": ["V1", "II"], "data": [rounded(OTHER), rounded(LEAD)]},
    ],
)
def test_any_json_with_arrays_by_name_is_read(tmp_path: Path, content: dict[str, Any]) -> None:
    record = read(write(tmp_path, content))
    assert (record.fs, record.remarks) == (FS, ())
    np.testing.assert_allclose(record.signal, LEAD, atol=1e-5)


def test_null_is_a_gap(tmp_path: Path) -> None:
    record = read(write(tmp_path, {"samples": [*rounded(LEAD[:500]), None, None, *rounded(LEAD[502:])], "fs": FS}))
    assert (record.gaps, len(record.signal)) == (1, len(LEAD))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"ecg": [1, 2', "this JSON is damaged"),
        ('{"ecg": ' + "[" * 100_000, "this JSON is damaged"),
        ({"ecg": ["Zyxwvut", "born"]}, "there is no row or table of real numbers in it"),
        ({"ecgReadings": [{"waveformSamples": ["a"], "samplingFrequencyHz": 250}]}, "does not hold numbers"),
        ({"ecgReadings": [{"waveformSamples": {"a": 1}, "samplingFrequencyHz": 250}]}, "does not hold numbers"),
        ({"ecgReadings": [{"waveformSamples": [1] * 900}]}, "its sampling rate is unknown"),
        ({"data": {"raw": {"samples": [1], "amplitudeResolution": 500}}}, "does not hold numbers"),
        ({"data": {"raw": {"samples": {}, "amplitudeResolution": 500}}}, "does not hold numbers"),
        ({"data": [{"ecg": {"Samples": [[1]]}}]}, "does not hold numbers"),
        ({"weight": [1, 2, 3]}, "this is a JSON file of an unknown layout"),
    ],
)
def test_json_without_an_ecg_is_refused(tmp_path: Path, content: Any, says: str) -> None:
    path = write(tmp_path, content)
    message = refusal(lambda: read(path))
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "Zyxwvut" not in message
