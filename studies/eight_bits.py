"""What computing in eight bits costs: `python -m studies.eight_bits logs/ResGRU/default`.

Each fold's network is exported with `--int8` and classifies its test part; writes results/fast.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import DATA
from ecg_rhythm.data.store import open_store
from ecg_rhythm.evaluation import predictions
from ecg_rhythm.experiments import results
from ecg_rhythm.experiments.run import training_recordings
from ecg_rhythm.inference import classifier
from ecg_rhythm.records import Record
from ecg_rhythm.weights import export, quantise, torch_model
from ecg_rhythm.weights.run_files import finished_folds

RESULT = Path("results/fast")


def main() -> None:
    """Publish the result, and print how far its probabilities are from those of the networks as trained."""
    if RESULT.exists():
        sys.exit(f"{RESULT}: exists already; remove it first")
    job, store = Path(sys.argv[1]), open_store(DATA)
    parts, seconds, scores = [], [], {}
    for fold in finished_folds(job).values():
        began, scores = time.monotonic(), fold.read_scores()
        table = predictions.read_predictions(fold.predictions)
        with tempfile.TemporaryDirectory() as folder:
            exact, quick = Path(folder) / "exact.onnx", Path(folder) / "quick.onnx"
            export.export(*torch_model.load(fold.last_weights), exact)
            quantise.quantise(exact, training_recordings(fold, DATA, quantise.RECORDINGS), quick)
            recordings = [Record(name, store.signal(store.names.index(name)), store.fs, "") for name in table.records]
            probabilities = classifier.load(quick).probabilities(recordings)
        seconds.append(round(time.monotonic() - began, 1))
        difference = np.abs(probabilities - table.probabilities)
        mean, most = difference.mean(), difference.max()
        print(f"{fold.path.name}: probabilities differ by {mean:.4f} on average, {most:.2f} at most")
        parts.append(predictions.Predictions(table.records, table.folds, table.targets, probabilities, table.classes))
    made_from = {key: str(scores[key]) for key in ("data", "split", "labels")}
    title = f"{job.name.capitalize()} network in eight bits, `python -m studies.eight_bits`"
    figures = results.write(RESULT, title, made_from, {"fast": {"seconds": seconds}}, predictions.joined(parts))
    challenge = figures["measures"]["challenge"]
    print(f"challenge score {challenge['mean']:.3f} ± {challenge['sd']:.3f}; see {RESULT}")


if __name__ == "__main__":
    main()
