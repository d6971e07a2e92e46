"""Auxiliary heads: what they see, and that nothing of them stays."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import BaseModel
from safetensors.torch import load_file
from torch import Tensor, nn

from ecg_rhythm import networks
from ecg_rhythm.config import ModelConfig, load_model, shipped
from ecg_rhythm.experiments.run import train
from ecg_rhythm.networks.base import ARCHITECTURES
from ecg_rhythm.training.heads import WithHeads
from ecg_rhythm.weights import torch_model
from ecg_rhythm.weights.export import export
from ecg_rhythm.weights.metadata import Metadata
from tests.helpers import model, refusal, spec


@pytest.mark.parametrize("name", ["CNN", "CRNN", "ResGRU"])
def test_each_block_but_the_first_has_a_head_and_the_network_is_as_without(name: str) -> None:
    network = networks.build(model(model_name=name), fs=100.0, n_classes=3)
    with_heads = WithHeads(network, 100.0, 3)
    blocks: Any = network.blocks
    signals, lengths = torch.randn(2, 500), torch.tensor([500, 420])
    with_heads.eval()
    with torch.inference_mode():
        logits, *heads = with_heads(signals, lengths)
        assert torch.equal(logits, network(signals, lengths))
    assert [head.shape for head in heads] == [(2, 3)] * (len(blocks) - 1)


def test_a_head_sees_real_steps_alone() -> None:
    with_heads = WithHeads(networks.build(model(), fs=100.0, n_classes=3), 100.0, 3).eval()
    short, long = torch.randn(400), torch.randn(900)
    padded = torch.stack([torch.cat([short, torch.zeros(500)]), long])
    with torch.inference_mode():
        together = with_heads(padded, torch.tensor([400, 900]))[1]
        alone = with_heads(short[None], torch.tensor([400]))[1]
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)


def test_building_heads_leaves_the_networks_statistics_alone() -> None:
    network = networks.build(model(), fs=100.0, n_classes=3)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    WithHeads(network, 100.0, 3)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_the_trained_network_has_no_trace_of_heads(data: Path, tmp_path: Path) -> None:
    plain, headed = model(), model(training_parameters__auxiliary_heads=True)
    for name, config in (("plain", plain), ("headed", headed)):
        train(spec(config, name=name), data, tmp_path, device="cpu")
    one, other = (load_file(tmp_path / "CNN" / name / "fold0" / "phase0.safetensors") for name in ("plain", "headed"))
    assert one.keys() == other.keys()
    assert {name: tensor.shape for name, tensor in one.items()} == {name: t.shape for name, t in other.items()}
    assert not torch.equal(one["classifier.weight"], other["classifier.weight"])


def test_a_network_without_blocks_is_refused() -> None:
    class Plain(networks.Network):
        phases = (networks.Phase(epochs=1),)

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 3)

    message = refusal(lambda: WithHeads(Plain(), 100.0, 3))
    assert message.startswith("model: training_parameters.auxiliary_heads: Plain has no list of `blocks`")


class Bare(networks.Network):
    """An architecture whose blocks are convolutions."""

    class Parameters(BaseModel):
        """None."""

    phases = (networks.Phase(epochs=1), networks.Phase(epochs=1))
    takes_spectrogram = True

    def __init__(self, config: ModelConfig, parameters: Any, fs: float, n_classes: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Conv1d(1, 4, 3), nn.Conv1d(4, n_classes, 3)])

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        x = signals[:, None]
        for block in self.blocks:
            x = block(x)
        return x.mean(-1)


class Idle(Bare):
    """One that does not use all of its blocks."""

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        logits: Tensor = self.blocks[0](signals[:, None]).mean(-1)[:, :3]
        return logits


class Linear(Bare):
    """One without convolutions."""

    def __init__(self, config: ModelConfig, parameters: Any, fs: float, n_classes: int) -> None:
        super().__init__(config, parameters, fs, n_classes)
        self.blocks = nn.ModuleList([nn.Linear(1, 4)])


@pytest.mark.parametrize(
    ("architecture", "key", "value", "says"),
    [
        (Bare, "auxiliary_heads", True, "Bare has `blocks` that do not give an image and its `Steps`; set it to false"),
        (Idle, "auxiliary_heads", True, "Idle does not use all of its `blocks`; set it to false"),
        (Linear, "auxiliary_heads", True, "Linear has no list of `blocks` to put heads between; set it to false"),
        (Linear, "optimizer", "muon", "and this network has none; choose adamw"),
    ],
)
def test_what_a_network_cannot_have_is_refused_before_its_run_begins(
    architecture: type[networks.Network],
    key: str,
    value: object,
    says: str,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(ARCHITECTURES, architecture.__name__, architecture)
    options: dict[str, Any] = {"model_parameters": {}, f"training_parameters__{key}": value}
    run = spec(model(model_name=architecture.__name__, **options))
    message = refusal(lambda: train(run, data, tmp_path, device="cpu"))
    assert message.startswith(f"{run.job.model}: training_parameters.{key}: ") or key == "optimizer"
    assert message.startswith(f"{run.job.model}: ") and message.endswith(says)
    assert not run.folder(tmp_path).exists()


def test_the_papers_cnn_is_saved_without_a_trace_of_heads_and_teacher(tmp_path: Path) -> None:
    config = load_model(shipped("models") / "CNN_distilled.json")
    network = networks.build(config, 300.0, 4)
    WithHeads(network, 300.0, 4)
    metadata = Metadata(config=config, phase=0, classes=["A", "N", "O", "~"], fs=300.0)
    torch_model.save(tmp_path / "w.safetensors", network, metadata)
    plain = networks.build(load_model(shipped("models") / "CNN_paper.json"), 300.0, 4)
    saved = load_file(tmp_path / "w.safetensors")
    assert saved.keys() == plain.state_dict().keys()
    assert sum(saved[name].numel() for name, _ in plain.named_parameters()) == 9_840_740
    if find_spec("onnx") is not None:
        assert export(network, metadata, tmp_path / "w.onnx") < 1e-4
