"""Fixtures of several test modules: the real challenge files where they are there, and small data of our own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.weights.metadata import Metadata
from tests.helpers import CHALLENGE, Meter, model, small_store

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def challenge_files() -> Path:
    """The real challenge files, or a skip that says where they would be."""
    if not (CHALLENGE / "training2017.zip").exists():
        pytest.skip(f"the challenge's files are not in {CHALLENGE}; name their folder in ECG_RHYTHM_CHALLENGE")
    return CHALLENGE


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of 36 small recordings and the split `split_2_3_14`; nothing writes to it."""
    folder = tmp_path_factory.mktemp("small") / "data"
    small_store(folder)
    return folder


@pytest.fixture(scope="session")
def meter() -> Classifier:
    metadata = Metadata(config=model(), phase=0, classes=["N", "A", "~"], fs=100.0, scores={}, origin="test")
    return Classifier([Meter(metadata)])
