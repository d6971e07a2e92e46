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
from ecg_rhythm.inference import other_leads
from ecg_rhythm.inference.answers import Timeline
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.episodes import DEFAULT, Rules, check_rules
from ecg_rhythm.inference.rates import IntervalMeter
from ecg_rhythm.inference.sliding import WINDOW, check, classify_windows
from ecg_rhythm.inference.smoothing import labels_of, merged, smoothed, transitions
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.records import Record, Recording
from ecg_rhythm.records.clock import written
from ecg_rhythm.signals.gaps import count_gaps
from ecg_rhythm.signals.windows import SlidingWindow

LONG = 120.0
"""A recording of more seconds gets a timeline rather than one label."""

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

    def windows() -> Iterator[NDArray[np.float32]]:
        nonlocal gaps, missing, in_gap
        for part in recording.parts():
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
    others = other_leads.substituted(
        probabilities_of_windows, recording, window, stride, workers or Workers(classifier)
    )
    substitutes = [one.part for one in others]
    steps = merged(probabilities_of_windows, math.ceil(round(recording.seconds / stride, 6)), window, stride)
    probabilities = smoothed(steps, transitions(classifier.classes, stride))
    record = Record(
        name=recording.name,
        signal=np.zeros(0, dtype=np.float32),
        fs=recording.fs,
        lead=recording.lead,
        missing=missing / recording.samples,
        gaps=gaps,
        remarks=(*recording.remarks, *other_leads.remarks(substitutes)),
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
        intervals=other_leads.readable_intervals(meter.rest(), others, labels, stride, recording.seconds),
    )
