"""Syllable nuclei by intensity and voicing.

De Jong and Wempe, "Praat script to detect syllable nuclei and measure speech rate automatically", Behavior Research
Methods 41 (2), 2009.

A nucleus is a voiced maximum of the intensity, at most 25 dB below the loudest, parted from the next by a dip of 2 dB.
Done differently: a dip counts by the lower of the two maxima, so that a ripple on the slope of a vowel is no nucleus;
and the end of the sound is as good as a dip, without which a word of one syllable would have none.
"""

import numpy as np

SILENCE_BELOW_LOUDEST_DB = 25.0
LOUDEST_QUANTILE = 0.99
DIP_DB = 2.0
# Theirs is the intensity in windows of 128 ms (Praat's for pitch above 50 Hz), of standard deviation 14.4 ms; what is
# given here has 6.4 ms. The rest, in steps of 10 ms:
SMOOTHING_STEPS = 1.29


def silence_threshold_db(intensity_db: np.ndarray) -> float:
    """The intensity below which is silence between what is spoken: relative to the loudest of these alone."""
    return float(np.quantile(intensity_db, LOUDEST_QUANTILE)) - SILENCE_BELOW_LOUDEST_DB


def syllable_nuclei(intensity_db: np.ndarray, voiced: np.ndarray) -> list[int]:
    """Indices of the frames that are the middle of a syllable, in order.

    Args:
        intensity_db: (T,), T > 0, every 10 ms, as `acoustic_grid` measures it.
        voiced: bool (T,).
    """
    smooth_db = _smoothed(intensity_db)
    bounded = np.concatenate([[-np.inf], smooth_db, [-np.inf]])
    is_summit = (smooth_db > bounded[:-2]) & (smooth_db >= bounded[2:])
    is_summit &= voiced & (smooth_db >= silence_threshold_db(smooth_db))
    nuclei: list[int] = []
    for summit in np.flatnonzero(is_summit).tolist():
        if not nuclei:
            nuclei.append(summit)
            continue
        lower_db = min(smooth_db[nuclei[-1]], smooth_db[summit])
        if lower_db - smooth_db[nuclei[-1] : summit].min() >= DIP_DB:
            nuclei.append(summit)
        elif smooth_db[summit] > smooth_db[nuclei[-1]]:
            nuclei[-1] = summit
    return nuclei


def _smoothed(intensity_db: np.ndarray) -> np.ndarray:
    """Averages of the power; at both ends, of what is there."""
    reach = int(np.ceil(3 * SMOOTHING_STEPS))
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / SMOOTHING_STEPS))
    power = 10 ** (np.asarray(intensity_db, np.float64) / 10)
    inside = slice(reach, reach + len(power))
    sums, totals = (np.convolve(values, weights)[inside] for values in (power, np.ones_like(power)))
    return 10 * np.log10(sums / totals)
