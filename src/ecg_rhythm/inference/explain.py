"""Which seconds of a recording influenced its prediction most: hide them, and see how the prediction changes.

Integrated gradients cannot show this, as the networks normalise the gain: the prediction does not change along the
line from silence to the signal, so they are zero.
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
"""Seconds hidden at once, and from one hidden part to the next."""
AT_ONCE = 40
"""Copies of the recording in memory together."""
SURE = 1e-6
"""Least distance of probabilities from 0 and 1, so that their log-odds are finite."""
SALIENT = 0.5
"""Parts with at least this share of the largest weight are salient."""


@dataclass(frozen=True)
class Explanation:
    """How much each part of a recording influenced its prediction.

    Attributes
    ----------
    label : str
        The class that is explained.
    step : float
        Length of a part in s; the first begins at 0.
    weights : ndarray of float64, shape (parts,)
        By how much the log-odds of the class fall when the part is hidden, with what surrounds it. Below 0, the part
        makes the class less probable.
    seconds : float
        Duration of the recording; the last part may be shorter than the others.
    """

    label: str
    step: float
    weights: NDArray[np.float64]
    seconds: float

    def salient(self) -> list[tuple[float, float]]:
        """Start and end in s of the parts that influenced the prediction most, in the order of time."""
        most = self.weights.max(initial=0.0)
        edges = np.diff((self.weights >= SALIENT * most) & (self.weights > 0), prepend=False, append=False)
        ends = np.minimum(np.flatnonzero(edges) * self.step, self.seconds)
        return list(zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Give the explanation as JSON values."""
        return {"step": self.step, "weights": self.weights.round(4).tolist(), "stretches": self.salient()}


def explain(classifier: Classifier, record: Record, label: str | None = None) -> Explanation:
    """Weigh each part of a recording by hiding it: a straight line replaces it, as if it were missing.

    Parameters
    ----------
    classifier : Classifier
        One model, or several that vote.
    record : Record
        The recording. It is classified once for every half second.
    label : str, optional
        The class to explain; by default the most probable one.

    References
    ----------
    Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014 (occlusion).
    """
    starts = np.arange(0, max(record.seconds - HIDDEN, 0) + STEP, STEP)
    variants = chain([record], (hide(record, [(start, start + HIDDEN)]) for start in starts))
    # Some at a time: each is as long as the recording.
    batches = [classifier.probabilities(batch) for batch in batched(variants, AT_ONCE)]
    probabilities = np.clip(np.concatenate(batches), SURE, 1 - SURE)
    chosen = classifier.classes.index(label) if label is not None else int(probabilities[0].argmax())
    odds = np.log(probabilities[:, chosen] / (1 - probabilities[:, chosen]))
    falls = odds[0] - odds[1:]
    # A part is hidden several times, each time with other parts; its weight is the mean.
    parts = int(np.ceil(record.seconds / STEP))
    total, count = np.zeros(parts), np.zeros(parts)
    for number, fall in enumerate(falls):
        covered = slice(number, number + round(HIDDEN / STEP))
        total[covered] += fall
        count[covered] += 1
    return Explanation(classifier.classes[chosen], STEP, total / np.maximum(count, 1), record.seconds)


def hide(record: Record, parts: list[tuple[float, float]]) -> Record:
    """Replace parts of a record, given by start and end in s, by straight lines."""
    signal = record.signal.copy()
    for start, end in parts:
        signal[round(start * record.fs) : round(end * record.fs)] = np.nan
    return replace(record, signal=fill(signal))
