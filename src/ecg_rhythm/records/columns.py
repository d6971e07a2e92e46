"""What a column of samples looks like: a counter, times, states of a device, or an ECG."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

BEGIN = 1000
"""Rows by which a column is judged as a counter or as times."""
COUNTED = 0.75
"""A column counts its rows if this share of its steps is the same; the other steps begin the count again, or skip."""
MOMENT = 1e9
"""From here on, whole numbers that rise steadily are moments since 1970 rather than rows."""
ALIKE = 0.02
"""Steps of a counter that a file stores as voltages differ by at most this share."""
FEW_VALUES = 3
"""A signal with at most this many different values is a digital input or a state, not an ECG."""
STILL = 0.01
"""A signal that changes in less than this share of its steps is one of states, such as a heart rate once a second."""
LEAST, APART = (-(2.0**15), -(2.0**31)), 2.0
"""What devices write for no sample, and how far below all others it is, in ranges of these."""
STRETCHES, STRETCH = 8, 2500
"""How many stretches of a signal are looked at, and how many samples each has."""
ASSUMED_FS = 250.0
"""Sampling rate in Hz by which a signal of unknown rate is judged."""
LIKELY = 4.0
"""A signal with at least this `likeness` may be an ECG."""
BASELINE, QRS, SPIKE = 0.1, 0.02, 97
"""Seconds over which a baseline is averaged, and a signal smoothed; percentile of the spikes that are left."""


def without_sentinels(samples: NDArray[Any]) -> tuple[NDArray[Any], list[str]]:
    """Samples with NaN where they are the least number of 16 or 32 bits, far below all others, and a remark on it."""
    for least in LEAST:
        gone = samples == least
        if not gone.any() or gone.all():
            continue
        rest = samples[~gone]
        rest = rest[np.isfinite(rest)]
        if len(rest) and float(rest.min()) - least > APART * (float(rest.max()) - float(rest.min())):
            remark = f"{gone.sum()} samples of {least:.0f} taken as gaps"
            return np.where(gone, np.nan, samples.astype(np.float64)), [remark]
    return samples, []


def rises(column: NDArray[np.float64]) -> bool:
    """Whether a column never falls, as times do and an ECG does not; a column of few values may be either."""
    steps = np.diff(column[np.isfinite(column)])
    return len(steps) >= 10 and bool((steps >= 0).all() and (steps > 0).mean() > 0.1)


def counts(column: NDArray[np.float64]) -> bool:
    """Whether a column counts its rows by one whole number, perhaps again and again."""
    if len(column) < 2 or not np.isfinite(column).all() or (column != np.rint(column)).any():
        return False
    steps = np.diff(column)
    usual = float(np.median(steps))
    return usual > 0 and bool((steps == usual).mean() >= COUNTED)


def counts_by_one(column: NDArray[np.float64]) -> bool:
    """Whether a column counts its rows one by one."""
    return counts(column) and float(np.median(np.diff(column))) == 1


def is_moment(column: NDArray[np.float64]) -> bool:
    """Whether numbers are so large that they are moments since 1970, such as in ms, rather than counts."""
    return float(np.median(column)) >= MOMENT


def looked_at(read: Callable[[int, int], NDArray[np.generic]], samples: int) -> NDArray[np.float64]:
    """The samples by which a lead is judged: stretches from the whole of it, or all of it if it is short.

    Parameters
    ----------
    read : callable
        Given the first sample and the one after the last, these samples.
    samples : int
        How many there are.
    """
    if samples <= STRETCHES * STRETCH:
        return np.asarray(read(0, samples), dtype=np.float64)
    starts = np.linspace(0, samples - STRETCH, STRETCHES).astype(int).tolist()
    return np.concatenate([np.asarray(read(start, start + STRETCH), dtype=np.float64) for start in starts])


def why_no_ecg(column: NDArray[np.float64]) -> str | None:
    """What a column of samples is that cannot be an ECG; None if it may be one."""
    real = column[np.isfinite(column)]
    if not len(real):
        return "holds no numbers"
    changes = real[1:] != real[:-1]
    if not changes.any():
        return "holds one value throughout"
    if len(real) < BEGIN:
        return None
    if len(np.unique(real)) <= FEW_VALUES:
        return "holds a few values only"
    if changes.mean() < STILL:
        return "hardly ever changes"
    if rises(real) or _ramps(real):
        return "counts"
    return None


def _ramps(column: NDArray[np.float64]) -> bool:
    """Whether most steps are the same and upwards, but for rounding, as of a counter that begins again and again."""
    steps = np.diff(column)
    usual = float(np.median(steps))
    return usual > 0 and bool((abs(steps - usual) <= ALIKE * usual).mean() >= COUNTED)


def likeness(column: NDArray[np.float64], fs: float | None = None) -> float:
    """How much a signal looks like an ECG: the size of its spikes against its mean size, without baseline.

    QRS complexes are short and rare. Of 450 recordings of the 2017 challenge with a rhythm, 98 % have at least 4, half
    of them 6.5; Gaussian noise, respiration and accelerometers have about 3. A pulse wave (4.6) or an EMG (5.4) may
    pass for an ECG if its name does not tell.

    Parameters
    ----------
    column : ndarray of float64, shape (n,)
        In any unit.
    fs : float or None
        Sampling rate in Hz, if it is known.
    """
    from scipy.ndimage import uniform_filter1d  # slow to load

    fs = ASSUMED_FS if fs is None else fs
    real = column[np.isfinite(column)]
    if len(real) < 2 or why_no_ecg(column) is not None:
        return 0.0
    rest = real - uniform_filter1d(real, max(round(BASELINE * fs), 3), mode="nearest")
    sizes = abs(uniform_filter1d(rest, max(round(QRS * fs), 1), mode="nearest"))
    steps = abs(np.diff(real))
    spike = float(np.percentile(sizes, SPIKE))
    # What is no larger than the resolution is rounding.
    return spike / float(sizes.mean()) if spike > steps[steps > 0].min() else 0.0
