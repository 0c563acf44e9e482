"""`shot_scores` and `shots`: cuts of generated films, found by the cheap detector."""

import polars as pl
import pytest

from vidassets.assets.shots import Cutting, shot_scores, shots
from vidassets.assets.sources.clip_file import ClipFile
from vidassets.resources.shot_models import AdaptiveDetector
from vidassets_tests.assets.films import clip_file, made
from vidassets_tests.builders import film

SCENES_S = (1.0, 1.5, 0.8)


def scored(clip: ClipFile, model: AdaptiveDetector) -> pl.DataFrame:
    """The scores of a clip, decoded as a run decodes it."""
    stream = shot_scores.parameters.streams["small_pictures"](clip, model)
    return made(shot_scores, clip.clip, stream, model, clip)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipFile:
    return clip_file(film(tmp_path_factory.mktemp("cuts") / "a.mp4", SCENES_S, place=1))


@pytest.fixture(scope="module")
def scores(clip: ClipFile) -> pl.DataFrame:
    return scored(clip, AdaptiveDetector())


def test_every_frame_has_a_score_at_its_time(scores: pl.DataFrame):
    assert scores["pts_s"].round(6).to_list() == [round(index / 10, 6) for index in range(33)]
    assert scores["model"].unique().to_list() == ["scenedetect-adaptive"]


def test_the_cuts_are_found_where_they_are_and_the_shots_cover_the_clip(clip: ClipFile, scores: pl.DataFrame):
    table = made(shots, "a", scores, clip, Cutting())
    found = table.select("start_s", "end_s", "n_frames", "transition")
    assert found.with_columns(pl.col("start_s", "end_s").round(6)).rows() == [
        (0.0, 1.0, 10, "start"),
        (1.0, 2.5, 15, "cut"),
        (2.5, 3.3, 8, "cut"),
    ]


@pytest.mark.parametrize(
    ("settings", "n_shots"),
    [
        pytest.param({"threshold": 1e6}, 1, id="a threshold that nothing reaches"),
        pytest.param({"min_length_s": 0.9}, 2, id="a length that one shot does not have"),
    ],
)
def test_settings_cut_the_same_scores_otherwise(
    clip: ClipFile, scores: pl.DataFrame, settings: dict[str, float], n_shots: int
):
    assert made(shots, "a", scores, clip, Cutting(**settings)).height == n_shots


def test_its_page_shows_a_strip_of_its_shots(clip: ClipFile, scores: pl.DataFrame):
    assert shots.preview is not None
    table = made(shots, "a", scores, clip, Cutting())
    assert str(shots.preview(table, scores, clip, Cutting())).startswith("![3 shots](data:image/")
