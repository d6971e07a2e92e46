"""What fuzzers share: Atheris (libFuzzer) mutates inputs, and findings are kept in `fuzzing/findings/`."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris

FINDINGS = Path(__file__).parent / "findings"


def keep(content: bytes, what: str, name: str) -> None:
    """Keep an input that is a finding, once for each place in the code, as a file `name` beside what went wrong."""
    finding = FINDINGS / hashlib.sha256("".join(what.splitlines()[-3:]).encode()).hexdigest()[:12]
    if not finding.exists():
        finding.mkdir(parents=True)
        (finding / name).write_bytes(content)
        (finding / "what.txt").write_text(what)
        print(f"FINDING in {finding}: {what.splitlines()[-1]}", flush=True)


def fuzz(
    name: str, seeds: Iterable[bytes], target: Callable[[bytes], None], inputs: int, seconds: int, megabytes: int
) -> None:
    """Give mutations of seeds to a target. It does not come back: libFuzzer ends the process.

    More than `seconds` for an input, and more than `megabytes` of memory, are findings, too, named after `name`.
    """
    with tempfile.TemporaryDirectory() as corpus:
        for number, content in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(content)
        FINDINGS.mkdir(exist_ok=True)
        options = [f"-runs={inputs}", f"-timeout={seconds}", f"-rss_limit_mb={megabytes}", "-max_len=100000",
                   f"-artifact_prefix={FINDINGS}/{name}-", "-seed=1", "-print_final_stats=1"]  # fmt: skip
        atheris.Setup([sys.argv[0], *options, corpus], target)
        atheris.Fuzz()


def main(module: str, names: Iterable[str], start: Callable[[str, int], None]) -> None:
    """Fuzz what the command line names, or all, each in a process of its own."""
    parser = argparse.ArgumentParser(prog=module, description="Fuzz one of these with mutated files, or all.")
    parser.add_argument("name", choices=["all", *names])
    parser.add_argument("--inputs", type=int, default=20_000, help="mutated files for each")
    arguments = parser.parse_args()
    if arguments.name != "all":
        start(arguments.name, arguments.inputs)
        return
    failed = []
    for name in names:
        print(f"{name}: {arguments.inputs} inputs", flush=True)
        command = [sys.executable, "-m", module, name, "--inputs", str(arguments.inputs)]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; see {FINDINGS}")
