import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.spatter.dataset.transforms import decode_crop, small_square, unit_channels
from vidassets_tests.spatter.crops_files import jpeg, model_input, picture


def test_the_input_of_a_model_is_rgb_in_0_to_1():
    blue = np.zeros((50, 40, 3), np.uint8)
    blue[..., 0] = 255
    crop = model_input(blue)
    assert (crop.shape, crop.dtype, crop.flags.c_contiguous) == ((3, 32, 32), np.float32, True)
    assert [channel.mean() for channel in crop] == [0, 0, 1]


def test_gray_is_the_luma_on_three_channels():
    green = np.zeros((50, 40, 3), np.uint8)
    green[..., 1] = 255
    crop = model_input(green, colour="gray")
    assert np.unique(crop).tolist() == pytest.approx([150 / 255])
    assert crop.shape == (3, 32, 32)


def test_a_picture_of_40_px_gives_its_middle_unchanged():
    pixels = picture(3, size=(40, 40))
    assert np.array_equal(small_square(pixels), pixels[4:36, 4:36])


def test_a_jpeg_gives_what_its_pixels_give():
    data = jpeg(picture(5))
    pixels = decode_crop(data)
    assert pixels is not None
    assert np.array_equal(model_input(data), model_input(pixels))
    assert np.array_equal(model_input(np.frombuffer(data, np.uint8)), model_input(pixels))


@pytest.mark.parametrize("side_px", [80, 160, 320])
def test_a_large_jpeg_is_decoded_smaller_and_differs_by_few_levels(side_px):
    data = jpeg(cv2.resize(picture(5), (side_px, side_px + 8), interpolation=cv2.INTER_CUBIC))
    small, pixels = decode_crop(data), decode_crop(data, target_px=None)
    assert small is not None
    assert pixels is not None
    assert small.shape == (40 * (side_px + 8) // side_px, 40, 3)
    difference = np.abs(model_input(data) - model_input(pixels)) * 255
    assert difference.mean() < 2


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd9", b"text", jpeg(picture(1))[:-9]], ids=["empty", "end", "text", "cut"]
)
def test_bytes_that_are_not_a_whole_jpeg_are_no_crop(data):
    assert decode_crop(data) is None


@given(rotation_deg=st.floats(-15, 15), width=st.integers(1, 90), height=st.integers(1, 90))
def test_a_turned_crop_shows_nothing_from_outside_of_the_crop(rotation_deg, width, height):
    white = np.full((height, width, 3), 255, np.uint8)
    assert small_square(white, rotation_deg=rotation_deg).min() == 255


def test_a_crop_turns_about_its_middle_counter_clockwise():
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[18:22, 30:36] = 255  # right of the middle
    y, x = np.argwhere(small_square(pixels, rotation_deg=15)[..., 0] > 127).mean(axis=0)
    assert (x, y) == pytest.approx((15.5 + 13 * np.cos(np.pi / 12), 15.5 - 13 * np.sin(np.pi / 12)), abs=0.3)


@given(target_px=st.integers(8, 64), rotation_deg=st.sampled_from([0.0, 7.5]))
def test_the_target_is_the_size_of_the_result(target_px, rotation_deg):
    assert small_square(picture(0), target_px, rotation_deg).shape == (target_px, target_px, 3)


def test_a_batch_gives_what_each_gives_alone():
    squares = np.stack([small_square(picture(number)) for number in range(4)])
    for colour in ("rgb", "gray"):
        alone = [unit_channels(square[None], colour)[0] for square in squares]
        assert np.array_equal(unit_channels(squares, colour), np.stack(alone))
    assert unit_channels(squares[:0]).shape == (0, 3, 32, 32)
