"""Numbers of users, of any type and size."""

from __future__ import annotations

from fractions import Fraction
from math import inf, isnan

import numpy as np
import pytest

from ecg_rhythm.given import cut, hertz, quoted, real, whole, whole_numbers


def test_a_number_of_any_size_is_a_float() -> None:
    for value, expected in ((5, 5.0), (Fraction(1, 2), 0.5), (np.float32(2), 2.0), (10**400, inf), (-(10**400), -inf)):
        assert real(value) == expected
    for other in ("5", None, True, [5], 5 + 0j, b"5"):
        assert isnan(real(other))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("5", 5), (" 07 ", 7), ("9" * 9, 999_999_999)],
        *[(text, None) for text in ("", "-5", "5.0", "²", "9" * 10, "9" * 5000)],
    ],
)
def test_a_whole_number_in_text_has_few_digits(text: str, number: int | None) -> None:
    assert whole(text) == number


def test_whole_numbers_in_text_are_all_read_or_none() -> None:
    assert whole_numbers("5") == [5]
    assert whole_numbers("0, 1,20") == [0, 1, 20]
    for text in ("", "1,", ",1", "1;2", "1,x", "1,-2"):
        assert whole_numbers(text) is None


@pytest.mark.parametrize(
    ("text", "kilo", "fs"),
    [("250", "", 250), ("0,5", "k", 500), ("1,000", "", 1000), ("1,000", "k", 1000), ("0,250", "", 0.25)],
)
def test_frequencies_in_text(text: str, kilo: str, fs: float) -> None:
    assert hertz(text, kilo) == fs


def test_a_value_is_quoted_however_long_it_is() -> None:
    assert [quoted(value) for value in ("II", None, 10**30)] == ["'II'", "None", f"{10**30}"]
    assert cut("few") == "few"
    assert len(quoted("x" * 10**6)) < 100 and len(quoted(10**400)) < 100
    assert quoted(10**5000) == "of thousands of digits"
