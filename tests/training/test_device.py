"""What must hold on the device that trains: a GPU where torch can use one, else the processor."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from ecg_rhythm import networks
from ecg_rhythm.data.splits import load_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.experiments.local import LocalEngine
from ecg_rhythm.experiments.queue import Status, enqueue, work_off
from ecg_rhythm.training.batches import on_device, training_batches
from ecg_rhythm.training.environment import accelerator_for
from ecg_rhythm.training.fold import Parts
from ecg_rhythm.training.optimizer import optimizer_of
from ecg_rhythm.training.trainer import Trainer
from ecg_rhythm.weights.metadata import Metadata
from ecg_rhythm.weights.run_files import RunFiles
from tests.helpers import model, spec

ON_GPU = torch.cuda.is_available()
DEVICE, PLACE = ("cuda", "0") if ON_GPU else ("cpu", "cpu")
OPTIONS: dict[str, Any] = {
    "training_parameters__auxiliary_heads": True,
    "training_parameters__weight_average": 0.8,
    "data_augmentation__window": 4.0,
    "data_augmentation__window_schedule": [2.0, 4.0],
    **{f"data_augmentation__{change}": 0.5 for change in ("speed", "gain", "noise", "wander", "hum", "gaps", "stuck")},
}
"""What a step may have to do beside the network."""
MANY_STEPS = {**OPTIONS, "training_parameters__epochs": [30], "training_parameters__optimizer": "muon"}


def signals() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    lengths = torch.tensor([900, 2400, 3000, 1501])
    padded = torch.randn(4, 3000).cumsum(1) * 0.1
    return padded * (torch.arange(3000) < lengths[:, None]), lengths


@pytest.mark.parametrize("name", ["CNN", "CRNN", "ResGRU"])
@pytest.mark.parametrize(("mixed", "apart"), [(False, 1e-3), (True, 0.05)], ids=["fp32", "bf16"])
def test_probabilities_are_those_of_the_processor(name: str, mixed: bool, apart: float) -> None:
    torch.manual_seed(0)
    here = networks.build(model(model_name=name), fs=300.0, n_classes=4)
    here.enter_phase(len(here.phases) - 1)
    there = copy.deepcopy(here).to(DEVICE)
    padded, lengths = signals()
    precise = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.inference_mode():
            expected = here.eval()(padded, lengths).softmax(1)
            with torch.autocast(DEVICE, torch.bfloat16, enabled=mixed):
                computed = there.eval()(padded.to(DEVICE), lengths).float().softmax(1).cpu()
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = precise
    torch.testing.assert_close(computed, expected, rtol=0, atol=apart)


def trainer(data: Path, folder: Path, **changes: Any) -> Trainer:
    config = model(**changes)
    store = open_store(data)
    fold = load_split(splits_folder(data) / "split_2_3_14", len(store)).folds[0]
    train, valid, test = (part - 1 for part in (fold.train, fold.valid, fold.test))
    metadata = Metadata(config=config, phase=0, classes=store.classes, fs=store.fs)
    parts = Parts(store, store.targets(), train, valid, test)
    return Trainer(config, parts, RunFiles(folder), metadata, accelerator_for(DEVICE, "auto"))


@pytest.mark.parametrize("name", ["CNN", "CRNN", "ResGRU"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.skipif(not ON_GPU, reason="a processor never waits for itself: needs a GPU that torch can use")
def test_no_step_waits_for_the_gpu(data: Path, tmp_path: Path, name: str, optimizer: str) -> None:
    training = trainer(data, tmp_path, model_name=name, training_parameters__optimizer=optimizer, **OPTIONS)
    training.network.train()
    steps = optimizer_of(training.learning, training.options)
    batches = training_batches(
        on_device(training.parts.store, DEVICE),
        training.parts.targets,
        training.parts.train,
        batch_size=6,
        compensation=0,
        augmentation=training.config.data_augmentation,
        seed=0,
        epoch=0,
    )
    training.train_step(next(batches), steps)  # libraries prepare themselves
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in batches:
            training.train_step(batch, steps)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def command(folder: Path, data: Path, logs: Path) -> list[str]:
    (folder / "tiny.json").write_text(model(**MANY_STEPS).model_dump_json())
    words = ["train", str(folder / "tiny.json"), "--split", "split_2_3_14", "--data", str(data), "--device", DEVICE]
    return [sys.executable, "-m", "ecg_rhythm", *words, "--logs", str(logs)]


@pytest.mark.slow
def test_a_killed_run_goes_on(data: Path, tmp_path: Path) -> None:
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command(tmp_path, data, cut), env=environment, stdout=subprocess.DEVNULL)
    folder = cut / "CNN" / "tiny_single" / "fold0"
    until = time.monotonic() + 120
    while not (folder / "checkpoint.safetensors").exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for logs in (cut, whole):
        subprocess.run(command(tmp_path, data, logs), env=environment, check=True, stdout=subprocess.DEVNULL)
    one, other = (
        json.loads((logs / "CNN" / "tiny_single" / "fold0" / "scores.json").read_text())["phases"][0]
        for logs in (cut, whole)
    )
    assert one["epochs"] == other["epochs"] == 30
    if not ON_GPU:  # there, sums are added in any order
        assert one == other


def test_two_runs_share_the_device(data: Path, tmp_path: Path) -> None:
    queue = enqueue([spec(model(), fold=fold) for fold in (0, 1)], tmp_path)
    work_off(queue, LocalEngine(data, tmp_path, [PLACE, PLACE]))
    assert [(queued.status, queued.error) for queued in queue] == [(Status.DONE, "")] * 2
    for queued in queue:
        environment = json.loads(queued.run.environment.read_text())
        assert (environment["device"] == "cpu") is not ON_GPU
