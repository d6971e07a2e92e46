"""Report mutation testing: `python -m scripts.mutation`, after `mutmut run`; `make mutation` does both.

A mutant survives if the tests pass with its change. Those that change nothing one could see are listed in
`docs/develop/coverage.md`, each by the line that it puts in place of another; any other survivor is an error.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "develop" / "coverage.md"
KILLED = ("killed", "timeout", "segfault", "suspicious")


def listed(page: Path = PAGE) -> set[str]:
    """Changed lines of the mutants that the page lists as equivalent."""
    return {line.strip() for line in page.read_text(encoding="utf-8").splitlines()}


def changed(diff: list[str]) -> list[str]:
    """The lines that a mutant's diff puts in, or, if there are none, those that it takes out."""
    body = [line for line in diff if not line.startswith(("+++", "---"))]
    put_in = [line[1:].strip() for line in body if line.startswith("+")]
    return put_in or [line.strip() for line in body if line.startswith("-")]


def is_equivalent(diff: list[str], equivalent: set[str]) -> bool:
    """Whether all lines that a mutant changes are listed; a diff that changes none was not shown."""
    lines = changed(diff)
    return bool(lines) and equivalent.issuperset(lines)


def main() -> int:
    """Print the figures of each module, and survivors that are not listed; 1 if there are any."""
    figures: dict[str, Counter[str]] = defaultdict(Counter)
    equivalent, strange = listed(), 0
    for line in _mutmut("results", "--all", "true"):
        name, _, status = line.strip().rpartition(": ")
        module = name.rpartition(".")[0].removeprefix("ecg_rhythm.")
        if status in KILLED:
            figures[module]["killed"] += 1
            continue
        diff = _mutmut("show", name)
        if status == "survived" and is_equivalent(diff, equivalent):
            figures[module]["equivalent"] += 1
            continue
        figures[module][status] += 1
        strange += 1
        print(*diff, sep="\n")
    for module, counts in sorted(figures.items()):
        print(f"{module}: {counts.total()} mutants,", ", ".join(f"{n} {status}" for status, n in counts.items()))
    return int(strange > 0)


def _mutmut(*words: str) -> list[str]:
    command = [sys.executable, "-m", "mutmut", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
