"""The peak of a sound, the share of it that is silent, and the ratio of its speech to its noise."""

import math

import numpy as np

from vidassets.media.sound import SAMPLE_RATE_HZ, Sound

BLOCK_S = 10.0
FRAME_SAMPLES = SAMPLE_RATE_HZ // 20
# Frames below this are silent. Chosen here: less than the noise of a quiet room in any recording made for speech.
SILENCE_DBFS = -60.0
# Quantisation to 16 bits has a noise of about -101 dBFS: frames below this are digital zeros, not noise.
DIGITAL_ZERO_DBFS = -95.0
NOISE_QUANTILE = 0.1
ABOVE_NOISE_DB = 6.0
LEAST_FRAMES = 20


def measure_levels(sound: Sound) -> dict[str, float | None]:
    """Return the fields `peak_dbfs`, `silence_share` and `snr_db` of `speech_schemas.AudioFacts`.

    Reads the sound once per channel, in blocks. Memory grows by 10 KB per minute and channel.
    """
    peak, frame_powers = 0.0, []
    for channel in range(sound.channels):
        powers = []
        for _, samples in sound.blocks(BLOCK_S, channel):
            peak = max(peak, float(np.abs(samples).max()))
            powers.append(_frame_powers(samples))
        frame_powers.append(np.concatenate(powers) if powers else np.zeros(0))
    return {
        "peak_dbfs": 20 * math.log10(peak) if peak > 0 else None,
        "silence_share": measure_silence(np.max(frame_powers, axis=0)),
        "snr_db": estimate_snr_db(np.mean(frame_powers, axis=0)),
    }


def measure_silence(frame_powers: np.ndarray) -> float | None:
    """Return the share of frames below -60 dBFS, in [0, 1], from the first frame above it to the last; None: no such.

    Args:
        frame_powers: float (N,), mean squares of frames of 50 ms.
    """
    loud = np.flatnonzero(frame_powers >= 10 ** (SILENCE_DBFS / 10))
    return 1 - len(loud) / int(loud[-1] - loud[0] + 1) if len(loud) else None


def estimate_snr_db(frame_powers: np.ndarray) -> float | None:
    """Return the estimated ratio of the power of speech to the power of the noise behind it.

    The noise is the mean of the quietest tenth of the frames. This is the quantile method of Stahl, Fischer and Bippus
    ("Quantile based noise estimation for spectral subtraction and Wiener filtering", ICASSP 2000), over the whole band
    and with a lower quantile, because a clip may contain speech for nine tenths of its time. Frames 6 dB above the
    noise are speech. Their mean power, less that of the noise, is the signal. Digital silence is left out.

    Args:
        frame_powers: float (N,), mean squares of frames of 50 ms.

    Returns:
        None if less than a second is left, or less than a second of it is 6 dB above the noise, as with a steady tone.
    """
    powers = frame_powers[frame_powers > 10 ** (DIGITAL_ZERO_DBFS / 10)]
    if len(powers) < LEAST_FRAMES:
        return None
    quietest = powers[powers <= np.quantile(powers, NOISE_QUANTILE)]
    noise = float(quietest.mean())
    speech = powers[powers > noise * 10 ** (ABOVE_NOISE_DB / 10)]
    return 10 * math.log10(float(speech.mean()) / noise - 1) if len(speech) >= LEAST_FRAMES else None


def _frame_powers(samples: np.ndarray) -> np.ndarray:
    """Float64 (ceil(N / 1600) * 2,), mean squares of the samples, float32 (N,), padded with zeros to whole 100 ms."""
    padded = np.pad(samples, (0, -len(samples) % (2 * FRAME_SAMPLES)))
    return np.mean(padded.reshape(-1, FRAME_SAMPLES).astype(np.float64) ** 2, axis=1)
