from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import wfdb

import ecg_rhythm
from ecg_rhythm.cli.export import export as export_command
from ecg_rhythm.data.store import open_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation import calibration, predictions
from ecg_rhythm.experiments import publishing, results
from ecg_rhythm.experiments.run import train
from ecg_rhythm.inference import classifier
from ecg_rhythm.inference.answers import Prediction
from ecg_rhythm.inference.blocks import FILES, File
from ecg_rhythm.inference.classify import answers
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.networks.registry import build
from ecg_rhythm.records import Record
from ecg_rhythm.weights import export, onnx_model, quantise, torch_model
from ecg_rhythm.weights.metadata import Metadata
from studies.known_beats import ecg, noise, sinus
from tests.helpers import model, predict, refusal, signals, small_store, spec


@pytest.fixture(scope="module")
def job(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a job with two finished folds."""
    logs = tmp_path_factory.mktemp("logs")
    config = model(
        training_parameters__epochs=[25], training_parameters__rate_schedule="one_cycle", data_augmentation__awgn=False
    )
    for fold in (0, 1):
        train(spec(config, fold=fold, seed=2), data, logs, device="cpu")
    return logs / "CNN" / "job"


def recordings(n: int) -> list[Record]:
    return [Record(name, signal, 100.0, "ECG") for name, _, signal in signals(n, seed=5)]


def test_a_batch_gives_what_each_recording_gives_alone(job: Path) -> None:
    loaded = classifier.load(job / "fold0")
    for recording, prediction in zip(recordings(40), loaded.classify(recordings(40)), strict=True):
        alone = predict(loaded, recording.signal, recording.fs)
        assert (prediction.record, prediction.label) == (recording.name, alone.label)
        assert prediction.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
        assert sum(prediction.probabilities.values()) == pytest.approx(1)


def test_a_long_recording_is_not_padded_to_by_short_ones() -> None:
    parts = [part.tolist() for part in classifier.batches_by_length([10, 5, 1000, 6, 7], most=24)]
    assert parts == [[1, 3, 4], [0], [2]]


def test_several_models_vote_by_the_mean_of_their_probabilities(job: Path) -> None:
    members = [classifier.load(job / f"fold{k}").classify(recordings(6)) for k in (0, 1)]
    for vote, one, other in zip(classifier.load(job).classify(recordings(6)), *members, strict=True):
        want = {name: (one.probabilities[name] + other.probabilities[name]) / 2 for name in one.probabilities}
        assert vote.probabilities == pytest.approx(want)
        assert vote.label == max(want, key=lambda name: want[name])
    by_file = classifier.load([job / "fold0" / "phase0.safetensors", job / "fold1"])
    assert by_file.classify(recordings(6)) == classifier.load(job).classify(recordings(6))


def test_it_gives_the_label_of_what_it_learned_at_any_rate(job: Path) -> None:
    loaded = classifier.load(job)
    made = signals(12, seed=9, fs=250.0)
    right = [predict(loaded, signal, 250.0).label == label for _, label, signal in made if label != "~"]
    assert sum(right) >= 7


def test_what_was_trained_on_windows_is_asked_in_windows(data: Path, tmp_path: Path) -> None:
    run = spec(model(training_parameters__epochs=[1], data_augmentation__window=2.0))
    train(run, data, tmp_path, device="cpu")
    folder = run.folder(tmp_path)
    store, table = open_store(data), predictions.read_predictions(folder / "predictions.csv", "test")
    network, _ = torch_model.load(folder / "phase0.safetensors")
    export.export(*torch_model.load(folder / "phase0.safetensors"), tmp_path / "m.onnx")
    assert len(table.records) > 3
    for name, probabilities in zip(table.records, table.probabilities, strict=True):
        signal = store.signal(store.names.index(name))
        starts = np.linspace(0, len(signal) - 200, -(-len(signal) // 200)).astype(int)
        assert len(starts) > 1
        windows = torch.from_numpy(np.stack([signal[start : start + 200] for start in starts]))
        with torch.inference_mode():
            expected = network(windows, torch.full((len(windows),), 200)).softmax(dim=1).mean(dim=0).tolist()
        assert probabilities.tolist() == pytest.approx(expected, abs=1e-4)
        for kept in (folder, tmp_path / "m.onnx"):
            found = predict(classifier.load(kept), signal, store.fs).probabilities
            assert list(found.values()) == pytest.approx(expected, abs=1e-4)


def test_an_exported_network_answers_alike_and_without_torch(job: Path, tmp_path: Path) -> None:
    file = tmp_path / "fold0.onnx"
    assert export.export(*torch_model.load(job / "fold0" / "phase0.safetensors"), file) < 1e-4
    answers = classifier.load(file).classify(recordings(40))
    for want, got in zip(classifier.load(job / "fold0").classify(recordings(40)), answers, strict=True):
        assert got.record == want.record
        assert got.probabilities == pytest.approx(want.probabilities, abs=1e-4)
    program = (
        "import sys; sys.modules['torch'] = None; import ecg_rhythm; "
        f"print(ecg_rhythm.classify([0.1, -0.1] * 150, {str(file)!r}, fs=100).label)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() in {"A", "N", "~"}


def test_eight_bits_make_little_difference_and_a_smaller_file(job: Path, data: Path, tmp_path: Path) -> None:
    exact, quick = tmp_path / "exact.onnx", tmp_path / "quick.onnx"
    export_command(job / "fold0", to=exact)
    export_command(job / "fold0", to=quick, int8=True, data=data)
    kinds = {node.op_type for node in onnx.load(quick).graph.node}
    assert "QuantizeLinear" in kinds
    assert quick.read_bytes() != exact.read_bytes()
    assert onnx_model.load(quick).metadata == onnx_model.load(exact).metadata
    expected, found = (classifier.load(file).probabilities(recordings(40)) for file in (exact, quick))
    assert 0 < abs(found - expected).mean() < 0.03


def test_eight_bits_of_what_is_asked_in_windows_are_fitted_on_windows(job: Path, tmp_path: Path) -> None:
    network, metadata = torch_model.load(job / "fold0" / "phase0.safetensors")
    config = model(data_augmentation__window=2.0)
    exact, of_whole, of_windows = (tmp_path / f"{name}.onnx" for name in ("exact", "whole", "windows"))
    export.export(network, metadata.model_copy(update={"config": config}), exact)
    whole = [np.resize(recording.signal, 550) for recording in recordings(8)]
    windows = [signal[start : start + 200] for signal in whole for start in (0, 175, 350)]
    assert quantise.quantise(exact, whole, of_whole) == quantise.quantise(exact, windows, of_windows) > 1e-5
    assert of_whole.read_bytes() == of_windows.read_bytes()


def test_eight_bits_need_the_data_that_the_network_was_trained_on(job: Path, tmp_path: Path) -> None:
    small_store(tmp_path, 24)
    message = refusal(lambda: export_command(job / "fold0", to=tmp_path / "q.onnx", int8=True, data=tmp_path))
    assert "was trained on other data; name with --data" in message
    assert not (tmp_path / "q.onnx").exists()


@pytest.mark.parametrize(("name", "parameters"), [("CRNN", {}), ("CRNN", {"bidirectional": False}), ("ResGRU", {})])
def test_every_architecture_can_be_exported(tmp_path: Path, name: str, parameters: dict[str, bool]) -> None:
    torch.manual_seed(0)
    config = model(model_name=name)
    config = config.model_copy(update={"model_parameters": config.model_parameters | parameters})
    network = build(config, 100.0, 3)
    for module in network.modules():
        if isinstance(module, torch.nn.RNNBase):  # so that the order of its gates matters
            for tensor in module.parameters():
                torch.nn.init.normal_(tensor)
    network.enter_phase(len(network.phases) - 1)
    metadata = Metadata(config=config, phase=len(network.phases) - 1, classes=["A", "N", "~"], fs=100.0)
    assert export.export(network, metadata, tmp_path / "n.onnx") < 1e-4
    assert onnx_model.load(tmp_path / "n.onnx").metadata == metadata


def test_what_onnx_cannot_hold_is_refused(tmp_path: Path) -> None:
    config = model(preprocessing__nperseg=2048, preprocessing__noverlap=0)
    network = build(config, 100.0, 3)
    metadata = Metadata(config=config, phase=0, classes=["A", "N", "~"], fs=100.0)
    assert "ONNX cannot hold this network" in refusal(lambda: export.export(network, metadata, tmp_path / "n.onnx"))
    assert not list(tmp_path.iterdir())


def test_a_calibrated_file_gives_calibrated_probabilities_and_sets(job: Path, data: Path, tmp_path: Path) -> None:
    publishing.publish([job], tmp_path / "result", "small", data)
    file = tmp_path / "calibrated.onnx"
    export_command(job / "fold0", to=file, calibrate=tmp_path / "result")
    _, metadata = torch_model.load(job / "fold0" / "phase0.safetensors")
    fitted = results.calibration_of(tmp_path / "result", metadata.config, ["A", "N", "~"])
    raw = classifier.load(job / "fold0")
    assert [one.prediction_set for one in raw.classify(recordings(3))] == [None] * 3
    for coverage in (0.5, 0.95):
        before, after = (loaded.classify(recordings(9)) for loaded in (raw, classifier.load(file, coverage)))
        expected = calibration.apply_temperature(
            [list(one.probabilities.values()) for one in before], fitted.temperature
        )
        np.testing.assert_allclose([list(one.probabilities.values()) for one in after], expected, atol=1e-4)
        sets = calibration.prediction_sets(expected, fitted, coverage)
        for one, row in zip(after, sets, strict=True):
            assert one.prediction_set == [name for name, inside in zip("AN~", row, strict=True) if inside]
            assert one.label in one.prediction_set
    with pytest.raises(BadInput, match="coverage 90: give a number from 0 to 1"):
        classifier.load(file, 90)
    with pytest.raises(BadInput, match="gives prediction sets"):
        classifier.load(job, 0.9)
    other = model(training_parameters__epochs=[1])
    for config, classes in ((other, ["A", "N", "~"]), (metadata.config, ["A", "B"])):
        message = refusal(partial(results.calibration_of, tmp_path / "result", config, classes))
        assert "no result of the same model and classes" in message


def test_noise_has_no_heart_rate_and_a_beating_heart_has_one() -> None:
    rng = np.random.default_rng(0)
    beating = ecg(sinus(75, 30, rng), 30, 300) + noise(0.01, 9000, 300, rng)
    both = [Record(name, s.astype(np.float32), 300, "") for name, s in (("a", beating), ("b", rng.normal(size=9000)))]
    heart, nothing = classifier.load().classify(both)
    assert heart.label == "N"
    assert heart.heart_rate == pytest.approx(75, rel=0.03)
    assert (nothing.label, nothing.heart_rate) == ("~", None)


def test_the_label_of_a_short_strip_is_in_its_set() -> None:
    rng = np.random.default_rng(0)
    for seconds in (1, 2, 3, 5, 8):
        signal = ecg(sinus(75, seconds, rng), seconds, 300) + noise(0.02, 300 * seconds, 300, rng)
        for coverage in (0.0, 0.5, 0.9):
            (one,) = classifier.load(coverage=coverage).classify([Record("", signal.astype(np.float32), 300, "")])
            assert one.label in (one.prediction_set or [])


def test_an_onnx_file_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    assert "there is no such model" in refusal(lambda: classifier.load(tmp_path / "none.onnx"))
    (tmp_path / "bad.onnx").write_bytes(b"nonsense")
    assert "not an ONNX file, or a damaged one" in refusal(lambda: classifier.load(tmp_path / "bad.onnx"))
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [value], [
        onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    ])  # fmt: skip
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10),
        tmp_path / "other.onnx",
    )
    assert "does not describe an ECG model" in refusal(lambda: classifier.load(tmp_path / "other.onnx"))


def test_files_that_cannot_be_read_are_said_and_the_rest_go_on(job: Path, tmp_path: Path) -> None:
    for name, _, signal in signals(3):
        wfdb.wrsamp(name, 100, ["mV"], ["ECG"], p_signal=signal[:, None].astype(np.float64), write_dir=str(tmp_path))
    (tmp_path / "bad.hea").write_text("nonsense")
    short = signals(1)[0][2][:50, None].astype(np.float64)
    wfdb.wrsamp("short", 100, ["mV"], ["ECG"], p_signal=short, write_dir=str(tmp_path))
    names = ["r000", "missing", "bad", "r001", "short", "r002"]
    found = list(answers(Workers(classifier.load(job)), [File(tmp_path / name) for name in names]))
    for name, answer in zip(names, found, strict=True):
        if name.startswith("r"):
            assert isinstance(answer, Prediction) and answer.record == name
        else:
            assert isinstance(answer, BadInput) and name in str(answer) and "\n" not in str(answer)


def test_any_number_of_files_is_answered_in_order_while_few_are_in_memory(job: Path, tmp_path: Path) -> None:
    names = [name for name, _, _ in signals(5)]
    for name, _, signal in signals(5):
        wfdb.wrsamp(name, 100, ["mV"], ["ECG"], p_signal=signal[:, None].astype(np.float64), write_dir=str(tmp_path))
    asked: list[str] = []

    def endless() -> Iterator[File]:
        for name in cycle(names):
            asked.append(name)
            yield File(tmp_path / name)

    found = answers(Workers(classifier.load(job)), endless())
    first = next(found)
    assert isinstance(first, Prediction)
    assert len(asked) == FILES
    for i, answer in enumerate(islice(found, FILES + 3), start=1):
        assert isinstance(answer, Prediction) and answer.record == asked[i]
    assert len(asked) == 2 * FILES


@pytest.mark.parametrize("signal", [np.full(300, np.nan), np.zeros((2, 300)), np.zeros(20)])
def test_what_is_no_signal_is_refused(job: Path, signal: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    with pytest.raises(BadInput):
        ecg_rhythm.classify(signal, classifier.load(job), fs=100)


def test_models_that_do_not_go_together_are_refused(job: Path, tmp_path: Path) -> None:
    small_store(tmp_path / "data")
    with pytest.raises(BadInput, match="neither a finished run nor a job with one"):
        classifier.load(tmp_path)
    for none in (tmp_path / "none.safetensors", "x" * 5000, "\0"):
        with pytest.raises(BadInput, match="there is no such model"):
            classifier.load(none)


def test_the_store_and_the_classifier_agree_on_a_signal(job: Path, data: Path) -> None:
    store = open_store(data)
    loaded = classifier.load(job / "fold0")
    lines = (job / "fold0" / "predictions.csv").read_text().splitlines()
    header, row = lines[0].split(","), lines[-1].split(",")
    prediction = predict(loaded, store.signal(store.names.index(row[0])), store.fs)
    assert prediction.probabilities == pytest.approx(
        {name[2:-1]: float(p) for name, p in zip(header[4:], row[4:], strict=True)}, abs=1e-4
    )


@pytest.mark.parametrize(
    ("signal", "fs"),
    [([[0.0] * 300] * 2, 300), ([0.0] * 300, 0.5), ([0.0] * 300, float("nan")), ([0.0, "x"], 300)],
)
def test_what_is_no_row_of_numbers_or_no_rate_is_refused(job: Path, signal: Any, fs: Any) -> None:
    assert "signal: expected one row of numbers in mV and a rate of 1 to 100000 Hz" in refusal(
        lambda: ecg_rhythm.classify(signal, job / "fold0", fs=fs)
    )
