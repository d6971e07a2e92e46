from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ecg_rhythm.config import Preprocessing, load_model, shipped
from ecg_rhythm.data import synthetic
from ecg_rhythm.errors import BadInput
from ecg_rhythm.networks.base import ARCHITECTURES
from ecg_rhythm.networks.blocks.convolution import ConvBlock, ConvLayer, Dropout
from ecg_rhythm.networks.blocks.frontend import FrontEnd
from ecg_rhythm.networks.blocks.spectrogram import LogSpectrogram
from ecg_rhythm.networks.blocks.steps import Steps
from ecg_rhythm.networks.registry import build, check
from tests.helpers import model, refusal

OPTIONS: list[dict[str, Any]] = [
    {},
    {"model_parameters__max_pooling": True},
    {"model_parameters__dilation_rates": [1, 2, 4]},
    {"preprocessing": {"spectrogram": False}},
    {"model_parameters__strides_block_end": [3, 2]},
    {"model_name": "CRNN"},
    {"model_name": "CRNN", "preprocessing": {"spectrogram": False}},
    {"model_name": "ResGRU"},
]


def parameters_of(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def padded(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    signals = torch.zeros(len(lengths), max(lengths))
    for row, n in zip(signals, lengths, strict=True):
        row[:n] = torch.randn(n, generator=generator)
    return signals, torch.tensor(lengths)


def built(changes: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    network = build(model(**changes), 100.0, 3)
    # Batch norm that has seen something, so that its bias would show wherever padding leaks.
    network.train()
    for seed in range(5):
        network(*padded([300, 250, 200, 150], seed))
    return network.eval()


def test_cnn_has_the_published_number_of_parameters() -> None:
    network = build(load_model(shipped("models") / "CNN_paper.json"), 300.0, 4)
    assert parameters_of(network) == 9_840_740


def test_crnn_parameters_add_up_part_by_part() -> None:
    network = build(load_model(shipped("models") / "CRNN_paper.json"), 300.0, 4)
    parts = {name: parameters_of(part) for name, part in network.named_children()}
    n_lstm = sum(4 * 100 * (n_in + 100 + 2) for n_in in (480, 100, 100))
    assert parts["dense"] == 480 * 200 + 200
    assert parts["lstms"] == 2 * n_lstm == 788_800
    assert parts["classifier"] == 200 * 4 + 4
    assert parts["blocks"] == 4_845_344
    assert parameters_of(network) == sum(parts.values())


@pytest.mark.parametrize("changes", OPTIONS, ids=str)
def test_logits_do_not_depend_on_padding_or_batch_mates(changes: dict[str, Any]) -> None:
    network = built(changes)
    signals, lengths = padded([400, 133, 257, 64, 390])
    for phase in range(len(network.phases)):
        network.enter_phase(phase)
        network.eval()
        with torch.inference_mode():
            together = network(signals, lengths)
            alone = torch.cat([network(s[None, :n], n[None]) for s, n in zip(signals, lengths, strict=True)])
            wider = network(nn.functional.pad(signals, (0, 77)), lengths)
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(together, wider, rtol=1e-4, atol=1e-5)


SHIPPED = {load_model(path).model_name: path for path in sorted(shipped("models").glob("*.json"), reverse=True)}


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_architecture_has_a_model_file_whose_logits_depend_on_nothing_else(name: str) -> None:
    network = build(load_model(SHIPPED[name]), 300.0, 4).eval()
    signals, lengths = padded([900, 640])
    with torch.inference_mode():
        together = network(signals, lengths)
        alone = torch.cat([network(s[None, :n], n[None]) for s, n in zip(signals, lengths, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["CNN", "ResGRU"])
@given(lengths=st.lists(st.integers(1, 500), min_size=1, max_size=5), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_any_lengths_give_the_same_logits_alone(name: str, lengths: list[int], seed: int) -> None:
    network = built({"model_name": name})
    signals, tensor = padded(lengths, seed)
    with torch.inference_mode():
        together = network(signals, tensor)
        alone = torch.cat([network(s[None, :n], n[None]) for s, n in zip(signals, tensor, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["CNN", "CRNN", "ResGRU"])
def test_what_lies_in_the_padding_is_not_seen(name: str) -> None:
    network = built({"model_name": name})
    signals, lengths = padded([320, 160])
    dirty = signals.clone()
    dirty[1, 160:] = 5.0
    with torch.inference_mode():
        torch.testing.assert_close(network(dirty, lengths), network(signals, lengths))


def test_the_default_sees_neither_gain_nor_offset() -> None:
    network = built({"model_name": "ResGRU"})
    signals, lengths = padded([320, 320])
    with torch.inference_mode():
        changed = network(3.0 * signals + 0.7, lengths)
        torch.testing.assert_close(network(signals, lengths), changed, rtol=1e-3, atol=1e-4)
        assert network(torch.zeros(1, 300), torch.tensor([300])).isfinite().all()


def test_batch_statistics_are_those_of_the_real_steps() -> None:
    torch.manual_seed(1)
    layer = ConvLayer(2, 3, (3, 3)).train()
    lengths = torch.tensor([9, 4, 6])
    x = torch.randn(3, 2, 5, 9)
    steps = Steps(lengths, 9, x.device)
    x = x * steps.real[:, None, None]
    real = [layer.conv(row[None, :, :, :n]) for row, n in zip(x, lengths, strict=True)]
    values = torch.cat([r.transpose(0, 1).flatten(1) for r in real], dim=1)
    got, _ = layer(x, steps)
    mean, variance = values.mean(dim=1), values.var(dim=1, unbiased=False)
    for row, r, n in zip(got, real, lengths, strict=True):
        want = torch.relu((r[0] - mean[:, None, None]) / (variance[:, None, None] + layer.norm.eps).sqrt())
        torch.testing.assert_close(row[..., :n], want, rtol=1e-4, atol=1e-5)
        assert not row[..., n:].any()
    torch.testing.assert_close(layer.norm.running_mean, 0.1 * mean, rtol=1e-4, atol=1e-5)


def test_gradient_of_a_padded_batch_is_that_of_the_real_steps() -> None:
    torch.manual_seed(2)
    layer = ConvLayer(1, 2, (3, 3)).double().train()
    lengths = torch.tensor([5, 3])
    steps = Steps(lengths, 5, torch.device("cpu"))
    x = torch.randn(2, 1, 3, 5, dtype=torch.float64) * steps.real[:, None, None]
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: layer(x, steps)[0], (x,))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout_drops_as_many_as_asked_and_keeps_the_mean(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    dropout = Dropout(0.15)
    x = torch.ones(7, 16, 33, 41).contiguous(memory_format=layout).requires_grad_()
    y = dropout(x)
    assert y.unique().tolist() == pytest.approx([0, 1 / 0.85])
    for part in (y, y[0], y[:, 3], y[..., 5]):
        assert (part == 0).float().mean().item() == pytest.approx(0.15, abs=0.02)
    assert not torch.equal(y, dropout(x))
    y.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, y)
    assert torch.equal(dropout.eval()(x), x)


def test_max_pooling_takes_the_maximum_of_real_steps_only() -> None:
    block = ConvBlock(1, 2, 1, (3, 3), (2, 2), [1], True, 0.0).eval()
    x = torch.randn(1, 1, 5, 7)
    full, steps = block(x, Steps(torch.tensor([7]), 7, x.device))
    wider = nn.functional.pad(x, (0, 4))
    cut, steps_of_wider = block(wider, Steps(torch.tensor([7]), 11, x.device))
    assert full.shape == (1, 3, 3, 4)
    assert steps.lengths.tolist() == steps_of_wider.lengths.tolist() == [4]
    torch.testing.assert_close(cut[..., :4], full)


@given(
    length=st.integers(64, 2000),
    nperseg=st.integers(4, 64),
    overlap=st.floats(0, 0.95),
    scale=st.floats(1e-3, 1e4),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=60)
def test_spectrogram_agrees_with_scipy(length: int, nperseg: int, overlap: float, scale: float, seed: int) -> None:
    noverlap = int(overlap * nperseg)
    signal = np.random.default_rng(seed).standard_normal(length).cumsum() * scale
    layer = LogSpectrogram(300.0, Preprocessing(spectrogram=True, nperseg=nperseg, noverlap=noverlap))
    ours = layer.power(torch.from_numpy(signal)[None])[0].numpy().T
    _, _, theirs = scipy.signal.spectrogram(signal, fs=300.0, nperseg=nperseg, noverlap=noverlap)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-12 * theirs.max())


def test_log_spectrogram_is_the_log_of_the_power_in_microvolts() -> None:
    signal = np.random.default_rng(0).standard_normal(600).astype(np.float32)
    layer = LogSpectrogram(300.0, Preprocessing(spectrogram=True))
    image, steps = layer(torch.from_numpy(signal)[None], torch.tensor([600]))
    _, _, power = scipy.signal.spectrogram(1000.0 * signal.astype(np.float64), fs=300.0, nperseg=64, noverlap=32)
    np.testing.assert_allclose(np.exp(image[0, 0].numpy()), power, rtol=1e-5)
    assert steps.lengths.tolist() == [power.shape[1]]


@pytest.mark.parametrize("level", [0.0, 1.234])
def test_log_of_no_power_is_what_the_model_file_says(level: float) -> None:
    layer = LogSpectrogram(300.0, Preprocessing(spectrogram=True, log_of_zero=-9.0))
    image, _ = layer(torch.full((1, 300), level), torch.tensor([300]))
    assert (image == -9.0).all()


def test_directions_of_the_lstm_are_independent_and_meet_at_the_end() -> None:
    network = built({"model_name": "CRNN"})
    network.enter_phase(2)
    network.eval()
    lstms = network.lstms
    assert [lstm.bidirectional for lstm in lstms] == [False, False]
    signals, lengths = padded([300])
    with torch.inference_mode():
        features, _ = network.blocks(*network.input(signals, lengths))
        forward = lstms[0](features)[0].mean(dim=1)
        backward = lstms[1](features.flip(1))[0].mean(dim=1)
        want = network.classifier(torch.cat([forward, backward], dim=1))
        torch.testing.assert_close(network(signals, lengths), want)


def test_one_direction_gives_the_output_of_the_last_real_step() -> None:
    config = model(model_name="CRNN")
    raw = config.model_dump()
    raw["model_parameters"]["bidirectional"] = "False"
    network: Any = build(type(config).model_validate_json(json.dumps(raw)), 100.0, 3)
    network.enter_phase(2)
    network.eval()
    signals, lengths = padded([300, 200])
    with torch.inference_mode():
        for signal, n, logits in zip(signals, lengths, network(signals, lengths), strict=True):
            features, _ = network.blocks(*network.input(signal[None, :n], n[None]))
            last = network.lstms[0](features)[0][:, -1]
            torch.testing.assert_close(logits, network.classifier(last)[0])


def test_frozen_parts_keep_weights_and_statistics() -> None:
    network = built({"model_name": "CRNN"})
    network.enter_phase(1)
    network.train()
    before = {k: v.clone() for k, v in network.blocks.state_dict().items()}
    optimizer = torch.optim.Adam(p for p in network.parameters() if p.requires_grad)
    for seed in range(3):
        network(*padded([300, 200], seed)).square().sum().backward()
        optimizer.step()
    for name, value in network.blocks.state_dict().items():
        assert torch.equal(value, before[name]), name
    network.enter_phase(2)
    assert all(p.requires_grad for p in network.blocks.parameters())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_name": "RNN"}, "allowed: CNN, CRNN"),
        ({"model_parameters__kernel_size": [4, 3]}, "model_parameters: kernel_size.0: must be odd"),
        ({"model_parameters__kernel_size": [3]}, "model_parameters: kernel_size"),
        ({"model_parameters__n_layers": 3}, "unknown key n_layers; allowed here: n_channels_first"),
        ({"model_parameters__dilation_rates": []}, "model_parameters: dilation_rates"),
        ({"training_parameters__epochs": [1, 2]}, "training_parameters.epochs has 2 numbers, CNN has 1 phases"),
    ],
)
def test_parameters_an_architecture_does_not_take_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says.replace(".", r"\.")) as error:
        check(model(**changes), "m.json")
    assert str(error.value).startswith("m.json")
    assert "\n" not in str(error.value)


BEATS = synthetic.rhythm("N", np.random.default_rng(0))[:6000]
SECONDS = np.arange(len(BEATS)) / synthetic.FS


def seen(signal: Any, fs: float = synthetic.FS) -> Any:
    x = torch.tensor(np.asarray(signal), dtype=torch.float32)[None]
    return FrontEnd(fs)(x, Steps(torch.tensor([x.shape[1]]), x.shape[1], x.device))[0].numpy()


def test_the_front_end_is_a_moving_mean_a_low_pass_and_a_size() -> None:
    window = np.ones(181)
    x = BEATS - BEATS.mean()
    near = np.convolve(np.ones_like(x), window, "same")
    baseline = np.convolve(np.convolve(x, window, "same") / near, window, "same") / near
    options = np.convolve(x - baseline, scipy.signal.firwin(61, 40, fs=300), "same")
    found = seen(BEATS)
    inside = np.abs(found) < 7.9
    scale = (found * options).sum() / np.square(options).sum()
    np.testing.assert_allclose(found[inside], scale * options[inside], atol=1e-3)
    assert 0.4 < np.abs(found).mean() < 0.7


@pytest.mark.parametrize(
    "change",
    [
        lambda x: 1000 * x,
        lambda x: x + 20,
        lambda x: x + np.sin(2 * np.pi * 0.15 * SECONDS),
        lambda x: x + np.sin(2 * np.pi * 50 * SECONDS),
        lambda x: x + np.sin(2 * np.pi * 60 * SECONDS),
    ],
    ids=["gain", "offset", "wander", "50 Hz", "60 Hz"],
)
def test_the_front_end_takes_away_what_electrodes_and_mains_add(change: Any) -> None:
    before, after = seen(BEATS), seen(change(BEATS))
    middle = slice(300, -300)
    assert np.corrcoef(before[middle], after[middle])[0, 1] > 0.99


def test_a_rail_hardly_changes_the_size_of_the_rest() -> None:
    railed = BEATS.copy()
    railed[2000:4000] = 5.0
    before, after = seen(BEATS)[:1500], seen(railed)[:1500]
    np.testing.assert_allclose(after, before * (after.std() / before.std()), atol=0.05)
    assert 0.5 < after.std() / before.std() < 1.5
    assert np.abs(seen(railed)).max() <= 8


@pytest.mark.parametrize("fs", [60.0, 128.0, 300.0, 1000.0])
def test_nothing_is_seen_of_a_flat_line(fs: float) -> None:
    assert np.abs(seen(np.full(3000, 1.7), fs)).max() < 0.01
    assert np.isfinite(seen(BEATS, fs)).all()


def test_a_network_that_is_too_large_is_refused_before_its_weights_are_filled() -> None:
    parameters = model().model_parameters
    wide = parameters | {"n_channels_first": 4096, "n_conv_blocks": 100, "dilation_rates": [1] * 100}
    deep = parameters | {"n_channels_first": 1, "growth_block_end": 0, "n_conv_blocks": 4096, "dilation_rates": [1] * 9}
    for large in (wide, deep):
        message = refusal(partial(build, model(model_parameters=large), 100.0, 3, "m.json"))
        assert "parameters in" in message and "the limits are 250,000,000 and 20,000; make it smaller" in message
    huge = parameters | {"kernel_size": [4095, 4095], "n_channels_first": 4096}
    assert refusal(lambda: build(model(model_parameters=huge), 100.0, 3, "m.json")).startswith("m.json: CNN ")
    longer = model(preprocessing={"spectrogram": True, "nperseg": 4096, "noverlap": 4095})
    assert "lower noverlap" in refusal(lambda: build(longer, 100.0, 3))
