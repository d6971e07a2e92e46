"""One recording on the page: its answer, moving and zooming, the overview, measuring, episodes, and files of it."""

from __future__ import annotations

import datetime
import json
import re
import time
from pathlib import Path

import edfio
import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.examples import hour
from tests.web.browser import needs_chromium, opened, saved, shown
from tests.web.conftest import desktop

pytestmark = needs_chromium


def sample(page: Page) -> None:
    page.get_by_role("button", name="Try a sample").click()
    expect(page.locator("#title")).to_have_text("sample.csv")
    expect(page.locator("#bars .bar")).to_have_count(3)
    expect(page.locator("#strip canvas")).to_be_visible()


def long(folder: Path, seconds: int = 600) -> Path:
    """A recording that has a clock time and is classified in windows."""
    signal = edfio.EdfSignal(
        np.clip(np.random.default_rng(0).normal(size=seconds * 100), -3, 3), 100, label="ECG", physical_dimension="mV"
    )
    edfio.Edf([signal], starttime=datetime.time(22, 30)).write(folder / "night.edf")
    return folder / "night.edf"


def test_a_sample_is_shown_moved_and_zoomed_by_keys(page: Page) -> None:
    sample(page)
    expect(page.locator("#verdict")).to_have_text(
        re.compile(r"^(Normal \(N\)|Atrial fibrillation \(A\)|Too noisy \(~\))$")
    )
    expect(page.locator("#facts")).to_contain_text(re.compile(r"Quality\s*0?\.?\d"))
    before = shown(page)
    assert before[0] == 0
    page.locator("#strip").focus()
    page.keyboard.press("ArrowRight")
    assert shown(page)[0] > 0
    page.keyboard.press("Home")
    assert shown(page) == before
    page.keyboard.press("+")
    page.keyboard.press("Home")
    assert shown(page)[1] == pytest.approx(before[1] / 2, abs=0.15)
    page.keyboard.press("ArrowUp")
    expect(page.locator("#gain")).to_have_text("20 mm/mV")
    page.keyboard.press("a")
    assert shown(page) == (0, 13.4)
    page.get_by_role("button", name="25 mm/s").click()
    assert shown(page) == before


def test_a_pointer_moves_the_strip(page: Page) -> None:
    sample(page)
    before, box = shown(page), page.locator("#strip").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 50, steps=3)
    page.mouse.up()
    after = shown(page)
    assert after[0] == pytest.approx(before[0] + 0.3 * box["width"] / (box["width"] - 48) * before[1], abs=0.2)


def test_the_brush_is_dragged_and_resized_by_pointer_and_keys(page: Page) -> None:
    sample(page)
    box, before = page.locator("#overview").bounding_box(), shown(page)
    assert box is not None

    def drag(x: float, to: float) -> None:
        page.mouse.move(box["x"] + x, box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + to, box["y"] + 30, steps=4)
        page.mouse.up()

    per_pixel = 13.37 / box["width"]
    middle = (before[1] / 2) / per_pixel
    drag(middle, middle + 40)
    assert shown(page)[0] == pytest.approx(40 * per_pixel, abs=0.15)
    assert shown(page)[1] == pytest.approx(before[1] + 40 * per_pixel, abs=0.15)
    edge = shown(page)[1] / per_pixel
    drag(edge + 4, edge + 34)  # the end of the part
    assert shown(page)[0] == pytest.approx(40 * per_pixel, abs=0.15)
    assert shown(page)[1] == pytest.approx(before[1] + 70 * per_pixel, abs=0.2)
    wide = shown(page)
    page.locator("#brush").press("ArrowLeft")
    assert shown(page)[0] < wide[0]
    page.locator("#brush").press("End")
    assert shown(page)[1] == pytest.approx(13.4, abs=0.05)
    page.locator("#brush-from").press("ArrowRight")
    assert shown(page)[1] - shown(page)[0] < wide[1] - wide[0]
    page.mouse.click(box["x"] + 3, box["y"] + 30)  # beside the brush: the part goes there
    assert shown(page)[0] == 0


def test_time_rate_and_voltage_are_measured_by_pointer_and_keys(page: Page, tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 1000)  # 0.1 mV a second
    np.savez(tmp_path / "ramp.npz", ecg=ramp + np.tile([0, 1e-3], 500), fs=100, unit="mV")
    page.set_input_files("#file", tmp_path / "ramp.npz")
    expect(page.locator("#strip canvas")).to_be_visible()
    page.keyboard.press("m")
    expect(page.get_by_role("button", name="Measure")).to_have_attribute("aria-pressed", "true")
    first, second = page.get_by_role("slider", name="First point"), page.get_by_role("slider", name="Second point")
    for _ in range(3):
        first.press("ArrowRight")
    second.press("Shift+ArrowLeft")
    times = [float(point.get_attribute("aria-valuenow") or 0) for point in (first, second)]
    between = times[1] - times[0]
    expect(page.locator("#measured-time")).to_have_text(re.compile(r"^\d+ ms$"))
    measured = float((page.locator("#measured-time").text_content() or "").split()[0])
    assert measured == pytest.approx(1000 * between, abs=11)
    expect(page.locator("#measured-rate")).to_have_text(f"{60_000 / measured:.0f} beats/min")
    voltage = (page.locator("#measured-voltage").text_content() or "").split()[0]
    assert float(voltage) == pytest.approx(0.1 * between, abs=0.015)
    box = page.locator("#strip").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 90)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 90, steps=3)
    page.mouse.up()
    seconds = 150 / (box["width"] - 48) * shown(page)[1]
    dragged = float((page.locator("#measured-time").text_content() or "").split()[0])
    assert dragged == pytest.approx(1000 * seconds, abs=30)
    page.keyboard.press("Escape")
    expect(page.locator("#measured")).to_be_hidden()


def test_touch_measures_and_targets_are_large(browser: Browser, page_address: str) -> None:
    with opened(browser, page_address, "phone") as page:
        sample(page)
        small = page.evaluate(
            """[...document.querySelectorAll("button, summary, select, input, [role=slider]")]
            .filter(one => one.checkVisibility() && one.id !== "brush")
            .map(one => [one.id || one.textContent, one.getBoundingClientRect()])
            .filter(([, box]) => box.height && (box.height < 40 || box.width < 40)).map(([name]) => name)"""
        )
        assert small == []
        page.get_by_role("button", name="Measure").tap()
        box = page.locator("#strip").bounding_box()
        assert box is not None
        touch = page.context.new_cdp_session(page)
        page.locator("#strip").scroll_into_view_if_needed()
        box = page.locator("#strip").bounding_box()
        assert box is not None
        y = box["y"] + 60
        for kind, x in (("touchStart", 80.0), ("touchMove", 150.0), ("touchMove", 180.0)):
            points = [{"x": box["x"] + x, "y": y}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        seconds = 100 / (box["width"] - 48) * (shown(page)[1] - shown(page)[0])
        dragged = float((page.locator("#measured-time").text_content() or "").split()[0])
        assert dragged == pytest.approx(1000 * seconds, abs=60)


def test_what_influenced_the_prediction_is_shown_when_it_is_asked_for(page: Page) -> None:
    sample(page)
    expect(page.locator("#influence")).to_be_hidden()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    before = shown(page)
    page.get_by_role("button", name="Why this answer").click()
    stretch = page.locator("#stretches button").last
    expect(stretch).to_be_visible()
    assert shown(page) == before
    start, end = (float(part.split()[0]) for part in (stretch.text_content() or "").split(" to "))
    page.locator("#strip").focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    stretch.click()
    assert shown(page)[0] <= (start + end) / 2 <= shown(page)[1]


def test_a_long_recording_has_episodes_and_clock_times(page: Page, tmp_path: Path) -> None:
    page.set_input_files("#file", long(tmp_path))
    expect(page.locator("#verdict")).to_have_text(re.compile(r"^AF burden (\d+\.\d\s%|–)$"))
    page.locator("#episode-rhythm").select_option("")
    rows = page.locator("#episode-list button")
    expect(rows.first).to_contain_text("22:30:00 to ")
    count = rows.count()
    page.get_by_role("button", name="Next episode").click()
    expect(page.locator("#episode-where")).to_have_text(
        f"1 of {count}" if count == 1 else re.compile(rf"\d+ of {count}")
    )
    rows.last.click()
    expect(rows.last).to_have_attribute("aria-current", "true")
    expect(page.locator("#brush")).to_have_attribute(
        "aria-valuetext", re.compile(r"^22:\d\d:\d\d to 22:\d\d:\d\d of 0:10:00$")
    )
    page.get_by_role("button", name="All", exact=True).click()
    assert shown(page) == (0, 600)
    expect(page.locator("#where")).to_have_text("22:30:00 to 22:40:00")


def test_a_long_recording_has_a_trend_of_its_heart_rate_and_pauses(page: Page, tmp_path: Path) -> None:
    beats = hour()[: 10 * 60 * 300]
    rest = np.random.default_rng(0).normal(0, 0.004, 4 * 300)
    signal = np.concatenate([beats[: 5 * 60 * 300], rest, beats[5 * 60 * 300 :]])
    np.savez(tmp_path / "night.npz", ecg=signal, fs=300, unit="mV")
    page.set_input_files("#file", tmp_path / "night.npz")
    expect(page.locator("#rates")).to_be_visible()
    expect(page.locator("#rate-trend canvas")).to_be_visible()
    expect(page.locator("#rate-trend")).to_have_attribute(
        "aria-label",
        re.compile(r"mean \d\d beats/min, lowest \d\d beats/min, highest \d\d beats/min$"),
    )
    pause = page.locator("#pauses button")
    expect(pause).to_have_text(re.compile(r"^0:0(4:5\d|5:0\d), \d\.\d s$"))
    pause.click()
    start, end = shown(page)
    assert start < 300 < end
    page.locator("#rate-trend .u-over").click(position={"x": 5, "y": 20})
    assert shown(page)[0] < 60


def test_each_hour_has_its_rates_and_its_share_of_fibrillation(page: Page, page_address: str, tmp_path: Path) -> None:
    signal = np.concatenate([hour(), hour()[: 10 * 60 * 300]])
    np.savez(tmp_path / "night.npz", ecg=signal, fs=300, unit="mV")
    content, kind = (tmp_path / "night.npz").read_bytes(), {"content-type": "application/octet-stream"}
    answer = httpx.post(f"{page_address}/api/classify?name=night.npz", content=content, headers=kind, timeout=60).json()
    page.set_input_files("#file", tmp_path / "night.npz")
    page.get_by_text("Hour by hour").click()
    rows = page.locator("#hours-rows tr")
    expect(rows).to_have_count(2)
    for i, found in enumerate(answer["rates"]["hours"]):
        labels = answer["labels"][720 * i : 720 * (i + 1)]  # steps of 5 s
        readable = sum(label != "~" for label in labels)
        shares = [100 * labels.count("A") / readable, 100 * labels.count("~") / len(labels)]
        cells = [float(text.replace("%", "")) for text in rows.nth(i).locator("td").all_inner_texts()]
        assert cells[:3] == pytest.approx([found[key] for key in ("mean", "lowest", "highest")], abs=0.51)
        assert cells[3:] == pytest.approx(shares, abs=0.051)
    rows.nth(1).get_by_role("button").click()
    assert shown(page) == (3600, 4200)


def days(folder: Path) -> Path:
    """A recording that takes some seconds."""
    np.savez(folder / "days.npz", ecg=np.resize(np.sin(np.arange(2000) / 7), 40 * 360_000), fs=100, unit="mV")
    return folder / "days.npz"


def jobs(address: str) -> int:
    """Jobs of a server that are not finished or not forgotten."""
    number: int = httpx.get(f"{address}/api/health").json()["jobs"]
    return number


def test_a_long_recording_shows_its_progress_and_can_be_cancelled(
    page: Page, page_address: str, tmp_path: Path
) -> None:
    ids: list[str] = []
    page.on("response", lambda r: ids.append(r.headers["location"]) if r.status == 202 else None)
    page.set_input_files("#file", days(tmp_path))
    expect(page.locator("#windows")).to_have_text(re.compile(r"^\d+ of 28799 windows$"))
    expect(page.locator("#status")).to_have_text("Classifying days.npz …")
    assert page.evaluate("document.getElementById('progress').max") == 28799
    assert httpx.get(page_address + ids[0]).status_code == 200
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator("#working")).to_be_hidden()
    expect(page.locator("#cancelled")).to_be_visible()
    expect(page.locator("#error")).to_be_hidden()
    expect(page.locator("#result")).to_be_hidden()
    for _ in range(100):
        if httpx.get(page_address + ids[0]).status_code == 404:
            break
        time.sleep(0.05)
    assert httpx.get(page_address + ids[0]).status_code == 404


@desktop
def test_what_the_server_has_forgotten_is_done_again(page: Page, page_address: str) -> None:
    ids: list[str] = []
    page.on("response", lambda r: ids.append(r.headers["location"]) if r.status == 202 else None)
    sample(page)
    httpx.delete(page_address + ids[0])
    assert saved(page, "[data-get=png]").read_bytes().startswith(b"\x89PNG")
    expect(page.locator("#working")).to_be_hidden()
    assert len(ids) == 2


def test_what_cannot_be_read_is_said(page: Page, tmp_path: Path) -> None:
    (tmp_path / "bad <b>.edf").write_bytes(b"bad")
    page.set_input_files("#file", tmp_path / "bad <b>.edf")
    expect(page.locator("#error")).to_contain_text("bad <b>.edf")
    expect(page.locator("#result")).to_be_hidden()
    (tmp_path / "empty.csv").touch()
    page.set_input_files("#file", tmp_path / "empty.csv")
    page.locator("#next").click()
    expect(page.locator("#error")).to_have_text("This file is empty; get a new copy.")


@desktop
def test_lead_rate_and_unit_apply_to_the_file_that_is_shown(page: Page, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "r.csv", np.sin(np.arange(3000) / 9))
    page.set_input_files("#file", tmp_path / "r.csv")
    expect(page.locator("#error")).to_have_text("r.csv: its sampling rate is unknown; give it in Hz with fs")
    page.locator("#fs").fill("300")
    page.keyboard.press("Enter")
    expect(page.locator("#reading")).to_contain_text("lead ECG, 300 Hz resampled to 100 Hz, 10 s")
    expect(page.locator("#error")).to_be_hidden()
    if not page.locator("#fs").is_visible():
        page.get_by_text("Lead, sampling rate, unit").click()
    page.locator("#fs").fill("250,5")
    page.keyboard.press("Enter")
    expect(page.locator("#reading")).to_contain_text("250.5 Hz resampled to 100 Hz")


@desktop
@pytest.mark.parametrize("kind", ["json", "csv", "png", "pdf"])
def test_an_answer_can_be_saved(page: Page, kind: str) -> None:
    sample(page)
    content = saved(page, f"[data-get={kind}]").read_bytes()
    beginnings = {"json": b"[", "csv": b"file,kind,record,lead,fs,", "png": b"\x89PNG", "pdf": b"%PDF"}
    assert content.startswith(beginnings[kind])
    if kind == "json":
        (answer,) = json.loads(content)
        assert (answer["file"], answer["kind"]) == ("sample.csv", "prediction")
        assert not {"signal", "why", "row"} & answer.keys()


def test_the_keys_are_listed_in_a_dialog(page: Page) -> None:
    sample(page)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("Next recording")
    expect(dialog).to_contain_text("25 mm/s")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@desktop
def test_a_print_shows_tall_beats_whole(page: Page, tmp_path: Path) -> None:
    beats = np.where(np.arange(1500) % 100 < 3, 2.3, 0.05 * np.sin(np.arange(1500) / 5))
    np.savez(tmp_path / "tall.npz", ecg=beats, fs=100, unit="mV")
    page.set_input_files("#file", tmp_path / "tall.npz")
    expect(page.locator("#strip canvas")).to_be_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    heights = page.locator("#printed canvas").evaluate_all("all => all.map(one => one.height)")
    assert heights[0] == (2.5 + 1.5) * 10 * 8  # mV above and below the middle, mm, pixels
    assert "cut off" not in page.locator("#printed").inner_text()


def test_a_print_has_the_whole_strip_at_paper_speed(page: Page, tmp_path: Path) -> None:
    sample(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    rows = page.locator("#printed canvas")
    assert rows.count() == 2  # 13.4 s in rows of 7 s
    page.emulate_media(media="print")
    expect(rows.first).to_be_visible()
    expect(page.locator("#controls")).to_be_hidden()
    expect(page.locator("#verdict")).to_be_visible()
