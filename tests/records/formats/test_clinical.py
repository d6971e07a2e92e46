"""Clinical formats: what the library reads, and the bounds that are checked before it does."""

from __future__ import annotations

import base64
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecg_rhythm.records import ReadOptions, read
from ecg_rhythm.records.formats import bounds
from fuzzing.by_hand.clinical import hl7, muse, philips, scp
from fuzzing.by_hand.signals import mfer
from fuzzing.inputs import FS, LEAD, OTHER, START
from tests.helpers import refusal

LEADS = {"I": LEAD, "II": OTHER}


@pytest.mark.parametrize(("write", "fs"), [(hl7, 256.41), (hl7, 300), (scp, 256), (scp, 300), (scp, 1000), (mfer, 257)])
def test_a_rate_is_as_exact_as_the_file_gives_it(tmp_path: Path, write: Callable[..., Path], fs: float) -> None:
    assert read(write(tmp_path, LEADS, fs, START)).fs == fs


def test_an_xml_file_may_be_in_utf_16(tmp_path: Path) -> None:
    for write in (hl7, philips):
        path = write(tmp_path, LEADS, FS, START)
        path.write_text(path.read_text().replace("UTF-8", "UTF-16"), encoding="utf-16")
        np.testing.assert_allclose(read(path, ReadOptions(lead="II")).signal, OTHER, atol=1e-4)


ENTITIES = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(12)
)


def with_entities(path: Path, tag: str) -> Path:
    """A billion laughs: each entity is ten times the one before."""
    content = path.read_text()
    at = content.index(tag)
    path.write_text(content[:at].partition("<!DOCTYPE")[0] + ENTITIES + "]>" + content[at:].replace(">", ">&m;", 1))
    return path


@pytest.mark.parametrize(("write", "tag"), [(hl7, "<AnnotatedECG"), (muse, "<RestingECG>"), (philips, "<restingecg")])
def test_entities_in_xml_are_refused(tmp_path: Path, write: Callable[..., Path], tag: str) -> None:
    path = with_entities(write(tmp_path, LEADS, FS, START), tag)
    began = time.thread_time()
    assert "is damaged or of an unknown kind" in refusal(lambda: read(path))
    assert time.thread_time() - began < 5


def compressed(codes: list[int]) -> bytes:
    """A compressed lead of Philips, of codes of ten bits."""
    bits = "".join(f"{code:010b}" for code in codes)
    packed = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    return struct.pack("<ihh", len(packed), 0, 0) + packed


def of_philips(folder: Path, chunks: bytes) -> Path:
    path = philips(folder, {"I": LEAD}, FS, START)
    begin, _, rest = path.read_text().partition('compressflag="False">')
    end = rest[rest.index("</parsedwaveforms>") :]
    path.write_text(f'{begin}compressflag="True" compression="XLI">{base64.b64encode(chunks).decode()}{end}')
    return path


def test_compressed_leads_of_philips_are_read(tmp_path: Path) -> None:
    """Codes of single bytes are the bytes themselves: second differences, all high bytes first."""
    signal = np.rint(LEAD * 1e4).astype(int)
    differences = 2 * signal[1:-1] - signal[:-2] - signal[2:]
    words = np.array([*signal[:2], *(differences[1:] + 64), 64], dtype=">i2").view(np.uint8).reshape(-1, 2)
    chunk = bytearray(compressed([*words[:, 0].tolist(), *words[:, 1].tolist()]))
    chunk[6:8] = struct.pack("<h", differences[0])
    np.testing.assert_allclose(read(of_philips(tmp_path, bytes(chunk))).signal, LEAD, atol=1e-4)


def test_leads_of_philips_that_inflate_to_too_much_are_refused(tmp_path: Path) -> None:
    bomb = compressed([65, *range(256, 1022), *([1021] * 20_000)])
    path = of_philips(tmp_path, bomb)
    assert path.stat().st_size < 100_000
    assert f"inflate to more than {bounds.MOST_INFLATED // 2**20} MiB" in refusal(lambda: read(path))
    hidden = path.read_text().replace('XLI">', 'XLI">A<!-- -->')
    path.write_text(hidden)
    assert "are not plain text" in refusal(lambda: read(path))


def huffman(values: list[int]) -> bytes:
    """Numbers in the default code of SCP-ECG (EN 1064:2005, 5.5.3): short ones from 0 to 8, else 8 or 16 bits."""
    bits = []
    for value in values:
        if value == 0:
            bits.append("0")
        elif abs(value) <= 8:
            bits.append("1" * abs(value) + "0" + ("1" if value < 0 else "0"))
        elif -128 <= value < 128:
            bits.append("1111111110" + f"{value & 0xFF:08b}")
        else:
            bits.append("1111111111" + f"{value & 0xFFFF:016b}")
    whole = "".join(bits)
    size = -(-len(whole) // 8)
    return int(whole.ljust(8 * size, "0"), 2).to_bytes(size, "big")


@pytest.mark.parametrize("order", [0, 1, 2])
def test_compressed_scp_is_read(tmp_path: Path, order: int) -> None:
    """Samples in Huffman's code, as they are or as first or second differences, whose first samples stand before."""
    signal = np.rint(LEAD * 500).astype(int)  # in steps of 2 uV
    coded = np.concatenate([signal[:order], np.diff(signal, order)]).tolist()
    packed = huffman(coded)
    packed += bytes(len(packed) % 2)
    rhythm = struct.pack("<HHBBH", 2000, 4000, order, 0, len(packed)) + packed
    leads = struct.pack("<BBIIB", 1, 0x04 | 1 << 3, 1, len(signal), 2)
    parts = {2: struct.pack("<H", 19999), 3: leads + b"\0", 6: rhythm}
    sections = {n: bytes(2) + struct.pack("<HIBB", n, 16 + len(b), 20, 20) + bytes(6) + b for n, b in parts.items()}
    at = 6 + 16 + 10 * 4
    pointers = struct.pack("<HII", 0, at - 6, 7)
    for number, section in sections.items():
        pointers += struct.pack("<HII", number, len(section), at + 1)
        at += len(section)
    first = bytes(2) + struct.pack("<HIBB", 0, 16 + len(pointers), 20, 20) + b"SCPECG" + pointers
    (tmp_path / "r.scp").write_bytes(bytes(2) + struct.pack("<I", at) + first + b"".join(sections.values()))
    record = read(tmp_path / "r.scp")
    assert (record.fs, record.lead) == (FS, "II")
    np.testing.assert_allclose(record.signal, LEAD, atol=1.01e-3)
    assert any("CRC mismatch" in remark for remark in record.remarks)


def test_beats_of_scp_that_overlap_are_refused(tmp_path: Path) -> None:
    path = scp(tmp_path, LEADS, FS, START)
    content = bytearray(path.read_bytes())
    beats = struct.pack("<HHH", 100, 10, 2000) + struct.pack("<HIII", 0, 1, 1000, 2000) * 2000
    section = bytes(2) + struct.pack("<HIBB", 4, 16 + len(beats), 20, 20) + bytes(6) + beats
    content += section
    pointer = 22 + 10  # the first section after the pointers' own
    content[pointer : pointer + 10] = struct.pack("<HII", 4, len(section), len(content) - len(section) + 1)
    path.write_bytes(content)
    assert "its beats have more samples than its leads" in refusal(lambda: read(path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x40\x04MFR \x05\x02\x10\x00" + b"\x1e\x01\0", "more than 64 channels"),
        (b"\x40\x04MFR \x01\x01\x01\x05\x02\x00\x10" + b"\x1e\x01\0", "more than 64 channels"),
        (b"\x40\x04MFR \x67\x04\x05\x02\x10\x00" + b"\x1e\x01\0", "more than 64 channels"),
        (b"\x40\x04MFR " + b"\x1e\x01\0" * 5000, "more than 64 channels or 4096 frames"),
        (b"\x40\x04MFR " + b"\x67\x80" * 500, "a definition in it has no length"),
        (b"\x40\x04MFR " + b"\x67\x7f" * 50 + bytes(200), "nested too deeply"),
        (b"\x40\x04MFR \x1e", "is damaged or of an unknown kind"),
        (b"\x40\x04MFR \x01\x01\x00\x80\0", "is damaged or of an unknown kind"),
    ],
)
def test_mfer_of_too_much_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "r.mwf").write_bytes(content)
    assert says in refusal(lambda: read(tmp_path / "r.mwf"))


def test_clinical_files_that_are_too_large_are_refused(tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text("<AnnotatedECG>" + "<a/>" * (bounds.MOST_MARKS + 1) + "</AnnotatedECG>")
    assert "more than 200000 elements and attributes" in refusal(lambda: read(tmp_path / "r.xml"))
    (tmp_path / "r.xml").write_text("<AnnotatedECG>" + " " * bounds.LARGEST + "</AnnotatedECG>")
    assert "it is larger than 16 MiB" in refusal(lambda: read(tmp_path / "r.xml"))
    path = scp(tmp_path, LEADS, FS, START)
    path.write_bytes(path.read_bytes() + bytes(bounds.LARGEST_SCP))
    assert "it is larger than 1 MiB" in refusal(lambda: read(path))


def test_a_file_without_leads_is_refused(tmp_path: Path) -> None:
    for content in ("<AnnotatedECG/>", "<RestingECG></RestingECG>", "<restingecgdata/>", "<ECG ></ECG>"):
        (tmp_path / "r.xml").write_text(content)
        assert "is damaged or of an unknown kind" in refusal(lambda: read(tmp_path / "r.xml"))


def test_the_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hl7(tmp_path, LEADS, FS, START)
    monkeypatch.setitem(sys.modules, "ecgdatakit", None)
    message = refusal(lambda: read(path))
    assert "[clinical]" in message
    assert message.startswith(f"{path}: reading HL7 aECG needs ecgdatakit, which is not installed")
