"""Whether the kernel killed a process because memory ran out."""

from __future__ import annotations

import re
from pathlib import Path

KILLS = re.compile(r"^oom_kill (\d{1,20})$", re.MULTILINE)
CGROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


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
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return None
    for _, controllers, group in lines:
        version_1 = "memory" in controllers.split(",")
        if not version_1 and controllers:
            continue
        name, root = ("memory.oom_control", cgroups / "memory") if version_1 else ("memory.events", cgroups)
        # In a container, the path may be that outside of it; its own group is the root then.
        for folder in (root / group.lstrip("/"), root):
            try:
                found = KILLS.search((folder / name).read_text())
            except OSError:
                continue
            if found:
                return int(found[1])
    return None
