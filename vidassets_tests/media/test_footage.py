"""The fast path on real footage: a folder named by VIDASSETS_FOOTAGE, with `clips`, `faces` and `broken` in it."""

import os
from bisect import bisect_right
from pathlib import Path

import numpy as np
import pytest

from vidassets.errors import EmptyVideo, TruncatedVideo, UnreadableVideo
from vidassets.media.frames import frames_at
from vidassets.media.pictures import PixelConverter
from vidassets.media.probe import probe
from vidassets.media.sampling import FrameReader

FOLDER = Path(os.environ.get("VIDASSETS_FOOTAGE", "/nonexistent"))
SUFFIXES = {".mp4", ".mkv", ".mov", ".mpg", ".avi", ".webm"}
VIDEOS = sorted(path for name in ("clips", "faces") for path in (FOLDER / name).glob("*") if path.suffix in SUFFIXES)

pytestmark = [
    pytest.mark.footage,
    pytest.mark.skipif("VIDASSETS_FOOTAGE" not in os.environ, reason="VIDASSETS_FOOTAGE names no folder of footage"),
]


@pytest.mark.parametrize("path", VIDEOS, ids=lambda path: path.name)
def test_a_sample_of_real_footage_is_what_decoding_everything_gives(path):
    converter = PixelConverter("gray", max_side_px=64)
    everything = [
        (shown.pts_s, converter.convert(shown.frame))
        for shown in FrameReader(str(path), None, pytest.fail).all_frames()
    ]
    pts_s = [at for at, _ in everything]
    times_s = [pts_s[0] - 1, *np.linspace(pts_s[0], pts_s[-1] + 1, 17), *pts_s[3:60:9]]
    pictures = list(frames_at(str(path), times_s, pixel="gray", max_side_px=64))
    assert [picture.wanted_s for picture in pictures] == sorted(times_s)
    for picture in pictures:
        expected_s, expected = everything[max(bisect_right(pts_s, picture.wanted_s) - 1, 0)]
        assert picture.pts_s == expected_s
        np.testing.assert_array_equal(picture.pixels, expected)


@pytest.mark.parametrize("path", VIDEOS, ids=lambda path: path.name)
def test_healthy_footage_has_no_problem(path):
    assert probe(str(path)).problems == ()


@pytest.mark.parametrize(
    ("name", "error"),
    [("zero_bytes.mp4", EmptyVideo), ("truncated.mp4", TruncatedVideo), ("not-a-video.mp4", UnreadableVideo)],
)
def test_broken_footage_fails_each_with_its_own_error(name, error):
    with pytest.raises(error) as raised:
        probe(str(FOLDER / "broken" / name))
    assert raised.type is error


def test_the_anamorphic_clip_has_its_sample_aspect():
    found = probe(str(FOLDER / "clips" / "anamorphic-6ch.mp4"))
    assert (found.sample_aspect_num, found.sample_aspect_den) == (4, 3)
    assert [s.channels for s in found.streams if s.type == "audio"] == [6]


@pytest.mark.parametrize(("name", "variable"), [("vfr.mp4", True), ("vfr.mkv", True), ("street.mp4", False)])
def test_variable_frame_rates_are_detected(name, variable):
    assert probe(str(FOLDER / "clips" / name)).variable_frame_rate is variable
