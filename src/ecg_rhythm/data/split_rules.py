"""Rules that divide recordings into parts, chosen by name, and the splits made with them.

A rule takes record numbers, the class of every record as a position among the classes, the number of classes, the share
of each part and a seed, and gives the record numbers of each part. Adding one takes a function here and a line in
`RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import islice, pairwise
from math import gcd
from typing import Any

import numpy as np

from ecg_rhythm.data.splits import Fold, Numbers, Split, check_split
from ecg_rhythm.data.store import Store
from ecg_rhythm.errors import BadInput

PUBLISHED_LABELS = "v2"
"""Labels that the published split is stratified by, although its networks were trained on v3."""

Rule = Callable[[Numbers, Numbers, int, list[int], int], list[Numbers]]


def published(pool: Numbers, targets: Numbers, classes: int, shares: list[int], seed: int) -> list[Numbers]:
    """Deal record numbers out class by class, so that every part holds its share of each class.

    Each class is shuffled by a generator seeded afresh and cut into sum(shares) pieces; every part
    gets one piece in turn, then each takes the rest of its share in order.

    References
    ----------
    Zihlmann, Perekrestenko, Tschannen, "Convolutional Recurrent Neural Networks for
    Electrocardiogram Classification", Computing in Cardiology 44, 2017 (its code's split).
    """
    parts: list[list[Numbers]] = [[] for _ in shares]
    for number in range(classes):
        members = pool[targets[pool - 1] == number]
        np.random.RandomState(seed).shuffle(members)
        pieces = iter(np.array_split(members, sum(shares)))
        for part in parts:
            part.append(next(pieces))
        for part, share in zip(parts, shares, strict=True):
            part.extend(islice(pieces, share - 1))
    return [np.sort(np.concatenate(part)) for part in parts]


PUBLISHED = "published"
RULES: dict[str, Rule] = {PUBLISHED: published}
"""Name -> rule."""


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
    rule: str = PUBLISHED,
    name: str | None = None,
) -> Split:
    """Divide a data set into folds.

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
        Groups of record numbers that must not be separated (copies of one signal, recordings of one patient); each goes
        where its first member is dealt.
    rule : str
        Name of the rule that deals the recordings out, one of `RULES`.
    name : str, optional
        Default: `split_{folds}_{ratio}_{seed}`, then a rule other than the published one, then `_holdout` if there is
        one and `_refit` without validation parts.

    Raises
    ------
    BadInput
        If the rule is unknown, a class has fewer records (or groups of them) than the folds need, or groups leave a
        part without a class.
    """
    if folds < 2 or ratio < 2:
        raise BadInput(f"a split needs at least 2 folds and a ratio of at least 2 (found {folds} and {ratio})")
    if not 0 <= seed < 2**32:
        raise BadInput(f"seed {seed}: it must be from 0 to {2**32 - 1}")
    if rule not in RULES:
        raise BadInput(f"split rule {rule!r} is unknown; choose one of {', '.join(sorted(RULES))}")
    if unknown := sorted(set(labels) - set(classes)):
        raise BadInput(f"label {unknown[0]!r} is not one of the classes {', '.join(classes)}; correct the labels")
    grouped = [number for group in together for number in group]
    if len(grouped) != len(set(grouped)) or not set(grouped) <= set(range(1, len(labels) + 1)):
        raise BadInput("groups to keep together must not overlap and must name records of the data set")
    position = {name: i for i, name in enumerate(classes)}
    targets = np.fromiter((position[label] for label in labels), dtype=np.int64, count=len(labels))
    followers = np.array([number for group in together for number in group[1:]], dtype=np.int64)
    leaders = np.array([group[0] for group in together for _ in group[1:]], dtype=np.int64)
    everyone = np.arange(1, len(labels) + 1)
    numbers = np.setdiff1d(everyone, followers)
    leader_of = everyone.copy()
    leader_of[followers - 1] = leaders
    counts = [len(np.unique(leader_of[targets == number])) for number in range(len(classes))]
    least, rarest = min(zip(counts, classes, strict=True))
    if least < (needed := max(folds + holdout, 2 if refit else ratio + 1)):
        which = "recordings that do not stay together" if len(followers) else "recordings"
        raise BadInput(f"class {rarest} has {least} {which}, too few for this split; it needs at least {needed}")

    def deal(pool: Numbers, shares: list[int]) -> list[Numbers]:
        return RULES[rule](pool, targets, len(classes), shares, seed)

    def complete(part: Numbers) -> Numbers:
        return np.sort(np.concatenate([part, followers[np.isin(leaders, part)]]))

    nobody: Numbers = np.array([], dtype=np.int64)

    parts = deal(numbers, [1] * (folds + holdout))
    kept_out = parts.pop(0) if holdout else nobody
    made = []
    for test in parts:
        rest = np.setdiff1d(numbers, np.concatenate([test, kept_out]))
        train, valid = (rest, nobody) if refit else deal(rest, [ratio - 1, 1])
        made.append(Fold(train=complete(train), valid=complete(valid), test=complete(test)))
    name = name or _name(folds, ratio, seed, rule, holdout=holdout, refit=refit)
    properties = _properties(name, folds, ratio, seed, rule, holdout=holdout, refit=refit)
    split = Split(name=name, folds=made, holdout=complete(kept_out), properties=properties)
    for k, fold in enumerate(made):
        if not (len(fold.train) and len(fold.test) and (len(fold.valid) or refit)):
            raise BadInput(f"fold {k} would have no recordings to train, validate or test on; use fewer folds")
        for part in (fold.train, fold.test) if len(followers) and rule == PUBLISHED else ():
            if missing := sorted(set(range(len(classes))) - set(targets[part - 1].tolist())):
                raise BadInput(
                    f"fold {k} would have no recording of class {classes[missing[0]]} to train or to test on, as "
                    "recordings stay together; use fewer folds or another seed"
                )
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
    rule: str = PUBLISHED,
    name: str | None = None,
) -> Split:
    """Divide a packed data set into folds; see `make_split`.

    Parameters
    ----------
    labels : str, optional
        Label version to stratify by. Default: v2 if there is one, as the published split does, else
        the data set's default. Another one is part of the split's name.
    keep_together : bool
        Put recordings of the same signal into one part; part of the split's name too. Groups of the data set, such as
        the recordings of a patient, always stay together.
    name : str, optional
        Name of the split, instead of one made of its options.
    """
    usual = PUBLISHED_LABELS if PUBLISHED_LABELS in store.label_versions else store.default_labels
    version = labels or usual
    marks = f"_{version}" * (version != usual) + "_together" * keep_together
    return make_split(
        store.labels_of(version),
        store.classes,
        folds=folds,
        ratio=ratio,
        seed=seed,
        holdout=holdout,
        refit=refit,
        together=_together(store, version, keep_together=keep_together),
        rule=rule,
        name=name or _name(folds, ratio, seed, rule, holdout=holdout, refit=refit, marks=marks),
    )


def _together(store: Store, version: str, *, keep_together: bool) -> list[list[int]]:
    """Groups of record numbers that stay together, each with the one first by which it is dealt out."""
    groups, copies = store.groups(), store.duplicates() if keep_together else []
    if not groups:
        return copies
    from scipy.sparse import coo_array  # slow to load
    from scipy.sparse.csgraph import connected_components

    pairs = np.array([pair for group in groups + copies for pair in pairwise(group)]) - 1
    graph = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(store), len(store)))
    _, group_of = connected_components(graph)
    order = np.argsort(group_of, kind="stable")
    joined = [part for part in np.split(order, np.flatnonzero(np.diff(group_of[order])) + 1) if len(part) > 1]
    # A group is dealt out by its rarest class: so that one is in all parts, and the others are in many groups anyway.
    targets, counts = store.targets(version), np.array(list(store.counts(version).values()))
    rarest_first = (part[np.argsort(counts[targets[part]], kind="stable")] for part in joined)
    return [(part + 1).tolist() for part in rarest_first]


def _name(folds: int, ratio: int, seed: int, rule: str, *, holdout: bool, refit: bool, marks: str = "") -> str:
    """Name a split after its options; `marks` are those of the data set."""
    other = "" if rule == PUBLISHED else f"_{rule}"
    return f"split_{folds}_{ratio}_{seed}" + other + "_holdout" * holdout + marks + "_refit" * refit


def _properties(
    name: str, folds: int, ratio: int, seed: int, rule: str, *, holdout: bool, refit: bool
) -> dict[str, Any]:
    """Describe a split as the published `properties.json` does, and its rule if it is another one."""
    one = Fraction(1, folds + holdout)
    rest = 1 - one * (1 + holdout)
    sizes = {
        "holdout": one * holdout,
        "test": one,
        "train": rest if refit else rest * Fraction(ratio - 1, ratio),
        "valid": Fraction(0) if refit else rest / ratio,
    }
    whole = {part: int(size * folds * ratio * (folds + 1)) for part, size in sizes.items()}
    unit = gcd(*whole.values())
    inputs = {"(train+valid)/valid": ratio, "holdout": holdout, "number of folds": folds, "seed": seed}
    return {
        "inputs": inputs if rule == PUBLISHED else inputs | {"rule": rule},
        "name": name,
        "relative size": {part: number // unit for part, number in whole.items()},
        "relative size fraction": {part: round(float(size), 5) for part, size in sizes.items()},
    }
