import cv2
import numpy as np

from vidassets.spatter.crops.extraction import extract_crops
from vidassets.spatter.crops.preview import extraction_preview
from vidassets.spatter.crops.settings import ExtractionSettings
from vidassets_tests.spatter.crops.recordings import SAMPLES, extract_from_arrays, flashes, timed


def test_a_preview_is_a_png_of_at_most_150_kb(tmp_path):
    found = extract_crops(
        "low-flow", str(SAMPLES / "low-flow.mp4"), tmp_path / "c.h5", ExtractionSettings(layer_gap_frames=40)
    )
    png = extraction_preview(found.events, found.frame_log, tmp_path / "c.h5")
    assert cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).shape == (480, 900, 3)
    assert len(png) <= 150_000


def test_a_recording_without_spatter_has_a_preview(tmp_path):
    found = extract_from_arrays("b", timed(flashes([], 1)), tmp_path / "c.h5")
    assert extraction_preview(found.events, found.frame_log, tmp_path / "c.h5").startswith(b"\x89PNG")
