"""Files -> an answer each: a prediction for a short recording, a timeline for a long one, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ecg_rhythm import records, timeline
from ecg_rhythm.classifier import Classifier, Prediction, batched
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import Record, Wanted
from ecg_rhythm.timeline import LONG, STRIDE, WINDOW, Timeline

CHUNK = 512
"""Files held in memory at once."""

Answer = Prediction | Timeline | BadInput


def answers(
    classifier: Classifier,
    paths: Iterable[Path | str],
    wanted: Wanted = Wanted(),  # noqa: B008
    *,
    window: float | None = None,
    stride: float = STRIDE,
) -> Iterator[Answer]:
    """Classify any number of files, some hundreds in memory at a time, long ones window by window.

    Parameters
    ----------
    classifier : Classifier
        What classifies.
    paths : iterable of path
        The files.
    wanted : Wanted
        The lead, rate and unit, where the user knows better than the files.
    window, stride : float
        Seconds that are classified at once, and from one window to the next. Without a window, recordings of up to two
        minutes are classified as a whole, longer ones by windows of 30 s.

    Yields
    ------
    Prediction, Timeline or BadInput
        For each file in the order given, what the model says, or why it could not be read.

    Raises
    ------
    BadInput
        If window and stride do not go together.
    """
    length = WINDOW if window is None else window
    longest = LONG if window is None else window
    timeline.check(length, stride)

    def read(path: Path | str) -> Record | Timeline | BadInput:
        try:
            recording = records.open_recording(path, wanted)
            if recording.seconds > longest:
                return timeline.timeline(classifier, recording, window=length, stride=stride)
            record = records.whole(recording, str(path))
            records.check_length(record)
        except BadInput as error:
            return error
        return record

    for part in batched(paths, CHUNK):
        found = [read(path) for path in part]
        predictions = iter(classifier.classify([record for record in found if isinstance(record, Record)]))
        for answer in found:
            yield next(predictions) if isinstance(answer, Record) else answer
