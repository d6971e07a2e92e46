"""WFDB records: a `.hea` and its signal files, of one or several leads and segments, with the `wfdb` library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.clock import Start
from ecg_rhythm.records.columns import looked_at
from ecg_rhythm.records.formats import LIBRARY_ERRORS, why
from ecg_rhythm.records.formats.wfdb_copy import copy_of, corrected
from ecg_rhythm.records.formats.wfdb_header import (
    NO_FILE,
    as_library,
    counts_microvolts,
    files_named,
    has_no_gain,
    has_segments,
    is_header,
    leads_in,
    length_in,
    lines_of,
    parts_in,
    rate_in,
    text_of,
)
from ecg_rhythm.records.leads import choose_lead
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.paths import is_dir, is_file, is_other
from ecg_rhythm.records.rates import FASTEST, SLOWEST, rate
from ecg_rhythm.records.recording import CUT_OFF, Recording, check_span, in_memory
from ecg_rhythm.records.units import scale, size_of

if TYPE_CHECKING:
    import wfdb

LONGEST_LINE = 2000
"""The format allows 255 letters in a line; the library takes a time that grows with the square of their number."""
DEFAULT_GAIN = 200.0
"""Units of a signal that are one mV where its header gives none, or 0 (WFDB Applications Guide, header(5))."""
SMALL = 4_000_000
"""A record of at most this many samples, all leads together, is read at once."""
MOST_LEADS = 1000
"""The library allocates memory for as many leads as a header names before it looks for them."""
TIMES, LEAST = 16, 2**20
"""The headers of all segments may have this many times the bytes of the different ones, and in any record this many:
the library reads a header again for each segment of its name."""


def open_wfdb(header: Path, options: ReadOptions) -> Recording:
    """Open a record by its header; a large one is read part by part."""
    if "::" in str(header.absolute()):
        raise BadInput(f"{header}: the WFDB library misreads '::' in this path; rename the file or its folder")
    text = text_of(header)
    if not lines_of(text) or not lines_of(as_library(header)):
        raise BadInput(f"{header}: this WFDB header names no record; get a new copy")
    if other := next(_files_of_other_letters(header, text), None):
        raise BadInput(
            f"{header}: it names {other}, but WFDB needs names in ASCII; rename that file, also in the header"
        )
    _check_lines(header)
    try:
        record = _Record(header if header.suffix == ".hea" else copy_of(header, text), header)
    except LIBRARY_ERRORS as error:
        record = _of_corrected(header, text, error)
    fs, names = record.fs, record.names
    has_rate = SLOWEST <= fs <= FASTEST and fs == rate_in(text, fs)
    if not has_rate and options.fs is None:
        raise BadInput(f"{header}: the sampling rate in its first line is not one of an ECG in Hz; correct it there")

    def look(lead: int) -> NDArray[np.float64]:
        return looked_at(lambda start, stop: record.read(lead, start, stop), record.samples(lead))

    lead, chosen = choose_lead(names, options.lead, str(header), record.units, look, options.fs or fs)
    chosen_fs, said = rate(fs * record.per_frame[lead] if has_rate else None, options, str(header))
    if has_rate and options.fs is None and len(lines_of(text)[0].split()) < 3:
        said = [f"its header gives no sampling rate, taken as {fs:g} Hz"]
    factor, assumed = _scale(header, record, lead, options, size_of(look(lead)))
    remarks = [*record.remarks, *chosen, *assumed, *said]
    if record.whole is not None:
        recording = in_memory(header.stem, record.whole[lead], chosen_fs, names[lead], factor, remarks)
        return replace(recording, start=record.start)

    def read(start: int, stop: int) -> NDArray[np.float32]:
        return np.asarray(record.read(lead, start, stop) * factor, dtype=np.float32)

    return Recording(header.stem, chosen_fs, names[lead], record.samples(lead), read, tuple(remarks), record.start)


def _scale(header: Path, record: _Record, lead: int, options: ReadOptions, size: float) -> tuple[float, list[str]]:
    """What a lead's samples are multiplied with to be in mV, and what was assumed; `size` is that of its samples."""
    source = f"{header}: lead {record.names[lead]}"
    if not has_no_gain(header, lead):
        unit = record.units[lead] or _unit_in_segments(header, record.names[lead])
        return scale("uV" if unit == "V" and counts_microvolts(header, lead) else unit, options, source, size)
    default = f"{DEFAULT_GAIN:g}/mV"  # the library has divided by it
    of_file = default if options.unit is None else None
    factor, assumed = scale(of_file, options, source, DEFAULT_GAIN * size)
    if of_file:
        assumed = [*assumed, f"unit unknown, taken as {default}, as its header gives no gain"]
    return factor * DEFAULT_GAIN, assumed


class _Record:
    """A record as the library reads it; a lead may have several samples in each frame.

    Parameters
    ----------
    header : Path
        The header that the library reads.
    original : Path
        The header that messages name.
    remarks : tuple of str
        What is wrong with the original.
    """

    def __init__(self, header: Path, original: Path, remarks: tuple[str, ...] = ()) -> None:
        import wfdb  # slow to load; reading is all that needs it

        self.header, self.original, self.remarks = header, original, remarks
        several = has_segments(text_of(header))
        head = wfdb.rdheader(str(header.with_suffix("")))
        if several:
            _check_files(original, header.parent, [f"{name}.hea" for name in head.seg_name])
            _check_segments(original, header.parent, head)
            head = wfdb.rdheader(str(header.with_suffix("")), rd_segments=True)
            if NO_FILE in head.seg_name and head.layout == "fixed":
                raise BadInput(
                    f"{original}: it has a gap (a segment {NO_FILE}) but no layout segment before it, which the WFDB "
                    "library needs; give its segments one by one"
                )
        files = set(_signal_files(head, several))
        if files == {NO_FILE}:
            raise BadInput(
                f"{original}: it describes the layout of another record and holds no signal; give that record"
            )
        _check_files(original, header.parent, files - {NO_FILE})
        in_frame = _samples_per_frame(head, several)
        self.framed = any(samples != 1 for samples in in_frame.values())
        large = head.sig_len is not None and head.sig_len * max(sum(in_frame.values()), head.n_sig) > SMALL
        begin = self._frames(0, 1 if large else None)
        self.length = head.sig_len if large else begin.sig_len
        leads = self._leads(begin)
        if not leads:
            raise BadInput(f"{original}: this WFDB record holds no signal; give one that does")
        self.fs, self.names = float(begin.fs), [str(name or "") for name in begin.sig_name]
        self.units = [str(unit or "") for unit in begin.units or [""] * len(leads)]
        self.per_frame = [in_frame.get(name, 1) if self.framed else 1 for name in self.names]
        self.whole = None if large else leads
        self.start = _start_of(head)

    def samples(self, lead: int) -> int:
        """How many samples a lead has."""
        return int(self.length) * self.per_frame[lead]

    def read(self, lead: int, start: int, stop: int) -> NDArray[np.float64]:
        """Read samples of a lead, in its unit."""
        if self.whole is not None:
            return self.whole[lead][start:stop]
        per_frame = self.per_frame[lead]
        first = start // per_frame
        try:
            samples = self._leads(self._frames(first, -(-stop // per_frame)))[lead]
        except LIBRARY_ERRORS as error:
            raise BadInput(
                f"{self.original}: this WFDB record is damaged{why(error, self.original)}; get a new copy"
            ) from None
        return samples[start - first * per_frame :][: stop - start]

    def _frames(self, start: int, stop: int | None) -> wfdb.Record:
        import wfdb

        try:
            return wfdb.rdrecord(
                str(self.header.with_suffix("")), sampfrom=start, sampto=stop, smooth_frames=not self.framed
            )
        except FileNotFoundError as error:
            name = Path(error.filename).name
            raise BadInput(f"{self.original}: its signal file {name} is missing; put it beside the header") from None
        except PermissionError as error:
            raise BadInput(f"{error.filename}: there is no permission to read it; change its permissions") from None

    def _leads(self, record: wfdb.Record) -> list[NDArray[np.float64]]:
        if self.framed:
            return list(record.e_p_signal or [])
        return [] if record.p_signal is None else list(record.p_signal.T)


def _check_files(header: Path, folder: Path, names: Iterable[str]) -> None:
    """Check that what a record is made of are files: to open a pipe, for one, is to wait for who writes to it."""
    for name in dict.fromkeys(names):
        file = folder / name
        if is_other(file) or is_dir(file):
            raise BadInput(f"{header}: {name} beside it is a folder, a pipe, a device or a socket; put a file there")


def _check_lines(header: Path) -> None:
    """Check that no line of a header is too long for the library, and that its leads are not too many."""
    text = as_library(header)
    lines = [*lines_of(text_of(header)), *lines_of(text)]
    if any(len(line) > LONGEST_LINE for line in lines):
        raise BadInput(f"{header}: one of its lines has more than {LONGEST_LINE} letters; correct it there")
    if leads_in(text) > MOST_LEADS:  # bytes that it skips cannot hide a number
        raise BadInput(f"{header}: its first line names more than {MOST_LEADS} leads; correct it there")


def _check_segments(header: Path, folder: Path, head: wfdb.MultiRecord) -> None:
    """Check the headers of the segments, and that these are not repeated far too often."""
    names = [name for name in head.seg_name if name != NO_FILE]
    sizes = dict.fromkeys(names, 0)
    for name in sizes:
        if is_file(one := folder / f"{name}.hea"):
            _check_lines(one)
            sizes[name] = one.stat().st_size
    if sum(sizes[name] for name in names) > max(TIMES * sum(sizes.values()), LEAST):
        raise BadInput(f"{header}: it repeats its segments too often; divide it into several records")
    lengths = dict(sorted(zip(head.seg_name, head.seg_len, strict=True)))  # of a name, the largest
    recorded = sum(length for name, length in lengths.items() if name != NO_FILE)
    check_span(sum(head.seg_len), recorded, float(head.fs), str(header))


def _signal_files(head: wfdb.Record | wfdb.MultiRecord, several: bool) -> Iterator[str]:
    """Yield the names of the signal files of a record, or of its segments; these have no segments of their own."""
    for one in head.segments if several else [head]:
        if one is not None:
            yield from one.file_name or []


def _samples_per_frame(head: wfdb.Record | wfdb.MultiRecord, several: bool) -> dict[str, int]:
    """Samples that each lead has in a frame, by its name; a record of several segments says so in these."""
    heads = [segment for segment in head.segments if segment is not None] if several else [head]
    return {
        str(name or ""): int(samples)
        for one in heads
        for name, samples in zip(one.sig_name or [], one.samps_per_frame or [], strict=False)
    }


def _start_of(head: Any) -> Start | None:
    """When a record began, by its header; without a date, midnight is the begin of a time that has passed."""
    clock, date = getattr(head, "base_time", None), getattr(head, "base_date", None)
    if date is not None and clock is not None:
        return datetime.combine(date, clock)
    return None if clock == time() else clock


def _of_corrected(header: Path, text: str, error: Exception) -> _Record:
    """Open a record by a copy of its header without what does not matter, or without a length that is too large."""
    import wfdb

    for keep_length in (True, False):
        try:
            copy = copy_of(header, corrected(text, header.stem, keep_length))
            record = _Record(copy, header)
        except (*LIBRARY_ERRORS, IndexError):
            continue
        with suppress(*LIBRARY_ERRORS):  # a corrected header has no place for it
            record.start = _start_of(wfdb.rdheader(str(header.with_suffix(""))))
        promised = length_in(text)
        if not keep_length and promised is not None and record.length < promised:
            record.remarks = (f"{CUT_OFF}: {record.length} of its {promised} samples are there",)
        return record
    copies = " and ".join([header.name, *parts_in(text)])
    raise BadInput(
        f"{header}: this WFDB record is damaged or of an unknown kind{why(error, header)}; "
        f"check its header, or get a new copy of {copies}"
    ) from None


def _files_of_other_letters(header: Path, text: str) -> Iterator[str]:
    """Yield the signal files and segments of a header whose names have letters that the library drops."""
    for name in files_named(text):
        if not name.isascii() and (header.parent / name).is_file():
            yield name


def _unit_in_segments(header: Path, lead: str) -> str:
    """A lead's unit in the first segment that has the lead; the library gives none if the record begins with a gap."""
    import wfdb

    for name in filter(is_header, files_named(text_of(header))):
        if not is_file(header.parent / name):
            continue
        try:
            segment = wfdb.rdheader(str((header.parent / name).with_suffix("")))
            return str(segment.units[segment.sig_name.index(lead)])
        except LIBRARY_ERRORS:
            continue  # a gap, or a segment without this lead
    return ""
