"""What several test modules need: small data, a small model, and the sentence that a call is refused with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from numpy.typing import NDArray

import ecg_rhythm
from ecg_rhythm import Prediction
from ecg_rhythm.config import Job, ModelConfig
from ecg_rhythm.data.split_rules import make_for_store
from ecg_rhythm.data.splits import save_split
from ecg_rhythm.data.store import Store, splits_folder
from ecg_rhythm.data.writing import write_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.networks.registry import build
from ecg_rhythm.schema import parse
from ecg_rhythm.weights.metadata import Metadata

CHALLENGE = Path(os.environ.get("ECG_RHYTHM_CHALLENGE", Path(__file__).parents[2] / "shared" / "data"))
"""Folder with training2017.zip, REFERENCE-v3.csv, split_5_6_14/ and the original's JSON files."""

MODEL: dict[str, Any] = {
    "model_name": "CNN",
    "model_parameters": {
        "n_channels_first": 4,
        "growth_block_end": 4,
        "n_conv_blocks": 2,
        "kernel_size": [3, 3],
        "dilation_rates": [1, 1],
        "strides_block_end": [2, 2],
        "max_pooling": False,
    },
    "preprocessing": {"spectrogram": True, "nperseg": 32, "noverlap": 16},
    "loss_function_parameters": {"l2_penalty": 0, "class_penalty": 0.2},
    "training_parameters": {
        "learning_rate": 0.01,
        "batch_size": 6,
        "drop_rate": 0.1,
        "exponential_decay": False,
        "dataset_compensation": 0.2,
        "validation_step": 1,
        "early_stop_wait": 100,
        "epochs": [3],
        "precision": "fp32",
    },
    "data_augmentation": {
        "resampling": True,
        "resample_method": "random",
        "zero_filter": True,
        "reload_step": 2,
        "awgn": True,
    },
}
RESGRU = {
    "first_channels": 4,
    "first_kernel": 7,
    "first_stride": 2,
    "channels": [6, 6, 8],
    "kernel": 5,
    "gru_units": 5,
}
LSTM = {"n_lstmneurons": 6, "n_lstmlayers": 2, "bidirectional": True}


def processes(of: int, doing: str) -> set[int]:
    """Processes that a process has started and that run, with these words in their command."""
    found = set()
    for child in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):  # it has ended meanwhile
            if child.ppid() == of and doing in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


def workers(of: int | None = None) -> set[int]:
    """Worker processes of a process, by default of this one."""
    return processes(of or os.getpid(), "ecg_rhythm.inference.processes")


def refusal(call: Callable[[], object]) -> str:
    """The one sentence that a call is refused with."""
    with pytest.raises(BadInput) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


def predict(classifier: Classifier, signal: NDArray[Any], fs: float) -> Prediction:
    """The prediction of a short signal in mV."""
    answer = ecg_rhythm.classify(signal, classifier, fs=fs)
    assert isinstance(answer, Prediction)
    return answer


def model(**changes: Any) -> ModelConfig:
    """A tiny model; changes are given as section__key=value."""
    raw: dict[str, Any] = {k: dict(v) if isinstance(v, dict) else v for k, v in MODEL.items()}
    for path, value in changes.items():
        section, _, key = path.partition("__")
        if key:
            raw[section][key] = value
        else:
            raw[section] = value
    if raw["model_name"] == "CRNN":
        raw["model_parameters"] = raw["model_parameters"] | LSTM
    if raw["model_name"] == "ResGRU":
        raw["model_parameters"] = RESGRU
        raw["preprocessing"] = {"spectrogram": False}
    config: ModelConfig = parse(ModelConfig, json.dumps(raw), "test")
    return config


def spec(config: ModelConfig, fold: int = 0, name: str = "job", **job: Any) -> RunSpec:
    """A run of a model on a fold of the small data."""
    values = {"model": "tiny", "split": "split_2_3_14", "cvids": [0, 1]} | job
    return RunSpec(job_name=name, job=Job(**values), model=config, fold=fold)


def signals(n: int, seed: int = 0, fs: float = 100.0) -> list[tuple[str, str, NDArray[np.float32]]]:
    """Names, labels and signals of n recordings of 3 to 6 s: slow or fast waves, or noise."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        label = "AN~"[i % 3]
        t = np.arange(int(rng.uniform(3, 6) * fs)) / fs
        wave = {"A": np.sin(2 * np.pi * 12 * t), "N": np.sin(2 * np.pi * 3 * t), "~": rng.standard_normal(len(t))}[
            label
        ]
        made.append((f"r{i:03d}", label, (wave + 0.1 * rng.standard_normal(len(t))).astype(np.float32)))
    return made


def small_store(data: Path, n: int = 36) -> Store:
    """Pack small data and give it a split of two folds."""
    made = signals(n)
    store = write_store(
        data,
        ((name, signal) for name, _, signal in made),
        fs=100.0,
        classes=["A", "N", "~"],
        labels={"labels": {name: label for name, label, _ in made}},
        default_labels="labels",
        origin="made for a test",
    )
    split = make_for_store(store, folds=2, ratio=3)
    save_split(split, splits_folder(data) / split.name)
    return store


def onnx_model(path: Path, classes: Sequence[str] = ("N", "A", "~")) -> Path:
    """Write a small network that has learned nothing, of three classes at 100 Hz."""
    torch.manual_seed(0)
    config = model(model_name="ResGRU")
    network = build(config, 100.0, 3)
    network.enter_phase(0)
    from ecg_rhythm.weights import export  # loads ONNX Runtime

    export.export(network, Metadata(config=config, phase=0, classes=[*classes], fs=100.0), path)
    return path
