from __future__ import annotations

from pathlib import Path

import pytest

from ecg_rhythm.machine import oom_kills

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
