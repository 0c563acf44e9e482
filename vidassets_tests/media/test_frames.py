from bisect import bisect_right
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidassets.errors import UnreadableVideo
from vidassets.media.frames import every_frame, frames_at
from vidassets.media.problems import Problem
from vidassets.media.sampling import FrameReader
from vidassets_tests.media.videos import decode_everything, rotate_mp4, write_video

OPEN_GOP = {"x264-params": "open-gop=1:keyint=10:bframes=3:b-pyramid=2:scenecut=0"}
HEVC_QUIET = "log-level=none"

VIDEOS = {
    "h264 in mp4": ("a.mp4", {}),
    "h264 in mkv": ("a.mkv", {}),
    "h264 in mov": ("a.mov", {}),
    "h264 in ts": ("a.ts", {}),
    "h264 in flv": ("a.flv", {}),
    "h264 with open groups in mp4": ("a.mp4", {"options": OPEN_GOP}),
    "h264 with open groups in ts": ("a.ts", {"options": OPEN_GOP}),
    "h264 with gradual refresh": (
        "a.mp4",
        {"options": {"x264-params": "intra-refresh=1:keyint=10:scenecut=0"}, "b_frames": 0},
    ),
    "h264 at uneven times": ("a.mp4", {"time_base": Fraction(1, 1000), "ticks": [i * i for i in range(40)]}),
    "h264 at uneven times in mkv": ("a.mkv", {"time_base": Fraction(1, 1000), "ticks": [i * i for i in range(40)]}),
    "h264 that begins at 1 s": ("a.mp4", {"ticks": range(25, 65)}),
    "h264 at 29.97 fps": ("a.mp4", {"frame_rate": Fraction(30000, 1001)}),
    "h264 cut by an edit list": ("a.mp4", {"ticks": range(-3, 37)}),
    "hevc": ("a.mp4", {"codec": "libx265", "options": {"x265-params": HEVC_QUIET}}),
    "hevc with open groups": (
        "a.mkv",
        {"codec": "libx265", "options": {"x265-params": f"{HEVC_QUIET}:open-gop=1:keyint=10:bframes=3"}},
    ),
    "hevc in temporal layers": (
        "a.mp4",
        {"codec": "libx265", "options": {"x265-params": f"{HEVC_QUIET}:temporal-layers=3:bframes=4:b-pyramid=1"}},
    ),
    "mpeg4 in avi": ("a.avi", {"codec": "mpeg4", "b_frames": 0}),
    "mpeg4 with b in avi": ("a.avi", {"codec": "mpeg4"}),
    "mpeg1 in a program stream": ("a.mpg", {"codec": "mpeg1video"}),
    "mpeg2 in a program stream": ("a.mpg", {"codec": "mpeg2video"}),
    "mpeg2 in a transport stream": ("a.ts", {"codec": "mpeg2video"}),
    "vp8": ("a.webm", {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "10"}}),
    "vp9": ("a.webm", {"codec": "libvpx-vp9", "options": {"auto-alt-ref": "1", "lag-in-frames": "10"}}),
    "av1": ("a.mp4", {"codec": "libsvtav1"}),
}


@pytest.fixture(scope="module", params=VIDEOS.values(), ids=VIDEOS.keys())
def video(request, tmp_path_factory) -> tuple[Path, list[tuple[float, np.ndarray]]]:
    """A video, and all its pictures decoded by the simplest loop."""
    name, how = request.param
    path = write_video(tmp_path_factory.mktemp("video") / name, **how)
    return path, decode_everything(path)


@pytest.fixture
def plain(tmp_path) -> Path:
    return write_video(tmp_path / "plain.mp4")


def assert_on_screen(path: Path, everything: list[tuple[float, np.ndarray]], times_s: list[float]) -> None:
    pts_s = [at for at, _ in everything]
    pictures = list(frames_at(str(path), times_s))
    assert [picture.wanted_s for picture in pictures] == sorted(times_s)
    for picture in pictures:
        expected_s, expected = everything[max(bisect_right(pts_s, picture.wanted_s) - 1, 0)]
        assert (picture.wanted_s, picture.pts_s) == (picture.wanted_s, expected_s)
        np.testing.assert_array_equal(picture.pixels, expected)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=12))
def test_frames_at_gives_the_pictures_that_decoding_everything_gives(video, places):
    path, everything = video
    first_s, last_s = everything[0][0], everything[-1][0]
    assert_on_screen(path, everything, [first_s + place * (last_s - first_s) for place in places])


def test_every_pts_finds_its_own_picture(video):
    path, everything = video
    assert_on_screen(path, everything, [pts_s for pts_s, _ in everything])


def test_every_frame_gives_the_pictures_that_decoding_everything_gives(video):
    path, everything = video
    pictures = list(every_frame(str(path)))
    assert [picture.pts_s for picture in pictures] == [pts_s for pts_s, _ in everything]
    for picture, (_, expected) in zip(pictures, everything, strict=True):
        np.testing.assert_array_equal(picture.pixels, expected)


def test_pictures_of_an_avi_without_times_are_counted(tmp_path):
    path = write_video(tmp_path / "reordered.avi")
    everything = [pixels for _, pixels in decode_everything(path)]
    pictures = list(frames_at(str(path), [0.0, 0.08, 0.1, 1.0, 99.0]))
    assert [picture.pts_s for picture in pictures] == [0.0, 0.08, 0.08, 1.0, 39 / 25]
    for picture, index in zip(pictures, [0, 2, 2, 25, 39], strict=True):
        np.testing.assert_array_equal(picture.pixels, everything[index])


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.mpg"])
def test_an_intact_video_is_sampled_without_decoding_twice(tmp_path, monkeypatch, name):
    codec = {"a.avi": "mpeg4", "a.mpg": "mpeg2video"}.get(name, "libx264")
    path = write_video(tmp_path / name, codec=codec, n_frames=200, gop=20)
    monkeypatch.setattr(FrameReader, "frame_by_decoding", lambda *_: pytest.fail("a picture was decoded twice"))
    first_s = 0.54 if name == "a.mpg" else 0.0
    assert len(list(frames_at(str(path), [first_s + t for t in (0.5, 1.1, 1.2, 3.0, 5.9, 7.8)]))) == 6


def test_no_wanted_time_gives_no_picture(plain):
    assert list(frames_at(str(plain), [])) == []


def test_a_repeated_time_gives_a_repeated_picture(plain):
    pictures = list(frames_at(str(plain), [0.5, 0.1, 0.5]))
    assert [(picture.wanted_s, picture.pts_s) for picture in pictures] == [(0.1, 0.08), (0.5, 0.48), (0.5, 0.48)]


@pytest.mark.parametrize("time_s", [float("nan"), float("inf")])
def test_a_time_that_is_not_finite_is_refused(plain, time_s):
    with pytest.raises(ValueError, match="finite"):
        list(frames_at(str(plain), [time_s]))


def test_a_video_of_one_frame_shows_it_at_any_time(tmp_path):
    path = write_video(tmp_path / "one.mp4", n_frames=1)
    assert [picture.pts_s for picture in frames_at(str(path), [-1.0, 0.0, 9.0])] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("degrees", "n_quarter_turns"), [(0, 0), (90, 1), (180, 2), (270, 3)])
def test_pictures_are_turned_upright(tmp_path, degrees, n_quarter_turns):
    path = rotate_mp4(write_video(tmp_path / "turned.mp4", n_frames=3), degrees)
    stored = decode_everything(path)[0][1]
    picture = next(frames_at(str(path), [0.0]))
    np.testing.assert_array_equal(picture.pixels, np.rot90(stored, k=-n_quarter_turns))


def test_a_larger_picture_is_scaled_to_the_longer_side(plain):
    assert next(frames_at(str(plain), [0.0], max_side_px=48)).pixels.shape == (32, 48, 3)


def test_a_smaller_picture_is_not_enlarged(plain):
    assert next(frames_at(str(plain), [0.0], max_side_px=1000)).pixels.shape == (64, 96, 3)


def test_a_size_is_that_of_the_upright_picture(tmp_path):
    path = rotate_mp4(write_video(tmp_path / "turned.mp4", n_frames=2), 90)
    assert [picture.pixels.shape for picture in every_frame(str(path), size=(20, 10))] == [(10, 20, 3)] * 2


def test_gray_is_the_luma_of_full_range(plain):
    picture = next(frames_at(str(plain), [0.0], pixel="gray"))
    np.testing.assert_array_equal(picture.pixels, decode_everything(plain, pixel="gray")[0][1])


def test_a_stream_that_changes_size_gives_pictures_of_both_sizes(tmp_path):
    small = write_video(tmp_path / "small.ts", n_frames=20)
    large = write_video(tmp_path / "large.ts", n_frames=20, ticks=range(20, 40), size=(128, 80))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    first_s = decode_everything(both)[0][0]
    shapes = [picture.pixels.shape for picture in frames_at(str(both), [first_s, first_s + 1.4])]
    assert shapes == [(64, 96, 3), (80, 128, 3)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_damaged_middle_is_reported_and_the_rest_survives(tmp_path, name):
    path = write_video(tmp_path / name, n_frames=100, gop=20)
    intact = dict(decode_everything(path))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1500] = bytes(1500)
    path.write_bytes(content)
    problems: list[Problem] = []
    pictures = list(frames_at(str(path), intact, on_problem=problems.append))
    assert {problem.code for problem in problems} & {"decode_error", "demux_error"}
    undamaged = [picture for picture in pictures if picture.pts_s == picture.wanted_s and not picture.damaged]
    assert len(undamaged) >= 60
    for picture in undamaged:
        np.testing.assert_array_equal(picture.pixels, intact[picture.pts_s])


def test_damage_is_raised_after_the_last_picture_if_no_callback_is_given(tmp_path):
    path = write_video(tmp_path / "a.mp4", n_frames=100, gop=20)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 1500] = bytes(1500)
    path.write_bytes(content)
    pictures = every_frame(str(path))
    n_survivors = len(list(every_frame(str(path), on_problem=_nothing)))
    assert [picture.pts_s for picture in islice(pictures, n_survivors)][-1] == 3.96
    with pytest.raises(UnreadableVideo, match=r"a\.mp4: .* problem"):
        next(pictures)


def _nothing(_problem: Problem) -> None:
    pass


def test_a_wanted_time_outside_the_damage_is_not_affected(tmp_path):
    path = write_video(tmp_path / "a.mp4", n_frames=100, gop=20)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 500] = bytes(500)
    path.write_bytes(content)
    assert [picture.pts_s for picture in frames_at(str(path), [0.4, 3.6])] == [0.4, 3.6]
