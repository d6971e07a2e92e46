"""AliveCor's files (`.atc`) of KardiaMobile.

References
----------
AliveCor, "ATC File Format Specification 1.7", 2021.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.arrays import recording_of_arrays
from ecg_rhythm.records.clock import moment
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.recording import Recording

SIGNATURE, BLOCK, CHECKSUM = 12, struct.Struct("<4sI"), struct.Struct("<I")
"""Bytes of the signature and the version; what stands before the data of a block, and behind them."""
FORMAT = struct.Struct("<BHHB")
"""Kind of samples (1 for 16 bits), rate in Hz, resolution in nV, flags."""
DATE = 32
"""Letters of the date at the begin of the block `info`."""
LEADS = dict(
    zip(
        (f"ecg{key}".encode() for key in " 23456789abc"),
        ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"),
        strict=True,
    )
)
"""Blocks that hold the samples of a lead."""


def open_atc(path: Path, options: ReadOptions) -> Recording:
    """Open a lead of a recording."""
    content = path.read_bytes()
    blocks = dict(_blocks(path, content))
    try:
        kind, fs, resolution, _ = FORMAT.unpack_from(blocks[b"fmt "])
    except (KeyError, struct.error):
        raise BadInput(f"{path}: this AliveCor file does not say its format; get a new copy") from None
    leads = {
        name: np.frombuffer(blocks[key], "<i2", len(blocks[key]) // 2) for key, name in LEADS.items() if key in blocks
    }
    if kind != 1 or not leads or not resolution:
        raise BadInput(f"{path}: there are no samples of a known kind in this AliveCor file; get a new copy")
    shortest = min(map(len, leads.values()))
    table = {"signal": np.column_stack([lead[:shortest] for lead in leads.values()]), "leads": np.array([*leads])}
    recording = recording_of_arrays(table, path.stem, options, str(path), float(fs), f"{resolution} nV")
    return replace(recording, start=moment(blocks.get(b"info", b"")[:DATE].decode("ascii", errors="replace")))


def _blocks(path: Path, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the data of each block.

    The checksum is the sum of all bytes before it in AliveCor's own program, and CRC-32 in the specification.
    """
    at = SIGNATURE
    while at + BLOCK.size <= len(content):
        name, length = BLOCK.unpack_from(content, at)
        end = at + BLOCK.size + length
        if end + CHECKSUM.size > len(content):
            raise BadInput(f"{path}: this AliveCor file is cut off; get a new copy")
        (checksum,) = CHECKSUM.unpack_from(content, end)
        whole = content[at:end]
        if checksum not in (int(np.frombuffer(whole, np.uint8).sum(dtype=np.uint32)), zlib.crc32(whole)):
            raise BadInput(f"{path}: this AliveCor file is damaged, as a checksum is wrong; get a new copy")
        yield name, whole[BLOCK.size :]
        at = end + CHECKSUM.size
