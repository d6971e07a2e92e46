"""One run in its folder: what it refuses, what it leaves alone, what it keeps."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecg_rhythm import plugins
from ecg_rhythm.config import Distillation
from ecg_rhythm.data.split_rules import make_for_store
from ecg_rhythm.data.splits import load_split, save_split
from ecg_rhythm.data.store import Store, open_store, splits_folder
from ecg_rhythm.data.writing import write_store
from ecg_rhythm.experiments import run as running
from ecg_rhythm.experiments.folder import Run, identity_of
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.experiments.run import train, training_recordings
from ecg_rhythm.training.progress import Progress, read_progress
from ecg_rhythm.weights.run_files import check_together
from tests.conftest import Install
from tests.helpers import model, refusal, small_store, spec

ONE_EPOCH = model(training_parameters__epochs=[1])


def identity(run: RunSpec, data: Path, logs: Path) -> dict[str, Any]:
    store = open_store(data)
    return identity_of(run, store, load_split(splits_folder(data) / run.job.split, len(store)), logs)


@pytest.fixture(scope="module")
def logs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs with a finished run of fold 0, whose TensorBoard log was asked for; nothing writes to that run."""
    logs = tmp_path_factory.mktemp("logs")
    train(spec(ONE_EPOCH, log_en=True), data, logs, device="cpu")
    return logs


def done(logs: Path) -> Run:
    return Run(logs / "CNN" / "job" / "fold0")


def test_a_run_that_is_done_is_read_and_left_alone(data: Path, logs: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done(logs).path.rglob("*") if path.suffix == ".json"}
    scores = train(spec(ONE_EPOCH, log_en=True), data, logs, device="cpu")
    assert scores == done(logs).read_scores()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not done(logs).checkpoint.exists()
    assert list(done(logs).path.glob("events.out.tfevents.*"))


def test_the_recordings_of_a_run_are_those_it_was_trained_on(data: Path, logs: Path, tmp_path: Path) -> None:
    store = open_store(data)
    fold = load_split(splits_folder(data) / "split_2_3_14", len(store)).folds[0]
    recordings = training_recordings(done(logs), data, 96)
    known = [store.signal(number - 1) for number in fold.train]
    assert 0 < len(recordings) <= len(known)
    assert all(any(np.array_equal(one, other) for other in known) for one in recordings)
    small_store(tmp_path / "other", 39)
    message = refusal(lambda: training_recordings(done(logs), tmp_path / "other", 96))
    assert f"{done(logs).path} was trained on other data; name with --data what it was trained on" in message
    shutil.copytree(data, tmp_path / "divided")
    shutil.rmtree(splits_folder(tmp_path / "divided") / "split_2_3_14")
    other = make_for_store(store, folds=2, ratio=3, seed=15, name="split_2_3_14")
    save_split(other, splits_folder(tmp_path / "divided") / other.name)
    message = refusal(lambda: training_recordings(done(logs), tmp_path / "divided", 96))
    assert f"{done(logs).path} was trained on another split split_2_3_14; name with --data what it had" in message


def test_divergence_names_the_run(data: Path, tmp_path: Path) -> None:
    run = spec(model(training_parameters__learning_rate=1e20, training_parameters__drop_rate=0))
    message = refusal(lambda: train(run, data, tmp_path, device="cpu"))
    assert message.startswith("CNN/job/fold0: training diverged")


def test_a_report_comes_for_each_batch_that_is_predicted_too(data: Path, tmp_path: Path) -> None:
    reports: list[Progress] = []
    train(spec(model(training_parameters__epochs=[2])), data, tmp_path, device="cpu", report=reports.append)
    kinds = ["epoch" if p.ends_epoch else "step" if p.within_epoch else "other" for p in reports]
    assert kinds.count("epoch") == 2
    for epoch in (kinds[: kinds.index("epoch")], kinds[kinds.index("epoch") + 1 :]):
        steps = epoch.count("step")
        assert steps > 0 and epoch[steps] == "other", "validation comes after the steps of an epoch"


def test_progress_within_an_epoch_is_kept_for_those_who_watch(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SHOW", 0.0)
    of_a_run, seen = spec(model()), set[float]()

    def look(_: Progress) -> None:
        progress = read_progress(Run(of_a_run.folder(tmp_path)).progress)
        seen.add(progress.within_epoch if progress else 0.0)

    train(of_a_run, data, tmp_path, device="cpu", report=look)
    assert any(0 < share < 1 for share in seen)


def test_a_fold_that_is_not_there_is_refused(data: Path, tmp_path: Path) -> None:
    assert refusal(lambda: identity(spec(ONE_EPOCH, fold=2), data, tmp_path)) == (
        "job, fold 2: split_2_3_14 has folds 0 to 1; choose one of them"
    )
    assert refusal(lambda: train(spec(ONE_EPOCH, fold=2), data, tmp_path, device="cpu")).startswith("job, fold 2")


def without_noise(folder: Path) -> Store:
    """A data set of one class."""
    return write_store(
        folder, [("a", np.ones(9, np.float32))], fs=100.0, classes=["N"], labels={"v": {"a": "N"}},
        default_labels="v", origin="",
    )  # fmt: skip


def test_empty_recordings_need_a_class_of_their_own(data: Path, tmp_path: Path) -> None:
    store = without_noise(tmp_path)
    split = load_split(splits_folder(data) / "split_2_3_14", 36)
    message = refusal(lambda: identity_of(spec(model(data_augmentation__empty=0.1)), store, split, tmp_path))
    assert message == (
        "tiny: data_augmentation.empty makes recordings of class ~, which the data set does not have; set it to 0 in "
        "the model file"
    )


def test_what_decides_a_run_is_its_model_data_split_labels_seed_and_fold(data: Path, tmp_path: Path) -> None:
    store = open_store(data)
    split = load_split(splits_folder(data) / "split_2_3_14", len(store))
    made_from = identity(spec(ONE_EPOCH, fold=1, seed=3), data, tmp_path)
    assert made_from.pop("architecture_code") and made_from.pop("imported_code")
    assert made_from == {
        "model": ONE_EPOCH.model_dump(),
        "job": {"split": "split_2_3_14", "labels": "labels", "seed": 3, "fold": 1},
        "data": {"fingerprint": store.fingerprint, "classes": ["A", "N", "~"], "split": split.sha256},
    }
    assert "no such label version" in refusal(lambda: identity(spec(ONE_EPOCH, labels="others"), data, tmp_path))


def test_data_without_a_class_of_noise_are_trained_on_if_no_recording_is_empty(data: Path, tmp_path: Path) -> None:
    store = without_noise(tmp_path)
    split = load_split(splits_folder(data) / "split_2_3_14", 36)
    assert identity_of(spec(ONE_EPOCH), store, split, tmp_path)["data"]["classes"] == ["N"]
    assert identity(spec(model(data_augmentation__empty=0.1)), data, tmp_path)["data"]["classes"] == ["A", "N", "~"]


def test_the_code_of_other_packages_is_part_of_what_a_run_is_made_from(
    data: Path, tmp_path: Path, install: Install
) -> None:
    install(
        "humming",
        "def hum(batch, u, chance):\n    return batch.signals\n",
        {plugins.AUGMENTATIONS: {"hum2": "humming:hum"}},
    )
    made_from = identity(spec(model(data_augmentation__hum2=0.5)), data, tmp_path)
    assert set(made_from["augmentation_code"]) == {"hum2"}
    assert "augmentation_code" not in identity(spec(model()), data, tmp_path)


def test_a_student_needs_its_teacher(data: Path, logs: Path, tmp_path: Path) -> None:
    teacher = spec(ONE_EPOCH, log_en=True)
    run = spec(ONE_EPOCH, name="student").model_copy(update={"teacher": teacher})
    message = refusal(lambda: identity(run, data, tmp_path))
    assert message == f"CNN/student/fold0: its teacher {tmp_path}/CNN/job/fold0 is not trained yet; train that first"
    made_from = identity(run, data, logs)["teacher"]
    assert set(made_from) == {"model", "architecture_code", "imported_code", "job", "weights"}
    assert made_from["weights"] == hashlib.sha256(done(logs).last_weights.read_bytes()).hexdigest()
    again = run.model_copy(update={"teacher": spec(ONE_EPOCH, name="student").model_copy(update={"teacher": teacher})})
    message = refusal(lambda: identity(again, data, logs))
    assert message == f"CNN/student/fold0: its teacher {logs}/CNN/student/fold0 is not trained yet; train that first"
    other = run.model_copy(update={"teacher": spec(model(), log_en=True)})
    assert "model.training_parameters.epochs is [1] there and [3] now" in refusal(lambda: identity(other, data, logs))


def test_a_student_says_what_its_teacher_took(data: Path, logs: Path) -> None:
    config = ONE_EPOCH.model_copy(update={"distillation": Distillation(teacher="tiny", share=0.5)})
    run = spec(config, name="student").model_copy(update={"teacher": spec(ONE_EPOCH, log_en=True)})
    scores = train(run, data, logs, device="cpu")
    assert scores["teacher"] == {key: done(logs).read_scores()[key] for key in ("seconds", "cpu_seconds")}


def test_a_folder_that_cannot_be_made_is_refused_and_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = Run(tmp_path / "file" / "fold0")

    def claim() -> None:
        with run.claim():
            pass

    assert refusal(claim) == f"{run.path}: cannot be written: Not a directory; choose another --logs folder"
    assert not run.is_claimed


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"model": 3}', '{"teacher": 3}', "\xff"])
def test_a_damaged_identity_is_refused(tmp_path: Path, content: str) -> None:
    run = Run(tmp_path / "fold0")
    run.path.mkdir()
    run.identity.write_text(content, encoding="latin-1")
    assert refusal(lambda: run.check_same({})) == f"{run.identity}: this is damaged; train it again with --restart"
    message = refusal(lambda: check_together([run]))
    assert message == f"{run.path}: its run.json is missing or damaged; run the job again with --restart"


def test_of_many_differences_the_first_are_named(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.begin(spec(model()), dict.fromkeys("abcdef", 1))
    for changed, more in (("abcd", ""), ("abcdef", " (and 2 more)")):
        differences = ", ".join(f"{key} is 1 there and 2 now" for key in "abcd")
        now = {key: 2 if key in changed else 1 for key in "abcdef"}
        assert refusal(partial(run.check_same, now)) == (
            f"{tmp_path}: this run was made from something else: {differences}{more}; give the job another name, or "
            "train it again with --restart"
        )


def test_what_a_killed_writer_left_is_removed_and_what_was_printed_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.begin(spec(model()), {"a": 1})
    for path in (tmp_path / ".run.json.17.part", run.output, run.error, run.lock, run.checkpoint):
        path.write_text("x")
    run.begin(spec(model()), {"a": 1})
    assert not (tmp_path / ".run.json.17.part").exists() and not run.error.exists()
    assert run.checkpoint.exists()
    run.begin(spec(model()), {"a": 2}, replaces=run.state)
    assert not run.checkpoint.exists()
    assert run.output.read_text() == "x" and run.lock.exists()


def test_what_cannot_be_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path)
    run.begin(spec(model()), {"a": 1})
    (tmp_path / "tensorboard").mkdir()

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    message = refusal(lambda: run.begin(spec(model()), {"a": 2}, replaces=run.state))
    assert message == (
        f"{tmp_path}: what an earlier run left cannot be removed: Permission denied; remove it or choose another "
        "--logs folder"
    )


def written(path: Path, **changes: Any) -> Run:
    """A folder with a run's identity."""
    usual = {"id": path.name, "job": {"seed": 0, "fold": int(path.name[-1])}, "data": "x", "architecture_code": "1"}
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps(usual | changes))
    return Run(path)


def test_folds_are_averaged_if_only_the_fold_differs(tmp_path: Path) -> None:
    teacher = {"job": {"fold": 0}, "weights": "1"}
    check_together([written(tmp_path / f"a/fold{k}") for k in range(3)])
    check_together([written(tmp_path / f"b/fold{k}", teacher={"job": {"fold": k}, "weights": str(k)}) for k in (0, 1)])
    of_earlier_version = written(tmp_path / "c/fold1", architecture_code=None)
    check_together([written(tmp_path / "c/fold0"), of_earlier_version])
    check_together([])
    codes = {"a.one": "1", "b.two": "2"}
    in_other_order = written(tmp_path / "e/fold1", augmentation_code=dict(reversed(codes.items())))
    in_other_order.identity.write_text(json.dumps(dict(reversed(in_other_order.read_identity().items()))))
    check_together([written(tmp_path / "e/fold0", augmentation_code=codes), in_other_order])
    pair = [written(tmp_path / "d/fold0"), written(tmp_path / "d/fold1", teacher=teacher)]
    assert refusal(lambda: check_together(pair)) == (
        f"{tmp_path}/d: fold0 and fold1 were made from different models, seeds, splits or data; run it again with "
        "--restart"
    )
    all_different = [written(tmp_path / f"f/fold{k}", data=str(k)) for k in range(3)]
    assert "fold0 and fold1 were made from different models" in refusal(lambda: check_together(all_different))
    before = [written(tmp_path / f"g/fold{k}", **code) for k, code in enumerate(({}, {"imported_code": "1"}))]
    check_together(before)
    for key in ("architecture_code", "imported_code", "augmentation_code"):
        codes = {"imported_code": "1"} if key == "imported_code" else {}
        pair = [written(tmp_path / key / "fold0", **codes), written(tmp_path / key / "fold1", **{key: "2"})]
        assert refusal(partial(check_together, pair)) == (
            f"{tmp_path / key}: fold0 and fold1 were made from different code of the architecture or an augmentation; "
            "run it again with --restart"
        )
