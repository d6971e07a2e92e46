"""The engine of a cluster, on Ray clusters of this machine whose nodes and processes are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from ecg_rhythm.experiments.jobs import plan
from ecg_rhythm.experiments.local import LocalEngine
from ecg_rhythm.experiments.queue import QueuedRun, Status, enqueue, work_off
from ecg_rhythm.machine import available_cores
from ecg_rhythm.networks.registry import check
from scripts.ray_cluster import add_node, empty_cluster
from tests.experiments.test_queue import write_jobs
from tests.helpers import refusal

# Ray reads its variables when it is imported, which must be after they are set.
pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="the extra `cluster` is not installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with empty_cluster() as started:
        yield started


def planned(jobs: Path, logs: Path) -> list[QueuedRun]:
    return enqueue(plan(jobs, check=check), logs)


def process_of(run: QueuedRun) -> psutil.Process | None:
    """The process that trains a run: the one that writes to its output."""
    output = str(run.run.output)
    for process in psutil.process_iter():
        try:
            if process.cmdline()[-2:] == ["ecg_rhythm", "run"] and any(f.path == output for f in process.open_files()):
                return process
        except psutil.Error:
            continue
    return None


def wait_until(true: Callable[[], object]) -> None:
    until = time.monotonic() + 120
    while not true():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.slow
def test_a_node_that_is_killed_loses_no_run_and_scores_are_those_of_this_machine(
    data: Path, tmp_path: Path, cluster: Any
) -> None:
    from ecg_rhythm.experiments.ray_engine import ray_engine

    jobs = write_jobs(tmp_path / "jobs", epochs=30)
    queue = planned(jobs, tmp_path / "cluster")
    nodes = [add_node(cluster), add_node(cluster)]
    most = 0
    lost: set[str] = set()

    def kill_a_node(queue: list[QueuedRun]) -> None:
        nonlocal most
        under_way = [run for run in queue if run.status is Status.RUNNING]
        most = max(most, len(under_way))
        lost.update(run.spec.title for run in under_way if "tried again" in run.error)
        if len(nodes) == 2 and sum(run.run.checkpoint.exists() for run in under_way) == 2:
            cluster.remove_node(nodes.pop(), allow_graceful=False)

    with ray_engine(data, tmp_path / "cluster", cluster.address) as engine:
        work_off(queue, engine, watch=kill_a_node)
    cluster.remove_node(nodes.pop())
    assert [(run.status, run.error) for run in queue] == [(Status.DONE, "")] * 4
    assert most == 2 and lost, (
        "two at once; one lost, or two if Ray sent one to a node that it did not yet know to be dead"
    )
    here = planned(jobs, tmp_path / "here")
    work_off(here, LocalEngine(data, tmp_path / "here", ["cpu"] * available_cores()))
    for one, other in zip(queue, here, strict=True):
        assert one.run.read_scores()["phases"] == other.run.read_scores()["phases"]
        assert one.run.predictions.read_bytes() == other.run.predictions.read_bytes()
        assert one.run.output.read_text().count("epoch 30/30") == 1


@pytest.mark.slow
def test_a_run_whose_process_is_killed_is_tried_again_but_not_for_ever(
    data: Path, tmp_path: Path, cluster: Any
) -> None:
    from ecg_rhythm.experiments.ray_engine import ray_engine

    (always, once) = queue = planned(write_jobs(tmp_path / "jobs", epochs=3, folds=[0]), tmp_path / "logs")
    node = add_node(cluster)
    killed: list[str] = []

    def kill(queue: list[QueuedRun]) -> None:
        for run in queue:
            wanted = run is always or once.spec.title not in killed
            if wanted and run.status is Status.RUNNING and (process := process_of(run)) is not None:
                process.kill()
                killed.append(run.spec.title)

    with ray_engine(data, tmp_path / "logs", cluster.address) as engine:
        work_off(queue, engine, watch=kill)
    cluster.remove_node(node)
    assert (once.status, killed.count(once.spec.title)) == (Status.DONE, 1)
    assert (always.status, killed.count(always.spec.title)) == (Status.FAILED, 4)
    assert always.error.startswith("lost 4 times without getting any further; the last time: killed by signal 9")


def test_a_run_that_fails_by_itself_is_not_tried_again(data: Path, tmp_path: Path, cluster: Any) -> None:
    from ecg_rhythm.experiments.ray_engine import ray_engine

    jobs = write_jobs(tmp_path / "jobs", epochs=3, folds=[0], learning_rate=1e20, drop_rate=0)
    fails = planned(jobs, tmp_path / "logs")[0]
    node = add_node(cluster)
    with ray_engine(data, tmp_path / "logs", cluster.address) as engine:
        work_off([fails], engine)
    cluster.remove_node(node)
    assert fails.status is Status.FAILED and "training diverged" in fails.error
    assert fails.run.output.read_text().count("error:") == 1


@pytest.mark.slow
def test_a_run_that_stands_still_is_ended(data: Path, tmp_path: Path, cluster: Any) -> None:
    from ecg_rhythm.experiments.ray_engine import ray_engine

    stands = planned(write_jobs(tmp_path / "jobs", epochs=3, folds=[0]), tmp_path / "logs")[0]
    node = add_node(cluster)

    def stand_still(queue: list[QueuedRun]) -> None:
        if stands.status is Status.RUNNING and (process := process_of(stands)) is not None:
            process.suspend()

    with ray_engine(data, tmp_path / "logs", cluster.address) as engine:
        work_off([stands], engine, watch=stand_still, stall=30)
    cluster.remove_node(node)
    assert stands.error == f"it made no progress for 0.5 minutes and was terminated; see {stands.run.output}"
    assert process_of(stands) is None


def test_what_asks_for_more_than_any_node_has_is_refused(data: Path, tmp_path: Path, cluster: Any) -> None:
    from ecg_rhythm.experiments.ray_engine import ray_engine

    def ask() -> None:
        with ray_engine(data, tmp_path, cluster.address, cpus=3, gpus=0.25):
            pass

    assert "no node has 3 processor cores and 0.25 of a GPU" in refusal(ask)


def command(jobs: Path, data: Path, logs: Path, *more: str) -> list[str]:
    words = ["queue", jobs, "--cluster", "--data", data, "--logs", logs, *more]
    return [sys.executable, "-m", "ecg_rhythm", *map(str, words)]


@pytest.mark.slow
def test_ctrl_c_ends_a_local_ray_and_the_same_command_goes_on(data: Path, tmp_path: Path) -> None:
    logs, jobs = tmp_path / "logs", write_jobs(tmp_path / "jobs", epochs=40, folds=[0])
    process = subprocess.Popen(command(jobs, data, logs), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: list(logs.rglob("checkpoint.safetensors")))
    started = psutil.Process(process.pid).children(recursive=True)
    listening = [c.laddr.ip for p in started for c in connections(p) if c.status == psutil.CONN_LISTEN]
    assert listening and {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in out + err) == (130, False)
    assert err.splitlines()[-1].startswith("interrupted; the same command resumes")
    wait_until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in started))
    again = subprocess.run(command(jobs, data, logs), capture_output=True, text=True, check=True)
    assert "all 2 runs are done" in again.stdout
    printed = [path.read_text() for path in logs.rglob("output.txt")]
    assert any(text.count("epoch 1/40") == 1 for text in printed)


def connections(process: psutil.Process) -> list[Any]:
    try:
        return list(process.net_connections("tcp"))
    except psutil.Error:
        return []


@pytest.mark.slow
def test_a_worker_out_of_memory_is_reported_as_such(data: Path, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", epochs=40, folds=[0])
    scarce = {"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "50"}
    result = subprocess.run(
        command(jobs, data, tmp_path / "logs"), capture_output=True, text=True, env=os.environ | scarce, check=False
    )
    assert result.returncode == 1
    assert result.stderr.count("ended by Ray, as memory ran out on ") == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--cluster", "127.0.0.1:1"], "--cluster 127.0.0.1:1: nothing answers there (Connection refused)"),
        (["--cluster", "nowhere:x"], "--cluster nowhere:x: this is no address of a Ray cluster; give HOST:PORT"),
        (["--cluster", "--devices", "cpu"], "--devices, --per-device: these are of one machine"),
        (["--slurm"], "--slurm: there is no SLURM here"),
        (["--slurm", "--cluster"], "--slurm: give no --cluster"),
        (["--cpus-per-run", "2"], "--cpus-per-run: this is for a cluster; give --cluster or --slurm, too"),
    ],
)
def test_options_that_do_not_fit_are_refused(words: list[str], says: str, data: Path, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", folds=[0])
    places = ["--data", str(data), "--logs", str(tmp_path / "logs")]
    command = [sys.executable, "-m", "ecg_rhythm", "queue", str(jobs), *words, *places]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr
    assert not (tmp_path / "logs").exists()
