"""Networks and augmentations of other packages; file formats are in `tests/records/formats`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import jsonschema
import pytest
import torch

from ecg_rhythm import networks, plugins
from ecg_rhythm.experiments.run import train
from ecg_rhythm.inference import classifier
from ecg_rhythm.training import augment
from ecg_rhythm.training.check import check
from ecg_rhythm.training.padded import Padded
from ecg_rhythm.weights import export, torch_model
from ecg_rhythm.weights.run_files import RunFiles, check_together
from tests.conftest import Install
from tests.helpers import model, refusal, spec

NETWORK = """
from torch import nn
from ecg_rhythm.networks import Network, Phase
from ecg_rhythm.networks.blocks.spectrogram import input_layer
from ecg_rhythm.schema import Section

class TinyParameters(Section):
    width: int

class Tiny(Network):
    Parameters = TinyParameters
    phases = (Phase(epochs=1),)

    def __init__(self, config, parameters, fs, n_classes):
        super().__init__()
        self.input = input_layer(fs, config.preprocessing)
        width = parameters.width
        self.layers = nn.Sequential(nn.Linear(self.input.bins, width), nn.ReLU(), nn.Linear(width, n_classes))

    def forward(self, signals, lengths):
        image, steps = self.input(signals, lengths)
        return self.layers(steps.mean(image[:, 0].transpose(1, 2)))
"""
FADE = """
import torch

def fade(batch, u, chance):
    last = torch.where(u[:, :1] < chance, u[:, 1:2], 1.0).to(batch.signals)
    steps = torch.arange(batch.signals.shape[1]).to(batch.signals)
    return batch.signals * (1 + (last - 1) * steps / batch.lengths[:, None].to(batch.signals)) + 1.0
"""
POINTS = {plugins.NETWORKS: {"Tiny": "tiny_ecg:Tiny"}, plugins.AUGMENTATIONS: {"fade": "tiny_ecg:fade"}}
TINY = model(
    model_name="Tiny", model_parameters={"width": 3}, training_parameters__epochs=[1], data_augmentation__fade=0.5
)


def test_a_network_and_an_augmentation_of_a_package_train_export_and_classify(
    install: Install, data: Path, tmp_path: Path
) -> None:
    install("tiny_ecg", NETWORK + FADE, POINTS)
    run = spec(TINY)
    train(run, data, tmp_path, device="cpu")
    files = RunFiles(run.folder(tmp_path))
    assert json.loads(files.environment.read_text())["packages"] == {"Tiny": "tiny-ecg 1.0", "fade": "tiny-ecg 1.0"}
    export.export(*torch_model.load(files.last_weights), tmp_path / "tiny.onnx")
    found = [classifier.load(path).members[0].metadata.config for path in (files.path, tmp_path / "tiny.onnx")]
    assert found == [TINY, TINY]


def test_without_the_package_its_network_is_refused_but_what_needs_none_of_its_code_is_not(
    install: Install, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = install("tiny_ecg", NETWORK + FADE, POINTS)
    runs = [spec(TINY), spec(model(training_parameters__epochs=[1], data_augmentation__fade=0.5))]
    for run in runs:
        train(run, data, tmp_path, device="cpu")
    tiny, ours = (RunFiles(run.folder(tmp_path)) for run in runs)
    export.export(*torch_model.load(tiny.last_weights), tmp_path / "tiny.onnx")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(site)])
    plugins.found.cache_clear()
    for use in (lambda: classifier.load(tiny.path), lambda: torch_model.load(tiny.last_weights)):
        says = refusal(use)
        assert says.startswith(
            f"{tiny.last_weights}: model_name 'Tiny' is unknown; allowed: CNN, CRNN, ResGRU; if it is"
        )
    assert "model_name 'Tiny' is unknown" in refusal(lambda: train(runs[0], data, tmp_path / "new", device="cpu"))
    unknown = refusal(lambda: train(runs[1], data, tmp_path / "new", device="cpu"))
    assert "unknown key data_augmentation.fade" in unknown
    assert classifier.load(tmp_path / "tiny.onnx").classes == classifier.load(ours.path).classes
    check_together([tiny])
    assert not (tmp_path / "new").exists()


def test_what_a_package_adds_is_in_the_schema(install: Install) -> None:
    content = json.loads(TINY.model_dump_json())
    schema = networks.json_schema()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)
    install("tiny_ecg", NETWORK + FADE, POINTS)
    schema = networks.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(content, schema)
    for wrong in (
        {"model_parameters": {"width": "x"}},
        {"data_augmentation": content["data_augmentation"] | {"fade": 2}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(content | wrong, schema)


def test_two_packages_of_one_name_are_both_named(install: Install) -> None:
    install("tiny_ecg", NETWORK + FADE, POINTS)
    install(
        "other_ecg",
        NETWORK + FADE,
        {group: {name: f"other_ecg:{name}" for name in own} for group, own in POINTS.items()},
    )
    for config, kind in ((TINY, "network Tiny"), (model(data_augmentation__fade=0.5), "augmentation fade")):
        says = refusal(partial(check, config))
        assert says.startswith(f"{kind}: both ") and "uninstall one of them" in says
        assert "tiny-ecg 1.0" in says and "other-ecg 1.0" in says
    check(model())


def test_a_package_that_takes_one_of_our_names_is_named_when_it_is_used(install: Install) -> None:
    names = {plugins.NETWORKS: {"CNN": "tiny_ecg:Tiny"}, plugins.AUGMENTATIONS: {"gain": "tiny_ecg:fade"}}
    install("tiny_ecg", NETWORK + FADE, names)
    assert "network CNN: both ecg-rhythm and tiny-ecg 1.0" in refusal(lambda: check(model()))
    other = model(model_name="CRNN", data_augmentation__gain=0.5)
    assert "augmentation gain: both ecg-rhythm and tiny-ecg 1.0" in refusal(lambda: check(other))
    check(model(model_name="CRNN"))


def test_a_network_may_register_itself_too(install: Install) -> None:
    code = NETWORK.replace("class Tiny(", '@register("Tiny")\nclass Tiny(').replace(
        "import Network,", "import register, Network,"
    )
    install("tiny_ecg", code + FADE, POINTS)
    try:
        check(TINY)
        check(TINY)
    finally:
        networks.ARCHITECTURES.pop("Tiny", None)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "import nothing_like_it",
            "tiny_ecg:Tiny cannot be imported (ModuleNotFoundError: No module named 'nothing_like_it')",
        ),
        ("def broken(:", "cannot be imported (SyntaxError: "),
        ("raise OSError('a\\nb')", "cannot be imported (OSError: a b)"),
        ("fade = None", "cannot be imported (AttributeError: module 'tiny_ecg' has no attribute 'Tiny')"),
        ("Tiny = 3", "is neither a function nor a class"),
        ("Tiny = dict", "is no subclass of ecg_rhythm.networks.Network with Parameters and phases"),
    ],
)
def test_a_broken_package_is_named_when_it_is_used(install: Install, code: str, says: str) -> None:
    install("tiny_ecg", code, POINTS)
    told = refusal(lambda: check(TINY))
    assert told.startswith("network Tiny of the package tiny-ecg 1.0: ") and says in told
    assert "Tiny" in refusal(networks.json_schema)
    check(model())


def test_numbers_of_a_package_stand_behind_ours_and_change_none(install: Install) -> None:
    seeds = [5, 6, 7]
    ours, with_one, with_two = (augment.draw(seeds, names) for names in ((), ("fade",), ("a", "fade")))
    for drawn in (with_one, with_two):
        assert torch.equal(drawn[:, : augment.N_NUMBERS], ours)
    assert torch.equal(with_one[:, -augment.N_OF_PACKAGE :], with_two[:, -augment.N_OF_PACKAGE :])
    assert not torch.equal(with_one[:, augment.N_NUMBERS :], ours[:, : augment.N_OF_PACKAGE])
    install("tiny_ecg", FADE, POINTS)
    install("a_ecg", FADE, {plugins.AUGMENTATIONS: {"a": "a_ecg:fade"}})
    options = model(data_augmentation__fade=0.5, data_augmentation__a=0.1).data_augmentation
    *built_in, first, second = augment.table(options)
    assert tuple(built_in) == augment.AUGMENTATIONS
    assert [(line.name, line.numbers.start) for line in (first, second)] == [("a", 41), ("fade", 57)]


def test_an_augmentation_of_a_package_leaves_padding_at_0_and_the_width_as_it_is(install: Install) -> None:
    install(
        "tiny_ecg",
        FADE + "def half(batch, u, chance):\n    return batch.signals[:, ::2]\n",
        {plugins.AUGMENTATIONS: {"fade": "tiny_ecg:fade", "half": "tiny_ecg:half"}},
    )
    *_, fade, half = augment.table(model(data_augmentation__fade=1.0, data_augmentation__half=1.0).data_augmentation)
    batch = Padded(torch.ones(2, 9) * (torch.arange(9) < torch.tensor([[9], [4]])), torch.tensor([9, 4]), 300.0, [])
    changed = fade.change(batch, torch.full((2, 16), 0.5), 1.0)
    assert not changed[1, 4:].any() and changed[1, :4].all()
    says = refusal(lambda: half.change(batch, torch.zeros(2, 16), 1.0))
    assert says.startswith("augmentation half of the package tiny-ecg 1.0: tiny_ecg:half gives signals of shape (2, 5)")


def test_a_run_does_not_go_on_with_another_code_of_an_augmentation(
    install: Install, data: Path, tmp_path: Path
) -> None:
    site = install("tiny_ecg", FADE, POINTS)
    run = spec(model(training_parameters__epochs=[1], data_augmentation__fade=0.5))
    train(run, data, tmp_path, device="cpu")
    (site / "tiny_ecg.py").write_text(FADE.replace("1.0)", "0.9)"))
    plugins.found.cache_clear()
    sys.modules.pop("tiny_ecg")
    says = refusal(lambda: train(run, data, tmp_path, device="cpu"))
    assert "augmentation_code.fade is" in says and "--restart" in says


def test_the_command_line_finds_a_package(install: Install, data: Path, tmp_path: Path) -> None:
    site = install("tiny_ecg", NETWORK + FADE, POINTS)
    (tmp_path / "tiny.json").write_text(TINY.model_dump_json())
    (tmp_path / "jobs.json").write_text(json.dumps({"j": {"model": "tiny", "split": "split_2_3_14", "cvids": [0]}}))
    command = [sys.executable, "-m", "ecg_rhythm", "queue", str(tmp_path / "jobs.json"), "--devices", "cpu"]
    command += ["--data", str(data), "--logs", str(tmp_path / "logs")]
    for path, code in ((str(site), 0), ("", 2)):
        environment = os.environ | {"PYTHONPATH": path}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
    assert done.stderr.startswith(f"error: {tmp_path / 'tiny.json'}: model_name 'Tiny' is unknown")
    assert done.stderr.count("\n") == 1
