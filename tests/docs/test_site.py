"""The documentation site: built strictly, and looked at in a browser."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import sync_playwright

from ecg_rhythm.inference.answers import Prediction, Timeline
from scripts import reference, site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, with the notebook executed; a broken link, a warning or a failing cell ends the build."""
    of_all = tmp_path_factory.getbasetemp().parent  # of all processes that run tests: one of them builds it
    said = of_all / "site.txt"
    with FileLock(of_all / "site.lock"):
        if not said.exists():
            done = subprocess.run(
                [sys.executable, "-m", "scripts.site"], cwd=site.ROOT, capture_output=True, text=True, check=False
            )
            said.write_text("" if done.returncode == 0 else done.stdout + done.stderr)
    assert said.read_text() == ""
    return site.SITE


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(built))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_every_page_of_the_documentation_is_in_the_navigation(built: Path) -> None:
    listed = set(re.findall(r'"([\w/-]+)\.md"', (site.ROOT / "zensical.toml").read_text(encoding="utf-8")))
    pages = {str(page.relative_to(site.PAGES).with_suffix("")) for page in site.PAGES.glob("**/*.md")}
    assert pages == listed


@pytest.mark.slow
def test_the_notebook_shows_what_its_cells_give(built: Path) -> None:
    page = (built / "notebooks" / "tour.html").read_text(encoding="utf-8")
    assert page.count("<svg") > 1, "a strip and a timeline"
    assert len(list((built / "notebooks").glob("**/*.png"))) == 2, "the explanation and the probabilities"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_pages_load_nothing_from_other_hosts_and_fit_a_phone(built: Path, address: str) -> None:
    strange: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.on("pageerror", lambda error: strange.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith((address, "blob:", "data:")) else strange.append(r.url))
        for file in sorted(built.glob("**/*.html")):
            page.goto(f"{address}/{file.relative_to(built)}")
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 390, f"{file.name} is {width} pixels wide on a phone"
        browser.close()
    assert strange == []


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/x.css">',
        '<link href="https://fonts.example" rel="preconnect">',
        '<img alt="" src="http://example/x.png">',
        '<pre class="mermaid"><code>graph</code></pre>',
    ],
)
def test_what_would_be_loaded_from_another_host_is_found(html: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(f'<a href="https://example">a link</a>{html}', encoding="utf-8")
    assert len(site.foreign(tmp_path)) == 1


def test_links_to_other_hosts_and_files_of_the_site_are_fine(tmp_path: Path) -> None:
    text = '<a href="https://example">a link</a><img src="x.png"><link rel="stylesheet" href="x.css">'
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    (tmp_path / "x.css").write_text("a { background: url(x.png) }", encoding="utf-8")
    assert site.foreign(tmp_path) == []


def test_a_style_that_loads_a_font_from_another_host_is_found(tmp_path: Path) -> None:
    (tmp_path / "x.css").write_text("@font-face { src: url( https://example/x.woff2 ) }", encoding="utf-8")
    assert len(site.foreign(tmp_path)) == 1


def test_reference_names_every_verb_but_hidden_ones_and_every_key() -> None:
    commands = reference.command_line()
    assert "## `ecg-rhythm classify`" in commands and "--coverage" in commands
    assert "ecg-rhythm run`" not in commands
    assert '| `rate_schedule` | `"constant"` or' in reference.model_file()
    assert "| `cvids` | list of whole numbers, each ≥ 0, ≤ 1000000 | required |" in reference.job_file()


def test_the_page_of_fields_names_every_field() -> None:
    page = (site.ROOT / "docs" / "reference" / "answers.md").read_text(encoding="utf-8")
    named = {
        name for cell in re.findall(r"^\| (`.*?) \|", page, flags=re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    fields = {field.name for answer in (Prediction, Timeline) for field in dataclasses.fields(answer)}
    assert fields - {"signal"} <= named


def test_the_notebook_is_kept_without_output() -> None:
    notebook = json.loads((site.ROOT / "docs" / "notebooks" / "tour.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code and all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
