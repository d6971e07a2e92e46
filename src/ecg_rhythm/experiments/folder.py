"""A run is its folder: where it keeps what, what it was made from, and whether it is done.

`LOGS/<architecture>/<job>/fold<k>/` holds `run.json` (what decides the result), copies of the model
and the job (`model.json`, `job.json`), `environment.json`, `hotlog.csv` (one row per validation),
`progress.json`, `phase<i>.safetensors` (best weights of each phase), `predictions.csv`, `output.txt` (of
a queued run), `error.txt` (if it failed), `checkpoint.safetensors` while it is not finished, and
`scores.json`, which is written last: where it is, the run is done.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecg_rhythm import files
from ecg_rhythm.config import ModelConfig
from ecg_rhythm.data.splits import Split
from ecg_rhythm.data.store import Store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.metrics import NOISE
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.weights.run_files import SCORES, is_done

CHECKPOINT = "checkpoint.safetensors"
PREDICTIONS = "predictions.csv"
LOCK = ".lock"

MadeAt = tuple[int, int]
"""When a run was begun and done; tells whether another process has been at it since."""


class Busy(BadInput):
    """Another process is at work on this run."""


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Hold a run's folder for this process alone; the claim ends with the process, however it ends.

    Raises
    ------
    Busy
        If another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LOCK).touch()
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written: {error.strerror}; choose another --logs folder") from None
    busy = f"{folder}: another process is at work on this run; wait for it or end it"
    with files.held(folder / LOCK, busy, Busy):
        yield


def is_claimed(folder: Path) -> bool:
    """Tell whether some process holds a run's folder."""
    try:
        with claim(folder):
            return False
    except BadInput as error:
        return isinstance(error, Busy)


def identity(spec: RunSpec, store: Store, split: Split) -> dict[str, Any]:
    """Return all that decides the result of a run, as JSON values.

    Raises
    ------
    BadInput
        If the split has no such fold, or the data set no such label version or no class for empty recordings.
    """
    if spec.fold >= len(split.folds):
        last = len(split.folds) - 1
        raise BadInput(f"{spec.job_name}, fold {spec.fold}: {split.name} has folds 0 to {last}; choose one of them")
    if spec.model.data_augmentation.empty and NOISE not in store.classes:
        raise BadInput(
            f"{spec.job.model}: data_augmentation.empty makes recordings of class {NOISE}, which the data set does not "
            "have; set it to 0 in the model file"
        )
    store.labels_of(spec.job.labels)
    parts = [[fold.train, fold.valid, fold.test] for fold in split.folds]
    return {
        "model": spec.model.model_dump(),
        "job": {
            "split": spec.job.split,
            "labels": spec.job.labels or store.default_labels,
            "seed": spec.job.seed,
            "fold": spec.fold,
        },
        "data": {
            "fingerprint": store.fingerprint,
            "classes": store.classes,
            "split": hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
        },
    }


def check_together(folders: Sequence[Path]) -> None:
    """Refuse folds of a job that were made from different models, seeds, splits or data: they have no common score.

    Raises
    ------
    BadInput
        Two of them are named.
    """
    made_from: dict[str, Path] = {}
    for folder in folders:
        try:
            found = read_identity(folder)
            del found["job"]["fold"]
        except (OSError, ValueError, KeyError, TypeError):
            raise BadInput(f"{folder}: its run.json is missing or damaged; run the job again with --restart") from None
        made_from.setdefault(json.dumps(found, sort_keys=True), folder)
    if len(made_from) > 1:
        one, other = list(made_from.values())[:2]
        raise BadInput(
            f"{one.parent}: {one.name} and {other.name} were made from different models, seeds, splits or data; "
            "run it again with --restart"
        )


def check_same(folder: Path, identity: dict[str, Any]) -> None:
    """Refuse a run's folder that was made from something else.

    Raises
    ------
    BadInput
        Each difference is named.
    """
    try:
        made_from = read_identity(folder)
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(f"{folder / 'run.json'}: this is damaged; make the run anew with --restart") from None
    if differences := [f"{k} is {a} there and {b} now" for k, a, b in _differences(made_from, identity)]:
        more = f" (and {len(differences) - 4} more)" if len(differences) > 4 else ""
        raise BadInput(
            f"{folder}: this run was made from something else: {', '.join(differences[:4])}{more}; "
            "give the job another name, or make the run anew with --restart"
        )


def read_identity(folder: Path) -> dict[str, Any]:
    """Return what decides the result of a run that has begun, optional keys it does not know at their defaults."""
    made_from: dict[str, Any] = json.loads((folder / "run.json").read_text())
    if "model" in made_from:
        made_from["model"] = ModelConfig.model_validate_json(json.dumps(made_from["model"])).model_dump()
    return made_from


def begin(folder: Path, spec: RunSpec, identity: dict[str, Any], *, replaces: MadeAt | None = None) -> None:
    """Make a run's folder ready, or refuse it if it was made from something else.

    Parameters
    ----------
    folder : Path
        A folder this process has claimed.
    spec : RunSpec
        The run; its model and job are copied to `model.json` and `job.json`.
    identity : dict
        What decides the result: model, job and data, as JSON values.
    replaces : (int, int), optional
        Remove what is there if that was made at these times, as `made_at` gives them.

    Raises
    ------
    BadInput
        If the folder holds a run with another identity; each difference is named. If an earlier run cannot be removed.
    """
    for left_over in folder.glob(".*.part"):  # of a process that was killed while it wrote
        left_over.unlink(missing_ok=True)
    if replaces is not None and replaces == made_at(folder):
        _clear(folder)
    check_same(folder, identity)
    (folder / "error.txt").unlink(missing_ok=True)
    if is_done(folder):  # left as it is, lest another process that is to replace it takes it for one made since
        return
    files.write_json(folder / "run.json", identity)
    files.write_json(folder / "model.json", spec.model.model_dump())
    files.write_json(folder / "job.json", {"name": spec.job_name, **spec.job.model_dump()})


def _clear(folder: Path) -> None:
    """Remove all that a run left, but for what it printed."""
    try:
        (folder / SCORES).unlink(missing_ok=True)  # first: without it nothing else counts
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in (LOCK, "output.txt"):
                path.unlink()
    except OSError as error:
        raise BadInput(
            f"{folder}: what an earlier run left cannot be removed: {error.strerror}; remove it or choose another "
            "--logs folder"
        ) from None


def made_at(folder: Path) -> MadeAt:
    """Return when a run was last begun or gone on with, and when it was done, in ns; 0 for what was not."""
    return _time(folder / "run.json"), _time(folder / SCORES)


def _time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _differences(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys([*a, *b]):
            yield from _differences(a.get(key), b.get(key), f"{path}.{key}".lstrip("."))
    elif a != b:
        yield path, json.dumps(a), json.dumps(b)
