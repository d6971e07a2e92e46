"""WAV, AliveCor's `.atc` and ISHNE Holter files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from ecg_rhythm.records import ReadOptions, open_recording, read
from fuzzing.by_hand.devices import atc, wav
from fuzzing.by_hand.signals import ishne
from fuzzing.inputs import FS, LEAD, OTHER, START
from tests.helpers import refusal

LEADS = {"I": LEAD, "II": OTHER}


@pytest.mark.parametrize(
    ("kind", "per_mv", "unit"),
    [
        ("u1", 100, "100/mV"),
        ("<i2", 10_000, "10000/mV"),
        ("<i4", 1e8, "100000000/mV"),
        ("<f4", 1, "mV"),
        ("<f8", 1, "mV"),
    ],
)
def test_samples_of_every_size_are_read(tmp_path: Path, kind: str, per_mv: float, unit: str) -> None:
    offset = 128 if kind == "u1" else 0
    stored = (LEAD * per_mv + offset if kind[1] == "f" else np.rint(LEAD * per_mv) + offset).astype(kind)
    wavfile.write(tmp_path / "r.wav", 250, stored)
    record = read(tmp_path / "r.wav", ReadOptions(unit=unit))
    assert (record.fs, record.lead) == (250, "ECG")
    np.testing.assert_allclose(record.signal, LEAD, atol=0.51 / per_mv if per_mv > 1 else 1e-6)


def test_a_channel_is_chosen_by_its_number(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "r.wav", 250, np.column_stack([LEAD, OTHER]).astype(np.float32))
    np.testing.assert_allclose(read(tmp_path / "r.wav", ReadOptions(lead="2", unit="mV")).signal, OTHER, atol=1e-6)


@pytest.mark.parametrize("length", [4, 6, 20, 29, 40])
def test_a_sound_file_that_is_cut_off_is_refused_or_short(tmp_path: Path, length: int) -> None:
    path = wav(tmp_path, {"I": LEAD}, FS, START)
    path.write_bytes(path.read_bytes()[:length])
    assert refusal(lambda: read(path)).startswith(f"{path}: this WAV file is damaged")


def test_either_checksum_of_alivecor_is_right_and_no_other(tmp_path: Path) -> None:
    path = atc(tmp_path, LEADS, FS, START)
    content = bytearray(path.read_bytes())
    at = content.index(b"ecg ")
    end = at + 8 + 2 * len(LEAD)
    content[end : end + 4] = struct.pack("<I", zlib.crc32(content[at:end]))
    path.write_bytes(content)
    np.testing.assert_allclose(read(path).signal, LEAD, atol=1e-4)
    np.testing.assert_allclose(read(path, ReadOptions(lead="II")).signal, OTHER, atol=1e-4)
    path.write_bytes(content[:-9])
    assert "is cut off" in refusal(lambda: read(path))
    content[at + 100] ^= 1
    path.write_bytes(content)
    assert "is damaged, as a checksum is wrong" in refusal(lambda: read(path))
    path.write_bytes(content[:12])
    assert "does not say its format" in refusal(lambda: read(path))


def test_a_holter_is_read_part_by_part_with_its_gaps(tmp_path: Path) -> None:
    path = ishne(tmp_path, {"V1": OTHER, "I": LEAD}, FS, START)
    content = bytearray(path.read_bytes())
    content[522 + 4 * 100 + 2 : 522 + 4 * 100 + 4] = struct.pack("<h", -32768)
    path.write_bytes(content)
    recording = open_recording(path)
    assert (recording.lead, recording.samples) == ("I", len(LEAD))
    assert np.isnan(recording.read(100, 101)).all()
    np.testing.assert_allclose(recording.read(101, 400), LEAD[101:400], atol=1e-4)
    path.write_bytes(content[:-1001])
    cut = open_recording(path)
    assert any(remark.startswith("cut off") for remark in cut.remarks)
    assert cut.samples == len(LEAD) - 251


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [(156, 0, "header of this ISHNE file is damaged"), (156, 99, "header of this ISHNE file is damaged"),
     (10, -5, "header of this ISHNE file is damaged"), (272, 0, "its sampling rate is unknown")],
)  # fmt: skip
def test_a_holter_with_a_damaged_header_is_refused(tmp_path: Path, at: int, value: int, says: str) -> None:
    path = ishne(tmp_path, LEADS, FS, START)
    content = bytearray(path.read_bytes())
    content[at : at + 2] = struct.pack("<h", value)
    content[12:14] = struct.pack("<h", -1 if value < 0 else 0)
    path.write_bytes(content)
    assert says in refusal(lambda: read(path))
    path.write_bytes(content[:300])
    assert "cut off within its header" in refusal(lambda: read(path))
    path.write_bytes(content[:522])
    assert refusal(lambda: read(path)).startswith(f"{path}: ")


def test_the_library_reads_ishne_alike(tmp_path: Path) -> None:
    from ecgdatakit.parsing.parsers.ishne_holter import ISHNEHolterParser

    path = ishne(tmp_path, LEADS, FS, START)
    of_library = ISHNEHolterParser().parse(path)
    for lead in of_library.leads:
        record = read(path, ReadOptions(lead=lead.label))
        np.testing.assert_allclose(record.signal, lead.samples * lead.resolution / 1000, atol=1e-6)
    assert of_library.recording.date == open_recording(path).start == START
    assert of_library.raw_metadata["checksum_valid"]
