"""Fixtures of several test modules: the real challenge files where they are there, and small data of our own."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from ecg_rhythm import plugins
from ecg_rhythm.experiments import local
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.weights.metadata import Metadata
from tests import commands
from tests.helpers import CHALLENGE, model, small_store
from tests.meter import Meter

Install = Callable[..., Path]

settings.register_profile("untimed", deadline=None)
# `make mutation`: whether a test fails counts, not the smallest example.
settings.register_profile("mutation", deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
settings.load_profile("untimed")
# A shell that starts the tests in the background has Ctrl-C ignored, which the commands they start would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture
def forked_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a queue fork its runs from a process that has loaded what they need: for tests that kill none of them."""
    monkeypatch.setattr(local, "PROGRAM", (str(commands.program()),))


@pytest.fixture
def install(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """What installs a package of one module for this test, as pip would: name, code, group -> entry points."""
    site = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(site)
    plugins.found.cache_clear()
    before = set(sys.modules)

    def installed(name: str, code: str, points: dict[str, dict[str, str]]) -> Path:
        (site / f"{name}.py").write_text(code)
        facts = site / f"{name}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
        lines = [line for group, own in points.items() for line in (f"[{group}]", *map(" = ".join, own.items()))]
        (facts / "entry_points.txt").write_text("\n".join(lines) + "\n")
        plugins.found.cache_clear()
        return site

    yield installed
    plugins.found.cache_clear()
    for module in set(sys.modules) - before:
        if str(getattr(sys.modules[module], "__file__", "")).startswith(str(site)):
            del sys.modules[module]
