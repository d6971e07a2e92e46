"""Files -> an answer each: a prediction for a short recording, a timeline for a long one, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ecg_rhythm import files, records, timeline
from ecg_rhythm.classifier import Classifier, Prediction, batched
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import Record, Wanted
from ecg_rhythm.smoothing import UNREADABLE
from ecg_rhythm.timeline import LONG, Timeline
from ecg_rhythm.windows import WINDOW, check

CHUNK = 512
"""Files held in memory at once."""

Answer = Prediction | Timeline | BadInput


def columns(classes: list[str]) -> list[str]:
    """Return the columns of a table with a row per answer; those that do not apply to one are empty in it."""
    rhythms = [name for name in classes if name != UNREADABLE]
    return [
        "file", "kind", "record", "lead", "fs", "seconds", "missing", "label", *(f"p({name})" for name in classes),
        "prediction_set", "heart_rate", "quality", "because", "unreadable", *(f"burden({name})" for name in rhythms),
        *(f"hours({name})" for name in rhythms), *(f"episodes({name})" for name in rhythms), "reading",
    ]  # fmt: skip


def row(path: Path, answer: Prediction | Timeline) -> dict[str, str | float | None]:
    """Return a file's answer as a row of that table; those parts of it that are several are joined by spaces."""
    of_both: dict[str, str | float | None] = {
        "file": files.shown(path),
        "kind": answer.kind,
        "record": files.shown(answer.record),
        "lead": files.shown(answer.lead),
        "fs": answer.fs,
        "seconds": answer.seconds,
        "missing": round(answer.missing, 6),
        "reading": files.shown(answer.reading),
    }
    if isinstance(answer, Prediction):
        return of_both | {
            "label": answer.label,
            **{f"p({name})": round(p, 6) for name, p in answer.probabilities.items()},
            "prediction_set": None if answer.prediction_set is None else " ".join(answer.prediction_set),
            "heart_rate": answer.heart_rate and round(answer.heart_rate, 1),
            "quality": answer.quality and round(answer.quality, 4),
            "because": None if answer.because is None else " ".join(f"{a:g}-{b:g}" for a, b in answer.because),
        }
    rhythms = [name for name in answer.classes if name != UNREADABLE]
    burdens = {name: answer.burden(name) for name in rhythms}
    return of_both | {
        "unreadable": round(answer.unreadable, 6),
        **{f"burden({name})": burden and round(burden, 6) for name, burden in burdens.items()},
        **{f"hours({name})": round(answer.hours(name), 4) for name in rhythms},
        **{f"episodes({name})": len(answer.episodes(name)) for name in rhythms},
    }


def answers(
    classifier: Classifier,
    paths: Iterable[Path | str],
    wanted: Wanted = Wanted(),  # noqa: B008
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
    wanted : Wanted
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
            recording = records.open_recording(path, wanted)
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


def write_parquet(path: Path, classes: list[str], found: Iterable[tuple[Path, Prediction | Timeline]]) -> None:
    """Write a Parquet table with a row per answer, whole or not at all.

    Raises
    ------
    BadInput
        If the library is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise BadInput("--parquet needs a further library; `pip install 'ecg-rhythm[parquet]'`") from None
    texts = {"file", "kind", "record", "lead", "label", "prediction_set", "because", "reading"}
    kinds = [(name, pyarrow.string() if name in texts else pyarrow.float64()) for name in columns(classes)]
    with files.replacing(path) as made:
        made.touch()  # so that a place where nothing can be written is told before the work, not after
        rows = [row(file, answer) for file, answer in found]
        if not rows:
            raise BadInput(f"{path}: not written, as there is no answer to put into it")
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema=pyarrow.schema(kinds)), made)


def answer_file(
    classifier: Classifier,
    path: Path | str,
    wanted: Wanted,
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
    (answer,) = answers(classifier, [path], wanted, window=window, stride=stride)
    if isinstance(answer, BadInput):
        raise answer
    return answer


def why(classifier: Classifier, answer: Prediction) -> Prediction:
    """Return a prediction that has its signal with the stretches that spoke for it."""
    from ecg_rhythm.explain import explain

    assert answer.signal is not None, "a prediction of `answers`"
    return replace(answer, because=explain(classifier, answer.signal, answer.label).told())


def draw(answer: Prediction | Timeline, folder: Path, drawn: set[Path]) -> None:
    """Draw an answer as `folder/<record>.png`, with a number if another recording of that name is `drawn` already."""
    from ecg_rhythm import plots

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
