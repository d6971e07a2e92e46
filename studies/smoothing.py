"""How a timeline is best smoothed: `python -m studies.smoothing logs/ResGRU/default`.

The challenge has no long recordings, so some are spliced: episodes of random lengths, each of recordings of one class
from the test part of a fold, classified by that fold's network, which has seen none of them. What there is to choose is
chosen on all other folds and judged on the fold itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from benchmarks import DATA
from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.evaluation import metrics, predictions
from ecg_rhythm.inference import classifier, sliding, smoothing
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.signals.windows import SlidingWindow
from ecg_rhythm.weights.run_files import RunFiles, finished_folds

HOURS, DAYS = 6.0, 4
"""Length of a spliced recording, and how many there are of each fold."""
MINUTES = (0.75, 60.0)
"""Between which an episode's length is drawn, log-uniformly."""
SHARES = {"N": 0.5, "A": 0.25, "O": 0.2, "~": 0.05}
"""How often an episode is of each class."""
WIDTHS = (1, 3, 5, 7, 9, 13, 17, 25, 33)
LASTING, TRUSTS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0), (0.3, 0.5, 0.7, 1.0)


@dataclass(frozen=True)
class Day:
    """A spliced recording: the true class of each step, and its probabilities before smoothing."""

    truth: NDArray[np.int64]
    steps: NDArray[np.float64]


Method = Callable[[NDArray[np.float64]], NDArray[np.int64]]


def spliced(
    store: Store, of_class: dict[int, list[int]], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A signal of `HOURS` and the true class of each of its samples."""
    length, parts, truth = int(HOURS * 3600 * store.fs), [np.zeros(0, np.float32)], [np.zeros(0, np.int64)]
    names = [name for name in SHARES if store.classes.index(name) in of_class]
    odds = np.array([SHARES[name] for name in names])
    while sum(len(part) for part in parts) < length:
        target = store.classes.index(str(rng.choice(names, p=odds / odds.sum())))
        lasting = 60 * store.fs * np.exp(rng.uniform(*np.log(MINUTES)))
        episode: list[NDArray[np.float32]] = []
        while sum(len(part) for part in episode) < lasting:
            signal = store.signal(int(rng.choice(of_class[target])))
            episode.append(signal - np.median(signal))
        joined = np.concatenate(episode)[: int(lasting)]
        parts.append(joined)
        truth.append(np.full(len(joined), target))
    return np.concatenate(parts)[:length], np.concatenate(truth)[:length]


def days_of(fold: RunFiles, store: Store) -> Iterator[Day]:
    """Yield spliced recordings of a fold's test part, as its network sees them."""
    table = predictions.read_predictions(fold.predictions)
    of_class: dict[int, list[int]] = {}
    for name, target in zip(table.records, table.targets.tolist(), strict=True):
        of_class.setdefault(target, []).append(store.names.index(name))
    model = classifier.load(fold.path)
    rng = np.random.default_rng(int(fold.path.name.removeprefix("fold")))
    for _ in range(DAYS):
        signal, truth = spliced(store, of_class, rng)
        cutter = SlidingWindow(store.fs, sliding.WINDOW, sliding.STRIDE)
        windows = np.array(list(sliding.classify_windows(Workers(model), cutter.push(signal), store.fs)))
        step = round(sliding.STRIDE * store.fs)
        steps = smoothing.merged(windows, len(signal) // step, round(sliding.WINDOW / sliding.STRIDE))
        yield Day(truth[step // 2 :: step][: len(steps)], steps)


def median(width: int) -> Method:
    """A median filter of each class's probability, `width` steps long."""
    return lambda steps: np.asarray(median_filter(steps, size=(width, 1), mode="nearest").argmax(axis=1))


def markov(minutes: float, trust: float) -> Method:
    """A hidden Markov model's smoothing."""
    return lambda steps: np.asarray(smoothing.smoothed(steps, sliding.STRIDE, minutes, trust).argmax(axis=1))


METHODS: dict[str, dict[str, Method]] = {
    "none": {"": median(1)},
    "median": {f"{width} steps": median(width) for width in WIDTHS},
    "hidden Markov": {f"{m:g} min, trust {t:g}": markov(m, t) for m, t in product(LASTING, TRUSTS)},
}


def judged(days: list[Day], method: Method, store: Store) -> dict[str, float]:
    """The challenge score of steps, the mean error of AF burden, and the number of episodes for each that is real."""
    smoothed = [method(day.steps) for day in days]
    fibrillation = store.classes.index("A")
    truths = [day.truth for day in days]
    burden = [
        abs((a == fibrillation).mean() - (b == fibrillation).mean()) for a, b in zip(smoothed, truths, strict=True)
    ]
    changes = [int((np.diff(part) != 0).sum()) + 1 for part in smoothed]
    true_changes = [int((np.diff(part) != 0).sum()) + 1 for part in truths]
    return {
        "score": metrics.score(np.concatenate(truths), np.concatenate(smoothed), store.classes)["challenge"],
        "burden error": float(np.mean(burden)),
        "episodes per real episode": sum(changes) / sum(true_changes),
    }


def main() -> None:
    """Print what each method reaches, fold by fold, with what was chosen on the others."""
    job, store = Path(sys.argv[1]), open_store(DATA)
    folds = list(finished_folds(job).values())
    days = {fold.path.name: list(days_of(fold, store)) for fold in folds}
    for name, settings in METHODS.items():
        results, chosen = [], []
        for fold, own in days.items():
            others = [day for other, part in days.items() if other != fold for day in part]
            best = max(settings, key=lambda setting: judged(others, settings[setting], store)["score"])
            chosen.append(best)
            results.append(judged(own, settings[best], store))
        for measure in results[0]:
            values = metrics.spread([result[measure] for result in results])
            print(f"{name:15} {measure:28} {values.mean:.3f} ± {values.sd or 0:.3f}", flush=True)
        print(f"{name:15} chosen: {json.dumps(chosen)}")
    everything = [day for part in days.values() for day in part]
    best = max(METHODS["hidden Markov"], key=lambda s: judged(everything, METHODS["hidden Markov"][s], store)["score"])
    print(f"on all folds together: {best}")


if __name__ == "__main__":
    main()
