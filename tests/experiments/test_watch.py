from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import pytest
from rich.console import Console

from ecg_rhythm.cli.watch import sparkline, view
from ecg_rhythm.experiments import watch
from ecg_rhythm.experiments.run import train
from ecg_rhythm.experiments.watch import Seen, State
from ecg_rhythm.training.progress import Progress, write_hotlog, write_progress
from tests.helpers import model, refusal, spec


def begun(folder: Path, fraction: float, left: float, quiet: float = 0.0, cvids: tuple[int, ...] = (0, 1, 2)) -> None:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "job.json").write_text(json.dumps({"cvids": cvids}))
    write_hotlog(folder / "hotlog.csv", [{"phase": 0, "epoch": e, "loss": 1 / e, "valid_score": e / 9} for e in (1, 2)])
    write_progress(folder / "progress.json", Progress(0, 1, 2, 8, 0.5, 0.2, left, fraction))
    then = time.time() - quiet
    for path in folder.iterdir():
        os.utime(path, (then, then))


def shown(runs: list[Seen]) -> str:
    console = Console(record=True, width=160, file=io.StringIO())
    console.print(view(runs))
    return console.export_text()


def test_each_run_is_at_what_its_files_say(data: Path, tmp_path: Path) -> None:
    job = tmp_path / "CNN" / "job"
    train(spec(model(training_parameters__epochs=[1]), 0, "job", cvids=[0, 1, 2, 3]), data, tmp_path, device="cpu")
    begun(job / "fold1", 0.25, 60)
    begun(job / "fold2", 0.25, 60, quiet=3600)
    begun(tmp_path / "CNN" / "other" / "fold0", 0.25, 60, quiet=3600, cvids=(0,))
    (tmp_path / "CNN" / "other" / "fold0" / "error.txt").write_text("it failed")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    found = {run.title: run for run in watch.look(tmp_path)}
    assert {title: run.state for title, run in found.items()} == {
        "CNN/job/fold0": State.DONE,
        "CNN/job/fold1": State.RUNNING,
        "CNN/job/fold2": State.STOPPED,
        "CNN/job/fold3": State.WAITING,
        "CNN/other/fold0": State.FAILED,
    }
    assert found["CNN/job/fold1"].scores == pytest.approx([1 / 9, 2 / 9])
    assert found["CNN/job/fold0"].test is not None
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    text = shown(list(found.values()))
    assert "1 running, 1 stopped, 1 failed, 1 done, 1 waiting" in text
    assert "silent for 1:00:00" in text and "0:01:00 left" in text and "█▁" in text


def test_a_clock_that_was_set_back_changes_nothing(tmp_path: Path) -> None:
    begun(tmp_path / "CNN" / "job" / "fold0", 0.25, 60, quiet=-3600, cvids=(0,))
    (run,) = watch.look(tmp_path)
    assert (run.state, run.quiet) == (State.RUNNING, 0)
    assert "silent" not in shown([run])


def test_time_left_is_that_of_what_runs_and_waits_shared_by_those_that_run(tmp_path: Path) -> None:
    begun(tmp_path / "CNN" / "job" / "fold0", 0.25, 60)  # 80 s from beginning to end
    begun(tmp_path / "CNN" / "job" / "fold1", 0.5, 40)  # 80 s, too
    assert watch.seconds_left(watch.look(tmp_path)) == pytest.approx((60 + 40 + 80) / 2)
    assert watch.seconds_left([Seen("a/b/fold0", State.DONE)]) is None


def test_time_left_is_unknown_where_nothing_tells_how_long_a_run_takes() -> None:
    at_its_end = Progress(0, 1, 20, 20, 0.1, 0.8, 0.0, 1.0)
    assert (
        watch.seconds_left([Seen("CNN/a/fold0", State.RUNNING, at_its_end), Seen("CNN/a/fold1", State.WAITING)]) is None
    )


def test_it_is_never_less_than_that_of_the_longest_run(tmp_path: Path) -> None:
    begun(tmp_path / "CNN" / "job" / "fold0", 0.25, 600, cvids=(0, 1))
    begun(tmp_path / "CNN" / "job" / "fold1", 0.5, 4, cvids=(0, 1))
    assert watch.seconds_left(watch.look(tmp_path)) == pytest.approx(600)


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    assert "there is no run in it" in refusal(lambda: watch.look(tmp_path))


def test_a_curve_fits_into_a_line() -> None:
    assert sparkline([]) == ""
    assert sparkline([1, 1, 1]) == "▁▁▁"
    assert sparkline([0, 7]) == "▁█"
    assert len(sparkline([float(i) for i in range(1000)])) == 20
