"""Auxiliary heads: what they see, and that nothing of them stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ecg_rhythm import networks
from ecg_rhythm.experiments.run import train
from ecg_rhythm.training.heads import WithHeads
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
    assert message.startswith("training_parameters.auxiliary_heads: Plain has no list of `blocks`")
