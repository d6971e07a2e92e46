"""Files, recordings or samples -> an answer each: a prediction of a strip, a timeline of a long recording.

Files are divided into blocks, which follow from the files alone. Those of a block are classified together. So answers
are the same to the bit however many processes share the blocks, and where an interrupted command goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import chain, groupby, islice
from math import inf
from os import PathLike
from typing import Any

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.inference.blocks import Block, File, Source, blocks
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.episodes import JOIN, SHORTEST, Rules, check_rules
from ecg_rhythm.inference.explain import explain
from ecg_rhythm.inference.processes import Died
from ecg_rhythm.inference.sliding import WINDOW, check
from ecg_rhythm.inference.timeline import LONG, Progress, timeline
from ecg_rhythm.inference.workers import EACH, Workers
from ecg_rhythm.records import ReadOptions, Record, Recording
from ecg_rhythm.records.options import with_options_called

Answered = tuple[Source, Prediction | Timeline | BadInput]
"""A file, and its answer or why there is none."""


@dataclass(frozen=True)
class Windows:
    """When a recording is classified in windows, and in which.

    Attributes
    ----------
    window, stride : float or None
        Length of a window, and time from one window to the next (half a window), in s. Without a window, recordings of
        up to two minutes are classified as a whole, longer ones in windows of 10 s.
    join, shortest : float
        Episodes of atrial fibrillation that are less than `join` s apart are one; after that, one that is shorter than
        `shortest` s is none.

    Raises
    ------
    BadInput
        If window and stride do not go together, or the others are no durations.
    """

    window: float | None = None
    stride: float | None = None
    join: float = JOIN
    shortest: float = SHORTEST

    def __post_init__(self) -> None:
        check(WINDOW if self.window is None else self.window, self.stride)
        check_rules(self.rules)

    @property
    def rules(self) -> Rules:
        """What counts as an episode."""
        return Rules(self.join, self.shortest)

    def divide(self, recording: Recording | Record) -> bool:
        """Whether a recording gets a timeline rather than a prediction."""
        return recording.seconds > (LONG if self.window is None else self.window)


def classify(
    workers: Workers[Classifier], source: Any, options: ReadOptions, windows: Windows, with_reasons: bool
) -> Prediction | Timeline | list[Prediction | Timeline | BadInput]:
    """Classify what `ecg_rhythm.classify` takes.

    Raises
    ------
    BadInput
        If the source is of another kind, or a single one cannot be classified.
    """
    if isinstance(source, str | PathLike):
        (answer,) = answers(workers, [File(source, options)], windows, with_reasons)
        if isinstance(answer, BadInput):
            raise answer
        return answer
    if isinstance(source, Recording | Record):
        if given := [one.name for one in fields(options) if getattr(options, one.name) != one.default]:
            raise BadInput(f"{given[0]}: the recording has been read already; give {given[0]} to `read`")
        return answer_recording(workers, source, windows, with_reasons)
    if not isinstance(source, Iterable) or isinstance(source, bytes | bytearray | Mapping | Set):
        kinds = "a file, a list of files, a recording or samples"
        raise BadInput(f"source: {type(source).__name__} cannot be classified; give {kinds}")
    values: Any = source if hasattr(source, "__len__") else list(source)
    if len(values) == 0 and options.fs is None:  # as of a pattern that matches no file
        return []
    if getattr(values, "ndim", 1) == 1 and isinstance(next(iter(values), None), str | PathLike):
        if others := [one for one in values if not isinstance(one, str | PathLike)]:
            raise BadInput(f"source: {others[0]!r} is not a path; give paths alone, or samples alone")
        return list(answers(workers, (File(path, options) for path in values), windows, with_reasons))
    if options.lead is not None:
        raise BadInput("lead: samples are of a single lead; leave it out")
    if options.fs is None:
        raise BadInput("fs: give the sampling rate of the samples in Hz")
    recording = records.of_signal(values, options.fs, unit=options.unit)
    return answer_recording(workers, recording, windows, with_reasons)


def answer_recording(
    workers: Workers[Classifier],
    recording: Recording | Record,
    windows: Windows = Windows(),
    with_reasons: bool = False,
    progress: Progress = lambda done, of: None,
) -> Prediction | Timeline:
    """Classify one recording; a prediction has its signal. `progress` is called with how many windows are done.

    Raises
    ------
    BadInput
        If it cannot be read, is shorter than a second, or most of it is missing.
    """
    name = recording.name or "signal"
    try:
        ready = _prepared(workers, recording, windows, name, progress)
    except Died as error:
        raise BadInput(_of_dead(name, error)) from None
    if isinstance(ready, Timeline):
        return ready
    (prediction,) = _predictions(workers.state, [ready])
    return why(workers.state, prediction) if with_reasons else prediction


def answers(
    workers: Workers[Classifier],
    files: Iterable[Source],
    windows: Windows = Windows(),
    with_reasons: bool = False,
) -> Iterator[Prediction | Timeline | BadInput]:
    """Classify any number of files, some hundreds in memory at a time, long ones in windows.

    Parameters
    ----------
    workers : Workers
        Processes that hold one model, or several that vote.
    files : iterable of File or Signal
        The files.
    windows : Windows
        When a recording is classified in windows, and in which.
    with_reasons : bool
        Add to each prediction the seconds that influenced it most.

    Returns
    -------
    iterator of Prediction, Timeline or BadInput
        For each file in the order given, its answer (a prediction has its signal), or why there is none.
    """
    found = _answers(workers, files, windows)
    if with_reasons:
        found = workers.map(_explained, found, lambda one, error: (one[0], BadInput(_of_dead(one[0].path, error))))
    yield from (_of_row(file, answer) for file, answer in found)


def _of_row(file: Source, answer: Prediction | Timeline | BadInput) -> Prediction | Timeline | BadInput:
    """Name the manifest's row in what is wrong with a file of it."""
    if file.where and isinstance(answer, BadInput):
        why = with_options_called(str(answer), r"column \1")
        return BadInput(f"{file.where}: {why}")
    return answer


def _answers(workers: Workers[Classifier], files: Iterable[Source], windows: Windows) -> Iterator[Answered]:
    """Give each file with its answer, without reasons."""
    do = partial(_answer, windows=windows)
    one_by_one = partial(_one_by_one, workers, do)
    # A few large files, or what only this process can read, are read here, and workers share their windows.
    for (is_large, is_ours), group in groupby(blocks(files), key=lambda block: (block.is_large, block.bytes == inf)):
        most = EACH * workers.number
        first = list(islice(group, most)) if is_large else []
        if is_ours or (is_large and len(first) < most):
            for block in chain(first, group):
                yield from _answer(workers.state, block, windows=windows, workers=workers)
        else:
            for answered in workers.map(do, chain(first, group), one_by_one):
                yield from answered


def answers_apart(
    workers: Workers[Classifier], files: Iterable[Source], windows: Windows, with_reasons: bool
) -> Iterator[Answered]:
    """Give each file with its answer, or why there is none; none is read or classified in this process."""
    do = partial(_answer_with_reasons if with_reasons else _answer, windows=windows)
    for block in blocks(files):
        try:
            answered = workers.do(do, block)
        except Died as error:
            answered = _one_by_one(workers, do, block, error)
        yield from ((file, _of_row(file, answer)) for file, answer in answered)


def _one_by_one(
    workers: Workers[Classifier],
    do: Callable[[Classifier, Block], list[Answered]],
    block: Block,
    error: Died,
) -> list[Answered]:
    """Answer the files of a block at which workers died each by itself: one of them may be to blame."""
    if len(block.files) == 1:
        return [(file, BadInput(_of_dead(file.path, error))) for file in block.files]
    answered: list[Answered] = []
    for file in block.files:
        alone = Block([file], 0.0)
        try:
            answered += workers.do(do, alone)
        except Died as again:
            answered += _one_by_one(workers, do, alone, again)
    return answered


def _answer_with_reasons(classifier: Classifier, block: Block, *, windows: Windows) -> list[Answered]:
    return [_explained(classifier, one) for one in _answer(classifier, block, windows=windows)]


def _answer(
    classifier: Classifier, block: Block, *, windows: Windows, workers: Workers[Classifier] | None = None
) -> list[Answered]:
    """Read and answer the files of a block; `workers` share the windows of a long one."""
    workers = workers or Workers(classifier)
    ready = [_read(workers, file, windows) for file in block.files]
    predictions = iter(_predictions(classifier, [record for record in ready if isinstance(record, Record)]))
    return [
        (file, next(predictions) if isinstance(answer, Record) else answer)
        for file, answer in zip(block.files, ready, strict=True)
    ]


def _read(workers: Workers[Classifier], file: Source, windows: Windows) -> Record | Timeline | BadInput:
    try:
        return _prepared(workers, file.open(), windows, str(file.path))
    except BadInput as error:
        return error
    except Died as error:
        return BadInput(_of_dead(file.path, error))


def _prepared(
    workers: Workers[Classifier],
    recording: Recording | Record,
    windows: Windows,
    source: str,
    progress: Progress = lambda done, of: None,
) -> Record | Timeline:
    """The timeline of a long recording, or the record of a strip: strips are classified many at once."""
    if windows.divide(recording):
        long = records.of_record(recording) if isinstance(recording, Record) else recording
        window = windows.window or WINDOW
        return timeline(
            workers.state,
            long,
            window=window,
            stride=windows.stride,
            rules=windows.rules,
            progress=progress,
            workers=workers,
        )
    record = recording if isinstance(recording, Record) else records.to_record(recording, source)
    records.check_length(record, source)
    return record


def _predictions(classifier: Classifier, strips: list[Record]) -> list[Prediction]:
    predictions = classifier.classify(strips)
    return [replace(prediction, signal=strip) for prediction, strip in zip(predictions, strips, strict=True)]


def _explained(classifier: Classifier, answered: Answered) -> Answered:
    """Add to a prediction the seconds that influenced it most."""
    file, answer = answered
    return (file, why(classifier, answer)) if isinstance(answer, Prediction) else answered


def why(classifier: Classifier, answer: Prediction) -> Prediction:
    """Add to a prediction that has its signal the seconds that influenced it most."""
    assert answer.signal is not None, "a prediction of this module"
    return replace(answer, because=explain(classifier, answer.signal, answer.label).salient())


def _of_dead(source: PathLike[str] | str, error: Died) -> str:
    return f"{source}: two processes that worked on it died, the last one {error}; try it alone, with one worker"
