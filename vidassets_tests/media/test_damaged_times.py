"""Times that cannot be true: far away from the others, or going backwards."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vidassets.assets.frames import Sampling, frames
from vidassets.assets.shots import Cutting, shots
from vidassets.media.audio import LOWEST_RATE_HZ, decode_audio
from vidassets.media.clock import LONGEST_HOLE_S
from vidassets.media.frames import every_frame
from vidassets.media.probe import Probe, probe
from vidassets.media.problems import Problem
from vidassets.resources.shot_models import AdaptiveDetector
from vidassets_tests.assets.films import clip_file, made
from vidassets_tests.assets.test_shots import scored
from vidassets_tests.media.sounds import write_audio
from vidassets_tests.media.videos import write_video

MILLISECOND = Fraction(1, 1000)


def codes(found: Probe) -> set[str]:
    return {problem.code for problem in found.problems}


def one_far_away(folder: Path, index: int) -> Path:
    """Write 40 pictures in 1.6 s, of which the time of one is 23 days later than it should be."""
    path = write_video(folder / "a.flv", b_frames=0)
    content = bytearray(path.read_bytes())
    # A tag of FLV: type, 3 bytes of size, 3 + 1 bytes of time in milliseconds, 3 bytes; then the content and its size.
    at = [at for at, kind in _tags(content) if kind == 9][index]
    time_ms = 2_000_000_000
    content[at + 4 : at + 8] = (time_ms & 0xFFFFFF).to_bytes(3, "big") + (time_ms >> 24).to_bytes(1, "big")
    path.write_bytes(content)
    return path


def _tags(content: bytes) -> Iterator[tuple[int, int]]:
    at = 13
    while at < len(content):
        yield at, content[at]
        at += 15 + int.from_bytes(content[at + 1 : at + 4], "big")


def test_one_time_a_billion_seconds_away_is_a_problem_and_the_rest_is_as_long_as_it_is(tmp_path: Path):
    ticks = [*range(0, 1600, 40), 10**12]
    path = write_video(tmp_path / "a.mkv", ticks=ticks, time_base=MILLISECOND, b_frames=0)
    found = probe(str(path))
    assert (found.first_pts_s, found.duration_s, found.n_frames) == (0.0, pytest.approx(1.6), 41)
    assert "pts_jump" in codes(found)
    table = made(frames, clip_file(path), None, Sampling(interval_s=0.5))
    assert table["pts_s"].to_list() == [0.24, 0.72, 1.24]


@pytest.mark.parametrize("index", [1, 20, 40], ids=["the first picture", "in the middle", "the last"])
def test_a_damaged_time_anywhere_leaves_the_other_pictures_and_their_shots(tmp_path: Path, index: int):
    clip = clip_file(one_far_away(tmp_path, index))
    assert (clip.duration_s < 2, len(made(frames, clip, None, Sampling(interval_s=0.2)))) == (True, 8)
    problems: list[Problem] = []
    assert len(list(clip.every_picture((48, 27), problems.append))) == 39
    assert [problem.code for problem in problems] == ["pts_jump"]
    assert len(made(shots, "a", scored(clip, AdaptiveDetector()), clip, Cutting())) == 1


def test_there_are_no_more_moments_than_pictures(tmp_path: Path):
    """Three pictures in 50,000 s would be 500,000 moments at ten a second."""
    path = write_video(tmp_path / "a.mkv", ticks=[0, 40, 50_000_000], time_base=MILLISECOND, b_frames=0)
    assert "pts_gap" in codes(probe(str(path)))
    table = made(frames, clip_file(path), None, Sampling(interval_s=0.1))
    assert table["pts_s"].to_list() == [0.04, 50_000.0]


def test_a_time_lapse_has_no_gap(tmp_path: Path):
    ticks = [index * 120_000 for index in range(20)]
    assert codes(probe(str(write_video(tmp_path / "a.mkv", ticks=ticks, time_base=MILLISECOND)))) == set()


def test_a_clock_that_goes_backwards_is_a_problem_and_what_comes_twice_is_left_out(tmp_path: Path):
    """Two recordings joined byte by byte: the second begins at 0 again."""
    first = write_video(tmp_path / "first.ts", b_frames=0)
    path = tmp_path / "a.ts"
    path.write_bytes(first.read_bytes() * 2)
    assert "pts_not_monotonic" in codes(probe(str(path)))
    clip, problems = clip_file(path), list[Problem]()
    times_s = [picture.pts_s for picture in every_frame(str(path), size=(48, 27), on_problem=problems.append)]
    assert times_s == sorted(times_s)
    assert [problem.code for problem in problems].count("clock_backward") == 1
    assert len(made(frames, clip, None, Sampling(interval_s=0.5))) == 3
    assert made(shots, "a", scored(clip, AdaptiveDetector()), clip, Cutting())["end_s"].to_list() == [clip.end_s]


def test_holes_of_sound_are_no_longer_together_than_the_longest_may_be(tmp_path: Path):
    """A thousand pieces of sound, each 23 hours after the one before, would be a thousand days of silence."""
    hole = 23 * 3600 * 16_000
    pieces = [(index * hole, np.full((1, 1600), 0.5)) for index in range(20)]
    path = write_audio(tmp_path / "a.mkv", pieces, rate_hz=16_000)
    problems: list[Problem] = []
    with decode_audio(str(path), problems.append) as track:
        assert track is not None
        n_samples = sum(block.shape[1] for block in track.blocks())
    assert n_samples / 16_000 < LONGEST_HOLE_S + 1
    assert {problem.code for problem in problems} == {"audio_time_damaged"}


def test_a_sample_rate_that_no_recording_has_is_a_problem(tmp_path: Path):
    path = write_audio(tmp_path / "a.wav", [(0, np.full((1, 4000), 0.5))], rate_hz=16_000)
    content = bytearray(path.read_bytes())
    content[24:28] = (LOWEST_RATE_HZ - 999).to_bytes(4, "little")
    path.write_bytes(content)
    problems: list[Problem] = []
    with decode_audio(str(path), problems.append) as track:
        assert track is not None
        assert list(track.blocks()) == []
    assert [problem.code for problem in problems] == ["audio_rate_damaged"]
