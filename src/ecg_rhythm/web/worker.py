"""What a worker process of the web service does: an upload -> its answer or picture.

A process of its own can be stopped when it takes too long, and gets no memory beyond its limit, whatever a file makes a
library do.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import records
from ecg_rhythm.inference import classifier, classify, explain, plots, tables
from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.timeline import Progress
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.printable import csv_line
from ecg_rhythm.records import Record, Recording
from ecg_rhythm.records.recording import PART_SECONDS
from ecg_rhythm.signals.gaps import fill
from ecg_rhythm.web.upload import Upload, opened
from ecg_rhythm.weights.loading import DEFAULT

FINE_SECONDS, COARSE_HZ, STEPS_PER_MV = 600.0, 100.0, 200.0
"""The page shows recordings of more seconds at this sampling rate, in steps of 5 uV."""

PROGRESS = "progress"
"""File in the folder of a job: a line for each window, with the windows done and all windows. It stays whole if the
worker is stopped, as lines are only added."""


def prepare(models: list[Path], coverage: float | None, memory: int) -> Classifier:
    """Limit the memory of this process, in bytes, and load the model, which the tasks below get."""
    if sys.platform != "win32":  # which has no such limit
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        try:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        except (ValueError, OSError) as error:  # as on macOS
            logging.getLogger(__name__).warning("the memory of a worker cannot be limited here: %s", error)
    return classifier.load(models or DEFAULT, coverage)


class More(NamedTuple):
    """What is added to an answer.

    Attributes
    ----------
    signal : bool
        The signal as the page shows it.
    why : bool
        The seconds that influenced the prediction of a strip most.
    row : bool
        The answer as a line of CSV.
    """

    signal: bool = False
    why: bool = False
    row: bool = False


def answer(model: Classifier, upload: Upload, folder: Path, more: More) -> dict[str, Any]:
    """Classify an upload, which is written to the folder.

    Raises
    ------
    BadInput
        If the upload cannot be classified.
    """
    return _answered(model, upload, folder, more)[0]


def signal(model: Classifier, upload: Upload, folder: Path) -> dict[str, Any]:
    """Read the signal of an upload as the page shows it, without classifying it.

    Raises
    ------
    BadInput
        If the upload cannot be read.
    """
    with opened(upload, folder) as recording:
        return encoded(recording)


def job(model: Classifier, upload: Upload, folder: Path, more: More) -> tuple[bytes, Prediction | Timeline]:
    """As `answer`, but as JSON, and with the answer itself; says in the folder how many windows are done.

    Raises
    ------
    BadInput
        If the upload cannot be classified.
    """
    with (folder / PROGRESS).open("w", buffering=1, encoding="ascii") as file:
        content, answered = _answered(model, upload, folder, more, lambda done, of: print(done, of, file=file))
    return json.dumps(content).encode(), answered


def has_begun(folder: Path) -> bool:
    """Whether a worker has begun with a job."""
    return (folder / PROGRESS).exists()


def windows_done(folder: Path) -> tuple[int, int | None]:
    """How many windows of a job are done, and how many it has; None while this is unknown, and of a strip."""
    try:
        *lines, _ = (folder / PROGRESS).read_bytes().split(b"\n")  # the last may not be whole yet
    except OSError:
        return 0, None
    if not lines:
        return 0, None
    done, of = map(int, lines[-1].split())
    return done, of


def picture(model: Classifier, upload: Upload, folder: Path, kind: str, why: bool) -> bytes:
    """Draw an upload and its answer as PNG or PDF; both are written to the folder.

    If asked, the seconds that influenced the prediction most are shaded.

    Raises
    ------
    BadInput
        If the upload cannot be classified.
    """
    with _classified(model, upload, folder) as (_, answered):
        if why and isinstance(answered, Prediction):
            answered = classify.why(model, answered)
        return drawn(model, answered, folder, kind)


def drawn(model: Classifier, answered: Prediction | Timeline, folder: Path, kind: str) -> bytes:
    """Draw an answer as PNG or PDF, which is written to the folder."""
    path = folder / f"picture.{kind}"
    plots.draw(answered, path)
    return path.read_bytes()


def _answered(
    model: Classifier,
    upload: Upload,
    folder: Path,
    more: More,
    progress: Progress = lambda done, of: None,
) -> tuple[dict[str, Any], Prediction | Timeline]:
    """Classify an upload; gives the content of the response, and the answer itself."""
    with _classified(model, upload, folder, progress) as (recording, answered):
        added: dict[str, Any] = {}
        if more.why and isinstance(answered, Prediction):
            assert answered.signal is not None, "of a recording in memory"
            reasons = explain.explain(model, answered.signal, answered.label)
            answered = replace(answered, because=reasons.salient())
            added["why"] = reasons.as_dict()
        if more.row:
            added["row"] = _line(upload.name, answered, model.classes)
        if more.signal:
            added["signal"] = encoded(recording)
        return answered.as_dict() | added, answered


def _line(name: str, answered: Prediction | Timeline, classes: list[str]) -> str:
    """The line of CSV that `classify --csv` prints of a file, whose record is called as the file without its suffix."""
    cells = tables.row(name, replace(answered, record=PurePosixPath(name).stem))
    return csv_line(cells.get(column) for column in tables.columns(classes))


@contextmanager
def _classified(
    model: Classifier, upload: Upload, folder: Path, progress: Progress = lambda done, of: None
) -> Iterator[tuple[Recording, Prediction | Timeline]]:
    """Give an upload's recording and its answer."""
    with opened(upload, folder) as recording:
        yield recording, classify.answer_recording(Workers(model), recording, progress=progress)


def encoded(recording: Recording) -> dict[str, Any]:
    """Encode a signal for the page: 16-bit steps of 5 uV in base64, -32768 in gaps; a long one at a lower rate."""
    fs = recording.fs if recording.seconds <= FINE_SECONDS else min(recording.fs, COARSE_HZ)
    length = int(PART_SECONDS * recording.fs)
    # A short rest belongs to the part before it, as it may be too short to be resampled.
    starts = [
        start for start in range(0, recording.samples, length) if start == 0 or recording.samples - start >= length / 2
    ]
    parts: list[NDArray[np.int16]] = []
    written = 0
    for start, stop in pairwise([*starts, recording.samples]):
        part = recording.read(start, stop)
        if fs != recording.fs:
            gone = ~np.isfinite(part)
            part = records.resample(Record("", fill(part), recording.fs, ""), fs).signal
            nearest = np.minimum(np.rint(np.arange(len(part)) * recording.fs / fs).astype(np.int64), len(gone) - 1)
            part[gone[nearest]] = np.nan
            # Each part was rounded up by itself: all together must not be longer than the recording.
            part = np.pad(part, (0, 1), mode="edge")[: round(stop / recording.fs * fs) - written]
        written += len(part)
        steps = np.clip(part * STEPS_PER_MV, -32767, 32767)
        parts.append(np.where(np.isfinite(steps), np.nan_to_num(steps), -32768).astype("<i2"))
    return {
        "fs": fs,
        "steps_per_mv": STEPS_PER_MV,
        "samples": base64.b64encode(np.concatenate(parts).tobytes()).decode(),
    }
