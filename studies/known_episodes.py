"""Episodes of a few patients with annotations: `python -m studies.known_episodes FOLDER ANSWERS.json...`.

A check of direction, not a choice: nothing was fitted on these records but, on three of the six patients, constants of
the detector of heartbeats (`studies/heart_rate.py`). The folder has records of the CPSC 2021
challenge (Wang et al., "Paroxysmal Atrial Fibrillation Events Detection from Dynamic ECG Recordings", PhysioNet 2021),
whose names begin with the patient (`data_21_7`). Intervals are percentiles of a bootstrap of patients.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecg_rhythm import files
from ecg_rhythm.evaluation.episodes import Compared, agreement, burdens, count, gross, overlap, rms_error
from ecg_rhythm.inference.scoring import compared

RESULT = Path("results/known_episodes.json")
DRAWS, INTERVAL = 2000, (2.5, 97.5)


def measures(recordings: Sequence[Compared]) -> dict[str, float | None]:
    """All measures of some recordings; all episodes count."""
    false = sum(end - start - overlap((start, end), one.reference) for one in recordings for start, end in one.answered)
    days = sum(one.seconds for one in recordings) / 86400
    pairs = [burdens(one) for one in recordings]
    spread = agreement(pairs)
    rates = [(true, found) for one in recordings for _, true, found in one.rates]
    return {
        **gross([count(one, 0) for one in recordings]),
        **{f"{name} of 30 s and more": value for name, value in gross([count(one, 30) for one in recordings]).items()},
        "burden bias": None if spread is None else spread.bias,
        "burden error": float(np.nanmean([abs(found - true) for true, found in pairs])),  # NaN: nothing was readable
        "false minutes in 24 h": false / 60 / days,
        "heart rate RMS error": rms_error(rates),
    }


def with_intervals(recordings: Sequence[Compared]) -> dict[str, list[float | None]]:
    """Each measure with its interval."""
    of_patient = defaultdict(list)
    for one in recordings:
        of_patient[one.name.rpartition("_")[0]].append(one)
    patients, rng = list(of_patient.values()), np.random.default_rng(0)
    drawn = [
        measures([one for i in rng.integers(len(patients), size=len(patients)) for one in patients[i]])
        for _ in range(DRAWS)
    ]
    found: dict[str, list[float | None]] = {}
    for name, value in measures(recordings).items():
        known = [draw for one in drawn if (draw := one[name]) is not None]
        found[name] = [value, *(np.percentile(known, INTERVAL).tolist() if known else (None, None))]
    return found


def main() -> None:
    """Print each measure of each set of answers, and write them."""
    folder, answers = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    found = {path.stem: with_intervals(list(compared(folder, path)[0])) for path in answers}
    files.write_json(RESULT, found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
