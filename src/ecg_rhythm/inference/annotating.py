"""Timelines -> annotations beside the recordings, for programs that show or score them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ecg_rhythm.errors import BadInput
from ecg_rhythm.files import unused
from ecg_rhythm.inference.answers import Timeline
from ecg_rhythm.inference.names import fibrillation_in
from ecg_rhythm.records.annotations import Rhythm, write_edf, write_json, write_wfdb

FIBRILLATION = "AFIB"
"""PhysioNet's name of atrial fibrillation."""
ABOUT = ("record", "start_time", "fs", "seconds", "lead")
"""Fields of an answer that annotations in JSON repeat."""

WRITERS: dict[str, Callable[[Path, list[Rhythm], Timeline], None]] = {
    "atr": lambda path, rhythms, answer: write_wfdb(path, rhythms, answer.fs),
    "edf": lambda path, rhythms, answer: write_edf(path, rhythms, answer.start_time),
    "json": lambda path, rhythms, answer: write_json(path, rhythms, {name: getattr(answer, name) for name in ABOUT}),
}
"""Suffix of annotations -> what writes them."""


def check_kind(kind: str) -> None:
    """Check a suffix of annotations, before any work.

    Raises
    ------
    BadInput
        If there is no such format.
    """
    if kind not in WRITERS:
        raise BadInput(f"--annotations-format {kind}: there is no such format; choose one of {', '.join(WRITERS)}")


def rhythms_of(answer: Timeline) -> list[Rhythm]:
    """The episodes of a timeline, by PhysioNet's names of rhythms; a class without one keeps its own."""
    label = fibrillation_in(answer.classes)
    return [Rhythm(FIBRILLATION if one.label == label else one.label, one.start, one.end) for one in answer.episodes()]


def annotate_into(folder: Path, kind: str, answer: Timeline, written: dict[Path, int]) -> None:
    """Write the rhythms of a recording as `folder/<record>.<kind>`, with a number if that is `written` already."""
    WRITERS[kind](unused(folder, answer.record, f".{kind}", written), rhythms_of(answer), answer)
