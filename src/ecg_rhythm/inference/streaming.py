"""A live signal -> a decision whenever a window of it is full."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.given import quoted, real
from ecg_rhythm.inference.classifier import Classifier, loaded
from ecg_rhythm.inference.episodes import JOIN, SHORTEST, LiveRules, Rules, check_rules
from ecg_rhythm.inference.names import fibrillation_in
from ecg_rhythm.inference.sliding import WINDOW, check, classify_windows
from ecg_rhythm.inference.smoothing import TRUST, UNREADABLE, labels_of, transitions
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.signals.windows import SlidingWindow
from ecg_rhythm.weights.loading import DEFAULT


@dataclass(frozen=True)
class Decision:
    """What a model says of a live signal when a window is full.

    Attributes
    ----------
    start, end : float
        The window in s since the first sample.
    label : str
        The most probable class, given the window and those before, after the rules for episodes; `~` if half or more
        of the window is missing.
    probabilities : dict of str to float
        Probability of each class; NaN if half of the window or more is missing.
    """

    start: float
    end: float
    label: str
    probabilities: dict[str, float]


class StreamingClassifier:
    """Classify a live signal, window after window; `ecg_rhythm.stream` makes one.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    model : Classifier, or what `load` takes
        One model, or several that vote.
    window, stride : float, optional
        Length of a window (10 s), and time from one decision to the next (half a window), in s.
    join, shortest : float
        Atrial fibrillation is reported after `shortest` s, and its end when there has been none for `join` s.

    Raises
    ------
    BadInput
        If `fs`, `window`, `stride`, `join` or `shortest` cannot be used, or there is no such model.
    """

    def __init__(
        self,
        fs: float,
        model: Classifier | Path | str | Iterable[Path | str] = DEFAULT,
        *,
        window: float | None = None,
        stride: float | None = None,
        join: float = JOIN,
        shortest: float = SHORTEST,
    ) -> None:
        window = WINDOW if window is None else window
        stride, rules = check(window, stride), check_rules(Rules(join, shortest))
        if not records.SLOWEST <= real(fs) <= records.FASTEST:
            raise BadInput(f"fs {quoted(fs)}: give a sampling rate of {records.SLOWEST:g} to {records.FASTEST:g} Hz")
        classifier = loaded(model)
        self.classifier, self.fs, self.window, self.stride = classifier, fs, window, stride
        self._windows = SlidingWindow(fs, window, stride)
        self._change = transitions(classifier.classes, stride)
        self._state = np.full(len(classifier.classes), 1 / len(classifier.classes))
        self._rules = LiveRules(stride, fibrillation_in(classifier.classes), UNREADABLE, rules)

    def push(self, samples: ArrayLike) -> list[Decision]:
        """Take further samples in mV and give a decision for each window that they fill.

        Parameters
        ----------
        samples : number or array, shape (n,)
            In mV, NaN where samples were lost.

        Raises
        ------
        BadInput
            If the samples are no row of numbers.
        """
        try:
            with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, which is a gap
                values = np.atleast_1d(records.numbers_of(samples)).astype(np.float32)
        except (TypeError, ValueError, OverflowError):
            values = np.zeros((0, 0), dtype=np.float32)
        if values.ndim != 1:
            raise BadInput("samples: expected one row of numbers in mV; give one lead")
        first, classes = self._windows.number, self.classifier.classes
        decisions = []
        for number, now in enumerate(
            classify_windows(Workers(self.classifier), self._windows.push(values), self.fs), first
        ):
            self._state = self._state @ self._change
            if not np.isnan(now).any():
                self._state = self._state * np.maximum(now, 1e-6) ** TRUST
                now = self._state = self._state / self._state.sum()
            start, label = number * self.stride, self._rules.push(labels_of(now[None], classes)[0])
            probabilities = dict(zip(classes, map(float, now), strict=True))
            decisions.append(Decision(start, start + self.window, label, probabilities))
        return decisions
