"""The only file that knows file formats: path -> `Record`."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput

WFDB_ERRORS = (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, MemoryError)
"""What `wfdb` raises at headers and signal files that are not as they should be."""

SLOWEST, FASTEST = 1.0, 100_000.0
"""Sampling rates in Hz that a recording may have."""

MOST_STRETCHED = 10_000
"""Largest numerator or denominator that resampling takes."""

SHORTEST = 1.0
"""Least duration of a recording in s."""

CHALLENGE_FS = 300.0
CHALLENGE_GAIN = 1000.0
"""A challenge `.mat` without its header is taken as the challenge wrote it: 300 Hz, 1000 units per mV."""

MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6, "v": 1e3}
"""What one unit of a signal is in mV, by the unit's name in lower case."""

PREFERRED_LEADS = ("i", "ii", "mlii")
"""Which lead is read of several: the first of these that is there, else the first of the file."""


@dataclass(frozen=True)
class Record:
    """One lead of an ECG recording.

    Attributes
    ----------
    name : str
        Name of the recording, without folder and extension.
    signal : ndarray of float32, shape (n,)
        Voltage in mV, finite everywhere.
    fs : float
        Sampling rate in Hz.
    lead : str
        Name of the lead as the file gives it.
    missing : float
        Share of the samples that were no numbers and that `bridged` has filled.
    """

    name: str
    signal: NDArray[np.float32]
    fs: float
    lead: str
    missing: float = 0.0

    @property
    def seconds(self) -> float:
        """Duration in s."""
        return len(self.signal) / self.fs


def read(path: Path | str) -> Record:
    """Read an ECG file.

    Parameters
    ----------
    path : path
        A WFDB record (its name, its `.hea`, or its `.dat` or `.mat` beside the `.hea`), or a `.mat`
        of the 2017 challenge alone.

    Returns
    -------
    Record
        One lead in mV at the file's own rate, its gaps bridged; of several leads I, else II or MLII, else the first.

    Raises
    ------
    BadInput
        If the file is missing, of an unknown format, damaged, empty, or holds no number.
    """
    path = Path(path)
    if path.suffix == ".hea":
        header = path
    elif path.suffix in (".dat", ".mat"):
        header = path.with_suffix(".hea")
    else:
        header = Path(f"{path}.hea")
    if _is_file(header):
        record = _read_wfdb(header)
    elif not _is_file(path):
        raise BadInput(f"{path}: there is no such file or WFDB record; check the name")
    elif path.suffix == ".mat":
        record = _read_challenge_mat(path)
    else:
        raise BadInput(f"{path}: unknown format; give a WFDB record (.hea with its .dat or .mat) or a challenge .mat")
    if len(record.signal) == 0:
        raise BadInput(f"{path}: the recording is empty; give one with at least a few seconds of signal")
    return bridged(record, str(path))


def bridged(record: Record, source: str) -> Record:
    """Return a record whose samples are all numbers: straight lines bridge gaps (NaN or infinite).

    A gap at either end is filled with the nearest sample.

    Raises
    ------
    BadInput
        If less than half of its samples are numbers; `source` is what the message calls it.
    """
    real = np.isfinite(record.signal)
    if real.all():
        return record
    if real.mean() < 0.5:
        raise BadInput(
            f"{source}: {(~real).sum()} of its {len(real)} samples are not numbers (NaN or infinite), more than half; "
            "give a recording with more signal"
        )
    positions = np.arange(len(real))
    signal = np.interp(positions, positions[real], record.signal[real]).astype(np.float32)
    return replace(record, signal=signal, missing=float(1 - real.mean()))


def find(folder: Path) -> dict[str, Path]:
    """Return all recordings below a folder that `read` understands: name -> path.

    Raises
    ------
    BadInput
        If the folder is missing, holds none, or two of one name.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder; check the name")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        if path.suffix == ".hea" or (path.suffix == ".mat" and not path.with_suffix(".hea").exists()):
            if path.stem in found:
                raise BadInput(f"{path}: {found[path.stem]} has the same record name; rename one of them")
            found[path.stem] = path
    if not found:
        raise BadInput(f"{folder}: there are no recordings in it; put WFDB records or challenge .mat files there")
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name no file can have
        return False


def _read_wfdb(header: Path) -> Record:
    import wfdb  # slow to load; reading is all that needs it

    try:
        record = wfdb.rdrecord(str(header.with_suffix("")))
        signals, fs, names, units = record.p_signal, float(record.fs), record.sig_name, record.units
        text = header.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError as error:
        raise BadInput(f"{header}: its signal file {Path(error.filename).name} is missing; put it beside it") from None
    except PermissionError as error:
        raise BadInput(f"{error.filename}: there is no permission to read it; change that") from None
    except WFDB_ERRORS:
        raise BadInput(f"{header}: this WFDB record is damaged or of an unknown kind; get it anew") from None
    if signals is None or signals.shape[1] == 0:
        raise BadInput(f"{header}: this WFDB record holds no signal; give one that does")
    if not SLOWEST <= fs <= FASTEST or fs != _rate_in(text, fs):
        raise BadInput(f"{header}: the sampling rate in its first line is not one of an ECG in Hz; correct it there")
    lowered = [str(name).strip().lower() for name in names]
    lead = next((lowered.index(wanted) for wanted in PREFERRED_LEADS if wanted in lowered), 0)
    unit = str(units[lead])
    if unit == "V" and _counts_microvolts(header, lead):
        unit = "uV"
    if (scale := MILLIVOLTS.get(unit.lower())) is None:
        allowed = "mV, uV, nV or V"
        raise BadInput(f"{header}: lead {names[lead]} is in {unit!r}, not a voltage; its unit must be {allowed}")
    signal = np.ascontiguousarray(signals[:, lead] * scale, dtype=np.float32)
    return Record(name=header.stem, signal=signal, fs=fs, lead=str(names[lead]))


def _lines(header: str) -> list[str]:
    """Return a WFDB header's lines without comments: the record, then one for each signal or segment."""
    stripped = (line.strip() for line in header.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _rate_in(header: str, default: float) -> float:
    """Return the rate a WFDB header names; the library takes what it cannot read for 250 Hz."""
    words = _lines(header)[0].split()
    try:
        return float(re.split("[/(]", words[2])[0]) if len(words) > 2 else default
    except ValueError:
        return 0.0


def _counts_microvolts(header: Path, lead: int) -> bool:
    """Tell whether a lead's unit is written with a Greek letter, which the library drops."""
    first, *lines = _lines(header.read_bytes().decode("utf-8", errors="replace"))
    if "/" in first.split()[0]:  # several segments, each with a header of its own
        segments = [header.with_name(f"{line.split()[0]}.hea") for line in lines]
        return any(_counts_microvolts(segment, lead) for segment in segments if _is_file(segment))
    words = lines[lead].split() if lead < len(lines) else []
    return len(words) > 2 and words[2].endswith(("/µV", "/μV", "/\ufffdV"))


def _read_challenge_mat(path: Path) -> Record:
    import scipy.io
    from scipy.io.matlab import MatReadError, matfile_version

    try:
        if matfile_version(path)[0] != 0:
            raise BadInput(f"{path}: this is no .mat of version 4, which the 2017 challenge has; convert it to WFDB")
        samples = scipy.io.loadmat(path)["val"]
    except KeyError:
        raise BadInput(f"{path}: it has no variable 'val'; only .mat files of the 2017 challenge are read") from None
    except (OSError, ValueError, TypeError, IndexError, NotImplementedError, MemoryError, MatReadError, zlib.error):
        raise BadInput(f"{path}: this .mat file is damaged or not a .mat file; get it anew") from None
    if not isinstance(samples, np.ndarray) or samples.dtype.kind not in "iuf" or samples.ndim != 2:
        raise BadInput(f"{path}: variable 'val' is no table of numbers; only .mat files of the 2017 challenge are read")
    # One lead may lie along or across; of several, one below the other, the first is taken.
    lead = samples.ravel() if 1 in samples.shape else samples[:1].ravel()
    signal = (lead / CHALLENGE_GAIN).astype(np.float32)
    return Record(name=path.stem, signal=signal, fs=CHALLENGE_FS, lead="ECG")


def check_length(record: Record) -> None:
    """Refuse a recording that holds hardly a heart beat.

    Raises
    ------
    BadInput
        If it is shorter than a second.
    """
    if record.seconds < SHORTEST:
        name = record.name or "signal"
        raise BadInput(f"{name}: {record.seconds:.3g} s is too short; give at least {SHORTEST:g} s")


def resample(record: Record, fs: float) -> Record:
    """Return a record at another rate, by polyphase filtering (`scipy.signal.resample_poly`).

    The rates' ratio is taken to the nearest fraction with a denominator of at most 10,000.

    Raises
    ------
    BadInput
        If no such fraction is near.
    """
    if record.fs == fs:
        return record
    from scipy.signal import resample_poly

    ratio = Fraction(min(fs / record.fs, 2.0 * MOST_STRETCHED)).limit_denominator(MOST_STRETCHED)
    if len(record.signal) < 2:
        raise BadInput(f"{record.name}: a single sample cannot be resampled; give at least a second of signal")
    if ratio > MOST_STRETCHED or abs(float(ratio) * record.fs / fs - 1) > 1e-4:
        raise BadInput(f"{record.name}: a rate of {record.fs:g} Hz cannot be brought to {fs:g} Hz; check the header")
    # The edges are continued by their slope: zeros there would ring on a signal with an offset.
    signal = resample_poly(record.signal.astype(np.float64), ratio.numerator, ratio.denominator, padtype="line")
    return replace(record, signal=signal.astype(np.float32), fs=fs)
