"""Other open programs that detect atrial fibrillation, on the same recordings: `python -m studies.arena`.

Each program is installed from the package index, with the weights that its package brings, in an environment of its
own under build/arena, and asked through an adapter of `studies/contestants/`. Its answers are kept in results/ as they
come; after an interruption, the study continues. Ours are the published out-of-fold answers: no network is asked
about a recording that it was trained on. Needs the challenge set in data/. An hour of one core.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly
from sklearn.metrics import f1_score, precision_score, recall_score
from tqdm import tqdm

from benchmarks import DATA
from ecg_rhythm import files
from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.evaluation.predictions import read_predictions

RESULTS, BUILD, ADAPTERS = Path("results"), Path("build/arena"), Path(__file__).parent / "contestants"
DRAWS = 2_000
"""Resampled sets of recordings, of which the intervals are."""
OURS = {"default": "`default`", "fast": "`fast`", "features": "`features`"}
"""Published results that take part, and their names in the table."""


@dataclass(frozen=True)
class Contestant:
    """A program of the package index.

    Attributes
    ----------
    name : str
        Of the environment and of the file of answers.
    packages : tuple of str
        What is installed.
    adapter : str
        File in `studies/contestants/`.
    fs : int
        Sampling rate that its network wants, in Hz.
    answers : dict
        Answer of the adapter -> its name in the table.
    trained_on : str
        As its authors say.
    """

    name: str
    packages: tuple[str, ...]
    adapter: str
    fs: int
    answers: dict[str, str]
    trained_on: str


CONTESTANTS = (
    Contestant(
        name="openecg",
        packages=("openecg==0.11.0", "onnxruntime==1.32.0"),
        adapter="openecg_report.py",
        fs=500,
        answers={"network": "openecg 0.11, its network", "rules": "openecg 0.11, its rules"},
        trained_on="hospital ECGs with a cardiologist's rhythm (lydus), waves of LUDB, QTDB and ISP, beats of MIT-BIH "
        "and VitalDB; rules chosen on lydus",
    ),
)
OUR_DATA = "other recordings of the same set (out of fold)"


def answers_of(contestant: Contestant, store: Store) -> dict[str, dict[str, bool]]:
    """Ask a contestant about all recordings that it has not answered yet; record -> its answers."""
    path = RESULTS / f"arena_{contestant.name}.csv"
    if not path.exists():
        path.write_text(",".join(["record", *contestant.answers]) + "\n")
    done = dict(_kept(path, contestant))
    missing = [i for i, name in enumerate(store.names) if name not in done]
    if missing:
        with path.open("a", newline="") as kept:
            for said in _ask(contestant, store, missing):
                row = [said["record"], *(int(said[key]) for key in contestant.answers)]
                csv.writer(kept, lineterminator="\n").writerow(row)
                kept.flush()
    return dict(_kept(path, contestant))


def _kept(path: Path, contestant: Contestant) -> Iterator[tuple[str, dict[str, bool]]]:
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if all(row[key] in ("0", "1") for key in contestant.answers):  # the last row may have been cut off
                yield row["record"], {key: row[key] == "1" for key in contestant.answers}


def _ask(contestant: Contestant, store: Store, which: Sequence[int]) -> Iterator[dict[str, Any]]:
    python = BUILD / contestant.name / "bin" / "python"
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *contestant.packages], check=True)
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [python, ADAPTERS / contestant.adapter]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=alone) as asked:
        assert asked.stdin is not None and asked.stdout is not None
        for i in tqdm(which, desc=contestant.name):
            signal = resample_poly(store.signal(i).astype(np.float64), contestant.fs, int(store.fs))
            asked.stdin.write(json.dumps({"record": store.names[i], "signal": signal.round(4).tolist()}) + "\n")
            asked.stdin.flush()
            if not (line := asked.stdout.readline()):
                break  # its own error is on standard error
            yield json.loads(line)
        asked.stdin.close()
    if asked.returncode:
        sys.exit(f"{contestant.name} ended with {asked.returncode}; what it answered is kept")


def figures(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, float]:
    """Sensitivity, specificity, positive predictive value and F1 of atrial fibrillation."""
    return {
        "sensitivity": float(recall_score(truth, said)),
        "specificity": float(recall_score(~truth, ~said)),
        "predictive value": float(precision_score(truth, said, zero_division=0)),
        "F1": float(f1_score(truth, said)),
    }


def with_intervals(said: NDArray[np.bool_], truth: NDArray[np.bool_], seed: int = 0) -> dict[str, list[float]]:
    """Each figure, and its 95 % interval over resampled recordings."""
    rng = np.random.default_rng(seed)
    draws = [figures(said[i], truth[i]) for i in (rng.integers(0, len(said), len(said)) for _ in range(DRAWS))]
    whole = figures(said, truth)
    return {
        key: [value, *np.quantile([draw[key] for draw in draws], [0.025, 0.975]).tolist()]
        for key, value in whole.items()
    }


def main() -> None:
    """Ask all, and write results/arena.json."""
    store = open_store(DATA)
    labels = dict(zip(store.names, store.labels_of(), strict=True))
    rows: list[tuple[str, str, dict[str, bool]]] = []
    for contestant in CONTESTANTS:
        found = answers_of(contestant, store)
        for key, title in contestant.answers.items():
            rows.append((title, contestant.trained_on, {name: said[key] for name, said in found.items()}))
    for result, title in OURS.items():
        published = read_predictions(RESULTS / result / "predictions.csv")
        most = [published.classes[i] for i in published.probabilities.argmax(axis=1)]
        said = {name: label == "A" for name, label in zip(published.records, most, strict=True)}
        rows.append((title, OUR_DATA, said))
    table: list[dict[str, Any]] = []
    for title, trained_on, said in rows:
        names = sorted(said)
        truth, answer = np.array([labels[n] == "A" for n in names]), np.array([said[n] for n in names])
        noise = np.array([labels[n] == "~" for n in names])
        table.append(
            {
                "program": title,
                "trained on": trained_on,
                "recordings": len(names),
                "all": with_intervals(answer, truth),
                "without noise": with_intervals(answer[~noise], truth[~noise]),
            }
        )
        print(title, {key: round(value[0], 3) for key, value in table[-1]["all"].items()}, flush=True)
    files.write_json(RESULTS / "arena.json", {"labels": store.default_labels, "draws": DRAWS, "rows": table})


if __name__ == "__main__":
    main()
