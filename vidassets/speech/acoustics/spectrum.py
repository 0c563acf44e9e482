"""The shape of a spectrum: its centre, its roll-off, its width, and its mel-frequency cepstral coefficients.

The coefficients are those that librosa 0.11 makes of the same power spectra at its defaults but for one: 128 bands of
Slaney's mel scale, each triangle of equal area ("Auditory Toolbox", technical report 1998-010, Interval Research,
1998), 10 log10 of at least 1e-10, orthonormal DCT-II. The one: nothing is cut off 80 dB below the loudest of the clip,
since what a word sounds like does not depend on what is shouted later. Coefficient 0, the level, is left out.
The other three are weighted by power, as Praat's centre of gravity is.
"""

from functools import lru_cache

import numpy as np

from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.schemas.speech import N_MFCC

N_MELS = 128
ROLLOFF_SHARE = 0.85
LEAST_POWER = 1e-10
# Slaney's scale: 3 mels a 200 Hz up to 1 kHz, then 27 mels for every factor of 6.4.
LINEAR_HZ_A_MEL = 200 / 3
LINEAR_UP_TO_HZ = 1000.0
MELS_A_LOG = 27 / np.log(6.4)


def spectral_shape(power: np.ndarray) -> dict[str, np.ndarray]:
    """The shape of power spectra, float32 (T, F), evenly from 0 Hz to half the sample rate.

    Returns:
        By column of `speech_schemas.AcousticFrames`: float32 (T,), and `mfcc` (T, N_MFCC); NaN where there is no power.
    """
    frequency_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, power.shape[1])
    energy = power.sum(axis=1, dtype=np.float64)
    energy[energy == 0] = np.nan
    centroid_hz = power @ frequency_hz / energy
    # Differences of squares would lose a tone's width: power times the squared distance, frame by frame.
    distance_hz = frequency_hz - np.nan_to_num(centroid_hz)[:, None]
    bandwidth_hz = np.sqrt(np.einsum("tf,tf->t", power, np.square(distance_hz)) / energy)
    below = np.cumsum(power, axis=1, dtype=np.float64)
    rolloff_hz = frequency_hz[np.argmax(below >= ROLLOFF_SHARE * below[:, -1:], axis=1)]
    filters, cosines = _mel_filters(power.shape[1]), _cosines()
    levels = 10 * np.log10(np.maximum(power @ filters.T, LEAST_POWER))
    silent = np.isnan(energy)
    return {
        "spectral_centroid_hz": centroid_hz.astype(np.float32),
        "spectral_rolloff_hz": np.where(silent, np.nan, rolloff_hz).astype(np.float32),
        "spectral_bandwidth_hz": bandwidth_hz.astype(np.float32),
        "mfcc": np.where(silent[:, None], np.nan, levels @ cosines.T).astype(np.float32),
    }


@lru_cache(maxsize=4)
def _mel_filters(n_frequencies: int) -> np.ndarray:
    """Float32 (N_MELS, F): triangles, each from the peak of the one before to the peak of the next."""
    frequency_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, n_frequencies)
    corner_hz = _hz(np.linspace(0, _mels(SAMPLE_RATE_HZ / 2), N_MELS + 2))[:, None]
    low, peak, high = corner_hz[:-2], corner_hz[1:-1], corner_hz[2:]
    rising, falling = (frequency_hz - low) / (peak - low), (high - frequency_hz) / (high - peak)
    return (np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)).astype(np.float32)


@lru_cache(maxsize=1)
def _cosines() -> np.ndarray:
    """Float32 (N_MFCC, N_MELS): rows 1 to N_MFCC of the orthonormal DCT-II."""
    order, band = np.arange(1, N_MFCC + 1)[:, None], np.arange(N_MELS)
    return (np.sqrt(2 / N_MELS) * np.cos(np.pi * order * (band + 0.5) / N_MELS)).astype(np.float32)


def _mels(frequency_hz: float) -> float:
    """Of a frequency above 1 kHz."""
    return LINEAR_UP_TO_HZ / LINEAR_HZ_A_MEL + MELS_A_LOG * np.log(frequency_hz / LINEAR_UP_TO_HZ)


def _hz(mels: np.ndarray) -> np.ndarray:
    over = np.maximum(0, mels - LINEAR_UP_TO_HZ / LINEAR_HZ_A_MEL)
    return np.where(over > 0, LINEAR_UP_TO_HZ * np.exp(over / MELS_A_LOG), mels * LINEAR_HZ_A_MEL)
