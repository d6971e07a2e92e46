"""The page by keyboard alone, and as axe-core judges it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import needs_chromium, violations
from tests.web.test_page_list import open_list, strips

pytestmark = needs_chromium


def test_axe_finds_nothing(page: Page, tmp_path: Path) -> None:
    assert violations(page) == []
    (tmp_path / "bad.edf").write_bytes(b"bad")
    np.savez(tmp_path / "night.npz", ecg=np.random.default_rng(0).normal(size=60_000), fs=100, unit="mV")
    page.set_input_files("#file", [*strips(tmp_path, 2), tmp_path / "night.npz", tmp_path / "bad.edf"])
    expect(page.locator("#list-summary")).to_have_text("4 of 4 done, 1 failed")
    open_list(page)
    expect(page.locator("#error")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("n")  # the night
    expect(page.locator("#episodes")).to_be_visible()
    page.get_by_role("button", name="Next episode").click()
    assert violations(page) == []
    page.keyboard.press("n")  # a strip
    expect(page.locator("#title")).to_have_text("strip0.npz")
    page.keyboard.press("2")
    page.get_by_role("button", name="Measure").click()
    page.get_by_role("button", name="Why this answer").click()
    expect(page.locator("#influence-none")).not_to_have_text("Being computed …")
    assert violations(page) == []
    page.keyboard.press("?")
    assert violations(page) == []


@pytest.mark.parametrize("page", ["desktop"], indirect=True)
def test_all_is_reached_by_the_tab_key(page: Page) -> None:
    page.get_by_role("button", name="Try a sample").press("Enter")
    expect(page.locator("#strip canvas")).to_be_visible()
    page.keyboard.press("m")
    wanted = {"open", "help", "brush", "brush-from", "brush-to", "strip", "point-1", "point-2", "measure", "shade"}
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert wanted <= reached
