"""Take the pictures of pages that the documentation shows: `python -m scripts.screenshots CHROMIUM`.

A report compares the results in `results/`. The page of the service runs in a real browser with the shipped model. It
shows its sample strip, a day spliced from recordings of the challenge set in `data/`, some of these in a list, and a
file that cannot be read. Of that day, there is a report, too.
"""

from __future__ import annotations

import datetime
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import edfio
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.experiments import report
from ecg_rhythm.web.app import create_app
from scripts.chromium import QUIET, served
from studies.splices import day

ROOT = Path(__file__).parents[1]
PICTURES, DATA = ROOT / "docs" / "pictures", ROOT / "data"
SIZES = {"desktop": (1200, 900, "light"), "phone": (390, 844, "dark")}
LISTED, LONGEST = 24, 600_000
"""Recordings in the list; time in ms for an answer."""


def main() -> None:
    """Take each picture at each size."""
    with tempfile.TemporaryDirectory() as folder, served(create_app()) as address, sync_playwright() as playwright:
        store = open_store(DATA)
        files = written(store, Path(folder))
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=QUIET)
        for size, (width, height, scheme) in SIZES.items():
            for kind in ("strip", "holter", "list", "error"):
                page = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
                )
                page.goto(address)
                show(page, kind, files)
                time.sleep(1)  # for what is drawn after the next frame
                page.screenshot(path=PICTURES / f"page_{kind}_{size}.png", full_page=True)
                page.close()
        shoot_reports(browser, Path(folder), files["holter"][0])
        browser.close()


def written(store: Store, folder: Path) -> dict[str, list[Path]]:
    """Write the files that the page shows: kind of picture -> its files."""
    holter, broken = folder / "holter.edf", folder / "broken.edf"
    signal = edfio.EdfSignal(day(store), store.fs, label="ECG", physical_dimension="mV", physical_range=(-5, 5))
    edfio.Edf([signal], starttime=datetime.time(8, 30)).write(holter)
    broken.write_bytes(holter.read_bytes()[:300])
    chosen = np.random.default_rng(1).choice(len(store), LISTED, replace=False).tolist()
    for i in chosen:
        np.savez(folder / store.names[i], ecg=store.signal(i), fs=store.fs, unit="mV")
    return {"holter": [holter], "list": [folder / f"{store.names[i]}.npz" for i in chosen], "error": [broken]}


def show(page: Page, kind: str, files: dict[str, list[Path]]) -> None:
    """Let the page show what a picture is of."""
    if kind == "strip":
        page.get_by_role("button", name="Try a sample").click()
        page.get_by_role("button", name="Why this answer").click(timeout=LONGEST)
        page.wait_for_selector("#stretches li", timeout=LONGEST)
    else:
        page.set_input_files("#file", files[kind])
        shown = {"holter": "#episode-list li", "list": "#all-progress[hidden]", "error": "#error:not([hidden])"}[kind]
        page.wait_for_selector(shown, state="attached", timeout=LONGEST)
    if kind == "holter":
        page.get_by_role("button", name="Next episode").click()
    if kind == "list":
        page.wait_for_function("() => document.querySelectorAll('#list .swatch').length > 20", timeout=LONGEST)
        if not page.locator("#list-body").is_visible():
            page.locator("#list-toggle").click()


def shoot_reports(browser: Browser, folder: Path, day: Path) -> None:
    """Take the pictures of the first page of two reports: of results, and of the day."""
    report.write([ROOT / "results"], folder / "report.html", DATA, ["ecg-rhythm", "report", "results"])
    words = [sys.executable, "-m", "ecg_rhythm", "classify", str(day), "--report", str(folder / "holter_report.html")]
    subprocess.run(words, check=True, capture_output=True)
    for name, height in (("report", 980), ("holter_report", 1400)):
        page = browser.new_page(viewport={"width": 1200, "height": height}, color_scheme="light")
        page.goto((folder / f"{name}.html").as_uri())
        page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
