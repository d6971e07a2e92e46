from __future__ import annotations

import pytest

from ecg_rhythm.records.formats import FORMATS
from scripts.formats import PAGES, ROOT, START, written


@pytest.mark.parametrize("page", PAGES)
def test_pages_have_the_formats_of_the_registry(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert START in text
    assert text == written(page), "run `python -m scripts.formats`"
    assert all(form.name in text for form in FORMATS)
