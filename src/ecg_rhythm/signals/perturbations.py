"""Disturbances that a model may meet outside its data set: other devices, loose electrodes, mains hum.

Every change takes a signal in mV, shape (n,), its sampling rate in Hz, a strength and a random generator, and gives a
signal and its rate. The unit `sd` is the standard deviation of the recording that is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ecg_rhythm.signals import resampling

Signal = NDArray[np.float32]
Change = Callable[[Signal, float, float, Generator], tuple[Signal, float]]


@dataclass(frozen=True)
class Perturbation:
    """One kind of change, and the strengths to try.

    Attributes
    ----------
    name, unit : str
        Name of the change, and unit of its strength.
    strengths : tuple of float
        From weak to strong.
    change : callable
        The change itself.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    change: Change

    def applied(self, signal: Signal, fs: float, strength: float, seed: int) -> tuple[Signal, float]:
        """Change a signal at `fs` Hz; the same seed gives the same signal and rate."""
        changed, new_fs = self.change(signal, fs, strength, np.random.default_rng(seed))
        return changed.astype(np.float32), new_fs


def _rate(signal: Signal, fs: float, strength: float, rng: Generator) -> tuple[Signal, float]:
    """Record at another rate."""
    return resampling.resample(signal, fs, strength), strength


def _gain(signal: Signal, fs: float, strength: float, rng: Generator) -> tuple[Signal, float]:
    """Multiply by a gain, as a wrong unit or another electrode does."""
    return signal * strength, fs


def _offset(signal: Signal, fs: float, strength: float, rng: Generator) -> tuple[Signal, float]:
    """Add a constant."""
    return signal + strength, fs


def _hum(frequency: float) -> Change:
    """Add mains hum."""

    def change(signal: Signal, fs: float, strength: float, rng: Generator) -> tuple[Signal, float]:
        return signal + strength * signal.std() * _sine(len(signal), fs, frequency, rng), fs

    return change


def _wander(signal: Signal, fs: float, strength: float, rng: Generator) -> tuple[Signal, float]:
    """Add a wandering baseline: three sines below 0.5 Hz."""
    waves = sum(_sine(len(signal), fs, rng.uniform(0.05, 0.5), rng) for _ in range(3))
    return signal + strength * signal.std() * waves / np.sqrt(1.5), fs


def _noise(signal: Signal, fs: float, strength: float, rng: Generator) -> tuple[Signal, float]:
    """Add white noise, with a signal-to-noise ratio in dB."""
    return signal + signal.std() * 10 ** (-strength / 20) * rng.standard_normal(len(signal)), fs


def _strip(signal: Signal, fs: float, strength: float, rng: Generator) -> tuple[Signal, float]:
    """Keep a strip of some seconds, from a random place."""
    samples = min(round(strength * fs), len(signal))
    start = rng.integers(len(signal) - samples + 1)
    return signal[start : start + samples], fs


def _flat(signal: Signal, fs: float, strength: float, rng: Generator) -> tuple[Signal, float]:
    """Hold the value of one instant for a share of the recording, as a loose electrode does."""
    start, stop = _part(len(signal), strength, rng)
    return _filled(signal, start, stop, float(signal[start])), fs


def _railed(signal: Signal, fs: float, strength: float, rng: Generator) -> tuple[Signal, float]:
    """Drive the amplifier to its limit, 5 mV, for a share of the recording."""
    return _filled(signal, *_part(len(signal), strength, rng), 5.0), fs


def _gap(signal: Signal, fs: float, strength: float, rng: Generator) -> tuple[Signal, float]:
    """Lose a share of the samples (NaN), one gap in each fifth of the recording."""
    fifths = [fifth.copy() for fifth in np.array_split(signal, 5)]
    for fifth in fifths:
        start, stop = _part(len(fifth), strength, rng)
        fifth[start:stop] = np.nan
    return np.concatenate(fifths), fs


def _clip(signal: Signal, fs: float, strength: float, rng: Generator) -> tuple[Signal, float]:
    """Clip at a number of standard deviations from the median."""
    middle, most = np.median(signal), strength * signal.std()
    return signal.clip(middle - most, middle + most), fs


def _part(samples: int, share: float, rng: Generator) -> tuple[int, int]:
    length = round(share * samples)
    start = int(rng.integers(samples - length + 1))
    return start, start + length


def _filled(signal: Signal, start: int, stop: int, value: float) -> Signal:
    changed = signal.copy()
    changed[start:stop] = value
    return changed


def _sine(samples: int, fs: float, frequency: float, rng: Generator) -> NDArray[np.float64]:
    """Draw a sine of standard deviation 1 and random phase."""
    turns = np.arange(samples) * frequency / fs + rng.random()
    wave: NDArray[np.float64] = np.sqrt(2) * np.sin(2 * np.pi * turns)
    return wave


PERTURBATIONS = (
    Perturbation("sampling rate", "Hz", (128, 200, 250, 360, 500), _rate),
    Perturbation("gain", "times", (-1, 0.1, 10, 1000), _gain),
    Perturbation("offset", "mV", (5,), _offset),
    Perturbation("hum of 50 Hz", "sd", (0.3, 1, 3), _hum(50)),
    Perturbation("hum of 60 Hz", "sd", (0.3, 1, 3), _hum(60)),
    Perturbation("baseline wander", "sd", (1, 3, 10), _wander),
    Perturbation("white noise", "dB", (20, 10, 5), _noise),
    Perturbation("clipped at", "sd", (3, 2, 1), _clip),
    Perturbation("flat share", "of it", (0.1, 0.3, 0.5), _flat),
    Perturbation("share at the rail", "of it", (0.1, 0.3, 0.5), _railed),
    Perturbation("share missing", "of it", (0.02, 0.1, 0.3), _gap),
    Perturbation("strip of", "s", (20, 10, 5), _strip),
)


def empty_signals(samples: int, fs: float, seed: int) -> dict[str, Signal]:
    """Signals without an ECG, by name: zeros, hum, and noises of several spectra."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal(samples)
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    pink = np.fft.irfft(spectrum, samples)
    made = {
        "zeros": np.zeros(samples),
        "a constant": np.full(samples, 1.2),
        "faint noise (2 uV)": 0.002 * white,
        "white noise": 0.3 * white,
        "pink noise": 0.3 * pink / pink.std(),
        "a random walk": 0.02 * np.cumsum(white),
        "hum of 50 Hz": 0.3 * _sine(samples, fs, 50, rng),
        "a slow sine": 0.3 * _sine(samples, fs, 0.3, rng),
    }
    return {name: signal.astype(np.float32) for name, signal in made.items()}
