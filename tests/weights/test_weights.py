from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from ecg_rhythm import networks
from ecg_rhythm.errors import BadInput
from ecg_rhythm.networks.registry import build
from ecg_rhythm.weights import tensor_file, torch_model
from ecg_rhythm.weights.metadata import KEY, Metadata
from tests.helpers import model


def saved(path: Path, phase: int = 2) -> networks.Network:
    torch.manual_seed(0)
    config = model(model_name="CRNN")
    network = build(config, 100.0, 3)
    network.enter_phase(phase)
    metadata = Metadata(config=config, phase=phase, classes=["A", "N", "~"], fs=100.0)
    torch_model.save(path, network, metadata)
    return network.eval()


def test_a_weights_file_is_all_that_is_needed(tmp_path: Path) -> None:
    network = saved(tmp_path / "w.safetensors")
    loaded, metadata = torch_model.load(tmp_path / "w.safetensors")
    assert (metadata.phase, metadata.classes, metadata.fs) == (2, ["A", "N", "~"], 100.0)
    signals, lengths = torch.randn(2, 300), torch.tensor([300, 300])
    with torch.inference_mode():
        assert torch.equal(loaded(signals, lengths), network(signals, lengths))


@given(text=st.text(), names=st.sets(st.text(min_size=1).filter(lambda name: name != "__metadata__"), max_size=5))
@settings(deadline=None, max_examples=50)
def test_the_same_content_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, text: str, names: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("same")
    tensors = {name: torch.arange(i) / 7 for i, name in enumerate(names, 1)}
    for number in range(4):
        tensor_file.write(folder / f"{number}.safetensors", tensors, text)
    assert len({path.read_bytes() for path in folder.iterdir()}) == 1
    found, same = tensor_file.read(folder / "0.safetensors", "file", "use another")
    assert same == text and found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in names)


def test_damaged_or_strange_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such weights file"):
        torch_model.load(tmp_path / "none.safetensors")
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(BadInput, match="not a weights file, or a damaged one"):
        torch_model.load(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(BadInput, match="does not describe an ECG model"):
        torch_model.load(path)
    save_file({"a": torch.zeros(1)}, path, metadata={KEY: '{"fs": 300}'})
    with pytest.raises(BadInput, match="key config is missing"):
        torch_model.load(path)
    saved(path)
    with safe_open(path, framework="pt") as file:
        metadata, state = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(state, path, metadata={KEY: metadata[KEY].replace('"phase":2', '"phase":9')})
    with pytest.raises(BadInput, match="do not fit the architecture CRNN as it is now"):
        torch_model.load(path)
    saved(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadInput, match="not a weights file, or a damaged one"):
        torch_model.load(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    saved(path)
    before = path.read_bytes()

    def full_disk(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ecg_rhythm.weights.tensor_file.save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        saved(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
