"""Files of models that are damaged, or that somebody made to do harm: each is refused in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file as tensors_of
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.calibration import STEPS
from ecg_rhythm.inference import classifier
from ecg_rhythm.networks import work
from ecg_rhythm.networks.registry import build
from ecg_rhythm.training.check import check_padding
from ecg_rhythm.weights import onnx_file, onnx_session, torch_model
from ecg_rhythm.weights.loading import load_file
from ecg_rhythm.weights.metadata import KEY, Metadata
from tests.helpers import model, onnx_model, refusal

ATTACKS = Path(__file__).parents[3] / "shared" / "attacks"
KEPT = Path(__file__).parents[1] / "as_written" / "files"
ABOUT = Metadata(config=model(), phase=0, classes=["N", "A", "~"], fs=100.0)
node = helper.make_node


def value(name: str, dims: list[str], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, dims)


SIGNALS, LENGTHS, LOGITS = value("signals", ["b", "n"]), value("lengths", ["b"], TensorProto.INT64), value("logits", [])
LOGITS.type.tensor_type.ClearField("shape")


def write(
    path: Path,
    *between: Any,
    numbers: dict[str, Any] | None = None,
    text: str | None = None,
    inputs: tuple[Any, ...] = (SIGNALS, LENGTHS),
    change: Callable[[Any], object] = lambda graph: None,
) -> Path:
    """Write a model whose logits are the mean of the signal, plus the mean of what the nodes `between` make of it."""
    nodes = [
        node("ReduceMean", ["signals", "along"], ["mean"]),
        *(between or (node("Identity", ["mean"], ["made"]),)),
        node("ReduceMean", ["made"], ["more"], keepdims=0),
        node("MatMul", ["mean", "weights"], ["product"]),
        node("Add", ["product", "more"], ["logits"]),
    ]
    given = {"along": [1], "weights": np.ones((1, 3), np.float32), **(numbers or {})}
    tensors = [numpy_helper.from_array(np.asarray(tensor), name) for name, tensor in given.items()]
    graph = helper.make_graph(nodes, "g", inputs, [LOGITS], tensors)
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    file.metadata_props.add(key=KEY, value=ABOUT.model_dump_json() if text is None else text)
    change(file)
    path.write_bytes(file.SerializeToString())
    return path


def branch(name: str) -> Any:
    return helper.make_graph([node("Identity", ["mean"], [name])], name, [], [value(name, [])])


def elsewhere(file: Any) -> None:
    tensor = file.graph.initializer[1]
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value="/etc/passwd")
    tensor.data_location = TensorProto.EXTERNAL


def sparse(file: Any) -> None:
    values, indices = helper.make_tensor("made", 1, [1], [1.0]), helper.make_tensor("i", 7, [1], [3])
    file.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [10**9, 10]))


def test_a_model_of_this_kind_is_not_refused(tmp_path: Path) -> None:
    assert load_file(write(tmp_path / "m.onnx")).metadata == ABOUT


@pytest.mark.parametrize(
    ("between", "numbers", "change", "says"),
    [
        ([node("Loop", ["", "", "mean"], ["made"], body=branch("a"))], {}, None, "uses the operator 'Loop'"),
        ([node("If", ["c"], ["made"], then_branch=branch("a"), else_branch=branch("b"))], {"c": True}, None, "'If'"),
        ([node("Relu", ["mean"], ["made"], body=branch("a"))], {}, None, "has graphs within its graph"),
        ([node("RandomNormal", [], ["made"], shape=[1])], {}, None, "uses the operator 'RandomNormal'"),
        ([node("Foo", ["mean"], ["made"], domain="com.other")], {}, None, "uses the operator 'com.other.Foo'"),
        ([node("ConstantOfShape", ["size"], ["made"])], {"size": [10**6, 10**6]}, None, "more than 4 GiB of memory"),
        ([node("Range", ["a", "b", "c"], ["r"]), node("Cast", ["r"], ["made"], to=1)],
         {"a": 0, "b": 10**12, "c": 1}, None, "more than 4 GiB of memory"),
        ([node("Log", ["zero"], ["made"])], {"zero": np.float32(0)}, None, "gives no numbers, but NaN or infinity"),
        ([node("Sqrt", ["less"], ["made"])], {"less": np.float32(-1)}, None, "gives no numbers, but NaN or infinity"),
        ([node("Identity", ["mean"], [f"made{'' if i == 20_000 else i}"]) for i in range(20_001)], {}, None,
         "20,000 are the most"),
        ([], {"weights": np.ones((1, 2), np.float32)}, None, "of shape (2, 2) for 2 signals and 3 classes"),
        ([node("Identity", ["made"], ["mean2"])], {}, sparse, "has sparse tensors"),
        ([], {}, elsewhere, "some of its weights are in another file"),
        ([], {}, lambda file: file.metadata_props.add(key=KEY, value="{}"), "some of them twice or too many"),
        ([], {}, lambda file: [file.metadata_props.add(key=str(i)) for i in range(200)], "have 201 entries"),
        ([], {}, lambda file: file.graph.input[1].ClearField("name"), "not an ONNX file, or a damaged one"),
        ([], {}, lambda file: file.graph.output.add().CopyFrom(value("mean", [])), "must have the output logits alone"),
        ([], {}, lambda file: file.graph.input.add().CopyFrom(value("x", ["b"])), "must have the inputs signals and"),
    ],
)  # fmt: skip
def test_a_graph_that_is_no_network_is_refused(
    between: list[Any], numbers: dict[str, Any], change: Callable[[Any], object] | None, says: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "m.onnx", *between, numbers=numbers, change=change or (lambda file: None))
    message = refusal(lambda: load_file(path))
    assert says in message and message.startswith(f"{path}: ")


def test_a_graph_that_computes_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_session, "MOST_SECONDS", 3)
    large = node("ConstantOfShape", ["size"], ["x0"])
    products = [node("MatMul", [f"x{i}", "x0"], [f"x{i + 1}"]) for i in range(5000)]
    last = node("Identity", ["x5000"], ["made"])
    path = write(tmp_path / "m.onnx", large, *products, last, numbers={"size": [4000, 4000]})
    assert "it takes more than 3 s for a signal of 200 samples" in refusal(lambda: load_file(path))


def test_a_graph_that_is_fast_on_noise_alone_is_stopped_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    square = [
        node("Transpose", ["signals"], ["turned"], perm=[1, 0]),
        node("MatMul", ["turned", "signals"], ["product of all"]),
        node("Mul", ["product of all", "small"], ["x0"]),
        *(node("MatMul", [f"x{i}", "x0"], [f"x{i + 1}"]) for i in range(10)),
        node("ReduceMean", ["x10"], ["made"], keepdims=0),
    ]
    model = load_file(write(tmp_path / "m.onnx", *square, numbers={"small": np.float32(1e-9)}))
    monkeypatch.setattr(onnx_session, "BEGIN_SECONDS", 0.05)
    monkeypatch.setattr(onnx_session, "LEAST_PER_SECOND", 1e9)
    message = refusal(lambda: model.logits(np.zeros((1, 3000), np.float32), np.array([3000])))
    assert "this model cannot classify 1 x 3000 samples: it takes far too long" in message


def test_weights_that_compute_too_much_are_refused_before_they_do(
    saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "MOST_MULTIPLICATIONS", 1000)
    assert "multiplications for each second of signal; make it smaller" in refusal(lambda: load_file(saved["weights"]))
    assert "multiplications for each second" in refusal(lambda: check_padding(model(), 100.0, 3))


def test_multiplications_are_those_that_torch_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build(model(), 100.0, 3).eval()
    signals, lengths = torch.randn(2, 3000), torch.tensor([3000, 3000])
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(signals, lengths)
    of_torch = counter.get_total_flops() / 2 / 60  # for each second of signal
    for factor, is_refused in ((0.75, True), (1.03, False)):  # torch counts the spectrogram, too
        monkeypatch.setattr(work, "MOST_MULTIPLICATIONS", factor * of_torch)
        expected = pytest.raises(BadInput) if is_refused else nullcontext()
        with torch.inference_mode(), expected, work.limited("it", 60):
            network(signals, lengths)


def test_numbers_that_only_some_signals_lack_are_found_in_the_answer(tmp_path: Path) -> None:
    loud = [
        node("Abs", ["signals"], ["size"]),
        node("Sub", ["limit", "size"], ["rest"]),
        node("Sqrt", ["rest"], ["made"]),
    ]
    loaded = classifier.load(write(tmp_path / "m.onnx", *loud, numbers={"limit": np.float32(100)}))
    loaded.members[0].logits(np.zeros((1, 300), np.float32), np.array([300]))
    message = refusal(lambda: loaded.members[0].logits(np.full((1, 300), 200, np.float32), np.array([300])))
    assert message.startswith(f"{tmp_path / 'm.onnx'}: this model gives no numbers")


QUANTILES = np.linspace(0, 1, STEPS + 1).tolist()


def calibrated(**changes: Any) -> dict[str, Any]:
    fitted = {"temperature": 1.0, "thresholds": dict.fromkeys(ABOUT.classes, QUANTILES), "counts": {}}
    fitted["counts"] = dict.fromkeys(ABOUT.classes, 3)
    return {"calibration": fitted | changes}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (calibrated(), None),
        ({"classes": ["N", "N", "A"]}, "its classes are not distinct"),
        ({"classes": ["N", "A"]}, "of shape (2, 3) for 2 signals and 2 classes"),
        ({"classes": ["N"]}, "classes: give more values"),
        ({"classes": [str(i) for i in range(2000)]}, "classes: give fewer values"),
        ({"classes": ["N" * 1000, "A", "~"]}, "classes.0: this is longer than any that belongs here"),
        ({"classes": ["N\x1b[31m\x07", "A", "~"]}, "classes.0: it has letters that cannot be shown"),
        ({"classes": ["N", "A\r\nx", "~"]}, "classes.1: it has letters that cannot be shown"),
        ({"fs": 1e7}, "fs: input should be less than or equal to 10000"),
        ({"scores": {str(i): 0 for i in range(60_000)}}, "scores: give fewer values"),
        ({"origin": "x" * 5_000_000}, "its metadata are longer than 4 MiB"),
        (calibrated(temperature=1e-300), "calibration.temperature: input should be greater"),
        (calibrated(thresholds={}), "must have the same classes"),
        (calibrated(counts=dict.fromkeys("NA", 1)), "must have the same classes"),
        (calibrated(thresholds=dict.fromkeys("AN~", QUANTILES), counts=dict.fromkeys("AN~", 1)), "in their order"),
        (calibrated(thresholds={name: [0.1] for name in ABOUT.classes}), "calibration.thresholds.N: give more values"),
        (calibrated(thresholds=dict.fromkeys(ABOUT.classes, QUANTILES[::-1])), "must not fall"),
        ({"scores": {"x": float("inf")}}, "Infinity is no number"),
    ],
)  # fmt: skip
def test_what_a_model_says_of_itself_must_fit(changes: dict[str, Any], says: str | None, tmp_path: Path) -> None:
    text = json.dumps(json.loads(ABOUT.model_dump_json()) | changes)
    path = write(tmp_path / "m.onnx", text=text)
    if says is None:
        assert load_file(path).metadata.calibration is not None
    else:
        message = refusal(lambda: load_file(path))
        assert says in message and message.startswith(f"{path}: ") and len(message) < 1000


@pytest.mark.parametrize("path", sorted(ATTACKS.glob("0[28]-*/*.onnx")), ids=lambda path: path.name)
@pytest.mark.skipif(not ATTACKS.is_dir(), reason=f"needs {ATTACKS}")
def test_attacks_are_refused(path: Path) -> None:
    assert refusal(lambda: classifier.load(path)).startswith(f"{path}: ")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each kind."""
    folder = tmp_path_factory.mktemp("saved")
    torch.manual_seed(0)
    torch_model.save(folder / "w.safetensors", build(ABOUT.config, ABOUT.fs, len(ABOUT.classes)), ABOUT)
    return {"weights": folder / "w.safetensors", "onnx": onnx_model(folder / "m.onnx")}


@pytest.mark.parametrize("kind", ["weights", "onnx"])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_changed_bit_is_noticed(kind: str, place: float, bit: int, saved: dict[str, Path], tmp_path: Path) -> None:
    content = bytearray(saved[kind].read_bytes())
    end = onnx_file.SEAL_BYTES if kind == "onnx" else 0  # a file without the name of its hash is one that has none
    content[int(place * (len(content) - end))] ^= 1 << bit
    path = tmp_path / saved[kind].name
    path.write_bytes(content)
    assert str(path) in refusal(lambda: load_file(path))


@pytest.mark.parametrize("kind", ["weights", "onnx"])
def test_a_changed_value_is_called_damage(kind: str, saved: dict[str, Path], tmp_path: Path) -> None:
    path, content = tmp_path / saved[kind].name, bytearray(saved[kind].read_bytes())
    content[content.rindex(b"\0\0") if kind == "onnx" else -1] ^= 1
    path.write_bytes(content)
    assert "this is damaged: it is not what was" in refusal(lambda: load_file(path))


def test_files_of_earlier_versions_have_no_hash_and_are_read() -> None:
    for path in (KEPT / "tiny.onnx", KEPT / "logs" / "CNN" / "done" / "fold0" / "phase0.safetensors"):
        assert load_file(path).metadata.classes


def test_weights_that_give_no_numbers_are_refused(saved: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    tensors = {name: tensor * float("nan") for name, tensor in tensors_of(saved["weights"]).items()}
    save_file(tensors, path, metadata={KEY: ABOUT.model_dump_json()})
    assert refusal(lambda: load_file(path)).startswith(f"{path}: this model gives no numbers")
    save_file(tensors, path, metadata={KEY: ABOUT.model_dump_json(), "other": "x"})
    assert "this is damaged" in refusal(lambda: load_file(path))
