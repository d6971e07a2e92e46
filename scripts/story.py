"""Run the code blocks of a page, one after the other, as a reader would; `scripts.blocks` says what happens to each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import jsonschema

from scripts import blocks
from scripts.blocks import Block, Wrong

WIDTH = 100
"""Columns of the terminal in which commands print."""
PROMPT = "$ "

INTERPRETER = """
import io, json, sys, traceback
from contextlib import redirect_stdout
names = {"__name__": "__main__"}
for line in sys.stdin:
    printed, failed = io.StringIO(), ""
    try:
        with redirect_stdout(printed):
            exec(compile(json.loads(line), "<block>", "exec"), names)
    except BaseException:
        failed = traceback.format_exc()
    print(json.dumps([printed.getvalue(), failed]), flush=True)
"""


class Story:
    """The folder, shell and interpreter in which the blocks of one page run."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.page, self.folder = page, folder
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": str(WIDTH),
            "NO_COLOR": "1",
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "agg",
        }
        if blocks.setup_of(page) == "checkout":
            copy_repository(folder)
            self.environment["PYTHONPATH"] = str(folder / "src")
        self._python: subprocess.Popen[str] | None = None
        self._printed = ""

    def __enter__(self) -> Story:
        return self

    def __exit__(self, *_: object) -> None:
        if self._python is not None:
            with suppress(BrokenPipeError):
                self._python.communicate()

    def run(self, block: Block, *, small: bool) -> str | None:
        """Do with a block what its language and marks say.

        Parameters
        ----------
        block : Block
            The block.
        small : bool
            Run what its marks put in place of parts of it.

        Returns
        -------
        str or None
            What the block has to be, where it is output; None where it is not.

        Raises
        ------
        Wrong
            If it fails, or if nothing says what is to happen to it.
        """
        text = block.to_run(small=small)
        if block.mark("not run") is not None:
            if not block.mark("not run"):
                raise Wrong(f"{block.where}: say why it is not run")
            return None
        kind, target = block.mark("json"), block.mark("file")
        if kind is not None:
            self._check(block, kind, text)
        if target is not None:
            (self.folder / target).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / target).write_text(text, encoding="utf-8")
        elif block.mark("output") is not None:
            return self._printed
        elif block.language == "sh":
            self._shell(block, text)
        elif block.language == "console":
            return self._console(block, text)
        elif block.language == "python":
            self._printed = self._execute(block, text)
        elif kind is None:
            raise Wrong(f"{block.where}: neither run, nor output, nor marked `<!-- not run: REASON -->`")
        return None

    def _check(self, block: Block, kind: str, text: str) -> None:
        schema = json.loads((blocks.ROOT / "schemas" / f"{kind}.schema.json").read_text())
        if (self.folder / "src").exists():  # a page that adds an architecture
            schema = json.loads(self._shell(block, f"ecg-rhythm schema {kind}"))
        try:
            jsonschema.validate(json.loads(text), schema)
        except (ValueError, jsonschema.ValidationError) as error:
            raise Wrong(f"{block.where}: {error}") from None

    def _shell(self, block: Block, text: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Wrong(f"{block.where}: exit code {done.returncode}\n{text}\n{done.stdout}")
        return self._clean(done.stdout)

    def _console(self, block: Block, text: str) -> str:
        """A console block with what its commands print."""
        shown = [line for line in block.text.splitlines() if line.startswith(PROMPT)]
        made = [line for line in text.splitlines() if line.startswith(PROMPT)]
        if not shown:
            raise Wrong(f"{block.where}: a console block begins with a command behind `$ `")
        lines = []
        for command, run in zip(shown, made, strict=True):
            script = run.removeprefix(PROMPT)
            if (code := block.mark("exit")) is not None:
                script = f"({script}) || test $? = {code}"
            lines += [command, *(line.rstrip() for line in self._shell(block, script).strip("\n").splitlines())]
        return "\n".join(lines) + "\n"

    def _execute(self, block: Block, text: str) -> str:
        if self._python is None:
            self._python = subprocess.Popen(
                [sys.executable, "-c", INTERPRETER],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._python.stdin is not None and self._python.stdout is not None
        self._python.stdin.write(json.dumps(text) + "\n")
        self._python.stdin.flush()
        answer = self._python.stdout.readline()
        if not answer:
            raise Wrong(f"{block.where}: the interpreter ended")
        printed, failed = json.loads(answer)
        if failed:
            raise Wrong(f"{block.where}: {failed}")
        return self._clean(printed)

    def _clean(self, text: str) -> str:
        """Text without names of folders of this machine."""
        return text.replace(f"{self.folder}/", "").replace(f"{blocks.ROOT}/", "")


def copy_repository(folder: Path) -> None:
    """Copy what a page needs of the repository: the program, its models, jobs and results."""
    for name in ("src", "models", "jobs", "schemas", "results"):
        shutil.copytree(blocks.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(folder / "models", folder / "src" / "ecg_rhythm" / "assets" / "models")
    shutil.copytree(folder / "jobs", folder / "src" / "ecg_rhythm" / "assets" / "jobs")
