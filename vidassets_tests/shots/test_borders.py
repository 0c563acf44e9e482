import numpy as np
import pytest

from vidassets.shots.borders import BORDER_SAMPLES, NO_BORDERS, Borders, border_sample_times, find_borders
from vidassets_tests.shots.films import footage, letterbox, needs_footage, scene

BRIGHT = np.full((100, 200, 3), 120, np.uint8)
BLACK = np.zeros_like(BRIGHT)


def framed(top: int = 0, bottom: int = 0, left: int = 0, right: int = 0, level: int = 120) -> np.ndarray:
    picture = BLACK.copy()
    picture[top : 100 - bottom, left : 200 - right] = level
    return picture


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        pytest.param([], NO_BORDERS, id="no picture"),
        pytest.param([BRIGHT], NO_BORDERS, id="no border"),
        pytest.param([framed(12, 12)], Borders(0.13, 0.13, 0, 0), id="letterbox, and the row that is half of it"),
        pytest.param([framed(left=67, right=67)], Borders(0, 0, 0.34, 0.34), id="a portrait film in a wide frame"),
        pytest.param([framed(10, 20, 30, 40)], Borders(0.11, 0.21, 0.155, 0.205), id="a window"),
        pytest.param([framed(12, 12), BLACK, BLACK], Borders(0.13, 0.13, 0, 0), id="fades to black"),
        pytest.param([framed(12, 12), BRIGHT], NO_BORDERS, id="a film that opens up to the whole frame"),
        pytest.param([framed(12, 12, level=25)], Borders(0.13, 0.13, 0, 0), id="a dim film"),
        pytest.param([BLACK, BLACK], NO_BORDERS, id="all black"),
        pytest.param([framed(level=15)], NO_BORDERS, id="too dark to tell"),
        pytest.param([framed(40, 40, 90, 90)], NO_BORDERS, id="one lamp in the night"),
    ],
)
def test_borders_are_what_is_black_in_every_picture(pictures, expected):
    assert find_borders(pictures) == pytest.approx(expected)


def test_a_logo_in_the_border_leaves_it_a_border():
    picture = framed(20, 20)
    picture[5:10, 190:193] = 255
    assert find_borders([picture]) == pytest.approx(Borders(0.21, 0.21, 0, 0))


def test_subtitles_in_a_border_keep_that_side():
    picture = framed(20, 20)
    picture[85:92, 60:140] = 255
    assert find_borders([picture]) == pytest.approx(Borders(0.21, 0.09, 0, 0))


def test_noise_of_encoded_black_is_black():
    noise = np.random.default_rng(0).integers(0, 8, BRIGHT.shape, dtype=np.uint8)
    assert find_borders([np.maximum(framed(12, 12), noise)]) == pytest.approx(Borders(0.13, 0.13, 0, 0))


def test_cropping_takes_the_borders_off():
    film = letterbox(scene(1, 2), 18)
    inside = find_borders(film).crop(film[0])
    assert inside.shape == (144 - 2 * 19, 256, 3)
    assert inside.min() > 0


def test_samples_are_the_middles_of_equal_parts():
    times = border_sample_times(2.0, 34.0)
    assert (len(times), times[0], times[-1]) == (BORDER_SAMPLES, 3.0, 33.0)


@pytest.mark.footage
@needs_footage
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("clips/animation-30s.mp4", Borders(0.125, 0.125, 0, 0), id="letterboxed, with fades"),
        pytest.param("clips/street.mp4", NO_BORDERS, id="daylight"),
        pytest.param("faces/two-performers.mp4", NO_BORDERS, id="a dark stage"),
    ],
)
def test_borders_of_real_films(name, expected):
    assert find_borders(pixels for _, pixels in footage(name)[::40]) == expected
