"""The mel filter bank that the acoustic features and the voice encoder share.

Source: Slaney, "Auditory Toolbox", technical report 1998-010, Interval Research, 1998: linear up to 1 kHz, then
logarithmic with 27 steps for every factor of 6.4. librosa's default is the same.
"""

from functools import lru_cache

import numpy as np

LINEAR_HZ_PER_MEL = 200 / 3
LINEAR_UP_TO_HZ = 1000.0
MELS_PER_LOG = 27 / np.log(6.4)


@lru_cache(maxsize=8)
def mel_filters(n_mels: int, n_frequencies: int, sample_rate_hz: int) -> np.ndarray:
    """Return float32 (n_mels, n_frequencies): triangles of equal area, evenly spaced on the mel scale from 0 Hz up.

    Args:
        n_mels: number of bands.
        n_frequencies: bins of the power spectrum, evenly spaced from 0 Hz to half the sample rate.
        sample_rate_hz: at least 2 kHz.
    """
    frequency_hz = np.linspace(0, sample_rate_hz / 2, n_frequencies)
    # (n_mels + 2, 1): each triangle rises from the peak of the one before and falls to the peak of the next.
    corner_hz = _mels_to_hz(np.linspace(0, _hz_to_mels(sample_rate_hz / 2), n_mels + 2))[:, None]
    low, peak, high = corner_hz[:-2], corner_hz[1:-1], corner_hz[2:]
    rising, falling = (frequency_hz - low) / (peak - low), (high - frequency_hz) / (high - peak)
    filters = (np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)).astype(np.float32)
    filters.flags.writeable = False  # shared by all callers
    return filters


def _hz_to_mels(frequency_hz: float) -> float:
    """Convert a frequency of at least 1 kHz."""
    return LINEAR_UP_TO_HZ / LINEAR_HZ_PER_MEL + MELS_PER_LOG * np.log(frequency_hz / LINEAR_UP_TO_HZ)


def _mels_to_hz(mels: np.ndarray) -> np.ndarray:
    above = np.maximum(0, mels - LINEAR_UP_TO_HZ / LINEAR_HZ_PER_MEL)
    return np.where(above > 0, LINEAR_UP_TO_HZ * np.exp(above / MELS_PER_LOG), mels * LINEAR_HZ_PER_MEL)
