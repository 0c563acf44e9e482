from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.schemas import speech as speech_schemas
from vidassets.speech.acoustics.grid import measure_frames, measure_windows
from vidassets_tests.media.flac import write_flac
from vidassets_tests.speech.acoustics.acoustic_sounds import gliding, noise, silence, times_s, tone, voice

NULL_IN_SILENCE = ["f0_hz", "harmonicity_db", "spectral_centroid_hz", "spectral_rolloff_hz", "spectral_bandwidth_hz"]


def sound_of(folder: Path, samples: np.ndarray, start_s: float = 0.0) -> Sound:
    path = folder / "sound.flac"
    write_flac(path, samples, start_s)
    return Sound.open(path)


def frames_of(folder: Path, samples: np.ndarray, start_s: float = 0.0, **options: int) -> pl.DataFrame:
    frames = measure_frames("clip", sound_of(folder, samples, start_s), **options)
    return speech_schemas.AcousticFrames.validate(frames)


@pytest.mark.parametrize("f0_hz", [80, 97.3, 120, 155, 220, 333.3, 440, 500])
@pytest.mark.parametrize("kind", [tone, voice])
def test_the_pitch_of_a_steady_sound_is_right_within_half_a_percent(tmp_path, kind, f0_hz):
    frames = frames_of(tmp_path, kind(f0_hz))
    assert frames["f0_hz"].null_count() == 0
    np.testing.assert_allclose(frames["f0_hz"], f0_hz, rtol=0.005)
    assert frames["voiced_probability"].min() > 0.95


@pytest.mark.parametrize(
    "course",
    [
        pytest.param(lambda t: 100 * 2**t, id="a rise of two octaves"),
        pytest.param(lambda t: 400 * 2 ** (-t), id="a fall of two octaves"),
        pytest.param(lambda t: 200 * 2 ** (np.sin(2 * np.pi * 5 * t) / 12), id="a vibrato of a semitone"),
    ],
)
def test_the_pitch_follows_its_course(tmp_path, course):
    frames = frames_of(tmp_path, gliding(course(times_s(2)))).slice(2, 196)
    np.testing.assert_allclose(frames["f0_hz"], course(frames["pts_s"].to_numpy()), rtol=0.01)


def test_a_voice_without_its_fundamental_keeps_its_pitch(tmp_path):
    frames = frames_of(tmp_path, voice(150) - tone(150, amplitude=0.05))
    np.testing.assert_allclose(frames["f0_hz"], 150, rtol=0.005)


def test_the_pitch_of_a_sound_that_swells_stays_and_its_intensity_follows(tmp_path):
    swelling = 0.2 * (1 + 0.5 * np.sin(2 * np.pi * 3 * times_s(1)))
    frames = frames_of(tmp_path, gliding(np.full(SAMPLE_RATE_HZ, 180.0), swelling)).slice(2, 96)
    np.testing.assert_allclose(frames["f0_hz"], 180, rtol=0.005)
    amplitude = 0.2 * (1 + 0.5 * np.sin(2 * np.pi * 3 * frames["pts_s"].to_numpy()))
    np.testing.assert_allclose(frames["intensity_db"], 20 * np.log10(amplitude / np.sqrt(2)), atol=0.1)


def test_white_noise_has_no_pitch_and_a_flat_spectrum(tmp_path):
    frames = frames_of(tmp_path, noise(4))
    assert frames["f0_hz"].is_not_null().mean() < 0.02
    assert frames["voiced_probability"].mean() < 0.1
    assert frames["spectral_centroid_hz"].mean() == pytest.approx(4000, abs=60)
    assert frames["spectral_rolloff_hz"].mean() == pytest.approx(0.85 * 8000, abs=60)
    assert frames["spectral_bandwidth_hz"].mean() == pytest.approx(8000 / np.sqrt(12), abs=60)
    assert frames["zero_crossing_rate"].mean() == pytest.approx(0.5, abs=0.01)
    assert frames["intensity_db"].mean() == pytest.approx(-20, abs=0.2)


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_digital_silence_has_an_intensity_of_minus_120_db_and_no_other_features(tmp_path, level):
    frames = frames_of(tmp_path, silence() + np.float32(level))
    assert len(frames) == 50
    assert frames["intensity_db"].unique().to_list() == [-120]
    assert frames["voiced_probability"].unique().to_list() == [0]
    assert frames["zero_crossing_rate"].unique().to_list() == [0]
    assert [frames[name].null_count() for name in [*NULL_IN_SILENCE, "mfcc"]] == [50] * 6


def test_a_tone_between_silences_is_all_that_is_voiced(tmp_path):
    frames = frames_of(tmp_path, np.concatenate([silence(), tone(200), silence()]))
    voiced_s = frames.filter(pl.col("f0_hz").is_not_null())["pts_s"]
    assert voiced_s.min() == pytest.approx(0.5, abs=0.02)
    assert voiced_s.max() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("amplitude", [0.9, 0.25, 0.01])
@pytest.mark.parametrize("f0_hz", [80, 200, 1000, 6000])
def test_the_intensity_of_a_tone_is_exact_to_a_hundredth_of_a_decibel(amplitude, f0_hz):
    intensity_db = measure_windows(tone(f0_hz, amplitude=amplitude))["intensity_db"]
    np.testing.assert_allclose(intensity_db, 20 * np.log10(amplitude / np.sqrt(2)), atol=0.01)


@pytest.mark.parametrize("f0_hz", [250, 1000, 3000, 6000])
def test_the_whole_spectrum_of_a_tone_is_at_its_frequency(f0_hz):
    measures = measure_windows(tone(f0_hz))
    np.testing.assert_allclose(measures["spectral_centroid_hz"], f0_hz, rtol=0.001)
    np.testing.assert_allclose(measures["spectral_rolloff_hz"], f0_hz, atol=25)
    assert measures["spectral_bandwidth_hz"].max() < 40
    np.testing.assert_allclose(measures["zero_crossing_rate"], 2 * f0_hz / SAMPLE_RATE_HZ, atol=1.01 / 639)


def test_the_spectrum_of_a_voice_has_the_shape_that_librosa_measures():
    measures = measure_windows(voice(150, 0.04))
    # From librosa 0.11.0, for the power spectrum of the same window; coefficients 1 to 13 of n_mfcc=14, top_db=None.
    mfcc = [262.70, -166.35, 119.72, -34.54, -23.40, 42.99, -56.98, 29.61, -13.33, -28.52, 18.19, -38.02, 5.41]
    np.testing.assert_allclose(measures["mfcc"], [mfcc], atol=0.01)
    assert measures["spectral_centroid_hz"].item() == pytest.approx(359.734, abs=0.01)
    assert measures["spectral_bandwidth_hz"].item() == pytest.approx(484.549, abs=0.01)
    assert measures["spectral_rolloff_hz"].item() == 578.125


@pytest.mark.parametrize("ratio_db", [0, 5, 10, 20])
def test_harmonicity_is_the_ratio_of_tone_to_noise(ratio_db):
    mix = tone(200, 4, amplitude=0.2) + noise(4, deviation=0.2 / np.sqrt(2) * 10 ** (-ratio_db / 20))
    assert np.mean(measure_windows(mix)["harmonicity_db"]) == pytest.approx(ratio_db, abs=1)


def test_one_bang_does_not_make_all_else_unvoiced():
    bang = noise(0.02, deviation=0.3)
    speech = np.concatenate([voice(140, 4, amplitude=0.002), bang, voice(140, 4, amplitude=0.002)])
    assert np.mean(~np.isnan(measure_windows(speech)["f0_hz"])) > 0.95


def test_times_are_the_middles_of_every_10_ms_on_the_clips_clock(tmp_path):
    frames = frames_of(tmp_path, tone(200, 0.025), start_s=5.25)
    assert frames["grid_index"].to_list() == [0, 1, 2]
    np.testing.assert_allclose(frames["pts_s"], [5.255, 5.265, 5.275], atol=1e-9)


def test_no_samples_make_no_rows(tmp_path):
    assert len(frames_of(tmp_path, np.zeros(0, np.float32))) == 0


def test_the_channels_are_measured_separately(tmp_path):
    frames = frames_of(tmp_path, np.stack([tone(100), tone(300)]))
    medians = frames.group_by("channel").agg(pl.col("f0_hz").median()).sort("channel")["f0_hz"]
    np.testing.assert_allclose(medians, [100, 300], rtol=0.005)


@pytest.mark.parametrize("block_windows", [1, 7, 64])
def test_the_size_of_a_block_does_not_change_the_result(tmp_path, block_windows):
    sound = sound_of(tmp_path, np.concatenate([voice(110), noise(0.3), gliding(200 * 2 ** times_s(0.5)), silence(0.1)]))
    whole, in_blocks = (measure_frames("clip", sound, block_windows=size) for size in (100_000, block_windows))
    assert whole["f0_hz"].is_null().equals(in_blocks["f0_hz"].is_null())
    for name in ["f0_hz", "intensity_db", "spectral_centroid_hz", "zero_crossing_rate"]:
        np.testing.assert_allclose(in_blocks[name], whole[name], rtol=1e-4, atol=1e-4)
    # At 50 dB, a rounding error is a fraction of a decibel.
    np.testing.assert_allclose(in_blocks["harmonicity_db"], whole["harmonicity_db"], atol=0.5)
    np.testing.assert_allclose(
        in_blocks["mfcc"].drop_nulls().to_numpy(), whole["mfcc"].drop_nulls().to_numpy(), atol=0.01
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n_samples=st.integers(1, 2000),
    kind=st.sampled_from(["noise", "tone", "click", "full scale"]),
    seed=st.integers(0, 99),
)
def test_any_sound_makes_a_valid_table_of_a_row_for_every_10_ms(tmp_path, n_samples, kind, seed):
    click = np.zeros(n_samples, np.float32)
    click[seed % n_samples] = 1
    square = np.where(np.arange(n_samples) % 40 < 20, 1, -1).astype(np.float32)
    kinds = {"noise": noise(1, seed=seed), "tone": tone(50 + 20 * seed, 1), "click": click, "full scale": square}
    frames = frames_of(tmp_path, kinds[kind][:n_samples])
    assert len(frames) == -(-n_samples // 160)
    numbers = frames.select(pl.col(pl.Float32)).fill_null(0).to_numpy()
    assert np.isfinite(numbers).all()
    assert np.isfinite(frames["mfcc"].drop_nulls().to_numpy()).all()
