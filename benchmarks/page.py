"""Time until the page shows a day: `python -m benchmarks.page CHROMIUM OTHER [--rounds 2]`.

Compares this version of the page with the one in the folder OTHER, such as `src/ecg_rhythm/web/page` of an earlier
commit:

    git archive d14738f src/ecg_rhythm/web/page | tar x -C /tmp
    python -m benchmarks.page /usr/bin/chromium /tmp/src/ecg_rhythm/web/page

A synthetic day is classified once, with the network `fast`. Then a server gives each version of the page that same
answer, with its signal, at once: what is measured is the page. Time begins when a file is chosen, and ends two frames
after the answer is shown, when the ECG is drawn. It includes what both wait before they first ask for the answer. The
versions take turns.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median

import numpy as np
from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, sync_playwright

from ecg_rhythm import records
from ecg_rhythm.inference import classifier, classify
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.web import worker
from ecg_rhythm.web.app import PAGE, create_app
from ecg_rhythm.web.guard import Guard
from scripts.chromium import QUIET, served

HOURS, FS, BEAT = 24, 250.0, 0.8
"""Of the day: its length, its sampling rate in Hz, and the mean time between beats in s."""
WATCH = """() => {
  document.addEventListener("change", () => { window.began = performance.now(); }, { capture: true, once: true });
  const result = document.getElementById("result");
  const shown = () => result.checkVisibility() && result.querySelector(".uplot canvas");
  const look = () => shown()
    ? requestAnimationFrame(() => requestAnimationFrame(() => {
        document.documentElement.dataset.shown = performance.now() - window.began;
      }))
    : requestAnimationFrame(look);
  requestAnimationFrame(look);
}"""


def day() -> bytes:
    """The answer to a synthetic day as JSON, with its signal."""
    rng, samples = np.random.default_rng(0), int(HOURS * 3600 * FS)
    beats = np.cumsum(rng.normal(BEAT, 0.1, int(samples / FS / BEAT)).clip(0.4) * FS).astype(int)
    signal = rng.normal(0, 0.02, samples).astype(np.float32)
    for i, height in enumerate(np.hanning(20)):
        signal[(beats + i)[beats + i < samples]] += height
    recording = records.of_signal(signal, FS, name="day")
    answer = classify.answer_recording(Workers(classifier.load("fast")), recording)
    return json.dumps(answer.as_dict() | {"row": "", "signal": worker.encoded(recording)}).encode()


def replaying(page: Path, answer: bytes, model: bytes) -> FastAPI:
    """An application that gives a version of the page one answer, whatever is sent."""
    app, kind, job = FastAPI(), "application/json", {"id": "day", "state": "done", "done": 1, "of": 1, "error": None}
    app.add_middleware(Guard, hosts=frozenset())
    app.get("/")(lambda: FileResponse(page / "index.html"))
    app.get("/api/model")(lambda: Response(model, media_type=kind))
    app.post("/api/jobs", status_code=202)(lambda: job)
    app.get("/api/jobs/day")(lambda: job)
    app.get("/api/jobs/day/result")(lambda: Response(answer, media_type=kind))
    app.mount("/page", StaticFiles(directory=page))
    app.state.stop = lambda: None
    return app


def seconds(browser: Browser, address: str) -> float:
    """Time until a page shows the day."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(address)
    page.wait_for_selector("#model:not(:empty)")
    page.evaluate(WATCH)
    page.set_input_files("#file", {"name": "day.edf", "mimeType": "", "buffer": b"0"})
    shown = page.wait_for_selector("html[data-shown]", state="attached", timeout=120_000)
    assert shown is not None
    milliseconds = float(shown.get_attribute("data-shown") or "nan")
    page.close()
    return milliseconds / 1000


def main() -> None:
    """Print the median time of each version, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chromium")
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    answer, model = day(), TestClient(create_app([Path("fast")]), base_url="http://127.0.0.1").get("/api/model").content
    apps = [replaying(page, answer, model) for page in (PAGE, options.other)]
    times: list[list[float]] = [[], []]
    with served(apps[0]) as this, served(apps[1]) as other, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=QUIET)
        for _ in range(options.rounds):
            for own, address in zip(times, (this, other), strict=True):
                own.append(seconds(browser, address))
        browser.close()
    for name, own in zip(("this page", "the other"), times, strict=True):
        print(f"{name}: {median(own):.2f} s ({', '.join(f'{one:.2f}' for one in own)})")
    print(f"ratio: {median(times[0]) / median(times[1]):.2f}")


if __name__ == "__main__":
    main()
