"""The shape of a spectrum: centroid, roll-off, bandwidth, and mel-frequency cepstral coefficients (MFCC).

The coefficients are those that librosa 0.11 computes from the same power spectra with its defaults: 128 mel bands,
10 log10 of at least 1e-10, orthonormal DCT-II. There are two differences. Levels are not cut off 80 dB below the
loudest of the clip, because the features of a word must not depend on what is shouted later. Coefficient 0, the level,
is left out. The other three features are weighted by power, as Praat's centre of gravity is.
"""

from functools import lru_cache

import numpy as np

from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.schemas.speech import N_MFCC
from vidassets.speech.mel import mel_filters

N_MELS = 128
ROLLOFF_SHARE = 0.85
LEAST_POWER = 1e-10


def spectral_shape(power: np.ndarray) -> dict[str, np.ndarray]:
    """Return the shape of every power spectrum, by column of `speech_schemas.AcousticFrames`.

    Args:
        power: float32 (T, F), bins evenly spaced from 0 Hz to half the sample rate.

    Returns:
        float32 (T,) for each feature, (T, N_MFCC) for `mfcc`. NaN for a spectrum without power.
    """
    frequency_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, power.shape[1])  # (F,)
    energy = power.sum(axis=1, dtype=np.float64)  # (T,)
    energy[energy == 0] = np.nan
    # (T,): mean frequency, weighted by power.
    centroid_hz = power @ frequency_hz / energy
    # (T, F), then (T,): a difference of squares would round away the width of a tone, so take squared distances.
    distance_hz = frequency_hz - np.nan_to_num(centroid_hz)[:, None]
    bandwidth_hz = np.sqrt(np.einsum("tf,tf->t", power, np.square(distance_hz)) / energy)
    # (T, F), then (T,): the first frequency at which the cumulated power reaches its share.
    cumulated = np.cumsum(power, axis=1, dtype=np.float64)
    rolloff_hz = frequency_hz[np.argmax(cumulated >= ROLLOFF_SHARE * cumulated[:, -1:], axis=1)]
    # (T, N_MELS): levels of the mel bands; their cosine transform is (T, N_MFCC).
    filters = mel_filters(N_MELS, power.shape[1], SAMPLE_RATE_HZ)
    levels_db = 10 * np.log10(np.maximum(power @ filters.T, LEAST_POWER))
    mfcc = levels_db @ _cosines().T
    silent = np.isnan(energy)
    return {
        "spectral_centroid_hz": centroid_hz.astype(np.float32),
        "spectral_rolloff_hz": np.where(silent, np.nan, rolloff_hz).astype(np.float32),
        "spectral_bandwidth_hz": bandwidth_hz.astype(np.float32),
        "mfcc": np.where(silent[:, None], np.nan, mfcc).astype(np.float32),
    }


@lru_cache(maxsize=1)
def _cosines() -> np.ndarray:
    """Return float32 (N_MFCC, N_MELS): rows 1 to N_MFCC of the orthonormal DCT-II."""
    order, band = np.arange(1, N_MFCC + 1)[:, None], np.arange(N_MELS)
    return (np.sqrt(2 / N_MELS) * np.cos(np.pi * order * (band + 0.5) / N_MELS)).astype(np.float32)
