"""Fuzz the files of models, jobs and runs: `python -m fuzzing.models onnx --inputs 20000`. Needs the extra `fuzz`.

Atheris mutates what this program wrote. Each file must be used or refused with `BadInput`, as in `fuzzing.readers`.
Hashes are removed or computed again; otherwise every mutation would be refused.
"""

from __future__ import annotations

import json
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import atheris
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save_file

with atheris.instrument_imports(include=["ecg_rhythm"]):
    from ecg_rhythm.config import ModelConfig, load_jobs, load_model, shipped
    from ecg_rhythm.errors import BadInput
    from ecg_rhythm.experiments.folder import Run
    from ecg_rhythm.networks import Network
    from ecg_rhythm.networks.registry import build
    from ecg_rhythm.schema import parse
    from ecg_rhythm.training import checkpoint
    from ecg_rhythm.training.optimizer import optimizer_of
    from ecg_rhythm.training.progress import State
    from ecg_rhythm.weights import export, onnx_file, tensor_file, torch_model
    from ecg_rhythm.weights.loading import load_file
    from ecg_rhythm.weights.metadata import KEY, Metadata
    from ecg_rhythm.weights.run_files import check_together

from fuzzing import loop

SECONDS, MEGABYTES = 120, 6144
"""The most that a file may take, the process in which an ONNX file computes first included."""
EPOCHS, STEPS = [3], 1
NUMBERS = (0, -1, 1, 2, 3, 7, 1000, 2**20, 2**31, -(2**31), 2**40, 2**63 - 1)
"""What takes the place of sizes in a graph."""


def _config() -> ModelConfig:
    about = json.loads((shipped("models") / "CNN_demo.json").read_text())
    about["model_parameters"] |= {"n_channels_first": 2, "growth_block_end": 1, "n_conv_blocks": 1}
    config: ModelConfig = parse(ModelConfig, json.dumps(about), "fuzzing")
    return config


CONFIG = _config()
ABOUT = Metadata(config=CONFIG, phase=0, classes=["N", "A"], fs=100.0)
IDENTITY = {"model": CONFIG.model_dump(), "job": {"split": "s", "labels": "l", "seed": 0, "fold": 0}}


def network() -> Network:
    """Build a network that has learned nothing."""
    torch.manual_seed(0)
    return build(CONFIG, ABOUT.fs, len(ABOUT.classes)).eval()


def step(one: Network, optimizer: torch.optim.Optimizer) -> None:
    """Train for a step."""
    one(torch.randn(2, 300), torch.tensor([300, 200])).square().sum().backward()
    optimizer.step()


def write_onnx(folder: Path) -> Path:
    """Export a network; gives the file."""
    export.export(network(), ABOUT, folder / "m.onnx")
    return folder / "m.onnx"


def write_weights(folder: Path) -> Path:
    """Save a network; gives the file."""
    torch_model.save(folder / "w.safetensors", network(), ABOUT)
    return folder / "w.safetensors"


def write_checkpoint(folder: Path) -> Path:
    """Save the state of training after a step; gives the file."""
    one = network()
    optimizer = optimizer_of(one, CONFIG.training_parameters)
    step(one, optimizer)
    tensors = checkpoint.checkpoint_tensors(one, None, optimizer)
    phase = State(epoch=1, step=1, best_epoch=1, best_score=0.5, loss=1.0, hotlog=[{"phase": 0, "loss": 1.0}])
    checkpoint.save_checkpoint(folder / "c.safetensors", tensors, phase)
    return folder / "c.safetensors"


def write_json(name: str, content: str) -> Callable[[Path], Path]:
    """Make a writer of a JSON file."""

    def write(folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return write


def use_model(path: Path) -> None:
    """Load a model and classify noise."""
    model = load_file(path)
    samples = round(3 * model.metadata.fs)
    signals = np.random.default_rng(0).standard_normal((2, samples), dtype=np.float32)
    assert np.isfinite(model.logits(signals, np.array([samples, samples]))).all()


def use_checkpoint(path: Path) -> None:
    """Go on from a checkpoint for a step."""
    _, tensors = checkpoint.read_checkpoint(path, EPOCHS, STEPS)
    if tensors:
        one = network()
        optimizer = optimizer_of(one, CONFIG.training_parameters)
        checkpoint.restore_checkpoint(one, None, optimizer, tensors, path)
        step(one, optimizer)


def use_config(path: Path) -> None:
    """Read a model file and build its network."""
    build(load_model(path), ABOUT.fs, len(ABOUT.classes), str(path))


def use_run(path: Path) -> None:
    """Compare the run whose `run.json` this is with another."""
    run = Run(path.parent)
    assert isinstance(run.state, str)
    check_together([run, run])
    run.check_same(IDENTITY)


def whole(seed: Path) -> tuple[bytes, Callable[[bytes, Path], object]]:
    """What to mutate of a file: all of it, but a hash at its end."""
    content = seed.read_bytes()
    if seed.suffix == ".onnx":
        content = content[: -onnx_file.SEAL_BYTES]
    elif seed.suffix == ".safetensors":
        tensors, text = tensor_file.read(seed, "file", "")
        save_file(tensors, seed, metadata={KEY: text})
        content = seed.read_bytes()
    return content, lambda mutant, path: path.write_bytes(mutant)


def text_alone(seed: Path) -> tuple[bytes, Callable[[bytes, Path], object]]:
    """What to mutate of a model or checkpoint: the text in it, which then gets a new hash."""
    if seed.suffix == ".onnx":
        graph = onnx.load(seed)
        text = graph.metadata_props[0].value
        del graph.metadata_props[:]

        def put(mutant: bytes, path: Path) -> None:
            entry = onnx.StringStringEntryProto(key=KEY, value=mutant.decode(errors="replace"))
            rest = onnx.ModelProto(metadata_props=[entry]).SerializeToString()
            path.write_bytes(onnx_file.sealed(graph.SerializeToString() + rest))

        return text.encode(), put
    tensors, text = tensor_file.read(seed, "file", "")
    return text.encode(), lambda mutant, path: tensor_file.write(path, tensors, mutant.decode(errors="replace"))


def graph_alone(seed: Path) -> tuple[bytes, Callable[[bytes, Path], object]]:
    """What to mutate of an ONNX file: its operators, their attributes, their inputs and the sizes in it."""
    before = onnx.load(seed)
    operators = onnx_file.OPERATORS.split()

    def put(mutant: bytes, path: Path) -> None:
        data = atheris.FuzzedDataProvider(mutant)
        graph = onnx.ModelProto.FromString(before.SerializeToString())
        nodes, tensors = graph.graph.node, graph.graph.initializer
        whole_numbers = [tensor for tensor in tensors if tensor.data_type == onnx.TensorProto.INT64]
        for _ in range(data.ConsumeIntInRange(1, 4)):
            node = nodes[data.ConsumeIntInRange(0, len(nodes) - 1)]
            number = NUMBERS[data.ConsumeIntInRange(0, len(NUMBERS) - 1)]
            match data.ConsumeIntInRange(0, 3):
                case 0:
                    node.op_type = operators[data.ConsumeIntInRange(0, len(operators) - 1)]
                case 1 if node.attribute:
                    attribute = node.attribute[data.ConsumeIntInRange(0, len(node.attribute) - 1)]
                    attribute.i, attribute.ints[:] = number, [number] * len(attribute.ints)
                case 2 if node.input:
                    other = nodes[data.ConsumeIntInRange(0, len(nodes) - 1)]
                    node.input[data.ConsumeIntInRange(0, len(node.input) - 1)] = other.output[0]
                case 3 if whole_numbers:
                    tensor = whole_numbers[data.ConsumeIntInRange(0, len(whole_numbers) - 1)]
                    sizes = np.full_like(numpy_helper.to_array(tensor), number)
                    tensor.CopyFrom(numpy_helper.from_array(sizes, tensor.name))
        path.write_bytes(onnx_file.sealed(graph.SerializeToString()))

    return bytes(range(64)), put


@dataclass(frozen=True)
class Target:
    """What is fuzzed: a writer of the file, what of it is mutated, and what uses it."""

    write: Callable[[Path], Path]
    mutated: Callable[[Path], tuple[bytes, Callable[[bytes, Path], object]]]
    use: Callable[[Path], object]


TARGETS = {
    "onnx": Target(write_onnx, whole, use_model),
    "onnx-graph": Target(write_onnx, graph_alone, use_model),
    "onnx-text": Target(write_onnx, text_alone, use_model),
    "weights": Target(write_weights, whole, use_model),
    "weights-text": Target(write_weights, text_alone, use_model),
    "checkpoint": Target(write_checkpoint, whole, use_checkpoint),
    "checkpoint-text": Target(write_checkpoint, text_alone, use_checkpoint),
    "model": Target(write_json("model.json", CONFIG.model_dump_json()), whole, use_config),
    "job": Target(write_json("job.json", (shipped("jobs") / "demo.json").read_text()), whole, load_jobs),
    "run": Target(write_json("run.json", json.dumps({"id": "0", **IDENTITY, "data": {}})), whole, use_run),
}


def fuzz(name: str, inputs: int) -> None:
    """Fuzz one kind of file. It does not come back: libFuzzer ends the process."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        seed = TARGETS[name].write(Path(folder))
        content, put = TARGETS[name].mutated(seed)

        def target(mutant: bytes) -> None:
            put(mutant, seed)
            try:
                TARGETS[name].use(seed)
            except BadInput as error:
                if seed.name not in str(error) and seed.parent.name not in str(error):
                    loop.keep(mutant, f"a message that does not name the file: {error}", seed.name)
            except Exception:
                loop.keep(mutant, traceback.format_exc(), seed.name)

        loop.fuzz(name, [content], target, inputs, SECONDS, MEGABYTES)


if __name__ == "__main__":
    loop.main("fuzzing.models", TARGETS, fuzz)
