from __future__ import annotations

import hashlib
import json
import re
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecg_rhythm.data.split_rules import RULES, make_for_store, make_split, published
from ecg_rhythm.data.splits import Fold, Split, check_split, load_split, save_split
from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.data.writing import write_store
from ecg_rhythm.errors import BadInput
from tests.helpers import refusal

CLASSES = ["N", "A", "~"]
VERSIONS = ["v1", "v2", "v3"]


def shuffled(counts: list[int], seed: int) -> list[str]:
    labels = [name for name, count in zip(CLASSES, counts, strict=True) for _ in range(count)]
    return [labels[i * 7919 % len(labels)] for i in range(seed, seed + len(labels))]


def parts_of(split: Split) -> list[list[int]]:
    return [part.tolist() for fold in split.folds for part in (fold.train, fold.valid, fold.test)] + [
        split.holdout.tolist()
    ]


def all_of(split: Split) -> tuple[str, dict[str, Any], list[list[int]]]:
    """All that a split is, to be compared."""
    return split.name, split.properties, parts_of(split)


def numbers(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


SPLITS = {
    "counts": st.lists(st.integers(9, 60), min_size=3, max_size=3),
    "folds": st.integers(2, 8),
    "ratio": st.integers(2, 8),
    "seed": st.integers(0, 2**32 - 1),
    "holdout": st.booleans(),
}


@given(**SPLITS)
@settings(deadline=None, max_examples=60)
def test_any_split_is_disjoint_complete_and_stratified(
    counts: list[int], folds: int, ratio: int, seed: int, holdout: bool
) -> None:
    labels = shuffled(counts, seed % 1000)
    everything = list(range(1, len(labels) + 1))
    split = make_split(labels, CLASSES, folds=folds, ratio=ratio, seed=seed, holdout=holdout)

    assert len(split.folds) == folds
    assert bool(len(split.holdout)) == holdout
    assert all(part == sorted(part) for part in parts_of(split))
    assert sorted([*split.holdout, *(n for fold in split.folds for n in fold.test)]) == everything
    for fold in split.folds:
        assert sorted([*fold.train, *fold.valid, *fold.test, *split.holdout]) == everything

    def share(part: Iterable[int], name: str) -> int:
        return sum(labels[n - 1] == name for n in part)

    for name, count in zip(CLASSES, counts, strict=True):
        for part in [fold.test for fold in split.folds] + [split.holdout] * holdout:
            assert abs(share(part, name) - count / (folds + holdout)) < 1
        for fold in split.folds:
            rest = count - share([*fold.test, *split.holdout], name)
            assert abs(share(fold.valid, name) - rest / ratio) < 1
            assert abs(share(fold.train, name) - rest * (ratio - 1) / ratio) < 1


@given(
    groups=st.lists(st.integers(2, 4), min_size=1, max_size=5),
    picked=st.permutations(range(1, 76)),
    folds=st.integers(2, 5),
    holdout=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_records_kept_together_are_never_separated(
    groups: list[int], picked: list[int], folds: int, holdout: bool
) -> None:
    labels = shuffled([25, 25, 25], 3)
    left = iter(picked)
    together = [[next(left) for _ in range(size)] for size in groups]
    split = make_split(labels, CLASSES, folds=folds, ratio=3, holdout=holdout, together=together)
    check_split(split, 75)
    for part in parts_of(split):
        for group in together:
            assert len(set(part) & set(group)) in (0, len(group))


def test_the_seed_decides() -> None:
    labels = shuffled([30, 20, 10], 1)
    one, same, other = (make_split(labels, CLASSES, seed=seed) for seed in (3, 3, 4))
    assert all_of(one) == all_of(same)
    assert parts_of(one) != parts_of(other)


def first_come(
    pool: NDArray[np.int64], targets: NDArray[np.int64], classes: int, shares: list[int], seed: int
) -> list[NDArray[np.int64]]:
    """A rule that keeps the order of the recordings, as where they were made one after the other."""
    edges = np.cumsum([0, *shares]) * len(pool) // sum(shares)
    return [pool[begin:end] for begin, end in pairwise(edges.tolist())]


def test_a_rule_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: Store) -> None:
    monkeypatch.setitem(RULES, "first_come", first_come)
    labels = ["N", "A", "~"] * 20
    split = make_split(labels, CLASSES, folds=3, ratio=4, rule="first_come")
    assert (split.name, split.properties["inputs"]["rule"]) == ("split_3_4_14_first_come", "first_come")
    assert [fold.test.tolist() for fold in split.folds] == [
        list(range(1, 21)),
        list(range(21, 41)),
        list(range(41, 61)),
    ]
    assert parts_of(split)[:2] == [list(range(21, 51)), list(range(51, 61))]
    save_split(split, tmp_path / split.name)
    assert all_of(load_split(tmp_path / split.name, 60)) == all_of(split)
    of_store = make_for_store(store, folds=2, ratio=3, rule="first_come", keep_together=True)
    assert of_store.name == of_store.properties["name"] == "split_2_3_14_first_come_together"
    assert all(len({1, 15, 30} & set(part)) in (0, 3) for part in parts_of(of_store))


@given(seed=st.integers(0, 2**31), folds=st.integers(2, 4), per_patient=st.integers(1, 4), copies=st.booleans())
@settings(deadline=None, max_examples=30)
def test_groups_of_a_data_set_stay_together(
    tmp_path_factory: pytest.TempPathFactory, seed: int, folds: int, per_patient: int, copies: bool
) -> None:
    rng = np.random.default_rng(seed)
    names = [f"r{i:03}" for i in range(60 * per_patient)]
    groups = {name: f"p{number}" for name, number in zip(names, rng.permutation(len(names)) % 60, strict=True)}
    shares = np.repeat([0, 0, 0, 1, 2], len(names) // 5)  # enough of each class, whatever is drawn
    labels = {name: CLASSES[i] for name, i in zip(names, rng.permutation(shares), strict=True)}
    signals = [np.full(3, min(i, 3 * (i // 2)) / 1000, dtype=np.float32) for i in range(len(names))]  # some are copies
    store = write_store(
        tmp_path_factory.mktemp("set") / "data",
        zip(names, signals, strict=True),
        fs=100,
        classes=CLASSES,
        labels={"v1": labels},
        default_labels="v1",
        origin="test",
        groups=groups,
    )
    assert {len(group) for group in store.groups()} <= {per_patient}
    try:
        split = make_for_store(store, folds=folds, ratio=3, keep_together=copies)
    except BadInput as error:
        assert "that do not stay together" in str(error) or "stay together; use fewer" in str(error)
        return
    check_split(split, len(store))
    kept = store.groups() + (store.duplicates() if copies else [])
    for part in parts_of(split):
        assert all(len(set(group) & set(part)) in (0, len(group)) for group in kept)
    for fold in split.folds:
        assert {store.labels_of()[number - 1] for number in fold.test} == set(CLASSES)


def test_a_class_that_is_never_alone_may_still_be_divided(tmp_path: Path) -> None:
    """Each patient has recordings of both classes: what counts is how many have a class, not how many begin with it."""
    names = [f"p{i:02}{letter}" for i in range(12) for letter in "ab"]
    store = write_store(
        tmp_path / "data",
        ((name, np.ones(3, dtype=np.float32)) for name in names),
        fs=100,
        classes=["A", "N"],
        labels={"v1": {name: "N" if name[-1] == "a" else "A" for name in names}},
        default_labels="v1",
        origin="test",
        groups={name: name[:-1] for name in names},
    )
    split = make_for_store(store, folds=3, ratio=3)
    assert [len(fold.test) for fold in split.folds] == [8, 8, 8]
    message = refusal(lambda: make_for_store(store, folds=13, ratio=3))
    assert message == (
        "class A has 12 recordings that do not stay together, too few for this split; it needs at least 13"
    )


@pytest.mark.parametrize(
    ("empty", "fold"),
    [
        (lambda shares, part: part > 0, 0),  # the first takes all: nothing to train on
        (lambda shares, part: len(shares) == 2 and part == 0, 0),  # nothing to train on
        (lambda shares, part: len(shares) == 2 and part == 1, 0),  # nothing to validate on
        (lambda shares, part: len(shares) > 2 and part == 2, 2),  # nothing to test on
    ],
)
def test_a_rule_that_leaves_a_part_empty_is_refused(
    monkeypatch: pytest.MonkeyPatch, empty: Callable[[list[int], int], bool], fold: int
) -> None:
    def greedy(
        pool: NDArray[np.int64], targets: NDArray[np.int64], classes: int, shares: list[int], seed: int
    ) -> list[NDArray[np.int64]]:
        takers = [part for part in range(len(shares)) if not empty(shares, part)]
        return [pool[takers.index(p) :: len(takers)] if p in takers else pool[:0] for p in range(len(shares))]

    monkeypatch.setitem(RULES, "greedy", greedy)
    message = refusal(lambda: make_split(["N", "A", "~"] * 20, CLASSES, rule="greedy"))
    assert message == f"fold {fold} would have no recordings to train, validate or test on; use fewer folds"


def test_the_published_rule_gives_each_part_its_share_of_each_class() -> None:
    pool, targets = np.arange(1, 61), np.repeat([0, 1], [36, 24])
    parts = published(pool, targets, 2, [2, 3, 1], 14)
    assert [[int((targets[part - 1] == k).sum()) for k in (0, 1)] for part in parts] == [[12, 8], [18, 12], [6, 4]]
    assert sorted(np.concatenate(parts).tolist()) == pool.tolist()


def test_the_hold_out_part_is_the_one_dealt_out_first() -> None:
    labels = shuffled([30, 20, 10], 1)
    targets = np.array([CLASSES.index(label) for label in labels])
    first, *others = published(np.arange(1, 61), targets, 3, [1] * 4, 14)
    split = make_split(labels, CLASSES, folds=3, ratio=2, holdout=True)
    assert split.holdout.tolist() == first.tolist()
    assert [fold.test.tolist() for fold in split.folds] == [part.tolist() for part in others]


def test_an_unknown_rule_is_refused_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "first_come", first_come)
    message = refusal(lambda: make_split(shuffled([30, 20, 10], 1), CLASSES, rule="by_patient"))
    assert message == "split rule 'by_patient' is unknown; choose one of first_come, published"


def test_too_few_recordings_of_a_class_are_refused() -> None:
    labels = ["N"] * 30 + ["A"] * 6 + ["~"] * 7
    assert refusal(lambda: make_split(labels, CLASSES)) == (
        "class A has 6 recordings, too few for this split; it needs at least 7"
    )
    assert len(make_split([*labels, "A"], CLASSES).folds) == 5


def test_each_part_and_the_hold_out_part_need_a_recording_of_each_class() -> None:
    labels = ["N"] * 20 + ["A"] * 3
    assert refusal(lambda: make_split(labels, ["N", "A"], folds=3, ratio=2, holdout=True)) == (
        "class A has 3 recordings, too few for this split; it needs at least 4"
    )
    split = make_split([*labels, "A"], ["N", "A"], folds=3, ratio=2, holdout=True)
    assert all({21, 22, 23, 24} & set(part.tolist()) for part in (split.holdout, *(fold.test for fold in split.folds)))
    assert len(make_split(labels[:-1], ["N", "A"], folds=2, ratio=2, refit=True).folds) == 2


@pytest.mark.parametrize(("folds", "ratio"), [(1, 6), (0, 6), (5, 1), (-1, 6)])
def test_a_split_that_is_none_is_refused(folds: int, ratio: int) -> None:
    labels = shuffled([30, 20, 10], 1)
    assert "at least 2 folds" in refusal(lambda: make_split(labels, CLASSES, folds=folds, ratio=ratio))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    message = refusal(lambda: make_split(shuffled([30, 20, 10], 1), CLASSES, seed=seed))
    assert message == f"seed {seed}: it must be from 0 to 4294967295"


def test_a_label_that_is_no_class_is_refused() -> None:
    labels = shuffled([30, 20, 10], 1)
    message = refusal(lambda: make_split([*labels, "B"], CLASSES))
    assert message == f"label 'B' is not one of the classes {', '.join(CLASSES)}; correct the labels"


@pytest.mark.parametrize("together", [[[1, 2], [2, 3]], [[1, 61]], [[0, 1]]], ids=["overlap", "beyond", "zero"])
def test_groups_that_are_none_are_refused(together: list[list[int]]) -> None:
    labels = shuffled([30, 20, 10], 1)
    message = refusal(lambda: make_split(labels, CLASSES, together=together))
    assert message == "groups to keep together must not overlap and must name records of the data set"


def test_a_group_is_dealt_out_by_its_rarest_class_in_the_version_that_is_split(tmp_path: Path) -> None:
    names = [f"r{i:02}" for i in range(24)]
    as_first = {name: "A" if i >= 6 else "N" for i, name in enumerate(names)}
    as_second = {name: "A" if i < 6 else "N" for i, name in enumerate(names)}
    store = write_store(
        tmp_path / "data",
        ((name, np.full(3, i / 1000, dtype=np.float32)) for i, name in enumerate(names)),
        fs=100,
        classes=["N", "A"],
        labels={"v1": as_first, "v2": as_second},
        default_labels="v1",
        origin="test",
        groups={name: f"p{i % 18}" for i, name in enumerate(names)},
    )
    together = [[1 + i, 19 + i] for i in range(6)]
    usual = make_split(store.labels_of("v2"), ["N", "A"], folds=2, ratio=2, together=together)
    assert parts_of(make_for_store(store, folds=2, ratio=2, labels="v2")) == parts_of(usual)


def test_groups_that_leave_a_part_without_a_class_are_refused() -> None:
    labels, together = ["N"] * 20 + ["A"] * 3, [[1, 21], [2, 22], [3, 23]]
    message = refusal(lambda: make_split(labels, ["N", "A"], folds=2, ratio=2, seed=0, together=together))
    assert message.startswith("fold 0 would have no recording of class A to train or to test on, as recordings stay")
    split = make_split(labels, ["N", "A"], folds=2, ratio=2, seed=1, together=together)
    assert all({21, 22, 23} & set(part.tolist()) for fold in split.folds for part in (fold.train, fold.test))


@pytest.mark.parametrize("seed", range(8))
def test_groups_of_one_class_leave_no_part_without_it(seed: int) -> None:
    """Each of few recordings with a class is dealt out, though the one before or after it may be in another part."""
    labels = ["N", "A", "N", "N"] * 4 + ["N"] * 10
    split = make_split(labels, ["N", "A"], folds=2, ratio=2, seed=seed, together=[[17, 18], [20, 22]])
    assert all({2, 6, 10, 14} & set(part.tolist()) for fold in split.folds for part in (fold.train, fold.test))


def test_records_that_stay_together_count_once_for_their_class() -> None:
    labels = ["A"] * 4 + ["N"] * 20
    assert refusal(lambda: make_split(labels, ["N", "A"], folds=2, ratio=2, together=[[1, 2], [3, 4]])) == (
        "class A has 2 recordings that do not stay together, too few for this split; it needs at least 3"
    )
    assert len(make_split(labels, ["N", "A"], folds=2, ratio=2, together=[[1, 2]]).folds) == 2


@pytest.mark.parametrize("version", ["v1", "w"])
def test_large_groups_are_dealt_out_by_their_first_record_of_the_rarest_class(tmp_path: Path, version: str) -> None:
    names = [f"r{i:03}" for i in range(240)]
    versions = {"v1": "NNNNNAN", "w": "AANAAAA"}
    labels = {version: {name: of[i % 7] for i, name in enumerate(names)} for version, of in versions.items()}
    store = write_store(
        tmp_path / "data",
        ((name, np.full(3, i / 1000, dtype=np.float32)) for i, name in enumerate(names)),
        fs=100,
        classes=["N", "A"],
        labels=labels,
        default_labels="v1",
        origin="test",
        groups={name: f"p{i % 6}" for i, name in enumerate(names)},
    )
    together = [list(range(i + 1, 241, 6)) for i in range(6)]
    assert store.groups() == together
    rarest = versions[version][2 if version == "w" else 5]
    rarest_first = [sorted(group, key=lambda n: labels[version][names[n - 1]] != rarest) for group in together]
    expected = make_split(store.labels_of(version), ["N", "A"], folds=2, ratio=2, together=rarest_first)
    assert parts_of(make_for_store(store, folds=2, ratio=2, labels=version)) == parts_of(expected)


def test_groups_that_share_their_last_record_are_refused() -> None:
    labels = shuffled([30, 20, 10], 1)
    refusal(lambda: make_split(labels, CLASSES, folds=2, ratio=2, together=[[1, 3], [2, 3]]))


@pytest.mark.parametrize(
    ("kwargs", "name"),
    [
        ({}, "split_5_6_14"),
        ({"folds": 4, "ratio": 3, "seed": 1}, "split_4_3_1"),
        ({"holdout": True}, "split_5_6_14_holdout"),
    ],
)
def test_a_split_is_named_for_what_makes_it(kwargs: dict[str, Any], name: str) -> None:
    split = make_split(shuffled([30, 20, 10], 1), CLASSES, **kwargs)
    assert split.name == split.properties["name"] == name


def test_properties_give_the_relative_sizes_with_a_holdout() -> None:
    properties = make_split(shuffled([30, 20, 10], 1), CLASSES, folds=4, ratio=3, holdout=True).properties
    assert properties["inputs"] == {"(train+valid)/valid": 3, "holdout": True, "number of folds": 4, "seed": 14}
    assert properties["relative size"] == {"holdout": 1, "test": 1, "train": 2, "valid": 1}
    assert json.dumps(properties["relative size"]) == '{"holdout": 1, "test": 1, "train": 2, "valid": 1}'
    other = make_split(shuffled([30, 20, 10], 1), CLASSES, folds=2, ratio=2, holdout=True).properties
    assert other["relative size"] == {"holdout": 2, "test": 2, "train": 1, "valid": 1}
    usual = make_split(shuffled([30, 20, 10], 1), CLASSES).properties["relative size"]
    assert usual == {"holdout": 0, "test": 3, "train": 10, "valid": 2}
    assert properties["relative size fraction"] == {"holdout": 0.2, "test": 0.2, "train": 0.4, "valid": 0.2}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """30 recordings, labelled twice, of which 1, 15 and 30 hold the same signal."""
    names = [f"r{i:02d}" for i in range(30)]
    versions = {version: dict(zip(names, shuffled([10, 10, 10], k), strict=True)) for k, version in enumerate(VERSIONS)}
    values = {name: float(0 if i in (0, 14, 29) else i) for i, name in enumerate(names)}
    return write_store(
        tmp_path / "data",
        ((name, np.full(5, value, np.float32)) for name, value in values.items()),
        fs=300.0,
        classes=CLASSES,
        labels=versions,
        default_labels="v3",
        origin="made for a test",
    )


def test_a_store_is_split_by_its_v2_labels_unless_told_otherwise(store: Store) -> None:
    usual, other = make_for_store(store), make_for_store(store, labels="v3")
    assert all_of(usual) == all_of(make_split(store.labels_of("v2"), CLASSES))
    assert parts_of(other) == parts_of(make_split(store.labels_of("v3"), CLASSES)) != parts_of(usual)
    assert (usual.name, other.name, other.properties["name"]) == ("split_5_6_14", *["split_5_6_14_v3"] * 2)
    assert "no such label version" in refusal(lambda: make_for_store(store, labels="v9"))


def test_a_store_is_split_by_all_options(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    monkeypatch.setitem(RULES, "first_come", first_come)
    options: list[dict[str, Any]] = [{"seed": 3}, {"holdout": True}, {"refit": True}, {"rule": "first_come"}]
    for option in options:
        split = make_for_store(store, folds=3, ratio=4, **option)
        assert all_of(split) == all_of(make_split(store.labels_of("v2"), CLASSES, folds=3, ratio=4, **option))
        assert parts_of(split) != parts_of(make_for_store(store, folds=3, ratio=4))
    assert make_for_store(store, name="mine").name == "mine"


def test_a_store_without_v2_labels_is_split_by_its_default(data: Path) -> None:
    store = open_store(data)
    split = make_for_store(store, folds=2, ratio=3)
    assert all_of(split) == all_of(make_split(store.labels_of(), store.classes, folds=2, ratio=3))


def test_copies_of_a_signal_are_kept_together_on_demand(store: Store) -> None:
    split = make_for_store(store, keep_together=True, holdout=True)
    assert split.name == split.properties["name"] == "split_5_6_14_holdout_together"
    check_split(split, 30)
    assert all(len({1, 15, 30} & set(part)) in (0, 3) for part in parts_of(split))


@given(**SPLITS)
@settings(deadline=None, max_examples=10)
def test_a_saved_split_loads_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], folds: int, ratio: int, seed: int, holdout: bool
) -> None:
    split = make_split(shuffled(counts, 0), CLASSES, folds=folds, ratio=ratio, seed=seed, holdout=holdout)
    folder = tmp_path_factory.mktemp("splits") / split.name
    save_split(split, folder)
    loaded = load_split(folder, sum(counts))
    assert all_of(loaded) == all_of(split)
    assert [part.tolist() for fold in loaded.folds[-2:] for part in (fold.train, fold.test)] == [
        part.tolist() for fold in split.folds[-2:] for part in (fold.train, fold.test)
    ]
    as_json = json.dumps([[part.tolist() for part in (f.train, f.valid, f.test)] for f in split.folds])
    assert loaded.sha256 == hashlib.sha256(as_json.encode()).hexdigest()
    expected = {f"{part}{k}.json" for part in ("train", "valid", "test") for k in range(folds)} | {"properties.json"}
    assert {path.name for path in folder.iterdir()} == expected | ({"holdout.json"} if holdout else set())


SMALL = make_split(shuffled([8, 8, 8], 0), CLASSES, folds=2, ratio=2, holdout=True)
WITHOUT_HOLDOUT = make_split(shuffled([8, 8, 8], 0), CLASSES, folds=2, ratio=2)


def test_saving_never_overwrites(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    save_split(SMALL, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    message = refusal(lambda: save_split(WITHOUT_HOLDOUT, folder))
    assert message == f"{folder}: exists already; choose another name for the split"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def with_fold(**changes: Iterable[int]) -> Split:
    first = replace(SMALL.folds[0], **{part: numbers(*values) for part, values in changes.items()})
    return replace(SMALL, folds=[first, *SMALL.folds[1:]])


FIRST = SMALL.folds[0]


@pytest.mark.parametrize(
    ("split", "says"),
    [
        (with_fold(valid=[*FIRST.valid, FIRST.train[0]]), f"fold 0: record {FIRST.train[0]} is in two parts"),
        (with_fold(train=[*FIRST.train, SMALL.holdout[0]]), f"fold 0: record {SMALL.holdout[0]} is in two parts"),
        (with_fold(train=[*FIRST.train, FIRST.train[0]]), f"fold 0: record {FIRST.train[0]} is in two parts"),
        (with_fold(train=FIRST.train[1:]), f"fold 0: record {FIRST.train[0]} is in no part"),
        (
            with_fold(train=[0, *FIRST.train]),
            "fold 0: record 0 is not in the data set of 24 recordings; use the split of this data set",
        ),
        (with_fold(train=[*FIRST.train, 25]), "fold 0: record 25 is not in the data set of 24 recordings"),
        (replace(SMALL, folds=[FIRST, FIRST]), "the test parts do not hold every record exactly once"),
        (replace(SMALL, folds=[FIRST], properties={}), "the test parts do not hold every record exactly once"),
        (replace(SMALL, holdout=numbers()), f"fold 0: record {SMALL.holdout[0]} is in no part"),
    ],
    ids=[
        "overlap",
        "holdout in train",
        "twice in one part",
        "gap",
        "zero",
        "beyond",
        "fold twice",
        "lost fold",
        "lost",
    ],
)
def test_a_wrong_split_is_refused(tmp_path: Path, split: Split, says: str) -> None:
    check_split(SMALL, 24)
    assert refusal(lambda: check_split(split, 24)).startswith(f"{SMALL.name}")
    assert says in refusal(lambda: check_split(split, 24))
    save_split(split, tmp_path / "wrong")
    assert says in refusal(lambda: load_split(tmp_path / "wrong", 24))


@pytest.mark.parametrize("n_records", [23, 25])
def test_a_split_of_another_data_set_is_refused(n_records: int) -> None:
    assert re.search(r"record 2[45] is ", refusal(lambda: check_split(SMALL, n_records)))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("valid1.json", None, "this file of the split is missing"),
        ("train0.json", None, "this file of the split is missing"),
        ("test0.json", None, "there is no test0.json"),
        ("test1.json", None, "there is no test1.json; make the split again"),
        ("properties.json", None, "there is no such split"),
        ("test0.json", b"", "not valid JSON"),
        ("test0.json", b"[1, 2", "not valid JSON"),
        ("test0.json", b"\xff", "not valid JSON"),
        ("properties.json", b"{", "not valid JSON"),
        ("properties.json", b"[" * 10**5, "not valid JSON"),
        ("properties.json", b"[]", "properties.json: the properties of a split were expected"),
        ("valid0.json", b"{}", "a list of record numbers was expected"),
        ("valid0.json", b"[1.0]", "a list of record numbers was expected"),
        ("valid0.json", b'["1"]', "a list of record numbers was expected"),
        ("valid0.json", b"[true]", "a list of record numbers was expected"),
        ("holdout.json", b"{}", "a list of record numbers was expected"),
        ("valid0.json", b"[1, true]", "a list of record numbers was expected"),
        ("valid0.json", b"[100000000000000000000]", "a list of record numbers was expected"),
        ("valid0.json", b"[999999999999999999]", "record 999999999999999999 is not in the data set"),
        ("valid0.json", b"[01]", "not valid JSON"),
        ("valid0.json", b"[-1]", "record -1 is not in the data set"),
    ],
)
def test_a_damaged_split_folder_is_refused(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    folder = tmp_path / "mine"
    save_split(SMALL, folder)
    load_split(folder, 24)
    (tmp_path / "mine.sha256").unlink()  # an earlier version wrote none
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    message = refusal(lambda: load_split(folder, 24))
    assert says in message
    assert "mine" in message


def test_a_missing_split_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    says = f"{tmp_path / 'a'}: there is no such split; "
    assert refusal(lambda: load_split(tmp_path / "a", 24)) == f"{says}make one with `ecg-rhythm split`"
    for name in ("b", "c"):
        save_split(SMALL, tmp_path / name)
    assert refusal(lambda: load_split(tmp_path / "a", 24)) == f"{says}there are b, c; name one of them"


def test_parts_are_written_as_plain_lists_of_numbers(tmp_path: Path) -> None:
    split = Split("x", [Fold(*map(numbers, own)) for own in ((3, 2, 1), (1, 3, 2), (2, 1, 3))], numbers(), {})
    save_split(split, tmp_path / "x")
    assert json.loads((tmp_path / "x" / "train0.json").read_text()) == [3]


def test_a_refit_needs_no_recordings_to_validate_on() -> None:
    labels = ["N", "A"] * 6
    assert "too few for this split" in refusal(lambda: make_split(labels, ["N", "A"], folds=2, ratio=13))
    assert len(make_split(labels, ["N", "A"], folds=2, ratio=13, refit=True).folds) == 2


def test_a_refit_gives_validation_to_training_and_tests_the_same(tmp_path: Path) -> None:
    labels = ["N", "A"] * 60
    usual = make_split(labels, ["N", "A"], folds=3, ratio=4)
    refit = make_split(labels, ["N", "A"], folds=3, ratio=4, refit=True)
    assert refit.name == "split_3_4_14_refit"
    for before, after in zip(usual.folds, refit.folds, strict=True):
        assert after.test.tolist() == before.test.tolist() and not len(after.valid)
        assert after.train.tolist() == sorted([*before.train, *before.valid])
    save_split(refit, tmp_path / refit.name)
    assert all_of(load_split(tmp_path / refit.name, 120)) == all_of(refit)
    assert refit.properties["relative size"] == {"holdout": 0, "test": 1, "train": 2, "valid": 0}
    sizes = {"holdout": 0.0, "test": 0.33333, "train": 0.66667, "valid": 0.0}
    assert refit.properties["relative size fraction"] == sizes


def test_a_flipped_bit_in_any_file_of_a_split_is_noticed(tmp_path: Path) -> None:
    folder, rng = tmp_path / "mine", np.random.default_rng(0)
    save_split(SMALL, folder)
    sums = tmp_path / "mine.sha256"
    for path in (*sorted(folder.iterdir()), sums):
        content = path.read_bytes()
        for bit in rng.choice(8 * len(content), 8, replace=False).tolist():
            damaged = bytearray(content)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            assert path.name in refusal(lambda: load_split(folder, 24))
        path.write_bytes(content)
    assert parts_of(load_split(folder, 24)) == parts_of(SMALL)
    sums.unlink()  # an earlier version wrote none
    assert parts_of(load_split(folder, 24)) == parts_of(SMALL)


def test_a_file_that_is_missing_is_named_by_the_checksums(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    save_split(SMALL, folder)
    (folder / "valid1.json").unlink()
    says = f"{folder / 'valid1.json'}: it does not fit its checksum in {tmp_path / 'mine.sha256'}; get a good copy"
    assert refusal(lambda: load_split(folder, 24)).startswith(says)


def test_checksums_are_those_of_sha256sum_and_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "split"
    save_split(SMALL, folder)
    lines = (tmp_path / "split.sha256").read_text().splitlines(keepends=True)
    paths = sorted(folder.iterdir())
    assert lines == [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  split/{path.name}\n" for path in paths]
    (tmp_path / "split.sha256").write_text("".join(reversed(lines)))
    assert refusal(lambda: load_split(folder, 24)) == (
        f"{folder}: it does not fit its checksum in {folder}.sha256; get a good copy, or remove both and make the "
        "split again"
    )


def test_record_numbers_may_be_written_in_other_ways(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    save_split(SMALL, folder)
    before = load_split(folder, 24)
    (tmp_path / "mine.sha256").unlink()
    for path in folder.glob("t*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    after = load_split(folder, 24)
    assert all_of(after) == all_of(before) and after.sha256 == before.sha256


def test_a_fold_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    """Of 100,000 recordings, all folds would take 4 MB; as Python's numbers one alone."""
    n = 100_000
    split = make_split(["N", "A"] * (n // 2), ["N", "A"], folds=5, ratio=4)
    save_split(split, tmp_path / "large")
    del split
    tracemalloc.start()
    loaded = load_split(tmp_path / "large", n)
    kept, peak = tracemalloc.get_traced_memory()
    fold = loaded.folds[2]
    tracemalloc.stop()
    assert kept < n and peak < 60 * n
    assert len(fold.train) + len(fold.valid) + len(fold.test) == n
