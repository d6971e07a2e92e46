"""A fold as a trainer sees it: the recordings of its parts, and what comes of training on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.data.store import Store

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """A fold of a data set: which recordings are trained on, which choose the weights, which judge.

    Attributes
    ----------
    store : Store
        The data set.
    targets : ndarray of int64, shape (n,)
        Class of every recording of it, as a position in `store.classes`.
    train, valid, test : ndarray of int64
        Positions of recordings. Without a validation part, the weights of the last epoch are kept; without a test
        part, there are no scores of it.
    """

    store: Store
    targets: NDArray[np.int64]
    train: Indices
    valid: Indices
    test: Indices


@dataclass(frozen=True)
class Trained:
    """What a training gives, beside the weights it has kept.

    Attributes
    ----------
    phases : list of dict
        Scores of the best weights of each phase, on the validation and the test part.
    predictions : dict
        Name of a part -> positions of its recordings and their probabilities, by the last phase's best weights.
    seconds, cpu_seconds : float
        Time, and time of all cores together, spent without interruptions.
    """

    phases: list[dict[str, Any]]
    predictions: dict[str, tuple[Indices, NDArray[np.float64]]]
    seconds: float
    cpu_seconds: float
