"""Muon, against torch's own for matrices and against singular value decompositions."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ecg_rhythm import networks
from ecg_rhythm.config import TrainingParameters
from ecg_rhythm.training.muon import Muon, orthogonalised
from ecg_rhythm.training.optimizer import OPTIMIZERS, optimizer_of
from tests.helpers import model


def stepped(optimizer: torch.optim.Optimizer, parameter: nn.Parameter, gradients: list[torch.Tensor]) -> torch.Tensor:
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(2, 40), columns=st.integers(2, 40), seed=st.integers(0, 1000))
def test_singular_vectors_stay_and_singular_values_become_about_1(rows: int, columns: int, seed: int) -> None:
    torch.manual_seed(seed)
    left, _, right = torch.linalg.svd(torch.randn(rows, columns), full_matrices=False)
    values = torch.linspace(1, 3, min(rows, columns))
    turned = left.T @ orthogonalised(left @ torch.diag(values) @ right) @ right.T
    diagonal = torch.diagonal(turned)
    assert 0.6 < float(diagonal.min()) <= float(diagonal.max()) < 1.3
    torch.testing.assert_close(turned, torch.diag(diagonal), atol=0.03, rtol=0)


def test_a_matrix_moves_in_the_direction_of_torchs_own_muon() -> None:
    torch.manual_seed(0)
    start, gradient = torch.randn(12, 30), torch.randn(12, 30)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    moved = stepped(Muon([ours], [nn.Parameter(torch.zeros(1))], 0), ours, [gradient])
    expected = stepped(torch.optim.Muon([theirs], lr=1e-3, weight_decay=0, momentum=0.9), theirs, [gradient])
    own, other = moved * (start.norm() / moved.norm()) - start, expected - start
    step = torch.nn.functional.cosine_similarity(own.flatten(), other.flatten(), dim=0)
    # Ours is also put back on the sphere, which turns the step by half its angle.
    assert step > 0.99


@pytest.mark.parametrize("rate", [1e-4, 1e-3])
def test_a_kernel_moves_by_30_times_the_rate_and_keeps_its_norm(rate: float) -> None:
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.randn(8, 4, 5, 5))
    start = kernel.detach().clone()
    optimizer = Muon([kernel], [nn.Parameter(torch.zeros(1))], 0)
    for group in optimizer.param_groups:
        group["lr"] = rate
    moved = stepped(optimizer, kernel, [torch.randn(8, 4, 5, 5)])
    assert float(moved.norm()) == pytest.approx(float(start.norm()), rel=1e-5)
    assert float((moved - start).norm() / start.norm()) == pytest.approx(30 * rate, rel=0.05)


def test_a_kernel_without_a_gradient_so_far_rests() -> None:
    kernel, other = nn.Parameter(torch.randn(4, 3, 1, 5)), nn.Parameter(torch.ones(4))
    start = kernel.detach().clone()
    assert torch.equal(stepped(Muon([kernel], [other], 0), kernel, [torch.zeros_like(kernel)] * 2), start)


@pytest.mark.parametrize("clipped", [False, True])
def test_gradients_that_overflow_in_float16_move_nothing(clipped: bool) -> None:
    kernel, other = nn.Parameter(torch.randn(4, 3, 1, 5)), nn.Parameter(torch.randn(4))
    before = kernel.detach().clone(), other.detach().clone()
    optimizer, scaler = Muon([kernel], [other], 0), torch.amp.GradScaler("cpu", init_scale=2.0**16)
    for scale, moves in ((1e38, False), (1.0, True)):
        kernel.grad = other.grad = None
        scaler.scale((kernel.sum() + other.sum()) * scale).backward()  # type: ignore[no-untyped-call]
        if clipped:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_([kernel, other], 1.0)
        scaler.step(optimizer)
        scaler.update()
        assert all(torch.equal(now, then) != moves for now, then in zip((kernel, other), before, strict=True))
        assert kernel.isfinite().all()


def test_all_else_moves_as_adamw_moves_it() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(6, 3), [torch.randn(6, 3) for _ in range(4)]
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    moved = stepped(Muon([nn.Parameter(torch.randn(2, 2))], [ours], 0.02), ours, gradients)
    expected = stepped(torch.optim.AdamW([theirs], weight_decay=0.02, fused=True), theirs, gradients)
    assert torch.equal(moved, expected)


@pytest.mark.parametrize("name", ["CNN", "CRNN", "ResGRU"])
def test_it_takes_kernels_that_do_not_see_the_input_itself(name: str) -> None:
    network = networks.build(model(model_name=name), fs=100.0, n_classes=3)
    optimizer = optimizer_of(network, model(training_parameters__optimizer="muon").training_parameters)
    names = {id(parameter): key for key, parameter in network.named_parameters()}
    kernels, others = ([names[id(p)] for p in group["params"]] for group in optimizer.param_groups)
    convolutions = {
        f"{key}.weight": layer.in_channels for key, layer in network.named_modules() if isinstance(layer, nn.Conv2d)
    }
    assert set(kernels) == {key for key, channels in convolutions.items() if channels > 1}
    assert set(kernels) | set(others) == set(names.values())
    assert not set(kernels) & set(others)


def test_every_optimizer_a_model_file_may_name_is_there() -> None:
    annotation: Any = TrainingParameters.model_fields["optimizer"].annotation
    assert set(annotation.__args__) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", ["adam", "adamw", "muon"])
def test_weights_that_rest_do_not_move(name: str) -> None:
    network = networks.build(model(model_name="CRNN"), fs=100.0, n_classes=3)
    network.enter_phase(1)  # in which the convolutions rest
    before = copy.deepcopy(network.state_dict())
    options = model(training_parameters__optimizer=name, training_parameters__weight_decay=0.1).training_parameters
    optimizer = optimizer_of(network, options)
    network.train()
    network(torch.randn(2, 400), torch.tensor([400, 300])).sum().backward()
    optimizer.step()
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before if key.startswith("blocks."))
    assert not torch.equal(before["classifier.weight"], after["classifier.weight"])
