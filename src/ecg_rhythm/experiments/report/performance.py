"""Sections that show how training went, what is confused with what, and how well classes are separated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.evaluation.metrics import Spread, counts_by_threshold
from ecg_rhythm.experiments.report import pictures
from ecg_rhythm.experiments.report.document import Item, Panel, Picture, Section, Table, Value
from ecg_rhythm.experiments.report.inputs import Configuration
from ecg_rhythm.inference.names import named
from ecg_rhythm.training.progress import read_hotlog


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
        for row in read_hotlog(run.intact(run.hotlog)):
            if row["epoch"]:  # a phase of no epochs hands on what it was given
                phases.setdefault(int(row["phase"] or 0), {}).setdefault(fold, []).append(row)
    return phases


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
        texts = [[None if m is None else str(Spread(m["mean"], m["sd"])) for m in row] for row in found]
        items.append(
            Table(
                area.lower(),
                f"{area}: area under the curve",
                {"configuration": "", **dict.fromkeys(classes, "")},
                [[name, *row] for name, row in zip(names, texts, strict=True)],
                command=group[0].command,
            )
        )
    return Section("curves", "How well are the classes separated?", items)


def _curve(
    kind: str, own: NDArray[np.bool_], probabilities: NDArray[np.float64], curves: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    hits, false_alarms = counts_by_threshold(own, probabilities)
    if kind == "ROC":
        return pictures.thinned(np.append(0, false_alarms / false_alarms[-1]), np.append(0, hits / hits[-1]), curves)
    return pictures.thinned(hits / hits[-1], hits / (hits + false_alarms), curves)
