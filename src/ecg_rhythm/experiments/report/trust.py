"""The section that shows how far probabilities and prediction sets can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.evaluation.evaluate import calibrated_probabilities
from ecg_rhythm.evaluation.predictions import Predictions
from ecg_rhythm.experiments.report import pictures
from ecg_rhythm.experiments.report.document import Item, Panel, Picture, Section, Table, Value
from ecg_rhythm.experiments.report.inputs import Configuration
from ecg_rhythm.inference.names import named

BINS = 10
"""Groups of a reliability diagram, with equally many recordings each."""


def calibrated(group: Sequence[Configuration]) -> Section:
    """Reliability diagrams, calibration errors, and coverage of prediction sets."""
    errors: list[list[Value]] = []
    for c in group:
        after = c.evaluation["calibrated"]
        errors.append([c.name, c.evaluation["calibration_error"], after and after["calibration_error"]])
    table = Table(
        "calibration_error",
        "Expected calibration error",
        {"configuration": "", "as trained": ".3f", "calibrated on the other folds": ".3f"},
        errors,
        command=group[0].command,
    )
    items: list[Item] = [_reliability(group), table, *_coverage(group)]
    return Section("calibration", "Can probabilities be trusted?", items)


def _reliability(group: Sequence[Configuration]) -> Picture:
    """Accuracy against the mean probability of the predicted class."""
    panels: list[Panel] = []
    rows: list[list[Value]] = []
    for title, of in (
        ("as trained", lambda c: c.predictions.probabilities),
        (
            "calibrated on the other folds",
            lambda c: calibrated_probabilities(c.predictions) if c.evaluation["calibrated"] else None,
        ),
    ):
        drawn = []
        for number, c in enumerate(group):
            if (probabilities := of(c)) is not None:
                expected, was = reliability(c.predictions, probabilities)
                drawn.append((number, expected, was))
                rows += [[c.name, title, *point] for point in zip(expected.tolist(), was.tolist(), strict=True)]
        lowest = min((float(min(x.min(), y.min())) for _, x, y in drawn), default=0)
        limits = (max(lowest - 0.05, 0), 1.01)
        figure = pictures.lines(
            drawn, diagonal=True, xlabel="mean probability", ylabel="accuracy", xlim=limits, ylim=limits
        )
        panels.append(Panel(title, figure))
    columns = {"configuration": "", "probabilities": "", "mean probability": ".4f", "accuracy": ".4f"}
    return Picture(
        "reliability",
        "Reliability of the predicted class",
        panels,
        Table("", "", columns, rows),
        "Accuracy against the mean probability of the predicted class, in ten groups.",
        legend=[c.name for c in group],
        note="On the line, a probability of 0.8 is right in 80 % of recordings. Below it, the network is too sure.",
        command=group[0].command,
    )


def _coverage(group: Sequence[Configuration]) -> Iterator[Item]:
    """Coverage of prediction sets: a picture for all recordings and each class, and a table with the sizes of sets."""
    found = ((number, c, c.evaluation["calibrated"]) for number, c in enumerate(group))
    with_sets = [(number, c, after) for number, c, after in found if after]
    if not with_sets:
        return
    classes, command = group[0].predictions.classes, group[0].command
    rows: list[list[Value]] = []
    held: dict[str, list[tuple[int, NDArray[np.float64], NDArray[np.float64]]]] = {}
    for number, c, after in with_sets:
        of_classes = after["class_coverage"]
        for asked, share in after["coverage"].items():
            shares = [of_classes[asked].get(name) for name in classes]
            rows.append([c.name, float(asked), share, *shares, after["sizes"][asked]])
        asked_for = np.array([float(asked) for asked in after["coverage"]])
        held.setdefault("all recordings", []).append((number, asked_for, np.array(list(after["coverage"].values()))))
        for name in classes:
            own = [of_classes[asked].get(name) for asked in after["coverage"]]
            if None not in own:
                held.setdefault(named(name, classes, ", "), []).append((number, asked_for, np.array(own, dtype=float)))
    lowest = min(float(min(x.min(), y.min())) for drawn in held.values() for _, x, y in drawn) - 0.03
    limits = (lowest, 1.01)
    panels = [
        Panel(title, pictures.lines(drawn, diagonal=True, xlabel="asked for", ylabel="held", xlim=limits, ylim=limits))
        for title, drawn in held.items()
    ]
    shares_of = dict.fromkeys(classes, ".1%")
    columns = {"configuration": "", "asked for": ".0%", "held": ".1%", **shares_of, "classes per set": ".2f"}
    yield Picture(
        "coverage",
        "Coverage of prediction sets",
        panels,
        Table("", "", columns, rows),
        "Share of recordings whose prediction set contains the true class, against the share that was asked for.",
        legend=[c.name for c in group],
        note="Each fold is calibrated on the others. Below the line, sets hold less than they promise.",
        command=command,
    )
    yield Table(
        "coverage_sizes",
        "Coverage, and classes per set",
        columns,
        rows,
        "Share of recordings whose prediction set contains the true class; each fold calibrated on the others.",
        command,
    )


def _calibrated(c: Configuration) -> NDArray[np.float64] | None:
    return calibrated_probabilities(c.predictions) if c.evaluation["calibrated"] else None


def reliability(
    predictions: Predictions, probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean probability of the predicted class, and accuracy, in groups of equally many recordings."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == predictions.targets
    groups = np.array_split(np.argsort(confidence, kind="stable"), min(BINS, len(confidence)))
    return np.array([confidence[g].mean() for g in groups]), np.array([right[g].mean() for g in groups])
