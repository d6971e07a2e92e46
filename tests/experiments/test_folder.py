from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments import folder
from ecg_rhythm.training.progress import Progress, read_progress, write_progress
from ecg_rhythm.weights.run_files import is_done, read_scores
from tests.helpers import model, spec

HOLD = "import sys, time; from pathlib import Path; from ecg_rhythm.experiments import folder as runs\n"
HOLD += "with runs.claim(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"


def test_a_claim_ends_with_the_process_that_holds_it(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(folder.Busy, match="another process is at work"), folder.claim(tmp_path):
        pass
    assert folder.is_claimed(tmp_path)
    holder.kill()
    holder.communicate()
    assert not folder.is_claimed(tmp_path)


def test_a_folder_made_from_something_else_is_refused(tmp_path: Path) -> None:
    run = spec(model())
    folder.begin(tmp_path, run, {"a": {"b": 1, "c": [1, 2]}})
    folder.begin(tmp_path, run, {"a": {"b": 1, "c": [1, 2]}})
    with pytest.raises(BadInput, match=r"a\.c is \[1, 2\] there and \[1, 3\] now, d is null there and 4 now"):
        folder.begin(tmp_path, run, {"a": {"b": 1, "c": [1, 3]}, "d": 4})


def test_a_run_from_before_a_key_was_there_is_the_same_run(tmp_path: Path) -> None:
    run = spec(model())
    now = {"model": run.model.model_dump()}
    before = json.loads(json.dumps(now))
    del before["model"]["training_parameters"]["weight_average"]
    (tmp_path / "run.json").write_text(json.dumps(before))
    folder.check_same(tmp_path, now)
    changed = {"model": model(training_parameters__weight_average=0.5).model_dump()}
    with pytest.raises(BadInput, match=r"weight_average is 0 there and 0\.5 now"):
        folder.check_same(tmp_path, changed)


def test_restart_removes_what_an_earlier_run_left(tmp_path: Path) -> None:
    run = spec(model())
    folder.begin(tmp_path, run, {"a": 1})
    (tmp_path / "scores.json").write_text("{}")
    (tmp_path / "tensorboard").mkdir()
    folder.begin(tmp_path, run, {"a": 2}, replaces=folder.made_at(tmp_path))
    assert not is_done(tmp_path)
    assert not (tmp_path / "tensorboard").exists()


def test_restart_leaves_what_another_process_has_begun_since(tmp_path: Path) -> None:
    run = spec(model())
    folder.begin(tmp_path, run, {"a": 1})
    earlier = folder.made_at(tmp_path)
    later = (tmp_path / "run.json").stat().st_mtime_ns + 1_000_000_000
    os.utime(tmp_path / "run.json", ns=(later, later))
    (tmp_path / "progress.json").write_text("{}")
    folder.begin(tmp_path, run, {"a": 1}, replaces=earlier)
    assert (tmp_path / "progress.json").exists()


def test_scores_that_are_no_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not finished"):
        read_scores(tmp_path)
    for text in ("{", "[]", "{}"):
        (tmp_path / "scores.json").write_text(text)
        with pytest.raises(BadInput, match="these are no scores of a run"):
            read_scores(tmp_path)


def test_progress_comes_back_as_it_was_written(tmp_path: Path) -> None:
    progress = Progress(1, 5, 3, 10, 0.5, None, 12.0, 0.3)
    assert read_progress(tmp_path) is None
    write_progress(tmp_path, progress)
    assert read_progress(tmp_path) == progress
