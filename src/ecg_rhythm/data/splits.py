"""Folds of a data set: what a split is, how it is checked, saved and loaded; `split_rules.py` makes them.

A split is a folder of JSON files: `properties.json`, `test{k}.json`, `valid{k}.json` and
`train{k}.json` for every fold k, and `holdout.json` if some recordings are kept out of all folds.
Each lists record numbers: 1 is the first record of the data set.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import checksums, files
from ecg_rhythm.errors import BadInput

Numbers = NDArray[np.int64]

PLAIN = re.compile(rb"\[[1-9][0-9]{0,17}+(?:, [1-9][0-9]{0,17}+)*+\]")
"""Record numbers as Python writes a list of them, which NumPy reads ten times as fast as Python and in a tenth of the
memory; other JSON is read, too."""
PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Fold:
    """Record numbers (1-based, ascending) of the three parts of one fold."""

    train: Numbers
    valid: Numbers
    test: Numbers


@dataclass(frozen=True, eq=False)
class Split:
    """Folds of one data set, each record tested once, and the records that are held out of all folds.

    Of a split that was loaded, a fold is read when it is asked for, as those of a large data set would fill the memory.
    `sha256` is that of all parts of all folds, as one list in JSON; of a split that was not loaded, it is empty.
    """

    name: str
    folds: Sequence[Fold]
    holdout: Numbers
    properties: dict[str, Any]
    sha256: str = ""


def check_split(split: Split, n_records: int) -> None:
    """Check that the parts of a split are disjoint, complete, and of this data set.

    Raises
    ------
    BadInput
        If a record is in two parts of a fold, in no part, in the test parts of several folds or of
        none, or does not exist.
    """
    _check_folds(split.name, split.folds, split.holdout, n_records)


def _check_folds(name: str, folds: Iterable[Fold], holdout: Numbers, n_records: int) -> None:
    tested = [holdout]
    for k, fold in enumerate(folds):
        numbers = np.concatenate([fold.train, fold.valid, fold.test, holdout])
        strange = numbers[(numbers < 1) | (numbers > n_records)]
        if len(strange):
            raise BadInput(
                f"{name}, fold {k}: record {strange.min()} is not in the data set of {n_records} recordings; "
                "use the split of this data set"
            )
        times = np.bincount(numbers, minlength=n_records + 1)[1:]
        if (times > 1).any():
            twice = (times > 1).argmax() + 1
            raise BadInput(f"{name}, fold {k}: record {twice} is in two parts; make the split again")
        if not times.all():
            raise BadInput(f"{name}, fold {k}: record {times.argmin() + 1} is in no part; make the split again")
        tested.append(fold.test)
    everything = np.sort(np.concatenate(tested), kind="stable")  # fast, as the parts are ascending
    if not np.array_equal(everything, np.arange(1, n_records + 1)):
        raise BadInput(f"{name}: the test parts do not hold every record exactly once; make the split again")


def save_split(split: Split, folder: Path) -> None:
    """Write a split as a new folder.

    Raises
    ------
    BadInput
        If the folder exists.
    """
    with files.new_folder(folder, "choose another name for the split") as new:
        for k, fold in enumerate(split.folds):
            for part in PARTS:
                (new / f"{part}{k}.json").write_text(json.dumps(getattr(fold, part).tolist()))
        if len(split.holdout):
            (new / "holdout.json").write_text(json.dumps(split.holdout.tolist()))
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
    _check_sums(folder)
    properties = _json(folder / "properties.json")
    if not isinstance(properties, dict):
        raise BadInput(f"{folder / 'properties.json'}: the properties of a split were expected; make the split again")
    count = 0
    while (folder / f"test{count}.json").exists():
        count += 1
    inputs = properties.get("inputs")
    expected = inputs.get("number of folds") if isinstance(inputs, dict) else None
    if count == 0 or (isinstance(expected, int) and count < expected):
        raise BadInput(f"{folder}: there is no test{count}.json; make the split again")
    saved, digest = SavedFolds(folder, count), hashlib.sha256()
    with_holdout = (folder / "holdout.json").exists()
    holdout = _numbers(folder / "holdout.json")[0] if with_holdout else np.array([], dtype=np.int64)
    _check_folds(folder.name, saved.read(digest), holdout, n_records)
    return Split(folder.name, saved, holdout, properties, digest.hexdigest())


class SavedFolds(Sequence[Fold]):
    """The folds of a saved split, each read when it is asked for."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._numbers = folder, range(count)

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, number: int) -> Fold: ...

    @overload
    def __getitem__(self, number: slice) -> list[Fold]: ...

    def __getitem__(self, number: int | slice) -> Fold | list[Fold]:
        if isinstance(number, slice):
            return [self[k] for k in self._numbers[number]]
        return Fold(*(_numbers(path)[0] for path in self._paths(self._numbers[number])))

    def read(self, digest: hashlib._Hash) -> Iterator[Fold]:
        """Yield all folds, and add them to a checksum as one list in JSON."""
        for k in self._numbers:
            parts, texts = zip(*map(_numbers, self._paths(k)), strict=True)
            digest.update((b", [" if k else b"[[") + b", ".join(texts) + b"]")
            yield Fold(*parts)
        digest.update(b"]")

    def _paths(self, k: int) -> list[Path]:
        return [self._folder / f"{part}{k}.json" for part in PARTS]


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
        unlike = {*now.split("\n")} ^ {*then.split("\n")}
        damaged = min((line.rpartition("/")[2] for line in unlike), default="")
        raise BadInput(
            f"{folder / damaged}: it does not fit its checksum in {sums}; get a good copy, or remove both and make the "
            "split again"
        )


def _json(path: Path) -> Any:
    return _parsed(path, _bytes(path))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: this file of the split is missing; make the split again") from None


def _parsed(path: Path, text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadInput(f"{path}: this is not valid JSON; make the split again") from None


def _numbers(path: Path) -> tuple[Numbers, bytes]:
    """Record numbers in a file, and the JSON text of their list as Python writes it."""
    text = _bytes(path)
    if PLAIN.fullmatch(text):
        return np.fromstring(text[1:-1], dtype=np.int64, sep=","), text
    value = _parsed(path, text)
    try:
        if isinstance(value, list) and set(map(type, value)) <= {int}:
            return np.array(value, dtype=np.int64), json.dumps(value).encode()
    except OverflowError:
        pass
    raise BadInput(f"{path}: a list of record numbers was expected; make the split again")
