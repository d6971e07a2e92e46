"""Checkpoints that are damaged, or that say what cannot be: each is refused in a sentence, and nothing is trained."""

from __future__ import annotations

import copy
import json
import math
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ecg_rhythm import networks
from ecg_rhythm.experiments.run import train
from ecg_rhythm.training.checkpoint import read_checkpoint, restore_checkpoint
from ecg_rhythm.training.optimizer import optimizer_of
from ecg_rhythm.weights import tensor_file
from tests.as_written.test_as_written import INTERRUPTED, KEPT, run_of
from tests.helpers import refusal

Tensors = dict[str, torch.Tensor]
STEPS = 2
"""Steps of an epoch of the interrupted run."""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """The checkpoint of a copy of an interrupted run, with a hash."""
    shutil.copytree(KEPT, tmp_path / "kept")
    path = tmp_path / "kept" / INTERRUPTED / "checkpoint.safetensors"
    tensor_file.write(path, *tensor_file.read(path, "checkpoint", "stop"))
    return path


def go_on(checkpoint: Path) -> None:
    """Make a network ready to go on, as training does."""
    config = run_of(checkpoint.parent).model
    _, tensors = read_checkpoint(checkpoint, networks.epochs_per_phase(config), STEPS)
    network = networks.build(config, 100.0, 3)
    network.enter_phase(1)
    optimizer = optimizer_of(network, config.training_parameters)
    restore_checkpoint(network, copy.deepcopy(network), optimizer, tensors, checkpoint)


def why(checkpoint: Path) -> str:
    """What going on from it is refused with."""
    message = refusal(lambda: go_on(checkpoint))
    assert str(checkpoint) in message and message.endswith(("train it again with --restart", "one that training wrote"))
    return message


def test_the_checkpoint_of_this_run_is_not_refused(checkpoint: Path) -> None:
    go_on(checkpoint)


def test_a_changed_bit_anywhere_is_noticed(checkpoint: Path) -> None:
    good, rng = checkpoint.read_bytes(), random.Random(0)
    header = 8 + int.from_bytes(good[:8], "little")
    places = [*(rng.randrange(header) for _ in range(10)), *(rng.randrange(header, len(good)) for _ in range(10))]
    for place in places:
        changed = bytearray(good)
        changed[place] ^= 1 << rng.randrange(8)
        checkpoint.write_bytes(changed)
        why(checkpoint)


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\xff" * 8, b"\2\0\0\0\0\0\0\0{}"])
def test_what_is_no_checkpoint_is_refused(content: bytes, checkpoint: Path) -> None:
    checkpoint.write_bytes(content)
    why(checkpoint)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"phase": 99}, "cannot be: it is in epoch 1 of phase 99"),
        ({"epoch": 10**9}, "cannot be: it is in epoch 1000000000 of phase 1"),
        ({"best_epoch": 7}, "cannot be: epoch 7 is its best, and 1 its last"),
        ({"phases": []}, "cannot be: it has scores of 0 phases, and is in phase 1"),
        ({"phases": [{"phase": 0}]}, "cannot be: a finished phase has no number of epochs"),
        ({"phases": [{"phase": 0, "epochs": -(10**9)}]}, "cannot be: a finished phase has no number of epochs"),
        ({"epoch": 0, "best_epoch": 0, "best_score": None, "step": 0, "hotlog": []}, "of epoch 0 has 150 tensors"),
        ({"step": 10**9}, "cannot be: it is in step 1000000000, and in epoch 1"),
        ({"best_epoch": 0}, "is its best score, of no epoch"),
        ({"hotlog": [{"phase": 1, "epoch": 99}]}, "cannot be: its log goes on after its last epoch"),
        ({"hotlog": [{"phase": 9, "epoch": 1}]}, "cannot be: its log goes on after its last epoch"),
        *(({key: value}, "damaged, or another version") for key, value in (
            ("phase", "a"), ("epoch", -1), ("best_score", "x"), ("hotlog", None), ("new", 1), ("seconds", -1),
            ("best_score", 7.5), ("best_score", math.nan), ("loss", math.inf),
            ("step", 10**300), ("hotlog", [{"loss": [1]}]), ("scaler", {"scale": "x"}),
        )),
    ],
)  # fmt: skip
def test_a_state_that_cannot_be_is_refused(changes: dict[str, Any], says: str, checkpoint: Path) -> None:
    tensors, text = tensor_file.read(checkpoint, "checkpoint", "stop")
    tensor_file.write(checkpoint, tensors, json.dumps(json.loads(text) | changes))
    assert says in why(checkpoint)


def without(tensors: Tensors, part: str) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if part not in name}


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: without(tensors, "optimizer."),
        lambda tensors: without(tensors, "exp_avg_sq"),
        lambda tensors: without(tensors, "optimizer.3.step"),
        lambda tensors: without(tensors, "classifier"),
        lambda tensors: {name: torch.zeros(()) for name in tensors},
        lambda tensors: tensors | {"optimizer.999.step": torch.zeros(())},
        lambda tensors: tensors | {"optimizer.x.y": torch.zeros(2)},
        lambda tensors: tensors | {"other": torch.zeros(2)},
    ],
)
def test_tensors_of_another_network_are_refused(change: Any, checkpoint: Path) -> None:
    tensors, text = tensor_file.read(checkpoint, "checkpoint", "stop")
    tensor_file.write(checkpoint, change(tensors), text)
    assert "the tensors of this checkpoint do not fit the network" in why(checkpoint)


def test_the_best_weights_of_another_network_are_refused(checkpoint: Path) -> None:
    shutil.copy(
        KEPT / "logs" / "CNN" / "done" / "fold0" / "phase0.safetensors", checkpoint.parent / "phase1.safetensors"
    )
    kept = checkpoint.parents[4]
    message = refusal(lambda: train(run_of(checkpoint.parent), kept / "data", kept / "logs", device="cpu"))
    assert "phase1.safetensors: these are weights of another network" in message
