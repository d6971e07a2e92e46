from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ecg_rhythm.evaluation.predictions import Predictions
from ecg_rhythm.evaluation.suspects import suspects, write
from tests.helpers import refusal

CLASSES = ["A", "N"]


def table(of_a: list[float], labels: str) -> Predictions:
    p = np.array(of_a)
    targets = np.array([CLASSES.index(label) for label in labels])
    names = [f"r{i}" for i in range(len(p))]
    return Predictions(names, np.zeros(len(p), dtype=np.int64), targets, np.stack([p, 1 - p], axis=1), CLASSES)


def test_only_what_all_models_are_sure_of_and_wrong_about_is_suspect(tmp_path: Path) -> None:
    #        wrong, surer  right   one is right  one is unsure  wrong
    labels = "N            A       N             N              A"
    first = table([0.99, 0.99, 0.99, 0.99, 0.10], labels.replace(" ", ""))
    second = table([0.95, 0.99, 0.05, 0.60, 0.05], labels.replace(" ", ""))
    found = suspects([first, second], sure=0.8)
    assert [(s.record, s.label, s.predicted) for s in found] == [("r0", "N", "A"), ("r4", "A", "N")]
    assert (found[0].probability, found[0].label_probability, found[0].lowest_probability) == (0.97, 0.03, 0.95)
    write(tmp_path / "suspects.csv", found)
    with (tmp_path / "suspects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {
        "record": "r4", "label": "A", "predicted": "N", "probability": "0.925",
        "label_probability": "0.075", "lowest_probability": "0.9",
    }  # fmt: skip


def test_models_that_are_wrong_in_different_ways_do_not_agree() -> None:
    rows = [0.9, 0.05, 0.05], [0.05, 0.05, 0.9]
    says_a, says_o = (
        Predictions(["r0"], np.array([0]), np.array([1]), np.array([row]), ["A", "N", "O"]) for row in rows
    )
    assert suspects([says_a, says_o], sure=0.5) == []
    assert [one.predicted for one in suspects([says_a, says_a], sure=0.5)] == ["A"]


def test_results_of_different_labels_are_not_compared() -> None:
    assert "different recordings or labels" in refusal(
        lambda: suspects([table([0.5], "A"), table([0.5], "N")], sure=0.5)
    )
