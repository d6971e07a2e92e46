"""A signal at another sampling rate."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput

LARGEST_TERM = 10_000
"""Largest numerator or denominator of the ratio of two rates."""


def resample(signal: NDArray[np.float32], fs: float, to: float) -> NDArray[np.float32]:
    """Resample a signal from `fs` to `to` Hz by polyphase filtering (`scipy.signal.resample_poly`).

    The ratio of the rates is rounded to the nearest fraction with a denominator of at most 10,000.

    Parameters
    ----------
    signal : ndarray of float32, shape (n,)
        In any unit, finite.
    fs, to : float
        Sampling rates in Hz.

    Raises
    ------
    BadInput
        If no such fraction is close enough.
    """
    if fs == to:
        return signal
    from scipy.signal import resample_poly

    up, down = _ratio(fs, to)
    if up > LARGEST_TERM * down or abs(up / down * fs / to - 1) > 1e-4:
        raise BadInput(f"a rate of {fs:g} Hz cannot be resampled to {to:g} Hz; check the header")
    if up == down:  # the rates differ so little that a day would end a few seconds off
        return signal
    # The edges are continued by a line: zeros there would ring where a signal has an offset.
    window: Any = _low_pass(max(up, down))
    resampled: NDArray[np.float32] = resample_poly(
        signal.astype(np.float64), up, down, window=window, padtype="line"
    ).astype(np.float32)
    return resampled


@lru_cache(maxsize=16)
def _ratio(fs: float, to: float) -> tuple[int, int]:
    """Ratio of two rates as a fraction of small numbers, remembered as the windows of a day need it often."""
    ratio = Fraction(min(to / fs, 2.0 * LARGEST_TERM)).limit_denominator(LARGEST_TERM)
    return ratio.numerator, ratio.denominator


@lru_cache(maxsize=16)
def _low_pass(factor: int) -> NDArray[np.float64]:
    """The filter that `resample_poly` would design each time."""
    from scipy.signal import firwin

    return np.asarray(firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0)))
