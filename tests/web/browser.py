"""The page in a real browser: Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts.chromium import QUIET

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1200, "height": 900}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True},
}
AXE = [Path(os.environ["AXE"])] if "AXE" in os.environ else []
AXE += [Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"]
"""Where the checker of accessibility may be: `npm install --no-save axe-core`, or the path of its script in `AXE`."""
WIDE = """document.documentElement.scrollWidth <= document.documentElement.clientWidth ? []
: [...document.querySelectorAll("*")]
.filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth)
.map(one => one.outerHTML.slice(0, 80))"""
"""What is beyond the right edge of the screen, if the page is wider."""
expect.set_options(timeout=60_000)
"""The first answer waits until the worker has loaded its libraries, beside other tests."""
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@contextmanager
def started() -> Iterator[Browser]:
    """Start the browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: str, size: str) -> Iterator[Page]:
    """Open the page; it must ask nobody else for anything, no script may fail, and it fits the screen."""
    strange: list[str] = []
    with browser.new_context(**SIZES[size], accept_downloads=True) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: strange.append(str(error)))
        page.on("console", lambda m: strange.append(m.text) if "Content Security Policy" in m.text else None)
        page.on("request", lambda r: None if r.url.startswith((address, "blob:", "data:")) else strange.append(r.url))
        page.goto(address)
        expect(page.locator("#model")).to_contain_text("ecg-rhythm")
        yield page
        wide = page.evaluate(WIDE)
    assert not strange, f"the page did what it must not: {strange}"
    assert not wide, f"wider than the screen: {wide}"


def saved(page: Page, button: str) -> Path:
    """Press a button, given by its selector, and give the file that is downloaded."""
    with page.expect_download() as download:
        page.locator(button).click()
    return Path(download.value.path())


def shown(page: Page) -> tuple[float, float]:
    """The part of a recording that the strip shows, start and end in s."""
    first, last = page.locator("#brush-from, #brush-to").all()
    return float(first.get_attribute("aria-valuenow") or 0), float(last.get_attribute("aria-valuenow") or 0)


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is shown; skips where it is missing."""
    script = next((path for path in AXE if path.is_file()), None)
    if script is None:
        pytest.skip("axe-core is missing: `npm install --no-save axe-core`, or name its script in AXE")
    page.evaluate(script.read_text(encoding="utf-8") + "; 0")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {node['html'][:150]}; {node['failureSummary']}" for one in found for node in one["nodes"]]
