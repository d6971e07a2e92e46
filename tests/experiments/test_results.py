from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from sklearn import metrics

import ecg_rhythm
from ecg_rhythm import checksums
from ecg_rhythm.cli.export import export as export_command
from ecg_rhythm.cli.results import print_evaluation, print_result
from ecg_rhythm.data.split_rules import make_for_store
from ecg_rhythm.data.splits import save_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.evaluation.evaluate import calibration_error, differences, evaluate
from ecg_rhythm.evaluation.predictions import Predictions, joined, read_predictions, write_predictions
from ecg_rhythm.experiments import publishing, results, robustness
from ecg_rhythm.experiments.run import train
from ecg_rhythm.weights import onnx_model
from scripts import tables
from tests.helpers import model, refusal, small_store, spec

PUBLISHED = Path(__file__).parents[2] / "results"


def made_up(n: int = 300, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 3, n)
    logits = rng.standard_normal((n, 3)) + 1.5 * np.eye(3)[targets]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions([f"r{i:03d}" for i in range(n)], np.arange(n) % 3, targets, probabilities, ["A", "N", "~"])


def test_figures_are_those_of_scikit_learn() -> None:
    predictions = made_up()
    found = evaluate(predictions)
    for k in range(3):
        fold = predictions[predictions.folds == k]
        f1 = metrics.f1_score(fold.targets, fold.labels, average=None)
        assert found["measures"]["challenge"]["folds"][k] == pytest.approx(f1[:2].mean())
        auroc = metrics.roc_auc_score(fold.targets, fold.probabilities, average=None, multi_class="ovr")
        assert [found["measures"][f"AUROC {name}"]["folds"][k] for name in "AN~"] == pytest.approx(list(auroc))
    assert found["confusion"] == metrics.confusion_matrix(predictions.targets, predictions.labels).tolist()
    accuracies = np.array(found["measures"]["accuracy"]["folds"], dtype=float)
    assert found["measures"]["accuracy"]["sd"] == pytest.approx(np.std(accuracies, ddof=1))


def test_a_class_that_a_fold_lacks_has_no_auroc_there() -> None:
    whole = made_up()
    found = evaluate(whole[(whole.folds != 1) | (whole.targets != 2)])
    lacking, whole_class = found["measures"]["AUROC ~"], found["measures"]["AUROC A"]
    assert [value is None for value in lacking["folds"]] == [False, True, False]
    assert lacking["mean"] == pytest.approx(np.mean([value for value in lacking["folds"] if value is not None]))
    assert None not in whole_class["folds"]


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probabilities = np.tile([0.9, 0.1], (10, 1))
    assert calibration_error(probabilities, np.array([0] * 6 + [1] * 4)) == pytest.approx(0.3)
    assert calibration_error(probabilities, np.array([0] * 9 + [1])) == pytest.approx(0.0)


def test_calibration_is_measured_on_folds_it_was_not_fitted_on() -> None:
    honest = made_up(3000)
    boastful = honest.probabilities**3
    predictions = replace(honest, probabilities=boastful / boastful.sum(axis=1, keepdims=True))
    found = evaluate(predictions)["calibrated"]
    assert found is not None
    assert found["calibration_error"] < 0.03 < evaluate(predictions)["calibration_error"]
    for coverage in (0.8, 0.9, 0.95):
        shares = found["class_coverage"][str(coverage)]
        assert shares.keys() == {"A", "N", "~"}
        assert all(abs(share - coverage) < 0.04 for share in [found["coverage"][str(coverage)], *shares.values()])
    assert found["sizes"]["0.8"] < found["sizes"]["0.9"] < found["sizes"]["0.95"] <= 3
    one_fold = predictions[predictions.folds == 0]
    assert evaluate(one_fold)["calibrated"] is None


def test_predictions_are_read_as_they_were_written(tmp_path: Path) -> None:
    predictions = made_up()
    write_predictions(tmp_path / "p.csv", {"valid": made_up(9, seed=1), "test": predictions})
    found = read_predictions(tmp_path / "p.csv")
    assert (found.records, found.classes) == (predictions.records, predictions.classes)
    np.testing.assert_array_equal(found.targets, predictions.targets)
    np.testing.assert_allclose(found.probabilities, predictions.probabilities, atol=1e-6)
    assert len(read_predictions(tmp_path / "p.csv", "valid").records) == 9


@pytest.fixture(scope="module")
def jobs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    logs = tmp_path_factory.mktemp("logs")
    config = model(training_parameters__epochs=[1])
    for seed in (0, 1):
        for fold in (0, 1):
            train(spec(config, fold, f"seed{seed}", seed=seed), data, logs, device="cpu")
    return [logs / "CNN" / "seed0", logs / "CNN" / "seed1"]


@pytest.fixture
def members(jobs: list[Path], data: Path, tmp_path: Path) -> list[Path]:
    for job in jobs:
        publishing.publish([job], tmp_path / job.name, f"a network, {job.name}", data)
    return [tmp_path / job.name for job in jobs]


def with_another_split(data: Path, folder: Path) -> None:
    """Copy a data folder, but for its split, which another of the same name stands for."""
    shutil.copytree(data / "store", folder / "store")
    made = make_for_store(open_store(folder), folds=2, ratio=3, seed=15, name="split_2_3_14")
    save_split(made, splits_folder(folder) / made.name)


def test_what_differs_between_folds_is_told_of_each(jobs: list[Path], data: Path, tmp_path: Path) -> None:
    job = tmp_path / "job"
    shutil.copytree(jobs[0], job)
    facts = json.loads((job / "fold1" / "environment.json").read_text())
    (job / "fold1" / "environment.json").write_text(json.dumps(facts | {"threads": 64}))
    change(job / "fold1" / "scores.json", {"files": {}})
    publishing.publish([job], tmp_path / "r", "x", data)
    (told,) = results.read(tmp_path / "r")[0]["training"].values()
    assert told["threads"] == [facts["threads"], 64] and told["torch"] == facts["torch"]


def test_folds_of_a_job_from_several_machines_are_published_together(
    jobs: list[Path], data: Path, tmp_path: Path
) -> None:
    for fold, other in ((0, 1), (1, 0)):
        shutil.copytree(jobs[0], tmp_path / f"machine{fold}" / "seed0")
        shutil.rmtree(tmp_path / f"machine{fold}" / "seed0" / f"fold{other}")
    first, second = (tmp_path / f"machine{fold}" / "seed0" for fold in (0, 1))
    facts = json.loads((second / "fold1" / "environment.json").read_text())
    (second / "fold1" / "environment.json").write_text(json.dumps(facts | {"threads": 64}))
    change(second / "fold1" / "scores.json", {"files": {}})
    whole = publishing.publish([jobs[0]], tmp_path / "whole", "x", data)
    assert publishing.publish([second, first], tmp_path / "together", "x", data) == whole
    publishing.publish([second], tmp_path / "half", "x", data)
    assert publishing.publish([tmp_path / "half", first], tmp_path / "completed", "x", data) == whole
    for name in ("together", "completed"):
        result, predictions = results.read(tmp_path / name)
        assert result["missing_folds"] == [] and results.recipe_of(tmp_path / name)[1].cvids == [0, 1]
        assert predictions.records == results.read(tmp_path / "whole")[1].records
        (spent,) = result["training"].values()
        assert spent["threads"] == [facts["threads"], 64] and spent["torch"] == facts["torch"]
        assert spent["seconds"] == results.read(tmp_path / "whole")[0]["training"]["seed0"]["seconds"]


def test_folds_of_other_jobs_or_twice_the_same_are_not_published_together(
    jobs: list[Path], members: list[Path], data: Path, tmp_path: Path
) -> None:
    def says(*sources: Path) -> str:
        return refusal(lambda: publishing.publish(sources, tmp_path / "r", "x", data))

    assert "are of different jobs, models, splits or data" in says(*jobs)
    assert "are of different jobs, models, splits or data" in says(jobs[0], members[1])
    assert "fold 0 is in another of these folders, too; leave one of them out" in says(jobs[0], members[0])
    assert not (tmp_path / "r").exists()


def test_a_class_may_be_called_all() -> None:
    predictions = replace(made_up(), classes=["A", "all", "~"])
    found = evaluate(predictions)["calibrated"]
    assert found is not None
    assert found["coverage"]["0.9"] != found["class_coverage"]["0.9"]["all"]


def test_a_vote_is_the_mean_of_models_that_did_not_train_on_a_recording(
    members: list[Path], jobs: list[Path], data: Path, tmp_path: Path
) -> None:
    published = results.vote(members, tmp_path / "vote", "two seeds")
    result, predictions = results.read(tmp_path / "vote")
    assert result["title"] == "two seeds"
    assert list(result["training"]) == ["seed0", "seed1"]
    assert differences(published, evaluate(predictions)) == []
    assert sorted(predictions.records) == sorted(open_store(data).names)
    for fold in (0, 1):
        tables = [read_predictions(job / f"fold{fold}" / "predictions.csv") for job in jobs]
        chosen = predictions[predictions.folds == fold]
        assert set(chosen.records) == set(tables[0].records)
        rows = dict(zip(chosen.records, chosen.probabilities, strict=True))
        for i, name in enumerate(tables[0].records):
            want = (tables[0].probabilities[i] + tables[1].probabilities[i]) / 2
            np.testing.assert_allclose(rows[name], want, atol=2e-6)


def change(path: Path, values: dict[str, Any]) -> None:
    """Change values of a sealed JSON file, and seal it again."""
    path.write_text(checksums.sealed(checksums.unsealed(path.read_bytes()) | values))


def test_results_that_do_not_fit_together_cannot_vote(members: list[Path], tmp_path: Path) -> None:
    one, other = members
    assert "two different results or more" in refusal(lambda: results.vote([one], tmp_path / "r", "x"))
    assert "two different results or more" in refusal(lambda: results.vote([one, one], tmp_path / "r", "x"))
    results.vote(members, tmp_path / "both", "x")
    assert "seed0 has a vote already" in refusal(lambda: results.vote([one, tmp_path / "both"], tmp_path / "r", "x"))
    for key, value in {"split": "another", "labels": "v1", "data": "0"}.items():
        shutil.copytree(other, tmp_path / key)
        change(tmp_path / key / "result.json", {key: value})
        both = [one, tmp_path / key]
        assert "such results cannot vote" in refusal(partial(results.vote, both, tmp_path / "r", "x"))
    shutil.copytree(other, tmp_path / "folds")
    table = (tmp_path / "folds" / "predictions.csv").read_text()
    swapped = table.replace(",0,", ",x,").replace(",1,", ",0,").replace(",x,", ",1,")
    (tmp_path / "folds" / "predictions.csv").write_text(swapped)
    change(tmp_path / "folds" / "result.json", {"files": {}})
    assert "such results cannot vote" in refusal(partial(results.vote, [one, tmp_path / "folds"], tmp_path / "r", "x"))
    rows = (other / "predictions.csv").read_text().splitlines()
    (other / "predictions.csv").write_text("\n".join(rows[:-1]))
    change(other / "result.json", {"files": {}})
    assert "such results cannot vote" in refusal(lambda: results.vote([one, other], tmp_path / "r", "x"))
    assert not (tmp_path / "r").exists()


def test_a_result_can_be_made_anew_from_its_own_folder(jobs: list[Path], data: Path, tmp_path: Path) -> None:
    publishing.publish([jobs[0]], tmp_path / "one", "one seed", data)
    run = results.spec(tmp_path / "one", 1, data)
    train(run, data, tmp_path / "logs", device="cpu")
    anew = joined([read_predictions(run.folder(tmp_path / "logs") / "predictions.csv")])
    _, predictions = results.read(tmp_path / "one")
    published = predictions[predictions.folds == 1]
    assert anew.records == published.records
    np.testing.assert_allclose(anew.probabilities, published.probabilities, atol=1e-6)
    assert "there is no fold 7 in it" in refusal(lambda: results.spec(tmp_path / "one", 7, data))
    store = small_store(tmp_path / "other", 24)
    assert "another data set or split" in refusal(lambda: results.spec(tmp_path / "one", 1, tmp_path / "other"))
    with_another_split(data, tmp_path / "again")
    assert store.fingerprint != open_store(tmp_path / "again").fingerprint == open_store(data).fingerprint
    assert "another data set or split" in refusal(lambda: results.spec(tmp_path / "one", 1, tmp_path / "again"))


def test_a_result_that_no_job_made_is_checked_but_not_made_anew(tmp_path: Path) -> None:
    predictions = made_up()
    made_from = {"data": "x", "split": "s", "labels": "v3"}
    published = results.write(tmp_path / "ridge", "by hand", made_from, {"ridge": {"seconds": [1]}}, predictions)
    _, found = results.read(tmp_path / "ridge")
    assert differences(published, evaluate(found)) == []
    assert "no job made it" in refusal(lambda: results.spec(tmp_path / "ridge", 0, tmp_path))


@pytest.mark.parametrize("result", sorted(PUBLISHED.glob("*/result.json")), ids=lambda path: path.parent.name)
def test_published_figures_are_those_of_the_published_predictions(result: Path) -> None:
    published, predictions = results.read(result.parent)
    assert differences(published["figures"], evaluate(predictions)) == []
    assert published["missing_folds"] or len(set(predictions.records)) == 8528
    f1 = [metrics.f1_score(f.targets, f.labels, average=None)[:3].mean() for f in folds_of(predictions)]
    assert published["figures"]["measures"]["challenge"]["mean"] == pytest.approx(np.mean(f1))
    computed = evaluate(predictions)["measures"]
    for title, metric in (("AUROC", metrics.roc_auc_score), ("AUPRC", metrics.average_precision_score)):
        for i, name in enumerate(predictions.classes):
            theirs = [metric(f.targets == i, f.probabilities[:, i]) for f in folds_of(predictions)]
            assert computed[f"{title} {name}"]["folds"] == pytest.approx(theirs, abs=1e-12)


def folds_of(predictions: Predictions) -> list[Predictions]:
    return [predictions[predictions.folds == k] for k in np.unique(predictions.folds)]


@pytest.fixture
def part(jobs: list[Path], tmp_path: Path) -> Path:
    """A job whose first fold is not finished."""
    shutil.copytree(jobs[0], tmp_path / "job")
    (tmp_path / "job" / "fold0" / "scores.json").unlink()
    return tmp_path / "job"


def printed(call: Callable[[Console], None]) -> str:
    console = Console(record=True, width=200, file=io.StringIO())
    call(console)
    return console.export_text()


def test_part_of_the_folds_is_published_and_says_so_wherever_it_is_shown(
    part: Path, data: Path, tmp_path: Path
) -> None:
    publishing.publish([part], tmp_path / "r", "a network", data)
    result, predictions = results.read(tmp_path / "r")
    assert result["missing_folds"] == [0] and result["figures"]["folds"] == [1]
    assert sorted(set(predictions.folds.tolist())) == [1]
    assert (results.extent(result), results.titled(result)) == ("1 of 2 folds", "a network (1 of 2 folds)")
    assert differences(result["figures"], evaluate(predictions)) == []
    for call in (
        lambda out: print_result(out, tmp_path / "r"),
        lambda out: print_evaluation(out, evaluate(predictions), result),
    ):
        shown = printed(call)
        assert "a network (1 of 2 folds)" in shown and "Only 1 of 2 folds (not 0)" in shown
        assert "fold 1" in shown and "fold 0" not in shown


def test_tables_of_the_documentation_say_where_folds_are_missing(tmp_path: Path) -> None:
    whole, predictions = results.read(PUBLISHED / "minirocket")
    made_from = {key: whole[key] for key in ("data", "split", "labels")}
    results.write(tmp_path / "r", "x", made_from, {}, predictions[predictions.folds < 3], missing_folds=[3, 4])
    both = {"r": results.read(tmp_path / "r"), "minirocket": (whole, predictions)}
    made = [tables.comparison(both), tables.challenge_scores(both), tables.beside_the_paper(both)]
    made += [tables.areas(both, predictions.classes), tables.trust(both, predictions.classes)]
    for table in made:
        part, all_folds = table.splitlines()[2], next(line for line in table.splitlines() if "minirocket" in line)
        assert "(3 of 5 folds)" in part and "folds)" not in all_folds


def test_a_fold_of_part_of_the_folds_is_made_anew(part: Path, data: Path, tmp_path: Path) -> None:
    publishing.publish([part], tmp_path / "r", "x", data)
    assert results.spec(tmp_path / "r", 1, data).fold == 1
    assert "there is no fold 0 in it; choose one of [1]" in refusal(lambda: results.spec(tmp_path / "r", 0, data))
    with_another_split(data, tmp_path / "again")
    other = refusal(lambda: results.spec(tmp_path / "r", 1, tmp_path / "again"))
    assert "another data set or split" in other
    assert "another data set or split" in refusal(
        lambda: publishing.publish([part], tmp_path / "s", "x", tmp_path / "again")
    )


def test_a_calibration_says_how_many_folds_it_is_from(part: Path, jobs: list[Path], data: Path, tmp_path: Path) -> None:
    for job, folds in ((part, "1 of 2"), (jobs[0], "2 of 2")):
        result = tmp_path / folds.replace(" ", "_")
        publishing.publish([job], result, "x", data)
        export_command(job / "fold1", to=tmp_path / "n.onnx", calibrate=result)
        fitted = onnx_model.load(tmp_path / "n.onnx").metadata.calibration
        assert fitted is not None and fitted.folds == folds
        assert sum(fitted.counts.values()) == len(results.read(result)[1].records)


def test_results_of_the_same_folds_alone_can_vote(part: Path, jobs: list[Path], data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(jobs[1], other)
    publishing.publish([other], tmp_path / "whole", "x", data)
    (other / "fold0" / "scores.json").unlink()
    for job in (part, other):
        publishing.publish([job], tmp_path / f"part_{job.name}", "x", data)
    one, same = tmp_path / "part_job", tmp_path / "part_other"
    says = refusal(lambda: results.vote([one, tmp_path / "whole"], tmp_path / "v", "x"))
    assert "has 1 of 2 folds and" in says and "whole all folds; such results cannot vote" in says
    results.vote([one, same], tmp_path / "v", "both")
    assert results.titled(results.read(tmp_path / "v")[0]) == "both (1 of 2 folds)"


def test_results_of_earlier_versions_lack_no_fold() -> None:
    result, _ = results.read(PUBLISHED / "minirocket")
    assert "missing_folds" not in json.loads((PUBLISHED / "minirocket" / "result.json").read_text())
    assert results.extent(result) == ""


def test_a_changed_figure_or_prediction_is_found(jobs: list[Path], data: Path, tmp_path: Path) -> None:
    publishing.publish([jobs[0]], tmp_path / "one", "one seed", data)
    result, predictions = results.read(tmp_path / "one")
    result["figures"]["measures"]["F1 A"]["mean"] += 1e-6
    (sentence,) = differences(result["figures"], evaluate(predictions))
    assert sentence.startswith("measures, F1 A, mean: ")
    result["figures"]["measures"]["forgotten"] = {"mean": 0.5}
    assert len(differences(result["figures"], evaluate(predictions))) == 2
    for newer in ("F1 A", "forgotten"):
        result["figures"]["measures"].pop(newer)
    assert differences(result["figures"], evaluate(predictions)) == []
    result, _ = results.read(tmp_path / "one")
    turned = replace(predictions, probabilities=predictions.probabilities[:, ::-1])
    assert differences(result["figures"], evaluate(turned))


def test_what_cannot_be_published_is_refused(jobs: list[Path], data: Path, tmp_path: Path) -> None:
    assert "no finished fold" in refusal(lambda: publishing.publish([tmp_path], tmp_path / "r", "x", data))
    other = tmp_path / "other"
    shutil.copytree(jobs[1], other)
    shutil.rmtree(other / "fold1")
    shutil.copytree(jobs[0] / "fold1", other / "fold1")
    mixed = "fold0 and fold1 were made from different models, seeds, splits or data"
    assert mixed in refusal(lambda: publishing.publish([other], tmp_path / "r", "x", data))
    assert mixed in refusal(lambda: robustness.measure(other, data))
    with_another_split(data, tmp_path / "again")
    assert "another data set or split" in refusal(
        lambda: publishing.publish([jobs[0]], tmp_path / "r", "x", tmp_path / "again")
    )
    shutil.rmtree(other)
    shutil.copytree(jobs[1], other)
    (other / "fold0" / "environment.json").write_text("[]")
    assert "is damaged" in refusal(lambda: publishing.publish([other], tmp_path / "r", "x", data))
    assert not (tmp_path / "r").exists()
    assert "no folder of a result" in refusal(lambda: results.read(tmp_path))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("title", 5),
        ("split", 5),
        ("split", "../../../etc"),
        ("missing_folds", ["a"]),
        ("training", [1]),
        ("training.job", 5),
        ("training.job.seconds", ["a"]),
        ("figures", []),
        ("figures.measures", {}),
        ("figures.measures.challenge", 0.8),
        ("figures.measures.challenge.mean", 10**400),
        ("figures.calibration_error", float("nan")),
        ("figures.confusion", [["a"]]),
        ("files", [["a"]]),
    ],
)
def test_a_result_with_an_impossible_value_is_refused_by_its_key(
    jobs: list[Path], data: Path, tmp_path: Path, keys: str, value: object
) -> None:
    publishing.publish([jobs[0]], tmp_path / "r", "x", data)
    path = tmp_path / "r" / "result.json"
    result = checksums.unsealed(path.read_bytes())
    *before, last = keys.split(".")
    place = result
    for key in before:
        place = place["job" if key == "job" and "job" in place else key if key != "job" else next(iter(place))]
    place[last if last != "job" else next(iter(place))] = value
    path.write_text(checksums.sealed(result))
    message = refusal(lambda: results.read(tmp_path / "r"))
    assert message.startswith(f"{path}: {keys.split('.')[0]}")
    assert message.endswith("get a good copy, or publish the result again")


def test_a_table_that_is_no_predictions_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "predictions.csv"
    assert "no such file" in refusal(lambda: read_predictions(table))
    columns = ["record", "fold", "set", "label", "p(A)"]
    not_one = [[columns, ["r", "0", "test", label, p]] for label, p in (("B", "1"), ("A", "nan"), ("A", "1" * 200_000))]
    for rows in ([], [["a"]], *not_one):
        with table.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        assert "no table of predictions" in refusal(lambda: read_predictions(table))


FLIPS = 12
"""Flipped bits that are tried in each file."""


def test_a_flipped_bit_in_a_run_or_a_result_is_noticed(jobs: list[Path], data: Path, tmp_path: Path) -> None:
    for seed, (name, ask) in enumerate(
        {
            "predictions.csv": lambda: publishing.publish([tmp_path / "job"], tmp_path / "r", "x", data),
            "scores.json": lambda: publishing.publish([tmp_path / "job"], tmp_path / "r", "x", data),
            "run.json": lambda: publishing.publish([tmp_path / "job"], tmp_path / "r", "x", data),
            "job.json": lambda: publishing.publish([tmp_path / "job"], tmp_path / "r", "x", data),
            "model.json": lambda: publishing.publish([tmp_path / "job"], tmp_path / "r", "x", data),
            "environment.json": lambda: publishing.publish([tmp_path / "job"], tmp_path / "r", "x", data),
            "phase0.safetensors": lambda: ecg_rhythm.load(tmp_path / "job"),
        }.items()
    ):
        shutil.copytree(jobs[0], tmp_path / "job", dirs_exist_ok=True)
        for _ in flipped(tmp_path / "job" / "fold0" / name, seed):
            assert name in refusal(ask)
    publishing.publish([jobs[0]], tmp_path / "whole", "x", data)
    for name in ("predictions.csv", "result.json", "tiny.json", "jobs.json"):
        for _ in flipped(tmp_path / "whole" / name, seed=9):
            assert name in refusal(lambda: results.read(tmp_path / "whole"))
    results.read(tmp_path / "whole")


@pytest.mark.parametrize("name", ["predictions.csv", "tiny.json", "jobs.json"])
def test_a_file_of_a_result_that_is_missing_is_not_taken_from_elsewhere(
    jobs: list[Path], data: Path, tmp_path: Path, name: str
) -> None:
    whole = tmp_path / "whole"
    publishing.publish([jobs[0]], whole, "x", data)
    (whole / name).rename(tmp_path / name)
    assert refusal(lambda: results.read(whole)).startswith(f"{whole / name}: it is missing; get a good copy")


def flipped(path: Path, seed: int) -> Iterator[None]:
    """Flip one bit of a file after the other, each at random, and put it back."""
    content, rng = path.read_bytes(), np.random.default_rng(seed)
    for bit in rng.choice(8 * len(content), FLIPS, replace=False).tolist():
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        yield
    path.write_bytes(content)


def test_a_result_without_checksums_is_read(members: list[Path]) -> None:
    path = members[0] / "result.json"
    whole = checksums.unsealed(path.read_bytes())
    del whole["files"]
    path.write_text(json.dumps(whole))
    assert results.read(members[0])[0] == whole
