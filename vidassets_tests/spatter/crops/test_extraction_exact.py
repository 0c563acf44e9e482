"""With crops from the earlier frame, byte for byte what the plain algorithm gives; the same places otherwise."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidassets.spatter.crops.extraction import Extraction, extract_crops
from vidassets.spatter.crops.settings import ExtractionSettings
from vidassets_tests.spatter.crops.recordings import (
    SAMPLES,
    extract_from_arrays,
    random_pictures,
    stored_crops,
    timed,
    write_recording,
)
from vidassets_tests.spatter.crops.reference import ReferenceCrop, pictures_by_opencv, reference_crops

BUILDS = ["low-flow", "high-flow"]
CLASSIC = ExtractionSettings(crop_from="earlier")


def assert_equal(found: Extraction, crops_path: Path, expected: list[ReferenceCrop]) -> None:
    columns = ("frame", "box_x1", "box_y1", "box_x2", "box_y2", "area_px")
    assert found.events.select(columns).rows() == [(crop.frame, *crop.box_xyxy, crop.area_px) for crop in expected]
    assert stored_crops(crops_path) == [crop.jpeg for crop in expected]


@pytest.mark.parametrize("build", BUILDS)
def test_crops_of_a_sample_are_those_of_the_plain_algorithm_on_what_opencv_decodes(build, tmp_path):
    video = SAMPLES / f"{build}.mp4"
    found = extract_crops(build, str(video), tmp_path / "crops.h5", CLASSIC)
    expected = list(reference_crops(pictures_by_opencv(video)))
    assert len(expected) > 100
    assert_equal(found, tmp_path / "crops.h5", expected)


@pytest.mark.parametrize("build", BUILDS)
def test_the_counting_events_of_a_sample_are_found_and_nothing_else(build, tmp_path):
    truth = json.loads((SAMPLES / f"{build}.truth.json").read_text())
    found = extract_crops(
        build,
        str(SAMPLES / f"{build}.mp4"),
        tmp_path / "crops.h5",
        ExtractionSettings(layer_gap_frames=truth["layer_gap_frames"]),
    )
    counting = [event for event in truth["events"] if event["counts"]]
    layer_of = {spatter["spatter"]: spatter["layer"] for spatter in truth["spatters"]}
    events = found.events.select("video_frame", "layer", "box_x1", "box_y1", "box_x2", "box_y2").rows()
    matched = {
        index
        for event in counting
        for index, (frame, layer, *box) in enumerate(events)
        if frame == event["frame"] and layer == layer_of[event["spatter"]] and overlap(box, event["box_xyxy"]) > 0.7
    }
    recall, precision = len(matched) / len(counting), len(matched) / len(events)
    assert min(recall, precision) >= 0.95


def overlap(box: list[int], other: list[int]) -> float:
    """Intersection over union of two boxes."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    shared = max(0, width) * max(0, height)
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (box, other)]
    return shared / (sum(areas) - shared)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[np.ndarray], ExtractionSettings]:
    """Pictures of any size and content, with bounds, areas and a threshold that fit."""
    width, height = draw(st.integers(1, 170)), draw(st.integers(1, 130))
    n_frames = draw(st.integers(2, 5))
    pictures = random_pictures(draw(st.integers(0, 2**32 - 1)), width, height, n_frames)
    left = draw(st.integers(0, width - 1))
    right = draw(st.none() | st.integers(left + 1, width))
    min_area_px = draw(st.sampled_from([0, 1, 40, 300, 2000]))
    return pictures, ExtractionSettings(
        start_frame=draw(st.integers(0, n_frames - 1)),
        left_bound=left,
        right_bound=right,
        min_area_px=min_area_px,
        max_area_px=draw(st.sampled_from([min_area_px, 5000, 15000])) + min_area_px,
        difference_threshold=draw(st.sampled_from([0, 2, 20, 20, 90, 254])),
        crop_from="earlier",
    )


def reference_of(pictures, config: ExtractionSettings) -> list[ReferenceCrop]:
    return list(
        reference_crops(
            pictures,
            start_frame=config.start_frame,
            left_bound=config.left_bound,
            right_bound=config.right_bound,
            min_area_px=config.min_area_px,
            max_area_px=config.max_area_px,
            difference_threshold=config.difference_threshold,
        )
    )


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recording=recordings())
def test_crops_of_any_pictures_are_those_of_the_plain_algorithm(recording, tmp_path):
    pictures, config = recording
    found = extract_from_arrays("b", timed(pictures), tmp_path / "crops.h5", config)
    assert_equal(found, tmp_path / "crops.h5", reference_of(pictures, config))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.integers(16, 80),
    height=st.integers(16, 60),
    threshold=st.sampled_from([4, 8, 20, 60]),
    pixel_format=st.sampled_from(["yuv420p", "yuv420p", "yuv420p", "yuv444p", "gray", "yuv420p10le"]),
)
def test_crops_of_any_video_are_those_of_the_plain_algorithm(seed, width, height, threshold, pixel_format, tmp_path):
    pictures = random_pictures(seed, width, height, 6)
    video = write_recording(tmp_path / "b.mkv", pictures, "ffv1", pixel_format)
    config = ExtractionSettings(min_area_px=30, difference_threshold=threshold, crop_from="earlier")
    found = extract_crops("b", str(video), tmp_path / "crops.h5", config)
    assert_equal(found, tmp_path / "crops.h5", reference_of(pictures_by_opencv(video), config))


@pytest.mark.parametrize("quality", ["12", "30"])
def test_crops_of_a_lossy_recording_are_those_of_the_plain_algorithm(quality, tmp_path):
    pictures = random_pictures(7, 320, 180, 60)
    video = write_recording(tmp_path / "b.mp4", pictures, preset="veryfast", crf=quality)
    config = ExtractionSettings(min_area_px=200, crop_from="earlier")
    found = extract_crops("b", str(video), tmp_path / "crops.h5", config)
    assert len(found.events) > 20
    assert_equal(found, tmp_path / "crops.h5", reference_of(pictures_by_opencv(video), config))
