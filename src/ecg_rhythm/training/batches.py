"""A packed data set and a list of recordings -> padded batches of similar length.

Signals are processed on the device that computes; what decides shapes stays on the CPU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ecg_rhythm.config import DataAugmentation
from ecg_rhythm.data.store import SIGNALS, Store
from ecg_rhythm.signals import windows
from ecg_rhythm.training import augment, durations
from ecg_rhythm.training.padded import Padded, is_changed

WINDOW = 64
"""Recordings are sorted by length within windows of this many batches, so that those of a batch are alike in length.

The paper's batches then hold 3 % padding; with windows of 16 batches they held 6 %.
"""

WIDTH_STEP = 300
"""Batches are padded to multiples of this many samples, as libraries prepare and keep kernels for each width."""


@dataclass(frozen=True)
class Batch:
    """Recordings padded with zeros to one length.

    Attributes
    ----------
    signals : Tensor of float32, shape (batch, samples)
        In mV.
    lengths : Tensor of int64, shape (batch,)
        Real samples of each.
    indices : ndarray of int64, shape (batch,)
        Positions of the recordings in the data set.
    share : float
        Share of the whole batch that this is, where several processes divide it.
    empty : Tensor of bool, shape (batch,), or None
        True for recordings that augmentation has replaced by a signal without an ECG; on the CPU.
    """

    signals: Tensor
    lengths: Tensor
    indices: NDArray[np.int64]
    share: float = 1.0
    empty: Tensor | None = None


def seed_of(*parts: int) -> int:
    """Derive a seed from all parts."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


def _rounded(signals: Tensor) -> Tensor:
    return F.pad(signals, (0, -signals.shape[1] % WIDTH_STEP))


@dataclass(frozen=True)
class Recordings:
    """The signals of a data set, for the device that computes.

    On the CPU `samples` is the data set's file, memory-mapped, whose pages all processes share. On a GPU it
    is a copy, so that no step waits for a signal; a data set larger than a quarter of the free memory stays
    on the CPU. Offsets, gains and lengths are always on the CPU.
    """

    fs: float
    samples: Tensor
    offsets: Tensor
    gains: Tensor
    lengths: Tensor
    device: torch.device
    check: Callable[[Iterable[int]], None]
    """Refuses recordings, by their positions, whose samples are damaged."""

    def batch(self, indices: NDArray[np.int64], starts: Tensor | None = None, lengths: Tensor | None = None) -> Batch:
        """Batch of recordings in mV, unchanged, or of the parts of them that begin at `starts`.

        Raises
        ------
        BadInput
            If a recording is damaged.
        """
        self.check(indices.tolist())
        chosen, there = torch.from_numpy(indices), self.samples.device
        lengths = self.lengths[chosen] if lengths is None else lengths
        offsets = self.offsets[chosen] if starts is None else self.offsets[chosen] + starts
        width = int(lengths.max())
        steps = torch.arange(width + -width % WIDTH_STEP, device=there)
        positions = offsets.to(there, non_blocking=True)[:, None] + steps
        gains = self.gains[chosen].to(there, non_blocking=True)
        signals = self.samples[positions.clamp_(max=len(self.samples) - 1)] / gains[:, None]
        signals = signals * (steps < lengths.to(there, non_blocking=True)[:, None])
        return Batch(signals.to(self.device, non_blocking=True), lengths, indices)


def on_device(store: Store, device: torch.device | str = "cpu") -> Recordings:
    """Prepare the signals of a data set for a device."""
    device = torch.device(device)
    samples = torch.from_file(str(store.folder / SIGNALS), shared=False, size=len(store.samples), dtype=torch.int16)
    if device.type == "cuda" and 4 * samples.nbytes < torch.cuda.mem_get_info(device)[0]:
        samples = samples.to(device)
    return Recordings(
        fs=store.fs,
        samples=samples,
        offsets=torch.from_numpy(store.offsets),
        gains=torch.from_numpy(store.gains),
        lengths=torch.from_numpy(store.lengths),
        device=device,
        check=store.check,
    )


def balanced(
    indices: NDArray[np.int64], targets: NDArray[np.int64], compensation: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw one epoch in which rare classes are more frequent.

    Every class is repeated int(100 x compensation / its share in percent) + 1 times; the whole is shuffled
    and cut to the size of the training set.

    Parameters
    ----------
    indices : ndarray of int64, shape (n,)
        The training recordings.
    targets : ndarray of int64
        Class of every recording of the data set.
    compensation : float
        `dataset_compensation` of the model file; 0 repeats nothing.
    rng : numpy.random.Generator
        Generator that shuffles.
    """
    labels = targets[indices]
    shares = np.bincount(labels) / len(labels)
    repeats = np.array([int(compensation / share) + 1 if share else 0 for share in shares])
    return rng.permutation(np.repeat(indices, repeats[labels]))[: len(indices)]


def similar_length(lengths: NDArray[np.int64], batch_size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Divide an epoch into batches of similar length, in random order.

    Windows of 64 batches, in the given order, are each sorted by length and cut into batches.

    Returns
    -------
    list of ndarray of int64
        Positions in `lengths`.
    """
    batches = []
    for start in range(0, len(lengths), WINDOW * batch_size):
        order = start + np.argsort(lengths[start : start + WINDOW * batch_size], kind="stable")
        batches += [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def training_batches(
    recordings: Recordings,
    targets: NDArray[np.int64],
    indices: NDArray[np.int64],
    *,
    batch_size: int,
    compensation: float,
    augmentation: DataAugmentation,
    seed: int,
    epoch: int,
    process: int = 0,
    processes: int = 1,
) -> Iterator[Batch]:
    """Yield one epoch of balanced, augmented batches; a pure function of seed and epoch.

    The augmentation of each recording is drawn from a generator of its own, and again every
    `reload_step` epochs; copies of a recording in one epoch are augmented differently.
    Where several processes train together, each gets its share of every batch; a last batch
    too small to be shared is left out.
    """
    rng = np.random.default_rng(seed_of(seed, epoch))
    chosen = balanced(indices, targets, compensation, rng)
    seeds = _seeds(chosen, seed_of(seed, epoch // augmentation.reload_step))
    drawn, options, fs = augment.draw(seeds, augmentation.of_packages), augmentation, recordings.fs
    table, chances = augment.table(options), options.model_dump()
    # Changes of length come first, as lengths decide which recordings share a batch.
    whole = recordings.lengths[torch.from_numpy(chosen)]
    starts, lengths = durations.crop(whole, fs, drawn[:, durations.CROP], options.crop, options.window)
    speeds = durations.random_speeds(drawn[:, durations.SPEED], options.speed)
    if options.resampling:
        speeds = speeds * durations.heart_rate_speeds(drawn[:, durations.HEART_RATE])
    new_lengths = (lengths / speeds).long().clamp_min(1)
    if options.resampling:  # as in the original, where slowed recordings are cut to their length
        new_lengths = torch.minimum(new_lengths, lengths)
    for positions in similar_length(new_lengths.numpy(), batch_size, rng):
        if len(positions) < processes:
            continue
        if options.crop or options.window:
            new_lengths[positions] = _common(new_lengths[positions])
        share = positions[process::processes]
        generators = [torch.Generator(recordings.device).manual_seed(seed_of(seeds[i])) for i in share]
        batch = recordings.batch(chosen[share], starts[share], lengths[share])
        signals, real, u = batch.signals, new_lengths[share], drawn[share]
        if (speeds[share] != 1).any():
            signals = durations.resample(signals, batch.lengths, speeds[share], real)
        empty = None
        for name, numbers, change in table:
            if chance := float(chances[name]):
                signals = change(Padded(signals, real, fs, generators), u[:, numbers], chance)
                if name == "empty":
                    empty = is_changed(u[:, numbers], chance)
        signals = signals[:, : int(real.max())]
        yield Batch(_rounded(signals), real, batch.indices, len(share) / len(positions), empty)


def _common(lengths: Tensor) -> Tensor:
    """Cut a batch to its shortest recording, and that to a multiple of `WIDTH_STEP`, so that it needs no padding."""
    shortest = int(lengths.min())
    return torch.full_like(lengths, max(shortest - shortest % WIDTH_STEP, min(shortest, WIDTH_STEP)))


def _seeds(chosen: NDArray[np.int64], seed: int) -> list[int]:
    """Derive a seed for each recording and each of its copies; their order does not matter."""
    copies: Counter[int] = Counter()
    seeds = []
    for index in chosen.tolist():
        seeds.append(seed_of(seed, index, copies[index]))
        copies[index] += 1
    return seeds


def sorted_batches(
    recordings: Recordings, indices: NDArray[np.int64], batch_size: int, window: float | None = None
) -> Iterator[Batch]:
    """Yield all recordings unchanged, or windows of a given duration over each.

    The longest come first, so that a lack of memory shows at once.
    """
    lengths = recordings.lengths.numpy()
    cut = [(i, part) for i in indices for part in windows.windows(int(lengths[i]), recordings.fs, window)]
    owners = np.array([i for i, _ in cut], dtype=np.int64)
    starts, ends = torch.tensor([(part.start, part.stop) for _, part in cut], dtype=torch.int64).reshape(-1, 2).T
    order = torch.argsort(starts - ends, stable=True)
    for begin in range(0, len(order), batch_size):
        chosen = order[begin : begin + batch_size]
        yield recordings.batch(owners[chosen.numpy()], starts[chosen], (ends - starts)[chosen])
