"""What clinical files may hold, checked before a library parses them: it may take far more than the file's own size."""

from __future__ import annotations

import base64
import re
import struct
from pathlib import Path

import numpy as np

from ecg_rhythm.errors import BadInput

LARGEST, LARGEST_SCP = 16 * 2**20, 2**20
"""Bytes of a file. An ECG of ten seconds has a tenth of a MB, or some as XML; leads of SCP-ECG have 64 KiB each."""
MOST_MARKS = 200_000
"""Elements and attributes in XML."""
WAVEFORMS = re.compile(r"<parsedwaveforms\b", re.IGNORECASE)
PLAIN = re.compile(r"<parsedwaveforms\b[^<>]*>([\w+/=\s.-]*)</parsedwaveforms\s*>", re.IGNORECASE)
COMPRESSED = re.compile(r"""compress\w{0,32}\s{0,32}=\s{0,32}["']xli["']""", re.IGNORECASE)
CHUNK, CODE_BITS, LAST_CODE = struct.Struct("<ihh"), 10, 1022
"""What stands before a compressed lead of Philips: its size, and two numbers; bits of a code, and the last of them."""
MOST_INFLATED = 4 * 2**20
"""Bytes of all compressed leads of a file, when inflated."""
SECTION, POINTER, ZONE = 16, struct.Struct("<HII"), struct.Struct("<HIII")
"""Of SCP-ECG: bytes of a section's header; number, length and place of a section; kind, begin, peak, end of a beat."""
MOST_OF_BEATS = 1_000_000
"""Samples of all beats together."""
MOST_CHANNELS, MOST_FRAMES, DEEPEST = 64, 4096, 4
"""Of MFER: channels, blocks of samples, and levels of definitions."""
END, ORDER, CHANNELS, GROUP, WAVE, CHANNEL = 0x80, 0x01, 0x05, 0x67, 0x1E, 0x3F
"""Tags of MFER: the end, the order of bytes, the number of channels, definitions together, samples, definitions that
hold for one channel."""


def check_size(path: Path) -> None:
    """Check the size of a file.

    Raises
    ------
    BadInput
        If it is larger than a clinical ECG may be.
    """
    if path.stat().st_size > LARGEST:
        raise BadInput(
            f"{path}: it is larger than {LARGEST // 2**20} MiB, which no such file is; save it as EDF or WFDB"
        )


def check_xml(path: Path, content: bytes) -> None:
    """Check that an XML file has not too many elements and attributes.

    Raises
    ------
    BadInput
        If it has.
    """
    if content.count(b"<") + content.count(b"=") > MOST_MARKS:
        raise BadInput(f"{path}: this XML has more than {MOST_MARKS} elements and attributes; get a new copy")


def check_philips(path: Path, content: bytes) -> None:
    """Check the same, and what the compressed leads inflate to.

    Raises
    ------
    BadInput
        If this is too much.
    """
    check_xml(path, content)
    text = content.replace(b"\0", b"").decode("latin-1")
    found = PLAIN.findall(text)
    if len(found) != len(WAVEFORMS.findall(text)):
        raise BadInput(f"{path}: the waveforms in this XML are not plain text; get a new copy")
    if not COMPRESSED.search(text):
        return
    for letters in found:
        try:
            size = _inflated(base64.b64decode("".join(letters.split()), validate=True))
        except (ValueError, struct.error):
            raise BadInput(f"{path}: the waveforms in this XML are damaged; get a new copy") from None
        if size > MOST_INFLATED:
            raise BadInput(f"{path}: its waveforms inflate to more than {MOST_INFLATED // 2**20} MiB; get a new copy")


def _inflated(chunks: bytes) -> int:
    """Bytes that compressed leads inflate to (LZW with codes of ten bits)."""
    total = at = 0
    powers = 1 << np.arange(CODE_BITS - 1, -1, -1)
    while at < len(chunks) and total <= MOST_INFLATED:
        size, _, _ = CHUNK.unpack_from(chunks, at)
        if size <= 0:
            raise ValueError
        bits = np.unpackbits(np.frombuffer(chunks[at + CHUNK.size : at + CHUNK.size + size], np.uint8))
        codes = bits[: len(bits) // CODE_BITS * CODE_BITS].reshape(-1, CODE_BITS) @ powers
        at += CHUNK.size + size
        lengths, following, before = dict.fromkeys(range(256), 1), 256, 0
        for code in codes.tolist():
            if code > LAST_CODE:
                break
            length = lengths.setdefault(code, before + 1)
            if before and following <= LAST_CODE:
                lengths[following] = before + 1
                following += 1
            before = length
            total += length
            if total > MOST_INFLATED:
                break
    return total


def check_scp(path: Path, content: bytes) -> None:
    """Check the size of an SCP-ECG file, and that its beats, which are added to its leads, are not too long together.

    Raises
    ------
    BadInput
        If it is too large, or they are too long.
    """
    if len(content) > LARGEST_SCP:
        raise BadInput(
            f"{path}: it is larger than {LARGEST_SCP // 2**20} MiB, which no SCP-ECG file is; save it as EDF"
        )
    try:
        (end,) = struct.unpack_from("<I", content, 10)
        for pointer in range(6 + SECTION, min(6 + end, len(content)) - POINTER.size + 1, POINTER.size):
            section, _, index = POINTER.unpack_from(content, pointer)
            if section == 4 and index:
                _check_beats(path, content, index - 1 + SECTION)
    except struct.error:
        pass  # what is cut off is told by who parses it


def _check_beats(path: Path, content: bytes, at: int) -> None:
    (count,) = struct.unpack_from("<H", content, at + 4)
    beats = content[at + 6 : at + 6 + ZONE.size * count]
    total = 0
    for _, begin, _, end in ZONE.iter_unpack(beats[: len(beats) // ZONE.size * ZONE.size]):
        total += max(end - begin + 1, 0)
    if total > MOST_OF_BEATS:
        raise BadInput(f"{path}: its beats have more samples than its leads; get a new copy")


def check_mfer(path: Path, content: bytes) -> None:
    """Check that an MFER file has not too many channels or frames, and no definitions without a length.

    Raises
    ------
    BadInput
        If it has.
    """
    at, frames, order = 0, 0, "big"
    groups: list[int] = []
    while at < len(content):
        groups = [end for end in groups if at < end]
        tag, at = content[at], at + 1
        if tag == 0:
            continue
        if tag == END:
            if not groups:
                return
            at = groups.pop()
            continue
        if tag == CHANNEL:
            while at < len(content) and content[at] & 0x80:
                at += 1
            at += 1
        length, at = _length(path, content, at)
        if tag in (GROUP, CHANNEL):  # what they hold is looked at, too
            groups.append(at + length)
            if len(groups) > DEEPEST:
                raise BadInput(f"{path}: its definitions are nested too deeply; save it as EDF or WFDB")
            continue
        value = content[at : at + length]
        at += length
        if tag == ORDER and value:
            order = "little" if value[0] else "big"
        frames += tag == WAVE
        if frames > MOST_FRAMES or (tag == CHANNELS and int.from_bytes(value, order) > MOST_CHANNELS):  # type: ignore[arg-type]
            raise BadInput(
                f"{path}: it has more than {MOST_CHANNELS} channels or {MOST_FRAMES} frames; save it as EDF or WFDB"
            )


def _length(path: Path, content: bytes, at: int) -> tuple[int, int]:
    """The length of a definition, and where its value begins."""
    if at >= len(content):
        return 0, at
    first, at = content[at], at + 1
    if first < 0x80:
        return first, at
    if first == 0x80:
        raise BadInput(f"{path}: a definition in it has no length; save it as EDF or WFDB")
    count = first & 0x7F
    return int.from_bytes(content[at : at + count], "big") if count <= 4 else 0, at + count
