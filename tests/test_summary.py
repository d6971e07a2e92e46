from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from statistics import mean, stdev

import pytest

from ecg_rhythm import summary
from ecg_rhythm.errors import BadInput
from ecg_rhythm.scores import score


def finished(logs: Path, job: str, fold: int, predicted: list[int], split: str = "s", folds: int = 3) -> float:
    folder = logs / "CNN" / job / f"fold{fold}"
    folder.mkdir(parents=True)
    scores = score([0, 0, 1, 1, 2, 2], predicted, ["A", "N", "~"])
    (folder / "job.json").write_text(json.dumps({"cvids": list(range(folds))}))
    content = {
        "architecture": "CNN",
        "job": job,
        "fold": fold,
        "classes": ["A", "N", "~"],
        "data": "x",
        "split": split,
        "labels": "v3",
        "seconds": 1.0,
        "phases": [{"phase": 0, "epochs": 1, "best_epoch": 1, "valid": scores, "test": scores}],
    }
    (folder / "scores.json").write_text(json.dumps(content))
    return scores["challenge"]


GOOD, FAIR, POOR = [0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 2], [1, 1, 0, 1, 2, 0]


def test_mean_and_sample_standard_deviation_over_folds(tmp_path: Path) -> None:
    values = [finished(tmp_path, "a", k, p) for k, p in enumerate([GOOD, FAIR, POOR])]
    (configuration,) = summary.summarize(tmp_path)
    spread = configuration.spread("challenge")
    assert spread.mean == pytest.approx(mean(values))
    assert spread.sd == pytest.approx(stdev(values))
    assert configuration.missing == []


def test_missing_folds_are_said_and_one_fold_has_no_spread(tmp_path: Path) -> None:
    finished(tmp_path, "a", 1, GOOD)
    (tmp_path / "CNN" / "a" / "fold0").mkdir()
    (configuration,) = summary.summarize(tmp_path)
    assert configuration.missing == [0, 2]
    assert configuration.spread("A").sd is None


def test_ranking_pairs_differences_by_fold(tmp_path: Path) -> None:
    best = [finished(tmp_path, "best", k, p) for k, p in enumerate([GOOD, FAIR, GOOD])]
    other = [finished(tmp_path, "other", k, p) for k, p in enumerate([FAIR, POOR])]
    finished(tmp_path, "elsewhere", 0, POOR, split="t")
    ranked = summary.ranking(summary.summarize(tmp_path, "CNN"))
    assert [c.job for c, _ in ranked] == ["best", "other", "elsewhere"]
    differences = [o - b for o, b in zip(other, best, strict=False)]
    assert ranked[1][1] is not None
    assert ranked[1][1].mean == pytest.approx(mean(differences))
    assert ranked[1][1].sd == pytest.approx(stdev(differences))
    assert ranked[2][1] is None


def test_csv_and_json_hold_every_fold_and_measure(tmp_path: Path) -> None:
    values = [finished(tmp_path, "a", k, p) for k, p in enumerate([GOOD, POOR])]
    found = summary.summarize(tmp_path)
    rows = list(csv.DictReader(io.StringIO(summary.as_csv(found))))
    assert len(rows) == 2 * 5
    challenge = [float(r["value"]) for r in rows if r["measure"] == "challenge"]
    assert challenge == pytest.approx(values, abs=1e-6)
    (entry,) = json.loads(summary.as_json(found))
    assert entry["mean"]["challenge"] == pytest.approx(mean(values))
    assert entry["missing_folds"] == [2]
    assert set(entry["sd"]) == {"challenge", "A", "N", "~", "accuracy"}


def test_no_finished_run_is_one_sentence(tmp_path: Path) -> None:
    finished(tmp_path, "a", 0, GOOD)
    with pytest.raises(BadInput, match=r"there is no finished run in it.*there are logs of CNN"):
        summary.summarize(tmp_path, "RNN")
