import cv2
import numpy as np
import pytest

from vidassets.spatter.crops.shape import shape_of


def ellipse(axes: tuple[int, int], angle_deg: float) -> np.ndarray:
    """The contour of a filled ellipse."""
    mask = cv2.ellipse(np.zeros((300, 300), np.uint8), (150, 150), axes, angle_deg, 0, 360, 255, -1)
    return cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0][0]


def gray_crop(level: int) -> np.ndarray:
    return np.full((10, 10, 3), level, np.uint8)


@pytest.mark.parametrize(
    ("axes", "eccentricity"),
    [((100, 100), 0.0), ((100, 80), 0.6), ((100, 28), 0.96)],
    ids=["circle", "five to four", "long"],
)
def test_eccentricity_is_that_of_the_ellipse(axes, eccentricity):
    assert shape_of(ellipse(axes, 20), gray_crop(0)).eccentricity == pytest.approx(eccentricity, abs=0.03)


@pytest.mark.parametrize("angle_deg", [0, 30, 90, 150])
def test_orientation_is_clockwise_from_the_x_axis(angle_deg):
    orientation_deg = shape_of(ellipse((100, 40), angle_deg), gray_crop(0)).orientation_deg
    assert (orientation_deg - angle_deg + 90) % 180 - 90 == pytest.approx(0, abs=0.5)


def test_brightness_is_the_mean_and_the_peak_of_the_gray():
    crop = gray_crop(51)
    crop[0, 0] = 255
    shape = shape_of(ellipse((9, 9), 0), crop)
    assert (shape.mean_brightness, shape.peak_brightness) == (pytest.approx(0.208), 1.0)


def test_a_contour_that_encloses_nothing_has_no_ellipse():
    line = np.array([[[0, 0]], [[9, 0]]], np.int32)
    assert shape_of(line, gray_crop(0))[2:] == (0.0, 0.0)
