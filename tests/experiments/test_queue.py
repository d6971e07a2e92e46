from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ecg_rhythm.cli.console import console
from ecg_rhythm.cli.runs import queue_table
from ecg_rhythm.config import find_model
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.folder import Run
from ecg_rhythm.experiments.jobs import plan
from ecg_rhythm.experiments.local import LocalEngine, environment_of, parse_devices
from ecg_rhythm.experiments.queue import QueuedRun, Status, enqueue, work_off
from ecg_rhythm.machine import available_cores, gpus
from ecg_rhythm.networks.registry import check
from ecg_rhythm.training.progress import Progress, write_progress
from tests import commands
from tests.helpers import model, processes


def write_jobs(folder: Path, epochs: int = 2, folds: Sequence[int] = (1, 0), **broken: object) -> Path:
    folder.mkdir(exist_ok=True)
    for name in ("first", "second"):
        config = model(training_parameters__epochs=[epochs])
        (folder / f"{name}.json").write_text(config.model_dump_json())
    if broken:
        raw = json.loads((folder / "first.json").read_text())
        raw["training_parameters"] |= broken
        (folder / "first.json").write_text(json.dumps(raw))
    jobs = {name: {"model": name, "split": "split_2_3_14", "cvids": [*folds]} for name in ("first", "second")}
    (folder / "jobs.json").write_text(json.dumps(jobs))
    return folder / "jobs.json"


def planned(jobs: Path, logs: Path, *, restart: bool = False) -> list[QueuedRun]:
    return enqueue(plan(jobs, check=check), logs, restart=restart)


def words(jobs: Path, data: Path, logs: Path) -> list[str]:
    return ["queue", str(jobs), "--devices", "cpu,cpu", "--data", str(data), "--logs", str(logs)]


def command(jobs: Path, data: Path, logs: Path) -> list[str]:
    return [sys.executable, "-m", "ecg_rhythm", *words(jobs, data, logs)]


def final_weights(logs: Path) -> Iterator[tuple[Path, dict[str, torch.Tensor]]]:
    for path in sorted(logs.rglob("phase0.safetensors")):
        yield path.relative_to(logs), load_file(path)


def test_fold_0_of_every_job_comes_first(tmp_path: Path) -> None:
    titles = [run.spec.title for run in planned(write_jobs(tmp_path), tmp_path)]
    assert titles == [f"CNN/{name}/fold{k}" for k in (0, 1) for name in ("first", "second")]


def test_a_run_that_was_killed_after_its_last_file_is_done_and_its_error_goes(tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path)
    done = planned(jobs, tmp_path)[0].run
    done.path.mkdir(parents=True)
    done.scores.write_text("{}")
    done.error.write_text("killed by signal 9")
    assert planned(jobs, tmp_path)[0].status is Status.DONE
    assert not done.error.exists()


def test_a_model_that_is_nowhere_is_refused_with_the_places(tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path)
    (tmp_path / "second.json").unlink()
    with pytest.raises(BadInput, match=r"no model file second\.json in any of"):
        planned(jobs, tmp_path)


@pytest.mark.parametrize(("text", "devices"), [("cpu", ["cpu"]), ("cpu, cpu", ["cpu", "cpu"]), ("0,3", ["0", "3"])])
def test_devices(text: str, devices: list[str]) -> None:
    assert parse_devices(text) == devices


@pytest.mark.parametrize("text", ["", "gpu", "-1", "0;1"])
def test_what_is_no_device_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is no device"):
        parse_devices(text)


@pytest.mark.usefixtures("forked_runs")
def test_a_failed_run_is_kept_and_the_others_go_on(data: Path, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", learning_rate=1e20, drop_rate=0)
    queue = planned(jobs, tmp_path)
    work_off(queue, LocalEngine(data, tmp_path, ["cpu", "cpu"]))
    status = {run.spec.title: run.status for run in queue}
    assert status["CNN/first/fold0"] == status["CNN/first/fold1"] == Status.FAILED
    assert status["CNN/second/fold0"] == status["CNN/second/fold1"] == Status.DONE
    failed = next(run for run in queue if run.status is Status.FAILED)
    assert "training diverged" in failed.error
    assert "training diverged" in (failed.run.path / "error.txt").read_text()
    assert "epoch 2/2" in (queue[1].run.path / "output.txt").read_text()

    write_jobs(tmp_path / "jobs", learning_rate=0.01, drop_rate=0)
    again = planned(jobs, tmp_path)
    assert [run.status for run in again].count(Status.DONE) == 2
    done_before = (again[1].run.path / "scores.json").stat().st_mtime_ns
    work_off(again, LocalEngine(data, tmp_path, ["cpu", "cpu"]))
    errors = [run.error for run in again if run.status is Status.FAILED]
    assert len(errors) == 2 and all("made from something else" in error for error in errors)
    assert (again[1].run.path / "scores.json").stat().st_mtime_ns == done_before


def test_a_quick_look_is_not_taken_for_the_real_thing(data: Path, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", folds=[0])
    assert commands.run(*words(jobs, data, tmp_path), "--epochs", "1").returncode == 0
    for more in ([], ["--dry-run"]):
        again = commands.run(*words(jobs, data, tmp_path), *more)
        assert again.returncode == 2
        assert "model.training_parameters.epochs is [1] there and [2] now" in again.stderr


def test_a_relative_job_file_finds_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "CNN_demo.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    for spelling in ("my.json", tmp_path / "my.json"):
        assert find_model("CNN_demo", spelling) == tmp_path / "models" / "CNN_demo.json"


@pytest.mark.slow
def test_killed_and_started_again_it_ends_as_if_nothing_had_happened(data: Path, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", epochs=40, folds=[0])
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    process = subprocess.Popen(command(jobs, data, cut), stdout=subprocess.DEVNULL)
    until = time.monotonic() + 600
    while len(list(cut.rglob("checkpoint.safetensors"))) < 2:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(cut.rglob("scores.json"))
    subprocess.run(command(jobs, data, cut), check=True, stdout=subprocess.DEVNULL)
    subprocess.run(command(jobs, data, whole), check=True, stdout=subprocess.DEVNULL)
    for (name, a), (other, b) in zip(final_weights(cut), final_weights(whole), strict=True):
        assert name == other
        assert all(torch.equal(a[key], b[key]) for key in a)
    assert len(list(cut.rglob("scores.json"))) == 2
    for output in cut.rglob("output.txt"):
        epochs = [line.split(", ")[1] for line in output.read_text().splitlines() if line.startswith("phase")]
        assert len(epochs) == len(set(epochs)), "an epoch was done twice"


def workers(parent: int) -> list[int]:
    """Processes of runs that a process has started."""
    return sorted(processes(parent, "ecg_rhythm run"))


@pytest.mark.parametrize(
    ("sent", "is_stopped"), [(signal.SIGKILL, False), (signal.SIGKILL, True), (signal.SIGINT, True)]
)
def test_runs_end_with_the_queue_that_started_them(
    data: Path, tmp_path: Path, sent: signal.Signals, is_stopped: bool
) -> None:
    jobs = write_jobs(tmp_path / "jobs", epochs=5000)
    process = subprocess.Popen(command(jobs, data, tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 240
    folders = [run.run.path for run in planned(jobs, tmp_path)[:2]]
    while not all((folder / "checkpoint.safetensors").exists() for folder in folders):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    if is_stopped:
        for worker in workers(process.pid):
            os.kill(worker, signal.SIGSTOP)
    process.send_signal(sent)
    assert process.wait(120) == (-signal.SIGKILL if sent is signal.SIGKILL else 130)
    until = time.monotonic() + 120
    while any(Run(folder).is_claimed for folder in folders):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
def test_two_queues_on_the_same_logs_do_no_run_twice(data: Path, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", epochs=6, folds=[0])
    both = [subprocess.Popen(command(jobs, data, tmp_path), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=240) for process in both] == [0, 0]
    for run in planned(jobs, tmp_path):
        assert run.status is Status.DONE
        epochs = [line for line in (run.run.path / "output.txt").read_text().splitlines() if "epoch 6/6" in line]
        assert len(epochs) == 1


@pytest.mark.slow
def test_two_queues_that_make_all_anew_make_it_once(data: Path, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", epochs=6, folds=[0])
    subprocess.run(command(jobs, data, tmp_path), stdout=subprocess.DEVNULL, check=True)
    together = threading.Barrier(2)

    def make_anew() -> None:
        queue = planned(jobs, tmp_path, restart=True)
        together.wait()  # the later of two processes could begin after the earlier has made a run anew
        work_off(queue, LocalEngine(data, tmp_path, ["cpu", "cpu"]))
        assert {run.status for run in queue} == {Status.DONE}

    with ThreadPoolExecutor() as pool:
        for both in [pool.submit(make_anew) for _ in range(2)]:
            both.result()
    for run in planned(jobs, tmp_path):
        epochs = [line for line in (run.run.path / "output.txt").read_text().splitlines() if "epoch 6/6" in line]
        assert len(epochs) == 2


@pytest.mark.usefixtures("forked_runs")
def test_what_another_queue_made_anew_just_before_a_process_began_is_kept(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = write_jobs(tmp_path / "jobs", epochs=1)
    queue = planned(jobs, tmp_path)[:1]
    work_off(queue, LocalEngine(data, tmp_path, ["cpu"]))
    folder = queue[0].run.path
    made_anew: list[int] = []
    start = subprocess.Popen

    def start_late(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(subprocess, "Popen", start)
        work_off(planned(jobs, tmp_path, restart=True)[:1], LocalEngine(data, tmp_path, ["cpu"]))
        made_anew.append((folder / "predictions.csv").stat().st_mtime_ns)
        return start(*args, **kwargs)

    before = (folder / "predictions.csv").stat().st_mtime_ns
    monkeypatch.setattr(subprocess, "Popen", start_late)
    queue = planned(jobs, tmp_path, restart=True)[:1]
    work_off(queue, LocalEngine(data, tmp_path, ["cpu"]))
    assert queue[0].status is Status.DONE
    assert made_anew == [(folder / "predictions.csv").stat().st_mtime_ns] != [before]


@pytest.mark.usefixtures("forked_runs")
def test_what_another_process_is_at_when_a_queue_begins_is_not_made_again(data: Path, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", epochs=1)
    queue = planned(jobs, tmp_path)[:1]
    work_off(queue, LocalEngine(data, tmp_path, ["cpu"]))
    predictions, scores = (queue[0].run.path / name for name in ("predictions.csv", "scores.json"))
    before, last = predictions.stat().st_mtime_ns, scores.read_text()
    scores.unlink()
    queue = planned(jobs, tmp_path, restart=True)[:1]
    with ThreadPoolExecutor() as pool:
        with queue[0].run.claim():
            anew = pool.submit(work_off, queue, LocalEngine(data, tmp_path, ["cpu"]))
            until = time.monotonic() + 120
            while queue[0].status is not Status.ELSEWHERE:
                assert not anew.done() and time.monotonic() < until
                time.sleep(0.05)
            scores.write_text(last)
        anew.result()
    assert {run.status for run in queue} == {Status.DONE}
    assert predictions.stat().st_mtime_ns == before


@pytest.mark.usefixtures("forked_runs")
def test_a_run_that_another_process_holds_without_progress_has_failed_and_is_left_to_it(
    data: Path, tmp_path: Path
) -> None:
    queue = planned(write_jobs(tmp_path / "jobs", epochs=1), tmp_path)[:1]
    with queue[0].run.claim():
        write_progress(queue[0].run.progress, Progress(0, 1, 1, 9, None, None, None, 0.1))
        work_off(queue, LocalEngine(data, tmp_path, ["cpu"]), stall=6.0)
    assert queue[0].status is Status.FAILED
    says = "another process is at work on it, but made no progress for 0.1 minutes; end that process, and the same"
    assert queue[0].error.startswith(f"{queue[0].run.path}: {says}")
    assert not queue[0].run.error.exists()


def test_progress_elsewhere_is_waited_for(data: Path, tmp_path: Path) -> None:
    (queued,) = queue = planned(write_jobs(tmp_path / "jobs", epochs=1), tmp_path)[:1]
    queued.status = Status.ELSEWHERE
    steps = iter(range(20))
    quiet: list[float] = []

    def go_on(queue: list[QueuedRun]) -> None:
        quiet.append(queued.quiet)
        if (step := next(steps, None)) is not None:
            write_progress(queued.run.progress, Progress(0, 1, 1, 99, None, None, None, step / 99))

    with queued.run.claim():
        work_off(queue, LocalEngine(data, tmp_path, []), stall=3.0, watch=go_on)
    assert len(quiet) > 20 and queued.status is Status.FAILED


@pytest.mark.usefixtures("forked_runs")
def test_a_run_is_not_removed_before_the_new_one_can_begin(data: Path, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", epochs=1)
    work_off(planned(jobs, tmp_path)[:1], LocalEngine(data, tmp_path, ["cpu"]))
    write_jobs(tmp_path / "jobs", epochs=1, precision="fp16")
    queue = planned(jobs, tmp_path, restart=True)[:1]
    kept = {path.name for path in queue[0].run.path.iterdir()}
    work_off(queue, LocalEngine(data, tmp_path, ["cpu"]))
    assert queue[0].status is Status.FAILED
    assert "fp16" in queue[0].error
    assert kept <= {path.name for path in queue[0].run.path.iterdir()}


def test_a_run_that_cannot_be_started_has_failed(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*args: object, **kwargs: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    queue = planned(write_jobs(tmp_path / "jobs", epochs=1), tmp_path)[:2]
    monkeypatch.setattr(subprocess, "Popen", no_memory)
    work_off(queue, LocalEngine(data, tmp_path, ["cpu"]))
    assert [run.status for run in queue] == [Status.FAILED] * 2
    assert "this run cannot be started: Cannot allocate memory" in queue[0].error


def test_a_schedulers_gpus_are_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, there in {"3": ["3"], "GPU-8f1c, 2": ["GPU-8f1c", "2"], "": [], "-1": []}.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert gpus() == there
        assert parse_devices("auto") == (there or ["cpu"])


def test_a_table_shows_errors_as_they_are(tmp_path: Path) -> None:
    run = planned(write_jobs(tmp_path), tmp_path)[0]
    run.status, run.error = Status.FAILED, "[enforce fail at alloc] in [/data/x]"
    shown = io.StringIO()
    console(shown).print(queue_table([run]))
    assert run.error in shown.getvalue()


def test_the_parent_gives_each_worker_its_device_and_share_of_cores(tmp_path: Path) -> None:
    environment = environment_of("1", 1)
    assert environment["CUDA_VISIBLE_DEVICES"] == "1"
    environment = environment_of("cpu", 2)
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert int(environment["OMP_NUM_THREADS"]) == max(available_cores() // 2, 1)


def test_a_run_that_is_killed_is_reported_as_such(data: Path, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", epochs=5000)
    queue = planned(jobs, tmp_path)[:1]
    killed: list[int] = []
    quiet: list[float] = []

    def kill(queue: list[QueuedRun]) -> None:
        quiet.append(queue[0].quiet)
        if not killed and (queue[0].run.path / "checkpoint.safetensors").exists():
            killed.extend(workers(os.getpid()))
            os.kill(killed[-1], signal.SIGKILL)

    work_off(queue, LocalEngine(data, tmp_path, ["cpu"]), watch=kill)
    assert queue[0].status is Status.FAILED
    assert queue[0].error == f"killed by signal 9; see {queue[0].run.output}"
    assert quiet[-2] < max(quiet), "its batches were signs of life"
