"""Spliced recordings for `studies/timelines.py`: what they are made of, and what a fold's network says of them."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import DATA
from ecg_rhythm import checksums, files
from ecg_rhythm.data import splits
from ecg_rhythm.data.store import Store
from ecg_rhythm.evaluation.episodes import Interval
from ecg_rhythm.inference.classifier import Classifier, load
from ecg_rhythm.inference.sliding import WINDOW, classify_windows
from ecg_rhythm.inference.smoothing import merged
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.records import Record
from ecg_rhythm.signals.windows import SlidingWindow
from ecg_rhythm.weights.run_files import RunFiles
from studies.splices import Pool, Splice, Stretch

KEPT = Path("logs/timelines")
LENGTHS, DRAWS = (15.0, 30.0, 45.0, 60.0, 90.0, 120.0), 300
"""Durations in s of single paroxysms, and how many there are of each, in the test parts of all folds together."""
AROUND = 300.0
"""Seconds of sinus rhythm before and after them."""
DAYS, DAY, PAROXYSMAL, QUARTER = 100, 86400.0, 100, 21600.0
"""Days without atrial fibrillation; recordings with paroxysms of it; how long they are in s."""
SINUS, PAROXYSM = (60.0, 3600.0), (10.0, 1800.0)
"""Between which durations in s sinus rhythm and what interrupts it last, log-uniformly."""
OLD_WINDOW, OLD_STRIDE = 30.0, 15.0
"""Windows of timelines as they were, in s."""


CONSTANTS = (LENGTHS, DRAWS, AROUND, DAYS, DAY, PAROXYSMAL, QUARTER, SINUS, PAROXYSM, OLD_WINDOW, OLD_STRIDE, WINDOW)
"""What splices and their windows follow from."""


class Remembering(Classifier):
    """A classifier that computes a window once, however often it recurs in splices."""

    known: dict[bytes, NDArray[np.float64]]

    def probabilities(self, recordings: Sequence[Record]) -> NDArray[np.float64]:
        """Probabilities of strips, shape (strips, classes)."""
        keys = [hashlib.blake2b(one.signal.tobytes(), digest_size=16).digest() for one in recordings]
        new = {key: one for key, one in zip(keys, recordings, strict=True) if key not in self.known}
        if new:
            self.known.update(zip(new, super().probabilities(list(new.values())), strict=True))
        return np.array([self.known[key] for key in keys]).reshape(-1, len(self.classes))


class Case(NamedTuple):
    """A spliced recording, classified.

    Attributes
    ----------
    kind : str
        `single`, `quiet` (without atrial fibrillation) or `paroxysmal`.
    seconds : float
        Its duration.
    truth : list of (float, float)
        Its episodes of atrial fibrillation.
    old, new : ndarray of float64, shape (steps, classes)
        Probabilities of steps before smoothing, of the old and of the present windows.
    recognized : bool
        Whether the network calls the strip that a single paroxysm is made of atrial fibrillation.
    """

    kind: str
    seconds: float
    truth: list[Interval]
    old: NDArray[np.float64]
    new: NDArray[np.float64]
    recognized: bool


def lasting(between: tuple[float, float], rng: np.random.Generator) -> float:
    """A duration in whole s, drawn log-uniformly."""
    return float(np.rint(np.exp(rng.uniform(*np.log(between)))))


def interrupted(by: str, seconds: float, rng: np.random.Generator) -> list[Stretch]:
    """Sinus rhythm with interruptions, of about a duration in s."""
    stretches: list[Stretch] = []
    while sum(length for _, length in stretches) < seconds:
        stretches += [("N", lasting(SINUS, rng)), (by, lasting(PAROXYSM, rng))]
    return stretches


def spliced(pool: Pool, rng: np.random.Generator, share: float) -> Iterator[tuple[str, Splice]]:
    """Yield the splices of a fold, which are a share of all."""
    for length in LENGTHS:
        for _ in range(round(DRAWS * share)):
            around = AROUND + float(rng.integers(30))
            yield "single", pool.splice([("N", around), ("A", length), ("N", AROUND)], rng)
    for _ in range(round(DAYS * share)):
        yield "quiet", pool.splice(interrupted("O", DAY, rng), rng)
    for _ in range(round(PAROXYSMAL * share)):
        yield "paroxysmal", pool.splice(interrupted("A", QUARTER, rng), rng)


def steps_of(
    model: Classifier, signal: NDArray[np.float32], fs: float, window: float, spare: bool
) -> NDArray[np.float64]:
    """Probabilities of steps of half a window before smoothing, as a timeline makes them."""
    sliding = SlidingWindow(fs, window, window / 2)
    windows = (one for part in (sliding.push(signal), sliding.rest()) for one in part)
    found = np.array(list(classify_windows(Workers(model), windows, fs, spare=spare)))
    return merged(found, int(np.ceil(round(len(signal) / fs / (window / 2), 6))), window, window / 2)


def positions_of(fold: RunFiles, store: Store, part: str) -> NDArray[np.int64]:
    """Recordings of the validation or test part of a fold, as positions in the store."""
    scores = fold.read_scores()
    own = splits.load_split(DATA / "splits" / scores["split"], len(store)).folds[int(scores["fold"])]
    return (own.valid if part == "valid" else own.test) - 1


def cases(fold: RunFiles, store: Store, part: str, share: float) -> list[Case]:
    """Splices of the validation or test part of a fold, classified by its network; kept, as they take long."""
    made_from = repr((checksums.of_file(fold.last_weights), part, share, CONSTANTS))
    kept = KEPT / f"{fold.path.name}-{part}-{hashlib.blake2b(made_from.encode(), digest_size=8).hexdigest()}.pickle"
    if kept.exists():
        known: list[Case] = pickle.loads(kept.read_bytes())
        return known
    found = list(_classified(fold, store, part, share))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(kept) as made:
        made.write_bytes(pickle.dumps(found))
    return found


def _classified(fold: RunFiles, store: Store, part: str, share: float) -> Iterator[Case]:
    model = Remembering(load(fold.path).members)
    model.known = {}
    pool, seed = Pool(store, positions_of(fold, store, part)), [int(fold.read_scores()["fold"]), part == "test"]
    rng = np.random.default_rng(seed)
    for kind, splice in spliced(pool, rng, share):
        truth = splice.episodes("A")
        recognized = False
        if kind == "single":
            strip = Record("", splice.sources[1], store.fs, "")
            recognized = model.classes[int(model.probabilities([strip])[0].argmax())] == "A"
        old = steps_of(model, splice.signal, store.fs, OLD_WINDOW, spare=False)
        new = steps_of(model, splice.signal, store.fs, WINDOW, spare=True)
        yield Case(kind, len(splice.signal) / store.fs, truth, old, new, recognized)
