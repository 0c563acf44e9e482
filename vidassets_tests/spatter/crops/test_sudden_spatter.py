"""A drawn build in which every spatter appears at once, as on real recordings: what its crops show."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from vidassets.spatter.crops.settings import ExtractionSettings
from vidassets_tests.spatter.crops.recordings import extract_from_arrays, timed

SCRIPTS = Path(__file__).parents[3] / "samples"
FAINT = 0.2  # of full brightness: a drawn spatter is brighter, the empty bed darker


@pytest.fixture(scope="module")
def drawn() -> tuple[list[np.ndarray], list[dict[str, Any]]]:
    """The first 120 pictures of a build, and the events of its truth that count."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        from build import LOW
        from long_builds import LongBuild, Look, Painter, recording_of

        build = LongBuild("b", LOW, Look(exposure=1.0, ambient=6.0, grain=1.0, blur_px=0.5), 480, sudden_share=1.0)
        events = recording_of(build).truth["events"]
        counting = [event for event in events if event["counts"] and event["frame"] < 119]
        return [Painter(build).picture(frame) for frame in range(120)], counting


@pytest.mark.parametrize(("crop_from", "faint_share"), [("earlier", 0.25), ("brighter", 0.0)])
def test_only_crops_of_the_earlier_frame_show_an_empty_bed(drawn, tmp_path, crop_from, faint_share):
    pictures, truth = drawn
    settings = ExtractionSettings(crop_from=crop_from)
    events = extract_from_arrays("b", timed(pictures), tmp_path / "crops.h5", settings).events
    assert sorted(events["video_frame"]) == [event["frame"] for event in truth]
    empty = {event["frame"] for event in truth if event["empty"]}
    faint = events.filter(pl.col("peak_brightness") < FAINT)
    assert len(faint) / len(events) == pytest.approx(faint_share, abs=0.05)
    assert set(faint["video_frame"]) == (empty if crop_from == "earlier" else set())
