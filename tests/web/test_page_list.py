"""Many recordings on the page: the list, its states and order, cancelling, and files of all answers."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import wfdb
from playwright.sync_api import Browser, Page, expect

from ecg_rhythm.web.app import create_app
from ecg_rhythm.web.service import Limits
from scripts.chromium import served
from tests.commands import run
from tests.helpers import onnx_model
from tests.web.browser import needs_chromium, opened, saved
from tests.web.conftest import desktop
from tests.web.test_page import days

pytestmark = needs_chromium
RNG = np.random.default_rng(0)


def strips(folder: Path, number: int) -> list[Path]:
    """Strips of other lengths and gains, so that no two have the same answer."""
    for i in range(number):
        wave = (0.2 + i / number) * np.sin(np.arange(1000 + 40 * i) / (4 + i)) + 0.1 * RNG.normal(size=1000 + 40 * i)
        np.savez(folder / f"strip{i}.npz", ecg=wave, fs=100, unit="mV")
    return sorted(folder.glob("strip*.npz"))


def records(folder: Path) -> list[Path]:
    """The files of two WFDB records."""
    for name in ("r1", "r2"):
        signal = np.sin(np.arange(2000) / 9)[:, None]
        wfdb.wrsamp(name, fs=100, units=["mV"], sig_name=["I"], p_signal=signal, fmt=["16"], write_dir=str(folder))
    return sorted(folder.glob("r?.*"))


def open_list(page: Page) -> None:
    """Open the list where a phone hides it."""
    expect(page.locator("#recordings")).to_be_visible()
    if not page.locator("#list-body").is_visible():
        page.locator("#list-toggle").click()


def names(page: Page) -> list[str]:
    open_list(page)
    return page.locator("#list th").all_inner_texts()


def test_files_of_all_kinds_are_listed_with_their_states_and_sorted(page: Page, tmp_path: Path) -> None:
    files = [*strips(tmp_path, 4), *records(tmp_path), tmp_path / "bad.edf"]
    files[-1].write_bytes(b"bad")
    page.set_input_files("#file", files)
    expect(page.locator("#list-summary")).to_have_text("7 of 7 done, 1 failed")
    assert names(page) == ["bad", "r1", "r2", "strip0", "strip1", "strip2", "strip3"]
    expect(page.locator("#list tr").first).to_contain_text("bad.edf")
    expect(page.locator("#list .failure")).to_have_count(1)
    heading = page.locator("#recordings th[data-by=af]")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    shares = [int(text.split()[0]) for text in page.locator("#list td:nth-child(4)").all_inner_texts() if text]
    assert shares == sorted(shares, reverse=True)
    assert names(page)[-1] == "bad"  # which has none
    for column, key in (("quality", "ascending"), ("name", "descending")):
        heading = page.locator(f"#recordings th[data-by={column}]")
        heading.get_by_role("button").click()
        heading.get_by_role("button").click()
        expect(heading).to_have_attribute("aria-sort", key)
    assert names(page) == ["strip3", "strip2", "strip1", "strip0", "r2", "r1", "bad"]


def test_long_names_are_whole_and_cover_nothing(page: Page, tmp_path: Path) -> None:
    names_of = [f"patient_0001_visit_2024-03-12_device_8812_{part}" for part in ("morning", "evening")]
    for name, path in zip(names_of, strips(tmp_path, 2), strict=True):
        path.rename(tmp_path / f"{name}.npz")
    page.set_input_files("#file", [tmp_path / f"{name}.npz" for name in names_of])
    expect(page.locator("#list-summary")).to_have_text("2 of 2 done")
    open_list(page)
    card = page.locator("#recordings").bounding_box()
    assert card is not None
    for cell in page.locator("#recordings .scroll, #list td:visible, #list th button, #next").all():
        box = cell.bounding_box()
        assert box is not None and card["x"] <= box["x"] and box["x"] + box["width"] <= card["x"] + card["width"]
    for button in page.locator("#list th button").all():
        assert button.evaluate("e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight")


def test_keys_and_buttons_lead_from_one_to_the_next(page: Page, tmp_path: Path) -> None:
    page.set_input_files("#file", strips(tmp_path, 3))
    expect(page.locator("#list-summary")).to_have_text("3 of 3 done")
    expect(page.locator("#title")).to_have_text("strip0.npz")
    page.keyboard.press("n")
    expect(page.locator("#title")).to_have_text("strip1.npz")
    page.get_by_role("button", name="Next recording").click()
    expect(page.locator("#title")).to_have_text("strip2.npz")
    expect(page.get_by_role("button", name="Next recording")).to_be_disabled()
    page.keyboard.press("p")
    expect(page.locator("#title")).to_have_text("strip1.npz")
    open_list(page)
    page.locator("#list tr.current button").press("ArrowUp")
    expect(page.locator("#title")).to_have_text("strip0.npz")
    expect(page.locator("#list tr.current button")).to_be_focused()
    expect(page.locator("#strip canvas")).to_be_visible()


@desktop
def test_a_file_that_is_in_the_list_already_is_shown_again(page: Page, tmp_path: Path) -> None:
    files = strips(tmp_path, 3)
    page.set_input_files("#file", files)
    assert names(page) == ["strip0", "strip1", "strip2"]
    page.set_input_files("#file", files[2])
    expect(page.locator("#title")).to_have_text("strip2.npz")
    assert names(page) == ["strip0", "strip1", "strip2"]
    files[2].write_bytes(files[1].read_bytes())  # another recording, under the same name
    page.set_input_files("#file", files[2])
    expect(page.locator("#list th")).to_have_count(4)


@desktop
def test_a_folder_is_opened_and_what_is_no_ecg_is_passed_over(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "ward"
    (folder / "deep").mkdir(parents=True)
    (folder / "notes.md").write_text("notes")
    (folder / ".hidden.npz").write_bytes(b"0")
    strips(folder, 1)
    records(folder / "deep")
    page.set_input_files("#folder", folder)
    expect(page.locator("#list-summary")).to_have_text("3 of 3 done")
    assert names(page) == ["r1", "r2", "strip0"]
    expect(page.locator("#problem")).to_contain_text("Passed over 1 file that is no ECG: .md")


@desktop
def test_answers_are_saved_as_the_command_line_prints_them(
    page: Page, page_address: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    np.savez(tmp_path / "long.npz", ecg=RNG.normal(size=15_000), fs=100, unit="mV")
    files = [*strips(tmp_path, 3), tmp_path / "long.npz", *records(tmp_path)]
    page.set_input_files("#file", files)
    expect(page.locator("#list-summary")).to_have_text("6 of 6 done")
    open_list(page)
    rows = list(csv.DictReader(io.StringIO(saved(page, "#all-csv").read_text())))
    model = onnx_model(tmp_path_factory.mktemp("same") / "m.onnx")
    whole = [path for path in sorted(files) if path.suffix != ".dat"]
    printed = run("classify", *whole, "--model", model, "--csv").stdout
    expected = list(csv.DictReader(io.StringIO(printed)))
    assert list(rows[0]) == list(expected[0])
    assert len(rows) == len(expected)
    for row, other in zip(rows, expected, strict=True):
        assert row.pop("file") == Path(other.pop("file")).name
        for column, value in other.items():
            same = row[column] == value or float(row[column]) == pytest.approx(float(value), abs=2e-6)
            assert same, (column, row[column], value)
    answers = json.loads(saved(page, "#all-json").read_text())
    plain = json.loads(run("classify", *whole, "--model", model, "--json").stdout)
    assert [one.keys() for one in answers] == [one.keys() for one in plain]
    assert [(one["kind"], one["record"]) for one in answers] == [(one["kind"], one["record"]) for one in plain]


def test_more_recordings_than_the_server_takes_wait_for_their_turn(browser: Browser, tmp_path: Path) -> None:
    limits = Limits(workers=1, jobs=1)
    model = onnx_model(tmp_path / "m.onnx")
    refused = 0

    def count(status: int) -> None:
        nonlocal refused
        refused += status == 503

    with served(create_app([model], limits=limits), limits) as address, opened(browser, address, "desktop") as page:
        page.on("response", lambda response: count(response.status))
        page.set_input_files("#file", strips(tmp_path, 8))
        expect(page.locator("#list-summary")).to_have_text("8 of 8 done")
        expect(page.locator("#list .failure")).to_have_count(0)
    assert refused


@pytest.mark.slow
def test_fifty_recordings_of_the_challenge_are_classified_at_once(
    browser: Browser, challenge_files: Path, tmp_path: Path
) -> None:
    """Dropped as a folder of a hundred files, with the network that the program includes."""
    with zipfile.ZipFile(challenge_files / "training2017.zip") as archive:
        headers = sorted(name for name in archive.namelist() if name.endswith(".hea"))[:50]
        archive.extractall(tmp_path, [*headers, *(name.replace(".hea", ".mat") for name in headers)])
    folder = tmp_path / Path(headers[0]).parent
    limits = Limits()
    with (
        served(create_app([Path("default")], limits=limits), limits) as address,
        opened(browser, address, "desktop") as page,
    ):
        began = time.monotonic()
        page.set_input_files("#file", sorted(folder.iterdir()))
        expect(page.locator("#list tr")).to_have_count(50)
        expect(page.locator("#list-summary")).to_have_text("50 of 50 done", timeout=300_000)
        print(f"50 recordings in {time.monotonic() - began:.1f} s")
        found = {row["record"]: row for row in csv.DictReader(io.StringIO(saved(page, "#all-csv").read_text()))}
    plain = csv.DictReader(io.StringIO(run("classify", folder, "--csv").stdout))
    told = {Path(row["record"]).name: row for row in plain}
    assert found.keys() == told.keys() and len(told) == 50
    assert all(found[name]["label"] == told[name]["label"] for name in told)


@desktop
def test_one_or_all_can_be_cancelled(page: Page, tmp_path: Path) -> None:
    page.set_input_files("#file", [days(tmp_path), *strips(tmp_path, 2)])
    open_list(page)
    expect(page.locator("#list tr").first).to_contain_text(re.compile(r"\d+ of 28799"))
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator("#list tr").first).to_contain_text("Cancelled")
    expect(page.locator("#list-summary")).to_have_text("3 of 3 done")
    page.get_by_role("button", name="Classify it").click()
    expect(page.locator("#windows")).to_contain_text("of 28799")
    page.get_by_role("button", name="Cancel all").click()
    expect(page.locator("#list-summary")).to_have_text("3 of 3 done")
    expect(page.locator("#list tr").first).to_contain_text("Cancelled")


@desktop
def test_signals_that_are_not_kept_are_asked_for_again(page: Page, tmp_path: Path) -> None:
    """A file that is large is classified without its signal, unless it is looked at."""
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", ecg=RNG.normal(size=600_000), fs=1000, unit="mV")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/signal" in request.url else None)
    page.set_input_files("#file", [tmp_path / "a.npz", tmp_path / "b.npz"])
    expect(page.locator("#list-summary")).to_have_text("2 of 2 done")
    assert not asked
    page.keyboard.press("n")
    expect(page.locator("#title")).to_have_text("b.npz")
    expect(page.locator("#fetching")).to_be_hidden()
    expect(page.locator("#strip canvas")).to_be_visible()
    assert len(asked) == 1


def test_the_list_can_be_closed(page: Page, tmp_path: Path) -> None:
    page.set_input_files("#file", strips(tmp_path, 2))
    expect(page.locator("#list-summary")).to_have_text("2 of 2 done")
    open_list(page)
    page.get_by_role("button", name="Close all").click()
    expect(page.get_by_role("button", name="Try a sample")).to_be_visible()
    page.get_by_role("button", name="Try a sample").click()
    expect(page.locator("#title")).to_have_text("sample.csv")
