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
from ecg_rhythm.inference.sliding import WINDOW, check, classify_windows
from ecg_rhythm.inference.smoothing import labels_of, merged, smoothed
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.records import Record, Recording
from ecg_rhythm.records.clock import written
from ecg_rhythm.signals.gaps import count_gaps
from ecg_rhythm.signals.windows import SlidingWindow

LONG = 120.0
"""A recording of more seconds gets a timeline rather than one label."""
PART_SECONDS = 600.0
"""Seconds read at once."""

Progress = Callable[[int, int], object]
"""What is told how many windows of a recording are classified, and how many it has."""


def timeline(
    classifier: Classifier,
    recording: Recording,
    *,
    window: float = WINDOW,
    stride: float | None = None,
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
        Length of a window, and time from one window to the next (15 s, or half a shorter window), in s.
    progress : callable
        Told how many windows are classified, and how many the recording has.
    workers : Workers, optional
        Processes that hold the classifier, which share the windows of a long recording.

    Raises
    ------
    BadInput
        If the recording is shorter than a window or cannot be read, or window and stride do not go together.
    Died
        If two workers died at the same windows.
    """
    stride = check(window, stride)
    if recording.seconds < window:
        raise BadInput(
            f"{recording.name or 'signal'}: {recording.seconds:.3g} s are less than one window of {window:g} s; "
            "classify it without a window"
        )
    sliding = SlidingWindow(recording.fs, window, stride)
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
            yield from sliding.push(part)
        yield from sliding.rest()

    of_windows: list[NDArray[np.float64]] = []
    expected = sliding.count(recording.samples)
    progress(0, expected)
    for probabilities_of_it in classify_windows(workers or Workers(classifier), windows(), recording.fs):
        of_windows.append(probabilities_of_it)
        progress(len(of_windows), expected)
    steps = merged(np.array(of_windows), _count(recording.seconds, stride), _count(window, stride))
    probabilities = smoothed(steps, stride)
    record = Record(
        name=recording.name,
        signal=np.zeros(0, dtype=np.float32),
        fs=recording.fs,
        lead=recording.lead,
        missing=missing / recording.samples,
        gaps=gaps,
        remarks=recording.remarks,
    )
    return Timeline(
        record=recording.name,
        reading=records.describe(record, classifier.fs, recording.seconds),
        lead=recording.lead,
        fs=recording.fs,
        seconds=recording.seconds,
        missing=record.missing,
        start_time=written(recording.start),
        stride=stride,
        classes=classifier.classes,
        probabilities=probabilities,
        labels=labels_of(probabilities, classifier.classes),
    )


def _count(seconds: float, stride: float) -> int:
    """Number of steps in a duration; the last may be shorter, but is not made by rounding."""
    return math.ceil(round(seconds / stride, 6))
