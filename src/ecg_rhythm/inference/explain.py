"""Which seconds of a recording spoke for an answer: hide them, and see how the answer changes.

Gradients are no way to ask this of a network whose front end takes away the gain: along a line from silence to the
signal nothing changes, so integrated gradients are zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.inference.classifier import Classifier, batched
from ecg_rhythm.records import Record
from ecg_rhythm.signals.gaps import fill

HIDDEN, STEP = 2.0, 0.5
"""Seconds that are hidden at once, and from one such stretch to the next."""
AT_ONCE = 40
"""Copies of the recording that are in memory together."""
SURE = 1e-6
"""Distance that probabilities keep from 0 and 1, for the logarithm's sake."""
TOLD = 0.5
"""Stretches are told that weigh at least this part of the weightiest."""


@dataclass(frozen=True)
class Explanation:
    """How much each stretch of a recording speaks for an answer.

    Attributes
    ----------
    label : str
        The answer.
    step : float
        Length of a stretch in s; the first begins at 0.
    weights : ndarray of float64, shape (stretches,)
        By how much the log-odds of the answer fall when it is hidden with what is around it; below 0, it speaks
        against the answer.
    """

    label: str
    step: float
    weights: NDArray[np.float64]

    def salient(self) -> list[tuple[float, float]]:
        """Return start and end in s of the stretches that speak most for the answer, in the order of time."""
        most = self.weights.max(initial=0.0)
        edges = np.diff((self.weights >= TOLD * most) & (self.weights > 0), prepend=False, append=False)
        ends = np.flatnonzero(edges) * self.step
        return list(zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"step": self.step, "weights": self.weights.round(4).tolist(), "stretches": self.salient()}


def explain(classifier: Classifier, record: Record, label: str | None = None) -> Explanation:
    """Weigh each stretch of a recording by hiding it: a straight line takes its place, as if it were missing.

    Parameters
    ----------
    classifier : Classifier
        What answers.
    record : Record
        The recording; as many copies of it are classified as it has half seconds.
    label : str, optional
        The class to explain; the most probable one if not given.

    References
    ----------
    Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014 (occlusion).
    """
    starts = np.arange(0, max(record.seconds - HIDDEN, 0) + STEP, STEP)
    variants = chain([record], (hidden(record, [(start, start + HIDDEN)]) for start in starts))
    # Some at a time: each is as long as the recording.
    found = [classifier.probabilities(part) for part in batched(variants, AT_ONCE)]
    probabilities = np.clip(np.concatenate(found), SURE, 1 - SURE)
    chosen = classifier.classes.index(label) if label is not None else int(probabilities[0].argmax())
    odds = np.log(probabilities[:, chosen] / (1 - probabilities[:, chosen]))
    falls = odds[0] - odds[1:]
    # Each stretch is hidden several times, each time with others; its weight is the mean.
    stretches = int(np.ceil(record.seconds / STEP))
    total, count = np.zeros(stretches), np.zeros(stretches)
    for number, fall in enumerate(falls):
        covered = slice(number, number + round(HIDDEN / STEP))
        total[covered] += fall
        count[covered] += 1
    return Explanation(classifier.classes[chosen], STEP, total / np.maximum(count, 1))


def hidden(record: Record, stretches: list[tuple[float, float]]) -> Record:
    """Return a record with straight lines in place of some stretches, given by start and end in s."""
    signal = record.signal.copy()
    for start, end in stretches:
        signal[round(start * record.fs) : round(end * record.fs)] = np.nan
    return replace(record, signal=fill(signal))
