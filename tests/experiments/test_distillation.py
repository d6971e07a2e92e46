"""Learning from a teacher: what the student learns, which teacher it may have, and in which order runs are done."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ecg_rhythm import checksums
from ecg_rhythm.cli.console import app
from ecg_rhythm.config import ModelConfig
from ecg_rhythm.data.split_rules import make_for_store
from ecg_rhythm.data.splits import save_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.evaluation.predictions import read_predictions
from ecg_rhythm.experiments import publishing, results
from ecg_rhythm.experiments.folder import Run
from ecg_rhythm.experiments.jobs import Recipe, RunSpec, plan, read_recipe
from ecg_rhythm.experiments.queue import Status, check_fit, enqueue, work_off
from ecg_rhythm.experiments.run import train
from ecg_rhythm.weights import torch_model
from tests.experiments.test_engine import FakeEngine
from tests.helpers import model, refusal, spec

LESSON = {"teacher": "wise", "share": 0.7}


def write(folder: Path, name: str, config: ModelConfig, **more: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(config.model_dump() | more))
    return path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with a student's model file, and its teacher's."""
    folder = tmp_path / "models"
    write(folder, "student", model(training_parameters__epochs=[2]), distillation=LESSON)
    write(folder, "wise", model(training_parameters__epochs=[4]))
    return folder


def student(models: Path, fold: int = 0, **job: Any) -> RunSpec:
    plain = spec(model(), fold, "student", **job)
    return read_recipe(models / "student.json").spec("student", plain.job, fold)


def test_the_teacher_is_the_run_of_its_model_file_on_the_same_fold(models: Path) -> None:
    run = student(models, 1, seed=7)
    assert run.teacher is not None
    assert run.teacher.title == "CNN/wise_split_2_3_14_seed7/fold1"
    assert (run.teacher.job.split, run.teacher.job.seed) == (run.job.split, 7)
    assert run.teacher.model.training_parameters.epochs == [4]


def test_a_student_becomes_like_its_teacher(data: Path, models: Path, tmp_path: Path) -> None:
    """With all of the loss from the teacher, its probabilities come closer to the teacher's than without."""
    config = model(training_parameters__epochs=[8], data_augmentation__zero_filter=False)
    probabilities = {}
    for name, lesson in (("alone", None), ("taught", LESSON | {"share": 1.0})):
        write(models, "student", config, distillation=lesson)
        run = read_recipe(models / "student.json").spec(name, student(models).job, 0)
        for each in filter(None, (run.teacher, run)):
            train(each, data, tmp_path, device="cpu")
            table = read_predictions(Run(each.folder(tmp_path)).predictions)
            probabilities[each.job_name] = table.probabilities
    apart = {
        name: float(np.abs(probabilities[name] - probabilities["wise_split_2_3_14"]).mean())
        for name in ("alone", "taught")
    }
    assert apart["taught"] < apart["alone"]


def test_a_student_without_a_trained_teacher_is_refused(data: Path, models: Path, tmp_path: Path) -> None:
    message = refusal(lambda: train(student(models), data, tmp_path, device="cpu"))
    assert (
        message
        == f"CNN/student/fold0: its teacher {tmp_path}/CNN/wise_split_2_3_14/fold0 is not trained yet; train that first"
    )
    assert not (tmp_path / "CNN" / "student").exists()


def test_the_command_line_says_which_command_is_missing(data: Path, models: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    words = ["--split", "split_2_3_14", "--data", str(data), "--logs", str(logs), "--seed", "3"]
    first = CliRunner().invoke(app, ["train", str(models / "student.json"), *words])
    assert isinstance(first.exception, Exception)
    message = str(first.exception)
    expected = (
        f"ecg-rhythm train {models / 'wise.json'} --name wise_split_2_3_14_seed3 --fold 0 "
        f"--split split_2_3_14 --seed 3 --data {data} --logs {logs}"
    )
    assert f"`{expected}`" in message
    for command in (expected.split()[1:], ["train", str(models / "student.json"), *words]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output


def test_a_teacher_that_may_have_seen_test_recordings_is_refused(data: Path, models: Path, tmp_path: Path) -> None:
    store = open_store(data)
    split = make_for_store(store, folds=2, ratio=3, refit=True)
    save_split(split, splits_folder(data) / split.name)
    run = student(models)
    assert run.teacher is not None
    refitted = run.teacher.model_copy(update={"job": run.teacher.job.model_copy(update={"split": split.name})})
    train(refitted, data, tmp_path, device="cpu")
    message = refusal(lambda: train(run, data, tmp_path, device="cpu"))
    assert "its teacher is another one, which may know recordings that validate or test this run" in message
    assert f"job.split is {json.dumps(split.name)} there" in message


def test_a_run_keeps_its_teachers_identity_and_weights(data: Path, models: Path, tmp_path: Path) -> None:
    run = student(models)
    assert run.teacher is not None
    train(run.teacher, data, tmp_path, device="cpu")
    train(run, data, tmp_path, device="cpu")
    made_from = json.loads(Run(run.folder(tmp_path)).identity.read_text())["teacher"]
    assert made_from["model"] == run.teacher.model.model_dump()
    assert made_from["job"]["fold"] == 0
    # A teacher with other weights is another teacher.
    weights = Run(run.teacher.folder(tmp_path)).last_weights
    network, metadata = torch_model.load(weights)
    with torch.no_grad():
        next(network.parameters()).add_(1)
    torch_model.save(weights, network, metadata)
    scores = Run(run.teacher.folder(tmp_path)).scores
    scores.write_text(checksums.sealed(checksums.unsealed(scores.read_bytes()) | {"files": {}}))
    assert "teacher.weights is" in refusal(lambda: train(run, data, tmp_path, device="cpu"))


def test_a_student_is_checked_while_its_teacher_is_gone(data: Path, models: Path, tmp_path: Path) -> None:
    own = student(models)
    assert own.teacher is not None
    for run in (own.teacher, own):
        train(run, data, tmp_path, device="cpu")
    shutil.rmtree(own.teacher.folder(tmp_path))
    check_fit([own], data, tmp_path)
    of_other_seed = student(models, seed=7)
    assert "job.seed is 0 there and 7 now" in refusal(lambda: check_fit([of_other_seed], data, tmp_path))
    check_fit([of_other_seed], data, tmp_path, restart=True)


def test_a_recipe_without_its_teacher_is_refused(data: Path, models: Path, tmp_path: Path) -> None:
    own = student(models)
    alone = Recipe(own.model, None).spec("alone", own.job, own.fold)
    assert "it learns from a teacher, wise; give that network" in refusal(
        lambda: train(alone, data, tmp_path, device="cpu")
    )


def test_a_teacher_of_a_teacher_is_refused(models: Path) -> None:
    write(models, "wise", model(), distillation=LESSON)
    message = refusal(lambda: read_recipe(models / "student.json"))
    assert message.endswith("has a teacher itself; remove its distillation")


def test_a_missing_teacher_is_named(models: Path) -> None:
    (models / "wise.json").unlink()
    assert "there is no model file wise.json" in refusal(lambda: read_recipe(models / "student.json"))


def jobs(models: Path, names: list[str]) -> Path:
    file = models.parent / "jobs.json"
    entries = {name: {"model": name, "split": "split_2_3_14", "cvids": [0, 1]} for name in names}
    file.write_text(json.dumps(entries))
    return file


@pytest.mark.parametrize("names", [["student"], ["student", "wise"], ["wise", "student"]])
def test_a_queue_trains_teachers_first_whatever_the_order_of_lines(
    models: Path, tmp_path: Path, names: list[str]
) -> None:
    queue = enqueue(plan(jobs(models, names), check=lambda *_: None), tmp_path)
    engine = FakeEngine(places=4)
    work_off(queue, engine, look=0)
    assert len(engine.begun) == len(set(engine.begun)) == (6 if "wise" in names else 4)
    for k in (0, 1):
        assert engine.begun.index(f"CNN/wise_split_2_3_14/fold{k}") < engine.begun.index(f"CNN/student/fold{k}")


def test_a_student_does_not_begin_before_its_teacher_is_done(models: Path, tmp_path: Path) -> None:
    queue, engine = enqueue(plan(jobs(models, ["student"]), check=lambda *_: None), tmp_path), FakeEngine(places=4)
    done: list[str] = []

    def ends(queued: Any) -> tuple[Status, str]:
        if queued.teacher is not None:
            assert queued.teacher.spec.title in done
        done.append(queued.spec.title)
        return Status.DONE, ""

    engine.ends = ends
    work_off(queue, engine, look=0)
    assert engine.most == 2


def test_a_student_whose_teacher_failed_fails(models: Path, tmp_path: Path) -> None:
    queue, engine = enqueue(plan(jobs(models, ["student"]), check=lambda *_: None), tmp_path), FakeEngine()
    engine.ends = lambda queued: (Status.FAILED, "no memory") if queued.spec.fold == 0 else (Status.DONE, "")
    work_off(queue, engine, look=0)
    errors = {queued.spec.title: queued.error for queued in queue if queued.status is Status.FAILED}
    assert errors == {
        "CNN/wise_split_2_3_14/fold0": "no memory",
        "CNN/student/fold0": "its teacher CNN/wise_split_2_3_14/fold0 failed",
    }


def test_a_teacher_is_not_trained_for_a_student_that_is_done(models: Path, tmp_path: Path) -> None:
    specs = plan(jobs(models, ["student"]), check=lambda *_: None)
    for run in specs:
        done = Run(run.folder(tmp_path))
        done.path.mkdir(parents=True)
        done.scores.write_text("{}")
    assert [queued.status for queued in enqueue(specs, tmp_path)] == [Status.DONE, Status.DONE]


def test_a_job_with_a_teachers_name_must_be_that_teacher(models: Path, tmp_path: Path) -> None:
    file = jobs(models, ["student"])
    entries = json.loads(file.read_text()) | {
        "wise_split_2_3_14": {"model": "other", "split": "split_2_3_14", "cvids": [0]}
    }
    write(models, "other", model(training_parameters__epochs=[1]))
    file.write_text(json.dumps(entries))
    message = refusal(lambda: enqueue(plan(file, check=lambda *_: None), tmp_path))
    assert message == "CNN/wise_split_2_3_14/fold0: a teacher is trained under this name; give the job another"


def test_a_result_has_its_teachers_model_file_and_is_reproduced_with_it(
    data: Path, models: Path, tmp_path: Path
) -> None:
    logs, folder = tmp_path / "logs", tmp_path / "result"
    for fold in (0, 1):
        run = student(models, fold)
        assert run.teacher is not None
        for each in (run.teacher, run):
            train(each, data, logs, device="cpu")
    publishing.publish([logs / "CNN" / "student"], folder, "A student", data)
    assert {path.name for path in folder.glob("*.json")} == {"jobs.json", "result.json", "tiny.json", "wise.json"}
    published = results.read(folder)[0]
    assert len(published["training"]["student"]["teacher"]["seconds"]) == 2
    words = ["evaluate", str(folder), "--rerun", "0", "--data", str(data), "--logs", str(tmp_path / "rerun")]
    again = subprocess.run([sys.executable, "-m", "ecg_rhythm", *words], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "probabilities at most 0.0000 apart" in again.stdout
    assert Run(tmp_path / "rerun" / "CNN" / "wise_split_2_3_14" / "fold0").is_done
