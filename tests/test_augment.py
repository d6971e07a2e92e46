from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from ecg_rhythm import augment


def generators(n: int, seed: int = 0) -> list[Generator]:
    return [torch.Generator().manual_seed(seed + i) for i in range(n)]


def batch(lengths: list[int]) -> tuple[Tensor, Tensor]:
    signals = torch.zeros(len(lengths), max(lengths))
    for i, n in enumerate(lengths):
        signals[i, :n] = torch.randn(n, generator=torch.Generator().manual_seed(i)) + 3.0
    return signals, torch.tensor(lengths)


def test_speeds_bring_80_bpm_to_60_to_120() -> None:
    bpm = 80 * augment.random_speeds(generators(2000)).numpy()
    assert 60 <= bpm.min() < 61
    assert 119 < bpm.max() <= 120
    assert abs(bpm.mean() - 90) < 1.5


@given(n=st.integers(2, 400), speed=st.floats(0.75, 1.5))
@settings(deadline=None, max_examples=60)
def test_resampling_is_linear_interpolation_cut_to_the_length_before(n: int, speed: float) -> None:
    signals, lengths = batch([n, 400])
    got, stretched = augment.resample(signals, lengths, torch.tensor([speed, 1.0], dtype=torch.float64))
    m = min(int(n / speed), n)
    assert stretched.tolist() == [m, 400]
    want = np.interp(np.arange(m) * speed, np.arange(n), signals[0, :n].numpy())
    np.testing.assert_allclose(got[0, :m].numpy(), want, rtol=1e-4, atol=1e-4)
    assert not got[0, m:].any()
    assert torch.equal(got[1], signals[1])


def test_bursts_zero_22_percent_in_neighbourhoods_of_11_samples() -> None:
    signals, lengths = batch([200_000])
    got = augment.dropout_bursts(signals, lengths, generators(1))[0].numpy()
    zero = got == 0
    assert abs(zero.mean() - (1 - (1 - 0.02275) ** 11)) < 0.01
    assert np.array_equal(got[~zero], signals[0].numpy()[~zero])
    edges = np.flatnonzero(np.diff(zero.astype(int)))
    runs = np.diff(edges)[1 - int(zero[0]) :: 2] if zero[0] else np.diff(edges)[::2]
    assert runs.min() >= 11


def test_white_noise_has_a_third_of_the_signal_power() -> None:
    signals, lengths = batch([100_000, 50_000])
    noise = augment.white_noise(signals, lengths, generators(2)) - signals
    for row, signal, n in zip(noise, signals, lengths, strict=True):
        ratio = float(signal[:n].square().mean() / row[:n].square().mean())
        assert abs(ratio - 3) < 0.1
        assert not row[n:].any()


def test_what_happens_to_a_recording_does_not_depend_on_its_batch() -> None:
    signals, lengths = batch([300, 500, 400])
    for augmentation in (augment.dropout_bursts, augment.white_noise):
        together = augmentation(signals, lengths, generators(3))
        alone = augmentation(signals[2:, :400], lengths[2:], generators(1, seed=2))
        assert torch.equal(together[2, :400], alone[0])
