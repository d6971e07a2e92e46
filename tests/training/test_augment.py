from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from ecg_rhythm.training import augment


def generators(n: int, seed: int = 0) -> list[Generator]:
    return [torch.Generator().manual_seed(seed + i) for i in range(n)]


def batch(lengths: list[int]) -> tuple[Tensor, Tensor]:
    signals = torch.zeros(len(lengths), max(lengths))
    for i, n in enumerate(lengths):
        signals[i, :n] = torch.randn(n, generator=torch.Generator().manual_seed(i)) + 3.0
    return signals, torch.tensor(lengths)


def numbers(change: str, n: int, seed: int = 0) -> Tensor:
    return augment.draw(range(seed, seed + n))[change]


def test_numbers_of_a_recording_follow_from_its_seed_alone() -> None:
    together, alone = augment.draw([5, 6, 7]), augment.draw([6])
    for name, count in augment.NUMBERS.items():
        assert together[name].shape == (3, count)
        assert torch.equal(together[name][1:2], alone[name])


def test_speeds_bring_80_bpm_to_60_to_120() -> None:
    bpm = 80 * augment.heart_rate_speeds(numbers("heart_rate", 2000)).numpy()
    assert 60 <= bpm.min() < 61
    assert 119 < bpm.max() <= 120
    assert abs(bpm.mean() - 90) < 1.5


def test_chances_are_what_they_say() -> None:
    n = 4000
    speeds = augment.random_speeds(numbers("speed", n), 0.5)
    assert abs(float((speeds != 1).double().mean()) - 0.5) < 0.03
    assert speeds.min() >= augment.SPEEDS[0] and speeds.max() <= augment.SPEEDS[1]
    one = torch.ones(n, 1)
    assert abs(float((augment.flip(one, numbers("polarity", n), 0.3) == -1).double().mean()) - 0.3) < 0.03
    gains = augment.scale(one, numbers("gain", n), 1.0)
    assert gains.min() >= 0.7 and gains.max() <= 1.4 and abs(float(gains.mean()) - 1.05) < 0.02


def test_a_crop_is_a_part_of_what_is_long_enough() -> None:
    lengths = torch.tensor([9000, 3000, 3001] * 500)
    starts, taken = augment.crops(lengths, 300.0, numbers("crop", 1500), 0.5)
    assert ((starts >= 0) & (starts + taken <= lengths)).all()
    assert torch.equal(taken[1::3], lengths[1::3]), "10 s are not longer than 10 s"
    part = taken[::3] / 9000
    assert 0.4 < float((part < 1).double().mean()) < 0.6
    assert part.min() >= 0.6


def test_a_window_is_what_is_left_at_most() -> None:
    lengths = torch.tensor([9000, 2400, 100] * 500)
    starts, taken = augment.crops(lengths, 300.0, numbers("crop", 1500), 0.0, 8.0)
    assert torch.equal(taken, torch.tensor([2400, 2400, 100] * 500))
    assert (starts[1::3] == 0).all() and (starts[2::3] == 0).all()
    assert starts[::3].min() < 100 and starts[::3].max() > 6500, "not from all over the recording"
    assert (starts[::3] + 2400 <= 9000).all()


@given(n=st.integers(2, 400), speed=st.floats(0.75, 1.5))
@settings(deadline=None, max_examples=60)
def test_resampling_is_linear_interpolation(n: int, speed: float) -> None:
    signals, lengths = batch([n, 400])
    speeds = torch.tensor([speed, 1.0], dtype=torch.float64)
    new_lengths = (lengths / speeds).long().clamp_min(1)
    got = augment.resample(signals, lengths, speeds, new_lengths)
    m = int(new_lengths[0])
    want = np.interp(np.arange(m) * speed, np.arange(n), signals[0, :n].numpy())
    np.testing.assert_allclose(got[0, :m].numpy(), want, rtol=1e-4, atol=1e-4)
    assert not got[0, m:].any()
    assert torch.equal(got[1, :400], signals[1])


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


def test_noise_and_wander_are_as_strong_as_they_say() -> None:
    signals, lengths = batch([20_000] * 40)
    u = numbers("noise", 40)
    noise = augment.add_noise(signals, lengths, generators(40), u, 1.0) - signals
    np.testing.assert_allclose(noise.std(dim=1) / signals.std(dim=1), 0.1 * u[:, 1], atol=0.003)
    u = numbers("wander", 40)
    wander = (augment.add_wander(signals, lengths, 300.0, u, 1.0) - signals).numpy()
    np.testing.assert_allclose(
        np.abs(wander).max(axis=1) / signals.std(dim=1).numpy(), augment.MOST_WANDER * u[:, 1], atol=0.003
    )
    spectrum = np.abs(np.fft.rfft(wander - wander.mean(axis=1, keepdims=True))) ** 2
    slow = np.fft.rfftfreq(20_000, 1 / 300) <= 0.7
    assert (spectrum[:, slow].sum(axis=1) / spectrum.sum(axis=1)).min() > 0.95


def test_hum_is_of_the_mains_and_as_strong_as_it_says() -> None:
    signals, lengths = batch([6000] * 40)
    u = numbers("hum", 40)
    hum = (augment.add_hum(signals, lengths, 300.0, u, 1.0) - signals).numpy()
    np.testing.assert_allclose(hum.std(axis=1) / signals.std(dim=1).numpy(), u[:, 1], atol=0.01)
    peaks = np.fft.rfftfreq(6000, 1 / 300)[np.abs(np.fft.rfft(hum)).argmax(axis=1)]
    assert set(peaks.round(2).tolist()) == {50.0, 60.0}


def test_empty_signals_are_flat_or_of_any_colour() -> None:
    signals, lengths = batch([9000] * 300)
    u = numbers("empty", 300)
    changed, replaced = augment.without_heart(signals, lengths, 300.0, generators(300), u, 0.5)
    assert 0.4 < float(replaced.double().mean()) < 0.6
    assert torch.equal(changed[~replaced], signals[~replaced])
    flat = changed[replaced].std(dim=1) == 0
    assert 0.15 < float(flat.double().mean()) < 0.35
    power = np.abs(np.fft.rfft(changed[replaced][~flat].numpy(), axis=1)) ** 2
    centre = (power * np.fft.rfftfreq(9000, 1 / 300)).sum(axis=1) / power.sum(axis=1)
    assert centre.min() < 5 and centre.max() > 50
    unchanged, none = augment.without_heart(signals, lengths, 300.0, generators(300), u, 0.0)
    assert torch.equal(unchanged, signals) and not none.any()


def test_what_is_stuck_is_one_long_stretch_of_one_value() -> None:
    signals, lengths = batch([9000, 5000] * 100)
    changed = augment.stick(signals, lengths, numbers("stuck", 200), 0.5)
    n_stuck, n_far = 0, 0
    for before, after, n in zip(signals, changed, lengths.tolist(), strict=True):
        altered = torch.nonzero(before != after).flatten()
        assert not after[n:].any()
        if len(altered) == 0:
            continue
        n_stuck += 1
        assert len(altered) >= 0.99 * (altered[-1] - altered[0]) and 0.015 * n < len(altered) <= 0.45 * n
        assert len(after[altered].unique()) == 1
        n_far += bool(abs(after[altered[0]] - before[:n].mean()) > 1.9 * before[:n].std())
    assert 80 < n_stuck < 120 and 0.35 < n_far / n_stuck < 0.65


def test_gaps_are_few_and_short() -> None:
    signals, lengths = batch([9000] * 60)
    cut = (augment.cut_gaps(signals, lengths, 300.0, numbers("gaps", 60), 0.5) == 0).numpy()
    touched = cut.any(axis=1)
    assert 0.3 < touched.mean() < 0.7
    edges = np.diff(np.pad(cut, ((0, 0), (1, 1))).astype(int), axis=1)
    runs = (edges == 1).sum(axis=1)
    assert runs.max() <= 5 and cut.sum(axis=1).max() <= 5 * 151
    assert cut[touched].sum(axis=1).min() >= 9


def test_what_happens_to_a_recording_does_not_depend_on_its_batch() -> None:
    signals, lengths = batch([300, 500, 400])
    drawn, own = augment.draw([0, 1, 2]), augment.draw([2])
    for augmentation in (augment.dropout_bursts, augment.white_noise):
        together = augmentation(signals, lengths, generators(3))
        alone = augmentation(signals[2:, :400], lengths[2:], generators(1, seed=2))
        assert torch.equal(together[2, :400], alone[0])
    both = ((signals, lengths, drawn, generators(3)), (signals[2:, :400], lengths[2:], own, generators(1, seed=2)))
    changes: list[Callable[..., Tensor]] = [
        lambda x, n, u, g: augment.add_noise(x, n, g, u["noise"], 1.0),
        lambda x, n, u, g: augment.add_wander(x, n, 100.0, u["wander"], 1.0),
        lambda x, n, u, g: augment.add_hum(x, n, 100.0, u["hum"], 1.0),
        lambda x, n, u, g: augment.without_heart(x, n, 100.0, g, u["empty"], 1.0)[0],
        lambda x, n, u, g: augment.stick(x, n, u["stuck"], 1.0),
        lambda x, n, u, g: augment.cut_gaps(x, n, 100.0, u["gaps"], 1.0),
        lambda x, n, u, g: augment.scale(augment.flip(x, u["polarity"], 0.5), u["gain"], 1.0),
    ]
    for change in changes:
        together, alone = (change(*given) for given in both)
        torch.testing.assert_close(together[2, :400], alone[0])
        assert not together[2, 400:].any()
