"""WFDB records: a `.hea` and its signal files, of one or several leads and segments, with the `wfdb` library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.formats import LIBRARY_ERRORS
from ecg_rhythm.records.leads import choose_lead
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.rates import FASTEST, SLOWEST, rate
from ecg_rhythm.records.recording import Recording, in_memory
from ecg_rhythm.records.units import scale

SMALL = 4_000_000
"""A record of at most this many samples, all leads together, is read at once."""
MOST_LEADS = 1000
"""The library allocates memory for as many leads as a header names before it looks for them."""


def open_wfdb(header: Path, options: ReadOptions) -> Recording:
    """Open a record by its header; a large one is read part by part."""
    import wfdb  # slow to load; reading is all that needs it

    def read_frames(start: int, stop: int | None) -> wfdb.Record:
        """Read frames; a lead may have several samples in each."""
        try:
            return wfdb.rdrecord(str(header.with_suffix("")), sampfrom=start, sampto=stop, smooth_frames=not framed)
        except FileNotFoundError as error:
            name = Path(error.filename).name
            raise BadInput(f"{header}: its signal file {name} is missing; put it beside the header") from None
        except PermissionError as error:
            raise BadInput(f"{error.filename}: there is no permission to read it; change its permissions") from None
        except LIBRARY_ERRORS:
            copies = " and ".join([header.name, *_parts(text)])
            raise BadInput(
                f"{header}: this WFDB record is damaged or of an unknown kind; get a new copy of {copies}"
            ) from None

    framed = False
    if "::" in str(header.absolute()):
        raise BadInput(f"{header}: the WFDB library misreads '::' in this path; rename the file or its folder")
    try:
        text = _text(header)
        if other := next(_files_of_other_letters(header), None):
            raise BadInput(
                f"{header}: it names {other}, but WFDB needs names in ASCII; rename that file, also in the header"
            )
        as_library = header.read_bytes().decode("ascii", errors="ignore")  # bytes that it skips cannot hide a number
        if _leads_in(as_library) > MOST_LEADS:
            raise BadInput(f"{header}: its first line names more than {MOST_LEADS} leads; correct it there")
        head = wfdb.rdheader(str(header.with_suffix("")))
        length, leads = head.sig_len, head.n_sig
        in_frame = getattr(head, "samps_per_frame", None) or [1] * leads  # records of several segments have none
        framed = any(samples != 1 for samples in in_frame)
        large = length is not None and length * sum(in_frame) > SMALL
    except PermissionError as error:
        raise BadInput(f"{error.filename}: there is no permission to read it; change its permissions") from None
    except LIBRARY_ERRORS:
        raise BadInput(f"{header}: this WFDB record is damaged or of an unknown kind; get a new copy") from None
    record = read_frames(0, 1 if large else None)
    signals = record.e_p_signal if framed else None if record.p_signal is None else list(record.p_signal.T)
    if not signals:
        raise BadInput(f"{header}: this WFDB record holds no signal; give one that does")
    fs, names, units = float(record.fs), [str(name or "") for name in record.sig_name], record.units
    has_rate = SLOWEST <= fs <= FASTEST and fs == _rate_in(text, fs)
    if not has_rate and options.fs is None:
        raise BadInput(f"{header}: the sampling rate in its first line is not one of an ECG in Hz; correct it there")
    lead, chosen = choose_lead(names, options.lead, str(header), [str(unit) for unit in units or []])
    per_frame = in_frame[lead] if framed else 1
    fs = rate(fs * per_frame if has_rate else None, options, str(header))
    unit = (units[lead] if units else None) or _unit_in_segments(header, names[lead])
    if unit == "V" and _counts_microvolts(header, lead):
        unit = "uV"
    factor, assumed = scale(unit, options, f"{header}: lead {names[lead]}")
    remarks = [*chosen, *assumed]
    if not large:
        return in_memory(header.stem, signals[lead], fs, names[lead], factor, remarks)

    def read(start: int, stop: int) -> NDArray[np.float32]:
        first = start // per_frame
        frames = read_frames(first, -(-stop // per_frame))
        samples = frames.e_p_signal[lead] if framed else frames.p_signal[:, lead]
        part: NDArray[np.float32] = (samples[start - first * per_frame :][: stop - start] * factor).astype(np.float32)
        return part

    return Recording(header.stem, fs, names[lead], length * per_frame, read, tuple(remarks))


def _files_of_other_letters(header: Path) -> Iterator[str]:
    """Yield the signal files and segments of a header whose names have letters that the library drops."""
    for name in (line.split()[0] for line in _lines(_text(header))[1:]):
        if not name.isascii() and any((header.parent / file).is_file() for file in (name, f"{name}.hea")):
            yield name


def _parts(text: str) -> list[str]:
    """Names of the signal files in a header, or of the headers of its segments; the first few of many."""
    first, *lines = _lines(text)
    names = list(dict.fromkeys(line.split()[0] for line in lines))
    named = [f"{name}.hea" if "/" in first.split()[0] else name for name in names if name != "~"]
    return named if len(named) < 4 else [*named[:2], f"{len(named) - 2} further files"]


def _unit_in_segments(header: Path, lead: str) -> str:
    """A lead's unit in the first segment that has the lead; the library gives none if the record begins with a gap."""
    import wfdb

    for line in _lines(_text(header))[1:]:
        try:
            segment = wfdb.rdheader(str(header.with_name(line.split()[0])))
            return str(segment.units[segment.sig_name.index(lead)])
        except LIBRARY_ERRORS:
            continue  # a gap, or a segment without this lead
    return ""


def _text(header: Path) -> str:
    """A header's text, including letters that are not ASCII, such as the micro sign."""
    return header.read_bytes().decode("utf-8", errors="replace")


def _lines(header: str) -> list[str]:
    """A header's lines without comments: the record, then one for each signal or segment."""
    stripped = (line.strip() for line in header.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _leads_in(header: str) -> int:
    """The number of leads in a header, where the library finds it."""
    match = re.search(r"[-\w]+/?\d*[ \t]+(\d+)", _lines(header)[0])
    return int(match[1]) if match else 0


def _rate_in(header: str, default: float) -> float:
    """The rate in a header, 0 if it is no number; the library takes 250 Hz for a rate that it cannot read."""
    words = _lines(header)[0].split()
    try:
        return float(re.split("[/(]", words[2])[0]) if len(words) > 2 else default
    except ValueError:
        return 0.0


def _counts_microvolts(header: Path, lead: int) -> bool:
    """Whether a lead's unit is written with a Greek letter, which the library drops."""
    first, *lines = _lines(_text(header))
    if "/" in first.split()[0]:  # several segments, each with a header of its own
        segments = [header.with_name(f"{line.split()[0]}.hea") for line in lines]
        return any(_counts_microvolts(segment, lead) for segment in segments if segment.is_file())
    words = lines[lead].split() if lead < len(lines) else []
    return len(words) > 2 and words[2].endswith(("/µV", "/μV", "/\ufffdV"))
