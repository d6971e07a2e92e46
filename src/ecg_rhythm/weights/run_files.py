"""Names of a run's files, as far as its weights and scores need them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ecg_rhythm.errors import BadInput

SCORES = "scores.json"


def is_done(folder: Path) -> bool:
    """Tell whether a run is finished."""
    return (folder / SCORES).exists()


def read_scores(folder: Path) -> dict[str, Any]:
    """Return a finished run's scores.

    Raises
    ------
    BadInput
        If the file is missing or damaged.
    """
    path = folder / SCORES
    try:
        scores: dict[str, Any] = json.loads(path.read_text())
        if not {"architecture", "job", "fold", "classes", "data", "split", "labels", "phases"} <= scores.keys():
            raise ValueError
        return scores
    except FileNotFoundError:
        raise BadInput(f"{folder}: this run is not finished (it has no {SCORES}); train it first") from None
    except (ValueError, AttributeError):
        raise BadInput(f"{path}: these are no scores of a run; remove the file and run the job again") from None
