"""What a search has found: the best model, a table of its trials, optuna's plots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_rhythm import extras, files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.search import Search, states
from ecg_rhythm.experiments.variations import Changes
from ecg_rhythm.printable import csv_line
from ecg_rhythm.warned import heard

if TYPE_CHECKING:
    import optuna


def best(search: Search, study: optuna.Study) -> Changes:
    """What the best trial changed.

    Raises
    ------
    BadInput
        If no trial is finished.
    """
    if not study.get_trials(deepcopy=False, states=[states().COMPLETE]):
        raise BadInput(
            f"{search.folder}: no trial is finished; trials.csv has the errors, and the same command tries again"
        )
    return search.space.changes(study.best_params)


def write_best(search: Search, study: optuna.Study) -> Path:
    """Write the best model as a model file."""
    path = search.folder / f"{search.name}.json"
    files.write_json(path, search.recipe(best(search, study)).model.model_dump())
    return path


def rows(search: Search, study: optuna.Study) -> list[dict[str, Any]]:
    """What is known of each trial, by number."""
    return [
        {
            "trial": trial.number,
            "state": "failed" if trial.user_attrs.get("error") else trial.state.name.lower(),
            "validation score": trial.value if trial.state is states().COMPLETE else None,
            **{key: trial.params.get(key) for key in search.space.space},
            "error": trial.user_attrs.get("error", ""),
        }
        for trial in study.get_trials(deepcopy=False)
    ]


def write_table(search: Search, study: optuna.Study) -> None:
    """Write a row for each trial to `trials.csv`."""
    table = rows(search, study)
    files.write_text(search.folder / "trials.csv", "".join(map(csv_line, [table[0], *(row.values() for row in table)])))


def write_plots(search: Search, study: optuna.Study) -> list[Path]:
    """Write optuna's own plots of a search: its history, slices and, if scores differ, the importance of each key."""
    with extras.needed("search", "the plots of a search"):
        import matplotlib as mpl
        import optuna.visualization.matplotlib as plots
        import sklearn  # noqa: F401
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    makers: dict[str, Callable[[optuna.Study], Any]] = {
        "history": plots.plot_optimization_history,
        "slices": plots.plot_slice,
    }
    if len({trial.value for trial in study.get_trials(deepcopy=False)} - {None}) > 1:
        makers["importance"] = plots.plot_param_importances
    written = []
    with mpl.rc_context(), heard():
        for name, make in makers.items():
            made = make(study)
            axes = list(made.flat) if hasattr(made, "flat") else [made]
            figure = axes[0].figure
            if len(axes) > 1:  # optuna's own size has no room for the names of keys
                figure.set_size_inches(3.2 * len(axes) + 2, 4.5)
                for one in axes:
                    one.set_xlabel(one.get_xlabel().rpartition(".")[2])
            written.append(search.folder / f"{name}.png")
            with files.replacing(written[-1]) as temporary:
                figure.savefig(temporary, dpi=110, format="png", bbox_inches="tight")
            plt.close(figure)
    return written
