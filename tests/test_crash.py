"""A few of the points at which `make crash` cuts commands off."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from crash import shim
from crash.commands import COMMANDS

POINTS = 2
SHORT = ["pack", "split", "classify --to .csv", "classify --cluster"]
"""Commands that need no trained network; others do the same to the disk, or more of it."""
LONG = [name for name in COMMANDS if name not in SHORT]


@pytest.mark.skipif(bool(shim.missing()), reason=f"commands cannot be cut off here: {shim.missing()}")
@pytest.mark.parametrize(
    "commands", [pytest.param(SHORT, id="short"), pytest.param(LONG, marks=pytest.mark.slow, id="long")]
)
def test_commands_that_are_cut_off_recover(commands: list[str]) -> None:
    """Of each command at a change near its beginning and at one near its end."""
    words = [sys.executable, "-m", "crash", "--points", str(POINTS), *commands]
    root = Path(__file__).parents[1]
    result = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    table = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| 0 \|$", result.stdout, re.M)
    assert {name for name, *_ in table} == {*commands, "all"}
    (whole,) = (list(map(int, row)) for name, *row in table if name == "all")
    assert sum(whole[1:4]) == sum(whole[4:6]) == POINTS * len(commands)
