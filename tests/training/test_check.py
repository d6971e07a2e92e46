from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ecg_rhythm import networks
from ecg_rhythm.config import ModelConfig, load_model, shipped
from ecg_rhythm.experiments import run as running
from ecg_rhythm.experiments.run import train
from ecg_rhythm.networks import ARCHITECTURES, Network, Phase
from ecg_rhythm.schema import Section
from ecg_rhythm.training.check import check_padding
from tests.helpers import model, refusal, spec


class NoParameters(Section):
    pass


class Base(Network):
    """One convolution over the signal and a linear layer; `pool` and `logits` are what subclasses do wrong."""

    Parameters = NoParameters
    phases: ClassVar[tuple[Phase, ...]] = (Phase(epochs=1),)

    def __init__(self, config: ModelConfig, parameters: NoParameters, fs: float, n_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 6, 9, padding=4, bias=False)
        self.norm = nn.BatchNorm1d(6)
        self.classifier = nn.Linear(6, n_classes)

    def features(self, signals: Tensor) -> Tensor:
        features: Tensor = self.norm(self.conv(signals[:, None])).relu()
        return features

    def real(self, signals: Tensor, lengths: Tensor) -> Tensor:
        return (torch.arange(signals.shape[1]) < lengths[:, None])[:, None]

    def pool(self, x: Tensor, real: Tensor) -> Tensor:
        return (x * real).sum(dim=2) / real.sum(dim=2)

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.pool(self.features(signals), self.real(signals, lengths)))
        return logits


class MeanOfPadding(Base):
    def pool(self, x: Tensor, real: Tensor) -> Tensor:
        return x.mean(dim=2)


class MeanOfPaddingByNewLayer(MeanOfPadding):
    """Its last layer begins at 0, so new weights give every signal the same."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        nn.init.zeros_(self.classifier.weight)


class MaximumOfPadding(Base):
    """What it computes of 0 is 0 as long as its batch norm is new."""

    def features(self, signals: Tensor) -> Tensor:
        features: Tensor = -self.norm(self.conv(signals[:, None])).abs()
        return features

    def pool(self, x: Tensor, real: Tensor) -> Tensor:
        return x.amax(dim=2) + x.mean(dim=2) * x.shape[2] / real.sum(dim=2)


class SecondLayerReadsFirstOnesPadding(Base):
    """It masks at the end alone: the second convolution has read what the first made of the padding."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.second = nn.Conv1d(6, 6, 301, padding=150)

    def pool(self, x: Tensor, real: Tensor) -> Tensor:
        return super().pool(self.second(x), real)


class ReadsBackwards(Base):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.gru = nn.GRU(6, 6, batch_first=True)

    def pool(self, x: Tensor, real: Tensor) -> Tensor:
        last: Tensor = self.gru(x[:, :, ::50].transpose(1, 2).flip(1))[0][:, -1] + self.gru(x[:, :, ::50].mT)[0][:, -1]
        return last


class NormalisesTheBatch(Base):
    def features(self, signals: Tensor) -> Tensor:
        return super().features(signals / signals.abs().max())


class CentresTheBatch(Base):
    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        logits = super().forward(signals, lengths)
        return logits - logits.mean(dim=0)


class SureOfPadding(MeanOfPadding):
    """Its logits are so far apart that probabilities hardly change."""

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        return 1000 * super().forward(signals, lengths)


class WrongInItsLastPhase(Base):
    phases = (Phase(epochs=1), Phase(epochs=1))

    def pool(self, x: Tensor, real: Tensor) -> Tensor:
        return x.mean(dim=2) if self.phase else super().pool(x, real)


class DrawsAtRandom(Base):
    def pool(self, x: Tensor, real: Tensor) -> Tensor:
        return super().pool(x, real) + torch.randn(len(x), 6)


WRONG = (
    MeanOfPadding, MeanOfPaddingByNewLayer, MaximumOfPadding, SecondLayerReadsFirstOnesPadding, ReadsBackwards,
    NormalisesTheBatch, CentresTheBatch, SureOfPadding, WrongInItsLastPhase, DrawsAtRandom,
)  # fmt: skip


def of(architecture: type[Network], monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    monkeypatch.setitem(ARCHITECTURES, architecture.__name__, architecture)
    options: dict[str, Any] = {"model_parameters": {}, "training_parameters__epochs": [1]}
    return model(model_name=architecture.__name__, **options)


@pytest.mark.parametrize("architecture", WRONG)
@pytest.mark.parametrize("fs", [100.0, 300.0])
def test_what_depends_on_padding_or_batch_mates_is_refused(
    architecture: type[Network], fs: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = of(architecture, monkeypatch)
    state = torch.get_rng_state()
    says = refusal(lambda: check_padding(config, fs, 4, "models/x.json"))
    assert torch.equal(torch.get_rng_state(), state)
    assert says.startswith(
        f"models/x.json: {architecture.__name__} gives a signal other probabilities when it is padded"
    )
    assert "its `forward` must compute each row from the first `lengths` samples of that row alone" in says


def test_what_depends_on_neither_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for config in (of(Base, monkeypatch), model(), model(model_name="CRNN"), model(model_name="ResGRU")):
        check_padding(config, 100.0, 3)


@pytest.mark.parametrize("path", sorted(shipped("models").glob("*.json")), ids=lambda path: path.stem)
def test_no_shipped_model_is_refused(path: Path) -> None:
    check_padding(load_model(path), 300.0, 4)


def test_a_run_is_refused_before_it_leaves_anything(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = spec(of(MeanOfPadding, monkeypatch))
    assert "tiny: MeanOfPadding gives" in refusal(lambda: train(run, data, tmp_path / "logs", device="cpu"))
    assert not (tmp_path / "logs").exists()


def test_the_check_changes_no_bit_of_what_is_trained(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [spec(model(model_name=name)) for name in ("CNN", "ResGRU")]
    for run in runs:
        train(run, data, tmp_path / "checked", device="cpu")
    monkeypatch.setattr(running, "check_padding", lambda *given: None)
    for run in runs:
        train(run, data, tmp_path / "unchecked", device="cpu")
        a, b = (load_file(run.folder(tmp_path / logs) / "phase0.safetensors") for logs in ("checked", "unchecked"))
        assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_finished_run_is_not_checked_again(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = spec(model(training_parameters__epochs=[1]))
    train(run, data, tmp_path, device="cpu")
    monkeypatch.setattr(networks.registry, "build", lambda *given: pytest.fail("a network was built"))
    monkeypatch.setattr(networks, "build", lambda *given: pytest.fail("a network was built"))
    train(run, data, tmp_path, device="cpu")
