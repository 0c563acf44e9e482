"""`frames`: which moments, and that each picture is the one that decoding everything gives."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from vidassets.assets.frames import Sampling, frames
from vidassets.assets.shots import Cutting, shots
from vidassets.resources.shot_models import AdaptiveDetector
from vidassets_tests.assets.films import clip_file, made
from vidassets_tests.assets.test_shots import scored
from vidassets_tests.builders import film
from vidassets_tests.media.videos import decode_everything, write_video


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 s at 2 frames a second."""
    return write_video(tmp_path_factory.mktemp("long") / "a.mp4", n_frames=64, frame_rate=Fraction(2), gop=7)


def test_there_is_one_every_ten_seconds_from_the_fifth_on(long: Path):
    table = made(frames, clip_file(long), None, Sampling())
    assert table["wanted_s"].to_list() == table["pts_s"].to_list() == [5.0, 15.0, 25.0]
    assert table["frame_index"].to_list() == [0, 1, 2]
    assert table["reason"].unique().to_list() == ["interval"]


@pytest.mark.parametrize(
    ("settings", "wanted_s"),
    [
        pytest.param({"interval_s": 8}, [4.0, 12.0, 20.0, 28.0], id="an interval"),
        pytest.param({"max_frames": 2}, [8.0, 24.0], id="at most two"),
        pytest.param({"interval_s": 100}, [16.0], id="longer than the clip"),
    ],
)
def test_settings_choose_the_moments(long: Path, settings: dict[str, float], wanted_s: list[float]):
    table = made(frames, clip_file(long), None, Sampling(**settings))
    assert table["wanted_s"].to_list() == wanted_s


def test_every_picture_is_the_one_of_decoding_everything(long: Path):
    everything = dict(decode_everything(long))
    table = made(frames, clip_file(long), None, Sampling(jpeg_quality=100, interval_s=3))
    for row in table.iter_rows(named=True):
        stored = cv2.imdecode(np.frombuffer(row["image"]["bytes"], np.uint8), cv2.IMREAD_COLOR)
        encoded = cv2.imencode(
            ".jpg", cv2.cvtColor(everything[row["pts_s"]], cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 100]
        )[1]
        assert np.array_equal(stored, cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    assert table.height == 11


def test_a_larger_picture_is_scaled_down_to_the_longest_side_asked_for_and_a_smaller_one_is_not(long: Path):
    def sizes(max_side_px: int) -> set[tuple[int, int]]:
        table = made(frames, clip_file(long), None, Sampling(max_side_px=max_side_px))
        return set(table.select("width", "height").rows())

    assert (sizes(48), sizes(960)) == ({(48, 32)}, {(96, 64)})


def test_shot_midpoints_are_added_where_the_shots_are_given(tmp_path: Path):
    path = film(tmp_path / "a.mp4", (1.0, 2.0), place=1)
    clip = clip_file(path)
    cut = made(shots, "a", scored(clip, AdaptiveDetector()), clip, Cutting())
    table = made(frames, clip, cut, Sampling())
    assert table.select("reason", "pts_s").rows() == [
        ("shot_midpoint", cut["representative_s"][0]),
        ("interval", 1.5),
        ("shot_midpoint", cut["representative_s"][1]),
    ]


def test_its_page_shows_a_contact_sheet(long: Path):
    assert frames.preview is not None
    clip = clip_file(long)
    table = made(frames, clip, None, Sampling())
    assert str(frames.preview(table, clip)).startswith("![3 sampled frames](data:image/")
