"""What a client sent -> a recording."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import ReadOptions, Recording, in_memory, scratch
from ecg_rhythm.records.decoding import decoded
from ecg_rhythm.records.formats.wfdb_header import has_segments, is_header, lines_of, signal_lines
from ecg_rhythm.records.options import with_options_called


@dataclass(frozen=True)
class Upload:
    """What a client sent.

    Attributes
    ----------
    files : dict of str to bytes
        Name -> content: one file, or a WFDB header and its signal files. The names are the client's.
    is_json : bool
        Whether the content is JSON with `samples`, `fs` and perhaps `unit`.
    name : str
        Name of the recording; never a path of this machine.
    options : ReadOptions
        Lead, sampling rate and unit that the client gives.
    most_seconds : float
        Longest duration allowed.
    """

    files: dict[str, bytes]
    is_json: bool
    name: str
    options: ReadOptions
    most_seconds: float


@contextmanager
def opened(upload: Upload, folder: Path) -> Iterator[Recording]:
    """Open the recording of an upload, which is written to the folder.

    Raises
    ------
    BadInput
        If it cannot be read, is too long, or what is done with it fails: in the client's words, without our names.
    """
    # The path has no name of the client's, and no suffix: the content gives the format.
    path = folder / "upload"
    own: dict[str, str] = {}
    try:
        with scratch.within(folder):
            if upload.is_json:
                recording = _samples(upload)
            else:
                own = _write(upload, path)
                recording = replace(records.open_recording(path, upload.options), name=upload.name)
            if not recording.samples:
                raise BadInput(f"{upload.name}: the recording is empty; send one with at least a few seconds of signal")
            if recording.seconds > upload.most_seconds:
                raise BadInput(
                    f"{upload.name}: {recording.seconds / 3600:.1f} h are more than the "
                    f"{upload.most_seconds / 3600:g} h allowed here; send a part of it"
                )
            yield recording
    except BadInput as error:
        message = str(error).replace(str(path.with_suffix(".hea")), upload.name).replace(str(path), upload.name)
        for ours, name in own.items():
            message = message.replace(ours, name)
        # What is --fs on the command line is fs in the query and on the page.
        raise BadInput(with_options_called(message, r"\1")) from None
    except MemoryError:
        raise BadInput(f"{upload.name}: this needs more memory than a request may use; send less") from None


def _write(upload: Upload, path: Path) -> dict[str, str]:
    """Write a single file as `path`; a WFDB header as `path.hea`, and its signal files under new names.

    Returns
    -------
    dict of str to str
        New name -> the client's.

    Raises
    ------
    BadInput
        If the files are not a header and its signal files, or the record has several segments.
    """
    headers = [name for name in upload.files if is_header(name)]
    if len(upload.files) == 1 and not headers:
        path.write_bytes(*upload.files.values())
        return {}
    if len(headers) != 1:
        raise BadInput(f"{upload.name}: send one file, or a WFDB header (.hea) and its signal files")
    text = decoded(upload.files[headers[0]])[0]
    if not lines_of(text) or has_segments(text):
        raise BadInput(f"{headers[0]}: a WFDB record of several segments cannot be sent; use the command line")
    own: dict[str, str] = {}
    first, named = lines_of(text)[0].split(), signal_lines(text)
    for words in named:
        if words[0] not in upload.files:
            raise BadInput(f"{headers[0]}: its signal file {words[0]} is missing; send it too")
        own.setdefault(words[0], f"{path.name}{len(own)}.{'mat' if words[0].endswith('.mat') else 'dat'}")
        words[0] = own[words[0]]
    first[0] = path.name
    lines = [" ".join(words) + "\n" for words in (first, *named)]
    path.with_suffix(".hea").write_text("".join(lines), encoding="utf-8")
    for name, ours in own.items():
        path.with_name(ours).write_bytes(upload.files[name])
    return {ours: name for name, ours in own.items()} | {f"{path.name}.hea": headers[0]}


def _samples(upload: Upload) -> Recording:
    """Read the recording in a JSON body."""
    example = '{"samples": [0.01, 0.02], "fs": 300, "unit": "mV"}'
    try:
        content = json.loads(*upload.files.values())
        fs, unit, values = content.get("fs"), content.get("unit"), content["samples"]
        good = isinstance(values, list) and {type(value) for value in [*values, fs]} <= {int, float, type(None)}
        if not good or not isinstance(unit, str | None) or content.keys() - {"samples", "fs", "unit"}:
            raise ValueError
        fs = None if fs is None else float(fs)
        samples = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise BadInput(f"{upload.name}: this JSON cannot be read; send it like {example}") from None
    rate, of_rate = records.rate(fs, upload.options, upload.name)
    factor, of_unit = records.scale(unit or "mV", upload.options, upload.name, records.size_of(samples))
    return in_memory(upload.name, samples, rate, "", factor, [*of_unit, *of_rate])
