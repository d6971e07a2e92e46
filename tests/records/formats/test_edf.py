from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from ecg_rhythm.records import open_recording, read
from fuzzing.inputs import FS, LEAD, SECONDS, WRITERS, as_bdf, as_edf
from tests.helpers import refusal


def interrupted(folder: Path, starts: Sequence[float]) -> Path:
    """Write as_edf's file as EDF+D: its data records, a second each, start at other times."""

    def moved(match: re.Match[bytes]) -> bytes:
        return (f"+{starts[int(match[1])]:.10g}\x14\x14\0".encode()).ljust(len(match[0]), b"\0")

    path = as_edf(folder)
    content = path.read_bytes().replace(b"EDF+C", b"EDF+D", 1)
    path.write_bytes(re.sub(rb"\+(\d+)\x14\x14\0+", moved, content))
    return path


def test_an_interrupted_recording_has_gaps_where_it_was(tmp_path: Path) -> None:
    starts = [k + 7 * (k >= 3) + 100 * (k >= 5) for k in range(SECONDS)]
    recording = open_recording(interrupted(tmp_path, starts))
    assert recording.seconds == starts[-1] + 1
    there = (np.array(starts)[:, None] * int(FS) + np.arange(int(FS))).ravel()
    signal = recording.read(0, recording.samples)
    np.testing.assert_allclose(signal[there], LEAD, atol=1e-3)
    assert np.isfinite(signal).sum() == len(LEAD)
    for start, stop in [(0, 1), (505, 2750), (1000, 2250), (1250, 2500), (7500, 10000)]:
        np.testing.assert_array_equal(recording.read(start, stop), signal[start:stop])


@pytest.mark.parametrize("drift", [0.004, -0.004, 0.001])
def test_a_clock_that_drifts_by_a_sample_makes_no_gap(tmp_path: Path, drift: float) -> None:
    recording = open_recording(interrupted(tmp_path, [round(k * (1 + drift), 3) for k in range(SECONDS)]))
    assert recording.samples == len(LEAD)
    np.testing.assert_allclose(recording.read(0, len(LEAD)), LEAD, atol=1e-3)


def test_the_unit_of_an_edf_file_is_that_of_its_size_or_a_micro_sign(tmp_path: Path) -> None:
    content = as_edf(tmp_path).read_bytes()
    for unit in (b"      ", b"\xb5V    "):
        (tmp_path / "u.edf").write_bytes(content.replace(b"uV    ", unit))
        np.testing.assert_allclose(read(tmp_path / "u.edf").signal, LEAD, atol=1e-3)


def test_more_data_records_than_in_the_header_are_read_with_a_remark(tmp_path: Path) -> None:
    content = as_edf(tmp_path).read_bytes()
    (tmp_path / "r.edf").write_bytes(content[:236] + b"5       " + content[244:])
    assert read(tmp_path / "r.edf").remarks == (f"{SECONDS} data records are there, its header says 5",)


DURATION, HEADER_SIZE, RECORD_COUNT = 244, 184, 236
"""Where they begin in an EDF header, each of eight bytes."""


@pytest.mark.parametrize(
    ("writer", "fields", "says"),
    [
        (as_edf, {DURATION: b"0"}, "this EDF or BDF file is damaged"),
        (as_edf, {DURATION: b"-1"}, "this EDF or BDF file is damaged"),
        (as_bdf, {HEADER_SIZE: b"9999999", RECORD_COUNT: b"-1"}, "this EDF or BDF file is damaged"),
    ],
)
def test_headers_that_cannot_be_are_refused(
    tmp_path: Path, writer: Callable[[Path], Path], fields: dict[int, bytes], says: str
) -> None:
    path = writer(tmp_path)
    content = bytearray(path.read_bytes())
    for where, value in fields.items():
        content[where : where + 8] = value.ljust(8)
    path.write_bytes(content)
    assert says in refusal(lambda: read(path))


def test_pieces_in_disorder_or_months_apart_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disorder = [k - 2 * (k >= 3) for k in range(SECONDS)]
    assert "not in order of time" in refusal(lambda: open_recording(interrupted(tmp_path, disorder)))

    def apart(seconds: int) -> Path:
        return interrupted(tmp_path, [k + seconds * (k >= 3) for k in range(SECONDS)])

    too_long = "it lasts over 16 times as long as what is recorded in it; divide it into several files"
    month = 31 * 86400
    assert open_recording(apart(month)).seconds == month + SECONDS
    assert too_long in refusal(lambda: open_recording(apart(month + 1)))
    monkeypatch.setattr("ecg_rhythm.records.recording.MOST_SAMPLES", 1000)
    assert open_recording(apart(16 * SECONDS)).seconds == 17 * SECONDS
    assert too_long in refusal(lambda: open_recording(apart(16 * SECONDS + 1)))


@pytest.mark.parametrize("writer", ["edf", "bdf"])
def test_a_file_that_was_cut_off_has_a_remark(tmp_path: Path, writer: str) -> None:
    path = WRITERS[writer](tmp_path)
    whole = read(path)
    content = path.read_bytes()
    path.write_bytes(content[: -len(content) // 3])
    record = read(path)
    assert re.fullmatch(rf"cut off: \d+ of its {SECONDS} data records are there", record.remarks[0])
    np.testing.assert_array_equal(record.signal, whole.signal[: len(record.signal)])
    path.write_bytes(content[:236] + b"-1      " + content[244:])  # as it is while it is being recorded
    assert read(path).remarks == ()
