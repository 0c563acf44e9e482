import tracemalloc

import cv2
import numpy as np
import polars as pl
import pytest

from vidassets.errors import InvalidSetting
from vidassets.frames.table import encode_jpeg, frames_table
from vidassets.schemas import clips as clip_schemas
from vidassets_tests.frames.pictures import flat, frames_of, noise, scenery


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_the_table_keeps_its_schema():
    frames = clip_schemas.Frames.validate(frames_of([scenery(0), scenery(1)]))
    assert frames["frame_index"].to_list() == [0, 1]


def test_a_clip_without_pictures_gives_an_empty_table_of_the_same_columns():
    assert frames_table("a-clip", []).schema == clip_schemas.Frames.create_empty().schema


def test_rows_are_in_order_of_time_whatever_the_order_of_the_pictures():
    pictures = [(5.0, "interval", 4.96, flat(1)), (2.0, "shot_midpoint", 2.0, flat(2)), (9.0, "interval", 9.0, flat(3))]
    frames = frames_table("a-clip", pictures)
    assert frames.select("frame_index", "wanted_s", "pts_s", "reason").rows() == [
        (0, 2.0, 2.0, "shot_midpoint"),
        (1, 5.0, 4.96, "interval"),
        (2, 9.0, 9.0, "interval"),
    ]


@pytest.mark.parametrize("order", [pytest.param(1, id="in order"), pytest.param(-1, id="backwards")])
def test_a_picture_given_twice_is_one_row_with_the_earlier_time(order):
    pictures = [(4.96, "shot_midpoint", 4.96, flat(9)), (5.0, "interval", 4.96, flat(9))]
    frames = frames_table("a-clip", pictures[::order])
    assert frames.select("wanted_s", "reason").rows() == [(4.96, "shot_midpoint")]


def test_width_and_height_are_those_of_the_stored_image():
    row = frames_of([scenery(width=64, height=36)]).row(0, named=True)
    assert (row["width"], row["height"]) == (64, 36)
    assert decoded(row["image"]["bytes"]).shape == (36, 64, 3)


def test_colours_survive_the_jpeg():
    orange = np.full((32, 32, 3), (250, 130, 20), np.uint8)
    assert np.abs(decoded(encode_jpeg(orange)).astype(int) - orange).max() <= 3


def test_a_lower_quality_takes_fewer_bytes():
    assert len(encode_jpeg(noise(), 30)) < len(encode_jpeg(noise(), 85))


def test_hashes_are_stored_without_loss():
    frames = frames_of([scenery(seed) for seed in range(4)])
    assert frames.schema["perceptual_hash"] == pl.UInt64
    assert (frames["perceptual_hash"] >= 2**63).any()


def test_pictures_are_not_held():
    def pictures():
        for index in range(40):
            yield float(index), "interval", float(index), flat(index, width=1000, height=1000)

    tracemalloc.start()
    frames_table("a-clip", pictures())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 40 * 3_000_000 / 4


def test_a_picture_too_large_for_jpeg_is_refused_with_its_clip_and_the_setting_to_change():
    panorama = np.zeros((1, 70_000, 3), np.uint8)
    with pytest.raises(InvalidSetting, match=r"a-clip at 5\.000 s: .*max_side_px"):
        frames_of([panorama])


def test_a_quality_that_does_not_exist_is_refused():
    with pytest.raises(InvalidSetting, match="jpeg_quality is 101"):
        encode_jpeg(flat(1), 101)
