import cv2
import numpy as np
import pytest

from vidassets.shots.shots import shots_from_scores
from vidassets.shots.strip import GREYS, shot_strip
from vidassets_tests.shots.films import scene, scores_table

FRAME_S = 0.1


def strip_of(cuts: list[int], n_frames: int, pictures: bool = True) -> tuple[bytes, np.ndarray]:
    scores = scores_table([0.9 if i in cuts else 0.02 for i in range(n_frames)])
    shots = shots_from_scores("film", scores, end_s=n_frames * FRAME_S)
    thumbnails = [(pts_s, scene(seed, 1)[0]) for seed, pts_s in enumerate(shots["representative_s"])]
    png = shot_strip(shots, scores, thumbnails if pictures else [])
    return png, cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)


@pytest.mark.parametrize(
    ("cuts", "n_frames"),
    [
        pytest.param([], 1, id="one frame"),
        pytest.param([], 200, id="one shot"),
        pytest.param([59, 99, 179], 200, id="four shots"),
        pytest.param(list(range(9, 2999, 10)), 3000, id="300 shots"),
    ],
)
def test_a_strip_is_a_small_png_of_900_by_260(cuts, n_frames):
    png, picture = strip_of(cuts, n_frames)
    assert picture.shape == (260, 900, 3)
    assert len(png) < 150_000


def test_a_shot_shows_its_picture_in_its_middle():
    _, picture = strip_of([99], 200)
    scaled = cv2.resize(scene(1, 1)[0], (142, 80), interpolation=cv2.INTER_AREA).astype(int)
    middle = 56 + 828 * 3 // 4
    assert np.abs(picture[66, middle].astype(int) - scaled[40, 71]).max() <= 12


def test_a_shot_without_a_picture_is_grey():
    _, picture = strip_of([99], 200, pictures=False)
    left, right = picture[66, 200], picture[66, 700]
    assert (left.tolist(), right.tolist()) == ([GREYS[0] & 0xF8] * 3, [GREYS[1] & 0xF8] * 3)
