"""What the system gives a process, and how it ended one: cores, GPUs, memory, signals."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KILLS = re.compile(r"^oom_kill (\d{1,20})$", re.MULTILINE)
QUOTA = re.compile(r"^(\d{1,20}) (\d{1,20})$", re.MULTILINE)
MOST_PROCESSES = 1000
"""Processes that a user may ask for: a larger number is none of this machine, and some cannot even be counted to."""
CGROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_bounding = threading.RLock()
"""Held while the memory of this process is bounded, so that no thread takes the bound of another for the user's."""
if hasattr(os, "register_at_fork"):  # a child would keep the bound, and the lock
    os.register_at_fork(before=_bounding.acquire, after_in_parent=_bounding.release, after_in_child=_bounding.release)


def available_cores(own: Path = OWN, cgroups: Path = CGROUPS) -> int:
    """How many cores this process may use: those it may run on, or fewer if its container has a share of time.

    Parameters
    ----------
    own, cgroups : Path
        Linux's list of the groups of this process, and where their files are.

    References
    ----------
    Linux kernel documentation, "Control Group v2", `cpu.max`.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if quota := _found(QUOTA, "cpu.max", None, own, cgroups):
        return max(min(cores, math.ceil(int(quota[1]) / max(int(quota[2]), 1))), 1)
    return cores


def gpus() -> list[str]:
    """NVIDIA GPUs of this machine, those of `CUDA_VISIBLE_DEVICES` if a scheduler has set that."""
    if (given := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [device for entry in given.split(",") if (device := entry.strip()) and device != "-1"]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(i) for i, line in enumerate(line for line in listed.stdout.splitlines() if line.startswith("GPU"))]


def oom_kills(own: Path = OWN, cgroups: Path = CGROUPS) -> int | None:
    """How many processes of this one's control group, such as its container, were killed for lack of memory so far.

    Parameters
    ----------
    own, cgroups : Path
        Linux's list of the groups of this process, and where their files are.

    Returns
    -------
    int or None
        None if the system does not tell.

    References
    ----------
    Linux kernel documentation, "Control Group v2", `memory.events`; "Memory Resource Controller" (v1),
    `memory.oom_control`.
    """
    found = _found(KILLS, "memory.events", "memory.oom_control", own, cgroups)
    return None if found is None else int(found[1])


@contextmanager
def bounded_memory(more: int) -> Iterator[None]:
    """Limit how much more memory this process may take, in bytes; Linux only, elsewhere there is no limit.

    The limit holds for all threads, and for processes started meanwhile, except those started under `unbounded_memory`.

    References
    ----------
    Linux manual pages, `getrlimit(2)`, `RLIMIT_DATA`; `proc_pid_statm(5)`.
    """
    if sys.platform != "linux":
        yield
        return
    import resource

    with _bounding:
        before = resource.getrlimit(resource.RLIMIT_DATA)
        with suppress(OSError, ValueError):  # as where /proc is missing, or limits may not be changed
            taken = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
            bounds = [bound for bound in (taken + more, *before) if bound != resource.RLIM_INFINITY]
            resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), before[1]))
        try:
            yield
        finally:
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_DATA, before)


@contextmanager
def unbounded_memory() -> Iterator[None]:
    """Wait until no thread limits the memory, so that a process started in this context inherits no limit."""
    with _bounding:
        yield


def is_stopped(process: int) -> bool:
    """Whether a signal has stopped a process, which then does nothing until another one comes; on Linux alone."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "T"


def how_it_ended(code: int, oom_kills_before: int | None) -> str:
    """Say how a child process ended, from its exit code and the count of `oom_kills` before it started."""
    if code >= 0:
        return f"ended with exit code {code}"
    return f"killed by signal {-code}" + ", as memory ran out" * ran_out_of_memory(code, oom_kills_before)


def ran_out_of_memory(code: int, oom_kills_before: int | None) -> bool:
    """Whether the system killed a child process for lack of memory, as far as exit code and count of kills tell."""
    counts = oom_kills_before, oom_kills()
    return code == -signal.SIGKILL and None not in counts and counts[0] != counts[1]


def _found(
    pattern: re.Pattern[str], version_2: str, version_1: str | None, own: Path, cgroups: Path
) -> re.Match[str] | None:
    """What a file of the groups of this process says; the file has another name in each version of groups."""
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return None
    for _, controllers, group in lines:
        is_version_1 = version_1 is not None and "memory" in controllers.split(",")
        if not is_version_1 and controllers:
            continue
        name, root = (version_1, cgroups / "memory") if version_1 and is_version_1 else (version_2, cgroups)
        # In a container, the path may be that outside of it; its own group is the root then.
        for folder in (root / group.lstrip("/"), root):
            try:
                found = pattern.search((folder / name).read_text())
            except OSError:
                continue
            if found:
                return found
    return None
