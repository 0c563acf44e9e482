import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given, settings
from hypothesis import strategies as st

from vidassets.media.pictures import PixelConverter
from vidassets.spatter.crops.gate import changed_region, planes_of

WIDTH, HEIGHT = 64, 48
MATRICES = [Colorspace.ITU709, Colorspace.FCC, Colorspace.ITU601, Colorspace.SMPTE240M, Colorspace.BT2020]
RANGES = [ColorRange.MPEG, ColorRange.JPEG]


def video_frame(
    samples: list[np.ndarray], matrix: Colorspace = Colorspace.ITU601, color_range: ColorRange = ColorRange.MPEG
) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p" if color_range == ColorRange.MPEG else "yuvj420p")
    for plane, values in zip(frame.planes, samples, strict=True):
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, : plane.width] = values
        plane.update(padded.tobytes())
    frame.colorspace, frame.color_range = matrix, color_range
    return frame


def plain(level: int = 90) -> list[np.ndarray]:
    return [np.full((HEIGHT // scale, WIDTH // scale), level, np.uint8) for scale in (1, 2, 2)]


def region(earlier: av.VideoFrame, later: av.VideoFrame, threshold: int = 20):
    planes = planes_of(earlier), planes_of(later)
    assert planes[0] is not None
    assert planes[1] is not None
    return changed_region(*planes, threshold)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    amounts=st.tuples(*[st.integers(0, 40)] * 3),
    matrix=st.sampled_from(MATRICES),
    color_range=st.sampled_from(RANGES),
    threshold=st.integers(5, 40),
)
def test_outside_of_the_region_no_gray_of_the_difference_is_above_the_threshold(
    seed, amounts, matrix, color_range, threshold
):
    rng, converter = np.random.default_rng(seed), PixelConverter("bgr24")
    before = [rng.integers(0, 256, plane.shape) for plane in plain()]
    # Whole planes shift up or down, so that their effects on gray can add up.
    after = [
        np.clip(plane + int(rng.choice([-1, 1])) * amount, 0, 255)
        for plane, amount in zip(before, amounts, strict=True)
    ]
    frames = [video_frame(samples, matrix, color_range) for samples in (before, after)]
    difference = cv2.absdiff(*(converter.convert(frame) for frame in frames))
    gray = cv2.cvtColor(difference, cv2.COLOR_BGR2GRAY)
    found = region(*frames, threshold)
    if found is not None:
        gray[found.y1 : found.y2, found.x1 : found.x2] = 0
    assert gray.max() <= threshold


def test_frames_that_differ_by_coding_noise_have_no_region():
    rng = np.random.default_rng(0)
    noisy = [plane + rng.integers(-2, 3, plane.shape) for plane in plain()]
    assert region(video_frame(plain()), video_frame(noisy)) is None


@pytest.mark.parametrize("plane", [0, 1, 2], ids="YUV")
def test_a_change_of_one_sample_is_framed_in_pixels_of_the_picture(plane):
    later = plain()
    later[plane][8, 10] = 200
    scale = 1 if plane == 0 else 2
    box = (10 * scale, 8 * scale, 11 * scale, 9 * scale)
    assert region(video_frame(plain()), video_frame(later)) == box


def test_frames_of_different_ranges_are_not_compared_by_their_planes():
    later = video_frame(plain(), color_range=ColorRange.JPEG)
    assert region(video_frame(plain()), later) == (0, 0, WIDTH, HEIGHT)


def test_a_threshold_that_rounding_may_reach_gives_the_whole_picture():
    assert region(video_frame(plain()), video_frame(plain()), threshold=3) == (0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("width", "height", "pixel_format"),
    [(64, 47, "yuv420p"), (63, 48, "yuv420p"), (64, 48, "yuv444p"), (64, 48, "gray")],
    ids=["odd height", "odd width", "chroma of full size", "gray"],
)
def test_planes_that_cannot_be_compared_are_not_read(width, height, pixel_format):
    assert planes_of(av.VideoFrame(width, height, pixel_format)) is None
