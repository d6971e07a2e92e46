"""ECG files, recordings or samples -> an answer each: a prediction of a strip, or a timeline of a long recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference import plots
from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.inference.classifier import Classifier, batched
from ecg_rhythm.inference.explain import explain
from ecg_rhythm.inference.sliding import WINDOW, check
from ecg_rhythm.inference.timeline import LONG, timeline
from ecg_rhythm.records import ReadOptions, Record, Recording

CHUNK = 512
"""Files held in memory at once."""


@dataclass(frozen=True)
class Windows:
    """How long recordings are divided.

    Attributes
    ----------
    window, stride : float or None
        Seconds that are classified at once, and from one window to the next (15, or half a shorter window). Without a
        window, recordings of up to two minutes are classified as a whole, longer ones by windows of 30 s.

    Raises
    ------
    BadInput
        If window and stride do not go together.
    """

    window: float | None = None
    stride: float | None = None

    def __post_init__(self) -> None:
        check(WINDOW if self.window is None else self.window, self.stride)

    def divide(self, recording: Recording | Record) -> bool:
        """Whether a recording gets a timeline rather than a prediction."""
        return recording.seconds > (LONG if self.window is None else self.window)


def answer_recording(
    classifier: Classifier, recording: Recording | Record, windows: Windows = Windows()
) -> Prediction | Timeline:
    """Classify one recording; a prediction has its signal.

    Raises
    ------
    BadInput
        If it cannot be read, is shorter than a second, or holds hardly a number.
    """
    answer = _prepared(classifier, recording, windows, recording.name or "signal")
    return answer if isinstance(answer, Timeline) else _predictions(classifier, [answer])[0]


def answers(
    classifier: Classifier,
    paths: Iterable[Path | str],
    options: ReadOptions = ReadOptions(),  # noqa: B008
    windows: Windows = Windows(),
) -> Iterator[Prediction | Timeline | BadInput]:
    """Classify any number of files, some hundreds in memory at a time, long ones window by window.

    Parameters
    ----------
    classifier : Classifier
        What classifies.
    paths : iterable of path
        The files.
    options : ReadOptions
        The lead, rate and unit, where the user knows better than the files.
    windows : Windows
        How long recordings are divided.

    Yields
    ------
    Prediction, Timeline or BadInput
        For each file in the order given, what the model says (a prediction has its signal), or why there is nothing.
    """

    def read(path: Path | str) -> Record | Timeline | BadInput:
        try:
            return _prepared(classifier, records.open_recording(path, options), windows, str(path))
        except BadInput as error:
            return error

    for part in batched(paths, CHUNK):
        ready = [read(path) for path in part]
        predictions = iter(_predictions(classifier, [record for record in ready if isinstance(record, Record)]))
        for answer in ready:
            yield next(predictions) if isinstance(answer, Record) else answer


def _prepared(
    classifier: Classifier, recording: Recording | Record, windows: Windows, source: str
) -> Record | Timeline:
    """The timeline of a long recording, or a strip's signal in memory: strips are classified many at once."""
    if windows.divide(recording):
        long = records.of_record(recording) if isinstance(recording, Record) else recording
        return timeline(classifier, long, window=windows.window or WINDOW, stride=windows.stride)
    record = recording if isinstance(recording, Record) else records.to_record(recording, source)
    records.check_length(record, source)
    return record


def _predictions(classifier: Classifier, strips: list[Record]) -> list[Prediction]:
    predictions = classifier.classify(strips)
    return [replace(prediction, signal=strip) for prediction, strip in zip(predictions, strips, strict=True)]


def why(classifier: Classifier, answer: Prediction) -> Prediction:
    """Add to a prediction that has its signal the seconds that influenced it most."""
    assert answer.signal is not None, "a prediction of this module"
    return replace(answer, because=explain(classifier, answer.signal, answer.label).salient())


def draw(answer: Prediction | Timeline, folder: Path, drawn: set[Path]) -> None:
    """Draw an answer as `folder/<record>.png`, with a number if another recording of that name is `drawn` already."""
    picture, number = folder / f"{answer.record}.png", 1
    while picture in drawn:
        number += 1
        picture = folder / f"{answer.record}-{number}.png"
    drawn.add(picture)
    plots.draw(answer, picture)
