"""Find syllable nuclei from intensity and voicing.

De Jong and Wempe, "Praat script to detect syllable nuclei and measure speech rate automatically", Behavior Research
Methods 41 (2), 2009.

A nucleus is a voiced maximum of the intensity, at most 25 dB below the loudest, with a dip of 2 dB before the next.
Two things are done differently. The depth of a dip is measured from the lower of its two maxima, so that a ripple on
the slope of a vowel is not a nucleus. The end of the sound counts as a dip; otherwise a word of a single syllable would
have no nucleus.
"""

import numpy as np

SILENCE_BELOW_LOUDEST_DB = 25.0
LOUDEST_QUANTILE = 0.99
DIP_DB = 2.0
# De Jong and Wempe measure intensity in Praat's windows of 128 ms, whose standard deviation is 14.4 ms; the intensity
# given here has 6.4 ms. This smoothing makes up the difference, in steps of 10 ms:
SMOOTHING_STEPS = 1.29


def silence_threshold_db(intensity_db: np.ndarray) -> float:
    """Return the intensity below which a frame is silent, relative to the loudest of the given frames."""
    return float(np.quantile(intensity_db, LOUDEST_QUANTILE)) - SILENCE_BELOW_LOUDEST_DB


def syllable_nuclei(intensity_db: np.ndarray, voiced: np.ndarray) -> list[int]:
    """Return the indices of the frames in the middle of a syllable, in order.

    Args:
        intensity_db: (T,), T > 0, every 10 ms, as `grid` measures it.
        voiced: bool (T,).
    """
    # (T,): voiced local maxima above the silence threshold; both ends of the sound count as low.
    smooth_db = _smooth(intensity_db)
    bounded = np.concatenate([[-np.inf], smooth_db, [-np.inf]])
    is_maximum = (smooth_db > bounded[:-2]) & (smooth_db >= bounded[2:])
    is_maximum &= voiced & (smooth_db >= silence_threshold_db(smooth_db))
    nuclei: list[int] = []
    for maximum in np.flatnonzero(is_maximum).tolist():
        if not nuclei:
            nuclei.append(maximum)
            continue
        # A deep dip begins a new nucleus; otherwise the higher of the two maxima stays.
        lower_db = min(smooth_db[nuclei[-1]], smooth_db[maximum])
        if lower_db - smooth_db[nuclei[-1] : maximum].min() >= DIP_DB:
            nuclei.append(maximum)
        elif smooth_db[maximum] > smooth_db[nuclei[-1]]:
            nuclei[-1] = maximum
    return nuclei


def _smooth(intensity_db: np.ndarray) -> np.ndarray:
    """Return the level, (T,), of the power averaged under a Gaussian; frames beyond the ends have no weight."""
    reach = int(np.ceil(3 * SMOOTHING_STEPS))
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / SMOOTHING_STEPS))
    power = 10 ** (np.asarray(intensity_db, np.float64) / 10)
    inside = slice(reach, reach + len(power))
    sums, totals = (np.convolve(values, weights)[inside] for values in (power, np.ones_like(power)))
    return 10 * np.log10(sums / totals)
