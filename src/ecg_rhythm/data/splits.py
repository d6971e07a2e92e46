"""Folds of a data set: what a split is, how it is checked, saved and loaded; `split_rules.py` makes them.

A split is a folder of JSON files: `properties.json`, `test{k}.json`, `valid{k}.json` and
`train{k}.json` for every fold k, and `holdout.json` if some recordings are kept out of all folds.
Each lists record numbers: 1 is the first record of the data set.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecg_rhythm import checksums, files
from ecg_rhythm.errors import BadInput


@dataclass(frozen=True)
class Fold:
    """Record numbers (1-based, ascending) of the three parts of one fold."""

    train: list[int]
    valid: list[int]
    test: list[int]


@dataclass(frozen=True)
class Split:
    """Folds of one data set, each record tested once, and the records that are held out of all folds."""

    name: str
    folds: list[Fold]
    holdout: list[int]
    properties: dict[str, Any]


def check_split(split: Split, n_records: int) -> None:
    """Check that the parts of a split are disjoint, complete, and of this data set.

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
            raise BadInput(f"{split.name}, fold {k}: record {twice} is in two parts; make the split again")
        if lost := sorted(everything - set(numbers)):
            raise BadInput(f"{split.name}, fold {k}: record {lost[0]} is in no part; make the split again")
        tested += fold.test
    if sorted(tested) != sorted(everything):
        raise BadInput(f"{split.name}: the test parts do not hold every record exactly once; make the split again")


def save_split(split: Split, folder: Path) -> None:
    """Write a split as a new folder.

    Raises
    ------
    BadInput
        If the folder exists.
    """
    with files.new_folder(folder, "choose another name for the split") as new:
        for k, fold in enumerate(split.folds):
            for part in ("test", "valid", "train"):
                (new / f"{part}{k}.json").write_text(json.dumps(getattr(fold, part)))
        if split.holdout:
            (new / "holdout.json").write_text(json.dumps(split.holdout))
        files.write_json(new / "properties.json", split.properties)
        files.write_text(_sums(folder), _lines(new, folder.name))


def load_split(folder: Path, n_records: int) -> Split:
    """Read a split, and check it against the size of its data set.

    Raises
    ------
    BadInput
        If the folder is missing or cannot be read, or `check_split` refuses the split.
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
        raise BadInput(f"{folder}: there is no test{len(folds)}.json; make the split again")
    holdout = _read(folder / "holdout.json", list) if (folder / "holdout.json").exists() else []
    split = Split(name=folder.name, folds=folds, holdout=holdout, properties=properties)
    _check_sums(folder)
    check_split(split, n_records)
    return split


def _sums(folder: Path) -> Path:
    """SHA-256 of the files of a split, as `sha256sum` writes them; beside the folder, which others read."""
    return folder.with_name(f"{folder.name}.sha256")


def _lines(folder: Path, name: str) -> str:
    return "".join(f"{checksums.of_file(path)}  {name}/{path.name}\n" for path in sorted(folder.glob("*.json")))


def _check_sums(folder: Path) -> None:
    """Refuse a split whose files do not fit their checksums; an earlier version wrote none."""
    sums = _sums(folder)
    if not sums.exists():
        return
    now, then = _lines(folder, folder.name), sums.read_bytes().decode(errors="replace")
    if now != then:
        unlike = {*now.split("\n")} - {*then.split("\n")}
        damaged = min((line.rpartition("/")[2] for line in unlike), default="")
        raise BadInput(
            f"{folder / damaged}: it does not fit its checksum in {sums}; get a good copy, or remove both and make the "
            "split again"
        )


def _read(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise BadInput(f"{path}: this file of the split is missing; make the split again") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{path}: this is not valid JSON; make the split again") from None
    if kind is dict and not isinstance(value, dict):
        raise BadInput(f"{path}: the properties of a split were expected; make the split again")
    if not isinstance(value, kind) or (isinstance(value, list) and not all(type(n) is int for n in value)):
        raise BadInput(f"{path}: a list of record numbers was expected; make the split again")
    return value
