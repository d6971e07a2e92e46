"""A packed data set and a list of recordings -> padded batches of similar length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ecg_rhythm import augment
from ecg_rhythm.config import DataAugmentation
from ecg_rhythm.store import Store

WINDOW = 16
"""Recordings are sorted by length within windows of this many batches: similar length, random company."""


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
    """

    signals: Tensor
    lengths: Tensor
    indices: NDArray[np.int64]


def seed_of(*parts: int) -> int:
    """Return a seed that follows from all parts."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


def collate(signals: Sequence[NDArray[np.float32]], indices: NDArray[np.int64]) -> Batch:
    """Pad signals to the longest."""
    tensors = [torch.from_numpy(signal) for signal in signals]
    lengths = torch.tensor([len(signal) for signal in signals])
    return Batch(pad_sequence(tensors, batch_first=True), lengths, indices)


def balanced(
    indices: NDArray[np.int64], targets: NDArray[np.int64], compensation: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw one epoch in which rare classes come more often.

    Every class is repeated int(100 x compensation / its share in percent) + 1 times, all is shuffled
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
        What shuffles.
    """
    labels = targets[indices]
    shares = np.bincount(labels) / len(labels)
    repeats = np.array([int(compensation / share) + 1 if share else 0 for share in shares])
    return rng.permutation(np.repeat(indices, repeats[labels]))[: len(indices)]


def similar_length(lengths: NDArray[np.int64], batch_size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Divide an epoch into batches of similar length, in random order.

    Each window of 16 batches, in the order given, is sorted by length and cut into batches.

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
    store: Store,
    targets: NDArray[np.int64],
    indices: NDArray[np.int64],
    *,
    batch_size: int,
    compensation: float,
    augmentation: DataAugmentation,
    seed: int,
    epoch: int,
) -> Iterator[Batch]:
    """Yield one epoch of balanced, augmented batches; a pure function of seed and epoch.

    Each recording's augmentation is drawn from a generator of its own and drawn anew every
    `reload_step` epochs; the copies a rare recording has in an epoch are augmented differently.
    """
    rng = np.random.default_rng(seed_of(seed, epoch))
    chosen = balanced(indices, targets, compensation, rng)
    generators = _generators(chosen, seed_of(seed, epoch // augmentation.reload_step))
    lengths = torch.from_numpy(store.lengths[chosen])
    speeds = augment.random_speeds(generators) if augmentation.resampling else torch.ones(len(chosen)).double()
    for positions in similar_length(augment.resampled_lengths(lengths, speeds).numpy(), batch_size, rng):
        members = chosen[positions]
        batch = collate([store.signal(i) for i in members], members)
        drawn = [generators[i] for i in positions]
        signals, real = batch.signals, batch.lengths
        if augmentation.resampling:
            signals, real = augment.resample(signals, real, speeds[positions])
        if augmentation.zero_filter:
            signals = augment.dropout_bursts(signals, real, drawn)
        if augmentation.awgn:
            signals = augment.white_noise(signals, real, drawn)
        yield Batch(signals, real, members)


def _generators(chosen: NDArray[np.int64], seed: int) -> list[torch.Generator]:
    """Return a generator for each recording and each of its copies, whatever the order they come in."""
    copies: Counter[int] = Counter()
    generators = []
    for index in chosen.tolist():
        generators.append(torch.Generator().manual_seed(seed_of(seed, index, copies[index])))
        copies[index] += 1
    return generators


def sorted_batches(store: Store, indices: NDArray[np.int64], batch_size: int) -> Iterator[Batch]:
    """Yield all recordings as they are, longest first, so that a lack of memory shows at once."""
    ordered = indices[np.argsort(-store.lengths[indices], kind="stable")]
    for start in range(0, len(ordered), batch_size):
        members = ordered[start : start + batch_size]
        yield collate([store.signal(i) for i in members], members)
