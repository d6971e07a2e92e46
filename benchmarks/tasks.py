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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import baseline
from ecg_rhythm import challenge, config, networks
from ecg_rhythm.classifier import Classifier, classify_files
from ecg_rhythm.dataset import Batch, on_device, sorted_batches, training_batches
from ecg_rhythm.environment import accelerator_for
from ecg_rhythm.inference import probabilities
from ecg_rhythm.objective import class_weights, weighted_loss
from ecg_rhythm.splits import load_split
from ecg_rhythm.store import Store, open_store, splits_folder
from ecg_rhythm.weights import Description

Indices = NDArray[np.int64]
DATA, MODELS = Path(os.environ.get("ECG_RHYTHM_DATA", "data")), Path("models")
PARTS = {"CNN": ("CNN_paper", 0), "CRNN-0": ("CRNN_paper", 0), "CRNN": ("CRNN_paper", 2)}
"""Network and phase; CRNN-0 is without its LSTMs, CRNN all of it learning together."""
WARM_UP = 2
"""Batches that are not timed: libraries prepare themselves."""


def _setting(part: str) -> tuple[config.ModelConfig, int, Store, Indices, Indices]:
    name, phase = PARTS[part]
    store = open_store(DATA)
    fold = load_split(splits_folder(DATA) / challenge.DEFAULT_SPLIT, len(store)).folds[0]
    return config.load_model(MODELS / f"{name}.json"), phase, store, np.array(fold.train) - 1, np.array(fold.test) - 1


def _timed(batches: Iterator[Any], step: Callable[[Any], int], count: int) -> dict[str, float]:
    """Return recordings per second of processor time over `count` batches."""
    for batch in itertools.islice(batches, WARM_UP):
        step(batch)
    _finish()
    processor, wall, recordings = time.process_time(), time.perf_counter(), 0
    for batch in itertools.islice(batches, count):
        recordings += step(batch)
    _finish()
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    return {"per_cpu_second": recordings / processor, "per_second": recordings / wall, "recordings": recordings}


def _finish() -> None:
    """Wait for what a GPU still has to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def train(part: str, side: str, count: str, device: str = "cpu") -> dict[str, float]:
    """Do training steps of batches of 20, ours with loading, augmentation and spectrogram, the baseline without."""
    model, phase, store, indices, _ = _setting(part)
    targets = store.targets()
    weights = class_weights(targets[indices], len(store.classes), model.loss_function_parameters.class_penalty)
    options = model.training_parameters
    if side == "ours":
        accelerator = accelerator_for(device, "auto", Path())
        recordings = on_device(store, accelerator.device)
        weights = weights.to(accelerator.device)
        bare = networks.build(model, store.fs, len(store.classes))
        bare.enter_phase(phase)
        network: Any = accelerator.prepare(bare)
        batches: Iterator[Any] = training_batches(
            recordings,
            targets,
            indices,
            batch_size=options.batch_size,
            compensation=options.dataset_compensation,
            augmentation=model.data_augmentation,
            seed=0,
            epoch=0,
        )
    else:
        network = baseline.Baseline(model, joint=phase > 0)
        batches = _padded(store, np.random.default_rng(0).permutation(indices), model, int(count))
    network.train()
    optimizer = torch.optim.Adam(p for p in network.parameters() if p.requires_grad)

    def step(batch: Any) -> int:
        inputs = (batch.signals, batch.lengths) if side == "ours" else batch[:2]
        members = batch.indices if side == "ours" else batch[2]
        logits = network(*inputs)
        loss = weighted_loss(logits, torch.from_numpy(targets[members]).to(logits.device, non_blocking=True), weights)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        return len(members)

    return _timed(batches, step, int(count))


def gpu(part: str, count: str) -> dict[str, float]:
    """Do training steps on a GPU, and say what share of its measured bfloat16 matrix rate they reach."""
    model, _, _, indices, _ = _setting(part)
    with FlopCounterMode(display=False) as counter:
        counted = train(part, "ours", "4", "cuda")
    operations = counter.get_total_flops() / (counted["recordings"] + WARM_UP * model.training_parameters.batch_size)
    figures = train(part, "ours", count, "cuda")
    rate = _matrix_rate()
    epochs = model.training_parameters.epochs or [p.epochs for p in networks.ARCHITECTURES[model.model_name].phases]
    seconds = len(indices) / figures["per_second"]
    return {
        **figures,
        "tera_operations": figures["per_second"] * operations / 1e12,
        "matrix_tera_operations": rate / 1e12,
        "share": figures["per_second"] * operations / rate,
        "minutes_per_epoch": seconds / 60,
        "hours_of_five_folds": 5 * sum(epochs) * seconds / 3600,
    }


def _matrix_rate(size: int = 8192, times: int = 20) -> float:
    """Return operations per second of a large bfloat16 matrix product."""
    a, b = (torch.randn(size, size, dtype=torch.bfloat16, device="cuda") for _ in range(2))
    for _ in range(3):
        a @ b
    _finish()
    began = time.perf_counter()
    for _ in range(times):
        a @ b
    _finish()
    return times * 2 * size**3 / (time.perf_counter() - began)


def _padded(store: Store, indices: Indices, model: config.ModelConfig, count: int) -> Iterator[Any]:
    """Return the baseline's batches: random company, padded to the longest of the set, spectrogram done."""
    size, longest = model.training_parameters.batch_size, int(store.lengths.max())
    recordings = on_device(store)
    prepared = []
    for start in range(0, (count + WARM_UP) * size, size):
        batch = recordings.batch(indices[start : start + size])
        images = baseline.images(batch.signals, batch.lengths, model, longest, store.fs)
        prepared.append((*images, batch.indices))
    return iter(prepared)


def predict(part: str, side: str, count: str) -> dict[str, float]:
    """Predict a random part of the test fold, in batches of 32 (ours) or 20 (baseline)."""
    model, phase, store, _, indices = _setting(part)
    chosen = np.random.default_rng(1).permutation(indices)
    if side == "ours":
        accelerator = accelerator_for("cpu", "auto", Path())
        bare = networks.build(model, store.fs, len(store.classes))
        bare.enter_phase(phase)
        network: Any = accelerator.prepare(bare)
        batches: Iterator[Any] = _shuffled(sorted_batches(on_device(store), chosen, 32))

        def step(batch: Any) -> int:
            return len(probabilities(network, [batch])[0])

    else:
        network = baseline.Baseline(model, joint=phase > 0).eval()
        batches = _padded(store, chosen, model, int(count))

        def step(batch: Any) -> int:
            with torch.inference_mode():
                return len(network(*batch[:2]).softmax(dim=1))

    return _timed(batches, step, int(count))


def _shuffled(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield all batches in random order, so that a few of them are like all of them."""
    everything = list(batches)
    return iter([everything[i] for i in np.random.default_rng(0).permutation(len(everything))])


def load(part: str, count: str) -> dict[str, float]:
    """Load and augment, nothing else."""
    model, _, store, indices, _ = _setting(part)
    batches = training_batches(
        on_device(store),
        store.targets(),
        indices,
        batch_size=model.training_parameters.batch_size,
        compensation=model.training_parameters.dataset_compensation,
        augmentation=model.data_augmentation,
        seed=0,
        epoch=0,
    )
    return _timed(batches, lambda batch: len(batch.indices), int(count))


def _small(store: Store) -> Classifier:
    model = config.load_model(MODELS / "CNN_demo.json")
    network = networks.build(model, store.fs, len(store.classes))
    return Classifier([(network, Description(config=model, phase=0, classes=store.classes, fs=store.fs))])


def grow(files: str) -> dict[str, float]:
    """Classify so many files in one call, 64 of them again and again, with the demo's CNN."""
    store = open_store(DATA)
    with tempfile.TemporaryDirectory() as folder:
        paths = _written(store, Path(folder), 64)
        began = time.process_time()
        answers = classify_files(_small(store), itertools.islice(itertools.cycle(paths), int(files)))
        found = sum(1 for _ in answers)
        return {"files": found, "cpu_seconds": time.process_time() - began}


def _written(store: Store, folder: Path, count: int) -> list[Path]:
    import wfdb

    for i in range(count):
        signal = store.signal(i)[:, None].astype(np.float64)
        wfdb.wrsamp(store.names[i], store.fs, ["mV"], ["ECG"], p_signal=signal, fmt=["16"], write_dir=str(folder))
    return [folder / store.names[i] for i in range(count)]


def first_answer() -> dict[str, float]:
    """Wait for the answer of the command `classify`, and for a bare `import torch`."""
    from ecg_rhythm import weights

    store = open_store(DATA)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (path,) = _written(store, folder, 1)
        network, description = _small(store).members[0]
        weights.save(folder / "w.safetensors", network, description)
        commands = {
            "classify": ["-m", "ecg_rhythm", "classify", str(path), "--model", str(folder / "w.safetensors")],
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
    "gpu": gpu,
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
