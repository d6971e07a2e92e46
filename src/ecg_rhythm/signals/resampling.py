"""A signal at another sampling rate."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput

MOST_STRETCHED = 10_000
"""Largest numerator or denominator that resampling takes."""


def resample(signal: NDArray[np.float32], fs: float, to: float) -> NDArray[np.float32]:
    """Resample a signal from `fs` to `to` Hz by polyphase filtering (`scipy.signal.resample_poly`).

    The rates' ratio is taken to the nearest fraction with a denominator of at most 10,000.

    Parameters
    ----------
    signal : ndarray of float32, shape (n,)
        In any unit, finite.
    fs, to : float
        Sampling rates in Hz.

    Raises
    ------
    BadInput
        If no such fraction is near.
    """
    if fs == to:
        return signal
    from scipy.signal import resample_poly

    up, down = _ratio(fs, to)
    if up > MOST_STRETCHED * down or abs(up / down * fs / to - 1) > 1e-4:
        raise BadInput(f"a rate of {fs:g} Hz cannot be brought to {to:g} Hz; check the header")
    if up == down:  # so near that a day would end a few seconds off
        return signal
    # The edges are continued by their slope: zeros there would ring on a signal with an offset.
    window: Any = _low_pass(max(up, down))
    found: NDArray[np.float32] = resample_poly(
        signal.astype(np.float64), up, down, window=window, padtype="line"
    ).astype(np.float32)
    return found


@lru_cache(maxsize=16)
def _ratio(fs: float, to: float) -> tuple[int, int]:
    """Return the ratio of two rates as a fraction of small numbers; anew for each window of a day, that takes long."""
    ratio = Fraction(min(to / fs, 2.0 * MOST_STRETCHED)).limit_denominator(MOST_STRETCHED)
    return ratio.numerator, ratio.denominator


@lru_cache(maxsize=16)
def _low_pass(factor: int) -> NDArray[np.float64]:
    """Return the filter that `resample_poly` designs by default, anew each time."""
    from scipy.signal import firwin

    return np.asarray(firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0)))
