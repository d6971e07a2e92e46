"""What is measured, each in a process of its own: `python -m benchmarks.tasks NAME ...` prints one line of JSON."""

from __future__ import annotations

import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import DATA, baseline
from ecg_rhythm import config
from ecg_rhythm.data import challenge
from ecg_rhythm.data.splits import load_split
from ecg_rhythm.data.store import Store, open_store, splits_folder
from ecg_rhythm.inference.blocks import File
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.classify import answers
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.networks.registry import build, epochs_per_phase
from ecg_rhythm.training.batches import Batch, on_device, sorted_batches, training_batches
from ecg_rhythm.training.environment import accelerator_for
from ecg_rhythm.training.loss import loss_of
from ecg_rhythm.training.optimizer import optimizer_of
from ecg_rhythm.training.predict import probabilities
from ecg_rhythm.weights.metadata import Metadata
from ecg_rhythm.weights.torch_model import TorchModel

Indices = NDArray[np.int64]
MODELS = Path("models")
PARTS = {"CNN": ("CNN_paper", 0), "CRNN-0": ("CRNN_paper", 0), "CRNN": ("CRNN_paper", 2)}
"""Network and phase; CRNN-0 is without its LSTMs, CRNN all of it learning together."""
SETTINGS = {**PARTS, "default": ("default", 0)}
"""With the default network, which has no baseline."""
WARM_UP = 2
"""Batches that are not timed, as libraries prepare themselves; on a GPU, as many as are timed."""


def _setting(part: str) -> tuple[config.ModelConfig, int, Store, Indices, Indices]:
    name, phase = SETTINGS[part]
    store = open_store(DATA)
    fold = load_split(splits_folder(DATA) / challenge.DEFAULT_SPLIT, len(store)).folds[0]
    return config.load_model(MODELS / f"{name}.json"), phase, store, fold.train - 1, fold.test - 1


def _timed(batches: Iterator[Any], step: Callable[[Any], int], count: int, warm_up: int = WARM_UP) -> dict[str, float]:
    """Recordings per second of processor time over `count` batches, after some that are not timed."""
    before = sum(step(batch) for batch in itertools.islice(batches, warm_up))
    _finish()
    processor, wall, recordings = time.process_time(), time.perf_counter(), 0
    for batch in itertools.islice(batches, count):
        recordings += step(batch)
    _finish()
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    rates = {"per_cpu_second": recordings / processor, "per_second": recordings / wall}
    return {**rates, "recordings": recordings, "not_timed": before}


def _finish() -> None:
    """Wait for what a GPU still has to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def train(part: str, side: str, count: str, seed: str, device: str = "cpu") -> dict[str, float]:
    """Do training steps of batches of 20, ours with loading, augmentation and spectrogram, the baseline without."""
    model, phase, store, indices, _ = _setting(part)
    targets = store.targets()
    loss_function = loss_of(model.loss_function_parameters, targets[indices], len(store.classes))
    options = model.training_parameters
    if side == "ours":
        accelerator = accelerator_for(device, "auto")
        recordings = on_device(store, accelerator.device)
        loss_function.to(accelerator.device)
        bare = build(model, store.fs, len(store.classes))
        bare.enter_phase(phase)
        network: Any = bare.to(accelerator.device)
        optimizer = optimizer_of(bare, options)
        batches: Iterator[Any] = itertools.chain.from_iterable(
            training_batches(
                recordings,
                targets,
                indices,
                batch_size=options.batch_size,
                compensation=options.dataset_compensation,
                augmentation=model.data_augmentation,
                seed=int(seed),
                epoch=epoch,
            )
            for epoch in itertools.count()
        )
    else:
        network = baseline.Baseline(model, joint=phase > 0)
        optimizer = torch.optim.Adam(network.parameters())
        batches = _padded(store, np.random.default_rng(int(seed)).permutation(indices), model, int(count))
    network.train()

    def step(batch: Any) -> int:
        inputs = (batch.signals, batch.lengths) if side == "ours" else batch[:2]
        members = batch.indices if side == "ours" else batch[2]
        with accelerator.autocast() if side == "ours" else nullcontext():
            logits = network(*inputs)
        loss = loss_function(logits, torch.from_numpy(targets[members]).to(logits.device, non_blocking=True))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return len(members)

    return _timed(batches, step, int(count), WARM_UP if device == "cpu" else int(count))


def floor(part: str, device: str, count: str) -> dict[str, float]:
    """Do training steps, and say what share of the device's measured bfloat16 matrix rate they reach.

    The LSTMs' operations, a few percent, are not counted.
    """
    model, phase, _, indices, _ = _setting(part)
    with FlopCounterMode(display=False) as counter:
        counted = train(part, "ours", str(-(-int(count) // 4)), "0", device)
    operations = counter.get_total_flops() / (counted["recordings"] + counted["not_timed"])
    figures = train(part, "ours", count, "0", device)
    rate = _matrix_rate(device)
    seconds_per_epoch = len(indices) / figures["per_second"]
    return {
        **figures,
        "giga_operations_per_recording": operations / 1e9,
        "matrix_giga_operations_per_second": rate / 1e9,
        "share": figures["per_second"] * operations / rate,
        "minutes_per_epoch": seconds_per_epoch / 60,
        "hours_of_phase_in_five_folds": 5 * epochs_per_phase(model)[phase] * seconds_per_epoch / 3600,
    }


def _matrix_rate(device: str) -> float:
    """Operations per second of a large bfloat16 matrix product."""
    size, times = (8192, 20) if device == "cuda" else (2048, 6)
    a, b = (torch.randn(size, size, dtype=torch.bfloat16, device=device) for _ in range(2))
    for _ in range(2):
        a @ b
    _finish()
    began = time.perf_counter()
    for _ in range(times):
        a @ b
    _finish()
    return times * 2 * size**3 / (time.perf_counter() - began)


def _padded(store: Store, indices: Indices, model: config.ModelConfig, count: int) -> Iterator[Any]:
    """The baseline's batches: random company, padded to the longest of the set, spectrogram done."""
    size, longest = model.training_parameters.batch_size, int(store.lengths.max())
    recordings = on_device(store)
    prepared = []
    for start in range(0, (count + WARM_UP) * size, size):
        batch = recordings.batch(indices[start : start + size])
        images = baseline.images(batch.signals, batch.lengths, model, longest, store.fs)
        prepared.append((*images, batch.indices))
    return iter(prepared)


def predict(part: str, side: str, count: str, seed: str) -> dict[str, float]:
    """Score a random part of the test fold as training does, in batches of 32 (ours) or 20 (baseline)."""
    model, phase, store, _, indices = _setting(part)
    chosen = np.random.default_rng(int(seed)).permutation(indices)
    if side == "ours":
        accelerator = accelerator_for("cpu", "auto")
        bare = build(model, store.fs, len(store.classes))
        bare.enter_phase(phase)
        batches: Iterator[Any] = _shuffled(sorted_batches(on_device(store), chosen, 32), int(seed))

        def step(batch: Any) -> int:
            with accelerator.autocast():
                return len(probabilities(bare, [batch])[0])

    else:
        network = baseline.Baseline(model, joint=phase > 0).eval()
        batches = _padded(store, chosen, model, int(count))

        def step(batch: Any) -> int:
            with torch.inference_mode():
                return len(network(*batch[:2]).softmax(dim=1))

    return _timed(batches, step, int(count))


def _shuffled(batches: Iterator[Batch], seed: int) -> Iterator[Batch]:
    """Yield all batches in random order, so that a few of them are like all of them."""
    everything = list(batches)
    return iter([everything[i] for i in np.random.default_rng(seed).permutation(len(everything))])


def load(part: str, seed: str) -> dict[str, float]:
    """Load and augment one epoch, nothing else."""
    model, _, store, indices, _ = _setting(part)
    recordings, targets = on_device(store), store.targets()
    began = time.process_time()
    batches = training_batches(
        recordings,
        targets,
        indices,
        batch_size=model.training_parameters.batch_size,
        compensation=model.training_parameters.dataset_compensation,
        augmentation=model.data_augmentation,
        seed=int(seed),
        epoch=0,
    )
    seen = sum(len(batch.indices) for batch in batches)
    return {"per_cpu_second": seen / (time.process_time() - began)}


def _small(store: Store) -> TorchModel:
    model = config.load_model(MODELS / "CNN_demo.json")
    network = build(model, store.fs, len(store.classes))
    return TorchModel(network, Metadata(config=model, phase=0, classes=store.classes, fs=store.fs))


def grow(files: str) -> dict[str, float]:
    """Classify a number of files in one call with the demo's CNN; 64 files are repeated."""
    store = open_store(DATA)
    with tempfile.TemporaryDirectory() as folder:
        paths = _written(store, Path(folder), 64)
        began = time.process_time()
        named = map(File, itertools.islice(itertools.cycle(paths), int(files)))
        answered = answers(Workers(Classifier([_small(store)])), named)
        return {"files": sum(1 for _ in answered), "cpu_seconds": time.process_time() - began}


def _written(store: Store, folder: Path, count: int) -> list[Path]:
    import wfdb

    for i in range(count):
        signal = store.signal(i)[:, None].astype(np.float64)
        wfdb.wrsamp(store.names[i], store.fs, ["mV"], ["ECG"], p_signal=signal, fmt=["16"], write_dir=str(folder))
    return [folder / store.names[i] for i in range(count)]


def first_answer() -> dict[str, float]:
    """Wait for the answer of the command `classify`, and for a bare `import torch`."""
    with tempfile.TemporaryDirectory() as name:
        (path,) = _written(open_store(DATA), Path(name), 1)
        commands = {
            "classify": ["-m", "ecg_rhythm", "classify", str(path)],
            "import_torch": ["-c", "import torch"],
            "help": ["-m", "ecg_rhythm", "--help"],
        }
        seconds: dict[str, list[float]] = {command: [] for command in commands}
        for _, (command, words) in itertools.product(range(4), commands.items()):
            began = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, capture_output=True)
            seconds[command].append(time.perf_counter() - began)
    return {command: float(np.median(values[1:])) for command, values in seconds.items()}


TASKS: dict[str, Callable[..., dict[str, float]]] = {
    "train": train,
    "predict": predict,
    "floor": floor,
    "load": load,
    "grow": grow,
    "first_answer": first_answer,
}


def main() -> None:
    """Do the task that the command line names."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    name, *arguments = sys.argv[1:]
    result = TASKS[name](*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**result, "peak_mb": peak}))


if __name__ == "__main__":
    main()
