import math
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.errors import InvalidSetting
from vidassets.frames.sampling import SampleTime, evenly_chosen, merge_times, sample_times, shot_midpoints

first_pts = st.floats(-10, 10_000)
durations = st.floats(0.001, 10_000)
intervals = st.floats(0.1, 100)


@pytest.mark.parametrize(
    ("first_pts_s", "duration_s", "expected_s"),
    [
        pytest.param(0.0, 30.0, [5.0, 15.0, 25.0], id="whole intervals"),
        pytest.param(0.0, 25.0, [5.0, 15.0], id="the end itself is not in the clip"),
        pytest.param(0.0, 25.1, [5.0, 15.0, 25.0], id="just past a sample"),
        pytest.param(0.5, 20.0, [5.5, 15.5], id="a clock that does not begin at 0"),
        pytest.param(0.0, 4.0, [2.0], id="shorter than half an interval"),
        pytest.param(1.0, 5.0, [3.5], id="exactly half an interval"),
        pytest.param(7.0, 0.0, [7.0], id="a single picture of unknown length"),
    ],
)
def test_samples_are_the_middles_of_the_intervals(first_pts_s, duration_s, expected_s):
    assert sample_times(first_pts_s, duration_s) == expected_s


def test_a_limit_spreads_the_samples_over_the_whole_clip():
    assert sample_times(0.0, 100.0, max_frames=4) == [12.5, 37.5, 62.5, 87.5]


def test_a_limit_that_is_not_reached_changes_nothing():
    assert sample_times(0.0, 30.0, max_frames=3) == sample_times(0.0, 30.0)


@given(first_pts, durations, intervals)
def test_samples_are_inside_the_clip_and_one_interval_apart(first_pts_s, duration_s, interval_s):
    times_s = sample_times(first_pts_s, duration_s, interval_s)
    assert first_pts_s <= times_s[0]
    assert times_s[-1] < first_pts_s + duration_s or times_s == [first_pts_s]
    for before_s, after_s in pairwise(times_s):
        assert math.isclose(after_s - before_s, interval_s, rel_tol=1e-6)


@given(first_pts, durations, intervals)
def test_no_part_of_the_clip_is_farther_than_an_interval_from_a_sample(first_pts_s, duration_s, interval_s):
    times_s = sample_times(first_pts_s, duration_s, interval_s)
    assert times_s[0] - first_pts_s <= interval_s / 2 + 1e-6
    assert first_pts_s + duration_s - times_s[-1] <= interval_s + 1e-6


@given(first_pts, durations, intervals, st.integers(1, 50))
def test_a_limit_holds_and_both_ends_are_equally_far_from_a_sample(first_pts_s, duration_s, interval_s, max_frames):
    times_s = sample_times(first_pts_s, duration_s, interval_s, max_frames)
    assert 1 <= len(times_s) <= max_frames
    if len(sample_times(first_pts_s, duration_s, interval_s)) > max_frames:
        head_s, tail_s = times_s[0] - first_pts_s, first_pts_s + duration_s - times_s[-1]
        assert math.isclose(head_s, tail_s, rel_tol=1e-6, abs_tol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"duration_s": -1.0}, id="negative length"),
        pytest.param({"duration_s": math.inf}, id="endless"),
        pytest.param({"first_pts_s": math.nan}, id="no beginning"),
        pytest.param({"interval_s": 0.0}, id="no interval"),
        pytest.param({"interval_s": math.nan}, id="interval not a number"),
        pytest.param({"max_frames": 0}, id="no frame"),
    ],
)
def test_a_setting_outside_its_range_is_refused(settings):
    with pytest.raises(InvalidSetting):
        sample_times(**({"first_pts_s": 0.0, "duration_s": 10.0} | settings))


def test_midpoints_are_the_representative_frames_of_the_shots():
    shots = pl.DataFrame({"start_s": [4.0, 0.0], "end_s": [9.0, 4.0], "representative_s": [6.52, 2.0]})
    assert shot_midpoints(shots) == [2.0, 6.52]


def test_times_of_both_kinds_are_merged_in_order():
    assert merge_times([5.0, 15.0], [2.0, 9.5]) == [
        SampleTime(2.0, "shot_midpoint"),
        SampleTime(5.0, "interval"),
        SampleTime(9.5, "shot_midpoint"),
        SampleTime(15.0, "interval"),
    ]


def test_a_time_with_both_reasons_counts_once_as_interval():
    assert merge_times([5.0], [5.0]) == [SampleTime(5.0, "interval")]


def test_a_limit_holds_over_both_kinds_of_times():
    merged = merge_times([5.0, 15.0, 25.0], [1.0, 2.0, 3.0], max_frames=3)
    assert [sample.wanted_s for sample in merged] == [2.0, 5.0, 25.0]


@given(st.integers(1, 500), st.integers(1, 500))
def test_items_are_chosen_once_in_order_and_as_many_as_allowed(n_items, at_most):
    chosen = evenly_chosen(n_items, at_most)
    assert len(chosen) == min(n_items, at_most)
    assert chosen == sorted(set(chosen))
    assert all(0 <= index < n_items for index in chosen)


def test_nothing_is_chosen_from_no_items():
    assert evenly_chosen(0, 5) == []
