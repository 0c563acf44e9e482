import json
import threading
from pathlib import Path

import cv2
import h5py
import numpy as np
import polars as pl
import pytest

from vidassets.errors import InvalidSetting, SourceMissing, UnreadableVideo
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.crops.extraction import LayerCounter, extract_crops
from vidassets.spatter.crops.settings import ExtractionSettings
from vidassets_tests.spatter.crops.recordings import (
    bed,
    broken_in_the_middle,
    extract_from_arrays,
    flashes,
    random_pictures,
    stored_crops,
    timed,
    with_blot,
    write_recording,
)


def test_the_classic_crop_is_of_the_earlier_frame(tmp_path):
    settings = ExtractionSettings(crop_from="earlier")
    found = extract_from_arrays("b", timed(flashes([3], 6)), tmp_path / "crops.h5", settings)
    # When it appears, the crop shows the empty bed before it; when it disappears, the crop shows the spatter.
    assert found.events["video_frame"].to_list() == [2, 3]
    assert found.events["peak_brightness"].to_list() == [pytest.approx(12 / 255), pytest.approx(194 / 255, abs=0.02)]


def test_frames_are_counted_from_start_frame(tmp_path):
    settings = ExtractionSettings(start_frame=2)
    found = extract_from_arrays("b", timed(flashes([5], 8)), tmp_path / "crops.h5", settings)
    assert found.events.select("frame", "video_frame", "pts_s").rows() == [(2, 4, 4 / 25), (3, 5, 5 / 25)]
    assert found.frame_log["frame"].to_list() == [0, 1, 2, 3, 4]


def test_the_log_has_a_row_for_every_compared_frame(tmp_path):
    found = extract_from_arrays("b", timed(flashes([1], 4)), tmp_path / "crops.h5")
    assert found.frame_log.rows() == [("b", 0, 0.0, 1), ("b", 1, 1 / 25, 1), ("b", 2, 2 / 25, 0)]


def test_boxes_are_in_pixels_of_the_uncropped_frame(tmp_path):
    pictures = timed(flashes([1], 3))
    whole = extract_from_arrays("b", pictures, tmp_path / "whole.h5")
    settings = ExtractionSettings(left_bound=60, right_bound=200)
    part = extract_from_arrays("b", pictures, tmp_path / "part.h5", settings)
    boxes = ["box_x1", "box_y1", "box_x2", "box_y2"]
    assert part.events.select(boxes).rows() == whole.events.select(boxes).rows() != []


def test_spatter_outside_of_the_bounds_is_ignored(tmp_path):
    settings = ExtractionSettings(left_bound=0, right_bound=70)
    assert extract_from_arrays("b", timed(flashes([1], 3)), tmp_path / "crops.h5", settings).events.is_empty()


@pytest.mark.parametrize(
    ("bounds", "named"),
    [
        pytest.param({"left_bound": 240}, "left_bound", id="no column left"),
        pytest.param({"right_bound": 241}, "right_bound", id="beyond the right edge"),
        pytest.param({"start_frame": 3}, "start_frame", id="after the last frame"),
    ],
)
def test_a_bound_outside_of_the_recording_is_refused(tmp_path, bounds, named):
    with pytest.raises(InvalidSetting, match=named):
        extract_from_arrays("b", timed(flashes([], 3)), tmp_path / "crops.h5", ExtractionSettings(**bounds))


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_frame": -1},
        {"left_bound": 9, "right_bound": 9},
        {"min_area_px": 9, "max_area_px": 8},
        {"difference_threshold": 255},
        {"layer_gap_frames": 0},
        {"max_crops": 0},
        {"crop_from": "later"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_setting_without_meaning_is_refused(wrong):
    with pytest.raises(InvalidSetting, match=next(iter(wrong))):
        ExtractionSettings(**wrong)


def first_crop(path: Path) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(stored_crops(path)[0], np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


@pytest.mark.parametrize(("crop_from", "shows_spatter", "frame"), [("brighter", True, 1), ("earlier", False, 0)])
def test_a_spatter_that_appears_at_once_is_on_the_brighter_of_the_two_frames(tmp_path, crop_from, shows_spatter, frame):
    settings = ExtractionSettings(crop_from=crop_from)
    found = extract_from_arrays("b", timed(flashes([1], 2)), tmp_path / "crops.h5", settings)
    assert bool(first_crop(tmp_path / "crops.h5").max() > 200) is shows_spatter
    assert found.events.select("video_frame", "crop_video_frame").rows() == [(0, frame)]
    with h5py.File(tmp_path / "crops.h5", "r") as file:
        assert json.loads(str(file.attrs["config"]))["crop_from"] == crop_from


def test_a_spatter_that_goes_out_is_on_the_earlier_frame(tmp_path):
    found = extract_from_arrays("b", timed(flashes([0], 2)), tmp_path / "crops.h5")
    assert first_crop(tmp_path / "crops.h5").max() > 200
    assert found.events.select("video_frame", "crop_video_frame").rows() == [(0, 0)]


def test_recoating_light_that_comes_or_goes_is_no_spatter(tmp_path):
    lit = with_blot(bed(), (120, 80), color=(250, 90, 70))
    assert extract_from_arrays("b", timed([bed(), lit, bed()]), tmp_path / "crops.h5").events.is_empty()


def test_recoating_light_is_no_spatter(tmp_path):
    lit = with_blot(bed(), (120, 80), color=(250, 90, 70))
    assert extract_from_arrays("b", timed([lit, bed()]), tmp_path / "crops.h5").events.is_empty()


@pytest.mark.parametrize(
    ("gap", "layers"), [(9, [0, 0, 1, 1]), (10, [0, 0, 0, 0])], ids=["longer than the gap", "as long as the gap"]
)
def test_a_layer_begins_when_spatter_appears_more_than_the_gap_after_the_last(gap, layers):
    count = LayerCounter(gap)
    assert [count.layer_at(frame) for frame in (5, 6, 16, 16)] == layers


def test_max_crops_stops_early(tmp_path):
    settings = ExtractionSettings(max_crops=3)
    found = extract_from_arrays("b", timed(flashes([1, 3, 5], 9)), tmp_path / "crops.h5", settings)
    assert (len(found.events), len(stored_crops(tmp_path / "crops.h5"))) == (3, 3)
    assert found.frame_log["n_spatters"].to_list() == [1, 1, 1]


@pytest.mark.parametrize("n_frames", [1, 5], ids=["one frame", "no spatter"])
def test_a_recording_without_spatter_gives_an_empty_file_and_empty_tables(tmp_path, n_frames):
    path = write_recording(tmp_path / "b.mp4", flashes([], n_frames))
    found = extract_crops("b", str(path), tmp_path / "crops.h5")
    assert stored_crops(tmp_path / "crops.h5") == []
    assert (len(found.events), len(found.frame_log), found.problems) == (0, n_frames - 1, [])
    spatter_schemas.SpatterEvents.validate(found.events)
    spatter_schemas.SpatterFrameLog.validate(found.frame_log)


def test_tables_keep_what_their_schemas_declare(tmp_path):
    found = extract_from_arrays("b", timed(random_pictures(4, 200, 150, 12)), tmp_path / "crops.h5")
    assert len(found.events)
    spatter_schemas.SpatterEvents.validate(found.events)
    spatter_schemas.SpatterFrameLog.validate(found.frame_log)


def test_every_event_names_its_crop(tmp_path):
    extracted = extract_from_arrays("b", timed(flashes([1, 3], 5)), tmp_path / "crops.h5")
    assert extracted.events.select("event_index", "dataset", "ds_idx").rows() == [(i, "b_0", i) for i in range(4)]


def test_a_recording_with_a_broken_middle_keeps_the_rest_and_reports_the_damage(tmp_path):
    with_spatter = [3, 14, 25]
    path = broken_in_the_middle(tmp_path / "b.mp4", flashes(with_spatter, 30))
    found = extract_crops("b", str(path), tmp_path / "crops.h5")
    assert found.problems
    assert set(found.events["pts_s"].round(3)) == {2 / 25, 3 / 25, 24 / 25, 25 / 25}


@pytest.mark.parametrize(
    ("content", "error"), [(None, SourceMissing), (b"not a video" * 99, UnreadableVideo)], ids=["missing", "text"]
)
def test_a_file_that_is_no_video_leaves_no_crops_file_and_no_thread(tmp_path, content, error):
    path = tmp_path / "b.mp4"
    if content is not None:
        path.write_bytes(content)
    crops_path = tmp_path / "out" / "crops.h5"
    crops_path.parent.mkdir()
    with pytest.raises(error):
        extract_crops("b", str(path), crops_path)
    assert list(crops_path.parent.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_progress_is_reported_in_video_frames(tmp_path):
    path, reported = write_recording(tmp_path / "b.mp4", [bed(64, 48)] * 1002, preset="ultrafast"), []
    extract_crops("b", str(path), tmp_path / "crops.h5", on_progress=reported.append)
    assert reported == [0, 500, 1000]


def test_the_log_can_be_written_as_csv(tmp_path):
    extract_from_arrays("b", timed(flashes([1], 3)), tmp_path / "c.h5").frame_log.write_csv(tmp_path / "log.csv")
    assert pl.read_csv(tmp_path / "log.csv").columns == ["clip", "frame", "pts_s", "n_spatters"]
