"""Take the pictures of pages that the documentation shows: `python -m scripts.screenshots CHROMIUM`.

A report compares the results in `results/`. The page of the service runs in a real browser with the shipped model. It
shows its sample strip, a day spliced from recordings of the challenge set in `data/`, and a file that cannot be read.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import edfio
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, sync_playwright

from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.experiments import report
from ecg_rhythm.web.app import create_app
from ecg_rhythm.web.server import Server

ROOT = Path(__file__).parents[1]
PICTURES, DATA = ROOT / "docs" / "pictures", ROOT / "data"
SIZES = {"desktop": (1200, 900, "light"), "phone": (390, 844, "dark")}
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
DAY = (("N", 6.0), ("A", 0.5), ("N", 3.0), ("A", 2.0), ("N", 8.0), ("~", 0.5), ("N", 4.0))
"""Rhythms of the spliced day, and the hours that each lasts."""


def spliced(store: Store) -> NDArray[np.float64]:
    """Splice a day in mV; each rhythm consists of recordings with that label."""
    rng, labels, parts = np.random.default_rng(0), np.array(store.labels_of()), []
    for label, hours in DAY:
        of_class, length = np.flatnonzero(labels == label), int(hours * 3600 * store.fs)
        signals: list[NDArray[np.float32]] = []
        while sum(map(len, signals)) < length:
            signals.append(store.signal(int(rng.choice(of_class))))
        parts.append(np.concatenate(signals)[:length])
    return np.clip(np.concatenate(parts), -5, 5).astype(np.float64)


@contextmanager
def served() -> Iterator[str]:
    """Serve the page and yield its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = Server(create_app())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def main() -> None:
    """Take each picture at each size."""
    with tempfile.TemporaryDirectory() as folder, served() as address, sync_playwright() as playwright:
        day, broken = Path(folder) / "holter.edf", Path(folder) / "broken.edf"
        store = open_store(DATA)
        signal = edfio.EdfSignal(spliced(store), store.fs, label="ECG", physical_dimension="mV", physical_range=(-5, 5))
        edfio.Edf([signal]).write(day)
        broken.write_bytes(day.read_bytes()[:300])
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=QUIET)
        for size, (width, height, scheme) in SIZES.items():
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
            )
            page.goto(address)
            page.get_by_role("button", name="Try a sample").click()
            for kind, shown, file in (
                ("strip", "#result:not([hidden])", None),
                ("holter", "#episodes:not([hidden])", day),
                ("error", "#error:not([hidden])", broken),
            ):
                if file is not None:
                    page.set_input_files("#file", file)
                page.wait_for_selector(shown, timeout=120_000)
                time.sleep(1)  # for what is drawn after the next frame
                page.screenshot(path=PICTURES / f"page_{kind}_{size}.png", full_page=True)
        shoot_report(browser, Path(folder))
        browser.close()


def shoot_report(browser: Browser, folder: Path) -> None:
    """Take the picture of a report's first page."""
    report.write([ROOT / "results"], folder / "report.html", DATA, ["ecg-rhythm", "report", "results"])
    page = browser.new_page(viewport={"width": 1200, "height": 980}, color_scheme="light")
    page.goto((folder / "report.html").as_uri())
    page.screenshot(path=PICTURES / "report.png")


if __name__ == "__main__":
    main()
