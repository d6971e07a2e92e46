"""A run and its folder: what it was made from, who is at work on it, and whether it is to be replaced."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecg_rhythm import checksums, files
from ecg_rhythm.data.splits import Split
from ecg_rhythm.data.store import Store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.metrics import NOISE
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.schema import loads
from ecg_rhythm.weights.run_files import CODE, CODE_OF_PACKAGES, ID, IMPORTED_CODE, RunFiles

WEIGHTS = "weights"
"""The hash of a teacher's weights in the identity of its student."""
MOST_DIFFERENCES = 4
"""How many differences between two runs one message names."""


class Busy(BadInput):
    """Another process is at work on this run."""


class Run(RunFiles):
    """A run in its folder, which need not be there yet.

    Parameters
    ----------
    path : Path
        The folder, `LOGS/<architecture>/<job>/fold<k>`.
    """

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the folder for this process alone; the claim ends with the process, however it ends.

        Raises
        ------
        Busy
            If another process holds it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.lock.touch()
        except OSError as error:
            raise BadInput(f"{self.path}: cannot be written: {error.strerror}; choose another --logs folder") from None
        busy = f"{self.path}: another process is at work on this run; wait for it or end it"
        with files.held(self.lock, busy, Busy):
            yield

    @property
    def is_claimed(self) -> bool:
        """Whether a process is at work on the run."""
        try:
            with self.claim():
                return False
        except BadInput as error:
            return isinstance(error, Busy)

    @property
    def state(self) -> str:
        """What is there: the run's id, and whether it is done. It changes when the run is replaced or finished."""
        try:
            content = self.identity.read_bytes()
        except OSError:
            return ""
        try:
            made_by = str(loads(content)[ID])
        except (ValueError, KeyError, TypeError):  # an earlier version's, or damaged
            made_by = hashlib.sha256(content).hexdigest()
        return f"{made_by} {'done' if self.is_done else 'begun'}"

    def check_same(self, identity: dict[str, Any]) -> None:
        """Refuse a folder whose run was made from something else; a teacher's weights count where both have them.

        Raises
        ------
        BadInput
            Each difference is named.
        """
        try:
            made_from = self.read_identity()
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise BadInput(f"{self.identity}: this is damaged; train it again with --restart") from None
        teacher, own_teacher = made_from.get("teacher", {}), identity.get("teacher", {})
        for part, own in ((made_from, identity), (teacher, own_teacher)):
            for key in (CODE, IMPORTED_CODE):  # an earlier version did not keep it
                part.setdefault(key, own.get(key))
        if WEIGHTS not in own_teacher:
            teacher.pop(WEIGHTS, None)
        if differences := [f"{k} is {a} there and {b} now" for k, a, b in _differences(made_from, identity)]:
            more = len(differences) - MOST_DIFFERENCES
            raise BadInput(
                f"{self.path}: this run was made from something else: {', '.join(differences[:MOST_DIFFERENCES])}"
                f"{f' (and {more} more)' * (more > 0)}; give the job another name, or train it again with --restart"
            )

    def begin(self, spec: RunSpec, identity: dict[str, Any], *, replaces: str | None = None) -> None:
        """Make the folder, which this process has claimed, ready for a new run or for one that goes on.

        Parameters
        ----------
        spec : RunSpec
            The run; its model and job are copied.
        identity : dict
            What decides the result, as `identity_of` gives it.
        replaces : str, optional
            Remove what is there if its `state` is still this one.

        Raises
        ------
        BadInput
            If a run with another identity is there, or an earlier one cannot be removed.
        """
        files.remove_parts(self.path)
        is_cut_off = not self.identity.exists() and not self.is_done  # a restart that was killed leaves a checkpoint
        if is_cut_off or (replaces is not None and replaces == self.state):
            self._clear()
        self.check_same(identity)
        self.error.unlink(missing_ok=True)
        if self.is_done:
            self.finish()
            return
        try:
            made_by = loads(self.identity.read_text())[ID]
        except (OSError, KeyError):
            made_by = uuid.uuid4().hex
        files.write_text(self.identity, checksums.sealed({ID: made_by, **identity}))
        files.write_json(self.model, spec.model.model_dump())
        files.write_json(self.job, {"name": spec.job_name, **spec.job.model_dump()})

    def finish(self) -> None:
        """Remove what only an unfinished run needs, an error that no longer holds, and what killed processes left."""
        self.error.unlink(missing_ok=True)
        self.checkpoint.unlink(missing_ok=True)
        files.remove_left_overs(self.path)

    def _clear(self) -> None:
        """Remove all that a run left, but for what it printed."""
        try:
            self.scores.unlink(missing_ok=True)  # first: without these two nothing else counts
            self.identity.unlink(missing_ok=True)
            for path in self.path.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path not in (self.lock, self.output):
                    path.unlink()
        except OSError as error:
            raise BadInput(
                f"{self.path}: what an earlier run left cannot be removed: {error.strerror}; remove it or choose "
                "another --logs folder"
            ) from None


def identity_of(spec: RunSpec, store: Store, split: Split, logs: Path) -> dict[str, Any]:
    """All that decides the result of a run, as JSON values; of its teacher, which is in `logs`, a hash of the weights.

    Raises
    ------
    BadInput
        As of `planned_identity`, or if the teacher is not trained yet, or on anything but the same fold of the same
        split: else it might know recordings that validate or test this run.
    """
    identity = planned_identity(spec, store, split)
    if spec.teacher is None:
        return identity
    teacher = Run(spec.teacher.folder(logs))
    if not teacher.is_done:
        raise BadInput(f"{spec.title}: its teacher {teacher.path} is not trained yet; train that first")
    try:
        teacher.check_same(planned_identity(spec.teacher, store, split))
    except BadInput as error:
        raise BadInput(
            f"{spec.title}: its teacher is another one, which may know recordings that validate or test this run: "
            f"{error}"
        ) from None
    return {**identity, "teacher": {**identity["teacher"], WEIGHTS: checksums.of_file(teacher.last_weights)}}


def planned_identity(spec: RunSpec, store: Store, split: Split) -> dict[str, Any]:
    """What decides the result of a run, as far as it is known before its teacher is trained.

    Raises
    ------
    BadInput
        If the split has no such fold, or the data set has no such label version or no class for empty recordings.
    """
    if spec.fold >= len(split.folds):
        last = len(split.folds) - 1
        raise BadInput(f"{spec.job_name}, fold {spec.fold}: {split.name} has folds 0 to {last}; choose one of them")
    if spec.model.data_augmentation.empty and NOISE not in store.classes:
        raise BadInput(
            f"{spec.job.model}: data_augmentation.empty makes recordings of class {NOISE}, which the data set does not "
            "have; set it to 0 in the model file"
        )
    from ecg_rhythm import networks, plugins  # loads torch

    identity = {
        "model": spec.model.model_dump(),
        CODE: networks.code_of(spec.model.model_name),
        IMPORTED_CODE: networks.imported_code_of(spec.model.model_name),
        "job": {
            "split": spec.job.split,
            "labels": store.label_version(spec.job.labels),
            "seed": spec.job.seed,
            "fold": spec.fold,
        },
        "data": {
            "fingerprint": store.fingerprint,
            "classes": store.classes,
            "split": split.sha256,
        },
    }
    if others := spec.model.data_augmentation.of_packages:
        identity[CODE_OF_PACKAGES] = {
            name: plugins.code_of(plugins.load(plugins.AUGMENTATIONS, name)) for name in others
        }
    if spec.teacher is None:
        return identity
    teacher = planned_identity(spec.teacher, store, split)
    del teacher["data"]  # the same as the student's
    return {**identity, "teacher": teacher}


def _differences(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys([*a, *b]):
            yield from _differences(a.get(key), b.get(key), f"{path}.{key}".removeprefix("."))
    elif a != b:
        yield path, json.dumps(a), json.dumps(b)
