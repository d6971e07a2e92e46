"""The models that come with the program."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import ecg_rhythm
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.records import Record, read, resample
from ecg_rhythm.weights.loading import SHIPPED
from tests.helpers import predict, refusal

WANTED = {"A00001": "N", "A00004": "A", "A00008": "O", "A00205": "~"}
"""Challenge recordings of each class."""
RNG = np.random.default_rng(0)
SECONDS = np.arange(9000) / 300


@pytest.fixture(scope="module", params=SHIPPED)
def model(request: pytest.FixtureRequest) -> Classifier:
    return ecg_rhythm.load(request.param)


@pytest.fixture(scope="module")
def recordings(challenge_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with these recordings."""
    folder = tmp_path_factory.mktemp("challenge")
    with zipfile.ZipFile(challenge_files / "training2017.zip") as archive:
        archive.extractall(folder, [f"training2017/{name}.{kind}" for name in WANTED for kind in ("hea", "mat")])
    return folder / "training2017"


def test_they_are_small_and_say_what_they_are(model: Classifier) -> None:
    assert sum(path.stat().st_size for path in SHIPPED.values()) < 8_000_000
    (member,) = model.members
    assert model.classes == ["N", "A", "O", "~"]
    assert member.metadata.calibration is not None
    for credit in ("Open Data Commons Attribution License 1.0", "Clifford et al. 2017", "Goldberger et al. 2000"):
        assert credit in member.metadata.origin


@pytest.mark.parametrize(
    "signal",
    [
        np.zeros(9000),
        np.full(9000, 1.3),
        RNG.normal(size=9000),
        RNG.normal(size=9000).cumsum() / 30,
        np.sin(2 * np.pi * 50 * SECONDS),
        np.sin(2 * np.pi * 0.2 * SECONDS),
    ],
    ids=["zeros", "constant", "white noise", "red noise", "hum", "slow sine"],
)
def test_what_is_no_ecg_is_not_told_a_rhythm(model: Classifier, signal: NDArray[np.float64]) -> None:
    assert predict(model, signal, 300).label == "~"


@pytest.mark.parametrize(("name", "label"), WANTED.items())
def test_challenge_recordings_are_told_at_any_rate_size_and_sign(
    model: Classifier, recordings: Path, name: str, label: str
) -> None:
    record = read(recordings / name)
    changes: list[Callable[[Record], Record]] = [
        lambda r: r,
        lambda r: resample(r, 128),
        lambda r: resample(r, 500),
        lambda r: Record(r.name, 4 * r.signal, r.fs, r.lead),
        lambda r: Record(r.name, r.signal + np.float32(2), r.fs, r.lead),
    ]
    found = [answer.label for answer in model.classify([change(record) for change in changes])]
    assert found == [label] * len(changes)


def test_a_model_that_does_not_come_with_it_is_refused() -> None:
    assert "slow: there is no such model; name default or fast" in refusal(lambda: ecg_rhythm.load("slow"))
