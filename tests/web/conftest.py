"""A server with a small model for tests of the page, and the page, on a screen and on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from ecg_rhythm.web.app import create_app
from ecg_rhythm.web.service import Limits
from scripts.chromium import served
from tests.helpers import onnx_model
from tests.web.browser import opened, started


@pytest.fixture(scope="module")
def page_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model, limits = onnx_model(tmp_path_factory.mktemp("model") / "m.onnx"), Limits(workers=1, jobs=3)
    with served(create_app([model], limits=limits), limits) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the tests of a module; those of other modules have event loops, which Playwright does not bear."""
    with started() as browser:
        yield browser


desktop = pytest.mark.parametrize("page", ["desktop"], indirect=True)
"""For tests of what a small screen does not change."""


@pytest.fixture(params=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, page_address: str) -> Iterator[Page]:
    with opened(browser, page_address, request.param) as page:
        yield page
