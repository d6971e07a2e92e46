"""The whole way, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.signal import find_peaks

from ecg_rhythm.data import synthetic
from tests.cli.test_commands import recordings
from tests.commands import run


def ecg_rhythm(*words: object) -> str:
    done = run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_labelled_recordings_to_a_table_and_a_classification(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "mine", n=36)
    data, logs = tmp_path / "data", tmp_path / "logs"
    assert "36 recordings at 100 Hz" in ecg_rhythm(
        "pack", folder, "--labels", folder / "labels.csv", "--fs", 100, "--data", data
    )
    ecg_rhythm("split", "--folds", 2, "--ratio", 3, "--keep-together", "--data", data)
    assert "labels (default)" in ecg_rhythm("info", "--data", data)
    jobs = {"demo": {"model": "CRNN_demo", "split": "split_2_3_14_together", "cvids": [0, 1], "log_en": "False"}}
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    said = ecg_rhythm(
        "queue", tmp_path / "jobs.json", "--devices", "cpu,cpu", "--data", data, "--logs", logs, "--epochs", "1,1,1,0,0"
    )
    assert "all 2 runs are done" in said
    assert not list(logs.rglob("events.out.tfevents.*"))
    assert "CRNN/demo" in ecg_rhythm("summarize", "--logs", logs)
    for words, phases in (([], [4]), (["--all-phases"], [0, 1, 2, 3, 4])):
        summary = json.loads(ecg_rhythm("summarize", "CRNN", "--logs", logs, "--json", *words))
        assert [entry["phase"] for entry in summary] == phases
    vote = logs / "CRNN" / "demo"
    predictions = json.loads(ecg_rhythm("classify", folder / "r000", folder / "r001.hea", "--model", vote, "--json"))
    assert [p["record"] for p in predictions] == ["r000", "r001"]
    assert predictions[0]["probabilities"].keys() == {"A", "N", "~"}


def test_synthetic_rhythms_are_what_they_are_called() -> None:
    rng = np.random.default_rng(0)

    def intervals(label: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        signal = synthetic.rhythm(label, rng)
        peaks = find_peaks(signal, height=0.6 * np.quantile(signal, 0.995), distance=60)[0]
        gaps: np.ndarray[tuple[int], np.dtype[np.float64]] = np.diff(peaks) / synthetic.FS
        return gaps

    for _ in range(5):
        normal, fibrillation, other = intervals("N"), intervals("A"), intervals("O")
        assert 55 <= 60 / np.median(normal) <= 100
        assert normal.std() / normal.mean() < 0.1
        assert fibrillation.std() / fibrillation.mean() > 0.12
        assert not 50 <= 60 / np.median(other) <= 105
