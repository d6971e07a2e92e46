"""Augmentations: changes to training recordings, and the table of them in the order in which they are applied.

Every augmentation is a pure function of a padded batch, of uniform random numbers and of a chance. The numbers are
drawn for each recording from a generator of its own, so what happens to it does not depend on the rest of the batch.
Adding an augmentation takes a function, a line in `AUGMENTATIONS` and a key of that name in `config.DataAugmentation`;
another package adds one with a function and an entry point (`plugins.AUGMENTATIONS`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from math import pi, sqrt
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ecg_rhythm import plugins
from ecg_rhythm.config import DataAugmentation
from ecg_rhythm.errors import BadInput
from ecg_rhythm.training.padded import Padded, between, deviation, is_changed, per_sample, sine

BURST_CHANCE = 0.02275
"""Chance that a standard normal variable exceeds 2: a burst is centred on one sample in 44."""
BURST_SAMPLES = 11
"""37 ms at 300 Hz; with the chance above, 22 % of the samples become 0."""
NOISE_SNR = 3.0
"""Signal power over noise power."""

GAINS = (0.7, 1.4)
MOST_NOISE, MOST_WANDER = 0.1, 2.0
"""In standard deviations of the signal."""
WANDER_HZ = (0.05, 0.5)
MOST_GAPS, GAP_SECONDS = 5, (1 / 30, 0.5)
STUCK_SHARE, RAIL = (0.02, 0.45), (2.0, 30.0)
"""Share of a recording that is stuck at one value; distance of an amplifier's limit, in standard deviations."""

MOST_HUM, HUM_HZ = 1.0, (50.0, 60.0)
"""Amplitude in standard deviations of the signal; the two mains frequencies in use."""
FLAT, STEEPEST = 0.25, 2.0
"""Share of empty signals that are flat; steepest slope of a noise's power spectrum, that of a random walk."""
SINE_HZ = (0.05, 60.0)


def flip(batch: Padded, u: Tensor, chance: float) -> Tensor:
    """Turn recordings upside down."""
    signals = batch.signals
    return signals * torch.where(u[:, :1] < chance, -1.0, 1.0).to(signals, non_blocking=True)


def scale(batch: Padded, u: Tensor, chance: float) -> Tensor:
    """Multiply recordings by a random gain."""
    signals = batch.signals
    return signals * torch.where(u[:, :1] < chance, between(*GAINS, u[:, 1:]), 1.0).to(signals, non_blocking=True)


def add_noise(batch: Padded, u: Tensor, chance: float) -> Tensor:
    """Add white noise, in proportion to each recording's standard deviation."""
    signals = batch.signals
    strengths = torch.where(is_changed(u, chance), MOST_NOISE * u[:, 1], 0.0).tolist()
    noise = [draw * strength for draw, strength in zip(per_sample(torch.randn, batch), strengths, strict=True)]
    padded = pad_sequence(noise, batch_first=True).to(signals, non_blocking=True)
    return signals[:, : padded.shape[1]] + padded * deviation(signals, batch.lengths)


def add_wander(batch: Padded, u: Tensor, chance: float) -> Tensor:
    """Add a slow sine, as breathing and moving electrodes do to the baseline."""
    signals = batch.signals
    amplitude = torch.where(u[:, :1] < chance, MOST_WANDER * u[:, 1:2], 0.0).to(signals, non_blocking=True)
    wave = sine(batch, between(*WANDER_HZ, u[:, 2:3]), u[:, 3:4])
    return (signals + amplitude * deviation(signals, batch.lengths) * wave) * batch.real


def add_hum(batch: Padded, u: Tensor, chance: float) -> Tensor:
    """Add mains hum."""
    signals = batch.signals
    amplitude = torch.where(u[:, :1] < chance, MOST_HUM * u[:, 1:2], 0.0).to(signals, non_blocking=True)
    wave = sqrt(2) * sine(batch, torch.where(u[:, 2:3] < 0.5, *HUM_HZ), u[:, 3:4])
    return signals + amplitude * deviation(signals, batch.lengths) * wave * batch.real


def remove_heart(batch: Padded, u: Tensor, chance: float) -> Tensor:
    """Replace recordings by what electrodes record without a heart: nothing, or noise of any spectrum and a sine.

    The label of such a recording becomes noise; `is_changed` says which these are.
    """
    signals, replaced = batch.signals, is_changed(u, chance)
    if replaced.any():
        signals = signals.clone()
    for i in replaced.nonzero().flatten().tolist():
        n, generator = int(batch.lengths[i]), batch.generators[i]
        flat, slope, share, tone = u[i, 1:].tolist()
        spectrum = torch.fft.rfft(torch.randn(n, generator=generator, device=generator.device))
        falling = torch.arange(1, len(spectrum) + 1, device=generator.device) ** (-STEEPEST * slope / 2)
        noise = torch.fft.irfft(spectrum * falling, n)
        steps = torch.arange(n, device=generator.device)
        wave = torch.sin(2 * pi * steps * (SINE_HZ[0] * (SINE_HZ[1] / SINE_HZ[0]) ** tone) / batch.fs)
        signal = (1 - share) * noise / noise.std().clamp_min(1e-9) + share * wave
        signals[i, :n] = (signal * (flat >= FLAT)).to(signals)
    return signals


def stick(batch: Padded, u: Tensor, chance: float) -> Tensor:
    """Hold a long part at its first value, as a loose electrode does, or drive it to the amplifier's limit."""
    signals, lengths, device = batch.signals, batch.lengths, batch.signals.device
    length = between(*STUCK_SHARE, u[:, 1]) * lengths * is_changed(u, chance)
    start = (u[:, 2] * (lengths - length)).long().clamp_max(lengths - 1)
    held = signals.gather(1, start.to(device, non_blocking=True)[:, None])
    # Below a quarter the lower limit, above three quarters the upper one.
    side = (u[:, 3] >= 0.75).long() - (u[:, 3] < 0.25).long()
    off = (side * RAIL[0] * (RAIL[1] / RAIL[0]) ** u[:, 4]).to(signals, non_blocking=True)[:, None]
    mean = signals.sum(dim=1, keepdim=True) / lengths.to(signals, non_blocking=True)[:, None]
    value = torch.where(off == 0, held, mean + off * deviation(signals, lengths))
    steps = torch.arange(signals.shape[1], device=device)
    first, after = (edge.to(device, non_blocking=True)[:, None] for edge in (start, start + length.long()))
    return torch.where((steps >= first) & (steps < after), value, signals)


def cut_gaps(batch: Padded, u: Tensor, chance: float) -> Tensor:
    """Set a few short parts to 0."""
    signals, lengths = batch.signals, batch.lengths
    count = torch.where(u[:, :1] < chance, 1 + (MOST_GAPS * u[:, 1:2]).long(), 0)
    used = torch.arange(MOST_GAPS) < count
    starts = u[:, 2 : 2 + MOST_GAPS] * lengths[:, None]
    ends = starts + used * batch.fs * between(*GAP_SECONDS, u[:, 2 + MOST_GAPS :])
    steps = torch.arange(signals.shape[1], device=signals.device)
    starts, ends = starts.to(signals, non_blocking=True)[:, :, None], ends.to(signals, non_blocking=True)[:, :, None]
    return signals * ~((steps >= starts) & (steps < ends)).any(dim=1)


def drop_bursts(batch: Padded, u: Tensor, chance: float) -> Tensor:
    """Set the samples around random instants to 0, about 22 % of every recording."""
    draws = pad_sequence(per_sample(torch.rand, batch), batch_first=True, padding_value=1.0)
    centres = draws.to(batch.signals.device) < BURST_CHANCE
    burst = F.max_pool1d(centres.float(), BURST_SAMPLES, stride=1, padding=BURST_SAMPLES // 2)
    return F.pad(batch.signals, (0, burst.shape[1] - batch.signals.shape[1])) * (1 - burst)


def add_white_noise(batch: Padded, u: Tensor, chance: float) -> Tensor:
    """Add Gaussian noise with a third of the power of every recording."""
    signals = batch.signals
    noise = pad_sequence(per_sample(torch.randn, batch), batch_first=True).to(signals, non_blocking=True)
    power = signals.square().sum(dim=1) / batch.lengths.to(signals, non_blocking=True)
    return signals[:, : noise.shape[1]] + noise * power.sqrt()[:, None] / sqrt(NOISE_SNR)


Change = Callable[[Padded, Tensor, float], Tensor]
"""What an augmentation does: padded batch, its numbers of shape (batch, k) on the CPU, and the chance -> signals."""


class Augmentation(NamedTuple):
    """A line of the table.

    Attributes
    ----------
    name : str
        Key in `data_augmentation` of the model file that gives the chance, or switches it on.
    numbers : slice
        Which of a recording's random numbers it uses.
    change : Change
        The function.
    """

    name: str
    numbers: slice
    change: Change


AUGMENTATIONS = (
    Augmentation("polarity", slice(6, 7), flip),
    Augmentation("gain", slice(7, 9), scale),
    Augmentation("noise", slice(9, 11), add_noise),
    Augmentation("wander", slice(11, 15), add_wander),
    Augmentation("hum", slice(27, 31), add_hum),
    Augmentation("empty", slice(31, 36), remove_heart),
    Augmentation("stuck", slice(36, 41), stick),
    Augmentation("gaps", slice(15, 27), cut_gaps),
    Augmentation("zero_filter", slice(0), drop_bursts),
    Augmentation("awgn", slice(0), add_white_noise),
)
"""In the order in which they are applied.

A new line takes the numbers after the highest in use: those in use are part of published results.
"""

N_NUMBERS = max(augmentation.numbers.stop for augmentation in AUGMENTATIONS)
N_OF_PACKAGE = 16
"""Random numbers of each augmentation of another package."""


def table(options: DataAugmentation, source: str = "model") -> tuple[Augmentation, ...]:
    """The augmentations that a model file may switch on, in order: ours, then by name those of packages that it names.

    Parameters
    ----------
    options : DataAugmentation
        Section of the model file.
    source : str
        What to call the model file in messages.

    Raises
    ------
    BadInput
        If a name is neither ours nor an installed package's, two packages have it, or its package cannot be imported.
    """
    ours, others = options.__class__.model_fields, plugins.found(plugins.AUGMENTATIONS)
    for name in others:
        if name in ours and getattr(options, name):
            raise plugins.clash(plugins.AUGMENTATIONS, name, "ecg-rhythm")
    lines = list(AUGMENTATIONS)
    for position, name in enumerate(options.of_packages):
        if name not in others:
            raise BadInput(
                f"{source}: unknown key data_augmentation.{name}; allowed here: {', '.join({**ours, **others})}; if it "
                "is an augmentation of another package, install that"
            )
        first = N_NUMBERS + position * N_OF_PACKAGE
        lines.append(Augmentation(name, slice(first, first + N_OF_PACKAGE), _of_package(name)))
    return tuple(lines)


def _of_package(name: str) -> Change:
    """What another package adds, with the padding set back to 0."""
    change: Change = plugins.load(plugins.AUGMENTATIONS, name)

    def checked(batch: Padded, u: Tensor, chance: float) -> Tensor:
        changed = change(batch, u, chance)
        if changed.shape != batch.signals.shape:
            what = f"gives signals of shape {tuple(changed.shape)} for those of {tuple(batch.signals.shape)}"
            raise plugins.wrong(plugins.AUGMENTATIONS, name, what)
        return changed * batch.real

    return checked


def draw(seeds: Sequence[int], names: Iterable[str] = ()) -> Tensor:
    """Draw the uniform numbers in [0, 1) of all changes from a seed per recording: float64, (recordings, numbers).

    Behind our own are those of each augmentation of another package, by name. They depend on the seed and the name
    alone: neither on what else a model file has, nor on how many numbers our own come to need.
    """
    generator = Generator()
    drawn = [(0, N_NUMBERS), *((zlib.crc32(name.encode()), N_OF_PACKAGE) for name in names)]
    return torch.stack(
        [
            torch.cat(
                [
                    torch.rand(count, generator=generator.manual_seed(seed ^ own), dtype=torch.float64)
                    for own, count in drawn
                ]
            )
            for seed in seeds
        ]
    )
