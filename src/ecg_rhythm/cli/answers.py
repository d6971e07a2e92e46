"""Answers as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ecg_rhythm import files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.inference.smoothing import UNREADABLE


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
