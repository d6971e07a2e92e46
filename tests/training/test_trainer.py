from __future__ import annotations

import csv
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from sklearn.metrics import f1_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from ecg_rhythm import checksums, networks
from ecg_rhythm.cli.runs import print_scores
from ecg_rhythm.config import LossFunctionParameters, load_model
from ecg_rhythm.data.split_rules import make_for_store
from ecg_rhythm.data.splits import load_split, save_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.data.writing import write_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation import metrics
from ecg_rhythm.evaluation import predictions as outputs
from ecg_rhythm.evaluation.metrics import score
from ecg_rhythm.experiments.folder import Run
from ecg_rhythm.experiments.jobs import Recipe, RunSpec
from ecg_rhythm.experiments.run import train
from ecg_rhythm.inference import classifier
from ecg_rhythm.networks.registry import build
from ecg_rhythm.training.epoch import seed_of
from ecg_rhythm.training.loss import LOSSES, l2_penalty, loss_of
from ecg_rhythm.training.optimizer import move_average, schedule
from ecg_rhythm.training.progress import Progress
from ecg_rhythm.weights import torch_model
from tests import commands
from tests.helpers import model, predict, refusal, spec

KEPT = Path(__file__).parents[1] / "as_written" / "files"
"""What version 0.1 wrote."""

TWO_PROCESSES = [
    "torch.distributed.run",
    "--standalone",
    "--local-addr",
    "127.0.0.1",
    "--nproc-per-node",
    "2",
    "-m",
    "--",
]
"""Words after `python -m`, and before those of a module, that run it twice, joined over the loopback."""


class Interrupted(Exception):
    pass


def interrupt_at(fraction: float) -> Any:
    def report(progress: Progress) -> None:
        if progress.fraction >= fraction:
            raise Interrupted

    return report


def hotlog(folder: Path) -> list[dict[str, str]]:
    with (folder / "hotlog.csv").open() as file:
        return list(csv.DictReader(file))


def same_weights(a: Path, b: Path) -> bool:
    one, other = load_file(a), load_file(b)
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def class_weights(n_classes: int, **options: float) -> torch.Tensor:
    """What recordings of each class weigh in the loss, as logits of zero tell it: shares are 60, 30 and 10 %."""
    parameters = LossFunctionParameters.model_validate({"l2_penalty": 0, "class_penalty": 0} | options)
    loss = loss_of(parameters, np.repeat([0, 1, 2], [60, 30, 10]), n_classes)
    zeros = torch.zeros(1, n_classes)
    return torch.stack([loss(zeros, torch.tensor([i])) for i in range(n_classes)]) / math.log(n_classes)


def test_class_weights_follow_the_share_in_percent() -> None:
    got = class_weights(3, class_penalty=0.2)
    torch.testing.assert_close(got, torch.tensor([0.8 + 0.2 * 100 / s for s in (60.0, 30.0, 10.0)]))


def test_class_weights_to_a_power_are_1_on_average() -> None:
    got = class_weights(4, class_power=0.4)
    want = np.array([0.6, 0.3, 0.1]) ** -0.4
    np.testing.assert_allclose(got[:3], want / want.mean(), rtol=1e-5)
    assert got[3] == 0


def test_loss_is_weighted_cross_entropy_averaged_over_the_batch() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0]])
    targets = torch.tensor([2, 1])
    loss = loss_of(LossFunctionParameters(l2_penalty=0, class_penalty=1), np.repeat([0, 1, 2], [50, 25, 25]), 3)
    p = torch.softmax(logits, dim=1)
    want = (-4 * torch.log(p[0, 2]) - 4 * torch.log(p[1, 1])) / 2
    torch.testing.assert_close(loss(logits, targets), want)


def test_every_loss_a_model_file_may_name_is_there() -> None:
    named = LossFunctionParameters.model_json_schema()["properties"]["loss"]
    assert named.get("enum", [named.get("const")]) == [*LOSSES]


def test_l2_counts_weights_but_neither_biases_nor_batch_norm() -> None:
    network: Any = build(model(), 100.0, 3)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    squares = sum(float(layer.weight.detach().square().sum()) for layer in layers)
    got = l2_penalty(network, LossFunctionParameters(l2_penalty=0.3, class_penalty=0))
    assert isinstance(got, torch.Tensor) and got.item() == pytest.approx(0.3 * squares / 2, rel=1e-5)


def test_schedules() -> None:
    assert schedule("constant", 0.7) == 1
    assert schedule("cosine", 0) == 1
    assert schedule("cosine", 0.5) == pytest.approx(0.5)
    assert schedule("one_cycle", 0.2) == pytest.approx(1)
    assert schedule("one_cycle", 0) == pytest.approx(0.04)
    assert schedule("one_cycle", 1) == pytest.approx(0, abs=1e-12)


def test_a_run_leaves_all_that_it_promises(data: Path, tmp_path: Path) -> None:
    run = spec(model(), log_en=True, log_test_score=True)
    scores = train(run, data, tmp_path, device="cpu")
    folder = run.folder(tmp_path)
    written = checksums.unsealed((folder / "scores.json").read_bytes())
    written.pop(checksums.FILES)
    assert written == scores
    assert json.loads((folder / "model.json").read_text())["model_name"] == "CNN"
    assert json.loads((folder / "job.json").read_text())["cvids"] == [0, 1]
    facts = json.loads((folder / "environment.json").read_text())
    assert {"torch", "python", "device", "seed", "git", "threads", "precision"} <= facts.keys()
    rows = hotlog(folder)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert all(row["test_score"] and row["valid_score"] for row in rows)
    logged = EventAccumulator(str(folder)).Reload()
    names = {f"{part}/{metric}" for part in ("valid", "test") for metric in ("loss", *score([], [], "AN~"))}
    assert "valid/F1 A" in names
    assert set(logged.Tags()["scalars"]) == names | {"loss", "learning_rate", "seconds"}
    columns = {"challenge": "score", "loss": "loss", "F1 A": "F1 A", "F1 N": "F1 N", "F1 ~": "F1 ~"}
    for part in ("valid", "test"):
        for metric, column in columns.items():
            values = [scalar.value for scalar in logged.Scalars(f"{part}/{metric}")]
            assert values == pytest.approx([float(row[f"{part}_{column}"]) for row in rows])
    assert not (folder / "checkpoint.safetensors").exists()
    best = max(rows, key=lambda row: float(row["valid_score"]))
    assert scores["phases"][0]["valid"]["challenge"] == float(best["valid_score"])
    assert scores["phases"][0]["best_epoch"] == int(best["epoch"])


def test_columns_of_the_hotlog_are_where_they_were_and_further_ones_follow(data: Path, tmp_path: Path) -> None:
    run = spec(model(training_parameters__epochs=[1]))
    train(run, data, tmp_path, device="cpu")
    (row,) = hotlog(run.folder(tmp_path))
    old = (KEPT / "logs/CNN/done/fold0/hotlog.csv").read_text().splitlines()[0].split(",")
    further = [f"{part}_{name}" for part in ("valid", "test") for name in ("loss", "F1 A", "F1 N", "F1 ~")]
    assert list(row) == [*old, *further]
    assert [bool(row[name]) for name in further] == [True] * 4 + [False] * 4
    assert np.mean([float(row[f"valid_F1 {name}"]) for name in "AN"]) == pytest.approx(float(row["valid_score"]))


def test_a_metric_that_is_added_is_in_the_hotlog(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        metrics, "OF_LABELS", (*metrics.OF_LABELS, lambda confusion, classes: {"n": float(confusion.sum())})
    )
    run = spec(model(training_parameters__epochs=[1]))
    train(run, data, tmp_path, device="cpu")
    parts = load_split(splits_folder(data) / "split_2_3_14", len(open_store(data))).folds[0]
    assert float(hotlog(run.folder(tmp_path))[0]["valid_n"]) == len(parts.valid)


def test_validation_loss_is_the_loss_of_the_labels_and_the_penalty(data: Path, tmp_path: Path) -> None:
    options = {"l2_penalty": 0.3, "class_penalty": 0.2, "class_power": 0.4, "label_smoothing": 0.1}
    run = spec(model(**{f"loss_function_parameters__{key}": value for key, value in options.items()}))
    scores = train(run, data, tmp_path, device="cpu")
    folder, best = run.folder(tmp_path), str(scores["phases"][0]["best_epoch"])
    store = open_store(data)
    fold = load_split(splits_folder(data) / "split_2_3_14", len(store)).folds[0]
    share = np.bincount(store.targets()[fold.train - 1]) / len(fold.train)
    weights = (0.8 + 0.2 / share) * share**-0.4 / (share**-0.4).mean()
    table = outputs.read_predictions(folder / "predictions.csv", "valid")
    smooth = 0.9 * np.eye(3)[table.targets] + 0.1 / 3
    of_labels = (-(smooth * np.log(table.probabilities)).sum(axis=1) * weights[table.targets]).mean()
    tensors = load_file(folder / "phase0.safetensors").items()
    squares = sum(float(t.square().sum()) for name, t in tensors if t.ndim > 1 and name.endswith("weight"))
    (row,) = (row for row in hotlog(folder) if row["epoch"] == best)
    assert float(row["valid_loss"]) == pytest.approx(of_labels + 0.3 * squares / 2, rel=1e-4)


def test_predictions_are_those_of_the_best_weights_and_give_the_scores(data: Path, tmp_path: Path) -> None:
    run = spec(model(), fold=1)
    scores = train(run, data, tmp_path, device="cpu")
    with (run.folder(tmp_path) / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    store = open_store(data)
    fold = load_split(splits_folder(data) / "split_2_3_14", len(store)).folds[1]
    for part, numbers in (("valid", fold.valid), ("test", fold.test)):
        chosen = [row for row in rows if row["set"] == part]
        assert [row["record"] for row in chosen] == [store.names[n - 1] for n in numbers]
        assert [row["label"] for row in chosen] == [store.labels_of()[n - 1] for n in numbers]
        guesses = [max(store.classes, key=lambda name: float(row[f"p({name})"])) for row in chosen]
        f1 = f1_score([r["label"] for r in chosen], guesses, labels=store.classes, average=None, zero_division=0)
        got = scores["phases"][0][part]["f1"]
        assert list(got.values()) == pytest.approx(list(f1))
    network, metadata = torch_model.load(run.folder(tmp_path) / "phase0.safetensors")
    assert (metadata.classes, metadata.fs) == (store.classes, store.fs)
    signal = torch.from_numpy(store.signal(fold.test[0] - 1))[None]
    with torch.inference_mode():
        p = network(signal, torch.tensor([signal.shape[1]])).softmax(dim=1)[0]
    row = next(row for row in rows if row["record"] == store.names[fold.test[0] - 1])
    assert [float(row[f"p({name})"]) for name in store.classes] == pytest.approx(p.tolist(), abs=1e-4)


OURS = {
    "loss_function_parameters__class_power": 0.4,
    "loss_function_parameters__label_smoothing": 0.05,
    "training_parameters__weight_decay": 0.02,
    "training_parameters__weight_average": 0.8,
    "training_parameters__rate_schedule": "one_cycle",
    "training_parameters__gradient_clip": 5.0,
    **{
        f"data_augmentation__{change}": 0.5
        for change in ("speed", "polarity", "gain", "noise", "wander", "gaps", "crop")
    },
}
"""All further options of ours."""
FAST = {
    **OURS,
    "training_parameters__optimizer": "muon",
    "training_parameters__auxiliary_heads": True,
    "training_parameters__choose_from": 0.5,
    "data_augmentation__window": 4.0,
    "data_augmentation__window_schedule": [2.0, 3.0, 4.0],
    "distillation": {"teacher": "teacher"},
}
"""All that makes large networks learn fast."""


def taught(run: RunSpec, data: Path, logs: Path) -> RunSpec:
    """A run with a teacher, which is trained first."""
    if run.model.distillation is None:
        return run
    with_teacher = Recipe(run.model, model(training_parameters__epochs=[1])).spec(run.job_name, run.job, run.fold)
    assert with_teacher.teacher is not None
    train(with_teacher.teacher, data, logs, device="cpu")
    return with_teacher


PLAIN = {"training_parameters__exponential_decay": True}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("CNN", PLAIN),
        ("CNN", {"training_parameters__optimizer": "adam", "training_parameters__weight_decay": 0.01}),
        pytest.param("CRNN", PLAIN, marks=pytest.mark.slow),
        ("ResGRU", OURS),
        ("CRNN", FAST),
    ],
)
def test_an_interrupted_run_ends_with_the_same_bits(
    data: Path, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    epochs = [2, 1, 2, 1, 0] if name == "CRNN" else [3]
    run = spec(model(model_name=name, training_parameters__epochs=epochs, **options))
    run = taught(run, data, tmp_path / "taught")
    logs = {fraction: tmp_path / f"cut at {fraction}" for fraction in (1.0, 0.05, 0.4, 0.75)}
    for folder in logs.values() if run.teacher is not None else ():
        shutil.copytree(tmp_path / "taught", folder)
    whole = train(run, data, logs[1.0], device="cpu")
    a = run.folder(logs.pop(1.0))
    for fraction, folder in logs.items():
        with pytest.raises(Interrupted):
            train(run, data, folder, device="cpu", report=interrupt_at(fraction))
        resumed = train(run, data, folder, device="cpu")
        b = run.folder(folder)
        assert resumed["phases"] == whole["phases"]
        for phase in range(len(epochs)):
            assert same_weights(a / f"phase{phase}.safetensors", b / f"phase{phase}.safetensors")
        assert (a / "predictions.csv").read_text() == (b / "predictions.csv").read_text()
        for one, other in zip(hotlog(a), hotlog(b), strict=True):
            assert one | {"seconds": ""} == other | {"seconds": ""}


def test_an_average_follows_weights_and_batch_statistics() -> None:
    network, average = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    values = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0]
    want_weight, want_mean = 1.0, 0.0  # what torch begins with
    for step, value in enumerate(values):
        for tensor, new in zip(network.state_dict().values(), (value, 0.0, 2 * value, 1.0, step), strict=True):
            tensor.fill_(new)
        move_average(average, network, 0.3, step)
        decay = min(0.3, (1 + step) / (10 + step))
        want_weight = decay * want_weight + (1 - decay) * value
        want_mean = decay * want_mean + (1 - decay) * 2 * value
    averaged = average.state_dict()
    assert float(averaged["weight"]) == pytest.approx(want_weight)
    assert float(averaged["running_mean"]) == pytest.approx(want_mean)
    assert int(averaged["num_batches_tracked"]) == len(values) - 1


def test_the_average_is_what_is_kept(data: Path, tmp_path: Path) -> None:
    kept = []
    for decay in (0.0, 0.9):
        run = spec(model(training_parameters__weight_average=decay, training_parameters__epochs=[1]), name=f"d{decay}")
        train(run, data, tmp_path, device="cpu")
        kept.append(load_file(run.folder(tmp_path) / "phase0.safetensors")["classifier.weight"])
    assert not torch.equal(*kept)


def test_a_phase_of_no_epochs_hands_on_the_best_weights_after_an_interruption_too(data: Path, tmp_path: Path) -> None:
    config = model(
        model_name="CRNN", training_parameters__epochs=[2, 1, 0, 0, 0], training_parameters__weight_average=0.9
    )
    run = spec(config)
    train(run, data, tmp_path / "whole", device="cpu")
    a, b = run.folder(tmp_path / "whole"), run.folder(tmp_path / "cut")
    assert same_weights(a / "phase1.safetensors", a / "phase4.safetensors")

    def report(progress: Progress) -> None:
        if progress.phase == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(run, data, tmp_path / "cut", device="cpu", report=report)
    train(run, data, tmp_path / "cut", device="cpu")
    assert same_weights(a / "phase4.safetensors", b / "phase4.safetensors")


def test_more_processes_than_a_batch_has_recordings_are_refused(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.json"
    file.write_text(model(training_parameters__batch_size=1).model_dump_json())
    words = ["ecg_rhythm", "train", str(file), "--split", "split_2_3_14", "--device", "cpu", "--data", str(data)]
    command = [sys.executable, "-m", *TWO_PROCESSES, *words, "--logs", str(tmp_path / "logs")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "2 processes cannot share a batch of fewer recordings" in done.stderr
    assert not list(tmp_path.rglob("run.json"))


@pytest.mark.slow
def test_a_killed_process_goes_on_with_the_same_bits(data: Path, tmp_path: Path) -> None:
    config = model(training_parameters__epochs=[30])
    (tmp_path / "tiny.json").write_text(config.model_dump_json())
    command = [sys.executable, "-m", "ecg_rhythm", "train", str(tmp_path / "tiny.json"), "--split", "split_2_3_14"]
    command += ["--data", str(data), "--device", "cpu", "--logs"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    process = subprocess.Popen([*command, str(cut)], env=environment, stdout=subprocess.DEVNULL)
    folder = cut / "CNN" / "tiny_single" / "fold0"
    until = time.monotonic() + 60
    while not (folder / "hotlog.csv").exists() or len(hotlog(folder)) < 3:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "checkpoint.safetensors").exists() and not (folder / "scores.json").exists()
    for logs in (cut, whole):
        assert commands.run(*command[3:], logs, env=environment).returncode == 0
    final = Path("CNN", "tiny_single", "fold0", "phase0.safetensors")
    assert same_weights(cut / final, whole / final)


def test_a_clock_that_goes_backwards_changes_nothing(data: Path, tmp_path: Path) -> None:
    run = spec(model(training_parameters__epochs=[6]))
    with pytest.raises(Interrupted):
        train(run, data, tmp_path / "cut", device="cpu", report=interrupt_at(0.6))
    tomorrow = time.time() + 86400
    for path in (tmp_path / "cut").rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    for logs in ("cut", "whole"):
        train(run, data, tmp_path / logs, device="cpu")
    cut, whole = (Run(run.folder(tmp_path / logs)) for logs in ("cut", "whole"))
    assert same_weights(cut.last_weights, whole.last_weights)
    steps: list[Progress] = []
    train(run, data, tmp_path / "cut", device="cpu", report=steps.append)
    assert steps == [], "done is done"


def test_a_finished_run_is_not_done_again(data: Path, tmp_path: Path) -> None:
    run = spec(model(training_parameters__epochs=[1]))
    train(run, data, tmp_path, device="cpu")
    steps: list[Progress] = []
    train(run, data, tmp_path, device="cpu", report=steps.append)
    assert steps == []
    state = Run(run.folder(tmp_path)).state
    for since in ("another done", state.replace("done", "begun")):
        train(run, data, tmp_path, device="cpu", replaces=since, report=steps.append)
        assert steps == []
    train(run, data, tmp_path, device="cpu", replaces=state, report=steps.append)
    assert steps


def test_another_model_in_the_same_folder_is_refused_with_both_values(data: Path, tmp_path: Path) -> None:
    train(spec(model(training_parameters__epochs=[1])), data, tmp_path, device="cpu")
    other = model(training_parameters__epochs=[1], training_parameters__batch_size=7)
    with pytest.raises(BadInput, match=r"model\.training_parameters\.batch_size is 6 there and 7 now.*--restart"):
        train(spec(other), data, tmp_path, device="cpu")
    with pytest.raises(BadInput, match=r"job\.seed is 0 there and 3 now"):
        train(spec(model(training_parameters__epochs=[1]), seed=3), data, tmp_path, device="cpu")


def test_other_data_in_the_same_folder_is_refused(data: Path, tmp_path: Path) -> None:
    from tests.helpers import small_store

    small_store(tmp_path / "other", n=33)
    run = spec(model(training_parameters__epochs=[1]))
    train(run, data, tmp_path / "logs", device="cpu")
    with pytest.raises(BadInput, match=r"data\.fingerprint is"):
        train(run, tmp_path / "other", tmp_path / "logs", device="cpu")


def test_it_stops_when_nothing_improved_for_long_enough(data: Path, tmp_path: Path) -> None:
    config = model(
        training_parameters__epochs=[60],
        training_parameters__early_stop_wait=4,
        training_parameters__early_stop_after=8,
        training_parameters__learning_rate=1e-12,
    )
    scores = train(spec(config), data, tmp_path, device="cpu")
    stopped, best = scores["phases"][0]["epochs"], scores["phases"][0]["best_epoch"]
    assert stopped > 8
    assert stopped - best >= 4
    assert stopped == max(9, best + 4)


def test_each_phase_starts_from_the_best_of_the_one_before(data: Path, tmp_path: Path) -> None:
    config = model(model_name="CRNN", training_parameters__epochs=[2, 2, 0, 0, 0])
    run = spec(config)
    scores = train(run, data, tmp_path, device="cpu")
    files = [load_file(run.folder(tmp_path) / f"phase{i}.safetensors") for i in range(5)]
    for name, value in files[0].items():
        assert name.startswith(("lstms", "classifier", "dense")) or torch.equal(value, files[1][name]), name
    for name, value in files[1].items():
        assert all(torch.equal(value, later[name]) for later in files[2:]), name
    assert [phase["epochs"] for phase in scores["phases"]] == [2, 2, 0, 0, 0]
    assert any(not torch.equal(files[0][name], files[1][name]) for name in files[0] if name.startswith("lstms"))


def test_rates_of_late_phases_reach_the_optimiser(data: Path, tmp_path: Path) -> None:
    run = spec(model(model_name="CRNN", training_parameters__epochs=[1, 1, 1, 1, 1]))
    train(run, data, tmp_path, device="cpu")
    rates = [float(row["learning_rate"]) for row in hotlog(run.folder(tmp_path))]
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.001, 0.0001])


def test_l2_does_not_touch_what_a_phase_does_not_use(data: Path, tmp_path: Path) -> None:
    config = model(
        model_name="CRNN", training_parameters__epochs=[2, 0, 0, 0, 0], loss_function_parameters__l2_penalty=0.1
    )
    run = spec(config)
    train(run, data, tmp_path, device="cpu")
    torch.manual_seed(seed_of(run.job.seed))
    fresh = build(config, 100.0, 3).state_dict()
    trained = load_file(run.folder(tmp_path) / "phase0.safetensors")
    assert all(torch.equal(trained[name], fresh[name]) for name in trained if name.startswith("lstms"))


def test_a_batch_of_one_recording_of_one_step_trains(data: Path, tmp_path: Path) -> None:
    config = model(
        training_parameters__batch_size=1,
        training_parameters__epochs=[1],
        model_parameters__n_conv_blocks=6,
        model_parameters__strides_block_end=[4, 2],
    )
    assert train(spec(config), data, tmp_path, device="cpu")["phases"]


def test_it_learns(data: Path, tmp_path: Path) -> None:
    config = model(
        training_parameters__epochs=[25],
        training_parameters__rate_schedule="one_cycle",
        training_parameters__gradient_clip=5.0,
        data_augmentation__resampling=False,
        data_augmentation__awgn=False,
    )
    scores = train(spec(config), data, tmp_path, device="cpu")
    assert scores["phases"][0]["test"]["accuracy"] > 0.8


def test_divergence_is_said_in_one_sentence(data: Path, tmp_path: Path) -> None:
    config = model(training_parameters__learning_rate=1e20, training_parameters__drop_rate=0)
    with pytest.raises(BadInput, match=r"training diverged in phase 0, epoch 1.*lower learning_rate"):
        train(spec(config), data, tmp_path, device="cpu")


def test_what_is_no_ecg_is_learned_as_noise(data: Path, tmp_path: Path) -> None:
    quiet = {f"data_augmentation__{change}": False for change in ("awgn", "zero_filter", "resampling")}
    recipe = {"training_parameters__epochs": [30], "training_parameters__rate_schedule": "one_cycle"}
    run = spec(model(model_name="ResGRU", data_augmentation__empty=0.4, **recipe, **quiet))
    train(run, data, tmp_path, device="cpu")
    loaded = classifier.load(run.folder(tmp_path))
    assert predict(loaded, np.zeros(500), 100.0).label == "~"


def test_a_data_set_without_noise_has_no_label_for_what_is_no_ecg(data: Path, tmp_path: Path) -> None:
    whole = open_store(data)
    chosen = [i for i, target in enumerate(whole.targets()) if whole.classes[target] != "~"]
    labels = whole.labels_of()
    store = write_store(
        tmp_path / "data",
        ((whole.names[i], whole.signal(i)) for i in chosen),
        fs=whole.fs,
        classes=["A", "N"],
        labels={"labels": {whole.names[i]: labels[i] for i in chosen}},
        default_labels="labels",
        origin="made for a test",
    )
    split = make_for_store(store, folds=2, ratio=3)
    save_split(split, splits_folder(tmp_path / "data") / split.name)
    run = spec(model(data_augmentation__empty=0.1))
    assert "class ~, which" in refusal(lambda: train(run, tmp_path / "data", tmp_path / "logs", device="cpu"))


def test_a_run_that_has_not_been_validated_yet_does_not_stop_early(data: Path, tmp_path: Path) -> None:
    early = {"early_stop_after": 0, "early_stop_wait": 2, "validation_step": 5, "epochs": [6]}
    run = spec(model(**{f"training_parameters__{key}": value for key, value in early.items()}))
    assert train(run, data, tmp_path, device="cpu")["phases"][0]["best_epoch"] in (5, 6)


def test_without_a_validation_part_the_last_epoch_is_kept(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    split = make_for_store(open_store(folder), folds=2, ratio=3, refit=True)
    save_split(split, splits_folder(folder) / split.name)
    run = spec(model(training_parameters__epochs=[4]), split=split.name, log_test_score=True)
    scores = train(run, folder, tmp_path, device="cpu")
    (phase,) = scores["phases"]
    assert (phase["epochs"], phase["best_epoch"], phase["valid"]) == (4, 4, None)
    rows = hotlog(run.folder(tmp_path))
    assert [row["valid_score"] for row in rows] == [""] * 4
    assert float(rows[-1]["test_score"]) == pytest.approx(phase["test"]["challenge"])
    predictions = outputs.read_predictions(run.folder(tmp_path) / "predictions.csv")
    assert len(predictions.records) == len(split.folds[0].test)
    print_scores(Console(), scores)


def test_half_precision_trains_too(data: Path, tmp_path: Path) -> None:
    scores = train(spec(model(training_parameters__precision="bf16")), data, tmp_path, device="cpu")
    assert scores["phases"][0]["epochs"] == 3


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (spec(model(), split="split_9_9_9"), "there is no such split; there are split_2_3_14"),
        (spec(model(), fold=2), "fold 2: split_2_3_14 has folds 0 to 1"),
        (spec(model(), labels="v9"), "labels v9: .* it has labels"),
        (spec(model(training_parameters__precision="fp16")), "fp16 needs a GPU"),
        (spec(model(model_name="RNN")), "model_name 'RNN' is unknown"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_trained(
    data: Path, tmp_path: Path, run: RunSpec, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        train(run, data, tmp_path, device="cpu")
    assert not list(tmp_path.rglob("*.safetensors"))


def test_the_originals_own_model_files_run(challenge_files: Path, data: Path, tmp_path: Path) -> None:
    for name in ("CNN_paper", "CRNN_paper"):
        config = load_model(challenge_files / f"{name}.json")
        phases = len(networks.ARCHITECTURES[config.model_name].phases)
        scores = train(spec(config.with_epochs([1] * phases), name=name), data, tmp_path, device="cpu")
        assert len(scores["phases"]) == phases


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("CNN", "ResGRU")]


@pytest.mark.parametrize("architecture", ["CRNN", *SLOW])
def test_processes_that_train_together_give_what_one_gives(data: Path, tmp_path: Path, architecture: str) -> None:
    options: dict[str, Any] = {
        **{"CNN": FAST, "CRNN": {}, "ResGRU": OURS}[architecture],
        "training_parameters__drop_rate": 0.0,  # masks are each process's own
        "training_parameters__epochs": [2, 1, 0, 0, 0] if architecture == "CRNN" else [2],
        "training_parameters__batch_size": 5,  # so that shares are not equal
        "training_parameters__gradient_clip": 0.1,  # so that the gradient's scale matters
        "loss_function_parameters__l2_penalty": 0.1,
    }
    file, config = tmp_path / "tiny.json", model(model_name=architecture, **options)
    file.write_text(config.model_dump_json())
    (tmp_path / "teacher.json").write_text(model(training_parameters__epochs=[1]).model_dump_json())
    for logs in ("one", "two"):
        taught(spec(config), data, tmp_path / logs)
    words = ["train", str(file), "--split", "split_2_3_14", "--device", "cpu", "--data", str(data), "--logs"]
    alone = commands.run(*words, tmp_path / "one")
    with socket.create_server(("127.0.0.1", 0)) as free:
        launched = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    with ThreadPoolExecutor() as pool:  # as torchrun does
        of_each = [os.environ | launched | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
        together = list(pool.map(lambda variables: commands.run(*words, tmp_path / "two", env=variables), of_each))
    for done in (alone, *together):
        assert done.returncode == 0, done.stderr
    assert [done.stdout.count("all of it is in") for done in (alone, *together)] == [1, 1, 0]
    one, two = (tmp_path / logs / architecture / "tiny_single" / "fold0" for logs in ("one", "two"))
    for a, b in zip(hotlog(one), hotlog(two), strict=True):
        assert float(a["loss"] or 0) == pytest.approx(float(b["loss"] or 0), rel=1e-3)
    with (one / "predictions.csv").open() as first, (two / "predictions.csv").open() as second:
        for a, b in zip(csv.DictReader(first), csv.DictReader(second), strict=True):
            assert a["record"] == b["record"]
            assert [float(a[f"p({c})"]) for c in "AN~"] == pytest.approx([float(b[f"p({c})"]) for c in "AN~"], abs=0.02)
    assert json.loads((two / "environment.json").read_text())["processes"] == 2


def test_only_late_epochs_are_kept_and_each_of_them_is_validated(data: Path, tmp_path: Path) -> None:
    options = {"epochs": [6], "choose_from": 0.5, "validation_step": 2}
    run = spec(model(**{f"training_parameters__{key}": value for key, value in options.items()}))
    scores = train(run, data, tmp_path, device="cpu")
    rows = hotlog(run.folder(tmp_path))
    assert [row["epoch"] for row in rows] == ["2", "4", "5", "6"]
    assert next(row["best_epoch"] for row in rows) == "0"
    late = {int(row["epoch"]): float(row["valid_score"]) for row in rows[1:]}
    assert late[scores["phases"][0]["best_epoch"]] == max(late.values())


@pytest.mark.parametrize(
    ("schedule", "epochs", "seen"),
    [(None, 3, [5, 5, 5]), ([2, 3], 4, [2, 2, 3, 3]), ([2, 3, 4], 2, [2, 3]), ([2, 3, 2], 6, [2, 2, 3, 3, 2, 2])],
)
def test_windows_follow_their_schedule(schedule: list[float] | None, epochs: int, seen: list[float]) -> None:
    options = model(data_augmentation__window=5, data_augmentation__window_schedule=schedule).data_augmentation
    assert [options.in_epoch(epoch, epochs).window for epoch in range(epochs)] == seen


def test_processor_time_is_counted_over_interruptions(data: Path, tmp_path: Path) -> None:
    run = spec(model(training_parameters__epochs=[6]))
    with pytest.raises(Interrupted):
        train(run, data, tmp_path, device="cpu", report=interrupt_at(0.6))
    before = json.loads(run.folder(tmp_path).joinpath("progress.json").read_text())
    scores = train(run, data, tmp_path, device="cpu")
    assert before["fraction"] >= 0.5
    assert scores["cpu_seconds"] > 0 and scores["seconds"] > 0
