"""Where a run is logged besides its own folder: TensorBoard and MLflow, through `accelerate`."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from accelerate.tracking import GeneralTracker, MLflowTracker, TensorBoardTracker
from filelock import FileLock

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.metrics import NOISE
from ecg_rhythm.experiments.folder import Run
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.schema import loads
from ecg_rhythm.weights.run_files import ID

EXPERIMENT = "ecg-rhythm"
STORE = "mlflow.db"
"""MLflow's local store, in the folder of the runs."""
TAG = "ecg_rhythm.run"
"""Tag of a run in MLflow: the id of its folder, by which a run that was interrupted goes on."""
_LOCAL = {""}
"""Addresses of local stores of this process; empty if there was none."""
_NO_NAME = re.compile(r"[^\w\-. :/]", re.ASCII)


def trackers(spec: RunSpec, run: Run, logs: Path) -> list[GeneralTracker]:
    """What a run is logged to, as its job says.

    TensorBoard's files are in the run's own folder, so that `tensorboard --logdir LOGS` calls it by its name.

    Raises
    ------
    BadInput
        If MLflow is not installed.
    """
    found: list[GeneralTracker] = []
    if spec.job.log_en:
        found.append(TensorBoardTracker("", run.path))
    if spec.job.log_mlflow:
        with extras.needed("mlflow", "log_mlflow"):
            import sqlalchemy  # noqa: F401 -- of the store

            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            import mlflow  # noqa: F401
        found.append(_MLflow(spec, run, logs))
    return found


class _MLflow(MLflowTracker):  # type: ignore[misc]
    """MLflow's local store in the folder of the runs, or what MLFLOW_TRACKING_URI names."""

    def __init__(self, spec: RunSpec, run: Run, logs: Path) -> None:
        super().__init__(EXPERIMENT, run_name=spec.title)
        self.spec, self.run, self.logs = spec, run, logs

    def start(self) -> None:
        """Begin a run, or go on with that of the same folder.

        Raises
        ------
        BadInput
            If MLflow cannot be reached, or refuses.
        """
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        if os.environ.get("MLFLOW_TRACKING_URI", "") in _LOCAL:  # which MLflow itself sets to what it was told last
            _LOCAL.add(local := f"sqlite:///{(self.logs / STORE).resolve()}")
            mlflow.set_tracking_uri(local)
        own = loads(self.run.identity.read_text())[ID]
        try:
            with FileLock(self.logs / f".{STORE}.lock"):  # one process makes the store and the experiment
                begun = mlflow.search_runs(
                    search_all_experiments=True, filter_string=f"tags.`{TAG}` = '{own}'", output_format="list"
                )
                self.run_id = begun[0].info.run_id if begun else None
                self.tags = {TAG: own, "architecture": self.spec.model.model_name, "job": self.spec.job_name}
                super().start()
            if not begun:
                job = self.spec.job.model_dump(include={"split", "labels", "seed"})
                parameters = {**job, "fold": self.spec.fold, **dict(_flat(self.spec.model.model_dump()))}
                self.store_init_configuration(parameters)
        except mlflow.exceptions.MlflowException as error:
            why = " ".join(str(error).split())
            raise BadInput(
                f"MLflow at {mlflow.get_tracking_uri()}: {why}; set MLFLOW_TRACKING_URI, or train without log_mlflow"
            ) from None

    def log(self, values: dict[str, Any], step: int | None = None, **options: Any) -> None:
        """Log metrics under names that MLflow allows; a server that is away for a while does not end the training."""
        import mlflow

        try:
            super().log({_allowed(name): value for name, value in values.items()}, step=step, **options)
        except mlflow.exceptions.MlflowException as error:
            logging.getLogger(__name__).warning("MLflow did not take the metrics of step %s: %s", step, error)


def _allowed(name: str) -> str:
    return _NO_NAME.sub("_", name.removesuffix(NOISE) + "noise" if name.endswith(f" {NOISE}") else name)


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, part in value.items():
        if isinstance(part, Mapping):
            yield from _flat(part, f"{path}{key}.")
        else:
            yield f"{path}{key}", part
