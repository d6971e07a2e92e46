"""A long recording -> its rhythm over time, with episodes and burdens.

The recording is read, resampled and classified in parts of some minutes, so memory grows with it only where its format
must be read at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.answers import Timeline
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.episodes import DEFAULT, Rules, check_rules
from ecg_rhythm.inference.parts import Substitute
from ecg_rhythm.inference.rates import IntervalMeter
from ecg_rhythm.inference.sliding import WINDOW, check, classify_windows
from ecg_rhythm.inference.smoothing import UNREADABLE, labels_of, merged, shares, smoothed, transitions
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.records import Record, Recording
from ecg_rhythm.records.clock import written
from ecg_rhythm.signals.gaps import count_gaps
from ecg_rhythm.signals.heartbeats import Intervals
from ecg_rhythm.signals.windows import SlidingWindow, samples_of

LONG = 120.0
"""A recording of more seconds gets a timeline rather than one label."""
PART_SECONDS = 600.0
"""Seconds read at once."""

Progress = Callable[[int, int], object]
"""Called with how many windows of a recording are classified, and how many it has."""


def timeline(
    classifier: Classifier,
    recording: Recording,
    *,
    window: float = WINDOW,
    stride: float | None = None,
    rules: Rules = DEFAULT,
    progress: Progress = lambda done, of: None,
    workers: Workers[Classifier] | None = None,
) -> Timeline:
    """Classify a recording in windows.

    Parameters
    ----------
    classifier : Classifier
        One model, or several that vote.
    recording : Recording
        Of any length; it is read part by part.
    window, stride : float
        Length of a window, and time from one window to the next (half a window), in s.
    rules : Rules
        What counts as an episode of atrial fibrillation.
    progress : callable
        Told how many windows are classified, and how many the recording has.
    workers : Workers, optional
        Processes that hold the classifier, which share the windows of a long recording.

    Raises
    ------
    BadInput
        If the recording is shorter than a window or cannot be read, window and stride do not go together, or the rules
        are no durations.
    Died
        If two workers died at the same windows.
    """
    stride, rules = check(window, stride), check_rules(rules)
    if recording.seconds < window:
        raise BadInput(
            f"{recording.name or 'signal'}: {recording.seconds:.3g} s are less than one window of {window:g} s; "
            "classify it without a window"
        )
    sliding, meter = SlidingWindow(recording.fs, window, stride), IntervalMeter(recording.fs)
    gaps = missing = 0
    in_gap = False
    length = int(PART_SECONDS * recording.fs)

    def windows() -> Iterator[NDArray[np.float32]]:
        nonlocal gaps, missing, in_gap
        for start in range(0, recording.samples, length):
            part = recording.read(start, min(start + length, recording.samples))
            gone = ~np.isfinite(part)
            gaps += count_gaps(part) - (in_gap and bool(gone[0]))  # a gap that goes on is the same gap
            missing, in_gap = missing + int(gone.sum()), bool(gone[-1])
            meter.push(part)
            yield from sliding.push(part)
        yield from sliding.rest()

    of_windows: list[NDArray[np.float64]] = []
    expected = sliding.count(recording.samples)
    progress(0, expected)
    found = classify_windows(workers or Workers(classifier), windows(), recording.fs, spare=window >= 2 * stride)
    for probabilities_of_it in found:
        of_windows.append(probabilities_of_it)
        progress(len(of_windows), expected)
    probabilities_of_windows = np.array(of_windows)
    substitutes, replaced = _substituted(
        probabilities_of_windows, recording, window, stride, workers or Workers(classifier)
    )
    steps = merged(probabilities_of_windows, math.ceil(round(recording.seconds / stride, 6)), window, stride)
    probabilities = smoothed(steps, transitions(classifier.classes, stride))
    record = Record(
        name=recording.name,
        signal=np.zeros(0, dtype=np.float32),
        fs=recording.fs,
        lead=recording.lead,
        missing=missing / recording.samples,
        gaps=gaps,
        remarks=(*recording.remarks, *_said_of(substitutes)),
    )
    labels = labels_of(probabilities, classifier.classes)
    return Timeline(
        record=recording.name,
        reading=records.describe(record, classifier.fs, recording.seconds),
        lead=recording.lead,
        fs=recording.fs,
        seconds=recording.seconds,
        missing=record.missing,
        start_time=written(recording.start),
        stride=stride,
        join=rules.join,
        shortest=rules.shortest,
        classes=classifier.classes,
        probabilities=probabilities,
        labels=labels,
        substitutes=substitutes,
        intervals=_readable(meter.rest(), labels, replaced, window, stride),
    )


def _substituted(
    found: NDArray[np.float64],
    recording: Recording,
    window: float,
    stride: float,
    workers: Workers[Classifier],
) -> tuple[list[Substitute], NDArray[np.bool_]]:
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
    substitutes : list of Substitute
        Where another lead was read, in the order of time.
    replaced : ndarray of bool, shape (windows,)
        Which windows are of another lead.
    """
    classes, substitutes = workers.state.classes, list[Substitute]()
    replaced = np.zeros(len(found), dtype=bool)

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
        replaced[gone[good]] = True
        for number in gone[good].tolist():
            start, end = number * stride, min(number * stride + window, recording.seconds)
            if substitutes and substitutes[-1].lead == other.lead and start <= substitutes[-1].end:
                start = substitutes.pop().start
            substitutes.append(Substitute(other.lead, start, end))
    return sorted(substitutes, key=lambda one: one.start), replaced


def _said_of(substitutes: list[Substitute]) -> list[str]:
    """What is said of other leads that were read, in a remark for each."""
    seconds: dict[str, float] = {}
    for one in substitutes:
        seconds[one.lead] = seconds.get(one.lead, 0.0) + one.end - one.start
    return [f"lead {lead} used for {total:g} s in which this one is unreadable" for lead, total in seconds.items()]


def _readable(
    found: Intervals, labels: list[str], replaced: NDArray[np.bool_], window: float, stride: float
) -> Intervals:
    """The intervals between heartbeats that begin and end in steps that are readable in the chosen lead."""
    own = np.zeros(len(labels), dtype=bool)
    for offset in range(len(shares(window, stride))):
        part = ~replaced[: max(len(labels) - offset, 0)]
        own[offset : offset + len(part)] |= part
    readable = own & (np.array(labels) != UNREADABLE)
    ends, starts = (
        np.minimum((np.maximum(times, 0) / stride).astype(np.int64), len(labels) - 1)
        for times in (found.ends, found.ends - found.seconds)
    )
    good = readable[ends] & readable[starts]
    return Intervals(found.ends[good], found.seconds[good])
