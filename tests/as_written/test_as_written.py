"""What version 0.1 wrote is read by every later one: a packed set, runs, a checkpoint, weights, an ONNX file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import ecg_rhythm
from ecg_rhythm.config import Job, ModelConfig
from ecg_rhythm.data.splits import load_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.evaluation.predictions import read_predictions
from ecg_rhythm.experiments import publishing, results
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.experiments.run import train
from ecg_rhythm.schema import parse
from tests.helpers import predict

KEPT = Path(__file__).parent / "files"
DONE, INTERRUPTED = Path("logs/CNN/done/fold0"), Path("logs/CRNN/interrupted/fold0")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A copy, as a run that goes on writes into its folder."""
    shutil.copytree(KEPT, tmp_path / "kept")
    return tmp_path / "kept"


def run_of(folder: Path) -> RunSpec:
    """The run whose folder this is."""
    job = json.loads((folder / "job.json").read_text())
    name = job.pop("name")
    model: ModelConfig = parse(ModelConfig, (folder / "model.json").read_text(), "model.json")
    return RunSpec(job_name=name, job=Job(**job), model=model, fold=0)


def test_a_packed_set_and_its_split() -> None:
    store = open_store(KEPT / "data")
    assert (len(store), store.fs, store.classes) == (24, 100.0, ["A", "N", "~"])
    assert len(load_split(splits_folder(KEPT / "data") / "split_2_3_14", len(store)).folds) == 2


def test_a_finished_run_is_not_trained_again(kept: Path) -> None:
    before = (kept / DONE / "scores.json").read_bytes()
    scores = train(run_of(kept / DONE), kept / "data", kept / "logs", device="cpu")
    assert scores == json.loads(before)
    assert (kept / DONE / "scores.json").read_bytes() == before


@pytest.mark.parametrize("model", [DONE, DONE / "phase0.safetensors"])
def test_weights_give_the_probabilities_that_the_run_kept(model: Path) -> None:
    store, predictions = open_store(KEPT / "data"), read_predictions(KEPT / DONE / "predictions.csv")
    classifier = ecg_rhythm.load(KEPT / model)
    for name, row in zip(predictions.records, predictions.probabilities, strict=True):
        found = predict(classifier, store.signal(store.names.index(name)), store.fs).probabilities
        np.testing.assert_allclose(list(found.values()), row, atol=2e-3)


def test_an_interrupted_run_goes_on_from_its_checkpoint(kept: Path) -> None:
    epochs = []
    before = (kept / INTERRUPTED / "hotlog.csv").read_text().splitlines()
    scores = train(
        run_of(kept / INTERRUPTED),
        kept / "data",
        kept / "logs",
        device="cpu",
        report=lambda progress: epochs.append((progress.phase, progress.epoch)) if progress.ends_epoch else None,
    )
    assert epochs == [(1, 2)]
    assert [phase["epochs"] for phase in scores["phases"]] == [2, 2, 0, 0, 0]
    after = (kept / INTERRUPTED / "hotlog.csv").read_text().splitlines()
    further = after[0].removeprefix(before[0]).count(",")
    assert further >= 4
    assert after[1 : len(before)] == [line + further * "," for line in before[1:]]
    assert dict(zip(after[0].split(","), after[-1].split(","), strict=True))["valid_loss"]


def test_a_finished_run_is_published(kept: Path) -> None:
    publishing.publish([kept / DONE.parent], kept / "result", "as it was", kept / "data")
    result, predictions = results.read(kept / "result")
    assert results.titled(result) == "as it was (1 of 2 folds)"
    assert predictions.records == read_predictions(KEPT / DONE / "predictions.csv").records


def test_an_onnx_file() -> None:
    store = open_store(KEPT / "data")
    found = predict(ecg_rhythm.load(KEPT / "tiny.onnx"), store.signal(0), store.fs)
    assert list(found.probabilities) == ["N", "A", "~"]
    assert sum(found.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("model", [DONE, DONE / "phase0.safetensors", "tiny.onnx"])
def test_a_model_without_a_hash_is_said_to_have_none(model: Path | str, caplog: pytest.LogCaptureFixture) -> None:
    ecg_rhythm.load(KEPT / model)
    (message,) = caplog.messages
    assert message.startswith(f"{KEPT}") and "an earlier version wrote this, without a hash" in message
