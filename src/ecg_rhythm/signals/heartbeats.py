"""Heartbeats of an ECG, and the heart rate.

Libraries were tried: on most kinds of signals of `studies/heart_rate.py` they err as often or more, and they take two
to forty times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

QRS_HZ, SHARP_HZ = (6.0, 20.0), (12.0, 26.0)
"""Band of QRS complexes, also of broad ones; band that has much of a QRS complex and little of any T wave."""
ENOUGH_HZ = 125.0
"""Signals of twice this rate or more are averaged down to about this rate first."""
LEAST_HZ = 50.0
"""In signals of a lower rate, beats cannot be distinguished from T waves."""
FILTER_SECONDS, COMPLEX_SECONDS = 0.25, 0.09
"""Length of the filters, and about that of a QRS complex."""
PART_SECONDS, FEWEST_PARTS = 2.0, 3
"""Duration of the parts whose strongest moments say what a beat's strength is, and the smallest number of them."""
OF_BEAT, OF_REST, CEILING = 0.33, 0.8, 0.75
"""A beat is stronger than this share of a usual beat plus this share of what lies between, or than the ceiling."""
POP = 4.0
"""A spike this many times as strong as a usual beat is no beat, nor is what the filter spreads around it."""
STRAIGHT_SECONDS = 0.25
"""A straight line of this length or more is a filled gap or a loose electrode, or nothing happens in it."""
GAP_SECONDS = 0.04
"""A gap of this length or more can hide a QRS complex."""
NOISE_SECONDS, AT_REST, NOISY, HEARD = 1.0, 0.3, 2.0, 0.15
"""Duration of the parts whose quantile of the power is their noise; a part is noisy if its noise
is this many times the usual one, and more than this share of a usual beat."""
REFRACTORY = 0.22
"""Shortest time between two beats in s."""
T_SECONDS, T_OF_INTERVAL, T_SHARPNESS = 0.37, 0.39, 0.5
"""Latest peak of a T wave in s, and as a share of the root of the interval; sharpness as a share of that of a QRS."""
LONG = 1.5
"""An interval of this many mean intervals can hide a beat where samples are lost."""
PAUSE_SECONDS, LONGEST_PAUSE = 2.5, 10.0
"""An interval that is longer is a pause; one longer than the second, in s, may as well be a loose electrode."""
T_WAVE, P_WAVE, QUIET = 0.5, 0.3, 0.2
"""Seconds after a beat and before the next that their waves may last; nothing between that is stronger than this share
of a usual beat is a P wave or noise."""
SLOWEST, FASTEST, FEWEST, COVERED = 20.0, 300.0, 3, 0.5
"""Lowest and highest plausible rate in beats/min; fewest beats, and smallest share of the signal in their intervals."""


class Intervals(NamedTuple):
    """Intervals between heartbeats that count: those without gaps, pops, noise, and beats that were not recognised.

    Attributes
    ----------
    ends : ndarray of float64, shape (n,)
        When each ends, in s from the beginning of the signal, ascending.
    seconds : ndarray of float64, shape (n,)
        How long each is.
    """

    ends: NDArray[np.float64]
    seconds: NDArray[np.float64]

    def between(self, start: float, end: float) -> Intervals:
        """Those that end from one time on and before another, in s."""
        part = slice(*np.searchsorted(self.ends, [start, end]).tolist())
        return Intervals(self.ends[part], self.seconds[part])

    @property
    def rate(self) -> float | None:
        """Mean rate in beats/min; None without intervals."""
        return 60 / float(self.seconds.mean()) if len(self.seconds) else None


@dataclass(frozen=True)
class _Found:
    """Beats of a signal averaged down to `fs`, which samples are lost to gaps and pops, or noisy, and their strength.

    The strength is the power in the band of QRS complexes as a share of that of a usual beat.
    """

    fs: float
    beats: NDArray[np.int64]
    lost: NDArray[np.bool_]
    noisy: NDArray[np.bool_]
    strength: NDArray[np.float64]

    def intervals_with(self, samples: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Intervals between beats that contain any of some samples."""
        return np.asarray(np.logical_or.reduceat(samples, self.beats)[:-1])

    def is_pause(self, interval: int) -> bool:
        """Whether a long interval is a pause: not too long, and without anything that may be a beat."""
        start, end = self.beats[interval : interval + 2].tolist()
        between = self.strength[start + round(T_WAVE * self.fs) : end - round(P_WAVE * self.fs)]
        return (end - start) / self.fs <= LONGEST_PAUSE and float(between.max()) <= QUIET


def heartbeats(signal: NDArray[np.float32], fs: float) -> NDArray[np.int64]:
    """Positions of the QRS complexes, of any shape and polarity, in samples.

    Parameters
    ----------
    signal : ndarray of float32, shape (n,)
        In mV, finite.
    fs : float
        Sampling rate in Hz, at least 50.

    Notes
    -----
    A beat is a peak of the moving power in the band of QRS complexes. What is usual is the median of the strongest
    moments of parts of 2 s, so single pops do not change it. That a wave soon after a sharper one is its T wave
    follows Pan and Tompkins, "A real-time QRS detection algorithm", IEEE Transactions on Biomedical Engineering 32,
    1985.
    """
    found = _find(signal, fs)
    few = _few(fs)
    return found.beats * few + few // 2


def intervals(signal: NDArray[np.float32], fs: float, filled: NDArray[np.bool_] | None = None) -> Intervals:
    """Intervals between the heartbeats of a signal that count.

    Parameters
    ----------
    signal : ndarray of float32, shape (n,)
        In mV, finite; straight lines replace gaps.
    fs : float
        Sampling rate in Hz, at least 50.
    filled : ndarray of bool, shape (n,), optional
        Which samples were missing.
    """
    found = _find(signal, fs, filled)
    if len(found.beats) < FEWEST:
        return Intervals(np.zeros(0), np.zeros(0))
    good = ~found.intervals_with(found.lost | found.noisy)
    for long in np.flatnonzero(np.diff(found.beats) > PAUSE_SECONDS * found.fs).tolist():
        good[long] &= found.is_pause(long)
    ends = (found.beats[1:][good].astype(np.float64) + 0.5) / found.fs
    return Intervals(ends, np.diff(found.beats)[good].astype(np.float64) / found.fs)


def heart_rate(signal: NDArray[np.float32], fs: float, filled: NDArray[np.bool_] | None = None) -> float | None:
    """Mean heart rate in beats per minute; None if there are too few beats for the duration.

    The mean interval gives the rate, as in counting. Intervals that can hide a beat in a gap or pop do not count,
    nor do those with noise if the others cover half of the signal.

    Parameters
    ----------
    signal : ndarray of float32, shape (n,)
        In mV, finite; straight lines replace gaps.
    fs : float
        Sampling rate in Hz, at least 50.
    filled : ndarray of bool, shape (n,), optional
        Which samples were missing.
    """
    found = _find(signal, fs, filled)
    if len(found.beats) < FEWEST:
        return None
    intervals = np.diff(found.beats)
    whole = ~found.intervals_with(found.lost) | (intervals < LONG * intervals.mean())
    for counted in (intervals[whole & ~found.intervals_with(found.noisy)], intervals[whole]):
        if len(counted) >= FEWEST - 1 and counted.sum() >= COVERED * np.count_nonzero(~found.lost):
            rate = 60 * found.fs / float(counted.mean())
            return rate if SLOWEST <= rate <= FASTEST else None
    return None


def _few(fs: float) -> int:
    """Number of samples that are averaged."""
    return max(int(fs / ENOUGH_HZ), 1)


def _find(signal: NDArray[np.float32], fs: float, filled: NDArray[np.bool_] | None = None) -> _Found:
    few = _few(fs)
    gaps = None if filled is None else _long(filled, GAP_SECONDS * fs)[: len(signal) // few * few].reshape(-1, few)
    means = signal[: len(signal) // few * few].astype(np.float64).reshape(-1, few) @ np.full(few, 1 / few)
    fs /= few
    everywhere = np.ones(len(means), dtype=bool)
    nothing = _Found(fs, np.zeros(0, dtype=np.int64), everywhere, everywhere, np.zeros(len(means)))
    if fs < LEAST_HZ or len(means) < fs:
        return nothing
    lost = _straight(means, fs)
    if gaps is not None:
        lost |= gaps.any(axis=1)
    means -= means.mean()
    power = _power(means, fs, QRS_HZ)
    usual = _usual(power, lost, fs)
    if lost.all() or usual <= np.finfo(np.float32).eps * np.abs(means).max():
        return nothing
    rest = float(np.median(power[~lost]))
    if (pops := power > POP * usual).any():
        reach = round((FILTER_SECONDS + COMPLEX_SECONDS) / 2 * fs)
        lost |= np.convolve(pops, np.ones(2 * reach + 1))[reach:-reach] > 0.5
    threshold = min(OF_BEAT * usual + OF_REST * rest, CEILING * usual)
    peaks = np.flatnonzero((power[1:-1] > power[:-2]) & (power[1:-1] >= power[2:])) + 1
    beats: list[int] = []
    for peak in peaks[(power[peaks] >= threshold) & ~lost[peaks]].tolist():
        if not beats or peak - beats[-1] >= REFRACTORY * fs:
            beats.append(peak)
        elif power[peak] > power[beats[-1]]:
            beats[-1] = peak
    qrs = _without_t_waves(np.array(beats, dtype=np.int64), means, fs)
    return _Found(fs, qrs, lost, _noisy(power, usual, fs), power / usual)


def _straight(signal: NDArray[np.float64], fs: float) -> NDArray[np.bool_]:
    """Samples of long straight lines."""
    rounding = 4 * np.finfo(np.float32).eps * np.abs(signal).max()
    edges = np.flatnonzero(np.diff(np.abs(np.diff(signal, 2)) <= rounding, prepend=False, append=False))
    runs = edges.reshape(-1, 2)
    straight = np.zeros(len(signal), dtype=bool)
    for start, end in runs[np.ptp(runs, axis=1) >= STRAIGHT_SECONDS * fs]:
        straight[start : end + 2] = True
    return straight


def _long(samples: NDArray[np.bool_], length: float) -> NDArray[np.bool_]:
    """Those samples that are in runs of a length or more."""
    runs = np.flatnonzero(np.diff(samples, prepend=False, append=False)).reshape(-1, 2)
    long = np.zeros(len(samples), dtype=bool)
    for start, end in runs[np.ptp(runs, axis=1) >= length].tolist():
        long[start:end] = True
    return long


def _power(signal: NDArray[np.float64], fs: float, band: tuple[float, float]) -> NDArray[np.float64]:
    """Root of the moving mean square of the signal in a band, over about a QRS complex."""
    half = round(FILTER_SECONDS * fs / 2)
    t, window = np.arange(-half, half + 1) / fs, np.hamming(2 * half + 1)
    low, high = (2 * f / fs * np.sinc(2 * f * t) * window for f in (band[0], min(band[1], 0.45 * fs)))
    taps = high - low
    taps -= window * (taps.sum() / window.sum())  # a constant gives zero
    squares = np.convolve(np.pad(signal, half, mode="edge"), taps, mode="valid") ** 2
    width = round(COMPLEX_SECONDS * fs) // 2
    total = np.concatenate([[0.0], np.cumsum(np.pad(squares, width))])
    means = (total[2 * width + 1 :] - total[: -2 * width - 1]) / (2 * width + 1)
    return np.asarray(np.sqrt(np.maximum(means, 0)))


def _noisy(power: NDArray[np.float64], usual: float, fs: float) -> NDArray[np.bool_]:
    """Samples of parts that have more noise than the signal usually has, and enough to be taken for beats."""
    length, rank = int(NOISE_SECONDS * fs), int(NOISE_SECONDS * fs * AT_REST)
    noise = np.partition(power[: len(power) // length * length].reshape(-1, length), rank, axis=1)[:, rank]
    noisy = noise > np.maximum(NOISY * np.median(noise), HEARD * usual)
    return np.pad(np.repeat(noisy, length), (0, len(power) % length), mode="edge")


def _usual(power: NDArray[np.float64], lost: NDArray[np.bool_], fs: float) -> float:
    """Median over parts of each part's strongest moment; of parts that are mostly there, if any are."""
    count = max(round(len(power) / fs / PART_SECONDS), FEWEST_PARTS)
    length = len(power) // count
    strongest = power[: count * length].reshape(count, length).max(axis=1)
    there = lost[: count * length].reshape(count, length).mean(axis=1) < 0.5
    return float(np.median(strongest[there] if there.any() else strongest))


def _without_t_waves(beats: NDArray[np.int64], signal: NDArray[np.float64], fs: float) -> NDArray[np.int64]:
    """Leave out waves that follow a sharper one as a T wave follows its QRS complex."""
    if len(beats) < FEWEST or np.diff(beats).min() > T_SECONDS * fs:
        return beats
    sharpness = _power(signal, fs, SHARP_HZ)
    while len(beats) >= FEWEST:
        after, of_next = np.diff(beats) / fs, (beats[2:] - beats[:-2]) / fs
        of_next = np.append(of_next, 2 * np.median(after))
        soon = after <= np.minimum(T_SECONDS, T_OF_INTERVAL * np.sqrt(of_next))
        t_wave = soon & (sharpness[beats[1:]] < T_SHARPNESS * sharpness[beats[:-1]])
        t_wave[1:] &= ~t_wave[:-1]
        if not t_wave.any():
            break
        beats = np.delete(beats, np.flatnonzero(t_wave) + 1)
    begins_with_t_wave = len(beats) >= FEWEST and sharpness[beats[0]] < T_SHARPNESS * sharpness[beats[1]]
    return beats[1:] if begins_with_t_wave else beats
