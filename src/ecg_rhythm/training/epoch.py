"""The order of an epoch: which recordings it has, what is drawn for each, and which of them share a batch.

An epoch of millions of recordings begins at once: what is drawn for a recording is drawn when its batch, or one that is
sorted together with it, is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecg_rhythm.config import DataAugmentation
from ecg_rhythm.training import augment, durations

WINDOW = 64
"""Recordings are sorted by length within windows of this many batches, so that those of a batch are alike in length.

The paper's batches then hold 3 % padding; with windows of 16 batches they held 6 %.
"""


def seed_of(*parts: int) -> int:
    """Derive a seed from all parts."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


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


def similar_length(
    count: int,
    lengths_of: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    batch_size: int,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.int64]]:
    """Divide an epoch into batches of similar length, in random order.

    Windows of 64 batches, in the given order, are each sorted by length and cut into batches.

    Parameters
    ----------
    count : int
        Recordings of the epoch.
    lengths_of : callable
        Their lengths, by their positions; asked for a whole window, when its first batch is due.

    Yields
    ------
    ndarray of int64
        Positions in the epoch.
    """
    window, sorted_windows = WINDOW * batch_size, {}
    for number in rng.permutation(-(-count // batch_size)).tolist():
        first = number // WINDOW * window
        if first not in sorted_windows:
            positions = np.arange(first, min(first + window, count))
            sorted_windows[first] = positions[np.argsort(lengths_of(positions), kind="stable")]
        begin = number % WINDOW * batch_size
        yield sorted_windows[first][begin : begin + batch_size]


class Changes(NamedTuple):
    """What is drawn for some recordings, and the changes of length that follow.

    Attributes
    ----------
    seeds : list of int
        Of the generator of each recording's augmentation.
    u : Tensor of float64, shape (n, numbers)
        Uniform random numbers, see `augment.draw`.
    starts, lengths : Tensor of int64, shape (n,)
        The part of each recording that is taken, in samples.
    speeds : Tensor of float64, shape (n,)
        1 leaves a recording as it is.
    new_lengths : Tensor of int64, shape (n,)
        Samples that this makes.
    """

    seeds: list[int]
    u: Tensor
    starts: Tensor
    lengths: Tensor
    speeds: Tensor
    new_lengths: Tensor


class Epoch:
    """The recordings of one epoch; what would else be handed on with each of its windows and batches.

    Parameters
    ----------
    chosen : ndarray of int64, shape (n,)
        Positions of the recordings in the data set; one that is there several times has a seed for each copy.
    lengths : ndarray of int64
        Samples of every recording of the data set.
    fs : float
        Sampling rate in Hz.
    seed : int
        From which the seeds of recordings are derived.
    options : DataAugmentation
        Chances of all changes.
    """

    def __init__(
        self, chosen: NDArray[np.int64], lengths: NDArray[np.int64], fs: float, seed: int, options: DataAugmentation
    ) -> None:
        self._chosen, self._copies, self._lengths = chosen, earlier_copies(chosen), lengths
        self._fs, self._seed, self._options = fs, seed, options

    def new_lengths(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Lengths of recordings when they are changed, by their positions in the epoch, shape (n,)."""
        return self.changes(positions).new_lengths.numpy()

    def changes(self, positions: NDArray[np.int64]) -> Changes:
        """Draw the changes of recordings, by their positions in the epoch; the same whenever it is asked for."""
        options, fs, chosen = self._options, self._fs, self._chosen[positions]
        copies = self._copies[positions]
        seeds = [seed_of(self._seed, *own) for own in zip(chosen.tolist(), copies.tolist(), strict=True)]
        u = augment.draw(seeds, options.of_packages)
        whole = torch.from_numpy(self._lengths[chosen])
        starts, lengths = durations.crop(whole, fs, u[:, durations.CROP], options.crop, options.window)
        speeds = durations.random_speeds(u[:, durations.SPEED], options.speed)
        if options.resampling:
            speeds = speeds * durations.heart_rate_speeds(u[:, durations.HEART_RATE])
        new_lengths = (lengths / speeds).long().clamp_min(1)
        if options.resampling:  # as in the original, where slowed recordings are cut to their length
            new_lengths = torch.minimum(new_lengths, lengths)
        return Changes(seeds, u, starts, lengths, speeds, new_lengths)


def earlier_copies(chosen: NDArray[np.int64]) -> NDArray[np.int32]:
    """How often each entry has come before, shape (n,)."""
    order = np.argsort(chosen, kind="stable")
    begins = np.flatnonzero(np.diff(chosen[order], prepend=-1))
    times = np.diff(begins, append=len(chosen))
    copies = np.empty(len(chosen), dtype=np.int32)
    copies[order] = np.arange(len(chosen)) - np.repeat(begins, times)
    return copies
