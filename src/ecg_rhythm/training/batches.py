"""A packed data set and a list of recordings -> padded batches of similar length.

Signals are processed on the device that computes; what decides shapes stays on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional as F

from ecg_rhythm import warned
from ecg_rhythm.config import DataAugmentation
from ecg_rhythm.data.store import Store
from ecg_rhythm.signals import windows
from ecg_rhythm.training import augment, durations
from ecg_rhythm.training.epoch import Epoch, balanced, seed_of, similar_length
from ecg_rhythm.training.padded import Padded, is_changed

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


def _rounded(signals: Tensor) -> Tensor:
    return F.pad(signals, (0, -signals.shape[1] % WIDTH_STEP))


@dataclass(frozen=True)
class Recordings:
    """The signals of a data set, for the device that computes.

    On the CPU `samples` is the data set's file, memory-mapped, whose pages all processes share. On a GPU it
    is a copy, so that no step waits for a signal; a data set larger than a quarter of the free memory stays
    on the CPU. Offsets, gains and lengths are always on the CPU, and memory-mapped, too.
    """

    fs: float
    samples: Tensor
    offsets: NDArray[np.int64]
    gains: NDArray[np.float32]
    lengths: NDArray[np.int64]
    device: torch.device
    check: Callable[[ArrayLike], None]
    """Refuses recordings, by their positions, whose samples are damaged."""

    def batch(self, indices: NDArray[np.int64], starts: Tensor | None = None, lengths: Tensor | None = None) -> Batch:
        """Batch of recordings in mV, unchanged, or of the parts of them that begin at `starts`.

        Raises
        ------
        BadInput
            If a recording is damaged.
        """
        self.check(indices)
        there = self.samples.device
        lengths = torch.from_numpy(self.lengths[indices]) if lengths is None else lengths
        offsets = torch.from_numpy(self.offsets[indices])
        offsets = offsets if starts is None else offsets + starts
        width = int(lengths.max())
        steps = torch.arange(width + -width % WIDTH_STEP, device=there)
        positions = offsets.to(there, non_blocking=True)[:, None] + steps
        gains = torch.from_numpy(self.gains[indices]).to(there, non_blocking=True)
        signals = self.samples[positions.clamp_(max=len(self.samples) - 1)] / gains[:, None]
        signals = signals * (steps < lengths.to(there, non_blocking=True)[:, None])
        return Batch(signals.to(self.device, non_blocking=True), lengths, indices)


def on_device(store: Store, device: torch.device | str = "cpu") -> Recordings:
    """Prepare the signals of a data set for a device."""
    device = torch.device(device)
    with warned.heard():  # torch warns that nobody must write to what is mapped; nobody does
        samples = torch.from_numpy(store.samples)
    if device.type == "cuda" and 4 * samples.nbytes < torch.cuda.mem_get_info(device)[0]:
        samples = samples.to(device)
    return Recordings(
        fs=store.fs,
        samples=samples,
        offsets=store.offsets,
        gains=store.gains,
        lengths=store.lengths,
        device=device,
        check=store.check,
    )


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
    own_seed, options = seed_of(seed, epoch // augmentation.reload_step), augmentation
    drawn = Epoch(chosen, recordings.lengths, recordings.fs, own_seed, options)
    table, chances = augment.table(options), options.model_dump()
    # Changes of length come first, as lengths decide which recordings share a batch.
    for positions in similar_length(len(chosen), drawn.new_lengths, batch_size, rng):
        if len(positions) < processes:
            continue
        changes = drawn.changes(positions)
        new_lengths = changes.new_lengths
        if options.crop or options.window:
            new_lengths = _common(new_lengths)
        share = slice(process, None, processes)
        u, real, speeds = (part[share] for part in (changes.u, new_lengths, changes.speeds))
        generators = [torch.Generator(recordings.device).manual_seed(seed_of(own)) for own in changes.seeds[share]]
        batch = recordings.batch(chosen[positions[share]], changes.starts[share], changes.lengths[share])
        signals = batch.signals
        if (speeds != 1).any():
            signals = durations.resample(signals, batch.lengths, speeds, real)
        padded = Padded(signals, real, recordings.fs, generators)
        signals = signals * padded.real  # what was cropped away is no signal
        empty = None
        for name, numbers, change in table:
            if chance := float(chances[name]):
                signals = change(replace(padded, signals=signals), u[:, numbers], chance)
                if name == "empty":
                    empty = is_changed(u[:, numbers], chance)
        signals = signals[:, : int(real.max())]
        yield Batch(_rounded(signals), real, batch.indices, len(real) / len(positions), empty)


def _common(lengths: Tensor) -> Tensor:
    """Cut a batch to its shortest recording, and that to a multiple of `WIDTH_STEP`, so that it needs no padding."""
    shortest = int(lengths.min())
    return torch.full_like(lengths, max(shortest - shortest % WIDTH_STEP, min(shortest, WIDTH_STEP)))


def sorted_batches(
    recordings: Recordings, indices: NDArray[np.int64], batch_size: int, window: float | None = None
) -> Iterator[Batch]:
    """Yield all recordings unchanged, or windows of a given duration over each.

    The longest come first, so that a lack of memory shows at once.
    """
    distinct, which = np.unique(recordings.lengths[indices], return_inverse=True)
    cuts = [windows.windows(length, recordings.fs, window) for length in distinct.tolist()]
    counts = np.array([len(cut) for cut in cuts], dtype=np.int64)
    firsts, own = np.cumsum(counts) - counts, counts[which]  # the windows of each length, one length after the other
    owners = np.repeat(indices, own)
    cut = np.arange(len(owners)) - np.repeat(np.cumsum(own) - own - firsts[which], own)
    edges = np.array([(part.start, part.stop) for parts in cuts for part in parts], dtype=np.int64).reshape(-1, 2)
    starts, ends = torch.from_numpy(edges[cut]).T
    order = torch.argsort(starts - ends, stable=True)
    for begin in range(0, len(order), batch_size):
        chosen = order[begin : begin + batch_size]
        yield recordings.batch(owners[chosen.numpy()], starts[chosen], (ends - starts)[chosen])
