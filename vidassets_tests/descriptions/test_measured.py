import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from vidassets.descriptions.answers import FrameToDescribe
from vidassets.descriptions.measured import describe_measured, measure
from vidassets_tests.descriptions.pictures import frames_of


def plain(bgr: tuple[int, int, int], width: int = 320, height: int = 180) -> np.ndarray:
    return np.full((height, width, 3), bgr, np.uint8)


def checkerboard(square_px: int) -> np.ndarray:
    rows, columns = np.indices((180, 256)) // square_px
    return np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("bgr", "name"),
    [
        pytest.param((0, 0, 0), "black", id="black"),
        pytest.param((128, 128, 128), "grey", id="grey"),
        pytest.param((255, 255, 255), "white", id="white"),
        pytest.param((0, 0, 255), "red", id="red"),
        pytest.param((20, 0, 255), "red", id="red from the other end of the circle"),
        pytest.param((0, 128, 255), "orange", id="orange"),
        pytest.param((20, 70, 120), "brown", id="dark orange is brown"),
        pytest.param((0, 255, 255), "yellow", id="yellow"),
        pytest.param((0, 200, 0), "green", id="green"),
        pytest.param((255, 255, 0), "cyan", id="cyan"),
        pytest.param((255, 0, 0), "blue", id="blue"),
        pytest.param((255, 0, 140), "purple", id="purple"),
        pytest.param((180, 0, 255), "pink", id="pink"),
    ],
)
def test_a_plain_colour_is_called_by_its_name(bgr: tuple[int, int, int], name: str):
    assert measure(plain(bgr)).colours == (name,)


def test_colours_are_named_from_the_largest_and_limited_in_number():
    picture = plain((255, 0, 0))
    picture[:, :120], picture[:, 120:180] = (0, 0, 255), (0, 200, 0)
    assert measure(picture).colours == ("blue", "red", "green")
    assert measure(picture, max_colours=1).colours == ("blue",)


def test_light_and_contrast_are_the_mean_and_spread_of_the_luma():
    facts = measure(checkerboard(32))
    assert facts.luma == pytest.approx(0.5, abs=0.03)
    assert facts.contrast == pytest.approx(0.5, abs=0.01)
    assert measure(plain((51, 51, 51))).luma == pytest.approx(0.2)


def test_colourfulness_is_that_of_the_paper():
    # Grey has none. In a plain picture only the means count: 0.3 · √(255² + 127.5²) for red.
    assert measure(plain((90, 90, 90))).colourfulness == 0
    assert measure(plain((0, 0, 255))).colourfulness == pytest.approx(0.3 * np.hypot(255, 127.5))


def test_a_blurred_picture_is_less_sharp_whatever_its_size():
    sharp = checkerboard(16)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 6)
    assert measure(sharp).sharpness > 10 * measure(blurred).sharpness
    larger = cv2.resize(sharp, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    assert measure(larger).sharpness == pytest.approx(measure(sharp).sharpness)


def test_motion_is_the_share_of_the_picture_that_changed():
    before, after = plain((0, 0, 0)), plain((0, 0, 0))
    after[:, :160] = 255
    assert measure(after, before).motion == pytest.approx(0.5, abs=0.02)
    assert measure(after, after).motion == 0
    assert measure(after).motion is None


def test_a_stream_that_changes_its_size_still_has_motion():
    assert measure(plain((0, 0, 0)), plain((0, 0, 0), 64, 64)).motion == 0


def test_a_sentence_says_what_was_measured_and_nothing_of_content():
    assert measure(plain((60, 60, 60))).sentence() == "Dim, low contrast, blurred; hardly any colour, mostly grey."
    facts = measure(plain((255, 255, 255)), plain((0, 0, 0)))
    assert facts.sentence() == (
        "Very bright, low contrast, blurred; hardly any colour, mostly white; nearly all changed since the last frame "
        "(motion 1.00)."
    )


@pytest.mark.parametrize("jpeg", [b"", b"no picture"])
def test_a_picture_that_does_not_decode_fails_alone(jpeg: bytes):
    first, last = frames_of(2)
    broken = FrameToDescribe(1, 15.0, 64, 36, jpeg)
    answers = list(describe_measured([first, broken, last]))
    assert [answer.status for answer in answers] == ["ok", "failed", "ok"]
    assert "motion" not in (answers[2].description or "")


@pytest.mark.footage
@pytest.mark.skipif("VIDASSETS_FOOTAGE" not in os.environ, reason="VIDASSETS_FOOTAGE names no folder of real footage")
def test_a_real_portrait_is_described():
    picture = sorted((Path(os.environ["VIDASSETS_FOOTAGE"]) / "faces").glob("*.jpg"))[0]
    [answer] = describe_measured([FrameToDescribe(0, 0.0, 1, 1, picture.read_bytes())])
    assert answer.status == "ok"
    assert (answer.description or "").endswith(".")
