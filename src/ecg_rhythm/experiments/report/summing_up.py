"""The first section: which configuration is best, whether that is real, where it fails, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecg_rhythm.evaluation.metrics import Spread
from ecg_rhythm.evaluation.significance import Pair
from ecg_rhythm.experiments.report import comparison, performance
from ecg_rhythm.experiments.report.cost import Cost
from ecg_rhythm.experiments.report.document import Answers, Section
from ecg_rhythm.experiments.report.failures import robustness_says
from ecg_rhythm.experiments.report.inputs import Configuration
from ecg_rhythm.inference.names import named
from ecg_rhythm.printable import listed


def answers(
    group: Sequence[Configuration],
    pairs: Sequence[Pair],
    costs: Mapping[str, Cost],
    measured: Mapping[str, Mapping[str, Any]],
) -> Section:
    """Four questions, each answered in a sentence or two from the sections below."""
    rows = [("Which is best?", _best(group))]
    if pairs:
        rows.append(("Is the difference real?", _real(group, pairs)))
    rows.append(("Where does it fail?", _fails(group[0], measured)))
    rows.append(("What does it cost?", _costs(group, pairs, costs)))
    return Section("answers", "In short", [Answers(rows)])


def _best(group: Sequence[Configuration]) -> str:
    best = group[0]
    own, folds = best.evaluation["measures"]["challenge"], len(best.evaluation["folds"])
    score = f"{Spread(own['mean'], own['sd'])} over {folds} fold{'s' * (folds > 1)}"
    score += f", {best.evaluation['recordings']:,} recordings"
    if len(group) == 1:
        text = f"{best.name} has a challenge score of {score}."
    else:
        text = f"{best.name} has the highest challenge score of {len(group)} configurations: {score}. "
        text += f"Next: {group[1].name}, {group[1].score:.3f}."
    if best.missing:
        text += f" Its folds {listed(map(str, best.missing))} are missing."
    if len({tuple(c.evaluation["folds"]) for c in group}) > 1:
        text += " Configurations have different folds: compare differences, which are of common folds, and not means."
    return text


def _real(group: Sequence[Configuration], pairs: Sequence[Pair]) -> str:
    best = group[0].name
    own = [pair for pair in pairs if pair.first == best]
    if not own:
        return "Nothing can be compared with it: no two configurations have a fold in common."
    by_verdict: dict[str, list[str]] = {}
    for pair in own:
        by_verdict.setdefault(comparison.verdict(pair), []).append(pair.second)
    parts = []
    if better := by_verdict.get(comparison.FOLDS):
        parts.append(f"As a recipe, it is better than {listed(better)}.")
    if perhaps := by_verdict.get(comparison.RECORDINGS):
        parts.append(
            f"Against {listed(perhaps)}, these trained networks are better on such recordings, but whether the recipe "
            "is, the folds do not show."
        )
    if open_ := by_verdict.get(comparison.NONE):
        parts.append(f"Against {listed(open_)}, no difference is shown.")
    return " ".join(parts)


def _fails(best: Configuration, measured: Mapping[str, Mapping[str, Any]]) -> str:
    found, classes = best.evaluation["measures"], best.predictions.classes
    lowest = min(classes, key=lambda name: found[f"F1 {name}"]["mean"])
    text = f"Its lowest F1 is that of {named(lowest, classes)}, {found[f'F1 {lowest}']['mean']:.3f}. "
    text += performance.worst(best)
    own = {name: m for name, m in measured.items() if name in (best.name, best.path.name)}
    return f"{text} {robustness_says(own) or 'Its robustness is not measured.'}"


def _costs(group: Sequence[Configuration], pairs: Sequence[Pair], costs: Mapping[str, Cost]) -> str:
    best = group[0]
    text = _cost(best, costs)
    equal = {p.second for p in pairs if p.first == best.name and comparison.verdict(p) == comparison.NONE}
    known = [c for c in group if c.name in equal and c.model is not None and c.minutes and best.minutes]
    cheaper = [c for c in known if (c.minutes or 0) < (best.minutes or 0)]
    if cheaper:
        least = min(cheaper, key=lambda c: c.minutes or 0)
        text += f" Not shown to be worse, and cheapest to train: {_cost(least, costs)}"
    return text


def _cost(c: Configuration, costs: Mapping[str, Cost]) -> str:
    parts = []
    if c.minutes is not None:
        parts.append(f"{c.minutes:,.1f} minutes of training per fold")
    if c.name in costs:
        cost = costs[c.name]
        parts.append(f"{cost.parameters:,} parameters")
        parts.append(f"{cost.rate:,.0f} recordings of 30 s per second on one core")
    return f"{c.name}: {', '.join(parts)}." if parts else f"{c.name}: its cost is not known."
