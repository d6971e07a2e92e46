"""What computing in eight bits costs: `python -m benchmarks.eight_bits logs/ResGRU/default`.

Each fold's network is exported with `--int8` and classifies its test part; writes results/fast.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import DATA
from ecg_rhythm import classifier, export, outputs, quantise, results, runs, weights
from ecg_rhythm.records import Record
from ecg_rhythm.store import open_store

RESULT = Path("results/fast")


def main() -> None:
    """Publish the result, and print how far its probabilities are from those of the networks as trained."""
    if RESULT.exists():
        sys.exit(f"{RESULT}: exists already; remove it first")
    job, store = Path(sys.argv[1]), open_store(DATA)
    parts, seconds, scores = [], [], {}
    for fold in sorted(folder for folder in job.glob("fold*") if runs.is_done(folder)):
        began, scores = time.monotonic(), runs.read_scores(fold)
        table = outputs.read_predictions(fold / runs.PREDICTIONS)
        with tempfile.TemporaryDirectory() as folder:
            exact, quick = Path(folder) / "exact.onnx", Path(folder) / "quick.onnx"
            export.export(*weights.load(classifier.weights_of(fold)[0]), exact)
            quantise.quantise(exact, quantise.training_recordings(fold, DATA), quick)
            recordings = [Record(name, store.signal(store.names.index(name)), store.fs, "") for name in table.records]
            found = classifier.load(quick).probabilities(recordings)
        seconds.append(round(time.monotonic() - began, 1))
        difference = np.abs(found - table.probabilities)
        print(
            f"{fold.name}: probabilities differ by {difference.mean():.4f} on average, {difference.max():.2f} at most"
        )
        parts.append(outputs.Predictions(table.records, table.folds, table.targets, found, table.classes))
    made_from = {key: str(scores[key]) for key in ("data", "split", "labels")}
    title = f"{job.name.capitalize()} network in eight bits, `python -m benchmarks.eight_bits`"
    figures = results.write(RESULT, title, made_from, {"fast": {"seconds": seconds}}, outputs.joined(parts))
    challenge = figures["measures"]["challenge"]
    print(f"challenge score {challenge['mean']:.3f} ± {challenge['sd']:.3f}; see {RESULT}")


if __name__ == "__main__":
    main()
