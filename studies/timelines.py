"""How a timeline is best made: `python -m studies.timelines logs/ResGRU/default_valid`.

The challenge has no long recordings, so some are spliced (`splices.py`): single paroxysms of atrial fibrillation, days
with paroxysms, and days without, in which other rhythms last as long as the paroxysms. How rhythms change is fitted on
splices of the validation part of each fold and judged on splices of its test part. Both are classified by the fold's
network, which has trained on neither; so the job must be one of a split with validation parts. Classified splices are
kept in logs/timelines and are not made again; remove them when the code that splices or classifies has changed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import DATA
from ecg_rhythm import files
from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.inference.classifier import load
from ecg_rhythm.inference.episodes import DEFAULT, Rules
from ecg_rhythm.inference.smoothing import CHANGES, TRUST, UNREADABLE
from ecg_rhythm.inference.streaming import StreamingClassifier
from ecg_rhythm.weights.run_files import RunFiles, finished_folds
from studies.splices import Pool
from studies.timeline_cases import Case, cases, positions_of
from studies.timeline_scores import BEFORE, Method, compared, judged

RESULT = Path("results/timelines.json")
RATES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 240.0)
"""Changes per hour that are tried for each pair of rhythms."""
FREE = (("N", "A"), ("A", "N"), ("N", "O"), ("O", "N"), ("A", "O"), ("O", "A"))
TO_NOISE, FROM_NOISE, AT_FIRST = 4.0, 60.0, 15.0
"""Changes per hour to and from noise, and for each other pair where the search begins."""
ROUNDS, BURDEN_WEIGHT, FALSE_WEIGHT = 2, 2.0, 0.1
"""Times that all pairs are tried; what a burden error, and a false minute beyond those of before, cost in detection."""
LIVE_LENGTHS, LIVE_DRAWS, LIVE_SEED = (30.0, 60.0), 50, 5
"""Paroxysms of live signals: durations in s, and how many of each in a fold."""
TRUSTS = (0.7, 0.85, 1.0, 1.2, 1.5)
"""How far the network is trusted: powers of its probabilities that are tried."""
TO_FIT = 0.4
"""Splices of the validation parts, as a share of those of the test parts."""

Changes = dict[tuple[str, str], float]


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


def live(fold: RunFiles, store: Store) -> dict[str, dict[str, float]]:
    """How soon fibrillation in a live signal is detected: by length, how many of how many are, and after how many s."""
    model, pool = load(fold.path), Pool(store, positions_of(fold, store, "test"))
    rng, found = np.random.default_rng(LIVE_SEED), {}
    for length in LIVE_LENGTHS:
        delays = []
        for _ in range(LIVE_DRAWS):
            splice = pool.splice([("N", 120 + float(rng.integers(30))), ("A", length), ("N", 60.0)], rng)
            ((start, end),) = splice.episodes("A")
            decisions = StreamingClassifier(store.fs, model).push(splice.signal)
            detections = [one for one in decisions if one.label == "A" and one.end > start and one.start < end]
            delays += [one.end - start for one in detections[:1]]
        later, latest = np.percentile(delays, [50, 95]).tolist() if delays else (np.nan, np.nan)
        found[f"{length:g}"] = {"detected": len(delays), "of": LIVE_DRAWS, "median delay": later, "95 % within": latest}
    return found


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
    to_fit = [case for fold in folds for case in cases(fold, store, "valid", TO_FIT / len(folds))]
    on_all, now = fitted(to_fit, store.classes), Method(False, CHANGES, TRUST, DEFAULT)
    methods = {
        "before": BEFORE,
        "after": now,
        "without joining and dropping": now._replace(rules=Rules(0, 0)),
        "episodes of at least 30 s": now._replace(rules=Rules(30, 30)),
        "fitted on all folds": on_all,
    }
    results: dict[str, dict[str, Any]] = {}
    for fold in folds:
        part = cases(fold, store, "test", 1 / len(folds))
        found = {name: judged(part, compared(part, method, store.classes)) for name, method in methods.items()}
        results[fold.path.name] = found
        print(json.dumps({fold.path.name: found}), flush=True)
    files.write_json(
        RESULT,
        {
            "job": job.name,
            "trust": on_all.trust,
            "changes": [[*pair, rate] for pair, rate in on_all.changes.items()],
            "together": {name: summed(one[name] for one in results.values()) for name in methods},
            "folds": results,
            "live": {fold.path.name: live(fold, store) for fold in folds},
        },
    )


if __name__ == "__main__":
    main()
