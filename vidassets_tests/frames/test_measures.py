import cv2
import numpy as np
import pytest

from vidassets.frames.measures import brightness, luma, perceptual_hash, sharpness, without_black_bars
from vidassets_tests.frames.pictures import flat, hash_distance, noise, scenery


def letterboxed(rgb: np.ndarray, bar_px: int = 40) -> np.ndarray:
    return cv2.copyMakeBorder(rgb, bar_px, bar_px, 0, 0, cv2.BORDER_CONSTANT)


@pytest.mark.parametrize(("level", "expected"), [(0, 0.0), (51, 0.2), (255, 1.0)])
def test_brightness_is_the_mean_luma_from_0_to_1(level, expected):
    assert brightness(luma(flat(level))) == pytest.approx(expected)


def test_green_counts_more_than_red_and_red_more_than_blue():
    red, green, blue = (np.full((2, 2, 3), np.eye(3, dtype=np.uint8)[channel] * 255) for channel in range(3))
    assert [int(luma(rgb)[0, 0]) for rgb in (red, green, blue)] == [76, 150, 29]


def test_a_flat_picture_has_no_sharpness():
    assert sharpness(luma(flat(128))) == 0.0


def test_a_blurred_picture_is_less_sharp():
    sharp = noise(width=256, height=144)
    assert sharpness(luma(cv2.GaussianBlur(sharp, (0, 0), 1.0))) < sharpness(luma(sharp)) / 10


def test_a_picture_keeps_its_sharpness_at_twice_its_size():
    small = scenery(width=256, height=144)
    large = cv2.resize(small, (512, 288), interpolation=cv2.INTER_NEAREST)
    assert sharpness(luma(large)) == sharpness(luma(small))


def test_a_picture_of_one_pixel_can_be_measured():
    dot = luma(flat(200, width=1, height=1))
    assert (sharpness(dot), brightness(dot)) == (0.0, pytest.approx(200 / 255))
    assert 0 <= perceptual_hash(dot) < 2**64


def test_a_column_of_pixels_can_be_measured():
    column = luma(flat(200, width=1, height=20_000))
    assert sharpness(column) == 0.0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 2.0), id="blur"),
        pytest.param(lambda rgb: cv2.convertScaleAbs(rgb, alpha=0.8), id="darker"),
        pytest.param(lambda rgb: cv2.resize(rgb, (160, 90), interpolation=cv2.INTER_AREA), id="half the size"),
        pytest.param(lambda rgb: cv2.imdecode(cv2.imencode(".jpg", rgb, [1, 40])[1], 1), id="strong compression"),
        pytest.param(letterboxed, id="letterbox"),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_copy_hashes_within_the_threshold_for_duplicates(change, seed):
    picture = scenery(seed)
    assert hash_distance(perceptual_hash(luma(picture)), perceptual_hash(luma(change(picture)))) <= 6


def test_unrelated_pictures_hash_far_apart():
    hashes = [perceptual_hash(luma(scenery(seed))) for seed in range(10)]
    assert min(hash_distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > 6


def test_flat_pictures_of_any_brightness_hash_alike():
    assert {perceptual_hash(luma(flat(level))) for level in (1, 77, 128, 255)} == {1 << 63}


def test_black_bars_are_cropped_from_both_sides():
    assert without_black_bars(luma(letterboxed(flat(120, 64, 36), bar_px=5))).shape == (36, 64)


def test_a_pillarboxed_upright_video_is_found():
    upright = cv2.copyMakeBorder(flat(120, 81, 180), 0, 0, 119, 120, cv2.BORDER_CONSTANT)
    assert without_black_bars(luma(upright)).shape == (180, 82)


def test_dark_ground_at_the_bottom_is_not_a_bar():
    rgb = flat(120)
    rgb[100:] = 0
    assert without_black_bars(luma(rgb)).shape == (180, 320)


def test_a_black_picture_is_left_whole():
    assert without_black_bars(luma(flat(0))).shape == (180, 320)


def test_a_single_bright_dot_does_not_make_the_rest_a_bar():
    rgb = flat(0)
    rgb[90, 160] = 255
    assert without_black_bars(luma(rgb)).shape == (180, 320)
