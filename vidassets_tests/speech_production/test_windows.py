import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.speech.transcript.windows import pack_windows, quietest_moment
from vidassets_tests.media.flac import write_flac


def halfway(start_s: float, end_s: float) -> float:
    return (start_s + end_s) / 2


def spans(stretches, window_s=30.0):
    return [(window.start_s, window.end_s) for window in pack_windows(stretches, window_s, halfway)]


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        pytest.param([], [], id="silence"),
        pytest.param([(1, 2), (5, 9)], [(1, 9)], id="together"),
        pytest.param([(0, 20), (25, 31)], [(0, 20), (25, 31)], id="too long together"),
        pytest.param([(0, 20), (25, 30)], [(0, 30)], id="just fits"),
        pytest.param([(0, 40)], [(0, 22.5), (22.5, 40)], id="cut"),
    ],
)
def test_stretches_are_packed(stretches, expected):
    assert spans(stretches) == expected


@given(st.lists(st.floats(0.01, 100), max_size=20))
def test_every_moment_of_speech_is_in_exactly_one_window_none_too_long(edges):
    moments = np.cumsum(edges)
    stretches = list(zip(moments[::2], moments[1::2], strict=False))
    windows = pack_windows(stretches, 30.0, halfway)
    parts = [part for window in windows for part in window.stretches]
    assert sum(end - start for start, end in parts) == pytest.approx(sum(end - start for start, end in stretches))
    assert all(window.end_s <= following.start_s for window, following in itertools.pairwise(windows))
    assert all(window.end_s - window.start_s <= 30.0 + 1e-9 for window in windows)


def test_a_cut_falls_into_the_pause(tmp_path):
    samples = np.random.default_rng(0).normal(scale=0.1, size=10 * SAMPLE_RATE_HZ).astype(np.float32)
    samples[round(6.0 * SAMPLE_RATE_HZ) : round(6.2 * SAMPLE_RATE_HZ)] = 0
    write_flac(tmp_path / "a.flac", samples, start_s=100.0)
    moment_s = quietest_moment(Sound.open(tmp_path / "a.flac"), 102.0, 109.0, 0)
    assert 106.05 <= moment_s <= 106.15
