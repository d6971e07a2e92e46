"""The page in a real browser: Chromium, driven by Playwright."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from ecg_rhythm.web.app import create_app
from ecg_rhythm.web.server import Server
from ecg_rhythm.web.service import Limits
from tests.helpers import onnx_model

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
expect.set_options(timeout=60_000)
"""The first answer waits until the worker has loaded its libraries, beside other tests."""
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model, limits = onnx_model(tmp_path_factory.mktemp("model") / "m.onnx"), Limits(workers=1, jobs=100)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = Server(create_app([model], limits=limits), limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(params=["desktop", "phone"])
def page(request: pytest.FixtureRequest, address: str) -> Iterator[Page]:
    """The page just opened; it must ask nobody else for anything, and no script may fail."""
    width, height, scheme = (1200, 900, "light") if request.param == "desktop" else (390, 844, "dark")
    strange: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            accept_downloads=True,
        )
        page = context.new_page()
        page.on("pageerror", lambda error: strange.append(str(error)))
        page.on("console", lambda m: strange.append(m.text) if "Content Security Policy" in m.text else None)
        page.on("request", lambda r: None if r.url.startswith((address, "blob:", "data:")) else strange.append(r.url))
        page.goto(address)
        yield page
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        browser.close()
    assert strange == []
    assert not wide, "the page is wider than the screen"


def test_a_sample_is_shown_moved_and_zoomed_by_keys(page: Page) -> None:
    page.get_by_role("button", name="Try a sample").click()
    expect(page.locator("#title")).to_contain_text("sample.csv")
    expect(page.locator("#summary meter")).to_have_count(3)
    expect(page.locator("#summary p")).to_contain_text(
        re.compile(r"heart rate \d+ beats/min; quality 0\.\d\d?\d?(;|$)")
    )
    where = page.locator("#where")
    before = where.inner_text()
    page.locator("#viewer").focus()
    page.keyboard.press("ArrowRight")
    assert where.inner_text() != before
    page.keyboard.press("Home")
    assert where.inner_text() == before
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("Home")
    first, last = (float(part.split()[0]) for part in where.inner_text().split(" to "))
    assert last - first == pytest.approx(page.locator("#viewer").bounding_box()["width"] / 400, abs=0.15)  # type: ignore[index]
    page.get_by_role("button", name="25 mm/s").click()
    assert where.inner_text() == before
    assert page.evaluate("viewer.plot.data[1].some(v => v !== null)")


def test_a_long_recording_shows_its_timeline(page: Page, tmp_path: Path) -> None:
    np.savez(tmp_path / "day.npz", ecg=np.random.default_rng(0).normal(size=60_000), fs=100, unit="mV")
    page.set_input_files("#file", tmp_path / "day.npz")
    expect(page.locator("#title")).to_contain_text("AF burden")
    expect(page.locator("#overview")).to_be_visible()
    page.locator("#overview").click(position={"x": 200, "y": 20})
    assert not page.locator("#where").inner_text().startswith("0.0 s")
    page.get_by_role("button", name="All").click()
    expect(page.locator("#where")).to_have_text("0.0 s to 0:10:00")
    page.locator("#overview").click(position={"x": 200, "y": 20})
    page.get_by_role("button", name="Try a sample").click()
    expect(page.locator("#title")).to_contain_text("sample.csv")
    assert page.locator("#where").inner_text().startswith("0.0 s")


def days(folder: Path) -> Path:
    """A recording that takes some seconds."""
    np.savez(folder / "days.npz", ecg=np.resize(np.sin(np.arange(2000) / 7), 40 * 360_000), fs=100, unit="mV")
    return folder / "days.npz"


def jobs(address: str) -> int:
    number: int = httpx.get(f"{address}/api/health").json()["jobs"]
    return number


def test_a_long_recording_shows_its_progress_and_can_be_cancelled(page: Page, address: str, tmp_path: Path) -> None:
    before = jobs(address)
    page.set_input_files("#file", days(tmp_path))
    expect(page.locator("#windows")).to_have_text(re.compile(r"^\d+ of 28799 windows$"))
    expect(page.locator("#status")).to_have_text("Classifying days.npz ...")
    assert page.evaluate("document.getElementById('progress').max") == 28799
    assert jobs(address) == before + 1
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#working")).to_be_hidden()
    expect(page.locator("#status")).to_have_text("")
    expect(page.locator("#error")).to_be_hidden()
    expect(page.locator("#result")).to_be_hidden()
    for _ in range(100):
        if jobs(address) == before:
            break
        time.sleep(0.05)
    assert jobs(address) == before
    page.get_by_role("button", name="Try a sample").click()
    expect(page.locator("#title")).to_contain_text("sample.csv")
    expect(page.locator("#working")).to_be_hidden()


def test_another_file_cancels_the_one_before(page: Page, address: str, tmp_path: Path) -> None:
    before = jobs(address)
    page.set_input_files("#file", days(tmp_path))
    expect(page.locator("#windows")).to_contain_text("windows")
    page.get_by_role("button", name="Try a sample").click()
    expect(page.locator("#title")).to_contain_text("sample.csv: ")
    assert jobs(address) == before + 1


def test_what_the_server_has_forgotten_is_said_or_done_again(page: Page, address: str, tmp_path: Path) -> None:
    page.set_input_files("#file", days(tmp_path))
    expect(page.locator("#windows")).to_contain_text("windows")
    httpx.delete(f"{address}/api/jobs/{page.evaluate('sent.job')}")
    expect(page.get_by_role("alert")).to_contain_text("or the server was restarted; send the file again")
    expect(page.locator("#working")).to_be_hidden()
    page.get_by_role("button", name="Try a sample").click()
    expect(page.locator("#title")).to_contain_text("sample.csv")
    httpx.delete(f"{address}/api/jobs/{page.evaluate('sent.job')}")
    with page.expect_download() as download:
        page.locator("[data-get=png]").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    expect(page.locator("#working")).to_be_hidden()


def test_what_cannot_be_read_is_said(page: Page, tmp_path: Path) -> None:
    (tmp_path / "bad <b>.edf").write_bytes(b"bad")
    page.set_input_files("#file", tmp_path / "bad <b>.edf")
    expect(page.get_by_role("alert")).to_contain_text("bad <b>.edf")
    expect(page.locator("#result")).to_be_hidden()


def test_lead_rate_and_unit_apply_to_the_file_that_is_shown(page: Page, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "r.csv", np.sin(np.arange(3000) / 9))
    page.set_input_files("#file", tmp_path / "r.csv")
    expect(page.get_by_role("alert")).to_have_text("r.csv: its sampling rate is unknown; give it in Hz with fs")
    page.locator("#fs").fill("300")
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_contain_text("r.csv")
    expect(page.locator("#reading")).to_contain_text("lead ECG, 300 -> 100 Hz, 10 s")
    page.locator("#fs").fill("250,5")
    page.keyboard.press("Enter")
    expect(page.locator("#reading")).to_contain_text("250.5 -> 100 Hz")
    page.get_by_role("button", name="Try a sample").click()  # to which they do not apply
    expect(page.locator("#title")).to_contain_text("sample.csv")
    expect(page.locator("#fs")).to_have_value("")


@pytest.mark.parametrize("kind", ["json", "csv", "png", "pdf"])
def test_results_can_be_downloaded(page: Page, kind: str) -> None:
    page.get_by_role("button", name="Try a sample").click()
    expect(page.locator("#result")).to_be_visible()
    with page.expect_download() as download:
        page.locator(f"[data-get={kind}]").click()
    assert download.value.suggested_filename == f"sample.{kind}"
    beginnings = {
        "json": b"{",
        "csv": b"record,lead,fs,seconds,missing,start_time,label,p(N),p(A),p(~),",
        "png": b"\x89PNG",
        "pdf": b"%PDF",
    }
    assert Path(download.value.path()).read_bytes().startswith(beginnings[kind])
