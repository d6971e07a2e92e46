from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecg_rhythm.config import DataAugmentation
from ecg_rhythm.data.store import open_store
from ecg_rhythm.data.writing import write_store
from ecg_rhythm.training import augment
from ecg_rhythm.training.batches import Batch, on_device, sorted_batches, training_batches
from ecg_rhythm.training.epoch import balanced, earlier_copies, similar_length
from ecg_rhythm.training.padded import Padded
from tests.helpers import model, signals


@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=4),
    compensation=st.floats(0, 1),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_an_epoch_is_drawn_from_repeated_classes(counts: list[int], compensation: float, seed: int) -> None:
    targets = np.repeat(np.arange(len(counts)), counts)
    indices = np.arange(len(targets))
    drawn = balanced(indices, targets, compensation, np.random.default_rng(seed))
    assert len(drawn) == len(indices)
    for record, times in Counter(drawn.tolist()).items():
        percent = 100 * counts[targets[record]] / len(targets)
        assert times <= int(100 * compensation / percent * (1 + 1e-12)) + 1


def test_without_compensation_an_epoch_is_a_permutation() -> None:
    indices = np.array([5, 3, 9, 12])
    drawn = balanced(indices, np.zeros(20, dtype=np.int64), 0.0, np.random.default_rng(0))
    assert sorted(drawn) == sorted(indices)


@given(n=st.integers(1, 300), size=st.integers(1, 20), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_batches_cover_everything_once(n: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 1000, n)
    batches = list(similar_length(n, lengths.__getitem__, size, rng))
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert len(batches) == -(-n // size)
    assert max(map(len, batches)) <= size


def test_batches_are_of_similar_length_but_random() -> None:
    lengths = np.random.default_rng(0).integers(100, 1000, 6400)
    batches = list(similar_length(6400, lengths.__getitem__, 20, np.random.default_rng(1)))
    spread = np.mean([np.ptp(lengths[b]) for b in batches])
    assert spread < np.ptp(lengths) / 10
    other = similar_length(6400, lengths.__getitem__, 20, np.random.default_rng(2))
    assert any(not np.array_equal(a, b) for a, b in zip(batches, other, strict=True))


@given(n=st.integers(1, 3000), size=st.integers(1, 20), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_batches_are_in_the_order_of_a_list_of_all(n: int, size: int, seed: int) -> None:
    """The order that published folds were trained in, made at once."""
    lengths, batches = np.random.default_rng(seed).integers(1, 1000, n), []
    for start in range(0, n, 64 * size):
        order = start + np.argsort(lengths[start : start + 64 * size], kind="stable")
        batches += [order[i : i + size].tolist() for i in range(0, len(order), size)]
    expected = [batches[i] for i in np.random.default_rng(seed).permutation(len(batches))]
    drawn = similar_length(n, lengths.__getitem__, size, np.random.default_rng(seed))
    assert [batch.tolist() for batch in drawn] == expected


def test_a_batch_asks_for_the_lengths_of_its_window_alone() -> None:
    asked: list[int] = []

    def lengths_of(positions: NDArray[np.int64]) -> NDArray[np.int64]:
        asked.extend(positions.tolist())
        return positions % 7

    batches = similar_length(10_000, lengths_of, 10, np.random.default_rng(0))
    first = next(batches)
    assert len(asked) == 640 and set(first.tolist()) <= set(asked)
    list(batches)
    assert sorted(asked) == list(range(10_000)), "each once"


@given(chosen=st.lists(st.integers(0, 9), max_size=40))
def test_copies_are_counted_in_their_order(chosen: list[int]) -> None:
    expected = [chosen[:i].count(index) for i, index in enumerate(chosen)]
    assert earlier_copies(np.array(chosen, dtype=np.int64)).tolist() == expected


def epoch(data: Path, number: int, process: int = 0, processes: int = 1) -> list[Batch]:
    augmentation: DataAugmentation = model(data_augmentation__reload_step=2).data_augmentation
    store = open_store(data)
    return list(
        training_batches(
            on_device(store),
            store.targets(),
            np.arange(20),
            batch_size=6,
            compensation=0.5,
            augmentation=augmentation,
            seed=0,
            epoch=number,
            process=process,
            processes=processes,
        )
    )


def shares(data: Path, processes: int) -> list[list[Batch]]:
    return [epoch(data, 0, process, processes) for process in range(processes)]


def test_processes_share_every_batch(data: Path) -> None:
    whole = epoch(data, 0)
    for batch, *parts in zip(whole, *shares(data, 2), strict=True):
        assert sorted(batch.indices) == sorted(np.concatenate([part.indices for part in parts]))
    together = by_record(whole)
    for part in shares(data, 2):
        for record, rows in by_record(part).items():
            assert set(rows) <= set(together[record])


def test_a_batch_too_small_to_be_shared_is_left_out(data: Path) -> None:
    assert [len(part) for part in shares(data, 3)] == [3, 3, 3], "of batches of 6, 6, 6 and 2"


def by_record(batches: list[Batch]) -> dict[int, list[tuple[float, ...]]]:
    found: dict[int, list[tuple[float, ...]]] = {}
    for batch in batches:
        for signal, n, index in zip(batch.signals, batch.lengths, batch.indices, strict=True):
            found.setdefault(int(index), []).append(tuple(signal[: int(n)].tolist()))
    return found


def test_an_epoch_is_a_function_of_seed_and_number(data: Path) -> None:
    for a, b in zip(epoch(data, 3), epoch(data, 3), strict=True):
        assert torch.equal(a.signals, b.signals)
        assert np.array_equal(a.indices, b.indices)
    assert not np.array_equal(epoch(data, 3)[0].indices, epoch(data, 4)[0].indices)


def test_augmentation_is_drawn_anew_every_reload_step_epochs(data: Path) -> None:
    first, second, third = (by_record(epoch(data, number)) for number in (2, 3, 4))
    common = [i for i in first if i in second and i in third]
    assert common
    for record in common:
        assert set(first[record]) & set(second[record])
        assert not set(first[record]) & set(third[record])


def test_copies_of_a_recording_are_augmented_differently(data: Path) -> None:
    repeated = [signals for signals in by_record(epoch(data, 0)).values() if len(signals) > 1]
    assert repeated
    assert all(len(set(signals)) == len(signals) for signals in repeated)


def test_sorted_batches_hold_the_signals_as_they_are(data: Path) -> None:
    store = open_store(data)
    seen = []
    for batch in sorted_batches(on_device(store), np.arange(30), 7):
        for signal, n, index in zip(batch.signals, batch.lengths, batch.indices, strict=True):
            np.testing.assert_array_equal(signal[: int(n)].numpy(), store.signal(int(index)))
            assert not signal[int(n) :].any()
            seen.append(int(index))
    assert sorted(seen) == list(range(30))


@pytest.mark.parametrize("speed", [0.0, 0.5])
def test_augmentations_of_a_cropped_recording_do_not_see_what_was_cropped_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speed: float
) -> None:
    rng = np.random.default_rng(0)
    made = {f"r{i:02d}": rng.standard_normal(rng.integers(1200, 2000)).astype(np.float32) for i in range(12)}
    store = write_store(
        tmp_path, made.items(), fs=100.0, classes=["A"], labels={"l": dict.fromkeys(made, "A")}, default_labels="l",
        origin="made for a test",
    )  # fmt: skip
    seen: list[Padded] = []
    monkeypatch.setattr(augment, "table", lambda options: [("hum", slice(0, 1), lambda batch, u, chance: look(batch))])

    def look(batch: Padded) -> torch.Tensor:
        seen.append(batch)
        return batch.signals

    options: dict[str, float] = {f"data_augmentation__{of}": False for of in ("resampling", "zero_filter", "awgn")}
    options |= {"data_augmentation__crop": 0.5, "data_augmentation__hum": 1.0, "data_augmentation__speed": speed}
    augmentation = model(**options).data_augmentation
    settings = {"batch_size": 4, "compensation": 0.0, "augmentation": augmentation, "seed": 0, "epoch": 0}
    list(training_batches(on_device(store), store.targets(), np.arange(12), **settings))  # type: ignore[arg-type]
    assert len(seen) == 3
    for batch in seen:
        assert not batch.signals[~batch.real].any()
        assert (batch.signals[batch.real] != 0).float().mean() > 0.99


@pytest.mark.parametrize("shortened", [{"data_augmentation__crop": 1.0}, {"data_augmentation__window": 7.0}])
def test_crops_and_turned_polarity_are_those_of_the_recording_itself(
    tmp_path: Path, shortened: dict[str, float]
) -> None:
    made = [(name, label, np.tile(signal, 4)) for name, label, signal in signals(9)]  # 12 to 24 s
    rng = np.random.default_rng(0)
    store = write_store(
        tmp_path,
        ((name, signal + rng.standard_normal(len(signal)).astype(np.float32)) for name, _, signal in made),
        fs=100.0,
        classes=["A", "N", "~"],
        labels={"labels": {name: label for name, label, _ in made}},
        default_labels="labels",
        origin="made for a test",
    )
    options = {**shortened, "data_augmentation__polarity": 1.0}
    for plain in ("resampling", "zero_filter", "awgn"):
        options[f"data_augmentation__{plain}"] = False
    starts = set()
    for batch in training_batches(
        on_device(store),
        store.targets(),
        np.arange(9),
        batch_size=4,
        compensation=0.0,
        augmentation=model(**options).data_augmentation,
        seed=0,
        epoch=0,
    ):
        assert (batch.lengths == batch.signals.shape[1]).all(), "padded, though all could be cut to the shortest"
        for row, index in zip(batch.signals, batch.indices, strict=True):
            part, whole = -row.numpy(), store.signal(int(index))
            assert len(part) <= len(whole)
            places = [i for i in np.flatnonzero(whole == part[0]) if np.array_equal(whole[i : i + len(part)], part)]
            assert places, "not a part of its recording"
            starts.add(places[0])
    assert len(starts) > 3
