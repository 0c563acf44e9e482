import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.errors import EmptyVideo, SchemaViolation
from vidassets.schemas import clips as clip_schemas
from vidassets.shots.shots import shots_from_scores
from vidassets_tests.shots.films import scores_table


def peaks(n_frames: int, **score_of: float) -> list[float]:
    """Scores of 0, except for frames given like f3=0.9."""
    return [score_of.get(f"f{i}", 0.0) for i in range(n_frames)]


def spans(shots: pl.DataFrame) -> list[tuple[float, float]]:
    return [(round(start_s, 6), round(end_s, 6)) for start_s, end_s in shots.select("start_s", "end_s").rows()]


def test_a_clip_without_a_cut_is_one_shot():
    shots = clip_schemas.Shots.validate(shots_from_scores("film", scores_table(peaks(50)), end_s=5.0))
    assert shots.rows() == [("film", 0, 0.0, 5.0, 50, "start", None, 2.5)]


def test_a_shot_ends_with_the_frame_that_scores():
    shots = clip_schemas.Shots.validate(shots_from_scores("film", scores_table(peaks(50, f19=0.9)), end_s=5.0))
    assert spans(shots) == [(0.0, 2.0), (2.0, 5.0)]
    assert shots["n_frames"].to_list() == [20, 30]
    assert shots["transition"].to_list() == ["start", "cut"]
    assert shots["transition_score"].to_list() == [None, pytest.approx(0.9)]
    assert shots["representative_s"].to_list() == [1.0, 3.5]


def test_the_first_shot_begins_with_the_first_frame_wherever_its_clock_begins():
    scores = scores_table(peaks(20, f9=0.9), pts_s=[0.85 + i / 10 for i in range(20)])
    assert spans(shots_from_scores("film", scores, end_s=2.85)) == [(0.85, 1.85), (1.85, 2.85)]


@pytest.mark.parametrize(
    ("scores", "start_s", "transition"),
    [
        pytest.param({"f19": 0.5, "f20": 0.9}, 2.1, "cut", id="two frames are cut at the higher"),
        pytest.param({"f19": 0.5, "f20": 0.9, "f21": 0.5}, 2.1, "gradual", id="three frames in their middle"),
        pytest.param({f"f{i}": 0.5 for i in range(10, 31)}, 2.1, "gradual", id="a long one in its middle"),
    ],
)
def test_a_transition_is_cut_in_its_middle(scores, start_s, transition):
    shots = shots_from_scores("film", scores_table(peaks(50, **scores)), end_s=5.0)
    assert (shots["start_s"][1], shots["transition"][1]) == (start_s, transition)


def test_a_run_of_frames_in_transition_is_one_gradual_transition():
    many_hot = [0.9 if 10 <= i <= 30 else 0.0 for i in range(50)]
    scores = scores_table(peaks(50, f18=0.5, f22=0.5), many_hot=many_hot)
    shots = shots_from_scores("film", scores, end_s=5.0)
    assert shots.select("start_s", "transition").rows() == [(0.0, "start"), (2.1, "gradual")]


def test_the_middle_of_a_transition_is_measured_in_time_if_the_frame_rate_varies():
    pts_s = [0.0, 1.0, 2.0, 3.0, 4.0, 4.1, 4.2, 4.3, 5.0, 6.0]
    scores = scores_table(peaks(10, f2=0.9, f3=0.9, f4=0.9, f5=0.9, f6=0.9), pts_s=pts_s)
    assert spans(shots_from_scores("film", scores, end_s=7.0)) == [(0.0, 4.0), (4.0, 7.0)]


@pytest.mark.parametrize(
    "faded",
    [pytest.param(range(0, 8), id="in at the start"), pytest.param(range(42, 50), id="out at the end")],
)
def test_a_fade_at_the_start_or_end_of_the_clip_is_no_boundary(faded):
    shots = shots_from_scores("film", scores_table(peaks(50, **{f"f{i}": 0.9 for i in faded})), end_s=5.0)
    assert spans(shots) == [(0.0, 5.0)]


@pytest.mark.parametrize(
    ("cuts", "starts_s"),
    [
        pytest.param({"f47": 0.96}, [0.0, 4.8], id="0.2 s before the end"),
        pytest.param({"f1": 0.9}, [0.0, 0.2], id="two frames after the start"),
        pytest.param({"f19": 0.8, "f21": 0.9}, [0.0, 2.0, 2.2], id="two certain cuts around a short shot"),
        pytest.param({"f19": 0.6, "f21": 0.9}, [0.0, 2.2], id="one certain, one not"),
        pytest.param({"f47": 0.6}, [0.0], id="not certain, near the end"),
    ],
)
def test_a_short_shot_is_kept_where_the_model_is_certain(cuts, starts_s):
    shots = shots_from_scores("film", scores_table(peaks(50, **cuts)), end_s=5.0)
    assert [round(start_s, 6) for start_s in shots["start_s"]] == starts_s


def test_a_ratio_is_never_certain_of_a_short_shot():
    scores = scores_table(peaks(50, f19=90.0, f21=120.0), model="scenedetect-adaptive")
    assert spans(shots_from_scores("film", scores, end_s=5.0)) == [(0.0, 2.2), (2.2, 5.0)]


def test_the_weaker_of_two_boundaries_too_close_is_dropped():
    scores = scores_table(peaks(50, f19=0.6, f21=0.9, f40=0.5))
    assert spans(shots_from_scores("film", scores, end_s=5.0)) == [(0.0, 2.2), (2.2, 4.1), (4.1, 5.0)]


def test_a_shot_of_exactly_the_minimum_length_stays_although_times_are_rounded():
    pts_s = [round(i / 24, 3) for i in range(48)]  # 24 → 1.0, 30 → 1.25, 18 → 0.75
    scores = scores_table(peaks(48, f23=0.9, f17=0.8, f29=0.8), pts_s=pts_s)
    assert spans(shots_from_scores("film", scores, end_s=2.0))[1:3] == [(0.75, 1.0), (1.0, 1.25)]


def test_a_single_frame_may_be_a_shot_where_frames_last_long_enough():
    scores = scores_table(peaks(4, f0=0.9), pts_s=[0.0, 0.5, 1.0, 1.5])
    assert spans(shots_from_scores("film", scores, end_s=2.0)) == [(0.0, 0.5), (0.5, 2.0)]


def test_the_default_threshold_is_that_of_the_model():
    score = peaks(50, f19=0.41, f34=2.99)
    by_probability = shots_from_scores("film", scores_table(score), end_s=5.0)
    by_ratio = shots_from_scores("film", scores_table(score, model="scenedetect-adaptive"), end_s=5.0)
    assert (len(by_probability), len(by_ratio)) == (3, 1)


def test_an_hour_is_cut_into_its_shots():
    score = np.zeros(90_000)
    score[149:-1:300] = 0.9
    scores = scores_table(score.tolist(), pts_s=[i / 25 for i in range(90_000)])
    assert len(shots_from_scores("film", scores, end_s=3600.0)) == 301


def test_no_scores_is_an_error_that_names_the_clip():
    with pytest.raises(EmptyVideo, match=r"film: no frame was scored"):
        shots_from_scores("film", scores_table([]), end_s=1.0)


@pytest.mark.parametrize(
    ("pts_s", "end_s", "message"),
    [
        pytest.param([0.0, 0.2, 0.1], 1.0, "pts_s of video_frame 2 is 0.1", id="time runs backward"),
        pytest.param([0.0, 0.1, 0.2], 0.2, "end_s is 0.2, but the last frame comes at 0.2 s", id="no last frame"),
    ],
)
def test_impossible_times_are_refused(pts_s, end_s, message):
    with pytest.raises(SchemaViolation, match=message):
        shots_from_scores("film", scores_table([0.0] * 3, pts_s=pts_s), end_s=end_s)


@st.composite
def scored_clips(draw: st.DrawFn) -> tuple[pl.DataFrame, float]:
    """Scores of a clip of any frame rate, constant or variable, some frames with equal times; and the clip's end."""
    n_frames = draw(st.integers(1, 60))
    probabilities = st.lists(st.floats(0, 1, width=32), min_size=n_frames, max_size=n_frames)
    durations_s = draw(
        st.lists(st.sampled_from([0.0, 0.01, 1 / 30, 1 / 24, 0.5]), min_size=n_frames, max_size=n_frames)
    )
    pts_s = draw(st.floats(-1, 1000)) + np.cumsum([0.0, *durations_s])
    scores = scores_table(draw(probabilities), pts_s[:-1].tolist(), draw(st.none() | probabilities))
    return scores, float(pts_s[-1]) + 0.04


@given(clip=scored_clips(), threshold=st.floats(0, 1), min_length_s=st.floats(0, 2), certain=st.floats(0, 2))
def test_shots_are_contiguous_and_cover_the_clip_and_only_certain_cuts_make_short_ones(
    clip, threshold, min_length_s, certain
):
    scores, end_s = clip
    shots = clip_schemas.Shots.validate(shots_from_scores("film", scores, end_s, threshold, min_length_s, certain))
    assert shots["start_s"][0] == scores["pts_s"][0]
    assert shots["end_s"][-1] == end_s
    assert shots["start_s"][1:].to_list() == shots["end_s"][:-1].to_list()
    assert shots["n_frames"].sum() == len(scores)
    assert shots.filter(~pl.col("representative_s").is_between("start_s", "end_s", closed="left")).is_empty()
    uncertain = shots["transition_score"].fill_null(np.inf) < certain
    short = (shots["end_s"] - shots["start_s"]) < min_length_s - 2e-6
    assert not (short & (uncertain | uncertain.shift(-1, fill_value=False))).any()
