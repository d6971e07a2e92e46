"""Files, recordings or samples -> an answer each: a prediction of a strip, a timeline of a long recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, fields, replace
from os import PathLike, fspath
from typing import Any, TypeVar

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.explain import explain
from ecg_rhythm.inference.sliding import WINDOW, check
from ecg_rhythm.inference.timeline import LONG, Progress, timeline
from ecg_rhythm.records import Manifest, ReadOptions, Record, Recording
from ecg_rhythm.records.options import with_options_called

CHUNK = 512
"""Files held in memory at once."""

Answered = TypeVar("Answered", Prediction | Timeline, Prediction | Timeline | BadInput)


@dataclass(frozen=True)
class Windows:
    """When a recording is classified in windows, and in which.

    Attributes
    ----------
    window, stride : float or None
        Length of a window, and time from one window to the next (15 s, or half a shorter window), in s. Without a
        window, recordings of up to two minutes are classified as a whole, longer ones in windows of 30 s.

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


def classify(
    classifier: Classifier, source: Any, options: ReadOptions, windows: Windows, with_reasons: bool
) -> Prediction | Timeline | list[Prediction | Timeline | BadInput]:
    """Classify what `ecg_rhythm.classify` takes.

    Raises
    ------
    BadInput
        If the source is of another kind, or a single one cannot be classified.
    """

    def finished(answer: Answered) -> Answered:
        return why(classifier, answer) if with_reasons and isinstance(answer, Prediction) else answer

    if isinstance(source, str | PathLike):
        (answer,) = answers(classifier, [source], options, windows)
        if isinstance(answer, BadInput):
            raise answer
        return finished(answer)
    if isinstance(source, Recording | Record):
        if given := [one.name for one in fields(options) if getattr(options, one.name) is not None]:
            raise BadInput(f"{given[0]}: the recording has been read already; give {given[0]} to `read`")
        return finished(answer_recording(classifier, source, windows))
    if not isinstance(source, Iterable) or isinstance(source, bytes | bytearray | Mapping | Set):
        kinds = "a file, a list of files, a recording or samples"
        raise BadInput(f"source: {type(source).__name__} cannot be classified; give {kinds}")
    values: Any = source if hasattr(source, "__len__") else list(source)
    if getattr(values, "ndim", 1) == 1 and isinstance(next(iter(values), None), str | PathLike):
        if others := [one for one in values if not isinstance(one, str | PathLike)]:
            raise BadInput(f"source: {others[0]!r} is not a path; give paths alone, or samples alone")
        return [finished(answer) for answer in answers(classifier, values, options, windows)]
    if options.lead is not None:
        raise BadInput("lead: samples are of a single lead; leave it out")
    if options.fs is None:
        raise BadInput("fs: give the sampling rate of the samples in Hz")
    return finished(answer_recording(classifier, records.of_signal(values, options.fs, unit=options.unit), windows))


def answer_recording(
    classifier: Classifier,
    recording: Recording | Record,
    windows: Windows = Windows(),
    progress: Progress = lambda done, of: None,
) -> Prediction | Timeline:
    """Classify one recording; a prediction has its signal. `progress` is told how many windows are done.

    Raises
    ------
    BadInput
        If it cannot be read, is shorter than a second, or most of it is missing.
    """
    answer = _prepared(classifier, recording, windows, recording.name or "signal", progress)
    return answer if isinstance(answer, Timeline) else _predictions(classifier, [answer])[0]


def answers(
    classifier: Classifier,
    paths: Iterable[PathLike[str] | str],
    options: ReadOptions = ReadOptions(),  # noqa: B008
    windows: Windows = Windows(),
) -> Iterator[Prediction | Timeline | BadInput]:
    """Classify any number of files, some hundreds in memory at a time, long ones in windows.

    Parameters
    ----------
    classifier : Classifier
        One model, or several that vote.
    paths : iterable of path
        The files.
    options : ReadOptions
        Lead, sampling rate and unit; without them, what the files say.
    windows : Windows
        When a recording is classified in windows, and in which.

    Returns
    -------
    iterator of Prediction, Timeline or BadInput
        For each file in the order given, its answer (a prediction has its signal), or why there is none.
    """
    return _answers(classifier, ((path, options) for path in paths), windows)


def answers_of_manifest(
    classifier: Classifier,
    manifest: Manifest,
    windows: Windows = Windows(),
) -> Iterator[Prediction | Timeline | BadInput]:
    """Classify the files of a manifest as `answers` does; what is wrong with one names its row, too."""
    files = ((row.path, row.options) for row in manifest.rows)
    for row, answer in zip(manifest.rows, _answers(classifier, files, windows), strict=True):
        if isinstance(answer, BadInput):
            why = with_options_called(str(answer), r"column \1")
            yield BadInput(f"{row.where}: {why}")
        else:
            yield answer


def _answers(
    classifier: Classifier, files: Iterable[tuple[PathLike[str] | str, ReadOptions | BadInput]], windows: Windows
) -> Iterator[Prediction | Timeline | BadInput]:
    def read(path: PathLike[str] | str, options: ReadOptions | BadInput) -> Record | Timeline | BadInput:
        if isinstance(options, BadInput):
            return options
        try:
            return _prepared(classifier, records.open_recording(fspath(path), options), windows, str(path))
        except BadInput as error:
            return error

    def answered(ready: list[Record | Timeline | BadInput]) -> Iterator[Prediction | Timeline | BadInput]:
        predictions = iter(_predictions(classifier, [record for record in ready if isinstance(record, Record)]))
        for answer in ready:
            yield next(predictions) if isinstance(answer, Record) else answer

    ready: list[Record | Timeline | BadInput] = []
    for path, options in files:
        ready.append(read(path, options))
        if _ends_part(len(ready), isinstance(ready[-1], Timeline)):
            yield from answered(ready)
            ready = []
    yield from answered(ready)


def _ends_part(count: int, is_timeline: bool) -> bool:
    """Whether files that are held in memory are answered now: they are many, or one was long."""
    return is_timeline or count == CHUNK


def whole_parts(are_timelines: Iterable[bool]) -> int:
    """How many of the first answers may be left out without a change to those that follow.

    Strips that are held in memory together are classified in common batches, on which the last bits depend.
    """
    whole = count = 0
    for number, is_timeline in enumerate(are_timelines, start=1):
        count += 1
        if _ends_part(count, is_timeline):
            whole, count = number, 0
    return whole


def _prepared(
    classifier: Classifier,
    recording: Recording | Record,
    windows: Windows,
    source: str,
    progress: Progress = lambda done, of: None,
) -> Record | Timeline:
    """The timeline of a long recording, or the record of a strip: strips are classified many at once."""
    if windows.divide(recording):
        long = records.of_record(recording) if isinstance(recording, Record) else recording
        window = windows.window or WINDOW
        return timeline(classifier, long, window=window, stride=windows.stride, progress=progress)
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
