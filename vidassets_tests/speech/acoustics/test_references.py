"""Comparisons with Praat and librosa on the same sounds. Both are references only; without them these tests skip."""

import os
import warnings
from pathlib import Path

import av
import numpy as np
import pytest

from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.speech.acoustics.grid import N_FFT, STEP_SAMPLES, WINDOW_SAMPLES, measure_windows
from vidassets.speech.acoustics.pitch import CEILING_HZ, FLOOR_HZ, PERIODS_PER_WINDOW
from vidassets_tests.speech.acoustics.acoustic_sounds import gliding, noise, times_s, voice

EPISODE = Path(__file__).parents[3] / "samples/episodes/pioneers/s01/e02/episode.mp4"
STEP_S = STEP_SAMPLES / SAMPLE_RATE_HZ


def decoded(path: Path, duration_s: float = 30) -> np.ndarray:
    """Float32 mono at 16 kHz."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE_HZ)
        pieces = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
        pieces += resampler.resample(None)
    return np.concatenate([piece.to_ndarray()[0] for piece in pieces])[: round(duration_s * SAMPLE_RATE_HZ)]


def window_middles_s(samples: np.ndarray) -> np.ndarray:
    """The middles of the windows of `measure_windows`."""
    spare = len(samples) - WINDOW_SAMPLES
    return (np.arange(spare % STEP_SAMPLES // 2, spare + 1, STEP_SAMPLES) + WINDOW_SAMPLES / 2) / SAMPLE_RATE_HZ


def at(track, at_s: np.ndarray, nothing: float = np.nan) -> np.ndarray:
    """Interpolate Praat's values at these times; NaN next to a frame without a value."""
    values = np.where(track.values[0] == nothing, np.nan, track.values[0])
    return np.interp(at_s, track.xs(), values, left=np.nan, right=np.nan)


def assert_like_praat(samples: np.ndarray) -> None:
    parselmouth = pytest.importorskip("parselmouth", reason="praat-parselmouth is not installed")
    measures, middles_s = measure_windows(samples), window_middles_s(samples)
    praat = parselmouth.Sound(samples.astype(np.float64), SAMPLE_RATE_HZ)

    pitch = praat.to_pitch_ac(time_step=STEP_S, pitch_floor=FLOOR_HZ, pitch_ceiling=CEILING_HZ)
    f0_hz = np.array([pitch.get_value_at_time(middle_s) for middle_s in middles_s])
    both = ~np.isnan(f0_hz) & ~np.isnan(measures["f0_hz"])
    assert np.median(np.abs(measures["f0_hz"][both] / f0_hz[both] - 1)) < 0.01
    assert np.mean(np.abs(measures["f0_hz"][both] / f0_hz[both] - 1) > 0.1) < 0.03
    assert np.mean(np.isnan(f0_hz) == np.isnan(measures["f0_hz"])) > 0.9

    full_scale_db = 20 * np.log10(2e-5)  # Praat's are relative to 20 micropascals
    intensity_db = at(praat.to_intensity(100, STEP_S), middles_s) + full_scale_db
    audible = ~np.isnan(intensity_db) & (measures["intensity_db"] > -80)
    assert np.corrcoef(intensity_db[audible], measures["intensity_db"][audible])[0, 1] > 0.99
    assert abs(np.median(measures["intensity_db"][audible] - intensity_db[audible])) < 0.1

    harmonicity = praat.to_harmonicity_ac(STEP_S, FLOOR_HZ, 0.1, PERIODS_PER_WINDOW)
    harmonicity_db = at(harmonicity, middles_s, nothing=-200)
    both &= ~np.isnan(harmonicity_db)
    assert np.median(np.abs(measures["harmonicity_db"][both] - harmonicity_db[both])) < 1.2


def test_two_voices_are_measured_as_praat_does():
    assert_like_praat(decoded(EPISODE))


def test_a_gliding_voice_in_noise_is_measured_as_praat_does():
    glide = gliding(120 * 2 ** (0.5 * np.sin(2 * np.pi * times_s(3))), amplitude=0.1)
    assert_like_praat(np.concatenate([glide + noise(3, deviation=0.003), noise(1, deviation=0.05), voice(200, 1)]))


@pytest.mark.footage
@pytest.mark.skipif("VIDASSETS_FOOTAGE" not in os.environ, reason="VIDASSETS_FOOTAGE names no folder of real footage")
@pytest.mark.parametrize("name", ["phone-call.wav", "meeting-00.wav", "city-upon-a-hill.flac", "libri-1088.wav"])
def test_real_speech_is_measured_as_praat_does(name):
    assert_like_praat(decoded(Path(os.environ["VIDASSETS_FOOTAGE"]) / "speech" / name))


@pytest.mark.parametrize("samples_of", [lambda: decoded(EPISODE, 5), lambda: noise(1)], ids=["speech", "noise"])
def test_the_spectrum_is_measured_as_librosa_does(samples_of):
    samples = samples_of()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from librosa's own imports
        feature = pytest.importorskip("librosa.feature", reason="librosa is not installed")
        from librosa import power_to_db

        # librosa does not subtract the mean of a frame, so it gets the power spectra of frames without their mean.
        spare = len(samples) - WINDOW_SAMPLES
        starts = np.arange(spare % STEP_SAMPLES // 2, spare + 1, STEP_SAMPLES)
        windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_SAMPLES)[starts].astype(np.float64)
        hann = np.hanning(WINDOW_SAMPLES + 2)[1:-1]
        windows = (windows - (windows @ hann / hann.sum())[:, None]) * hann
        power = np.square(np.abs(np.fft.rfft(windows, N_FFT))).T
        rate = {"S": power, "sr": SAMPLE_RATE_HZ}
        expected = {
            "spectral_centroid_hz": feature.spectral_centroid(**rate)[0],
            "spectral_bandwidth_hz": feature.spectral_bandwidth(**rate)[0],
            "spectral_rolloff_hz": feature.spectral_rolloff(**rate)[0],
        }
        mel_db = power_to_db(feature.melspectrogram(**rate), top_db=None)
        mfcc = feature.mfcc(S=mel_db, n_mfcc=14)[1:].T
    measures = measure_windows(samples)
    audible = measures["intensity_db"] > -80
    for name, values in expected.items():
        np.testing.assert_allclose(measures[name][audible], values[audible], rtol=1e-3)
    np.testing.assert_allclose(measures["mfcc"][audible], mfcc[audible], atol=0.01)
