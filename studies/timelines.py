"""How a timeline is best made: `python -m studies.timelines logs/ResGRU/default_valid`.

The challenge has no long recordings, so some are spliced (`splices.py`): single paroxysms of atrial fibrillation, days
with paroxysms, and days without, in which other rhythms last as long as the paroxysms. How rhythms change is fitted on
splices of the validation part of each fold and judged on splices of its test part. Both are classified by the fold's
network, which has trained on neither; so the job must be one of a split with validation parts.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import DATA
from ecg_rhythm import files
from ecg_rhythm.data import splits
from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.evaluation.episodes import Compared, Interval, burdens, count, gross, overlap
from ecg_rhythm.inference.classifier import Classifier, load
from ecg_rhythm.inference.episodes import DEFAULT, Rules, ruled, runs
from ecg_rhythm.inference.sliding import WINDOW, classify_windows
from ecg_rhythm.inference.smoothing import UNREADABLE, labels_of, merged, smoothed, transitions
from ecg_rhythm.inference.streaming import StreamingClassifier
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.records import Record
from ecg_rhythm.signals.windows import SlidingWindow
from ecg_rhythm.weights.run_files import RunFiles, finished_folds
from studies.splices import Pool, Splice, Stretch

RESULT = Path("results/timelines.json")
LENGTHS, DRAWS = (15.0, 30.0, 45.0, 60.0, 90.0, 120.0), 300
"""Durations in s of single paroxysms, and how many there are of each, in the test parts of all folds together."""
AROUND = 300.0
"""Seconds of sinus rhythm before and after them."""
DAYS, DAY, PAROXYSMAL, QUARTER = 100, 86400.0, 100, 21600.0
"""Days without atrial fibrillation; recordings with paroxysms of it; how long they are in s."""
SINUS, PAROXYSM = (60.0, 3600.0), (10.0, 1800.0)
"""Between which durations in s sinus rhythm and what interrupts it last, log-uniformly."""
RATES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Changes per hour that are tried for each pair of rhythms."""
FREE = (("N", "A"), ("A", "N"), ("N", "O"), ("O", "N"), ("A", "O"), ("O", "A"))
TO_NOISE, FROM_NOISE, AT_FIRST = 4.0, 60.0, 15.0
"""Changes per hour to and from noise, and for each other pair where the search begins."""
ROUNDS, BURDEN_WEIGHT, FALSE_WEIGHT = 2, 2.0, 0.1
"""Times that all pairs are tried; what a burden error, and a false minute beyond those of before, cost in detection."""
OLD_WINDOW, OLD_STRIDE, OLD_MINUTES = 30.0, 15.0, 40.0
"""Timelines as they were: windows, and the mean duration of every rhythm."""
LIVE_LENGTHS, LIVE_DRAWS, LIVE_SEED = (30.0, 60.0), 50, 5
"""Paroxysms of live signals: durations in s, and how many of each in a fold."""
TRUSTS, OLD_TRUST = (0.7, 0.85, 1.0), 0.7
TO_FIT = 0.4
"""Splices of the validation parts, as a share of those of the test parts."""
AT_ONCE = 64
"""Recordings that are smoothed together."""

Changes = dict[tuple[str, str], float]


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
    heard : bool
        Whether the network calls the strip that a single paroxysm is made of atrial fibrillation.
    """

    kind: str
    seconds: float
    truth: list[Interval]
    old: NDArray[np.float64]
    new: NDArray[np.float64]
    heard: bool


class Method(NamedTuple):
    """How steps become episodes."""

    is_old: bool
    changes: Mapping[tuple[str, str], float]
    trust: float
    rules: Rules

    @property
    def stride(self) -> float:
        """Length of a step in s."""
        return OLD_STRIDE if self.is_old else WINDOW / 2


BEFORE = Method(True, {}, OLD_TRUST, Rules(0, 0))


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
    return merged(found, int(np.ceil(round(len(signal) / fs / (window / 2), 6))), 2)


def positions_of(fold: RunFiles, store: Store, part: str) -> NDArray[np.int64]:
    """Recordings of the validation or test part of a fold, as positions in the store."""
    scores = fold.read_scores()
    own = splits.load_split(DATA / "splits" / scores["split"], len(store)).folds[int(scores["fold"])]
    return (own.valid if part == "valid" else own.test) - 1


def cases(fold: RunFiles, store: Store, part: str, share: float) -> list[Case]:
    """Splices of the validation or test part of a fold, classified by its network."""
    model = Remembering(load(fold.path).members)
    model.known = {}
    pool, seed = Pool(store, positions_of(fold, store, part)), [int(fold.read_scores()["fold"]), part == "test"]
    rng, found = np.random.default_rng(seed), []
    for kind, splice in spliced(pool, rng, share):
        truth = splice.episodes("A")
        heard = False
        if kind == "single":
            strip = Record("", splice.sources[1], store.fs, "")
            heard = model.classes[int(model.probabilities([strip])[0].argmax())] == "A"
        old = steps_of(model, splice.signal, store.fs, OLD_WINDOW, spare=False)
        new = steps_of(model, splice.signal, store.fs, WINDOW, spare=True)
        found.append(Case(kind, len(splice.signal) / store.fs, truth, old, new, heard))
    return found


def live(fold: RunFiles, store: Store) -> dict[str, dict[str, float]]:
    """How soon a live signal is told to fibrillate: by length, how many of how many are told, and after how many s."""
    model, pool = load(fold.path), Pool(store, positions_of(fold, store, "test"))
    rng, found = np.random.default_rng(LIVE_SEED), {}
    for length in LIVE_LENGTHS:
        delays = []
        for _ in range(LIVE_DRAWS):
            splice = pool.splice([("N", 120 + float(rng.integers(30))), ("A", length), ("N", 60.0)], rng)
            ((start, end),) = splice.episodes("A")
            decisions = StreamingClassifier(store.fs, model).push(splice.signal)
            told = [one for one in decisions if one.label == "A" and one.end > start and one.start < end]
            delays += [one.end - start for one in told[:1]]
        later, latest = np.percentile(delays, [50, 95]).tolist() if delays else (np.nan, np.nan)
        found[f"{length:g}"] = {"told": len(delays), "of": LIVE_DRAWS, "median delay": later, "95 % within": latest}
    return found


def compared(found: Sequence[Case], method: Method, classes: list[str]) -> list[Compared]:
    """What a method answers to each case; the burden is that of steps, before the rules for episodes."""
    if method.is_old:
        change = uniform(len(classes), OLD_MINUTES, method.stride)
    else:
        change = transitions(classes, method.stride, method.changes)
    answers: dict[int, Compared] = {}
    order = sorted(range(len(found)), key=lambda i: found[i].seconds)
    for first in range(0, len(order), AT_ONCE):
        group = order[first : first + AT_ONCE]
        steps = [found[i].old if method.is_old else found[i].new for i in group]
        padded = np.full((max(map(len, steps)), len(steps), len(classes)), np.nan)
        for column, one in enumerate(steps):
            padded[: len(one), column] = one
        together = smoothed(padded, change, method.trust)
        for column, i in enumerate(group):
            labels = labels_of(together[: len(steps[column]), column], classes)
            answers[i] = answered(found[i], labels, method)
    return [answers[i] for i in range(len(found))]


def answered(case: Case, labels: list[str], method: Method) -> Compared:
    """Episodes and burden of a case from the labels of its steps."""

    def episodes(of: list[str]) -> list[Interval]:
        own = [run for run in runs(of) if run.label == "A"]
        return [(run.start * method.stride, min(run.stop * method.stride, case.seconds)) for run in own]

    burden = sum(end - start for start, end in episodes(labels)) / case.seconds
    found = episodes(ruled(labels, method.stride, "A", UNREADABLE, method.rules))
    return Compared(case.kind, case.seconds, case.truth, found, burden)


def uniform(classes: int, minutes: float, stride: float) -> NDArray[np.float64]:
    """Changes of rhythm as they were: each lasts a number of minutes on average, then changes to any other."""
    leave = 1 - np.exp(-stride / 60 / minutes)
    matrix = np.full((classes, classes), leave / (classes - 1))
    np.fill_diagonal(matrix, 1 - leave)
    return matrix


def judged(found: Sequence[Case], answers: Sequence[Compared]) -> dict[str, Any]:
    """What a method reaches."""
    detected: dict[float, list[bool]] = defaultdict(list)
    of_heard: dict[float, list[bool]] = defaultdict(list)
    for case, answer in zip(found, answers, strict=True):
        if case.kind == "single":
            (episode,) = case.truth
            length, hit = round(episode[1] - episode[0]), overlap(episode, answer.answered) > 0
            detected[length].append(hit)
            if case.heard:
                of_heard[length].append(hit)
    quiet = [answer for answer in answers if answer.name == "quiet"]
    false = sum(end - start for one in quiet for start, end in one.answered) / 60
    counted = sum((one.burden or 0) * one.seconds for one in quiet) / 60
    days = sum(one.seconds for one in quiet) / DAY
    paroxysmal = [answer for answer in answers if answer.name == "paroxysmal"]
    errors = np.array([own - true for true, own in map(burdens, paroxysmal)])
    claims, episodes = (
        sum(len(part) for part in parts)
        for parts in zip(*((one.answered, one.reference) for one in paroxysmal), strict=True)
    )
    return {
        "detected": {f"{length:g}": [sum(hits), len(hits)] for length, hits in sorted(detected.items())},
        "detected of those the network hears": {
            f"{length:g}": [sum(hits), len(hits)] for length, hits in sorted(of_heard.items())
        },
        "days": days,
        "false minutes per day": false / days,
        "false minutes per day in the burden": counted / days,
        "burden bias": float(errors.mean()),
        "burden error": float(np.abs(errors).mean()),
        "episodes per true episode": claims / episodes,
        **gross([count(one, 0) for one in paroxysmal]),
    }


def fitted(found: Sequence[Case], classes: list[str]) -> Method:
    """Find how often rhythms change: pair by pair, what detects most without more false minutes than before."""
    limit = judged(found, compared(found, BEFORE, classes))["false minutes per day"]

    def goodness(method: Method) -> float:
        result = judged(found, compared(found, method, classes))
        shares = [hits / of for hits, of in result["detected"].values()]
        beyond = max(0.0, result["false minutes per day"] - limit)
        return float(np.mean(shares) - BURDEN_WEIGHT * result["burden error"] - FALSE_WEIGHT * beyond)

    changes: Changes = {(one, other): AT_FIRST for one in classes for other in classes if one != other}
    for name in classes:
        if name != UNREADABLE and UNREADABLE in classes:
            changes |= {(name, UNREADABLE): TO_NOISE, (UNREADABLE, name): FROM_NOISE}
    best = Method(False, changes, TRUSTS[0], DEFAULT)
    highest = goodness(best)
    for _ in range(ROUNDS):
        tried = [best._replace(trust=trust) for trust in TRUSTS]
        for pair in FREE:
            for method in tried:
                if (value := goodness(method)) > highest:
                    best, highest = method, value
            tried = [best._replace(changes={**best.changes, pair: rate}) for rate in RATES]
        for method in tried:
            if (value := goodness(method)) > highest:
                best, highest = method, value
    return best


def summed(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Figures of all folds together: counts are added, the others averaged."""
    each = list(parts)
    together: dict[str, Any] = {}
    for name, value in each[0].items():
        if isinstance(value, dict):
            lengths = sorted({length for one in each for length in one[name]}, key=float)
            together[name] = {k: [sum(one[name].get(k, (0, 0))[i] for one in each) for i in (0, 1)] for k in lengths}
        else:
            together[name] = (
                float(sum(one[name] for one in each)) if name == "days" else float(np.mean([one[name] for one in each]))
            )
    return together


def main() -> None:
    """Fit on validation splices, judge on test splices, and write what came of it."""
    store, job = open_store(DATA), Path(sys.argv[1])
    folds = list(finished_folds(job).values())
    to_fit = {fold.path: cases(fold, store, "valid", TO_FIT / len(folds)) for fold in folds}
    shipped = fitted([case for part in to_fit.values() for case in part], store.classes)
    results: dict[str, dict[str, Any]] = {}
    for fold in folds:
        own = fitted(to_fit[fold.path], store.classes) if len(folds) > 1 else shipped
        methods = {
            "before": BEFORE,
            "after": own,
            "without joining and dropping": own._replace(rules=Rules(0, 0)),
            "episodes of at least 30 s": own._replace(rules=Rules(30, 30)),
        }
        part = cases(fold, store, "test", 1 / len(folds))
        found = {name: judged(part, compared(part, method, store.classes)) for name, method in methods.items()}
        results[fold.path.name] = found
        print(json.dumps({fold.path.name: found}), flush=True)
    files.write_json(
        RESULT,
        {
            "job": job.name,
            "trust": shipped.trust,
            "changes": [[*pair, rate] for pair, rate in shipped.changes.items()],
            "together": {name: summed(one[name] for one in results.values()) for name in next(iter(results.values()))},
            "folds": results,
            "live": {fold.path.name: live(fold, store) for fold in folds},
        },
    )


if __name__ == "__main__":
    main()
