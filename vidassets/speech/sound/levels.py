"""How loud a sound is, how much of it is silent, and how far its speech stands out of its noise."""

import math
from collections.abc import Iterator

import numpy as np

from vidassets.media.sound import SAMPLE_RATE_HZ, Sound

BLOCK_S = 10.0
STEP = SAMPLE_RATE_HZ // 10  # BS.1770: blocks of 0.4 s that overlap by three quarters
FRAME = SAMPLE_RATE_HZ // 20
# Below this a frame is silent; chosen here: under the noise of a quiet room in any recording meant for speech.
SILENCE_DBFS = -60.0
# Quantisation to 16 bits alone is near -101 dBFS: less than this is a digital zero, not a noise.
DIGITAL_ZERO_DBFS = -95.0
NOISE_QUANTILE = 0.1
ABOVE_NOISE_DB = 6.0
LEAST_FRAMES = 20


def measure_levels(sound: Sound) -> dict[str, float | None]:
    """The fields `loudness_lufs`, `peak_dbfs`, `silence_share`, `snr_db` of `speech_schemas.AudioFacts`.

    Reads the sound once per channel, in blocks: memory grows by 1 KB per minute.
    """
    peak, step_powers, frame_powers = 0.0, [], []
    for channel in range(sound.channels):
        weighted, plain = [], []
        weighting = KWeighting()
        for samples in _whole_steps(sound, channel):
            peak = max(peak, float(np.abs(samples).max()))
            plain.append(_powers(samples, FRAME))
            weighted.append(_powers(weighting(samples), STEP))
        step_powers.append(_joined(weighted))
        frame_powers.append(_joined(plain))
    # Channels apart are people apart: their powers add up, as those of loudspeakers do.
    return {
        "loudness_lufs": integrated_loudness_lufs(np.sum(step_powers, axis=0)),
        "peak_dbfs": 20 * math.log10(peak) if peak > 0 else None,
        "silence_share": silence_share(np.max(frame_powers, axis=0)),
        "snr_db": snr_db(np.mean(frame_powers, axis=0)),
    }


def integrated_loudness_lufs(step_powers: np.ndarray) -> float | None:
    """Integrated loudness after ITU-R BS.1770-5, with both its gates; None where nothing passes them.

    Args:
        step_powers: float (N,): mean squares of K-weighted steps of 0.1 s, summed over channels.
    """
    if len(step_powers) < 4:
        return None
    blocks = np.convolve(step_powers, np.full(4, 0.25), "valid")
    loud = blocks[_lufs(blocks) >= -70.0]
    if not len(loud):
        return None
    gated = loud[_lufs(loud) >= _lufs(loud.mean()) - 10.0]
    return float(_lufs(gated.mean()))


def silence_share(frame_powers: np.ndarray) -> float | None:
    """How much of the time from the first to the last sound is below -60 dBFS, in [0, 1]; None where all is.

    Args:
        frame_powers: float (N,): mean squares of frames of 50 ms.
    """
    loud = np.flatnonzero(frame_powers >= 10 ** (SILENCE_DBFS / 10))
    return 1 - len(loud) / int(loud[-1] - loud[0] + 1) if len(loud) else None


def snr_db(frame_powers: np.ndarray) -> float | None:
    """Estimated power of speech over that of the noise beneath it, both while somebody speaks.

    The noise is the mean of the quietest tenth of the frames: the quantile method of Stahl, Fischer and Bippus
    ("Quantile based noise estimation for spectral subtraction and Wiener filtering", ICASSP 2000), over the whole band
    and with a lower quantile, as a clip may be talked through for nine tenths. Frames 6 dB above it are speech; their
    mean power less the noise's is the signal. Digital silence tells nothing of noise and is left out. None where fewer
    than a second is left, or a second is not 6 dB above the rest: a steady tone, steady noise.

    Args:
        frame_powers: float (N,): mean squares of frames of 50 ms.
    """
    powers = frame_powers[frame_powers > 10 ** (DIGITAL_ZERO_DBFS / 10)]
    if len(powers) < LEAST_FRAMES:
        return None
    quietest = powers[powers <= np.quantile(powers, NOISE_QUANTILE)]
    noise = float(quietest.mean())
    speech = powers[powers > noise * 10 ** (ABOVE_NOISE_DB / 10)]
    return 10 * math.log10(float(speech.mean()) / noise - 1) if len(speech) >= LEAST_FRAMES else None


class KWeighting:
    """The two filters of BS.1770 in a row, for a sound that comes in blocks.

    The recommendation gives coefficients at 48 kHz; at 16 kHz they follow from the analogue filters behind them, as
    told by B. De Man, "Evaluation of implementations of the EBU R128 loudness measurement", AES 145, 2018.
    """

    def __init__(self) -> None:
        self._sections = np.array([_shelf(1681.974450955533, 3.999843853973347, 0.7071752369554196), _high_pass()])
        self._state = np.zeros((2, 2))

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """float64 (N,): the next block, weighted."""
        from scipy.signal import sosfilt

        weighted, self._state = sosfilt(self._sections, samples.astype(np.float64), zi=self._state)
        return weighted


def _shelf(f0_hz: float, gain_db: float, q: float) -> list[float]:
    k, v_high = math.tan(math.pi * f0_hz / SAMPLE_RATE_HZ), 10 ** (gain_db / 20)
    v_band, norm = v_high**0.4996667741545416, 1 + k / q + k * k
    zeros = [v_high + v_band * k / q + k * k, 2 * (k * k - v_high), v_high - v_band * k / q + k * k]
    return [*(z / norm for z in zeros), 1.0, 2 * (k * k - 1) / norm, (1 - k / q + k * k) / norm]


def _high_pass(f0_hz: float = 38.13547087602444, q: float = 0.5003270373238773) -> list[float]:
    k = math.tan(math.pi * f0_hz / SAMPLE_RATE_HZ)
    norm = 1 + k / q + k * k
    return [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / norm, (1 - k / q + k * k) / norm]


def _whole_steps(sound: Sound, channel: int) -> Iterator[np.ndarray]:
    """The sound in blocks of whole steps of 0.1 s; what is left at the end ends in silence."""
    for _, samples in sound.blocks(BLOCK_S, channel):
        yield np.pad(samples, (0, -len(samples) % STEP))


def _powers(samples: np.ndarray, length: int) -> np.ndarray:
    return np.mean(samples.reshape(-1, length).astype(np.float64) ** 2, axis=1)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0)


def _lufs(powers: np.ndarray) -> np.ndarray:
    return -0.691 + 10 * np.log10(np.maximum(powers, 1e-20))
