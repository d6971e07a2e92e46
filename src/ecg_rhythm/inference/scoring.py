"""Answers to recordings, and what experts annotated -> what `evaluation.episodes` compares."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.episodes import Compared, Interval
from ecg_rhythm.inference.names import FIBRILLATION, fibrillation_in
from ecg_rhythm.inference.rates import MINUTE, rates_of
from ecg_rhythm.records.annotations import NOISE, Annotated, Rhythm, read_wfdb
from ecg_rhythm.signals.heartbeats import LONGEST_PAUSE, Intervals

NAMES = ("AFIB", "AFL")
"""PhysioNet's names of the rhythms that the networks call A: atrial fibrillation and flutter."""
UNLIKE = 0.01
"""Seconds, and share of a record's duration, by which that of its answer may differ."""


def read_answers(path: Path) -> dict[str, dict[str, Any]]:
    """Read what `classify --json` gave, by the name of each recording.

    Raises
    ------
    BadInput
        If it is something else, or two recordings have one name.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; give what `ecg-rhythm classify --json` printed")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        found = {str(row["record"]): row for row in rows}
        if any(row["kind"] not in ("timeline", "prediction") or row["seconds"] <= 0 for row in rows):
            raise ValueError
    except OSError as error:
        raise BadInput(f"{path}: it cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(f"{path}: these are no answers; give what `ecg-rhythm classify --json` printed") from None
    if len(found) < len(rows):
        raise BadInput(f"{path}: two of its recordings have one name; give each a name of its own")
    return found


def compared(reference: Path, answers: Path, names: Sequence[str] = NAMES) -> tuple[Iterator[Compared], list[str]]:
    """Compare the answers to a folder's recordings with its WFDB annotations.

    Parameters
    ----------
    reference : Path
        Folder of WFDB records with `.atr`.
    answers : Path
        What `classify --json` gave, or a folder of `.atr` of the same names.
    names : sequence of str
        The rhythms that are looked for, as annotations name them.

    Returns
    -------
    recordings : iterator of Compared
        The records that have an answer.
    unanswered : list of str
        Names of the others, which no figure counts.

    Raises
    ------
    BadInput
        If either is missing or damaged, or there is no recording in both.
    """
    if not reference.is_dir():
        raise BadInput(f"{reference}: there is no such folder; give one of WFDB records with .atr")
    records = {path.stem: path for path in sorted(reference.glob("*.hea")) if path.with_suffix(".atr").is_file()}
    if not answers.is_dir():
        answered = read_answers(answers)
        in_both = [name for name in records if name in answered]
        found = (_of_answer(read_wfdb(records[name]), answered[name], names) for name in in_both)
    else:
        in_both = [name for name in records if (answers / f"{name}.atr").is_file()]
        found = (_of_annotations(records[name], answers / f"{name}.atr", names) for name in in_both)
    if not in_both:
        raise BadInput(f"{answers}: it has no answer to a record of {reference} that has .atr; check the names")
    return found, [name for name in records if name not in set(in_both)]


def _of_answer(true: Annotated, answer: Mapping[str, Any], names: Sequence[str]) -> Compared:
    """Compare an answer in JSON with what is true of its recording."""
    _check_rhythms(true)
    try:
        classes = answer["classes"] if answer["kind"] == "timeline" else list(answer["probabilities"])
        label = fibrillation_in(classes)
        if label is None:
            raise BadInput(
                f"{true.name}: its classes {', '.join(classes)} do not have {FIBRILLATION}; use another model"
            )
        seconds = float(answer["seconds"])
        if abs(seconds - true.seconds) > max(UNLIKE, UNLIKE * true.seconds):
            raise BadInput(
                f"{true.name}: its answer is to {seconds:g} s, the record has {true.seconds:g} s; classify it again"
            )
        if answer["kind"] == "prediction":
            episodes = [(0.0, true.seconds)] if answer["label"] == label else []
            return Compared(true.name, true.seconds, episodes_of(true.rhythms, names), episodes)
        episodes = [(float(one["start"]), float(one["end"])) for one in answer["episodes"] if one["label"] == label]
        if not all(one <= other for one, other in pairwise(chain([0.0], *episodes, [seconds]))):  # also for NaN
            raise ValueError("episodes are not in order")
        minutes, burden = answer["rates"]["minutes"], answer["burden"][label]
        return Compared(
            true.name,
            true.seconds,
            episodes_of(true.rhythms, names),
            episodes,
            nan if burden is None else _share(burden),
            tuple(
                (MINUTE * minute, own, float(theirs))
                for minute, (own, theirs) in enumerate(zip(_minutes(true), minutes, strict=False))
                if own is not None and theirs is not None
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise BadInput(
            f"{true.name}: its answer is not one of this version, or impossible; classify the recordings again"
        ) from None


def _check_rhythms(true: Annotated) -> None:
    """Refuse a reference that says nothing of rhythms: each answer would be a false one."""
    if not true.rhythms:
        raise BadInput(f"{true.name}: its annotations name no rhythm, such as (AFIB; take it out of the folder")


def _share(burden: float) -> float:
    if not 0 <= float(burden) <= 1:
        raise ValueError("a burden is a share")
    return float(burden)


def _of_annotations(record: Path, annotations: Path, names: Sequence[str]) -> Compared:
    true, answer = read_wfdb(record), read_wfdb(record, annotations=annotations)
    _check_rhythms(true)
    return Compared(true.name, true.seconds, episodes_of(true.rhythms, names), episodes_of(answer.rhythms, names))


def episodes_of(rhythms: Sequence[Rhythm], names: Sequence[str]) -> list[Interval]:
    """Episodes of some rhythms; those that follow each other without a break are one."""
    found: list[Interval] = []
    for one in rhythms:
        if one.name in names:
            follows = bool(found) and found[-1][1] == one.start
            found.append((found.pop()[0] if follows else one.start, one.end))
    return found


def _minutes(true: Annotated) -> list[float | None]:
    """The rate of each minute from annotated beats, where these are annotated."""
    ends, seconds = true.beats[1:], np.diff(true.beats)
    counts = seconds <= LONGEST_PAUSE
    for start, end in [*true.unreadable, *((one.start, one.end) for one in true.rhythms if one.name == NOISE)]:
        counts &= (ends <= start) | (ends - seconds >= end)
    return rates_of(Intervals(ends[counts], seconds[counts]), max(true.seconds, MINUTE)).minutes
