"""Folds: make them by the original's rule, check them, save and load them.

A split is a folder of JSON files: `properties.json`, `test{k}.json`, `valid{k}.json` and
`train{k}.json` for every fold k, and `holdout.json` if some recordings are kept out of all folds.
Each lists record numbers: 1 is the first record of the data set.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from ecg_rhythm import files
from ecg_rhythm.data.store import Store
from ecg_rhythm.errors import BadInput

PUBLISHED_LABELS = "v2"
"""What the published split was stratified by, although its networks were trained on v3."""


@dataclass(frozen=True)
class Fold:
    """Record numbers (1-based, ascending) of the three parts of one fold."""

    train: list[int]
    valid: list[int]
    test: list[int]


@dataclass(frozen=True)
class Split:
    """Several folds of one data set, each record tested once, and the records kept out of all."""

    name: str
    folds: list[Fold]
    holdout: list[int]
    properties: dict[str, Any]


def make_split(
    labels: Sequence[str],
    classes: Sequence[str],
    *,
    folds: int = 5,
    ratio: int = 6,
    seed: int = 14,
    holdout: bool = False,
    refit: bool = False,
    together: Sequence[Sequence[int]] = (),
    name: str | None = None,
) -> Split:
    """Divide a data set into folds, stratified by label.

    With five folds, ratio 6, seed 14 and the v2 labels of the 2017 challenge set, this gives the
    `split_5_6_14` published with the paper, number by number.

    Parameters
    ----------
    labels : sequence of str, shape (n,)
        Label of record 1, 2, ..., n.
    classes : sequence of str
        Class names in the order in which they are dealt out.
    folds : int
        Number of folds; each record is in the test part of one of them.
    ratio : int
        (train + valid) / valid.
    seed : int
        Seed of the shuffling.
    holdout : bool
        Keep one further part, as large as a test part, out of all folds.
    refit : bool
        Give the validation parts to training, for recipes that are chosen already: the last epoch is kept then.
    together : sequence of sequences of int
        Groups of record numbers that must not be separated (copies of one signal); each goes where
        its first member is dealt.
    name : str, optional
        Default: `split_{folds}_{ratio}_{seed}`, with `_holdout` if there is one, `_refit` without validation parts.

    Raises
    ------
    BadInput
        If there are too few records of a class for so many folds.

    References
    ----------
    Zihlmann, Perekrestenko, Tschannen, "Convolutional Recurrent Neural Networks for
    Electrocardiogram Classification", Computing in Cardiology 44, 2017 (its code's split).
    """
    if folds < 2 or ratio < 2:
        raise BadInput(f"a split needs at least 2 folds and a ratio of at least 2 (found {folds} and {ratio})")
    if not 0 <= seed < 2**32:
        raise BadInput(f"seed {seed}: it must be from 0 to {2**32 - 1}")
    if unknown := sorted(set(labels) - set(classes)):
        raise BadInput(f"label {unknown[0]!r} is not one of the classes {', '.join(classes)}; correct the labels")
    grouped = [number for group in together for number in group]
    if len(grouped) != len(set(grouped)) or not set(grouped) <= set(range(1, len(labels) + 1)):
        raise BadInput("groups to keep together must not overlap and must name records of the data set")
    followers = {number: group[0] for group in map(sorted, together) for number in group[1:]}
    numbers = [n for n in range(1, len(labels) + 1) if n not in followers]
    least, rarest = min((sum(labels[n - 1] == name for n in numbers), name) for name in classes)
    if least < (needed := max(folds + holdout, 2 if refit else ratio + 1)):
        raise BadInput(f"class {rarest} has {least} recordings, too few for this split; it needs at least {needed}")

    def deal(pool: list[int], shares: list[int]) -> list[list[int]]:
        return _deal(pool, labels, classes, shares, seed)

    def complete(part: list[int]) -> list[int]:
        chosen = set(part)
        return sorted(part + [follower for follower, leader in followers.items() if leader in chosen])

    parts = deal(numbers, [1] * (folds + holdout))
    kept_out = parts.pop(0) if holdout else []
    made = []
    for test in parts:
        rest = sorted(set(numbers) - set(test) - set(kept_out))
        train, valid = (rest, []) if refit else deal(rest, [ratio - 1, 1])
        made.append(Fold(train=complete(train), valid=complete(valid), test=complete(test)))
    split = Split(
        name=name or f"split_{folds}_{ratio}_{seed}" + "_holdout" * holdout + "_refit" * refit,
        folds=made,
        holdout=complete(kept_out),
        properties=_properties(folds, ratio, seed, holdout, refit) | ({"name": name} if name else {}),
    )
    for k, fold in enumerate(made):
        if not (fold.train and fold.test and (fold.valid or refit)):
            raise BadInput(f"fold {k} would have no recordings to train, validate or test on; use fewer folds")
    check_split(split, len(labels))
    return split


def make_for_store(
    store: Store,
    *,
    folds: int = 5,
    ratio: int = 6,
    seed: int = 14,
    holdout: bool = False,
    refit: bool = False,
    labels: str | None = None,
    keep_together: bool = False,
    name: str | None = None,
) -> Split:
    """Divide a packed data set into folds; see `make_split`.

    Parameters
    ----------
    labels : str, optional
        Label version to stratify by. Default: v2 if there is one, as the published split does, else
        the data set's default. Another one is part of the split's name.
    keep_together : bool
        Put recordings of the same signal into one part; part of the split's name too.
    name : str, optional
        Of the split, instead of one made of its options.
    """
    usual = PUBLISHED_LABELS if PUBLISHED_LABELS in store.labels else store.default_labels
    version = labels or usual
    usual_name = f"split_{folds}_{ratio}_{seed}" + "_holdout" * holdout
    usual_name += f"_{version}" * (version != usual) + "_together" * keep_together + "_refit" * refit
    return make_split(
        store.labels_of(version),
        store.classes,
        folds=folds,
        ratio=ratio,
        seed=seed,
        holdout=holdout,
        refit=refit,
        together=store.duplicates() if keep_together else (),
        name=name or usual_name,
    )


def _deal(
    pool: list[int], labels: Sequence[str], classes: Sequence[str], shares: list[int], seed: int
) -> list[list[int]]:
    """Deal record numbers into parts of the given shares, class by class.

    Each class is shuffled by a generator seeded afresh and cut into sum(shares) pieces; every part
    gets one piece in turn, then each takes the rest of its share in order.
    """
    parts: list[list[int]] = [[] for _ in shares]
    for name in classes:
        members = np.array([n for n in pool if labels[n - 1] == name], dtype=np.int64)
        np.random.RandomState(seed).shuffle(members)
        pieces = iter(np.array_split(members, sum(shares)))
        for part in parts:
            part.extend(next(pieces).tolist())
        for part, share in zip(parts, shares, strict=True):
            for _ in range(share - 1):
                part.extend(next(pieces).tolist())
    return [sorted(part) for part in parts]


def _properties(folds: int, ratio: int, seed: int, holdout: bool, refit: bool) -> dict[str, Any]:
    """Describe a split as the published `properties.json` does."""
    one = Fraction(1, folds + holdout)
    rest = 1 - one * (1 + holdout)
    sizes = {
        "holdout": one * holdout,
        "test": one,
        "train": rest if refit else rest * Fraction(ratio - 1, ratio),
        "valid": 0 * rest if refit else rest / ratio,
    }
    unit = reduce(gcd, (int(size * folds * ratio * (folds + 1)) for size in sizes.values()))
    return {
        "inputs": {"(train+valid)/valid": ratio, "holdout": holdout, "number of folds": folds, "seed": seed},
        "name": f"split_{folds}_{ratio}_{seed}" + "_holdout" * holdout + "_refit" * refit,
        "relative size": {part: int(size * folds * ratio * (folds + 1)) // unit for part, size in sizes.items()},
        "relative size fraction": {part: round(float(size), 5) for part, size in sizes.items()},
    }


def check_split(split: Split, n_records: int) -> None:
    """Refuse a split that is not disjoint, not complete, or not of this data set.

    Raises
    ------
    BadInput
        If a record is in two parts of a fold, in no part, in the test parts of several folds or of
        none, or does not exist.
    """
    everything = set(range(1, n_records + 1))
    tested: list[int] = list(split.holdout)
    for k, fold in enumerate(split.folds):
        numbers = fold.train + fold.valid + fold.test + split.holdout
        if strange := sorted(set(numbers) - everything):
            raise BadInput(
                f"{split.name}, fold {k}: record {strange[0]} is not in the data set of {n_records} recordings; "
                "use the split of this data set"
            )
        if len(numbers) != len(set(numbers)):
            twice = next(n for n in sorted(set(numbers)) if numbers.count(n) > 1)
            raise BadInput(f"{split.name}, fold {k}: record {twice} is in two parts; make the split anew")
        if lost := sorted(everything - set(numbers)):
            raise BadInput(f"{split.name}, fold {k}: record {lost[0]} is in no part; make the split anew")
        tested += fold.test
    if sorted(tested) != sorted(everything):
        raise BadInput(f"{split.name}: the test parts do not hold every record exactly once; make the split anew")


def save_split(split: Split, folder: Path) -> None:
    """Write a split as a new folder; refuse to overwrite.

    Raises
    ------
    BadInput
        If the folder exists.
    """
    with files.new_folder(folder) as new:
        files.write_json(new / "properties.json", split.properties)
        for k, fold in enumerate(split.folds):
            for part in ("test", "valid", "train"):
                (new / f"{part}{k}.json").write_text(json.dumps(getattr(fold, part)))
        if split.holdout:
            (new / "holdout.json").write_text(json.dumps(split.holdout))


def load_split(folder: Path, n_records: int) -> Split:
    """Read a split and check it against the size of its data set.

    Raises
    ------
    BadInput
        If the folder is missing or unreadable, or `check_split` refuses it.
    """
    if not (folder / "properties.json").is_file():
        beside = sorted(p.parent.name for p in folder.parent.glob("*/properties.json"))
        names = ", ".join(beside)
        known = f"there are {names}; name one of them" if beside else "make one with `ecg-rhythm split`"
        raise BadInput(f"{folder}: there is no such split; {known}")
    properties = _read(folder / "properties.json", dict)
    folds: list[Fold] = []
    while (folder / f"test{len(folds)}.json").exists():
        k = len(folds)
        folds.append(Fold(*(_read(folder / f"{part}{k}.json", list) for part in ("train", "valid", "test"))))
    inputs = properties.get("inputs")
    expected = inputs.get("number of folds") if isinstance(inputs, dict) else None
    if not folds or (isinstance(expected, int) and len(folds) < expected):
        raise BadInput(f"{folder}: there is no test{len(folds)}.json; make the split anew")
    holdout = _read(folder / "holdout.json", list) if (folder / "holdout.json").exists() else []
    split = Split(name=folder.name, folds=folds, holdout=holdout, properties=properties)
    check_split(split, n_records)
    return split


def _read(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise BadInput(f"{path}: this file of the split is missing; make the split anew") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{path}: this is not valid JSON; make the split anew") from None
    if kind is dict and not isinstance(value, dict):
        raise BadInput(f"{path}: the properties of a split were expected; make the split anew")
    if not isinstance(value, kind) or (isinstance(value, list) and not all(type(n) is int for n in value)):
        raise BadInput(f"{path}: a list of record numbers was expected; make the split anew")
    return value
