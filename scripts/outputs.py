"""Update what commands and Python blocks print in the documentation: `python -m scripts.outputs [PAGE...]`.

Without pages, all of them; that takes some minutes, as blocks run in full and not at the size of the tests.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from scripts import blocks, examples
from scripts.story import Story


def rewrite(page: Path, folder: Path) -> bool:
    """Run a page in a folder and put into it what its blocks print; whether anything changed."""
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    made: list[tuple[blocks.Block, str]] = []
    with Story(page, folder) as story:
        for block in blocks.blocks_of(page):
            printed = story.run(block, small=False)
            if printed is not None and printed != block.text:
                made.append((block, printed))
    for block, printed in reversed(made):
        fence = lines[block.line]
        indent = fence[: len(fence) - len(fence.lstrip())]
        body = [f"{indent}{line}" if line.strip() else line for line in printed.splitlines(keepends=True)]
        lines[block.line + 1 : block.line + 1 + len(block.text.splitlines())] = body
    page.write_text("".join(lines), encoding="utf-8")
    return bool(made)


def main(names: list[str]) -> None:
    """Rewrite the pages that are named, or all."""
    with tempfile.TemporaryDirectory() as made:
        examples.make(Path(made) / "examples")
        for page in [Path(name).resolve() for name in names] or blocks.pages():
            if blocks.blocks_of(page):
                with tempfile.TemporaryDirectory() as folder:
                    shutil.copytree(Path(made) / "examples", folder, dirs_exist_ok=True)
                    changed = rewrite(page, Path(folder))
                    print(f"{page.relative_to(blocks.ROOT)}: {'rewritten' if changed else 'as it was'}")


if __name__ == "__main__":
    main(sys.argv[1:])
