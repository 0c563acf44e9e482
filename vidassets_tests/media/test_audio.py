import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidassets.errors import InvalidSetting, TruncatedVideo
from vidassets.media.audio import AudioTrack, decode_audio
from vidassets.media.clipping import Clipping
from vidassets.media.problems import Problem
from vidassets_tests.media.sounds import click_times, clicks, framed, write_audio
from vidassets_tests.media.videos import write_video

TIMES_S = [0.5, 1.25, 2.0, 3.3, 9.75, 14.1, 19.9]
SAMPLE_S = 1 / 16_000
FOOTAGE = os.environ.get("VIDASSETS_FOOTAGE", "")
needs_footage = pytest.mark.skipif(not FOOTAGE, reason="VIDASSETS_FOOTAGE names no folder of footage")


def decoded(path: Path | str, **options) -> tuple[AudioTrack, np.ndarray, list[Problem]]:
    problems: list[Problem] = []
    with decode_audio(str(path), problems.append, **options) as track:
        assert track is not None
        return track, np.concatenate([np.zeros((track.channels, 0)), *track.blocks()], axis=1), problems


def tone(duration_s: float, rate_hz: int = 48_000, hz: float = 440.0) -> np.ndarray:
    return 0.4 * np.sin(2 * np.pi * hz * np.arange(round(duration_s * rate_hz)) / rate_hz)[None]


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 16_000, 44_100, 48_000, 96_000])
def test_a_sound_of_any_rate_keeps_its_seconds(tmp_path, rate_hz):
    path = write_audio(tmp_path / "a.nut", framed(clicks(TIMES_S, 20, rate_hz)), rate_hz=rate_hz)
    _, samples, _ = decoded(path)
    assert click_times(samples[0]) == pytest.approx(TIMES_S, abs=0.1 * SAMPLE_S)
    assert samples.shape == (1, 320_000)


@pytest.mark.parametrize("name", ["a.mov", "a.mkv", "a.nut"])
def test_a_sound_that_begins_late_is_preceded_by_silence(tmp_path, name):
    path = write_audio(tmp_path / name, framed(clicks(TIMES_S, 20), at=40_800))
    track, samples, _ = decoded(path)
    assert click_times(samples[0]) == pytest.approx([0.85 + t for t in TIMES_S], abs=SAMPLE_S)
    assert [(hole.start_s, hole.end_s) for hole in track.holes] == [(0.0, 0.85)]


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_a_coded_sound_keeps_its_seconds(tmp_path, name):
    # The encoder primes with 1024 samples; MP4 stores its first time in whole milliseconds.
    frames = framed(clicks(TIMES_S, 21), at=72_000 + 1024, length=1024)
    _, samples, _ = decoded(write_audio(tmp_path / name, frames, codec="aac"))
    # What a lossy codec does to a pulse moves its centre by a sample or so.
    assert click_times(samples[0]) == pytest.approx([1.5 + 1024 / 48_000 + t for t in TIMES_S], abs=2 * SAMPLE_S)


def test_a_hole_becomes_silence_and_is_listed(tmp_path):
    frames = [(at + 48_000 * (at >= 120_000), samples) for at, samples in framed(clicks(TIMES_S, 20))]
    track, samples, problems = decoded(write_audio(tmp_path / "a.mkv", frames))
    assert click_times(samples[0]) == pytest.approx([t + (t > 2.5) for t in TIMES_S], abs=SAMPLE_S)
    assert [(hole.start_s, hole.end_s, hole.cause) for hole in track.holes] == [(2.5, 3.5, "none is stored for it")]
    assert problems == []


def test_overlapping_sound_is_left_out_and_reported(tmp_path):
    frames = [(at - 7200 * (at >= 124_800), part) for at, part in framed(clicks(TIMES_S, 20), length=9600)]
    _, samples, problems = decoded(write_audio(tmp_path / "a.nut", frames))
    assert click_times(samples[0]) == pytest.approx([t - 0.15 * (t > 2.6) for t in TIMES_S], abs=SAMPLE_S)
    assert [problem.code for problem in problems] == ["audio_overlap"]


@settings(max_examples=8, deadline=None)
@given(
    drift=st.floats(-0.01, 0.01),
    begins_s=st.floats(0, 3),
    milliseconds=st.booleans(),
)
def test_a_drift_is_followed(tmp_path_factory, drift, begins_s, milliseconds):
    base = Fraction(1, 1000) if milliseconds else Fraction(1, 48_000)
    path = tmp_path_factory.mktemp("drift") / "a.nut"
    frames = [(round((begins_s + at / 48_000 * (1 + drift)) / base), part) for at, part in framed(clicks(TIMES_S, 20))]
    track, samples, _ = decoded(write_audio(path, frames, time_base=base))
    within_s = 0.0015 if milliseconds else 2 * SAMPLE_S
    assert click_times(samples[0]) == pytest.approx([begins_s + t * (1 + drift) for t in TIMES_S], abs=within_s)
    assert all(hole.start_s == 0 for hole in track.holes)


def test_a_drift_is_followed_without_a_click(tmp_path):
    frames = [(round(at * 1.0005), part) for at, part in framed(tone(20))]
    _, samples, _ = decoded(write_audio(tmp_path / "a.nut", frames))
    due = 0.4 * np.sin(2 * np.pi * 440 / 1.0005 * np.arange(samples.shape[1]) / 16_000)
    assert np.abs(samples[0] - due)[100:-100].max() < 0.01


def test_times_that_only_waver_change_no_sample(tmp_path):
    rng = np.random.default_rng(0)
    even = framed(tone(10))
    uneven = [(round(at / 48 + rng.uniform(-0.4, 0.4)) if at else 0, part) for at, part in even]
    _, expected, _ = decoded(write_audio(tmp_path / "even.nut", even))
    track, samples, _ = decoded(write_audio(tmp_path / "uneven.nut", uneven, time_base=Fraction(1, 1000)))
    assert np.array_equal(samples, expected)
    assert track.holes == []


@pytest.mark.parametrize(("begins_s", "start_s"), [(0.0, 0.0), (59.0, 0.0), (61.5, 61.0), (36_000.25, 36_000.0)])
def test_a_clock_that_begins_far_from_0_is_not_preceded_by_hours_of_silence(tmp_path, begins_s, start_s):
    path = write_audio(tmp_path / "a.nut", framed(clicks([0.5], 1), at=round(begins_s * 48_000)))
    track, samples, _ = decoded(path)
    assert track.start_s == start_s
    assert click_times(samples[0], track.start_s) == pytest.approx([begins_s + 0.5], abs=SAMPLE_S)


def test_the_centre_of_surround_sound_outweighs_the_rest(tmp_path):
    parts = np.repeat(np.eye(6) * 0.5, 4800, axis=1)
    _, samples, _ = decoded(write_audio(tmp_path / "a.mkv", framed(parts), layout="5.1"))
    # FL, FR, FC, LFE, BL, BR
    assert samples[0, 800::1600] / samples[0, 4000] == pytest.approx([0.7071, 0.7071, 1, 0, 0.5, 0.5], abs=0.002)


def test_a_mix_of_equal_channels_is_that_channel(tmp_path):
    _, samples, _ = decoded(write_audio(tmp_path / "a.mkv", framed(np.full((6, 48_000), 0.5)), layout="5.1"))
    assert samples[0, 8000] == pytest.approx(0.5, abs=1e-3)


def test_separate_channels_are_not_mixed(tmp_path):
    stereo = np.concatenate([clicks([0.5], 2), clicks([1.25], 2)])
    path = write_audio(tmp_path / "a.mkv", framed(stereo), layout="stereo")
    _, samples, _ = decoded(path, separate_channels=True)
    assert [click_times(channel) for channel in samples] == [[pytest.approx(0.5)], [pytest.approx(1.25)]]


@pytest.mark.parametrize("wanted", [1, "deu", "DEU"])
def test_a_stream_is_chosen_by_index_or_language(tmp_path, wanted):
    path = write_audio(tmp_path / "a.mkv", framed(tone(1)), language="deu", others=["fra"])
    assert [np.abs(decoded(path, stream=stream)[1]).max() > 0.1 for stream in (None, wanted)] == [False, True]


def test_the_error_on_a_missing_stream_lists_the_streams_of_the_file(tmp_path):
    path = write_audio(tmp_path / "a.mkv", framed(tone(1)), language="deu", others=["fra"])
    with pytest.raises(InvalidSetting, match=r"no audio stream 'spa'. The file has 0 \(fra\), 1 \(deu\)"):
        decoded(path, stream="spa")


def test_a_video_without_sound_has_no_track(tmp_path):
    path = write_video(tmp_path / "mute.mp4", n_frames=2)
    with decode_audio(str(path), lambda _: None) as track:
        assert track is None


@pytest.mark.parametrize(("codec", "name"), [("aac", "a.mp4"), ("mp2", "a.ts")])
def test_a_damaged_middle_becomes_a_hole_and_the_rest_survives(tmp_path, codec, name):
    path = write_audio(tmp_path / name, framed(tone(10)), codec=codec)
    content = bytearray(path.read_bytes())
    middle, length = len(content) // 2, len(content) // 20
    content[middle : middle + length] = np.random.default_rng(1).bytes(length)
    path.write_bytes(content)
    track, samples, problems = decoded(path)
    assert {problem.code for problem in problems} == {"decode_error"}
    (hole,) = [hole for hole in track.holes if hole.start_s > 0]
    assert 4.5 < hole.start_s - samples.shape[1] / 16_000 + 10 < hole.end_s - samples.shape[1] / 16_000 + 10 < 6.0
    assert hole.cause.startswith("does not decode")
    assert np.sqrt(np.mean(samples[0, -32_000:-3200] ** 2)) == pytest.approx(0.4 / 2**0.5, abs=0.01)


def test_a_block_at_full_scale_is_clipped_whatever_the_blocks_are():
    wave = np.clip(1.5 * np.sin(np.arange(4800) / 20), -1, 1)[None].astype(np.float32)
    in_runs = np.mean(np.abs(wave) >= 32_766 / 32_768)
    for length in (1, 7, 4800):
        clipping = Clipping()
        for _, block in framed(wave, length=length):
            clipping.count(block)
        assert clipping.share == pytest.approx(in_runs)


def test_a_wave_that_touches_full_scale_is_not_clipped():
    clipping = Clipping()
    clipping.count(np.array([[0.5, 1.0, 1.0, 0.5, -1.0]], np.float32))
    assert clipping.share == 0


@needs_footage
@pytest.mark.footage
@pytest.mark.parametrize(
    ("name", "starts_s", "n_samples"),
    [
        pytest.param("faces/two-performers.mp4", 353 / 44_100, 160_253, id="the sound begins before the pictures"),
        pytest.param("clips/anamorphic-6ch.mp4", 0.0, 84_992, id="six channels"),
    ],
)
def test_footage_has_the_length_of_its_packets(name, starts_s, n_samples):
    track, samples, problems = decoded(Path(FOOTAGE) / name)
    assert (track.start_s, problems, samples.shape) == (0.0, [], (1, n_samples))
    assert not samples[0, : round(starts_s * 16_000)].any()


@needs_footage
@pytest.mark.footage
def test_footage_without_its_index_is_refused():
    with pytest.raises(TruncatedVideo):
        decoded(Path(FOOTAGE) / "broken/truncated.mp4")
