"""Where a long recording is unreadable in the chosen lead, another lead of it is read."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.parts import Substitute
from ecg_rhythm.inference.rates import MARGIN_SECONDS, intervals_of
from ecg_rhythm.inference.sliding import classify_windows
from ecg_rhythm.inference.smoothing import UNREADABLE, labels_of
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.records import Recording
from ecg_rhythm.signals.heartbeats import Intervals
from ecg_rhythm.signals.windows import samples_of


class ReadPart(NamedTuple):
    """A part of a recording in which another lead was read, and that lead."""

    part: Substitute
    lead: Recording


def substituted(
    found: NDArray[np.float64],
    recording: Recording,
    window: float,
    stride: float,
    workers: Workers[Classifier],
) -> list[ReadPart]:
    """Classify windows that are unreadable in other leads, and put what is readable there in their places.

    Parameters
    ----------
    found : ndarray of float64, shape (windows, classes)
        Probabilities of each window, NaN where it could not be classified; changed here.
    recording : Recording
        What they are of.
    window, stride : float
        Length of a window, and time from one to the next, in s.
    workers : Workers
        Processes that hold the classifier.

    Returns
    -------
    list of ReadPart
        Where another lead was read, in the order of time.
    """
    classes, others = workers.state.classes, list[ReadPart]()

    def unreadable(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.array([label == UNREADABLE for label in labels_of(rows, classes)])

    for open_other in recording.others:
        gone = np.flatnonzero(unreadable(found))
        if not len(gone):
            break
        try:
            other = open_other()
        except BadInput:
            continue
        length = samples_of(window, other.fs)
        # The last window ends with the recording. This lead may be shorter.
        starts = np.rint(np.minimum(gone * stride, recording.seconds - window) * other.fs).astype(np.int64)
        is_there = starts + length <= other.samples + 1
        gone, starts = gone[is_there], np.minimum(starts[is_there], other.samples - length)
        if not len(gone):
            continue
        parts = (other.read(start, start + length) for start in starts.tolist())
        rows = np.array(list(classify_windows(workers, parts, other.fs)))
        good = ~unreadable(rows)
        found[gone[good]] = rows[good]
        for number in gone[good].tolist():
            start, end = number * stride, min(number * stride + window, recording.seconds)
            if others and others[-1].lead is other and start <= others[-1].part.end:
                start = others.pop().part.start
            others.append(ReadPart(Substitute(other.lead, start, end), other))
    return sorted(others, key=lambda one: one.part.start)


def remarks(parts: list[Substitute]) -> list[str]:
    """What is said of other leads that were read, in a remark for each."""
    seconds: dict[str, float] = {}
    for one in parts:
        seconds[one.lead] = seconds.get(one.lead, 0.0) + one.end - one.start
    return [f"lead {lead} used for {total:g} s in which this one is unreadable" for lead, total in seconds.items()]


def readable_intervals(
    own: Intervals, others: list[ReadPart], labels: list[str], stride: float, seconds: float
) -> Intervals:
    """Choose the intervals between heartbeats that count: in readable steps, each of the lead that was read there.

    Parameters
    ----------
    own : Intervals
        Those of the chosen lead.
    others : list of ReadPart
        Where another lead was read.
    labels : list of str
        The label of each step.
    stride : float
        Length of a step in s.
    seconds : float
        Duration of the recording in s.

    Returns
    -------
    Intervals
        In the order of time; none from one lead to another.
    """
    left, found = np.array(labels) != UNREADABLE, list[Intervals]()
    for part, lead in others:
        here = np.zeros(len(labels), dtype=bool)
        here[int(round(part.start / stride, 6)) : math.ceil(round(part.end / stride, 6))] = True
        start, end = part.start - MARGIN_SECONDS, min(part.end + MARGIN_SECONDS, seconds)
        found.append(_within(intervals_of(lead, start, end), here & left, stride))
        left &= ~here
    found.append(_within(own, left, stride))
    ends, lengths = map(np.concatenate, zip(*found, strict=True))
    order = np.argsort(ends, kind="stable")
    return Intervals(ends[order], lengths[order])


def _within(found: Intervals, steps: NDArray[np.bool_], stride: float) -> Intervals:
    """The intervals that are in these steps from beginning to end."""
    ends, starts = (
        np.minimum((np.maximum(times, 0) / stride).astype(np.int64), len(steps) - 1)
        for times in (found.ends, found.ends - found.seconds)
    )
    others_before = np.concatenate([[0], np.cumsum(~steps)])
    good = others_before[ends + 1] == others_before[starts]
    return Intervals(found.ends[good], found.seconds[good])
