from pathlib import Path

import av
import numpy as np
import pytest

from vidassets.media.sound import Sound, write_sound
from vidassets.speech.sound.extraction import extract_audio
from vidassets.speech.sound.levels import measure_levels
from vidassets_tests.media.sounds import framed, write_audio
from vidassets_tests.media.videos import write_video

RATE_HZ = 16_000


def levels_of(folder: Path, samples: np.ndarray) -> dict[str, float | None]:
    write_sound(folder / "a.flac", samples.astype(np.float32))
    return measure_levels(Sound.open(folder / "a.flac"))


def talk(duration_s: float, seed: int = 0) -> np.ndarray:
    """Noise coloured and swelling like syllables, four a second, with pauses of a fifth of the time."""
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    carrier = np.convolve(np.random.default_rng(seed).normal(size=len(t)), np.ones(8) / 8, "same")
    return carrier * np.sin(np.pi * 4 * t) ** 2 * (t % 2.5 < 2.0)


def ffmpeg_lufs(samples: np.ndarray) -> float:
    """What the filter ebur128 tells."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=RATE_HZ, format="flt", layout="mono", time_base=None)
    meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    told = []
    for at, part in framed(samples[None].astype(np.float32), length=1600):
        frame = av.AudioFrame.from_ndarray(part, format="flt", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, at
        source.push(frame)
        while True:
            try:
                told.append(sink.pull().metadata.get("lavfi.r128.I"))
            except av.error.BlockingIOError:
                break
    return float(next(value for value in reversed(told) if value))


def test_a_full_tone_of_997_hz_has_the_loudness_of_the_recommendation(tmp_path):
    wave = np.sin(2 * np.pi * 997 * np.arange(5 * RATE_HZ) / RATE_HZ)
    assert levels_of(tmp_path, wave)["loudness_lufs"] == pytest.approx(-3.01, abs=0.05)


def test_loudness_leaves_silence_and_what_is_10_lu_below_out(tmp_path):
    wave = 0.1 * np.sin(2 * np.pi * 997 * np.arange(20 * RATE_HZ) / RATE_HZ)
    gated = np.concatenate([wave, wave * 0.03, np.zeros(20 * RATE_HZ)])
    expected = levels_of(tmp_path, wave)["loudness_lufs"]
    assert levels_of(tmp_path, gated)["loudness_lufs"] == pytest.approx(expected, abs=0.1)


def test_loudness_is_what_another_meter_tells(tmp_path):
    sound = 0.2 * talk(20)
    assert levels_of(tmp_path, sound)["loudness_lufs"] == pytest.approx(ffmpeg_lufs(sound), abs=0.1)


def test_the_peak_is_that_of_the_highest_sample(tmp_path):
    assert levels_of(tmp_path, np.array([0.0, -0.5, 0.25] * 800))["peak_dbfs"] == pytest.approx(-6.02, abs=0.01)


def test_silence_counts_between_the_first_and_the_last_sound(tmp_path):
    second = np.full(RATE_HZ, 0.1)
    told = levels_of(tmp_path, np.concatenate([0 * second, second, 0 * second, 0 * second, second, 0 * second]))
    assert told["silence_share"] == pytest.approx(0.5)


@pytest.mark.parametrize("true_db", [5, 10, 20, 30, 40])
def test_a_known_ratio_of_speech_to_noise_is_found_within_3_db(tmp_path, true_db):
    speech = 0.1 * talk(30)
    spoken = np.abs(speech) > 0
    noise = np.random.default_rng(1).normal(size=len(speech))
    noise *= np.sqrt(np.mean(speech[spoken] ** 2)) / 10 ** (true_db / 20)
    assert levels_of(tmp_path, speech + noise)["snr_db"] == pytest.approx(true_db, abs=3)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(0), id="nothing"),
        pytest.param(np.zeros(RATE_HZ), id="digital silence"),
    ],
)
def test_where_nothing_sounds_nothing_is_told(tmp_path, samples):
    assert levels_of(tmp_path, samples) == dict.fromkeys(["loudness_lufs", "peak_dbfs", "silence_share", "snr_db"])


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(0.3 * np.sin(np.arange(5 * RATE_HZ) / 5), id="a steady tone"),
        pytest.param(0.1 * np.random.default_rng(0).normal(size=5 * RATE_HZ), id="steady noise"),
        pytest.param(np.full(100, 0.1), id="less than a frame"),
    ],
)
def test_a_ratio_is_not_made_up(tmp_path, samples):
    assert levels_of(tmp_path, samples)["snr_db"] is None


def test_a_video_without_sound_gives_an_empty_sound_that_says_so(tmp_path):
    facts = extract_audio("a", str(write_video(tmp_path / "a.mp4", n_frames=2)), tmp_path / "a.flac")
    assert facts.select("has_audio", "duration_s", "channels").row(0) == (False, 0.0, 1)
    assert Sound.open(tmp_path / "a.flac").n_samples == 0


def test_the_facts_tell_the_source_and_the_sound(tmp_path):
    wave = np.clip(2 * np.sin(2 * np.pi * 440 * np.arange(96_000) / 48_000), -1, 1)
    path = write_audio(tmp_path / "a.mkv", framed(np.stack([wave, wave])), layout="stereo", language="deu")
    facts = extract_audio("a", str(path), tmp_path / "a.flac", separate_channels=True).row(0, named=True)
    told = ("has_audio", "stream_index", "language", "codec", "source_sample_rate_hz", "source_channels", "channels")
    assert [facts[name] for name in told] == [True, 0, "deu", "pcm_s16le", 48_000, 2, 2]
    assert (facts["duration_s"], facts["holes"], facts["problems"]) == (2.0, [], [])
    assert facts["clipped_share"] == pytest.approx(2 / 3, abs=0.02)
