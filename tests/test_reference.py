from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from ecg_rhythm.data.split_rules import make_split
from ecg_rhythm.data.splits import load_split, save_split
from ecg_rhythm.evaluation.metrics import confusion_matrix, score
from ecg_rhythm.records import Record, read, resample

CLASSES = ["N", "A", "O", "~"]


def labels_in(content: str) -> list[str]:
    rows = dict(csv.reader(io.StringIO(content)))
    return [rows[record] for record in sorted(rows)]


@pytest.fixture(scope="module")
def v2(challenge_files: Path) -> list[str]:
    """The labels the published split was stratified by."""
    with zipfile.ZipFile(challenge_files / "training2017.zip") as zipped:
        return labels_in(zipped.read("training2017/REFERENCE.csv").decode())


def test_the_split_of_the_paper_is_made_number_by_number(challenge_files: Path, v2: list[str], tmp_path: Path) -> None:
    save_split(make_split(v2, CLASSES), tmp_path / "split_5_6_14")
    published = {path.name: json.loads(path.read_text()) for path in (challenge_files / "split_5_6_14").iterdir()}
    made = {path.name: json.loads(path.read_text()) for path in (tmp_path / "split_5_6_14").iterdir()}
    assert len(published) == 16
    assert made == published


def test_the_published_split_loads(challenge_files: Path, v2: list[str]) -> None:
    loaded, made = load_split(challenge_files / "split_5_6_14", len(v2)), make_split(v2, CLASSES)
    assert (loaded.name, loaded.properties, len(loaded.holdout)) == (made.name, made.properties, 0)
    for one, other in zip(loaded.folds, made.folds, strict=True):
        assert [part.tolist() for part in (one.train, one.valid, one.test)] == [
            part.tolist() for part in (other.train, other.valid, other.test)
        ]


def test_neither_the_labels_trained_on_nor_another_seed_give_a_part_of_it(challenge_files: Path, v2: list[str]) -> None:
    published = load_split(challenge_files / "split_5_6_14", len(v2)).folds
    v3 = labels_in((challenge_files / "REFERENCE-v3.csv").read_text())
    for other in (make_split(v3, CLASSES), make_split(v2, CLASSES, seed=15)):
        for mine, theirs in zip(other.folds, published, strict=True):
            for part in ("test", "valid", "train"):
                assert not np.array_equal(getattr(mine, part), getattr(theirs, part))


@given(data=st.data(), n_classes=st.integers(2, 6))
@settings(deadline=None, max_examples=60)
def test_scores_agree_with_scikit_learn(data: st.DataObject, n_classes: int) -> None:
    numbers = st.integers(0, n_classes - 1)
    pairs = data.draw(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=80))
    actual, predicted = (list(column) for column in zip(*pairs, strict=True))
    classes = ["~", *"NAOXY"][:n_classes]
    every: dict[str, Any] = {"labels": list(range(n_classes)), "zero_division": 0}

    got = score(actual, predicted, classes)
    theirs = metrics.f1_score(actual, predicted, average=None, **every)
    assert [got[f"F1 {name}"] for name in classes] == pytest.approx(theirs.tolist())
    assert got["challenge"] == pytest.approx(
        metrics.f1_score(actual, predicted, average="macro", zero_division=0, labels=list(range(1, n_classes)))
    )
    assert got["accuracy"] == pytest.approx(metrics.accuracy_score(actual, predicted))
    expected = metrics.confusion_matrix(actual, predicted, labels=every["labels"])
    assert np.array_equal(confusion_matrix(actual, predicted, n_classes), expected)


@given(fs=st.sampled_from([200, 250, 360, 500]), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=25)
def test_resampling_agrees_with_the_fourier_method(fs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.arange(10 * fs) / fs
    waves = [rng.normal() * np.sin(2 * np.pi * k / 10 * t + rng.uniform(0, 6)) for k in range(10, 400, 30)]
    signal = np.sum(waves, axis=0).astype(np.float32)
    got = resample(Record("r", signal, fs, "I"), 300).signal
    exact = scipy.signal.resample(signal.astype(np.float64), 3000)
    np.testing.assert_allclose(got[300:-300], exact[300:-300], atol=0.02 * np.abs(exact).max())


def test_challenge_recordings_are_read_as_scipy_reads_their_samples(challenge_files: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(challenge_files / "training2017.zip") as zipped:
        for name in ("A00001", "A00227", "A04735", "A08528"):
            for extension in (".mat", ".hea"):
                (tmp_path / f"{name}{extension}").write_bytes(zipped.read(f"training2017/{name}{extension}"))
            samples = scipy.io.loadmat(tmp_path / f"{name}.mat")["val"][0]
            with_header = read(tmp_path / name)
            assert np.array_equal(np.rint(with_header.signal * 1000), samples)
            (tmp_path / f"{name}.hea").unlink()
            assert np.array_equal(read(tmp_path / f"{name}.mat").signal, with_header.signal)
