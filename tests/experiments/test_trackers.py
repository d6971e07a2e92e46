from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.run import train
from ecg_rhythm.training.progress import Progress
from tests.helpers import model, refusal, spec

mlflow: Any = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")


def store(logs: Path) -> list[Any]:
    found: list[Any] = mlflow.MlflowClient(f"sqlite:///{logs / 'mlflow.db'}").search_runs(["0", "1"])
    return found


def test_tensorboard_calls_runs_by_their_names(data: Path, tmp_path: Path) -> None:
    for job in ("one", "other"):
        train(spec(model(training_parameters__epochs=[1]), 1, job, log_en=True), data, tmp_path, device="cpu")
    assert set(EventMultiplexer().AddRunsFromDirectory(str(tmp_path)).Reload().Runs()) == {
        "CNN/one/fold1",
        "CNN/other/fold1",
    }


def test_mlflow_has_what_the_hotlog_has_under_the_name_of_the_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    config = model(training_parameters__epochs=[2])
    scores = train(spec(config, 0, "job", log_mlflow=True), data, tmp_path, device="cpu")
    (run,) = store(tmp_path)
    assert run.info.run_name == "CNN/job/fold0" and run.info.status == "FINISHED"
    assert run.data.tags["job"] == "job"
    assert float(run.data.params["training_parameters.learning_rate"]) == config.training_parameters.learning_rate
    assert {"loss", "learning_rate", "valid/challenge", "valid/F1 A", "valid/F1 noise"} <= run.data.metrics.keys()
    history = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").get_metric_history(
        run.info.run_id, "valid/challenge"
    )
    assert [point.step for point in history] == [1, 2]
    assert max(point.value for point in history) == pytest.approx(scores["phases"][0]["valid"]["challenge"])


def test_an_interrupted_run_goes_on_as_the_same_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = spec(model(training_parameters__epochs=[2]), 0, "job", log_mlflow=True)

    def interrupt(progress: Progress) -> None:
        if progress.ends_epoch:
            raise BadInput("interrupted")

    refusal(lambda: train(run, data, tmp_path, device="cpu", report=interrupt))
    mlflow.end_run("KILLED")
    train(run, data, tmp_path, device="cpu")
    (found,) = store(tmp_path)
    history = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").get_metric_history(
        found.info.run_id, "valid/challenge"
    )
    assert [point.step for point in history] == [1, 2]


def test_a_server_that_is_not_there_is_named(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = spec(model(training_parameters__epochs=[1]), 0, "job", log_mlflow=True)
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    assert "MLflow at http://127.0.0.1:9: " in refusal(lambda: train(run, data, tmp_path, device="cpu"))
