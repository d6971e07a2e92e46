"""What a lost node and a killed search leave: `python -m studies.interruptions [--to FILE] [--pictures FOLDER]`.

On a small part of the challenge set: a queue of the demo's two networks in five folds on a Ray cluster of two nodes of
this machine, one of which is killed, against the local queue; and a search of 20 trials of the demo's CNN, which is
killed once and goes on, against one that is left alone. Half an hour on one core.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ecg_rhythm.evaluation.metrics import spread
from ecg_rhythm.experiments.jobs import plan
from ecg_rhythm.experiments.local import LocalEngine
from ecg_rhythm.experiments.queue import QueuedRun, Status, enqueue, work_off
from ecg_rhythm.networks.registry import check
from scripts.ray_cluster import add_node, empty_cluster
from studies.equal_epochs import small_store

EVERY, EPOCHS, FOLDS = 28, 6, 5
"""Every such recording is used; epochs of a run; folds."""
NETWORKS = ("CNN_demo", "CRNN_demo")
SPACE = {
    "training_parameters.learning_rate": {"log_range": [1e-4, 1e-2]},
    "training_parameters.drop_rate": {"range": [0.0, 0.5]},
    "model_parameters.n_channels_first": [8, 16],
}
TRIALS, KILLED_AFTER = 20, 8
"""Trials of the search, and how many are finished when it is killed."""
PICTURES = ("history.png", "importance.png", "slices.png")


def planned(folder: Path, logs: Path) -> list[QueuedRun]:
    """The runs of both networks."""
    jobs = {name: {"model": name, "split": "split_5_6_14", "cvids": [*range(FOLDS)]} for name in NETWORKS}
    (folder / "jobs.json").write_text(json.dumps(jobs))
    return enqueue(plan(folder / "jobs.json", epochs=[EPOCHS], check=check), logs)


def lost_node(folder: Path) -> dict[str, Any]:
    """Work off a queue on two nodes, of which one is killed, and on this machine; compare."""
    from ecg_rhythm.experiments.ray_engine import ray_engine

    queue, lost, done = planned(folder, folder / "cluster"), set[str](), 0
    with empty_cluster() as cluster:
        nodes = [add_node(cluster), add_node(cluster)]

        def kill_a_node(queue: list[QueuedRun]) -> None:
            nonlocal done
            under_way = [run for run in queue if run.status is Status.RUNNING]
            lost.update(run.spec.title for run in under_way if "tried again" in run.error)
            finished = sum(run.status is Status.DONE for run in queue)
            is_time = finished >= len(queue) // 3 and all(run.run.checkpoint.exists() for run in under_way)
            if len(nodes) == 2 and is_time:
                done = finished
                cluster.remove_node(nodes.pop(), allow_graceful=False)

        with ray_engine(folder / "data", folder / "cluster", cluster.address) as engine:
            work_off(queue, engine, watch=kill_a_node)
    here = planned(folder, folder / "here")
    work_off(here, LocalEngine(folder / "data", folder / "here", ["cpu"]))
    scores = {name: [_score(run) for run in queue if run.spec.job_name == name] for name in NETWORKS}
    return {
        "runs": len(queue),
        "done when a node was killed": done,
        "tried again": len(lost),
        "done": sum(run.status is Status.DONE for run in queue),
        "predictions as of the local queue": sum(
            one.run.predictions.read_bytes() == other.run.predictions.read_bytes()
            for one, other in zip(queue, here, strict=True)
        ),
        "scores": {name: asdict(spread(of_folds)) for name, of_folds in scores.items()},
    }


def _score(run: QueuedRun) -> float:
    return float(run.run.read_scores()["phases"][-1]["test"]["challenge"])


def killed_search(folder: Path, pictures: Path | None) -> dict[str, Any]:
    """Search twice, once killed on the way; compare the tables of trials."""
    space = {"model": NETWORKS[0], "split": "split_5_6_14", "space": SPACE}
    (folder / "rates.json").write_text(json.dumps(space))
    words = [sys.executable, "-m", "ecg_rhythm", "search", str(folder / "rates.json"), "--trials", str(TRIALS)]
    words += ["--epochs", str(EPOCHS), "--devices", "cpu", "--data", str(folder / "data"), "--logs"]
    tables, finished = {}, 0
    for way in ("killed", "alone"):
        logs = folder / way
        if way == "killed":
            process = subprocess.Popen([*words, str(logs)], start_new_session=True)
            while sum(1 for _ in logs.glob("searches/rates/trials/*/*/fold0/scores.json")) < KILLED_AFTER:
                if process.poll() is not None:
                    raise RuntimeError("the search ended before it was killed")
                time.sleep(0.5)
            time.sleep(5)  # in the middle of a trial
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            finished = sum(1 for _ in logs.glob("searches/rates/trials/*/*/fold0/scores.json"))
        subprocess.run([*words, str(logs)], check=True)
        with (logs / "searches" / "rates" / "trials.csv").open(newline="") as file:
            tables[way] = list(csv.DictReader(file))
        if way == "killed" and pictures:
            for name in PICTURES:
                shutil.copy(logs / "searches" / "rates" / name, pictures / f"search_{name}")
    trials = tables["killed"]
    scores = [float(row["validation score"]) for row in trials if row["validation score"]]
    return {
        "trials": len(trials),
        "finished when it was killed": finished,
        "states": Counter(row["state"] for row in trials),
        "table as of the search that was left alone": tables["killed"] == tables["alone"],
        "best validation score": max(scores),
        "lowest validation score": min(scores),
    }


def main() -> None:
    """Do both, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, help="JSON file for the figures")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures of the search")
    arguments = parser.parse_args()
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = small_store(folder / "data", EVERY)
        figures: dict[str, Any] = {"recordings": len(store), "epochs": EPOCHS}
        figures["search"] = killed_search(folder, arguments.pictures)
        figures["queue"] = lost_node(folder)
    print(json.dumps(figures, indent=2))
    if arguments.to:
        arguments.to.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
