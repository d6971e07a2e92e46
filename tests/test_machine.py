from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ecg_rhythm.machine import available_cores, bounded_memory, how_it_ended, oom_kills, unbounded_memory

EVENTS = "low 0\nhigh 0\nmax 12\noom 7\noom_kill 5\noom_group_kill 1\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"


@pytest.mark.parametrize(
    ("groups", "file", "content"),
    [
        ("0::/user.slice/a.scope\n", "user.slice/a.scope/memory.events", EVENTS),
        ("0::/elsewhere/of/the/host\n", "memory.events", EVENTS),
        ("5:cpu,memory:/a/b\n0::/\n", "memory/a/b/memory.oom_control", CONTROL),
        ("4:cpuset:/\n4:memory:/docker/1f2e\n0::/\n", "memory/memory.oom_control", CONTROL),
    ],
    ids=["version 2", "in a container", "version 1", "version 1 in a container"],
)
def test_deaths_for_lack_of_memory_are_counted(tmp_path: Path, groups: str, file: str, content: str) -> None:
    (tmp_path / "cgroup").write_text(groups)
    (tmp_path / "fs" / file).parent.mkdir(parents=True)
    (tmp_path / "fs" / file).write_text(content)
    assert oom_kills(tmp_path / "cgroup", tmp_path / "fs") == 5


@pytest.mark.parametrize("groups", [None, "", "0::/\n", "1:cpu:/\n"])
def test_a_system_that_does_not_tell(tmp_path: Path, groups: str | None) -> None:
    if groups is not None:
        (tmp_path / "cgroup").write_text(groups)
    assert oom_kills(tmp_path / "cgroup", tmp_path) is None


def test_a_file_without_the_count(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "memory.events").write_text("oom_killed 5\n")
    assert oom_kills(tmp_path / "cgroup", tmp_path) is None


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1), ("x", 8)]
)
def test_a_containers_share_of_time_bounds_the_cores(
    tmp_path: Path, quota: str, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))
    assert available_cores(tmp_path / "cgroup", tmp_path) == 8
    (tmp_path / "cgroup").write_text("0::/a\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "cpu.max").write_text(f"{quota}\n")
    assert available_cores(tmp_path / "cgroup", tmp_path) == cores


def test_how_a_process_ended_is_said_with_what_the_kernel_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecg_rhythm.machine.oom_kills", lambda: 2)
    assert how_it_ended(3, 1) == "ended with exit code 3"
    assert how_it_ended(-9, 1) == "killed by signal 9, as memory ran out"
    assert how_it_ended(-9, 2) == how_it_ended(-9, None) == "killed by signal 9"
    assert how_it_ended(-15, 1) == "killed by signal 15"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux alone")
def test_memory_is_bounded_for_a_while_and_not_for_processes_of_other_threads() -> None:
    import resource

    limits, inside, done = resource.getrlimit(resource.RLIMIT_DATA), threading.Event(), threading.Event()

    def bounded() -> None:
        with bounded_memory(1 << 28), pytest.raises(MemoryError):
            inside.set()
            time.sleep(0.3)
            bytearray(1 << 30)
        done.set()

    thread = threading.Thread(target=bounded)
    thread.start()
    inside.wait()
    look = "import resource; print(resource.getrlimit(resource.RLIMIT_DATA))"
    with unbounded_memory():
        assert done.is_set()
        found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    thread.join()
    assert found.strip() == str(limits) == str(resource.getrlimit(resource.RLIMIT_DATA))
    assert len(bytearray(1 << 29)) == 1 << 29
