import cv2
import numpy as np
import polars as pl
import pytest

from vidassets.errors import ArtifactDamaged, InvalidSetting
from vidassets.frames.contact_sheet import BACKGROUND, contact_sheet, time_label
from vidassets_tests.frames.pictures import flat, frames_of, noise, scenery


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def levels_in_row(sheet: np.ndarray, y: int) -> list[float]:
    """Levels of the flat grey thumbnails that a row of pixels crosses, from left to right, to the nearest ten."""
    row = sheet[y].mean(axis=1)
    edges = np.flatnonzero(np.abs(np.diff(row, prepend=row[0])) > 8)
    runs = np.split(row, edges)
    return [round(float(np.median(run)), -1) for run in runs if len(run) > 20 and np.median(run) > 60]


@pytest.mark.parametrize(
    ("time_s", "label"),
    [
        pytest.param(0.0, "0:00.0", id="zero"),
        pytest.param(5.25, "0:05.2", id="tenths"),
        pytest.param(59.96, "1:00.0", id="rounds up into the next minute"),
        pytest.param(754.3, "12:34.3", id="minutes"),
        pytest.param(3599.97, "1:00:00.0", id="rounds up into the next hour"),
        pytest.param(36_000.0, "10:00:00.0", id="hours"),
        pytest.param(-0.5, "-0:00.5", id="before zero"),
        pytest.param(-0.01, "0:00.0", id="no negative zero"),
    ],
)
def test_a_time_reads_as_minutes_and_seconds(time_s, label):
    assert time_label(time_s) == label


def test_one_frame_is_shown_in_its_own_size():
    height, width, _ = decoded(contact_sheet(frames_of([flat(200, width=320, height=180)]))).shape
    assert (width, height) == (320 + 16, 180 + 16 + 20)


def test_thumbnails_are_in_order_of_time_from_left_to_right():
    sheet = decoded(contact_sheet(frames_of([flat(level) for level in (80, 140, 200)])))
    assert levels_in_row(sheet, 60) == [80, 140, 200]


def test_frames_are_chosen_evenly_if_there_are_too_many():
    frames = frames_of([flat(80 + index) for index in range(101)])
    assert levels_in_row(decoded(contact_sheet(frames, max_pictures=2)), 60) == [100, 160]


@pytest.mark.parametrize("n_frames", [1, 2, 3, 5, 7, 24, 60])
def test_a_sheet_is_no_wider_than_requested(n_frames):
    sheet = decoded(contact_sheet(frames_of([scenery(seed) for seed in range(n_frames)]), width_px=640))
    assert sheet.shape[1] <= 640


@pytest.mark.parametrize(
    ("width", "height"),
    [pytest.param(320, 180, id="wide"), pytest.param(180, 320, id="upright"), pytest.param(1, 900, id="a line")],
)
def test_a_sheet_of_the_worst_pictures_stays_small(width, height):
    frames = frames_of([noise(seed, width, height) for seed in range(24)])
    assert len(contact_sheet(frames)) <= 150_000


def test_a_picture_of_another_shape_keeps_its_aspect():
    sheet = decoded(contact_sheet(frames_of([flat(200), flat(200), flat(255, width=100, height=300)])))
    third = np.argwhere(sheet[:, 2 * sheet.shape[1] // 3 :].mean(axis=2) > 248)
    height, width = np.ptp(third, axis=0) + 1
    assert height / width == pytest.approx(3.0, rel=0.1)


def test_the_time_is_written_beneath_each_thumbnail():
    sheet = decoded(contact_sheet(frames_of([flat(0), flat(0)])))
    foot = sheet[-24:-8].max(axis=(0, 2)) > 150
    half = len(foot) // 2
    assert foot[:half].any()
    assert foot[half:].any()
    assert np.abs(sheet[2, 2].astype(int) - BACKGROUND).max() <= 4


def test_a_table_without_rows_is_refused():
    with pytest.raises(ArtifactDamaged, match="materialise the frames again"):
        contact_sheet(frames_of([]))


def test_an_image_that_does_not_decode_is_named():
    frames = frames_of([flat(1)]).with_columns(image=pl.struct(bytes=pl.lit(b"nothing"), path=pl.lit(None, pl.String)))
    with pytest.raises(ArtifactDamaged, match="a-clip: the image of frame 0"):
        contact_sheet(frames)


@pytest.mark.parametrize("settings", [{"max_pictures": 0}, {"max_pictures": 101}, {"width_px": 100}])
def test_a_sheet_that_cannot_be_drawn_is_refused(settings):
    with pytest.raises(InvalidSetting):
        contact_sheet(frames_of([flat(1)]), **settings)
