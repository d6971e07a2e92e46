"""Files of signals alone: WFDB, EDF and BDF, ISHNE, MFER, MATLAB, NumPy."""

from __future__ import annotations

import binascii
import struct
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fuzzing.by_hand.common import STEP, WHO, Leads, steps


def wfdb(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write a WFDB record of format 16 (WFDB Applications Guide, header(5) and signal(5))."""
    table = np.column_stack([steps(lead) for lead in leads.values()])
    lines = [f"r {len(leads)} {fs:g} {len(table)} {start:%H:%M:%S} {start:%d/%m/%Y}"]
    lines += [f"r.dat 16 {1 / STEP:g}(0)/mV 16 0 {table[0, i]} 0 0 {name}" for i, name in enumerate(leads)]
    (folder / "r.hea").write_text("\n".join(lines) + "\n")
    (folder / "r.dat").write_bytes(table.tobytes())
    return folder / "r.hea"


def edf(folder: Path, leads: Leads, fs: float, start: datetime, bits: int = 16) -> Path:
    """Write EDF (Kemp et al., Electroencephalography and Clinical Neurophysiology 82, 1992), or BDF with 24 bits."""
    length = len(next(iter(leads.values())))
    seconds, per_record = round(length / fs), round(fs)
    begin = b"0       " if bits == 16 else b"\xffBIOSEMI"
    header = (
        begin + _padded(f"{WHO['id']} X X {WHO['name']}", 80) + _padded(f"Startdate {start:%d-%b-%Y} X X X".upper(), 80)
    )
    header += f"{start:%d.%m.%y}{start:%H.%M.%S}".encode()
    header += _padded(256 * (1 + len(leads)), 8) + _padded("" if bits == 16 else "24BIT", 44)
    header += _padded(seconds, 8) + _padded(1, 8) + _padded(len(leads), 4)
    most = 2 ** (bits - 1)
    low, high = (-most * STEP, (most - 1) * STEP) if bits == 16 else (-(2.0**10), 2.0**10 * (1 - 2.0**-23))
    fields: list[tuple[int, Callable[[str], object]]] = [
        (16, lambda name: f"ECG {name}"), (80, lambda name: ""), (8, lambda name: "mV"),
        (8, lambda name: f"{low:.4f}"[:8]), (8, lambda name: f"{high:.4f}"[:8]), (8, lambda name: -most),
        (8, lambda name: most - 1), (80, lambda name: ""), (8, lambda name: per_record), (32, lambda name: ""),
    ]  # fmt: skip
    for width, value in fields:
        header += b"".join(_padded(value(name), width) for name in leads)
    stored_low, stored_high = float(f"{low:.4f}"[:8]), float(f"{high:.4f}"[:8])
    gain = (stored_high - stored_low) / (2 * most - 1)
    content = bytearray(header)
    numbers = [np.rint((lead - stored_low) / gain - most).astype("<i4") for lead in leads.values()]
    for record in range(seconds):
        for lead in numbers:
            part = lead[record * per_record : (record + 1) * per_record]
            content += (
                part.astype("<i2").tobytes() if bits == 16 else part.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
            )
    path = folder / ("r.edf" if bits == 16 else "r.bdf")
    path.write_bytes(content)
    return path


def bdf(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write BDF (BioSemi, "Which file format does BioSemi use", 24 bits)."""
    return edf(folder, leads, fs, start, bits=24)


def _padded(value: object, width: int) -> bytes:
    return str(value).encode("ascii").ljust(width)


def ishne(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write an ISHNE Holter file (Badilini, Annals of Noninvasive Electrocardiology 3(3), 1998)."""
    codes = {"I": 5, "II": 6, "V1": 11}
    first, _, last = WHO["name"].partition(" ")
    none = [-9] * (12 - len(leads))
    date = struct.pack("<3h", start.day, start.month, start.year)
    born = WHO["born"]
    header = struct.pack("<iiiih", 0, len(next(iter(leads.values()))), 522, 522, 1)
    header += first.encode().ljust(40, b"\0") + last.encode().ljust(40, b"\0") + WHO["id"].encode().ljust(20, b"\0")
    header += struct.pack("<hh", 2, 1) + struct.pack("<3h", int(born[6:]), int(born[4:6]), int(born[:4])) + date + date
    header += struct.pack("<3h", start.hour, start.minute, start.second) + struct.pack("<h", len(leads))
    header += struct.pack("<12h", *(codes[name] for name in leads), *none)
    header += struct.pack("<12h", *([1] * len(leads)), *none)
    header += struct.pack("<12h", *([round(STEP * 1e6)] * len(leads)), *none)
    header += struct.pack("<h", 0) + b"digital".ljust(40, b"\0") + struct.pack("<h", round(fs)) + bytes(80 + 80 + 88)
    table = np.column_stack([steps(lead) for lead in leads.values()])
    checksum = struct.pack("<H", binascii.crc_hqx(header, 0xFFFF))
    (folder / "r.ecg").write_bytes(b"ISHNE1.0" + checksum + header + table.tobytes())
    return folder / "r.ecg"


def mfer(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write an MFER file (MFER committee, "Medical waveform Format Encoding Rules, part 1", version 1.05)."""
    codes = {"I": 1, "II": 2, "V1": 3}

    def tag(number: int, value: bytes) -> bytes:
        size = len(value)
        length = bytes([size]) if size < 128 else b"\x84" + struct.pack(">I", size)
        return bytes([number]) + length + value

    count, length = len(leads), len(next(iter(leads.values())))
    content = tag(0x40, b"MFR Standard 12 leads ECG") + tag(0x01, b"\x01")  # little-endian
    content += tag(0x81, WHO["name"].encode()) + tag(0x82, WHO["id"].encode())
    content += tag(0x85, struct.pack("<HBBBBBHH", start.year, start.month, start.day, start.hour, start.minute,
                                     start.second, 0, 0))  # fmt: skip
    content += tag(0x08, struct.pack("<H", 1)) + tag(0x0B, struct.pack("<BbH", 0, 0, round(fs)))
    content += tag(0x0C, struct.pack("<BbH", 0, -9, round(STEP * 1e6))) + tag(0x0A, b"\0")
    content += tag(0x04, struct.pack("<I", length)) + tag(0x05, bytes([count])) + tag(0x06, struct.pack("<H", 1))
    for i, name in enumerate(leads):
        lead = tag(0x09, struct.pack("<H", codes[name]))
        content += bytes([0x3F, i, len(lead)]) + lead
    content += tag(0x1E, b"".join(steps(lead).tobytes() for lead in leads.values())) + b"\x80\0"
    (folder / "r.mwf").write_bytes(content)
    return folder / "r.mwf"


def matlab_4(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write a MATLAB 4 file (MathWorks, "MAT-File Format", chapter 2): type, rows, columns, imaginary, name, data."""

    def variable(name: str, value: NDArray[np.float64]) -> bytes:
        rows, columns = value.shape
        named = name.encode() + b"\0"
        return struct.pack("<5i", 0, rows, columns, 0, len(named)) + named + value.astype("<f8").tobytes(order="F")

    lead = next(iter(leads.values()))
    (folder / "r.mat").write_bytes(variable("ecg", lead[None, :]) + variable("fs", np.array([[fs]])))
    return folder / "r.mat"


def npy(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write a zip archive of NumPy arrays (`.npz`; NumPy, "numpy.lib.format", version 1.0)."""

    def array(value: NDArray[np.float64]) -> bytes:
        header = repr({"descr": "<f8", "fortran_order": False, "shape": value.shape})
        header = header.ljust((64 - 10 - len(header) - 1) % 64 + len(header)) + "\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + value.tobytes()

    with zipfile.ZipFile(folder / "r.npz", "w") as archive:
        archive.writestr("ecg.npy", array(next(iter(leads.values()))))
        archive.writestr("fs.npy", array(np.array(fs)))
    return folder / "r.npz"
