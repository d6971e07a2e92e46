"""Synthetic ECGs whose beats are known: sums of Gaussian waves at given times, and what disturbs them.

They are simpler than real ones, but their rate is exact and every kind of difficulty can be made on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]
Wave = tuple[float, float, float]
"""Delay after the beat in s, height in mV, standard deviation in s."""
RATES_HZ = (125.0, 200.0, 250.0, 300.0, 360.0, 500.0)
SECONDS = 30.0
BROAD: tuple[Wave, ...] = ((0.0, 1.0, 0.033), (0.3, -0.35, 0.06))
"""A ventricular beat: its QRS complex and its T wave; delay and width of T waves grow with the root of the interval."""
NARROW: tuple[Wave, ...] = ((-0.026, -0.12, 0.009), (0.0, 1.0, 0.011), (0.028, -0.2, 0.01))


@dataclass(frozen=True)
class Strip:
    """A signal in mV at `fs` Hz, and the times of its beats in s."""

    signal: NDArray[np.float32]
    fs: float
    beats: Signal

    @property
    def rate(self) -> float:
        """Mean rate in beats/min."""
        return float(60 * (len(self.beats) - 1) / (self.beats[-1] - self.beats[0]))


@dataclass(frozen=True)
class Rhythm:
    """Times of beats in s, and which of them are ventricular."""

    beats: Signal
    broad: NDArray[np.bool_]

    def until(self, seconds: float) -> Rhythm:
        """The beats whose QRS complex is over by then."""
        kept = self.beats < seconds - 0.05
        return Rhythm(self.beats[kept], self.broad[kept])


@dataclass(frozen=True)
class Shape:
    """What a beat looks like."""

    qrs: tuple[Wave, ...] = NARROW
    p: float = 0.12
    t: Wave = (0.29, 0.25, 0.05)
    ventricular: float = 1.0
    """Factor of a ventricular beat; negative for the other polarity."""


def sinus(bpm: float, seconds: float, rng: np.random.Generator) -> Rhythm:
    """A regular rhythm that varies by some percent with breathing."""
    mean, count = 60 / bpm, int(seconds * bpm / 60 * 1.5) + 5
    breathing = rng.uniform(0.01, 0.05) * np.sin(2 * np.pi * rng.uniform(0.15, 0.35) * mean * np.arange(count))
    return _rhythm(mean * (1 + breathing + 0.01 * rng.standard_normal(count)), rng).until(seconds)


def fibrillation(bpm: float, seconds: float, rng: np.random.Generator) -> Rhythm:
    """An irregular rhythm."""
    count, spread = int(seconds * bpm / 60 * 1.5) + 20, rng.uniform(0.15, 0.28)
    return _rhythm(np.maximum(60 / bpm * (1 + spread * rng.standard_normal(count)), 0.28), rng).until(seconds)


def bigeminy(bpm: float, seconds: float, rng: np.random.Generator) -> Rhythm:
    """Every second beat is ventricular, 0.4 to 0.6 s after the one before, and a pause follows."""
    mean, count = 60 / bpm, int(seconds * bpm / 60 * 1.5) + 5
    early = rng.uniform(0.4, max(min(0.6, 0.85 * mean), 0.41))
    odd = np.arange(count) % 2 == 1
    return replace(_rhythm(np.where(odd, 2 * mean - early, early), rng), broad=odd).until(seconds)


def _rhythm(intervals: Signal, rng: np.random.Generator) -> Rhythm:
    beats = rng.uniform(0, intervals[0]) + np.concatenate([[0.0], np.cumsum(intervals[:-1])])
    return Rhythm(beats, np.zeros(len(beats), dtype=bool))


def ecg(rhythm: Rhythm, seconds: float, fs: float, shape: Shape | None = None) -> Signal:
    """The signal of a rhythm in mV, without noise."""
    shape = Shape() if shape is None else shape
    t = np.arange(int(seconds * fs)) / fs
    signal = np.zeros(len(t))
    slow = np.sqrt(np.clip(np.mean(np.diff(rhythm.beats)), 0.3, 1.2)) if len(rhythm.beats) > 1 else 1.0
    delay, height, width = shape.t
    normal = (*shape.qrs, (-0.16 * slow, shape.p, 0.025 * slow), (delay * slow, height, width * slow))
    ectopic = [(later * slow, shape.ventricular * high, wide) for later, high, wide in BROAD]
    for beat, broad in zip(rhythm.beats, rhythm.broad, strict=True):
        near = slice(max(int((beat - 0.5) * fs), 0), int((beat + 0.8) * fs))
        for later, high, wide in ectopic if broad else normal:
            signal[near] += high * np.exp(-0.5 * ((t[near] - beat - later) / wide) ** 2)
    return signal


def pops(signal: Signal, fs: float, rng: np.random.Generator) -> Signal:
    """One to five pulses of 4 to 100 ms and 1 to 100 mV."""
    signal = signal.copy()
    for _ in range(rng.integers(1, 6)):
        start, height = rng.integers(len(signal)), rng.choice([-1, 1]) * _log_uniform(1, 100, rng)
        signal[start : start + int(rng.uniform(0.004, 0.1) * fs) + 1] += height
    return signal


def dropouts(signal: Signal, fs: float, rng: np.random.Generator) -> Signal:
    """One to three stretches of 0.3 to 5 s at zero, at a rail, or filled with a straight line."""
    signal = signal.copy()
    for _ in range(rng.integers(1, 4)):
        start = rng.integers(len(signal))
        part = signal[start : start + int(rng.uniform(0.3, 5) * fs)]
        filled = np.linspace(part[0], part[-1], len(part))
        part[:] = [0.0, rng.choice([-50.0, -5.0, 5.0, 50.0]), filled][rng.integers(3)]
    return signal


def steps(signal: Signal, fs: float, rng: np.random.Generator) -> Signal:
    """One to five jumps of the baseline by 1 to 20 mV."""
    signal = signal.copy()
    for _ in range(rng.integers(1, 6)):
        signal[rng.integers(len(signal)) :] += rng.choice([-1, 1]) * _log_uniform(1, 20, rng)
    return signal


def bursts(signal: Signal, fs: float, rng: np.random.Generator) -> Signal:
    """One to three bursts of 0.5 to 4 s, of muscles or of movement."""
    signal = signal.copy()
    for _ in range(rng.integers(1, 4)):
        start, height = rng.integers(len(signal)), rng.uniform(0.3, 2)
        part = signal[start : start + int(rng.uniform(0.5, 4) * fs)]
        noise = rng.standard_normal(len(part))
        walk = np.cumsum(noise) - np.linspace(0, noise.sum(), len(part))
        muscle, movement = noise * np.hanning(len(part) + 2)[1:-1], 1.5 * walk / max(np.abs(walk).max(), 1e-9)
        part += height * (muscle if rng.random() < 0.5 else movement)
    return signal


def noise(level: float, samples: int, fs: float, rng: np.random.Generator) -> Signal:
    """White noise with this standard deviation in mV, and a drift that grows with it."""
    drift = np.cumsum(rng.standard_normal(samples)) / np.sqrt(fs)
    breathing = np.sin(2 * np.pi * (rng.uniform(0.1, 0.4) * np.arange(samples) / fs + rng.random()))
    white = level * rng.standard_normal(samples)
    return np.asarray(white + max(level, 0.025) * drift + 0.1 * breathing)


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


Disturb = Callable[[Signal, float, np.random.Generator], Signal]
Draw = Callable[[float, float, np.random.Generator], Rhythm]


@dataclass(frozen=True)
class Kind:
    """What is drawn: a rhythm at a rate in a range, of a shape, with noise and a disturbance."""

    bpm: tuple[float, float] = (45, 130)
    rhythm: Draw = sinus
    shape: str = ""
    noise: float = 0.02
    disturbed: Disturb | None = None
    seconds: tuple[float, float] = (SECONDS, SECONDS)


KINDS = {
    "sinus, 40 to 80": Kind((40, 80)),
    "sinus, 80 to 130": Kind((80, 130)),
    "sinus, 130 to 200": Kind((130, 200)),
    "atrial fibrillation, 60 to 150": Kind((60, 150), fibrillation, "no P"),
    "bigeminy, 50 to 95": Kind((50, 95), bigeminy),
    "broad complexes, 130 to 230": Kind((130, 230), shape="broad"),
    "inverted complexes": Kind(shape="inverted"),
    "biphasic complexes": Kind(shape="biphasic"),
    "T 0.8 to 2 times R": Kind(shape="tall T"),
    "strips of 3 to 8 s": Kind(seconds=(3, 8)),
    "pops": Kind(disturbed=pops),
    "dropouts": Kind(disturbed=dropouts),
    "steps": Kind(disturbed=steps),
    "bursts of noise": Kind(disturbed=bursts),
    "noise of 0.1 R": Kind(noise=0.1),
    "noise of 0.2 R": Kind(noise=0.2),
    "noise of 0.3 R": Kind(noise=0.3),
    "noise of 0.5 R": Kind(noise=0.5),
}


def drawn(kind: Kind, rng: np.random.Generator) -> Strip:
    """Draw a strip with at least three beats."""
    fs, bpm, seconds = float(rng.choice(RATES_HZ)), rng.uniform(*kind.bpm), rng.uniform(*kind.seconds)
    rhythm = kind.rhythm(bpm, seconds, rng)
    if len(rhythm.beats) < 3:
        return drawn(kind, rng)
    signal = ecg(rhythm, seconds, fs, _shape(kind.shape, rng))
    if kind.shape == "no P":
        phase = np.cumsum(rng.uniform(4, 8) + 0.5 * np.sin(2 * np.pi * 0.3 * np.arange(len(signal)) / fs)) / fs
        signal += rng.uniform(0.03, 0.1) * np.sin(2 * np.pi * phase)
    signal += noise(kind.noise, len(signal), fs, rng)
    if kind.disturbed is not None:
        signal = kind.disturbed(signal, fs, rng)
    return Strip((_log_uniform(0.2, 3, rng) * signal).astype(np.float32), fs, rhythm.beats)


def _shape(name: str, rng: np.random.Generator) -> Shape:
    width, delay = rng.uniform(0.008, 0.015), rng.uniform(0.26, 0.34)
    r = (0.0, 1.0, width)
    shape = Shape(
        qrs=(NARROW[0], r, NARROW[2]),
        p=0.0 if name == "no P" else rng.uniform(0.05, 0.2),
        t=(delay, rng.uniform(0.1, 0.35), rng.uniform(0.04, 0.06)),
        ventricular=float(rng.choice([-1, 1])) * rng.uniform(0.8, 1.6),
    )
    if name == "inverted":
        qrs = tuple((later, -high, wide) for later, high, wide in shape.qrs)
        return replace(shape, qrs=qrs, t=(delay, -shape.t[1], shape.t[2]))
    if name == "biphasic":
        return replace(shape, qrs=((-0.012, rng.uniform(0.5, 0.8), width), (0.018, -rng.uniform(0.5, 0.9), width)))
    if name == "tall T":
        return replace(shape, t=(delay, rng.uniform(0.8, 2.0), rng.uniform(0.03, 0.05)))
    if name == "broad":
        return replace(shape, qrs=((-0.02, 0.9, 0.03), (0.06, -0.5, 0.035)), p=0.0)
    return shape
