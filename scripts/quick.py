"""Run the tests of what changed since the branch left main, committed or not: `make quick`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from scripts import blocks

ROOT = Path(__file__).parents[1]
MAIN = ("origin/main", "main")
"""Branches to compare with; the first that is there counts."""

STORY = "tests/docs/test_blocks.py::test_blocks_run_and_print_what_the_page_says"


def changed(root: Path = ROOT) -> list[str]:
    """Paths of files that differ from where the branch left main; without a main, from the last commit."""
    bases = (_git(root, "merge-base", "HEAD", name) for name in MAIN)
    base = next((found[0] for found in bases if found), "HEAD")
    differing = _git(root, "diff", "--name-only", "--no-renames", base)
    return sorted({*differing, *_git(root, "ls-files", "--others", "--exclude-standard")})


def tests_of(path: str, root: Path = ROOT) -> list[str]:
    """Arguments for pytest: the tests of a changed file are those of its wing, whose folder in `tests/` mirrors it."""
    match PurePosixPath(path).parts:
        case ("tests", *_, name) if name.startswith("test_"):
            chosen = [path]
        case ("tests", _):
            chosen = ["tests"]
        case ("tests", folder, *_) | ("src", "ecg_rhythm", folder, _, *_):
            chosen = [f"tests/{folder}"]
        case ("src" | "models" | "jobs" | "schemas", *_):
            chosen = [str(file.relative_to(root)) for file in sorted((root / "tests").glob("test_*.py"))]
        case ("crash", *_):
            chosen = ["tests/test_crash.py"]
        case ("scripts", *_):
            chosen = ["tests/scripts", "tests/docs"]
        case _:
            page = root / path
            return [f"{STORY}[{path}]"] if page in blocks.pages() and blocks.blocks_of(page) else []
    return [file for file in chosen if (root / file).exists()]


def main() -> int:
    """Run them, and return the exit code of pytest; 0 if there are none."""
    tests = sorted({test for path in changed() for test in tests_of(path)})
    print("tests of what changed:", *tests or ["none"], flush=True)
    return pytest.main(["-n", "2", "--dist", "worksteal", *tests]) if tests else 0


def _git(root: Path, *words: str) -> list[str]:
    done = subprocess.run(
        ["git", "-c", "core.quotePath=off", *words], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
