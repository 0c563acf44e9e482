from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

from vidassets.errors import NoVideoStream, TruncatedVideo, UnreadableVideo
from vidassets.media.frames import frames_at
from vidassets.media.probe import Probe, probe
from vidassets.schemas.clips import RawClip
from vidassets_tests.media.videos import rotate_mp4, write_sound, write_video


def codes(found: Probe) -> list[str]:
    return [problem.code for problem in found.problems]


def test_a_healthy_video_has_the_expected_facts(tmp_path):
    found = probe(str(write_video(tmp_path / "a.mp4", with_audio=True)))
    assert (found.container, found.video_codec, found.pixel_format) == ("mov,mp4,m4a,3gp,3g2,mj2", "h264", "yuv420p")
    assert (found.width, found.height, found.rotation_degrees) == (96, 64, 0)
    assert (found.first_pts_s, found.duration_s, found.n_frames) == (0.0, 1.6, 40)
    assert (found.frame_rate_num, found.frame_rate_den, found.variable_frame_rate) == (25, 1, False)
    assert found.has_audio
    assert [(s.type, s.codec, s.sample_rate_hz, s.channels) for s in found.streams] == [
        ("video", "h264", None, None),
        ("audio", "aac", 16_000, 1),
    ]
    assert found.size_bytes == (tmp_path / "a.mp4").stat().st_size
    assert found.problems == ()


def test_a_probe_is_a_row_of_raw_clip(tmp_path):
    row = probe(str(write_video(tmp_path / "a.mp4", with_audio=True))).to_row()
    row |= {"clip": "a", "uri": "/a.mp4", "kind": "clip", "content_hash": "sha256:00", "fingerprint": "etag:0-1"}
    row |= {"sidecar_json": None}
    assert set(row) == set(RawClip.column_names())
    empty = RawClip.create_empty()
    RawClip.validate(pl.DataFrame([row], schema=empty.schema))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.flv"])
def test_the_first_pts_need_not_be_0(tmp_path, name):
    found = probe(str(write_video(tmp_path / name, ticks=range(25, 65), b_frames=0)))
    assert found.first_pts_s == pytest.approx(1.0, abs=0.001)
    assert found.duration_s == pytest.approx(1.6, abs=0.002)


def test_uneven_times_are_a_variable_frame_rate(tmp_path):
    ticks = [0, 40, 80, 200, 240, 280, 320, 1000]
    found = probe(str(write_video(tmp_path / "a.mkv", n_frames=8, ticks=ticks, time_base=Fraction(1, 1000))))
    assert found.variable_frame_rate
    assert found.duration_s == pytest.approx(1.0 * 8 / 7)


def test_rounding_to_milliseconds_is_not_a_variable_frame_rate(tmp_path):
    found = probe(str(write_video(tmp_path / "a.mkv", frame_rate=Fraction(30000, 1001), n_frames=60)))
    assert found.variable_frame_rate is False
    assert float(Fraction(found.frame_rate_num, found.frame_rate_den)) == pytest.approx(29.97, abs=0.02)


def test_width_and_height_are_those_of_the_upright_picture(tmp_path):
    found = probe(str(rotate_mp4(write_video(tmp_path / "a.mp4", n_frames=5), 90)))
    assert (found.width, found.height, found.rotation_degrees) == (64, 96, 90)


def test_the_sample_aspect_ratio_is_reported(tmp_path):
    found = probe(str(write_video(tmp_path / "a.mp4", n_frames=5, sample_aspect=Fraction(4, 3))))
    assert (found.sample_aspect_num, found.sample_aspect_den, found.width) == (4, 3, 96)


def test_sound_without_pictures_is_a_problem_and_no_error(tmp_path):
    path = write_sound(tmp_path / "sound.m4a")
    found = probe(str(path))
    assert (codes(found), found.has_audio, found.width, found.n_frames) == (["no_video_stream"], True, None, None)
    assert found.duration_s == pytest.approx(1.0, abs=0.1)


def test_pictures_of_a_file_with_sound_only_are_refused(tmp_path):
    path = write_sound(tmp_path / "sound.m4a")
    with pytest.raises(NoVideoStream, match=r"sound\.m4a: no video stream \(streams found: audio\)"):
        next(frames_at(str(path), [0.0]))


def test_one_frame_has_the_duration_of_one_frame(tmp_path):
    found = probe(str(write_video(tmp_path / "a.mp4", n_frames=1)))
    assert (found.n_frames, found.duration_s, found.problems) == (1, 0.04, ())


def test_a_lost_tail_is_a_problem_where_the_rest_can_be_read(tmp_path):
    path = write_video(tmp_path / "a.mp4", n_frames=100, gop=20, container_options={"movflags": "faststart"})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    found = probe(str(path))
    assert "truncated_tail" in codes(found)
    assert 40 < found.n_frames < 70


def test_a_lost_tail_that_leaves_no_picture_is_raised(tmp_path):
    path = write_video(tmp_path / "a.mp4", n_frames=100, container_options={"movflags": "faststart"})
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"mdat") + 40])
    with pytest.raises((TruncatedVideo, UnreadableVideo), match=r"a\.mp4"):
        probe(str(path))


def _patch(path: Path, box: bytes, offset: int, value: int) -> Path:
    content = bytearray(path.read_bytes())
    at = content.index(box) + 4 + offset
    content[at : at + 4] = value.to_bytes(4, "big")
    path.write_bytes(content)
    return path


def test_a_header_with_a_wrong_duration_is_reported(tmp_path):
    path = _patch(write_video(tmp_path / "a.flv"), b"duration", 5, 0x40_59_00_00)
    found = probe(str(path))
    assert "header_duration_wrong" in codes(found)
    assert found.duration_s == pytest.approx(1.6)


@pytest.mark.parametrize(("place", "at"), [("start", 0.0), ("middle", 0.5), ("end", 1.0)])
def test_a_place_that_does_not_decode_is_reported(tmp_path, place, at):
    path = write_video(tmp_path / "a.mp4", n_frames=60, gop=10, b_frames=0)
    content = bytearray(path.read_bytes())
    start, end = content.index(b"mdat") + 8, content.index(b"moov") - 4
    # The first bytes hold the codec's own parameters; without the first keyframe nothing of its group decodes.
    width = (end - start) // 5
    lo = min(max(int(start + at * (end - start) - width // 2), start + 700), end - width)
    content[lo : lo + width] = bytes(width)
    path.write_bytes(content)
    assert f"decode_error_{place}" in codes(probe(str(path)))


def test_a_stream_that_changes_size_is_reported(tmp_path):
    small = write_video(tmp_path / "small.ts", n_frames=20)
    large = write_video(tmp_path / "large.ts", n_frames=20, ticks=range(20, 40), size=(128, 80))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    assert "size_changes" in codes(probe(str(both)))


def test_a_video_without_times_is_reported(tmp_path):
    found = probe(str(write_video(tmp_path / "a.avi")))
    assert codes(found) == ["pts_missing"]
    assert (found.duration_s, found.n_frames) == (1.6, 40)
