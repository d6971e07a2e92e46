from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from statistics import mean, stdev

import pytest
from rich.console import Console

from ecg_rhythm.cli.summarize import print_summaries
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation import significance
from ecg_rhythm.evaluation.metrics import scores_for_file
from ecg_rhythm.experiments import summary
from tests.commands import run
from tests.helpers import model


def finished(
    logs: Path, job: str, fold: int, predicted: list[int], split: str = "s", folds: int = 3, taught: bool = False
) -> float:
    folder = logs / "CNN" / job / f"fold{fold}"
    folder.mkdir(parents=True)
    scores = scores_for_file([0, 0, 1, 1, 2, 2], predicted, ["A", "N", "~"])
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
    of_teacher = {"teacher": {"seconds": 1.0, "cpu_seconds": 1.0}} if taught else {}
    (folder / "scores.json").write_text(json.dumps(content | of_teacher))
    made_from = {"model": model().model_dump(), "job": {"split": split, "fold": fold}, "data": {"split": split}}
    (folder / "run.json").write_text(json.dumps(made_from))
    challenge: float = scores["challenge"]
    return challenge


GOOD, FAIR, POOR = [0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 2], [1, 1, 0, 1, 2, 0]


def test_mean_and_sample_standard_deviation_over_folds(tmp_path: Path) -> None:
    values = [finished(tmp_path, "a", k, p) for k, p in enumerate([GOOD, FAIR, POOR])]
    (configuration,), problems = summary.summarize(tmp_path)
    assert problems == []
    spread = configuration.spreads["challenge"]
    assert spread.mean == pytest.approx(mean(values))
    assert spread.sd == pytest.approx(stdev(values))
    assert configuration.missing == []


def test_splits_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for job, fold in (("a", 0), ("a", 1), ("b", 0), ("b", 1)):
        finished(tmp_path, job, fold, GOOD)
    assert len(summary.rankings(summary.summarize(tmp_path)[0])) == 1
    for fold in (0, 1):
        path = tmp_path / "CNN" / "b" / f"fold{fold}" / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"data": {"split": "remade"}}))
    found, _ = summary.summarize(tmp_path)
    assert len(summary.rankings(found)) == 2
    assert found[0].difference(found[1]) is None


def test_missing_folds_are_said_and_one_fold_has_no_spread(tmp_path: Path) -> None:
    finished(tmp_path, "a", 1, GOOD)
    (tmp_path / "CNN" / "a" / "fold0").mkdir()
    (configuration,), _ = summary.summarize(tmp_path)
    assert configuration.missing == [0, 2]
    assert configuration.spreads["F1 A"].sd is None


def test_ranking_pairs_differences_by_fold(tmp_path: Path) -> None:
    best = [finished(tmp_path, "best", k, p) for k, p in enumerate([GOOD, FAIR, GOOD])]
    other = [finished(tmp_path, "other", k, p) for k, p in enumerate([FAIR, POOR])]
    finished(tmp_path, "elsewhere", 0, POOR, split="t")
    ranked, elsewhere = summary.rankings(summary.summarize(tmp_path, "CNN")[0])
    assert [c.job for c, _ in ranked] == ["best", "other"]
    assert [c.job for c, _ in elsewhere] == ["elsewhere"]
    differences = [o - b for o, b in zip(other, best, strict=False)]
    assert ranked[1][1] is not None
    assert ranked[1][1].mean == pytest.approx(mean(differences))
    assert ranked[1][1].sd == pytest.approx(stdev(differences))


def test_p_values_of_the_ranking_are_corrected_for_all_its_pairs(tmp_path: Path) -> None:
    for job, predicted in {"a": [GOOD, FAIR, GOOD], "b": [FAIR, POOR, FAIR], "c": [POOR, POOR, FAIR]}.items():
        for k, p in enumerate(predicted):
            finished(tmp_path, job, k, p)
    found, _ = summary.summarize(tmp_path)
    (ranked,) = summary.rankings(found)
    by_job = {c.job: c for c in found}
    raw = [by_job[x].difference(by_job[y]) for x, y in (("b", "a"), ("c", "a"), ("c", "b"))]
    expected = significance.holm([pair.p if pair else None for pair in raw])
    assert [d.p for _, d in ranked[1:] if d] == expected[:2]
    assert "Nadeau and Bengio 2003" in shown(found)


def test_jobs_of_different_folds_are_said_to_be_so(tmp_path: Path) -> None:
    for k, p in enumerate([FAIR, FAIR, FAIR]):
        finished(tmp_path, "whole", k, p)
    finished(tmp_path, "single", 1, GOOD, folds=1)
    found, _ = summary.summarize(tmp_path)
    assert {folds: [c.job for c in group] for folds, group in summary.by_folds(found).items()} == {
        (1,): ["single"],
        (0, 1, 2): ["whole"],
    }
    (ranked,) = summary.rankings(found)
    assert [c.job for c, _ in ranked] == ["whole", "single"]
    assert "jobs are of different folds: 0, 1, 2 (CNN/whole); 1 (CNN/single)" in shown(found)
    shutil.rmtree(tmp_path / "CNN" / "single")
    assert "different folds" not in shown(summary.summarize(tmp_path)[0])


def test_only_the_last_phase_of_each_job_is_shown_unless_asked_for(tmp_path: Path) -> None:
    finished(tmp_path, "a", 0, GOOD)
    file = tmp_path / "CNN" / "a" / "fold0" / "scores.json"
    scores = json.loads(file.read_text())
    file.write_text(json.dumps(scores | {"phases": [scores["phases"][0], scores["phases"][0] | {"phase": 1}]}))
    assert [c.phase for c in summary.summarize(tmp_path)[0]] == [1]
    both, _ = summary.summarize(tmp_path, all_phases=True)
    assert [c.phase for c in both] == [0, 1]
    assert "phase 0" in shown(both) and "phase 0" not in shown(summary.summarize(tmp_path)[0])


def shown(configurations: list[summary.Configuration]) -> str:
    console = Console(record=True, width=200, file=io.StringIO())
    print_summaries(console, configurations)
    return console.export_text()


def test_a_job_with_missing_folds_does_not_lead(tmp_path: Path) -> None:
    for k, p in enumerate([FAIR, FAIR, FAIR]):
        finished(tmp_path, "whole", k, p)
    finished(tmp_path, "lucky", 0, GOOD)
    (ranked,) = summary.rankings(summary.summarize(tmp_path)[0])
    assert [c.job for c, _ in ranked] == ["whole", "lucky"]


def test_folds_that_do_not_belong_together_are_not_averaged(tmp_path: Path) -> None:
    finished(tmp_path, "good", 0, GOOD)
    finished(tmp_path, "mixed", 0, GOOD, split="s")
    finished(tmp_path, "mixed", 1, GOOD, split="t")
    found, problems = summary.summarize(tmp_path)
    assert [c.job for c in found] == ["good"]
    assert len(problems) == 1 and "fold0 and fold1 were made from different" in problems[0]
    run = tmp_path / "CNN" / "mixed" / "fold1" / "run.json"
    same_name = json.loads(run.read_text()) | {"job": {"split": "s", "fold": 1}}
    run.write_text(json.dumps(same_name))
    assert "fold0 and fold1 were made from different" in summary.summarize(tmp_path)[1][0]


def test_a_copy_of_a_fold_does_not_count(tmp_path: Path) -> None:
    value = finished(tmp_path, "a", 0, FAIR)
    shutil.copytree(tmp_path / "CNN" / "a" / "fold0", tmp_path / "CNN" / "a" / "fold0_old")
    (configuration,), _ = summary.summarize(tmp_path)
    assert {fold: metrics["challenge"] for fold, metrics in configuration.folds.items()} == {0: value}


def test_csv_and_json_hold_every_fold_and_measure(tmp_path: Path) -> None:
    values = [finished(tmp_path, "a", k, p) for k, p in enumerate([GOOD, POOR])]
    found, _ = summary.summarize(tmp_path)
    rows = list(csv.DictReader(io.StringIO(summary.as_csv(found))))
    assert len(rows) == 2 * len(found[0].spreads)
    challenge = [float(r["value"]) for r in rows if r["measure"] == "challenge"]
    assert challenge == pytest.approx(values, abs=1e-6)
    (entry,) = json.loads(summary.as_json(found))
    assert entry["mean"]["challenge"] == pytest.approx(mean(values))
    assert entry["missing_folds"] == [2]
    assert set(entry["sd"]) >= {"challenge", "F1 A", "F1 N", "F1 ~", "accuracy"}


@pytest.mark.parametrize("taught", [False, True])
def test_it_is_said_whether_networks_learned_from_a_teacher(tmp_path: Path, taught: bool) -> None:
    finished(tmp_path, "a", 0, GOOD, taught=taught)
    found, _ = summary.summarize(tmp_path)
    assert {row["teacher"] for row in csv.DictReader(io.StringIO(summary.as_csv(found)))} == {"yes" if taught else "no"}
    assert [entry["teacher"] for entry in json.loads(summary.as_json(found))] == [taught]
    shown = run("summarize", "--logs", tmp_path).stdout.split()
    assert "teacher" in shown and ("yes" in shown) == taught


def test_no_finished_run_is_one_sentence(tmp_path: Path) -> None:
    finished(tmp_path, "a", 0, GOOD)
    with pytest.raises(BadInput, match=r"there is no finished run in it.*there are logs of CNN"):
        summary.summarize(tmp_path, "RNN")
