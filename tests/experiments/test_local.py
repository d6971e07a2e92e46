"""The engine of this machine, with processes that die, stop and do not listen in place of those that train."""

from __future__ import annotations

import os
import sys
import time
from itertools import chain, repeat
from pathlib import Path

import pytest

from ecg_rhythm import machine
from ecg_rhythm.cli.console import console
from ecg_rhythm.cli.runs import QUIET, queue_table, watching
from ecg_rhythm.experiments import local
from ecg_rhythm.experiments.local import LocalEngine
from ecg_rhythm.experiments.queue import LONGEST_LOOK, QueuedRun, Status, enqueue, work_off
from tests.helpers import model, spec


def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let a shell script take the place of the processes that train."""
    path = tmp_path / "script"
    path.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(local, "PROGRAM", (str(path),))


def only_run(tmp_path: Path) -> QueuedRun:
    return enqueue([spec(model())], tmp_path / "logs")[0]


def is_there(tmp_path: Path) -> bool:
    try:
        os.kill(int((tmp_path / "pid").read_text()), 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("kill -9 $$", "killed by signal 9"),
        ("kill -6 $$", "killed by signal 6"),
        ("exit 3", "ended with exit code 3"),
        ("printf '\"half an err' >&0; exit 1", "ended with exit code 1"),
    ],
)
def test_an_old_error_is_not_that_of_a_new_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    process(tmp_path, monkeypatch, script)
    for module in (local, machine):
        monkeypatch.setattr(module, "oom_kills", lambda: 3)
    run = only_run(tmp_path)
    run.run.path.mkdir(parents=True)
    run.run.error.write_text("last week's error\n")
    work_off([run], LocalEngine(tmp_path, tmp_path / "logs", ["cpu"]))
    assert (run.status, run.error) == (Status.FAILED, f"{says}; see {run.run.output}")
    assert run.run.error.read_text() == run.error + "\n"


def test_memory_ran_out_if_the_system_counted_such_a_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for script, counts, says in (
        ("kill -9 $$", [0, 1], "killed by signal 9, as memory ran out"),
        ("kill -9 $$", [None, None], "killed by signal 9"),
        ("kill -15 $$", [0, 1], "killed by signal 15"),
    ):
        process(tmp_path, monkeypatch, script)
        counted = chain(counts, repeat(counts[-1])).__next__
        for module in (local, machine):
            monkeypatch.setattr(module, "oom_kills", counted)
        run = only_run(tmp_path)
        work_off([run], LocalEngine(tmp_path, tmp_path / "logs", ["cpu"]))
        assert run.error == f"{says}; see {run.run.output}"


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        ("kill -STOP $$", "terminated"),
        ("sleep 1000", "terminated"),
        ("trap '' TERM; while :; do sleep 1; done", "killed"),
        ("trap '' TERM; kill -STOP $$; while :; do sleep 1; done", "killed"),
    ],
)
def test_a_process_without_a_sign_of_life_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, ended: str
) -> None:
    process(tmp_path, monkeypatch, script)
    run = only_run(tmp_path)
    work_off([run], LocalEngine(tmp_path, tmp_path / "logs", ["cpu"]), stall=0.6)
    assert run.status is Status.FAILED
    assert run.error == f"it made no progress for 0.01 minutes and was {ended}; see {run.run.output}"
    assert not is_there(tmp_path)


def test_a_sign_of_life_ends_the_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process(tmp_path, monkeypatch, "sleep 0.5; echo >&0; sleep 1000")
    attempt = LocalEngine(tmp_path, tmp_path / "logs", ["cpu"]).start(only_run(tmp_path), 0)
    quiet, until = [0.0], time.monotonic() + 120
    while quiet[-1] >= max(quiet):
        assert attempt.result() is None and time.monotonic() < until
        quiet.append(attempt.quiet)
        time.sleep(0.01)
    assert quiet[-1] == 0
    attempt.stop()


def test_an_interruption_ends_processes_that_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process(tmp_path, monkeypatch, "kill -STOP $$")
    run = only_run(tmp_path)

    def interrupt(queue: list[QueuedRun]) -> None:
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work_off([run], LocalEngine(tmp_path, tmp_path / "logs", ["cpu"]), watch=interrupt)
    assert run.status is Status.WAITING
    assert not is_there(tmp_path)


def test_time_in_which_the_queue_itself_is_stopped_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process(tmp_path, monkeypatch, "sleep 1000")
    clock = iter([0.0, 1000.0, 1000.5])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock, 1000.5))
    attempt = LocalEngine(tmp_path, tmp_path / "logs", ["cpu"]).start(only_run(tmp_path), 0)
    assert attempt.result() is None and attempt.quiet <= LONGEST_LOOK
    monkeypatch.undo()
    attempt.stop()


def test_a_queue_says_that_a_run_has_not_moved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = only_run(tmp_path)
    shown = console(sys.stdout)
    with watching(shown, stall=90) as watch:
        for run.status, run.quiet in (
            (Status.RUNNING, 0.0),
            (Status.RUNNING, QUIET),
            (Status.RUNNING, QUIET + 1),
            (Status.RUNNING, 0.0),
            (Status.RUNNING, QUIET + 2),
            (Status.DONE, QUIET + 2),
        ):
            watch([run])
    notice = "CNN/job/fold0: no progress for 45 s; it is ended after 1.5 minutes without"
    assert capsys.readouterr().out.splitlines() == [
        "CNN/job/fold0: running on ",
        notice,
        notice,
        "CNN/job/fold0: done, ",
    ]
    run.status, run.quiet = Status.RUNNING, 75
    shown.print(queue_table([run]))
    assert "no progress for 0:01:15" in capsys.readouterr().out
