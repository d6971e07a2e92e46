"""Every code block of README and documentation runs, or says why not; see `scripts/blocks.py`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from scripts import blocks, examples
from scripts.story import Story
from tests.commands import program

SLOW = {
    "CONTRIBUTING",
    "archives",
    "large-networks",
    "own-architecture",
    "own-data",
    "own-package",
    "queue",
    "report",
    "search",
}
"""Pages that train networks."""
PAGES = [
    pytest.param(page, marks=pytest.mark.slow if page.stem in SLOW else (), id=str(page.relative_to(blocks.ROOT)))
    for page in blocks.pages()
    if blocks.blocks_of(page)
]


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    examples.make(folder)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_blocks_run_and_print_what_the_page_says(page: Path, recordings: Path, tmp_path: Path) -> None:
    shutil.copytree(recordings, tmp_path, dirs_exist_ok=True)
    with Story(page, tmp_path) as story:
        if "PYTHONPATH" not in story.environment:  # else a page changes the program
            story.environment["PATH"] = f"{program().parent}{os.pathsep}{story.environment['PATH']}"
        for block in blocks.blocks_of(page):
            printed = story.run(block, small=True)
            assert printed is None or blocks.alike(block, printed), (
                f"{block.where} is out of date; `python -m scripts.outputs {page.relative_to(blocks.ROOT)}` "
                f"writes it anew. It prints now:\n{printed}"
            )


def write(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```text\nsomething\n```\n", "neither run, nor output"),
        ("<!-- not run: -->\n```sh\nfalse\n```\n", "say why"),
        ("<!-- nonsense: x -->\n```sh\ntrue\n```\n", "is no mark"),
        ("<!-- small: a -> b -->\n```sh\ntrue\n```\n", "does not have it"),
        ("```sh\nfalse\n```\n", "exit code 1"),
        ("```python\n1 / 0\n```\n", "ZeroDivisionError"),
        ("```console\noutput alone\n```\n", "begins with a command"),
        ('<!-- json: job -->\n```json\n{"job": {"model": "CNN"}}\n```\n', "'split' is a required property"),
    ],
)
def test_a_block_that_nobody_vouches_for_is_refused(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "ROOT", tmp_path)
    shutil.copytree(Path(__file__).parents[2] / "schemas", tmp_path / "schemas")
    page = write(tmp_path, text)
    with pytest.raises(blocks.Wrong, match=message), Story(page, tmp_path) as story:
        for block in blocks.blocks_of(page):
            story.run(block, small=True)


def test_blocks_of_a_page_share_folder_and_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "ROOT", tmp_path)
    page = write(
        tmp_path,
        "<!-- file: a.txt -->\n```text\n7\n```\n\n```python\nn = int(open('a.txt').read())\n```\n\n"
        "<!-- small: n + 1 -> n + 2 -->\n```python\nprint(n + 1)\n```\n\n<!-- output -->\n```text\n8\n```\n\n"
        "- in a list\n\n  <!-- exit: 3 -->\n  ```console\n  $ cat a.txt; exit 3\n  7\n  ```\n",
    )
    with Story(page, tmp_path) as story:
        printed = [story.run(block, small=True) for block in blocks.blocks_of(page)]
    assert printed == [None, None, None, "9\n", "$ cat a.txt; exit 3\n7\n"]


def test_numbers_may_differ_words_may_not(tmp_path: Path) -> None:
    def shows(text: str, printed: str, *marks: str) -> bool:
        return blocks.alike(blocks.Block(tmp_path, 0, "console", text, [(mark, "") for mark in marks]), printed)

    assert shows(" a  0.91 ─── 0:15:00\n", "a 1.5 ─ 0:14:30")
    assert not shows("label A", "label N")
    assert not shows("first\nsecond\n", "second\nfirst\n")
    assert shows("first\nsecond\n", "second\nfirst\n", "any order")
