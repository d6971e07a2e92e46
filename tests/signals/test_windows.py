from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from ecg_rhythm.signals import windows


@given(samples=st.integers(1, 20_000), fs=st.sampled_from([100.0, 257.5, 300.0]), seconds=st.floats(1, 60))
def test_windows_are_alike_cover_a_recording_and_are_as_few_as_do(samples: int, fs: float, seconds: float) -> None:
    parts = windows.windows(samples, fs, seconds)
    length = min(round(seconds * fs), samples)
    assert {part.stop - part.start for part in parts} == {length}
    assert len(parts) == -(-samples // length)
    covered = np.zeros(samples, dtype=bool)
    for part in parts:
        covered[part] = True
    assert covered.all()
    steps = set(np.diff([part.start for part in parts]).tolist())
    assert not steps or 0 < min(steps) <= max(steps) <= min(steps) + 1


@given(fs=st.floats(50, 1000), seconds=st.floats(1, 60))
def test_windows_are_as_long_in_training_as_in_use(fs: float, seconds: float) -> None:
    (first, *_) = windows.windows(10**6, fs, seconds)
    assert first.stop - first.start == windows.SlidingWindow(fs, seconds, seconds).length


@given(samples=st.integers(1, 20_000))
def test_without_windows_the_whole_is_taken(samples: int) -> None:
    assert windows.windows(samples, 300.0, None) == [slice(0, samples)]


@given(
    samples=st.integers(0, 3000),
    fs=st.sampled_from([10.0, 25.75]),
    window=st.floats(1, 40),
    share=st.floats(0.05, 1),
    piece=st.integers(1, 1000),
)
def test_sliding_windows_are_counted_before_they_are_cut(
    samples: int, fs: float, window: float, share: float, piece: int
) -> None:
    sliding = windows.SlidingWindow(fs, window, max(share * window, 0.5))
    expected = sliding.count(samples)
    signal = np.zeros(samples, dtype=np.float32)
    cut = sum(len([*sliding.push(signal[start : start + piece])]) for start in range(0, samples, piece))
    assert cut + len([*sliding.rest()]) == expected


@given(owners=st.lists(st.integers(0, 9), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_the_rows_of_each_recording_are_averaged(owners: list[int], seed: int) -> None:
    rows = np.random.default_rng(seed).random((len(owners), 3))
    found, means = windows.averaged(rows, np.array(owners))
    expected = pd.DataFrame(rows).groupby(np.array(owners)).mean()
    assert found.tolist() == expected.index.tolist()
    np.testing.assert_allclose(means, expected.to_numpy())
