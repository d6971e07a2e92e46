"""Build the documentation site into `build/docs`: `python -m scripts.site`.

Pages of `docs/`, those made from the program, and the notebook with its output are laid into `build/pages`; zensical
makes HTML of them and refuses a link that leads nowhere. Nothing in the HTML may be loaded from other hosts.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from traitlets.config import Config

from scripts import reference

ROOT = Path(__file__).parents[1]
PAGES, SITE = ROOT / "build" / "pages", ROOT / "build" / "docs"
WINGS = ("data", "networks", "training", "evaluation", "experiments")
"""Folders of the package from which research code imports."""
LOADING = {"src", "srcset", "poster", "data", "action"}
"""Attributes whose address a browser fetches."""
LINKS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload", "manifest"}
"""Kinds of `<link>` whose address a browser fetches."""


def lay_out(pages: Path) -> None:
    """Copy `docs/` and write the pages that are generated."""
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(ROOT / "docs", pages, ignore=shutil.ignore_patterns("*.py", "*.ipynb"))
    (pages / "reference" / "command-line.md").write_text(reference.command_line(), encoding="utf-8")
    (pages / "reference" / "model-file.md").write_text(reference.model_file(), encoding="utf-8")
    (pages / "reference" / "job-file.md").write_text(reference.job_file(), encoding="utf-8")
    for name in WINGS:
        (pages / "reference" / f"{name}.md").write_text(reference.wing(name), encoding="utf-8")
    for notebook in sorted((ROOT / "docs").glob("**/*.ipynb")):
        render(notebook, pages / notebook.relative_to(ROOT / "docs").with_suffix(".md"))


def render(notebook: Path, page: Path) -> None:
    """Execute a notebook and write it as Markdown, its pictures beside it."""
    cells = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder:
        # Through a file, not a port: nobody else on the machine can talk to it.
        kernel = Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})
        NotebookClient(cells, timeout=300, config=kernel, resources={"metadata": {"path": folder}}).execute()
    exporter = MarkdownExporter()  # type: ignore[no-untyped-call]
    text, resources = exporter.from_notebook_node(cells, {"output_files_dir": page.stem})
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text.replace("![png](", "![Picture that the cell above draws]("), encoding="utf-8")
    for name, content in resources["outputs"].items():
        (page.parent / name).parent.mkdir(exist_ok=True)
        (page.parent / name).write_bytes(content)


class Loaded(HTMLParser):
    """Addresses that a browser fetches when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what a tag loads."""
        values = {name: value or "" for name, value in attributes}
        self.addresses += [value for name, value in values.items() if name in LOADING]
        if tag == "link" and LINKS & set(values.get("rel", "").split()):
            self.addresses.append(values.get("href", ""))
        if "mermaid" in values.get("class", "").split():
            self.addresses.append("https: the diagram library, which is fetched for a block `mermaid`")


def foreign(site: Path) -> list[str]:
    """What pages and styles of a site load from other hosts; a line for each."""
    broken = []
    for page in sorted(site.glob("**/*.html")):
        parser = Loaded()
        parser.feed(page.read_text(encoding="utf-8"))
        broken += [f"{page.relative_to(site)} loads {a}" for a in parser.addresses if a.startswith(("http", "//"))]
    for style in sorted(site.glob("**/*.css")):
        text = style.read_text(encoding="utf-8").replace(" ", "")
        broken += [
            f"{style.relative_to(site)} loads from another host"
            for mark in ("url(http", "url(//", "@import")
            if mark in text
        ]
    return broken


def main() -> None:
    """Build the site; end with 1 if it has a broken link, a warning, or loads anything from other hosts."""
    lay_out(PAGES)
    built = subprocess.run(
        [Path(sys.executable).parent / "zensical", "build", "--strict", "--clean"], cwd=ROOT, check=False
    )
    if built.returncode:
        sys.exit("the site has warnings, see above")
    if broken := foreign(SITE):
        sys.exit("\n".join(broken))
    print(f"open {SITE.relative_to(ROOT) / 'index.html'}")


if __name__ == "__main__":
    main()
