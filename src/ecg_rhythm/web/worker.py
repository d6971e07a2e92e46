"""What a worker process of the web service does: an upload -> what the page shows of it.

A process of its own can be stopped when it takes too long and is refused memory beyond its share, whatever a
file makes a library do.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference import classifier, classify, explain, plots, timeline
from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.records import ReadOptions, Record, Recording, in_memory
from ecg_rhythm.signals.gaps import fill
from ecg_rhythm.weights import onnx_model
from ecg_rhythm.weights.loading import DEFAULT

FINE_SECONDS, COARSE_HZ, STEPS_PER_MV = 600.0, 100.0, 200.0
"""Recordings of more seconds are shown at this rate; a step of what is shown is 5 uV."""

_loaded: Classifier | None = None


@dataclass(frozen=True)
class Upload:
    """What a client sent.

    Attributes
    ----------
    files : dict of str to bytes
        What the client calls each file -> what is in it: one file, or a WFDB header and its signal files.
    is_json : bool
        Whether it is not a file but JSON with `samples`, `fs` and perhaps `unit`.
    name : str
        What the client calls it; never a path of this machine.
    wanted : ReadOptions
        Lead, rate and unit as the client wants them.
    most_seconds : float
        Longest recording that is taken.
    """

    files: dict[str, bytes]
    is_json: bool
    name: str
    options: ReadOptions
    most_seconds: float


def prepare(models: list[Path], coverage: float | None, memory: int) -> None:
    """Load the model and limit this process's memory to so many bytes."""
    global _loaded
    os.environ.setdefault(onnx_model.THREADS, "1")  # there is a worker for each core
    if sys.platform != "win32":  # where there is no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    _loaded = classifier.load(models or DEFAULT, coverage)


def answer(upload: Upload, folder: Path, with_signal: bool, why: bool) -> dict[str, Any]:
    """Return what is said of an upload, with its signal and reasons if asked; it is written to a folder for that.

    Raises
    ------
    BadInput
        If it cannot be read.
    """
    with _opened(upload, folder) as (recording, found):
        result = found.as_dict()
        if why and isinstance(found, Prediction):
            assert found.signal is not None, "of a recording in memory"
            reasons = explain.explain(_model(), found.signal, found.label)
            result["because"], result["why"] = reasons.salient(), reasons.as_dict()
        if with_signal:
            result["signal"] = _shown(recording)
    return result


def picture(upload: Upload, folder: Path, kind: str, why: bool) -> bytes:
    """Return one page with a picture of an upload and what is said of it, PNG or PDF; both are written to a folder.

    What spoke for the label is shaded if asked.

    Raises
    ------
    BadInput
        If it cannot be read.
    """
    with _opened(upload, folder) as (_, found):
        path = folder / f"picture.{kind}"
        plots.draw(classify.why(_model(), found) if why and isinstance(found, Prediction) else found, path)
        return path.read_bytes()


@contextmanager
def _opened(upload: Upload, folder: Path) -> Iterator[tuple[Recording, Prediction | Timeline]]:
    """Give an upload's recording and the answer to it."""
    # The client's name for it stays out of the path. Without a suffix its content tells the format.
    path = folder / "upload"
    try:
        if upload.is_json:
            recording = _samples(upload)
        else:
            _write(upload, path)
            recording = replace(records.open_recording(path, upload.options), name=upload.name)
        if recording.seconds > upload.most_seconds:
            raise BadInput(
                f"{upload.name}: {recording.seconds / 3600:.1f} h are more than the {upload.most_seconds / 3600:g} h "
                "that are taken here; send a part of it"
            )
        yield recording, classify.answer_recording(_model(), recording)
    except BadInput as error:
        told = str(error).replace(str(path.with_suffix(".hea")), upload.name).replace(str(path), upload.name)
        # What the command line calls --fs, the query and the page call fs.
        raise BadInput(re.sub(r"--(lead|fs|unit)\b", r"\1", told)) from None
    except MemoryError:
        raise BadInput(f"{upload.name}: it takes more memory than there is for a request; send less") from None


def _write(upload: Upload, path: Path) -> None:
    """Write a single file as `path`; of several a WFDB header as `path.hea`, and under names of ours what it names.

    Raises
    ------
    BadInput
        If the files are not a header and what it names, or are more than one segment.
    """
    if len(upload.files) == 1:
        if any(name.endswith(".hea") for name in upload.files):
            raise BadInput(f"{upload.name}: a WFDB header holds no signal; send its signal files with it")
        path.write_bytes(*upload.files.values())
        return
    headers = [name for name in upload.files if name.endswith(".hea")]
    if len(headers) != 1:
        raise BadInput(f"{upload.name}: send one file, or a WFDB header (.hea) and its signal files")
    lines = [line.split() for line in upload.files[headers[0]].decode("utf-8", errors="replace").splitlines()]
    named = [words for words in lines if words and not words[0].startswith("#")]
    if not named or "/" in named[0][0]:
        raise BadInput(f"{headers[0]}: a WFDB record of several segments is not read here; classify it where it lies")
    own: dict[str, str] = {}
    for words in named[1:]:
        if words[0] not in upload.files:
            raise BadInput(f"{headers[0]}: its signal file {words[0]} is missing; send it too")
        own.setdefault(words[0], f"{path.name}{len(own)}.{'mat' if words[0].endswith('.mat') else 'dat'}")
        words[0] = own[words[0]]
    named[0][0] = path.name
    path.with_suffix(".hea").write_text("".join(" ".join(words) + "\n" for words in named), encoding="utf-8")
    for name, ours in own.items():
        path.with_name(ours).write_bytes(upload.files[name])


def _samples(upload: Upload) -> Recording:
    """Return the recording in a JSON body."""
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
        raise BadInput(f"{upload.name}: this is not the JSON that is read here; send it like {example}") from None
    rate = records.rate(fs, upload.options, upload.name)
    factor, remarks = records.scale(unit or upload.options.unit or "mV", upload.options, upload.name)
    return records.remark_on_rate(in_memory(upload.name, samples, rate, "", factor, remarks), upload.options)


def _shown(recording: Recording) -> dict[str, Any]:
    """Return a signal for the page: 16-bit steps of 5 uV in base64, long ones at a lower rate; gaps are -32768."""
    fs = recording.fs if recording.seconds <= FINE_SECONDS else min(recording.fs, COARSE_HZ)
    length = int(timeline.STRETCH * recording.fs)
    # A last stretch that is too short to be resampled is part of the one before it.
    starts = [
        start for start in range(0, recording.samples, length) if start == 0 or recording.samples - start >= length / 2
    ]
    parts: list[NDArray[np.int16]] = []
    for start, stop in pairwise([*starts, recording.samples]):
        part = recording.read(start, stop)
        if fs != recording.fs:
            gone = ~np.isfinite(part)
            part = records.resample(Record("", fill(part), recording.fs, ""), fs).signal
            nearest = np.minimum(np.rint(np.arange(len(part)) * recording.fs / fs).astype(np.int64), len(gone) - 1)
            part[gone[nearest]] = np.nan
        steps = np.clip(part * STEPS_PER_MV, -32767, 32767)
        parts.append(np.where(np.isfinite(steps), np.nan_to_num(steps), -32768).astype("<i2"))
    return {
        "fs": fs,
        "steps_per_mv": STEPS_PER_MV,
        "samples": base64.b64encode(np.concatenate(parts).tobytes()).decode(),
    }


def _model() -> Classifier:
    assert _loaded is not None, "prepare() comes first"
    return _loaded
