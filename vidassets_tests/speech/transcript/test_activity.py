from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.schemas.speech import SpeechActivity, SpeechScores
from vidassets.speech.transcript.activity import find_speech

WINDOW_S = 0.1


def scored(score: list[float], channel: int = 0, start_s: float = 0.0) -> pl.DataFrame:
    """Scores of consecutive windows of 0.1 s."""
    at = np.arange(len(score))
    rows = {"window": at, "start_s": start_s + at * WINDOW_S, "end_s": start_s + (at + 1) * WINDOW_S, "score": score}
    table = pl.DataFrame(rows, schema_overrides={"score": pl.Float32, "window": pl.Int64}).with_columns(
        clip=pl.lit("talk"), channel=pl.lit(channel, pl.Int32), model=pl.lit("drawn")
    )
    return SpeechScores.validate(table.select(SpeechScores.create_empty().columns))


def stretches(score: list[float], **settings: float) -> list[tuple[float, float]]:
    exactly = {"min_silence_s": 0.0, "min_speech_s": 0.0, "pad_s": 0.0} | settings
    table = SpeechActivity.validate(find_speech("talk", scored(score), threshold=0.5, **exactly))
    return [(round(start_s, 9), round(end_s, 9)) for start_s, end_s in table.select("start_s", "end_s").rows()]


@pytest.mark.parametrize(
    ("score", "settings", "expected"),
    [
        pytest.param([0, 0.9, 0.9, 0], {}, [(0.1, 0.3)], id="one stretch"),
        pytest.param([0, 0.5, 0], {}, [(0.1, 0.2)], id="a score that just reaches the threshold"),
        pytest.param([0.9, 0.4, 0.4, 0.9, 0], {}, [(0, 0.4)], id="a score that wavers below the threshold"),
        pytest.param([0.4, 0.9, 0.3, 0.4], {}, [(0.1, 0.2)], id="a score that wavers before and after"),
        pytest.param([0.9, 0, 0.9], {}, [(0, 0.1), (0.2, 0.3)], id="from the first window to the last"),
        pytest.param([0.9, 0, 0.9], {"min_silence_s": 0.15}, [(0, 0.3)], id="too short a silence"),
        pytest.param([0.9, 0, 0, 0.9], {"min_silence_s": 0.15}, [(0, 0.1), (0.3, 0.4)], id="long enough a silence"),
        pytest.param([0.9, 0, 0, 0.9, 0.9], {"min_speech_s": 0.15}, [(0.3, 0.5)], id="too short a sound"),
        pytest.param(
            [0.9, 0, 0.9], {"min_silence_s": 0.15, "min_speech_s": 0.25}, [(0, 0.3)], id="joined before it is judged"
        ),
        pytest.param([0, 0, 0.9, 0, 0], {"pad_s": 0.15}, [(0.05, 0.45)], id="grown"),
        pytest.param([0, 0.9, 0], {"pad_s": 0.15}, [(0, 0.3)], id="grown no further than the sound"),
        pytest.param([0.9, 0, 0.9], {"pad_s": 0.15}, [(0, 0.15), (0.15, 0.3)], id="grown to the middle between two"),
        pytest.param([0.4, 0.1, 0.45], {}, [], id="no speech"),
        pytest.param([], {}, [], id="no sound"),
    ],
)
def test_stretches_of_speech_are_cut_out_of_scores(score, settings, expected):
    assert stretches(score, **settings) == expected


def test_stretches_are_on_the_clock_of_the_scores():
    table = find_speech("talk", scored([0.9, 0.9, 0.9], start_s=100.5), threshold=0.5)
    assert table.select("start_s", "end_s").row(0) == pytest.approx((100.5, 100.8))


def test_channels_are_numbered_and_cut_separately():
    both = pl.concat([scored([0, 0.9], channel=1), scored([0.9, 0, 0.9], channel=0)])
    table = find_speech("talk", both, threshold=0.5, min_silence_s=0, min_speech_s=0, pad_s=0)
    assert SpeechActivity.validate(table).select("channel", "stretch").rows() == [(0, 0), (0, 1), (1, 0)]


def test_the_mean_score_is_that_of_the_speech_without_its_pad():
    table = find_speech("talk", scored([0, 0.8, 0.6, 0]), threshold=0.5, min_speech_s=0, pad_s=0.2)
    assert table["mean_score"].to_list() == pytest.approx([0.7])


@given(st.lists(st.floats(0, 1, width=32), max_size=60), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.5))
def test_stretches_never_overlap_and_hold_every_window_that_reaches_the_threshold(score, silence_s, pad_s, threshold):
    table = find_speech("talk", scored(score), threshold, silence_s, min_speech_s=0, pad_s=pad_s)
    spans = SpeechActivity.validate(table).select("start_s", "end_s").rows()
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    middles_s = [(at + 0.5) * WINDOW_S for at, one in enumerate(score) if np.float32(one) >= threshold]
    assert all(any(start_s <= at_s < end_s for start_s, end_s in spans) for at_s in middles_s)
