from pathlib import Path

import numpy as np
import pytest

from vidassets.media.sound import Sound
from vidassets.speech.sound.extraction import extract_audio
from vidassets.speech.sound.levels import measure_levels
from vidassets_tests.media.flac import write_flac
from vidassets_tests.media.sounds import framed, write_audio
from vidassets_tests.media.videos import write_video

RATE_HZ = 16_000


def levels_of(folder: Path, samples: np.ndarray) -> dict[str, float | None]:
    write_flac(folder / "a.flac", samples.astype(np.float32))
    return measure_levels(Sound.open(folder / "a.flac"))


def talk(duration_s: float, seed: int = 0) -> np.ndarray:
    """Noise coloured and swelling like syllables, four a second, with pauses of a fifth of the time."""
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    carrier = np.convolve(np.random.default_rng(seed).normal(size=len(t)), np.ones(8) / 8, "same")
    return carrier * np.sin(np.pi * 4 * t) ** 2 * (t % 2.5 < 2.0)


def test_the_peak_is_that_of_the_highest_sample(tmp_path):
    assert levels_of(tmp_path, np.array([0.0, -0.5, 0.25] * 800))["peak_dbfs"] == pytest.approx(-6.02, abs=0.01)


def test_silence_counts_between_the_first_and_the_last_sound(tmp_path):
    second = np.full(RATE_HZ, 0.1)
    levels = levels_of(tmp_path, np.concatenate([0 * second, second, 0 * second, 0 * second, second, 0 * second]))
    assert levels["silence_share"] == pytest.approx(0.5)


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
def test_nothing_is_measured_where_nothing_sounds(tmp_path, samples):
    assert levels_of(tmp_path, samples) == dict.fromkeys(["peak_dbfs", "silence_share", "snr_db"])


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
    assert facts.select("has_audio", "duration_s", "channels", "loudness_lufs").row(0) == (False, 0.0, 1, None)
    assert Sound.open(tmp_path / "a.flac").n_samples == 0


def test_the_facts_describe_the_source_and_the_sound(tmp_path):
    wave = np.clip(2 * np.sin(2 * np.pi * 440 * np.arange(96_000) / 48_000), -1, 1)
    path = write_audio(tmp_path / "a.mkv", framed(np.stack([wave, wave])), layout="stereo", language="deu")
    facts = extract_audio("a", str(path), tmp_path / "a.flac", separate_channels=True).row(0, named=True)
    names = ("has_audio", "stream_index", "language", "codec", "source_sample_rate_hz", "source_channels", "channels")
    assert [facts[name] for name in names] == [True, 0, "deu", "pcm_s16le", 48_000, 2, 2]
    assert (facts["duration_s"], facts["holes"], facts["problems"]) == (2.0, [], [])
    assert facts["clipped_share"] == pytest.approx(2 / 3, abs=0.02)


def test_the_loudness_is_that_of_the_source_and_not_of_its_mix(tmp_path):
    wave = 0.1 * np.sin(2 * np.pi * 997 * np.arange(5 * 48_000) / 48_000)
    path = write_audio(tmp_path / "a.mkv", framed(np.stack([wave, -wave])), layout="stereo")
    facts = extract_audio("a", str(path), tmp_path / "a.flac").row(0, named=True)
    assert facts["peak_dbfs"] is None
    assert facts["loudness_lufs"] == pytest.approx(-20.0, abs=0.05)
