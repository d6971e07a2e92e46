"""Tables of the documentation's results in Markdown: pure functions of what `publish` and `robustness` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ecg_rhythm.data.store import Store
from ecg_rhythm.evaluation import metrics
from ecg_rhythm.evaluation.evaluate import OverFolds
from ecg_rhythm.evaluation.predictions import Predictions
from ecg_rhythm.experiments.results import extent, titled

Result = tuple[dict[str, Any], Predictions]
"""Content of `result.json`, and the out-of-fold predictions."""

LENGTHS = ((0, 15), (15, 29.5), (29.5, 30.5), (30.5, 1000))
"""Limits in s of the groups of recordings of similar duration."""
FOLD_0 = "challenge, fold 0"
MEASURES = ("challenge", "F1 N", "F1 A", "F1 O", "F1 ~", "accuracy")
PUBLISHED = (
    ("CNN with augmentation, Zihlmann et al. 2017", (0.878, 0.790, 0.701, 0.653, 0.790, 0.812)),
    ("CRNN with augmentation, Zihlmann et al. 2017", (0.888, 0.764, 0.726, 0.645, 0.792, 0.823)),
)
"""F1 of N, A, O, ~, challenge score, accuracy."""
LEVELS = (
    ("baseline wander, 1 / 3 / 10 sd", "baseline wander"),
    ("white noise, 20 / 10 / 5 dB", "white noise"),
    ("clipped at 3 / 2 / 1 sd", "clipped at"),
    ("flat for 0.1 / 0.3 / 0.5 of the recording", "flat share"),
    ("at the rail for 0.1 / 0.3 / 0.5 of the recording", "share at the rail"),
    ("missing 0.02 / 0.1 / 0.3 of the recording", "share missing"),
    ("strips of 20 / 10 / 5 s", "strip of"),
)
"""Row of the model card -> perturbation with three strengths."""
STRONGEST = (
    ("gain of 1000", "gain", 1000),
    ("hum of 50 Hz, 3 sd", "hum of 50 Hz", 3),
    ("hum of 60 Hz, 3 sd", "hum of 60 Hz", 3),
    ("baseline wander, 10 sd", "baseline wander", 10),
    ("white noise, 5 dB", "white noise", 5),
    ("clipped at 1 sd", "clipped at", 1),
    ("flat for half of the recording", "flat share", 0.5),
    ("at the rail for half of the recording", "share at the rail", 0.5),
    ("missing 0.3 of the recording", "share missing", 0.3),
    ("strips of 10 s", "strip of", 10),
    ("strips of 5 s", "strip of", 5),
)
"""Row of the model card -> perturbation and strength."""


def plus_minus(measure: OverFolds) -> str:
    """Mean and standard deviation as text."""
    return str(metrics.Spread(measure["mean"], measure["sd"]))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows and their columns as a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def challenge_scores(results: dict[str, Result]) -> str:
    """Challenge score, F1 of every class and accuracy of every result."""
    rows = [
        [named(f"`{name}`", result), teacher(result), fold_0(result), *_scores(result)]
        for name, (result, _) in results.items()
    ]
    return table(["", "teacher", FOLD_0, *MEASURES], rows)


def comparison(results: dict[str, Result]) -> str:
    """Scores of every result with its title, and the published ones of the same protocol."""
    rows = [
        [f"`results/{name}`: {titled(result)}", teacher(result), fold_0(result), *_scores(result)]
        for name, (result, _) in results.items()
    ]
    published = [[*row[:2], "", *row[2:]] for row in _published()]
    return table(["", "teacher", FOLD_0, *MEASURES], [*rows, *published])


def beside_the_paper(results: dict[str, Result]) -> str:
    """Challenge score and F1 of the rhythms, of results and of the paper."""
    rows = [
        [named(f"`{name}`", result), teacher(result), fold_0(result), *_scores(result)]
        for name, (result, _) in results.items()
    ]
    published = [[*row[:2], "", *row[2:]] for row in _published()]
    return table(["", "teacher", FOLD_0, *MEASURES[:4]], [row[:7] for row in (*rows, *published)])


def recipes(results: dict[str, Result]) -> str:
    """Minutes of training, fold 0 and scores of results, and of the paper."""
    rows = [
        [named(f"`{name}`", result), teacher(result), minutes(result), fold_0(result), *_scores(result)]
        for name, (result, _) in results.items()
    ]
    published = [[*row[:2], "", "", *row[2:]] for row in _published()]
    columns = ["", "teacher", "minutes of one core per fold (most)", FOLD_0, *MEASURES]
    return table(columns, [*rows, *published])


def minutes(result: dict[str, Any]) -> str:
    """Mean processor time of a fold, with that of a teacher, and the largest of a fold."""
    parts = [part for own in result["training"].values() for part in (own, own.get("teacher", {}))]
    of_folds = np.sum([part["cpu_seconds"] for part in parts if part], axis=0) / 60
    return f"{of_folds.mean():.0f} ({of_folds.max():.0f})"


def named(name: str, result: dict[str, Any]) -> str:
    """The name of a result, with its extent where folds are missing."""
    return f"{name} ({extent(result)})" if extent(result) else name


def teacher(result: dict[str, Any]) -> str:
    """Whether a network of a result learned from a teacher."""
    return "yes" if any("teacher" in training for training in result["training"].values()) else "no"


def fold_0(result: dict[str, Any]) -> str:
    """Challenge score on fold 0, which tests no recording that the default recipe was chosen on."""
    folds = result["figures"]["measures"][MEASURES[0]]["folds"]
    return "" if 0 in result.get("missing_folds", ()) else f"{folds[0]:.3f}"


def _published() -> list[list[str]]:
    return [
        [
            f"{name}, as published (5-fold, this split)",
            "no",
            *(f"{value:.3f}" for value in (challenge, n, a, o, noise, right)),
        ]
        for name, (n, a, o, noise, challenge, right) in PUBLISHED
    ]


def _scores(result: dict[str, Any]) -> list[str]:
    return [plus_minus(result["figures"]["measures"][measure]) for measure in MEASURES]


def areas(results: dict[str, Result], classes: list[str]) -> str:
    """AUROC and AUPRC of every class."""
    measures = [f"{kind} {name}" for kind in ("AUROC", "AUPRC") for name in classes]
    rows = [
        [named(name, result), teacher(result), *(plus_minus(result["figures"]["measures"][m]) for m in measures)]
        for name, (result, _) in results.items()
    ]
    return table(["", "teacher", *measures], rows)


def confusion(result: Result) -> str:
    """Confusion matrix of all folds together."""
    published, predictions = result
    rows = [
        [f"**{name}**", *map(str, row)]
        for name, row in zip(predictions.classes, published["figures"]["confusion"], strict=True)
    ]
    return table(["true class \\ predicted", *predictions.classes], rows)


def trust(results: dict[str, Result], classes: list[str]) -> str:
    """Calibration error and coverage, each fold calibrated on the others."""
    rows = []
    for name, (result, _) in results.items():
        figures = result["figures"]
        if (calibrated := figures["calibrated"]) is None:  # of a single fold
            continue
        for asked, share in calibrated["coverage"].items():
            of_class = calibrated["class_coverage"][asked]
            rows.append(
                [
                    named(name, result),
                    teacher(result),
                    f"{figures['calibration_error']:.3f}",
                    f"{calibrated['calibration_error']:.3f}",
                    asked,
                ]
                + [f"{held:.3f}" for held in (share, *(of_class[name] for name in classes))]
                + [f"{calibrated['sizes'][asked]:.2f}"]
            )
    return table(
        ["", "teacher", "ECE as trained", "ECE calibrated", "chosen coverage", "all", *classes, "mean set size"], rows
    )


def by_length(predictions: Predictions, store: Store) -> str:
    """Scores of recordings of similar duration."""
    seconds = dict(zip(store.names, store.lengths / store.fs, strict=True))
    durations = np.array([seconds[name] for name in predictions.records])
    rows = []
    for low, high in LENGTHS:
        part = predictions[(low <= durations) & (durations < high)]
        scored = [metrics.score(fold.targets, fold.labels, fold.classes) for fold in part.by_fold().values()]
        spread = metrics.spread([s["challenge"] for s in scored])
        f1 = [np.mean([s[f"F1 {name}"] for s in scored]) for name in part.classes]
        label = f"under {high:g} s" if not low else f"{low:g} to {high:g} s" if high < 1000 else f"over {low:g} s"
        rows.append([label, str(len(part.records)), str(spread), *(f"{v:.3f}" for v in f1)])
    return table(["duration", "recordings", "challenge", *(f"F1 {name}" for name in predictions.classes)], rows)


def robustness(measured: dict[str, Any]) -> str:
    """Challenge score under each perturbation, and labels of signals without an ECG; a column for each job."""
    rows = []
    for lines in zip(*(m["rows"] for m in measured.values()), strict=True):
        first = lines[0]
        strength = (
            ""
            if first["strength"] is None
            else f"{first['strength']:g} {first['unit']}".replace("of it", "of the recording")
        )
        rows.append([first["perturbation"], strength, *(plus_minus(line["challenge"]) for line in lines)])
    kinds = next(iter(measured.values()))["empty"]
    empty = [[kind, *(shares(m["empty"][kind]) for m in measured.values())] for kind in kinds]
    counts = ", ".join(f"{name} on {m['recordings']} recordings" for name, m in measured.items())
    return (
        f"All predictions are out of fold: {counts}. The cost of a perturbation is the difference to the first row "
        f"of the same column.\n\n{table(['', '', *measured], rows)}\n\n"
        f"Labels given to signals that contain no ECG:\n\n{table(['', *measured], empty)}"
    )


def shares(labels: dict[str, float]) -> str:
    """How often each label was given, as text."""
    return ", ".join(f"{label} {share:.0%}" for label, share in labels.items() if share)


def costs(measured: dict[str, Any], perturbation: str) -> dict[float, metrics.Spread]:
    """Strength -> change of the challenge score against the undisturbed recordings, paired by fold."""
    undisturbed = measured["rows"][0]["challenge"]["folds"]
    return {
        row["strength"]: metrics.spread(
            [score - before for score, before in zip(row["challenge"]["folds"], undisturbed, strict=True)]
        )
        for row in measured["rows"]
        if row["perturbation"] == perturbation
    }


def signed(value: float) -> str:
    """Change with its sign; no sign for what rounds to 0."""
    return "0.000" if round(value, 3) == 0 else f"{value:+.3f}"


def by_strength(measured: dict[str, Any]) -> str:
    """Cost of each perturbation at its three strengths."""
    rows = [
        [label, *(signed(cost.mean) for cost in costs(measured, perturbation).values())]
        for label, perturbation in LEVELS
    ]
    return table(["", "mild", "strong", "extreme"], rows)


def strongest(measured: dict[str, Any]) -> str:
    """Cost of each perturbation at its greatest strength, a column for each job."""
    rows = []
    for label, perturbation, strength in STRONGEST:
        drops = [costs(m, perturbation)[strength] for m in measured.values()]
        rows.append([label, *(f"{signed(cost.mean)} ± {cost.sd:.3f}" for cost in drops)])
    first, *others = measured
    said = [f"* {compared(first, measured[first], name, measured[name])}" for name in others]
    return "\n".join([table(["", *(f"`{name}`" for name in measured)], rows), "", *said])


def compared(name: str, own: dict[str, Any], other_name: str, other: dict[str, Any]) -> str:
    """How often one network has a higher score than another when perturbed, and how often it loses less."""
    pairs = list(zip(own["rows"], other["rows"], strict=True))
    (plain, other_plain), *perturbed = (
        (one["challenge"]["mean"], another["challenge"]["mean"]) for one, another in pairs
    )
    higher = sum(one > another for one, another in perturbed)
    less = sum(one - plain > another - other_plain for one, another in perturbed)
    return (
        f"`{name}` has a higher mean score than `{other_name}` under {higher} of {len(perturbed)} perturbations, and "
        f"loses less under {less} of them."
    )
