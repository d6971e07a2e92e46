"""A long recording -> its rhythm over time: overlapping windows, each classified, then smoothed.

All is read, resampled and classified in stretches of some minutes, so memory grows with a recording only where its
format must be read at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_rhythm import records
from ecg_rhythm.classifier import Classifier, batched
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import Record, Recording, Wanted
from ecg_rhythm.scores import NOISE

WINDOW, STRIDE = 30.0, 15.0
"""Seconds that are classified at once, as long as most recordings of the challenge; seconds from one to the next."""
LONG = 120.0
"""A recording of more seconds has a timeline rather than one label."""
STRETCH = 600.0
"""Seconds that are read at once."""
BATCH = 64
"""Windows that are classified at once."""
UNREADABLE = NOISE
"""Label of what cannot be told, be it for noise or for a lack of samples."""
MOST_MISSING = 0.5
"""Share of a window that may be missing; more, and it is not classified."""

MEAN_MINUTES = 40.0
"""How long a rhythm lasts on average, as smoothing sees it: the shortest that `benchmarks/smoothing.py` finds as good
as any."""
TRUST = 0.7
"""Power of a step's probabilities in smoothing: windows overlap, so they are no independent witnesses."""


@dataclass(frozen=True)
class Episode:
    """A stretch of one rhythm.

    Attributes
    ----------
    label : str
        The rhythm.
    start, end : float
        In s from the beginning of the recording.
    probability : float
        Mean probability of the rhythm in it.
    """

    label: str
    start: float
    end: float
    probability: float

    @property
    def seconds(self) -> float:
        """Duration in s."""
        return self.end - self.start


@dataclass(frozen=True)
class Timeline:
    """The rhythm of a long recording, step by step.

    Attributes
    ----------
    record, reading : str
        Name of the recording, and how it was read.
    seconds : float
        Duration in s.
    stride : float
        Seconds of a step; the last may be shorter.
    classes : list of str
        The classes.
    probabilities : ndarray of float64, shape (steps, classes)
        Smoothed probabilities of each step; NaN where nothing could be classified.
    labels : list of str
        The most probable class of each step, `~` where nothing could be classified.
    """

    record: str
    reading: str
    seconds: float
    stride: float
    classes: list[str]
    probabilities: NDArray[np.float64]
    labels: list[str]

    def episodes(self, label: str | None = None) -> list[Episode]:
        """Return the stretches of one rhythm, or of all, in the order of time."""
        found, step = [], 0
        for name, group in groupby(self.labels):
            steps = slice(step, step + len(list(group)))
            step = steps.stop
            if label is None or name == label:
                own = self.probabilities[steps, self.classes.index(name)] if name in self.classes else np.array([1.0])
                end = min(steps.stop * self.stride, self.seconds)
                found.append(Episode(name, steps.start * self.stride, end, float(np.nan_to_num(own, nan=1.0).mean())))
        return found

    def hours(self, label: str) -> float:
        """Return how long a rhythm lasts in all, in h."""
        return sum(episode.seconds for episode in self.episodes(label)) / 3600

    @property
    def unreadable(self) -> float:
        """Share of the recording whose rhythm cannot be told."""
        return self.hours(UNREADABLE) * 3600 / self.seconds

    def burden(self, label: str = "A") -> float | None:
        """Return the share of the readable time that a rhythm takes; None if nothing is readable."""
        readable = self.seconds / 3600 - self.hours(UNREADABLE)
        return self.hours(label) / readable if readable > 0 else None

    def as_dict(self) -> dict[str, Any]:
        """Return what is told of the recording as JSON values."""
        rhythms = [name for name in self.classes if name != UNREADABLE]
        return {
            "record": self.record,
            "reading": self.reading,
            "seconds": self.seconds,
            "unreadable": self.unreadable,
            "burden": {name: self.burden(name) for name in rhythms},
            "hours": {name: self.hours(name) for name in rhythms},
            "episodes": [
                {"label": e.label, "start": e.start, "end": e.end, "probability": e.probability}
                for e in self.episodes()
            ],
        }

    def _repr_html_(self) -> str:
        from ecg_rhythm import notebook

        return notebook.timeline(self)


def timeline(
    classifier: Classifier, recording: Recording, *, window: float = WINDOW, stride: float = STRIDE
) -> Timeline:
    """Classify a recording window by window.

    Parameters
    ----------
    classifier : Classifier
        What classifies each window.
    recording : Recording
        Of any length; it is read in stretches.
    window, stride : float
        Seconds that are classified at once, and from the beginning of one window to that of the next.

    Raises
    ------
    BadInput
        If the recording is shorter than a window, cannot be read, or a stride is longer than its window.
    """
    check(window, stride)
    if recording.seconds < window:
        raise BadInput(
            f"{recording.name}: {recording.seconds:.3g} s are less than one window of {window:g} s; "
            "classify it without a window"
        )
    cutter = Cutter(recording.fs, window, stride)
    gaps = missing = 0
    in_gap = False
    length = int(STRETCH * recording.fs)

    def windows() -> Iterator[NDArray[np.float32]]:
        nonlocal gaps, missing, in_gap
        for start in range(0, recording.samples, length):
            part = recording.stretch(start, min(start + length, recording.samples))
            gone = ~np.isfinite(part)
            gaps += records.count_gaps(part) - (in_gap and bool(gone[0]))  # one that goes on is no other
            missing, in_gap = missing + int(gone.sum()), bool(gone[-1])
            yield from cutter.push(part)
        yield from cutter.rest()

    found = list(classify_windows(classifier, windows(), recording.fs))
    steps = merged(np.array(found), _count(recording.seconds, stride), _count(window, stride))
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
        reading=records.reading(record, classifier.fs, recording.seconds),
        seconds=recording.seconds,
        stride=stride,
        classes=classifier.classes,
        probabilities=probabilities,
        labels=labels_of(probabilities, classifier.classes),
    )


def _count(seconds: float, stride: float) -> int:
    """Return how many steps there are in so many seconds, the last perhaps not a whole one; rounding makes none."""
    return math.ceil(round(seconds / stride, 6))


def timeline_of_file(
    classifier: Classifier,
    path: Path | str,
    wanted: Wanted = Wanted(),  # noqa: B008
    *,
    window: float = WINDOW,
    stride: float = STRIDE,
) -> Timeline:
    """Open a file and classify it window by window; see `timeline`."""
    return timeline(classifier, records.open_recording(path, wanted), window=window, stride=stride)


def check(window: float, stride: float) -> None:
    """Refuse windows that leave something out or are shorter than a few heart beats.

    Raises
    ------
    BadInput
        If they do.
    """
    if not window >= 5:
        raise BadInput(f"--window {window:g}: too short to tell a rhythm; give at least 5 s")
    if not 1 <= stride <= window:
        raise BadInput(f"--stride {stride:g}: it must be from 1 s to the window's {window:g} s")


class Cutter:
    """Cuts windows from a signal that comes in pieces.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    window, stride : float
        Seconds of a window, and from one beginning to the next.
    """

    def __init__(self, fs: float, window: float, stride: float) -> None:
        self.fs, self.stride, self.length = fs, stride, round(window * fs)
        self.number = 0
        """Of the next window."""
        self._kept: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._passed = 0
        """Samples before the first that is kept."""

    def push(self, samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Take further samples; yield the windows that they complete."""
        self._kept = np.concatenate([self._kept, samples])
        while (start := self._start(self.number) - self._passed) + self.length <= len(self._kept):
            yield self._kept[start : start + self.length]
            self.number += 1
        # What the last window had is kept: the recording may end before the next one is full.
        done = max(self._start(self.number - 1) - self._passed, 0)
        self._kept, self._passed = self._kept[done:], self._passed + done

    def rest(self) -> Iterator[NDArray[np.float32]]:
        """Yield the last window, which ends with the signal, if no window did."""
        if len(self._kept) > (self.length if self.number else 0):
            yield self._kept[-self.length :]

    def _start(self, number: int) -> int:
        return round(number * self.stride * self.fs)


def classify_windows(
    classifier: Classifier, windows: Iterable[NDArray[np.float32]], fs: float
) -> Iterator[NDArray[np.float64]]:
    """Yield the probabilities of each window, shape (classes,); NaN if more than half of it is missing."""
    for batch in batched(windows, BATCH):
        there = [np.isfinite(window).mean() > MOST_MISSING and len(window) >= fs for window in batch]
        given = [Record("", records.fill(w), fs, "") for w, good in zip(batch, there, strict=True) if good]
        answers = iter(classifier.probabilities(given))
        for good in there:
            yield next(answers) if good else np.full(len(classifier.classes), np.nan)


def merged(windows: NDArray[np.float64], steps: int, per_window: int) -> NDArray[np.float64]:
    """Return the probabilities of each step: of the windows it is in, the geometric mean; NaN if of none.

    Parameters
    ----------
    windows : ndarray of float64, shape (windows, classes)
        The n-th begins with the n-th step.
    steps : int
        How many steps there are.
    per_window : int
        Steps that a window spans.
    """
    logs = np.log(np.maximum(windows, 1e-6))
    total, count = np.zeros((steps, windows.shape[1])), np.zeros((steps, 1))
    for offset in range(per_window):
        part = logs[: max(steps - offset, 0)]
        good = ~np.isnan(part).any(axis=1, keepdims=True)
        total[offset : offset + len(part)] += np.where(good, part, 0)
        count[offset : offset + len(part)] += good
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.exp(total / count)
        return np.asarray(mean / mean.sum(axis=1, keepdims=True))


def smoothed(
    steps: NDArray[np.float64], stride: float, minutes: float = MEAN_MINUTES, trust: float = TRUST
) -> NDArray[np.float64]:
    """Return the probabilities of steps given those before and after: a hidden Markov model's, forward and backward.

    A rhythm stays for some time on average and then changes to any other. NaN stay NaN and tell nothing.

    Parameters
    ----------
    steps : ndarray of float64, shape (steps, classes)
        Probabilities of each step alone.
    stride : float
        Seconds of a step.
    minutes : float
        How long a rhythm stays on average.
    trust : float
        Power of a step's probabilities.

    References
    ----------
    Rabiner, "A tutorial on hidden Markov models", Proceedings of the IEEE 77, 1989.
    """
    gone = np.isnan(steps).any(axis=1)
    evidence = np.nan_to_num(np.maximum(steps, 1e-6), nan=1.0) ** trust
    change = transitions(steps.shape[1], stride, minutes)
    forward, backward = np.empty_like(evidence), np.ones_like(evidence)
    now = np.full(steps.shape[1], 1 / steps.shape[1])
    for i, seen in enumerate(evidence):
        now = (now @ change if i else now) * seen
        forward[i] = now = now / now.sum()
    for i in range(len(evidence) - 2, -1, -1):
        later = change @ (evidence[i + 1] * backward[i + 1])
        backward[i] = later / later.sum()
    found = forward * backward
    found /= found.sum(axis=1, keepdims=True)
    found[gone] = np.nan
    return found


def transitions(classes: int, stride: float, minutes: float = MEAN_MINUTES) -> NDArray[np.float64]:
    """Return how probable each change of rhythm is from one step to the next, shape (classes, classes)."""
    leave = 1 - np.exp(-stride / 60 / minutes)
    matrix = np.full((classes, classes), leave / max(classes - 1, 1))
    np.fill_diagonal(matrix, 1 - leave)
    return matrix


def labels_of(probabilities: NDArray[np.float64], classes: list[str]) -> list[str]:
    """Return the most probable class of each step, `~` where there are no probabilities."""
    return [UNREADABLE if np.isnan(row).any() else classes[int(row.argmax())] for row in probabilities]


@dataclass(frozen=True)
class Decision:
    """What is said of a live signal when a window is full.

    Attributes
    ----------
    start, end : float
        The window in s since the first sample.
    label : str
        The most probable class, given also the windows before; `~` if more than half of it is missing.
    probabilities : dict of str to float
        Class -> probability; NaN if more than half is missing.
    """

    start: float
    end: float
    label: str
    probabilities: dict[str, float]


class StreamingClassifier:
    """Classifies a live signal, window after window.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    classifier : Classifier, optional
        What classifies; the model that comes with the program if not given.
    window, stride : float
        Seconds that are classified at once, and from one decision to the next.

    Raises
    ------
    BadInput
        If rate, window or stride is none.
    """

    def __init__(
        self, fs: float, classifier: Classifier | None = None, *, window: float = WINDOW, stride: float = STRIDE
    ) -> None:
        check(window, stride)
        if not fs > 0:
            raise BadInput(f"fs {fs:g}: the sampling rate must be above 0 Hz")
        if classifier is None:
            from ecg_rhythm import load

            classifier = load()
        self.classifier, self.fs, self.window, self.stride = classifier, fs, window, stride
        self._cutter = Cutter(fs, window, stride)
        self._state = np.full(len(classifier.classes), 1 / len(classifier.classes))

    def push(self, samples: ArrayLike) -> list[Decision]:
        """Take further samples in mV, NaN where some were lost; return the decisions that have become due."""
        values = np.atleast_1d(np.asarray(samples, dtype=np.float32))
        if values.ndim != 1:
            raise BadInput("samples: expected one row of numbers in mV; give one lead")
        number = self._cutter.number
        decisions = []
        for found in classify_windows(self.classifier, self._cutter.push(values), self.fs):
            self._state = self._state @ transitions(len(found), self.stride)
            if not np.isnan(found).any():
                self._state = self._state * np.maximum(found, 1e-6) ** TRUST
                self._state /= self._state.sum()
                now = self._state
            else:
                now = found
            start = number * self.stride
            number += 1
            decisions.append(
                Decision(
                    start,
                    start + self.window,
                    labels_of(now[None], self.classifier.classes)[0],
                    dict(zip(self.classifier.classes, map(float, now), strict=True)),
                )
            )
        return decisions
