"""Files -> an answer each: a prediction for a short recording, a timeline for a long one, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference import timeline
from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.inference.classifier import Classifier, batched
from ecg_rhythm.inference.sliding import WINDOW, check
from ecg_rhythm.inference.timeline import LONG
from ecg_rhythm.records import ReadOptions, Record

CHUNK = 512
"""Files held in memory at once."""

Answer = Prediction | Timeline | BadInput


def answers(
    classifier: Classifier,
    paths: Iterable[Path | str],
    options: ReadOptions = ReadOptions(),  # noqa: B008
    *,
    window: float | None = None,
    stride: float | None = None,
) -> Iterator[Answer]:
    """Classify any number of files, some hundreds in memory at a time, long ones window by window.

    Parameters
    ----------
    classifier : Classifier
        What classifies.
    paths : iterable of path
        The files.
    wanted : ReadOptions
        The lead, rate and unit, where the user knows better than the files.
    window, stride : float
        Seconds that are classified at once, and from one window to the next (15, or half a shorter window). Without a
        window, recordings of up to two minutes are classified as a whole, longer ones by windows of 30 s.

    Returns
    -------
    iterator of Prediction, Timeline or BadInput
        For each file in the order given, what the model says (a prediction has its signal), or why there is nothing.

    Raises
    ------
    BadInput
        If window and stride do not go together.
    """
    length = WINDOW if window is None else window
    longest = LONG if window is None else window
    step = check(length, stride)

    def read(path: Path | str) -> Record | Timeline | BadInput:
        try:
            recording = records.open_recording(path, options)
            if recording.seconds > longest:
                return timeline.timeline(classifier, recording, window=length, stride=step)
            record = records.whole(recording, str(path))
            records.check_length(record, str(path))
        except BadInput as error:
            return error
        return record

    def answer_all() -> Iterator[Answer]:
        for part in batched(paths, CHUNK):
            found = [read(path) for path in part]
            predictions = iter(classifier.classify([record for record in found if isinstance(record, Record)]))
            for answer in found:
                yield replace(next(predictions), signal=answer) if isinstance(answer, Record) else answer

    return answer_all()


def answer_file(
    classifier: Classifier,
    path: Path | str,
    options: ReadOptions,
    *,
    window: float | None = None,
    stride: float | None = None,
) -> Prediction | Timeline:
    """Classify one file; see `answers`.

    Raises
    ------
    BadInput
        If it cannot be read.
    """
    (answer,) = answers(classifier, [path], options, window=window, stride=stride)
    if isinstance(answer, BadInput):
        raise answer
    return answer


def why(classifier: Classifier, answer: Prediction) -> Prediction:
    """Return a prediction that has its signal with the stretches that spoke for it."""
    from ecg_rhythm.inference.explain import explain

    assert answer.signal is not None, "a prediction of `answers`"
    return replace(answer, because=explain(classifier, answer.signal, answer.label).salient())


def draw(answer: Prediction | Timeline, folder: Path, drawn: set[Path]) -> None:
    """Draw an answer as `folder/<record>.png`, with a number if another recording of that name is `drawn` already."""
    from ecg_rhythm.inference import plots

    picture, number = folder / f"{answer.record}.png", 1
    while picture in drawn:
        number += 1
        picture = folder / f"{answer.record}-{number}.png"
    drawn.add(picture)
    if isinstance(answer, Timeline):
        plots.timeline(answer, picture)
    else:
        assert answer.signal is not None, "a prediction of `answers`"
        plots.strip(answer.signal, answer, picture)
