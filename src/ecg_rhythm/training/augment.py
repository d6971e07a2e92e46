"""Changes to training recordings: pure functions of a padded batch and of random numbers given to them.

The numbers are drawn for each recording from a generator of its own, so what happens to it does not
depend on the rest of the batch. Signals are in mV, shape (batch, samples), zero-padded at the end; lengths
in samples, shape (batch,), on the CPU, and so are the uniform numbers `u` in [0, 1), shape (batch, k).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ecg_rhythm.signals.windows import samples_of

ASSUMED_BPM, SLOWEST_BPM, FASTEST_BPM = 80.0, 60.0, 120.0
BURST_CHANCE = 0.02275
"""That a standard normal variable exceeds 2: a burst is centred on one sample in 44."""
BURST_SAMPLES = 11
"""37 ms at 300 Hz; with the chance above, 22 % of the samples become 0."""
NOISE_SNR = 3.0
"""Signal power over noise power."""

SHORTEST_CROP, CROPPED_FROM = 0.6, 10.0
"""Least part that a crop leaves; seconds below which nothing is cropped."""
SPEEDS = (0.88, 1.14)
"""A heart must not leave the rates its label allows: with 0.75 to 1.33 networks learn more slowly, and no better."""
GAINS = (0.7, 1.4)
MOST_NOISE, MOST_WANDER = 0.1, 2.0
"""In standard deviations of the signal."""
WANDER_HZ = (0.05, 0.5)
MOST_GAPS, GAP_SECONDS = 5, (1 / 30, 0.5)
STUCK_SHARE, RAIL = (0.02, 0.45), (2.0, 30.0)
"""Part of a recording that is stuck at one value; how far off an amplifier's limit is, in standard deviations."""

MOST_HUM, HUM_HZ = 1.0, (50.0, 60.0)
"""In standard deviations of the signal; the mains of this world."""
FLAT, STEEPEST = 0.25, 2.0
"""Share of empty signals that are flat; steepest fall of a noise's power spectrum, that of a random walk."""
SINE_HZ = (0.05, 60.0)

NUMBERS = {
    "heart_rate": 1, "crop": 3, "speed": 2, "polarity": 1, "gain": 2, "noise": 2, "wander": 4, "gaps": 12, "hum": 4,
    "empty": 5, "stuck": 5,
}  # fmt: skip
"""How many uniform numbers each change takes per recording."""


def draw(seeds: Sequence[int]) -> dict[str, Tensor]:
    """Draw the uniform numbers of every change, each of shape (recordings, k), from a seed per recording."""
    generator, count = Generator(), sum(NUMBERS.values())
    rows = [torch.rand(count, generator=generator.manual_seed(seed), dtype=torch.float64) for seed in seeds]
    return dict(zip(NUMBERS, torch.split(torch.stack(rows), list(NUMBERS.values()), dim=1), strict=True))


def heart_rate_speeds(u: Tensor) -> Tensor:
    """Return by how much to speed up each recording: a heart at 80 bpm then beats at 60 to 120 bpm."""
    return _between(SLOWEST_BPM, FASTEST_BPM, u[:, 0]) / ASSUMED_BPM


def random_speeds(u: Tensor, chance: float) -> Tensor:
    """Return by how much to speed up each recording."""
    return torch.where(u[:, 0] < chance, _between(*SPEEDS, u[:, 1]), 1.0)


def crops(lengths: Tensor, fs: float, u: Tensor, chance: float, longest: float | None = None) -> tuple[Tensor, Tensor]:
    """Return where in each recording to start, and how many samples to take: at most `longest` seconds."""
    chosen = (u[:, 0] < chance) & (lengths > CROPPED_FROM * fs)
    taken = torch.where(chosen, (lengths * _between(SHORTEST_CROP, 1.0, u[:, 1])).long(), lengths)
    if longest is not None:
        taken = taken.clamp_max(samples_of(longest, fs))
    return ((lengths - taken + 1) * u[:, 2]).long(), taken


def resample(signals: Tensor, lengths: Tensor, speeds: Tensor, new_lengths: Tensor) -> Tensor:
    """Play each recording at another speed, interpolating linearly.

    Parameters
    ----------
    speeds : Tensor of float64, shape (batch,)
        On the CPU; 1 leaves a recording as it is.
    new_lengths : Tensor of int64, shape (batch,)
        Samples to give, at most `lengths / speeds`.
    """
    device = signals.device
    steps = torch.arange(int(new_lengths.max()), device=device)
    last = (lengths - 1).to(device, non_blocking=True)[:, None]
    position = steps * speeds.to(device, non_blocking=True)[:, None]
    left = torch.minimum(position.long(), last)
    right = torch.minimum(left + 1, last)
    fraction = (position - left).clamp(max=1).to(signals, non_blocking=True)
    result = torch.lerp(signals.gather(1, left), signals.gather(1, right), fraction)
    return result * (steps < new_lengths.to(device, non_blocking=True)[:, None])


def flip(signals: Tensor, u: Tensor, chance: float) -> Tensor:
    """Turn recordings upside down."""
    return signals * torch.where(u[:, :1] < chance, -1.0, 1.0).to(signals, non_blocking=True)


def scale(signals: Tensor, u: Tensor, chance: float) -> Tensor:
    """Multiply recordings by a random gain."""
    return signals * torch.where(u[:, :1] < chance, _between(*GAINS, u[:, 1:]), 1.0).to(signals, non_blocking=True)


def add_noise(signals: Tensor, lengths: Tensor, generators: Sequence[Generator], u: Tensor, chance: float) -> Tensor:
    """Add white noise, its strength in proportion to the recording's own."""
    strength = torch.where(u[:, 0] < chance, MOST_NOISE * u[:, 1], 0.0)
    draws = [
        torch.randn(int(n), generator=g, device=g.device) * s
        for n, g, s in zip(lengths, generators, strength.tolist(), strict=True)
    ]
    noise = pad_sequence(draws, batch_first=True).to(signals, non_blocking=True)
    return signals[:, : noise.shape[1]] + noise * _deviation(signals, lengths)


def add_wander(signals: Tensor, lengths: Tensor, fs: float, u: Tensor, chance: float) -> Tensor:
    """Add a slow sine, as breathing and moving electrodes do to the baseline."""
    amplitude = torch.where(u[:, :1] < chance, MOST_WANDER * u[:, 1:2], 0.0).to(
        signals, non_blocking=True
    ) * _deviation(signals, lengths)
    turns = (_between(*WANDER_HZ, u[:, 2:3]) / fs).to(signals, non_blocking=True)
    steps = torch.arange(signals.shape[1], device=signals.device)
    wave = torch.sin(2 * pi * (steps * turns + u[:, 3:4].to(signals, non_blocking=True)))
    return (signals + amplitude * wave) * (steps < lengths.to(signals.device, non_blocking=True)[:, None])


def cut_gaps(signals: Tensor, lengths: Tensor, fs: float, u: Tensor, chance: float) -> Tensor:
    """Set a few stretches to 0."""
    count = torch.where(u[:, :1] < chance, 1 + (MOST_GAPS * u[:, 1:2]).long(), 0)
    used = torch.arange(MOST_GAPS) < count
    starts = u[:, 2 : 2 + MOST_GAPS] * lengths[:, None]
    ends = starts + used * fs * _between(*GAP_SECONDS, u[:, 2 + MOST_GAPS :])
    steps = torch.arange(signals.shape[1], device=signals.device)
    starts, ends = starts.to(signals, non_blocking=True)[:, :, None], ends.to(signals, non_blocking=True)[:, :, None]
    return signals * ~((steps >= starts) & (steps < ends)).any(dim=1)


def add_hum(signals: Tensor, lengths: Tensor, fs: float, u: Tensor, chance: float) -> Tensor:
    """Add the hum of the mains."""
    amplitude = torch.where(u[:, :1] < chance, MOST_HUM * u[:, 1:2], 0.0).to(signals, non_blocking=True)
    turns = (torch.where(u[:, 2:3] < 0.5, *HUM_HZ) / fs).to(signals, non_blocking=True)
    steps = torch.arange(signals.shape[1], device=signals.device)
    wave = sqrt(2) * torch.sin(2 * pi * (steps * turns + u[:, 3:4].to(signals, non_blocking=True)))
    real = steps < lengths.to(signals.device, non_blocking=True)[:, None]
    return signals + amplitude * _deviation(signals, lengths) * wave * real


def without_heart(
    signals: Tensor, lengths: Tensor, fs: float, generators: Sequence[Generator], u: Tensor, chance: float
) -> tuple[Tensor, Tensor]:
    """Replace recordings by what electrodes say without a heart: nothing, or noise of any spectrum and a sine.

    Returns
    -------
    Tensor of float32, shape (batch, samples)
        The signals.
    Tensor of bool, shape (batch,)
        Which of them were replaced; on the CPU.
    """
    replaced = u[:, 0] < chance
    if replaced.any():
        signals = signals.clone()
    for i in replaced.nonzero().flatten().tolist():
        n, generator = int(lengths[i]), generators[i]
        flat, slope, share, tone = u[i, 1:].tolist()
        spectrum = torch.fft.rfft(torch.randn(n, generator=generator, device=generator.device))
        falling = torch.arange(1, len(spectrum) + 1, device=generator.device) ** (-STEEPEST * slope / 2)
        noise = torch.fft.irfft(spectrum * falling, n)
        steps = torch.arange(n, device=generator.device)
        sine = torch.sin(2 * pi * steps * (SINE_HZ[0] * (SINE_HZ[1] / SINE_HZ[0]) ** tone) / fs)
        signal = (1 - share) * noise / noise.std().clamp_min(1e-9) + share * sine
        signals[i, :n] = (signal * (flat >= FLAT)).to(signals)
    return signals, replaced


def stick(signals: Tensor, lengths: Tensor, u: Tensor, chance: float) -> Tensor:
    """Hold a long stretch at its first value, as a loose electrode does, or drive it to the amplifier's limit."""
    device = signals.device
    length = _between(*STUCK_SHARE, u[:, 1]) * lengths * (u[:, 0] < chance)
    start = (u[:, 2] * (lengths - length)).long().clamp_max(lengths - 1)
    held = signals.gather(1, start.to(device, non_blocking=True)[:, None])
    # Below a quarter the lower limit, above three quarters the upper one.
    side = (u[:, 3] >= 0.75).long() - (u[:, 3] < 0.25).long()
    off = (side * RAIL[0] * (RAIL[1] / RAIL[0]) ** u[:, 4]).to(signals, non_blocking=True)[:, None]
    mean = signals.sum(dim=1, keepdim=True) / lengths.to(signals, non_blocking=True)[:, None]
    value = torch.where(off == 0, held, mean + off * _deviation(signals, lengths))
    steps = torch.arange(signals.shape[1], device=device)
    first, after = (edge.to(device, non_blocking=True)[:, None] for edge in (start, start + length.long()))
    return torch.where((steps >= first) & (steps < after), value, signals)


def dropout_bursts(signals: Tensor, lengths: Tensor, generators: Sequence[Generator]) -> Tensor:
    """Set short stretches around random instants to 0, about 22 % of each recording."""
    draws = [torch.rand(int(n), generator=g, device=g.device) for n, g in zip(lengths, generators, strict=True)]
    centres = pad_sequence(draws, batch_first=True, padding_value=1.0).to(signals.device) < BURST_CHANCE
    burst = F.max_pool1d(centres.float(), BURST_SAMPLES, stride=1, padding=BURST_SAMPLES // 2)
    return F.pad(signals, (0, burst.shape[1] - signals.shape[1])) * (1 - burst)


def white_noise(signals: Tensor, lengths: Tensor, generators: Sequence[Generator]) -> Tensor:
    """Add Gaussian noise with a third of each recording's power."""
    draws = [torch.randn(int(n), generator=g, device=g.device) for n, g in zip(lengths, generators, strict=True)]
    noise = pad_sequence(draws, batch_first=True).to(signals, non_blocking=True)
    power = signals.square().sum(dim=1) / lengths.to(signals, non_blocking=True)
    return signals[:, : noise.shape[1]] + noise * power.sqrt()[:, None] / sqrt(NOISE_SNR)


def _between(low: float, high: float, u: Tensor) -> Tensor:
    return low + (high - low) * u


def _deviation(signals: Tensor, lengths: Tensor) -> Tensor:
    """Return the standard deviation of each recording, shape (batch, 1)."""
    count = lengths.to(signals, non_blocking=True)[:, None]
    mean = signals.sum(dim=1, keepdim=True) / count
    return (signals.square().sum(dim=1, keepdim=True) / count - mean.square()).clamp_min(0).sqrt()
