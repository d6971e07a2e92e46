from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from ecg_rhythm.config import DataAugmentation
from ecg_rhythm.training import augment, durations
from ecg_rhythm.training.padded import Padded, is_changed


def generators(n: int, seed: int = 0) -> list[Generator]:
    return [torch.Generator().manual_seed(seed + i) for i in range(n)]


def batch(lengths: list[int], fs: float = 300.0) -> Padded:
    signals = torch.zeros(len(lengths), max(lengths))
    for i, n in enumerate(lengths):
        signals[i, :n] = torch.randn(n, generator=torch.Generator().manual_seed(i)) + 3.0
    return Padded(signals, torch.tensor(lengths), fs, generators(len(lengths)))


TABLE = {augmentation.name: augmentation for augmentation in augment.AUGMENTATIONS}


def numbers(change: str | slice, n: int, seed: int = 0) -> Tensor:
    chosen = TABLE[change].numbers if isinstance(change, str) else change
    return augment.draw(range(seed, seed + n))[:, chosen]


def test_numbers_of_a_recording_follow_from_its_seed_alone() -> None:
    together, alone = augment.draw([5, 6, 7]), augment.draw([6])
    assert together.shape == (3, augment.N_NUMBERS)
    assert torch.equal(together[1:2], alone)


def test_every_line_of_the_table_has_a_key_and_numbers_of_its_own() -> None:
    keys = DataAugmentation.model_fields.keys()
    assert TABLE.keys() <= keys and len(TABLE) == len(augment.AUGMENTATIONS)
    lines = [augmentation.numbers for augmentation in augment.AUGMENTATIONS]
    used = [
        i for line in (durations.HEART_RATE, durations.CROP, durations.SPEED, *lines) for i in range(line.stop)[line]
    ]
    assert sorted(used) == list(range(augment.N_NUMBERS))


def test_numbers_in_use_stay_as_published_results_drew_them() -> None:
    in_use = {
        "polarity": (6, 7), "gain": (7, 9), "noise": (9, 11), "wander": (11, 15), "gaps": (15, 27), "hum": (27, 31),
        "empty": (31, 36), "stuck": (36, 41),
    }  # fmt: skip
    for name, (first, end) in in_use.items():
        assert TABLE[name].numbers == slice(first, end)
    generator = Generator().manual_seed(3)
    expected = torch.rand(41, generator=generator, dtype=torch.float64)
    assert torch.equal(augment.draw([3])[0, :41], expected)


def test_speeds_bring_80_bpm_to_60_to_120() -> None:
    bpm = 80 * durations.heart_rate_speeds(numbers(durations.HEART_RATE, 2000)).numpy()
    assert 60 <= bpm.min() < 61
    assert 119 < bpm.max() <= 120
    assert abs(bpm.mean() - 90) < 1.5


def test_chances_are_what_they_say() -> None:
    n = 4000
    speeds = durations.random_speeds(numbers(durations.SPEED, n), 0.5)
    assert abs(float((speeds != 1).double().mean()) - 0.5) < 0.03
    assert speeds.min() >= durations.SPEEDS[0] and speeds.max() <= durations.SPEEDS[1]
    one = Padded(torch.ones(n, 1), torch.ones(n, dtype=torch.int64), 300.0, generators(n))
    assert abs(float((augment.flip(one, numbers("polarity", n), 0.3) == -1).double().mean()) - 0.3) < 0.03
    gains = augment.scale(one, numbers("gain", n), 1.0)
    assert gains.min() >= 0.7 and gains.max() <= 1.4 and abs(float(gains.mean()) - 1.05) < 0.02


def test_a_crop_is_a_part_of_what_is_long_enough() -> None:
    lengths = torch.tensor([9000, 3000, 3001] * 500)
    starts, taken = durations.crop(lengths, 300.0, numbers(durations.CROP, 1500), 0.5)
    assert ((starts >= 0) & (starts + taken <= lengths)).all()
    assert torch.equal(taken[1::3], lengths[1::3]), "10 s are not longer than 10 s"
    part = taken[::3] / 9000
    assert 0.4 < float((part < 1).double().mean()) < 0.6
    assert part.min() >= 0.6


def test_a_window_is_what_is_left_at_most() -> None:
    lengths = torch.tensor([9000, 2400, 100] * 500)
    starts, taken = durations.crop(lengths, 300.0, numbers(durations.CROP, 1500), 0.0, 8.0)
    assert torch.equal(taken, torch.tensor([2400, 2400, 100] * 500))
    assert (starts[1::3] == 0).all() and (starts[2::3] == 0).all()
    assert starts[::3].min() < 100 and starts[::3].max() > 6500, "not from all over the recording"
    assert (starts[::3] + 2400 <= 9000).all()


@given(n=st.integers(2, 400), speed=st.floats(0.75, 1.5))
@settings(deadline=None, max_examples=60)
def test_resampling_is_linear_interpolation(n: int, speed: float) -> None:
    padded = batch([n, 400])
    signals, lengths = padded.signals, padded.lengths
    speeds = torch.tensor([speed, 1.0], dtype=torch.float64)
    new_lengths = (lengths / speeds).long().clamp_min(1)
    got = durations.resample(signals, lengths, speeds, new_lengths)
    m = int(new_lengths[0])
    want = np.interp(np.arange(m) * speed, np.arange(n), signals[0, :n].numpy())
    np.testing.assert_allclose(got[0, :m].numpy(), want, rtol=1e-4, atol=1e-4)
    assert not got[0, m:].any()
    assert torch.equal(got[1, :400], signals[1])


def test_bursts_zero_22_percent_in_neighbourhoods_of_11_samples() -> None:
    noisy = batch([200_000])
    got = augment.drop_bursts(noisy, torch.zeros(1, 0), 1.0)[0].numpy()
    zero = got == 0
    assert abs(zero.mean() - (1 - (1 - 0.02275) ** 11)) < 0.01
    assert np.array_equal(got[~zero], noisy.signals[0].numpy()[~zero])
    edges = np.flatnonzero(np.diff(zero.astype(int)))
    runs = np.diff(edges)[1 - int(zero[0]) :: 2] if zero[0] else np.diff(edges)[::2]
    assert runs.min() >= 11


def test_white_noise_has_a_third_of_the_signal_power() -> None:
    before = batch([100_000, 50_000])
    noise = augment.add_white_noise(before, torch.zeros(2, 0), 1.0) - before.signals
    for row, signal, n in zip(noise, before.signals, before.lengths, strict=True):
        ratio = float(signal[:n].square().mean() / row[:n].square().mean())
        assert abs(ratio - 3) < 0.1
        assert not row[n:].any()


def test_noise_and_wander_are_as_strong_as_they_say() -> None:
    before = batch([20_000] * 40)
    signals, u = before.signals, numbers("noise", 40)
    noise = augment.add_noise(before, u, 1.0) - signals
    np.testing.assert_allclose(noise.std(dim=1) / signals.std(dim=1), 0.1 * u[:, 1], atol=0.003)
    u = numbers("wander", 40)
    wander = (augment.add_wander(before, u, 1.0) - signals).numpy()
    np.testing.assert_allclose(
        np.abs(wander).max(axis=1) / signals.std(dim=1).numpy(), augment.MOST_WANDER * u[:, 1], atol=0.003
    )
    spectrum = np.abs(np.fft.rfft(wander - wander.mean(axis=1, keepdims=True))) ** 2
    slow = np.fft.rfftfreq(20_000, 1 / 300) <= 0.7
    assert (spectrum[:, slow].sum(axis=1) / spectrum.sum(axis=1)).min() > 0.95


def test_hum_is_of_the_mains_and_as_strong_as_it_says() -> None:
    before, u = batch([6000] * 40), numbers("hum", 40)
    hum = (augment.add_hum(before, u, 1.0) - before.signals).numpy()
    np.testing.assert_allclose(hum.std(axis=1) / before.signals.std(dim=1).numpy(), u[:, 1], atol=0.01)
    peaks = np.fft.rfftfreq(6000, 1 / 300)[np.abs(np.fft.rfft(hum)).argmax(axis=1)]
    assert set(peaks.round(2).tolist()) == {50.0, 60.0}


def test_empty_signals_are_flat_or_of_any_colour() -> None:
    before, u = batch([9000] * 300), numbers("empty", 300)
    changed, replaced = augment.remove_heart(before, u, 0.5), is_changed(u, 0.5)
    assert 0.4 < float(replaced.double().mean()) < 0.6
    assert torch.equal(changed[~replaced], before.signals[~replaced])
    flat = changed[replaced].std(dim=1) == 0
    assert 0.15 < float(flat.double().mean()) < 0.35
    power = np.abs(np.fft.rfft(changed[replaced][~flat].numpy(), axis=1)) ** 2
    centre = (power * np.fft.rfftfreq(9000, 1 / 300)).sum(axis=1) / power.sum(axis=1)
    assert centre.min() < 5 and centre.max() > 50
    assert torch.equal(augment.remove_heart(before, u, 0.0), before.signals)


def test_what_is_stuck_is_one_long_part_of_one_value() -> None:
    padded = batch([9000, 5000] * 100)
    changed = augment.stick(padded, numbers("stuck", 200), 0.5)
    n_stuck, n_far = 0, 0
    for before, after, n in zip(padded.signals, changed, padded.lengths.tolist(), strict=True):
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
    cut = (augment.cut_gaps(batch([9000] * 60), numbers("gaps", 60), 0.5) == 0).numpy()
    touched = cut.any(axis=1)
    assert 0.3 < touched.mean() < 0.7
    edges = np.diff(np.pad(cut, ((0, 0), (1, 1))).astype(int), axis=1)
    runs = (edges == 1).sum(axis=1)
    assert runs.max() <= 5 and cut.sum(axis=1).max() <= 5 * 151
    assert cut[touched].sum(axis=1).min() >= 9


@pytest.mark.parametrize("name", TABLE)
def test_what_happens_to_a_recording_does_not_depend_on_its_batch(name: str) -> None:
    together = batch([300, 500, 400])
    alone = Padded(together.signals[2:, :400], together.lengths[2:], 300.0, generators(1, seed=2))
    change = TABLE[name].change
    whole, part = change(together, numbers(name, 3), 1.0), change(alone, numbers(name, 1, seed=2), 1.0)
    torch.testing.assert_close(whole[2, :400], part[0])
    assert not whole[2, 400:].any()
    assert not torch.equal(part, alone.signals)
