"""Where the heart beats, and how fast.

Written out here although libraries do it as well or better: those that were tried need a second or two to load, which
is longer than a classification may take.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BAND_HZ = (8.0, 20.0)
"""Where the energy of a QRS complex is, little of waves and of muscles."""
ENOUGH_HZ = 250.0
"""Of twice the rate or more, means of several samples are looked at."""
FILTER_SECONDS = 0.25
COMPLEX_SECONDS, BEAT_SECONDS, NARROWEST = 0.097, 0.611, 0.05
"""How long a QRS complex lasts, how long a beat; what is shorter is none."""
OFFSET = 0.08
"""Part of the mean energy that a complex must exceed its surroundings by."""
USUAL, WEAKEST = 0.7, 0.2
"""What share of all peaks has less energy than the usual beat; what part of that energy a beat has at least."""
REFRACTORY = 0.25
"""Least seconds between two beats."""
SLOWEST, FASTEST, FEWEST = 20.0, 300.0, 3
"""Beats per minute between which a rate is believed, and how many beats it takes."""


def heartbeats(signal: NDArray[np.float32], fs: float) -> NDArray[np.int64]:
    """Return the samples at which QRS complexes are, of either polarity.

    Parameters
    ----------
    signal : ndarray of float32, shape (n,)
        In mV, finite.
    fs : float
        Sampling rate in Hz, at least 50.

    References
    ----------
    Elgendi, "Fast QRS detection with an optimized knowledge-based method", PLOS ONE 8, 2013.
    """
    if fs < 50 or len(signal) < fs:
        return np.zeros(0, dtype=np.int64)
    if (few := int(fs / ENOUGH_HZ)) > 1:  # as the filter is the longer, too, the higher the rate
        means = signal[: len(signal) // few * few].reshape(-1, few).mean(axis=1)
        return heartbeats(means, fs / few) * few + few // 2
    energy = np.convolve(signal - signal.mean(), _band_pass(fs), mode="same") ** 2
    near, around = _moving_mean(energy, COMPLEX_SECONDS * fs), _moving_mean(energy, BEAT_SECONDS * fs)
    edges = np.diff((near > around + OFFSET * energy.mean()).astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    blocks = [(start, end) for start, end in zip(starts, ends, strict=True) if end - start >= NARROWEST * fs]
    peaks = np.array([start + energy[start:end].argmax() for start, end in blocks], dtype=np.int64)
    if not len(peaks):
        return peaks
    strong = peaks[energy[peaks] >= WEAKEST * np.quantile(energy[peaks], USUAL)]
    beats: list[int] = []
    for peak in strong.tolist():
        if not beats or peak - beats[-1] >= REFRACTORY * fs:
            beats.append(peak)
        elif energy[peak] > energy[beats[-1]]:
            beats[-1] = peak
    return np.array(beats, dtype=np.int64)


def heart_rate(signal: NDArray[np.float32], fs: float) -> float | None:
    """Return the heart rate in beats per minute, from the median interval between beats; None if there are too few.

    Parameters
    ----------
    signal : ndarray of float32, shape (n,)
        In mV, finite.
    fs : float
        Sampling rate in Hz.
    """
    beats = heartbeats(signal, fs)
    if len(beats) < FEWEST:
        return None
    rate = 60 * fs / float(np.median(np.diff(beats)))
    return rate if SLOWEST <= rate <= FASTEST else None


def _band_pass(fs: float) -> NDArray[np.float64]:
    """Return a windowed-sinc filter."""
    half = round(FILTER_SECONDS * fs / 2)
    t = np.arange(-half, half + 1) / fs
    low, high = (2 * f / fs * np.sinc(2 * f * t) for f in BAND_HZ)
    return np.asarray((high - low) * np.hamming(len(t)))


def _moving_mean(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    half = max(round(width) // 2, 1)
    total = np.concatenate([[0.0], np.cumsum(np.pad(values, half, mode="edge"))])
    return np.asarray((total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1))
