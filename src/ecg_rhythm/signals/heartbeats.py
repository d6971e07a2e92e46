"""Heartbeats of an ECG, and the heart rate.

Libraries do this as well or better, but those that were tried need one or two seconds to load, longer than a
classification may take.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BAND_HZ = (8.0, 20.0)
"""Band with the energy of a QRS complex, and little of P and T waves or of muscles."""
ENOUGH_HZ = 250.0
"""Signals of twice this rate or more are averaged down to about this rate first."""
FILTER_SECONDS = 0.25
COMPLEX_SECONDS, BEAT_SECONDS, NARROWEST = 0.097, 0.611, 0.05
"""Duration of a QRS complex and of a beat in seconds; shortest complex that counts."""
OFFSET = 0.08
"""Share of the mean energy by which a complex must exceed its surroundings."""
USUAL, WEAKEST = 0.7, 0.2
"""Quantile of the peaks' energies that is taken as a usual beat's; smallest share of that energy that is a beat."""
REFRACTORY = 0.25
"""Shortest time between two beats, in seconds."""
SLOWEST, FASTEST, FEWEST = 20.0, 300.0, 3
"""Lowest and highest plausible rate in beats per minute; fewest beats that give a rate."""


def heartbeats(signal: NDArray[np.float32], fs: float) -> NDArray[np.int64]:
    """Positions of the QRS complexes, of either polarity, in samples.

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
    if (few := int(fs / ENOUGH_HZ)) > 1:  # the filter would become longer with the rate, too
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
    """Heart rate in beats per minute, from the median interval between beats; None if there are too few.

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
    """Coefficients of a windowed-sinc filter."""
    half = round(FILTER_SECONDS * fs / 2)
    t = np.arange(-half, half + 1) / fs
    low, high = (2 * f / fs * np.sinc(2 * f * t) for f in BAND_HZ)
    return np.asarray((high - low) * np.hamming(len(t)))


def _moving_mean(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    half = max(round(width) // 2, 1)
    total = np.concatenate([[0.0], np.cumsum(np.pad(values, half, mode="edge"))])
    return np.asarray((total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1))
