"""Sections that show where a configuration fails: by length and quality, when perturbed, on which recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.data.store import Store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.metrics import NOISE, Spread, score, spread
from ecg_rhythm.evaluation.predictions import Predictions
from ecg_rhythm.experiments.report import pictures
from ecg_rhythm.experiments.report.document import Item, Panel, Picture, Section, Table, Value
from ecg_rhythm.experiments.report.inputs import Configuration
from ecg_rhythm.inference import classifier
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.explain import explain
from ecg_rhythm.inference.names import named
from ecg_rhythm.records import Record

LENGTHS = (0, 15, 29.5, 30.5, 60, 300, np.inf)
"""Limits in s of groups of recordings of similar length; those of the challenge are mostly 30 s long."""
QUALITIES = (0.0, 0.5, 0.8, 0.9, 0.95, 1.0)
"""Limits of groups of similar quality."""
FEWEST = 20
"""Recordings of a group that is shown."""
STRIPS, SECONDS = 12, 20.0
"""Recordings that are drawn, and how much of each."""
LARGEST_CHANGE = 0.2
"""Change of the challenge score that has the strongest shade."""


def parts(group: Sequence[Configuration], store: Store | None, absent: str) -> Section:
    """Scores of recordings of similar length, and of similar quality."""
    items: list[Item] = []
    if store is None:
        items.append(f"Scores by length are absent: {absent}.")
    else:
        seconds = dict(zip(store.names, (store.lengths / store.fs).tolist(), strict=True))
        lengths = [np.array([seconds[name] for name in c.predictions.records]) for c in group]
        items += _by("length", "challenge", "length in s", group, lengths, LENGTHS)
    if NOISE in group[0].predictions.classes:
        of_record = quality(group)
        qualities = [np.array([of_record[name] for name in c.predictions.records]) for c in group]
        note = f"Quality: 1 − probability of {NOISE}, mean of all configurations here."
        items += _by("signal quality", "accuracy", "quality", group, qualities, QUALITIES, note)
    else:
        items.append(f"Scores by signal quality are absent: no class {NOISE} says how readable a recording is.")
    return Section("parts", "Where does it fail?", items)


def quality(group: Sequence[Configuration]) -> dict[str, float]:
    """Name of each recording -> 1 - p(~), mean over the configurations that have it."""
    values: dict[str, list[float]] = {}
    for c in group:
        noise = c.predictions.probabilities[:, c.predictions.classes.index(NOISE)]
        for name, p in zip(c.predictions.records, noise.tolist(), strict=True):
            values.setdefault(name, []).append(1 - p)
    return {name: float(np.mean(own)) for name, own in values.items()}


def _span(low: float, high: float, last: float) -> str:
    if not low:
        return f"< {high:g}"
    return f"> {low:g}" if high == last else f"{low:g}–{high:g}"


def _by(
    name: str,
    metric: str,
    label: str,
    group: Sequence[Configuration],
    values: Sequence[NDArray[np.float64]],
    limits: Sequence[float],
    note: str = "",
) -> list[Item]:
    """A metric of recordings in groups: curves, and a table whose columns are the configurations."""
    rows: list[list[Value]] = []
    means: list[list[float]] = []
    for low, high in pairwise(limits):
        inside = [(low <= own) & ((own < high) | (high == limits[-1])) for own in values]
        if (count := int(inside[0].sum())) < FEWEST:
            continue
        scores = [_score(c.predictions[mask], metric) for c, mask in zip(group, inside, strict=True)]
        rows.append([_span(low, high, limits[-1]), count, *(None if score is None else str(score) for score in scores)])
        means.append([np.nan if score is None else score.mean for score in scores])
    title = f"{metric} by {name}".replace("challenge", "challenge score").capitalize()
    columns = {label: "", "recordings": ",d", **{c.name: "" for c in group}}
    note = f"Mean ± standard deviation over folds; groups of under {FEWEST} recordings are left out. {note}".strip()
    table = Table(f"by_{name.replace(' ', '_')}", title, columns, rows, note, group[0].command)
    if len(rows) < 2:
        return [table]
    places = [f"{row[0]}\n{row[1]:,}" for row in rows]
    figure = pictures.lines(
        [(i, np.arange(len(rows), dtype=float), np.array(own)) for i, own in enumerate(zip(*means, strict=True))],
        places=places, width=pictures.WIDE, xlabel=f"{label}; number of recordings", ylabel=metric,
    )  # fmt: skip
    picture = Picture(
        table.name, title, [Panel("", figure)], table, f"{title}: {len(rows)} groups.", legend=[c.name for c in group],
        command=table.command, wide=True,
    )  # fmt: skip
    return [picture, table]


def _score(predictions: Predictions, metric: str) -> Spread | None:
    folds = predictions.by_fold().values()
    values = [score(fold.targets, fold.labels, fold.classes)[metric] for fold in folds]
    return spread(values) if values else None


def robustness(measured: Mapping[str, Mapping[str, Any]]) -> Section:
    """The score under each perturbation as a heat map, and labels of signals that contain no ECG."""
    if not measured:
        command = "ecg-rhythm robustness logs/ARCHITECTURE/JOB --to robustness_NAME.json"
        return Section(
            "robustness",
            "What do noise and faults do?",
            [f"Not measured. `{command}` measures a finished job; name its file, or put it beside the results."],
        )
    kinds = list(
        dict.fromkeys(
            (row["perturbation"], row["strength"], row["unit"]) for m in measured.values() for row in m["rows"]
        )
    )
    names = list(measured)
    shades, texts, rows = np.full((len(kinds), len(names)), np.nan), [[""] * len(names) for _ in kinds], []
    for j, (name, m) in enumerate(measured.items()):
        before = m["rows"][0]["challenge"]["mean"]
        for row in m["rows"]:
            i = kinds.index((row["perturbation"], row["strength"], row["unit"]))
            change = row["challenge"]["mean"] - before
            shades[i, j] = change / LARGEST_CHANGE
            texts[i][j] = f"{row['challenge']['mean']:.3f}" if row["strength"] is None else f"{change:+.3f}"
            rows.append([name, row["perturbation"], row["strength"], row["unit"], row["challenge"]["mean"], change])
    labels = [_kind(*kind) for kind in kinds]
    columns = {
        "configuration": "", "perturbation": "", "strength": "g", "unit": "", "challenge": ".3f", "change": "+.3f",
    }  # fmt: skip
    counts = ", ".join(f"{name} on {m['recordings']:,} recordings" for name, m in measured.items())
    command = "ecg-rhythm robustness logs/ARCHITECTURE/JOB --to robustness_NAME.json"
    says = robustness_says(measured)
    items: list[Item] = [
        says,
        Picture(
            "robustness",
            "Change of the challenge score under perturbations",
            [Panel("", pictures.heat(shades, texts, labels, names, width=pictures.WIDE, cell=0.2))],
            Table("", "", columns, rows),
            says,
            note=f"First row: the score without a perturbation. The shade is full at {LARGEST_CHANGE:g}. {counts}.",
            command=command,
            wide=True,
        ),
    ]
    if empty := {name: m["empty"] for name, m in measured.items() if m.get("empty")}:
        signals = list(dict.fromkeys(signal for own in empty.values() for signal in own))
        given: list[list[Value]] = [
            [signal, *(_shares(own[signal]) if signal in own else "" for own in empty.values())] for signal in signals
        ]
        columns = {"signal": "", **dict.fromkeys(empty, "")}
        items.append(Table("no_ecg", "Labels of signals that contain no ECG", columns, given, command=command))
    return Section("robustness", "What do noise and faults do?", items)


def _shares(labels: Mapping[str, float]) -> str:
    return ", ".join(f"{label} {share:.0%}" for label, share in labels.items() if share)


def robustness_says(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """The perturbation that costs most, in a sentence; empty if none was measured."""
    changes = [
        (
            row["challenge"]["mean"] - m["rows"][0]["challenge"]["mean"],
            _kind(row["perturbation"], row["strength"], row["unit"]),
            name,
        )
        for name, m in measured.items()
        for row in m["rows"]
    ]
    if not changes:
        return ""
    change, kind, name = min(changes)
    return f"Of the perturbations, {kind} costs most: {change:+.3f} ({name})."


def _kind(perturbation: str, strength: float | None, unit: str) -> str:
    return perturbation if strength is None else f"{perturbation} {strength:g} {unit}".replace("of it", "").strip()


def strips(group: Sequence[Configuration], store: Store | None, absent: str) -> Section:
    """The recordings that the best configuration is wrong about with most confidence."""
    best, title = group[0], "Which recordings is it most confidently wrong about?"
    wrong = np.flatnonzero(best.predictions.labels != best.predictions.targets)
    confidence = best.predictions.probabilities.max(axis=1)
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:STRIPS].tolist()
    classes = best.predictions.classes
    agreed = _others_agree(group)
    columns = {
        "record": "", "fold": "d", "label": "", "predicted": "", "probability": ".3f", "others that predict it": "",
    }  # fmt: skip
    rows: list[list[Value]] = [
        [
            best.predictions.records[i],
            int(best.predictions.folds[i]),
            classes[best.predictions.targets[i]],
            classes[best.predictions.labels[i]],
            float(confidence[i]),
            agreed.get(best.predictions.records[i], ""),
        ]
        for i in chosen
    ]
    table = Table(
        "confident_errors",
        f"Most confident errors of {best.name}",
        columns,
        rows,
        "Where the others agree, look at the label first: `ecg-rhythm suspects` lists such recordings.",
        best.command,
    )
    if store is None:
        return Section("errors", title, [f"Strips are absent: {absent}.", table])
    explained, why_not = _classifiers(best)
    panels = []
    for i in chosen:
        name = best.predictions.records[i]
        record = Record(name, store.signal(store.names.index(name)), store.fs, "")
        fold, label = int(best.predictions.folds[i]), best.predictions.labels[i]
        salient = explain(explained[fold], record, classes[label]).salient() if fold in explained else []
        middle = np.mean(salient[0]) if salient else 0.0
        start = float(np.clip(np.floor(middle - SECONDS / 2), 0, max(np.floor(record.seconds - SECONDS), 0)))
        says = f"{name}: labelled {named(classes[best.predictions.targets[i]], classes)}, predicted "
        says += f"{named(classes[label], classes)} ({confidence[i]:.2f})"
        if agreed.get(name):
            says += f"; {agreed[name]}"
        seconds = min(SECONDS, record.seconds)
        inside = [(begin, min(end, record.seconds)) for begin, end in salient]
        panels.append(Panel(says, pictures.strip(record.signal, store.fs, start, seconds, inside)))
    shade = "Shaded: the seconds that influenced the prediction most (occlusion)." if explained else why_not
    picture = Picture(
        "strips",
        f"Most confident errors of {best.name}",
        panels,
        table,
        f"{len(panels)} strips of recordings that {best.name} classifies otherwise than labelled.",
        note=f"A square is 0.2 s and 0.5 mV; at most {SECONDS:g} s of each recording are shown. {shade}",
        command=best.command,
        wide=True,
    )
    return Section("errors", title, [picture, table])


def _others_agree(group: Sequence[Configuration]) -> dict[str, str]:
    """Record -> how many of the other configurations predict the same as the best."""
    best, others = group[0].predictions, group[1:]
    if not others:
        return {}
    labels = [dict(zip(c.predictions.records, c.predictions.labels.tolist(), strict=True)) for c in others]
    return {
        name: f"{sum(own[name] == label for own in there)} of {len(there)} others predict the same"
        for name, label in zip(best.records, best.labels.tolist(), strict=True)
        if (there := [own for own in labels if name in own])
    }


def _classifiers(c: Configuration) -> tuple[dict[int, Classifier], str]:
    """The network of each fold, or why there is none."""
    absent = "The seconds that influenced the prediction are absent:"
    if not c.runs:
        return {}, f"{absent} a published result has no weights."
    try:
        return {fold: classifier.load(run.path) for fold, run in c.runs.items()}, ""
    except ModuleNotFoundError:
        return {}, f"{absent} PyTorch is not installed."
    except BadInput as error:
        return {}, f"{absent} {error}."
