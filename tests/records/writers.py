"""Signals and files that several test modules write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
import wfdb
from numpy.typing import ArrayLike

from fuzzing.inputs import LEAD, TIMES

RESP = np.cos(2 * np.pi * 0.2 * TIMES)
COUNT, STILL = np.arange(len(LEAD)), np.zeros(len(LEAD))
"""What stands beside an ECG in tables: respiration, the number of the row, a state that does not change."""
WAVE = np.sin(np.arange(1000) / 20)


def write_wfdb(
    folder: Path,
    name: str = "r",
    signals: ArrayLike = WAVE,
    leads: tuple[str, ...] = ("ECG",),
    unit: str = "mV",
    fmt: str = "16",
    fs: float = 300,
) -> Path:
    """Write a WFDB record, one column per lead, and give the path of its header."""
    columns = np.asarray(signals, np.float64).reshape(-1, len(leads))
    kinds = {"units": [unit] * len(leads), "fmt": [fmt] * len(leads)}
    wfdb.wrsamp(name, fs=fs, sig_name=list(leads), p_signal=columns, write_dir=str(folder), **kinds)
    return folder / f"{name}.hea"


def write_mat(path: Path, samples: ArrayLike, variable: str = "val") -> Path:
    """Write a MATLAB 4 file, as the 2017 challenge has them."""
    scipy.io.savemat(path, {variable: samples}, format="4")
    return path


def edit_header(path: Path, old: str, new: str, encoding: str = "utf-8") -> Path:
    """Replace text in a header."""
    text = path.read_text()
    assert old in text
    path.write_bytes(text.replace(old, new).encode(encoding))
    return path
