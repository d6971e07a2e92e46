"""Long recordings with known rhythms, spliced from the challenge's strips.

A splice holds stretches of one rhythm each. A stretch is one heart's: a strip, repeated as long as the stretch lasts,
as what a network takes for another rhythm in a Holter it mostly takes for it again and again. All strips of a splice
are brought to the same gain, and are chosen to have about the same noise, so that neither tells where a rhythm begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from ecg_rhythm.data.store import Store

SIZE = 0.15
"""Mean absolute value in mV that each recording is brought to; about that of the challenge's."""
NEAR = 0.25
"""Share of the recordings of a class, those nearest in noise, that a splice draws from."""
NOISE_HZ = 30.0
"""What is above this is mostly noise."""
SHORTEST, PERIOD = 15.0, 5.0
"""Shortest strip in s; what is repeated lasts a multiple of the second duration in s, so that windows recur."""

DAY = (("N", 6.0), ("A", 0.5), ("N", 3.0), ("A", 2.0), ("N", 8.0), ("~", 0.5), ("N", 4.0))
"""Rhythms of a day, and the hours that each lasts."""
PARTS, FEW = 6, 8
"""Recordings in an hour of it; every such recording may be one."""

Stretch = tuple[str, float]
"""A rhythm, and how long it lasts in s."""


@dataclass(frozen=True)
class Splice:
    """A signal, its rhythms in the order of time, and the strip that each is made of."""

    signal: NDArray[np.float32]
    stretches: list[Stretch]
    sources: list[NDArray[np.float32]]

    def episodes(self, label: str) -> list[tuple[float, float]]:
        """Start and end of each stretch of a rhythm, in s."""
        ends = np.cumsum([seconds for _, seconds in self.stretches])
        return [
            (float(end - seconds), float(end))
            for (name, seconds), end in zip(self.stretches, ends, strict=True)
            if name == label
        ]


class Pool:
    """Recordings to splice from.

    Parameters
    ----------
    store : Store
        A packed data set.
    positions : ndarray of int64
        Which of its recordings: those of a part of a fold.
    """

    def __init__(self, store: Store, positions: NDArray[np.int64]) -> None:
        self.store, self.fs, self.positions = store, store.fs, positions
        self._signals: dict[int, NDArray[np.float32]] = {}

    @cached_property
    def ranks(self) -> dict[int, float]:
        """Position of a recording -> its rank by noise, from 0 to 1."""
        sos = butter(4, NOISE_HZ, "highpass", fs=self.fs, output="sos")
        noise = [float(np.median(np.abs(sosfiltfilt(sos, self.signal(i))))) for i in self.positions.tolist()]
        ranks = np.argsort(np.argsort(noise)) / max(len(noise) - 1, 1)
        return dict(zip(self.positions.tolist(), ranks.tolist(), strict=True))

    def signal(self, position: int) -> NDArray[np.float32]:
        """A recording without offset, at the common gain."""
        if position not in self._signals:
            signal = self.store.signal(position)
            signal = signal - np.median(signal)
            self._signals[position] = (signal * (SIZE / max(float(np.abs(signal).mean()), 1e-4))).astype(np.float32)
        return self._signals[position]

    def near(self, label: str, rank: float) -> NDArray[np.int64]:
        """Recordings of a class whose noise is nearest to a rank."""
        is_own = self.store.targets()[self.positions] == self.store.classes.index(label)
        own = self.positions[is_own & (self.store.lengths[self.positions] >= SHORTEST * self.fs)]
        away = np.abs(np.array([self.ranks[i] for i in own.tolist()]) - rank)
        return np.asarray(own[np.argsort(away, kind="stable")[: max(int(NEAR * len(own)), min(8, len(own)))]])

    def splice(self, stretches: Sequence[Stretch], rng: np.random.Generator) -> Splice:
        """Join stretches of whole seconds, each of a strip drawn at random."""
        rank, period = float(rng.uniform()), round(PERIOD * self.fs)
        near = {label: self.near(label, rank) for label in sorted({label for label, _ in stretches})}
        parts, sources, ends = [], [], np.rint(np.cumsum([seconds for _, seconds in stretches]) * self.fs).astype(int)
        for (label, _), samples in zip(stretches, np.diff(ends, prepend=0).tolist(), strict=True):
            strip = self.signal(int(rng.choice(near[label])))
            sources.append(strip)
            parts.append(np.resize(strip[: len(strip) // period * period], samples))
        return Splice(np.concatenate(parts), list(stretches), sources)


def day(store: Store) -> NDArray[np.float64]:
    """Splice a day in mV; each rhythm consists of recordings with that label, which last some minutes each."""
    rng, stretches = np.random.default_rng(0), list[Stretch]()
    for label, hours in DAY:
        minutes = np.diff([0, *np.sort(rng.uniform(0, 60 * hours, round(hours * PARTS) - 1)), 60 * hours])
        stretches += [(label, 60.0 * max(round(one), 1)) for one in minutes]
    signal = Pool(store, np.arange(len(store))[::FEW]).splice(stretches, rng).signal
    return np.clip(signal, -5, 5).astype(np.float64)
