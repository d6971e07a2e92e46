"""A live signal -> a decision whenever a window of it is full."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.classifier import Classifier, loaded
from ecg_rhythm.inference.sliding import WINDOW, check, classify_windows
from ecg_rhythm.inference.smoothing import TRUST, labels_of, transitions
from ecg_rhythm.signals.windows import SlidingWindow
from ecg_rhythm.weights.loading import DEFAULT


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
    model : Classifier, str or path
        What classifies, or what `load` takes.
    window, stride : float
        Seconds that are classified at once, and from one decision to the next.

    Raises
    ------
    BadInput
        If rate, window or stride is none, or there is no such model.
    """

    def __init__(
        self,
        fs: float,
        model: Classifier | Path | str | Iterable[Path | str] = DEFAULT,
        *,
        window: float | None = None,
        stride: float | None = None,
    ) -> None:
        window = WINDOW if window is None else window
        stride = check(window, stride)
        records.ReadOptions(fs=fs)  # refuses what is neither number nor None
        if not records.SLOWEST <= (fs or 0) <= records.FASTEST:
            raise BadInput(f"fs {fs}: give a sampling rate of {records.SLOWEST:g} to {records.FASTEST:g} Hz")
        classifier = loaded(model)
        self.classifier, self.fs, self.window, self.stride = classifier, fs, window, stride
        self._cutter = SlidingWindow(fs, window, stride)
        self._state = np.full(len(classifier.classes), 1 / len(classifier.classes))

    def push(self, samples: ArrayLike) -> list[Decision]:
        """Take further samples in mV, NaN where some were lost; return the decisions that have become due."""
        try:
            values = np.atleast_1d(records.numbers_of(samples)).astype(np.float32)
        except (TypeError, ValueError):
            values = np.zeros((0, 0), dtype=np.float32)
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
