"""Sections that show how training went, what is confused with what, and how far probabilities can be trusted."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.evaluation import calibration
from ecg_rhythm.evaluation.evaluate import calibrations
from ecg_rhythm.evaluation.metrics import counts_by_threshold
from ecg_rhythm.evaluation.predictions import Predictions
from ecg_rhythm.experiments.report import pictures
from ecg_rhythm.experiments.report.document import Item, Panel, Picture, Section, Table, Value
from ecg_rhythm.experiments.report.inputs import Configuration
from ecg_rhythm.inference.names import named
from ecg_rhythm.weights.run_files import RunFiles

BINS = 10
"""Groups of a reliability diagram, with equally many recordings each."""


def learning(group: Sequence[Configuration]) -> Section:
    """Validation score and training loss of each run, with the chosen epoch."""
    shown = [c for c in group if c.runs]
    items: list[Item] = []
    for c in shown:
        phases = _histories(c)
        items += [_curves(c, phase, runs, several=len(phases) > 1) for phase, runs in phases.items()]
    if without := [c.name for c in group if not c.runs]:
        items.append(
            f"A published result keeps no learning curves: {', '.join(without)}. Name the folders of their runs to see "
            "them."
        )
    return Section("learning", "How did training go?", items)


Row = dict[str, float | None]


def _histories(c: Configuration) -> dict[int, dict[int, list[Row]]]:
    """Phase -> fold -> rows of the hotlog."""
    phases: dict[int, dict[int, list[Row]]] = {}
    for fold, run in c.runs.items():
        for row in _hotlog(run):
            if row["epoch"]:  # a phase of no epochs hands on what it was given
                phases.setdefault(int(row["phase"] or 0), {}).setdefault(fold, []).append(row)
    return phases


def _hotlog(run: RunFiles) -> Iterator[Row]:
    try:
        with run.intact(run.hotlog).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                yield {key: float(value) if value else None for key, value in row.items() if key is not None}
    except (OSError, ValueError, csv.Error):
        return


def _curves(c: Configuration, phase: int, runs: dict[int, list[Row]], *, several: bool) -> Picture:
    panels: list[Panel] = []
    rows: list[list[Value]] = []
    chosen = {fold: run.read_scores()["phases"][phase]["best_epoch"] for fold, run in c.runs.items()}
    for key, label in (("valid_score", "validation score"), ("loss", "training loss")):
        figure, axis = pictures.panel(xlabel="epoch", ylabel=label)
        for number, (fold, history) in enumerate(sorted(runs.items())):
            points = [(row["epoch"], row[key]) for row in history if row.get(key) is not None]
            if not points:
                continue
            x, y = np.array(points, dtype=float).T
            axis.plot(x, y, **pictures.look(number), alpha=0.9)
            at = np.flatnonzero(x == chosen[fold])
            axis.plot(x[at], y[at], "o", color=pictures.look(number)["color"], markersize=5)
            rows += [[fold, int(epoch), label, value] for epoch, value in zip(x, y, strict=True)]
        axis.grid(True)
        if axis.lines:
            panels.append(Panel(label, figure))
    part = f", phase {phase}" if several else ""
    return Picture(
        f"learning_{c.name.replace('/', '_')}_{phase}",
        f"{c.name}{part}",
        panels,
        Table("", "", {"fold": "d", "epoch": "d", "what": "", "value": ".4f"}, rows),
        f"Curves of {len(runs)} folds over the epochs.",
        legend=[f"fold {fold}" for fold in sorted(runs)],
        note="The dot is the epoch whose weights were kept.",
        command=f"ecg-rhythm queue JOBS --logs {c.path.parents[1]}",
    )


def confusions(group: Sequence[Configuration]) -> Section:
    """Confusion matrices: counts, and shares of the true class as shades."""
    classes = group[0].predictions.classes
    panels: list[Panel] = []
    rows: list[list[Value]] = []
    for c in group:
        counts = np.array(c.evaluation["confusion"])
        rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        texts = [
            [f"{n:,}\n{rate:.0%}" for n, rate in zip(*both, strict=True)] for both in zip(counts, rates, strict=True)
        ]
        right = np.where(np.eye(len(classes), dtype=bool), rates, -rates)
        figure = pictures.heat(right, texts, classes, classes, ylabel="true class", xlabel="predicted class")
        panels.append(Panel(c.name, figure))
        rows += [
            [c.name, true, predicted, int(counts[i, j]), float(rates[i, j])]
            for i, true in enumerate(classes)
            for j, predicted in enumerate(classes)
        ]
    columns = {"configuration": "", "true": "", "predicted": "", "recordings": "d", "share of the true class": ".1%"}
    picture = Picture(
        "confusion",
        "Confusion matrices, all folds together",
        panels,
        Table("", "", columns, rows),
        worst(group[0]),
        note="Recordings, and their share of the true class. Red: errors.",
        command=group[0].command,
    )
    return Section("confusion", "What is confused with what?", [worst(group[0]), picture])


def worst(c: Configuration) -> str:
    """The largest kinds of errors of a configuration, in a sentence."""
    classes, counts = c.predictions.classes, np.array(c.evaluation["confusion"])
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * ~np.eye(len(classes), dtype=bool)
    worst = np.dstack(np.unravel_index(np.argsort(-rates, axis=None)[:2], rates.shape))[0].tolist()
    parts = [
        f"{rates[i, j]:.0%} of {named(classes[i], classes)} as {named(classes[j], classes)}"
        for i, j in worst
        if rates[i, j]
    ]
    return f"{c.name} most often classifies {' and '.join(parts)}." if parts else f"{c.name} makes no error."


def curves(group: Sequence[Configuration]) -> Section:
    """ROC and precision-recall curves of each class."""
    classes = group[0].predictions.classes
    names = [c.name for c in group]
    kinds = {
        "ROC": ("share of other recordings (1 − specificity)", "share of the class (sensitivity)", "AUROC"),
        "precision-recall": ("share of the class (recall)", "precision", "AUPRC"),
    }
    items: list[Item] = []
    for kind, (x_label, y_label, area) in kinds.items():
        panels: list[Panel] = []
        rows: list[list[Value]] = []
        for position, label in enumerate(classes):
            drawn = []
            for number, c in enumerate(group):
                own = c.predictions.targets == position
                if not 0 < own.sum() < len(own):
                    continue
                x, y = _curve(kind, own, c.predictions.probabilities[:, position], len(group))
                drawn.append((number, x, y))
                rows += [[c.name, label, *point] for point in zip(x.tolist(), y.tolist(), strict=True)]
            figure = pictures.lines(
                drawn, diagonal=kind == "ROC", xlabel=x_label, ylabel=y_label, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01)
            )
            panels.append(Panel(named(label, classes, ", "), figure))
        items.append(
            Picture(
                kind.lower().replace("-", "_"),
                f"{'ROC' if kind == 'ROC' else 'Precision-recall'} curves, one class against all others",
                panels,
                Table("", "", {"configuration": "", "class": "", x_label: ".4f", y_label: ".4f"}, rows),
                f"Curves of {len(group)} configurations for {len(classes)} classes.",
                legend=names,
                note="All folds together; the areas below are means over folds.",
                command=group[0].command,
            )
        )
        found = [[c.evaluation["measures"].get(f"{area} {label}") for label in classes] for c in group]
        texts = [[None if m is None else f"{m['mean']:.3f} ± {m['sd'] or 0:.3f}" for m in row] for row in found]
        items.append(
            Table(
                area.lower(),
                f"{area}: area under the curve",
                {"configuration": "", **dict.fromkeys(classes, "")},
                [[name, *row] for name, row in zip(names, texts, strict=True)],
                command=group[0].command,
            )
        )
    return Section("curves", "How well are the classes told apart?", items)


def _curve(
    kind: str, own: NDArray[np.bool_], probabilities: NDArray[np.float64], curves: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    hits, false_alarms = counts_by_threshold(own, probabilities)
    if kind == "ROC":
        return pictures.thinned(np.append(0, false_alarms / false_alarms[-1]), np.append(0, hits / hits[-1]), curves)
    return pictures.thinned(hits / hits[-1], hits / (hits + false_alarms), curves)


def calibrated(group: Sequence[Configuration]) -> Section:
    """Reliability diagrams, calibration errors, and coverage of prediction sets."""
    panels: list[Panel] = []
    rows: list[list[Value]] = []
    errors: list[list[Value]] = []
    coverages: list[list[Value]] = []
    for title, of in (
        ("as trained", lambda c: c.predictions.probabilities),
        ("calibrated on the other folds", _calibrated),
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
    classes = group[0].predictions.classes
    for c in group:
        after = c.evaluation["calibrated"]
        errors.append([c.name, c.evaluation["calibration_error"], after and after["calibration_error"]])
        for asked, share in (after["coverage"] if after else {}).items():
            assert after is not None
            held: list[Value] = [after["class_coverage"][asked].get(name) for name in classes]
            coverages.append([c.name, float(asked), share, *held, after["sizes"][asked]])
    command = group[0].command
    items: list[Item] = [
        Picture(
            "reliability",
            "Reliability of the predicted class",
            panels,
            Table(
                "", "", {"configuration": "", "probabilities": "", "mean probability": ".4f", "accuracy": ".4f"}, rows
            ),
            "Accuracy against the mean probability of the predicted class, in ten groups.",
            legend=[c.name for c in group],
            note="On the line, a probability of 0.8 is right in 80 % of recordings. Below it, the network is too sure.",
            command=command,
        ),
        Table(
            "calibration_error",
            "Expected calibration error",
            {"configuration": "", "as trained": ".3f", "calibrated on the other folds": ".3f"},
            errors,
            command=command,
        ),
    ]
    if coverages:
        items.append(
            Table(
                "coverage",
                "Coverage of prediction sets",
                {
                    "configuration": "", "asked for": ".0%", "held": ".1%", **dict.fromkeys(classes, ".1%"),
                    "classes per set": ".2f",
                },
                coverages,
                "Share of recordings whose prediction set contains the true class; each fold calibrated on the others.",
                command,
            )
        )  # fmt: skip
    return Section("calibration", "Can probabilities be trusted?", items)


def _calibrated(c: Configuration) -> NDArray[np.float64] | None:
    if c.evaluation["calibrated"] is None:
        return None
    probabilities = np.empty_like(c.predictions.probabilities)
    for own, fitted in calibrations(c.predictions):
        probabilities[own] = calibration.apply_temperature(c.predictions.probabilities[own], fitted.temperature)
    return probabilities


def reliability(
    predictions: Predictions, probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean probability of the predicted class, and accuracy, in groups of equally many recordings."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == predictions.targets
    groups = np.array_split(np.argsort(confidence, kind="stable"), min(BINS, len(confidence)))
    return np.array([confidence[g].mean() for g in groups]), np.array([right[g].mean() for g in groups])
