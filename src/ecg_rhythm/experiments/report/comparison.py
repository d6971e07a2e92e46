"""Sections that say which configuration is best, and whether the differences are real."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecg_rhythm.evaluation import significance
from ecg_rhythm.evaluation.metrics import Spread
from ecg_rhythm.evaluation.significance import ALPHA, Pair
from ecg_rhythm.experiments.report import pictures
from ecg_rhythm.experiments.report.cost import Cost
from ecg_rhythm.experiments.report.document import Item, Panel, Picture, Section, Table
from ecg_rhythm.experiments.report.inputs import Configuration

FOLDS, RECORDINGS, NONE = "yes, of the recipes", "of these networks only", "not shown"
"""Whether a difference is real: over folds; over recordings alone; neither."""
MOST_OF_MATRIX = 12
"""Configurations in the picture of all pairs."""


def pairs_of(group: Sequence[Configuration]) -> list[Pair]:
    """Every two configurations compared, the better one first."""
    return significance.pairs({c.name: c.predictions for c in group}, {c.name: c.folds for c in group})


def verdict(pair: Pair) -> str:
    """Whether a difference is real."""
    if pair.difference.p is not None and pair.difference.p < ALPHA:
        return FOLDS
    return RECORDINGS if pair.bootstrap_p < ALPHA else NONE


def table(group: Sequence[Configuration], costs: dict[str, Cost]) -> Section:
    """All configurations with their scores, and every fold as a dot."""
    best = group[0]
    measures = [name for name in best.evaluation["measures"] if not name.startswith(("AUROC", "AUPRC"))]
    rows, values = [], []
    for c in group:
        found = c.evaluation["measures"]
        cells = [str(Spread(found[m]["mean"], found[m]["sd"])) if m in found else None for m in measures]
        parameters = costs[c.name].parameters if c.name in costs else None
        extent = f"{len(c.evaluation['folds'])} of {c.folds}" if c.missing else str(c.folds)
        rows.append([c.name, extent, *cells, "yes" if c.teacher else "no", parameters, c.minutes])
        values.append(found["challenge"]["folds"])
    columns = {"configuration": "", "folds": "", **dict.fromkeys(measures, "")}
    columns |= {"teacher": "", "parameters": ",.0f", "minutes per fold": ",.1f"}
    note = (
        "Mean ± standard deviation over folds, on recordings that the networks did not train on. challenge is the mean "
        "F1 of all classes but noise (~). Minutes are those of training, with a teacher's and of all members of a vote."
    )
    what = Table(
        "configurations",
        "What they are",
        {"configuration": "", "what it is": "", "folder": "", "split": ""},
        [[c.name, c.title, str(c.path), c.made_from["split"]] for c in group],
        "Where splits differ, configurations are compared on recordings that both have in the same test fold.",
    )
    command = "; ".join(dict.fromkeys(c.command for c in group))
    scores = Table("scores", "Scores of all configurations", columns, rows, note, command)
    data = Table(
        "scores_by_fold",
        "Challenge score of each fold",
        {"configuration": "", "fold": "d", "challenge": ".3f"},
        [
            [c.name, fold, value]
            for c in group
            for fold, value in zip(c.evaluation["folds"], c.evaluation["measures"]["challenge"]["folds"], strict=True)
        ],
    )
    picture = Picture(
        "scores_by_fold",
        "Challenge score, fold by fold",
        [Panel("", pictures.dots([c.name for c in group], values, "challenge score"))],
        data,
        f"{best.name} has the highest mean score, {best.score:.3f}.",
        note="A dot is a fold, the bar the mean.",
        command=command,
        wide=True,
    )
    return Section("comparison", "Which configuration is best?", [picture, scores, what])


def differences(group: Sequence[Configuration], pairs: Sequence[Pair]) -> Section | None:
    """Every two configurations, with what three tests say."""
    if not pairs:
        return None
    most = len(pairs)
    rows = [
        [
            pair.first,
            pair.second,
            _signed(pair),
            pair.difference.p,
            _visible(pair, most),
            f"{pair.low:+.3f} to {pair.high:+.3f}",
            pair.bootstrap_p,
            pair.accuracy,
            pair.mcnemar_p,
            verdict(pair),
        ]
        for pair in pairs
    ]
    columns = {
        "first": "", "second": "", "first − second": "", "p over folds": "p", "smallest visible": ".3f",
        "95 % over recordings": "", "p bootstrap": "p", "accuracy, first − second": "+.3f", "p McNemar": "p",
        "is that of the score real?": "",
    }  # fmt: skip
    note = (
        "Differences of the challenge score. Over folds: corrected resampled t-test (Nadeau and Bengio 2003), as folds "
        "share training recordings; it asks whether the recipe, trained again, would be better. Over recordings: "
        "paired bootstrap of the score within folds, and McNemar's exact test of who is right; they compare these "
        "trained networks alone. All p-values are two-sided and corrected for the "
        f"{most} {'pair' if most == 1 else 'pairs'} shown, each test apart (Holm 1979). Smallest visible: the "
        "difference that the test over folds would find in 80 % of experiments, at the strictest step of the "
        "correction; none: not even a difference of 1. The interval is not corrected."
    )
    items: list[Item] = [power(pairs)]
    if 2 < len(group) <= MOST_OF_MATRIX:
        items.append(_matrix(group, pairs))
    items.append(Table("differences", "Every two configurations", columns, rows, note, _command(group)))
    return Section("differences", "Are the differences real?", items)


def _signed(pair: Pair) -> str:
    sd = pair.difference.sd
    return f"{pair.difference.mean:+.3f}" + (f" ± {sd:.3f}" if sd is not None else "")


def _command(group: Sequence[Configuration]) -> str:
    return f"ecg-rhythm report {' '.join(str(c.path) for c in group)}"


def _visible(pair: Pair, most: int) -> float | str | None:
    sd = pair.difference.sd
    if not sd:
        return None
    least = significance.visible(sd, len(pair.folds), pair.of, most)
    return least if least < 1 else "none"


def power(pairs: Sequence[Pair]) -> str:
    """What differences the folds could have shown."""
    known = [(pair.difference.sd, len(pair.folds), pair.of) for pair in pairs if pair.difference.sd]
    if not known:
        return (
            "With a single fold, a test over folds is not possible: only the tests over recordings can claim anything."
        )
    sd, (k, of) = float(np.median([sd for sd, _, _ in known])), max((k, of) for _, k, of in known)
    alone, together = (significance.visible(sd, k, of, most) for most in (1, len(pairs)))
    if alone >= 1:
        return f"These {k} folds are too few to show any difference in the score: train more folds."
    at_once = f"{together:.3f}" if together < 1 else "none"
    of_many = f", and {at_once} when {len(pairs)} pairs are compared at once" if len(pairs) > 1 else ""
    return (
        f"What could these {k} folds show? With the median spread of differences ({sd:.3f}), a single comparison that "
        f"was planned before would show a difference of {alone:.3f} in 80 % of experiments{of_many}. Smaller ones "
        "remain open: a difference that is not shown is no proof that two configurations are equally good."
    )


def _matrix(group: Sequence[Configuration], pairs: Sequence[Pair]) -> Picture:
    names = [c.name for c in group]
    shades = np.full((len(names), len(names)), np.nan)
    texts = [[""] * len(names) for _ in names]
    largest = max(abs(pair.difference.mean) for pair in pairs) or 1
    for pair in pairs:
        i, j = names.index(pair.first), names.index(pair.second)
        sign = {FOLDS: "**", RECORDINGS: "*", NONE: ""}[verdict(pair)]
        for row, column, mean in ((i, j, pair.difference.mean), (j, i, -pair.difference.mean)):
            shades[row, column] = mean / largest if sign == "**" else 0.35 * mean / largest
            texts[row][column] = f"{mean:+.3f}{sign}"
    data = Table(
        "difference_matrix",
        "Difference of the challenge score, row minus column",
        {"row": "", "column": "", "difference": "+.3f", "real?": ""},
        [[pair.first, pair.second, pair.difference.mean, verdict(pair)] for pair in pairs],
    )
    figure = pictures.heat(shades, texts, names, names, width=pictures.WIDE, cell=0.36)
    return Picture(
        "difference_matrix",
        "Difference of the challenge score, row minus column",
        [Panel("", figure)],
        data,
        f"{sum(verdict(pair) == FOLDS for pair in pairs)} of {len(pairs)} differences are real over folds.",
        note="** the recipes differ (test over folds); * these networks differ on such recordings (bootstrap), the "
        "recipes perhaps not; without a mark: not shown. Pale cells are not significant over folds.",
        command=_command(group),
        wide=True,
    )
