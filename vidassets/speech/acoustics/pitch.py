"""Pitch and harmonicity by autocorrelation: Boersma, "Accurate short-term analysis of the fundamental frequency and the
harmonics-to-noise ratio of a sampled sound", Proceedings of the Institute of Phonetic Sciences 17, Amsterdam, 1993.

The constants are his, as Praat has them. Done differently: the autocorrelation is upsampled fourfold through its
spectrum and a parabola finds its peaks, instead of a sinc at every peak; what a frame's loudness is compared with is
not the highest peak of the sound but the 99th percentile of its frames' peaks, so that one bang does not make all
speech unvoiced; one window of three periods serves harmonicity too. On speech that is within 0.3 dB of Praat's with as
many, 1.3 dB above its default of 4.5, and 1.4 dB below its cross-correlation (benchmarks/acoustics.py).
A pitch above 600 Hz is taken for a half, a third … of it, as it is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidassets.media.sound import SAMPLE_RATE_HZ

FLOOR_HZ, CEILING_HZ = 75, 600
PERIODS_A_WINDOW = 3
N_CANDIDATES = 7  # a frame. He keeps 14: of 23,400 frames of the benchmark's speech that changes 5.
VOICING_THRESHOLD, SILENCE_THRESHOLD = 0.45, 0.03
OCTAVE_COST, OCTAVE_JUMP_COST, VOICING_COST = 0.01, 0.35, 0.14
LOUD_QUANTILE = 0.99
UPSAMPLING = 4
# Of a logistic curve over (best voiced strength - unvoiced strength): likeliest for what Praat calls voiced in speech.
PROBABILITY_SLOPE = 10.0
# A periodicity of 32-bit samples is not known any better than this.
HARMONICITY_LIMIT_DB = 60.0
STEPS_A_BLOCK = 4096


@dataclass(frozen=True)
class PitchCandidates:
    """What the pitch of each frame may be.

    Attributes:
        octaves: float32 (T, N_CANDIDATES), log2 of Hz; 0 where there is no such candidate.
        strength: float32 (T, N_CANDIDATES), at most 1; -inf where there is no such candidate.
        peak: float32 (T,), highest windowed sample.
        harmonicity_db: float32 (T,), of the most periodic candidate; NaN where there is none.
    """

    octaves: np.ndarray
    strength: np.ndarray
    peak: np.ndarray
    harmonicity_db: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence["PitchCandidates"]) -> "PitchCandidates":
        """Those of consecutive stretches as one."""
        fields = ("octaves", "strength", "peak", "harmonicity_db")
        return cls(**{field: np.concatenate([getattr(part, field) for part in parts]) for field in fields})


def pitch_candidates(windowed: np.ndarray, power: np.ndarray, window: np.ndarray) -> PitchCandidates:
    """Candidates of every frame.

    Args:
        windowed: float32 (T, L), each frame without its mean, times the window.
        power: float32 (T, F), its power spectrum, of an FFT of at least 4/3 L samples: no lag in use wraps around.
        window: float32 (L,).
    """
    max_lag = len(window) // PERIODS_A_WINDOW * UPSAMPLING
    min_lag = SAMPLE_RATE_HZ * UPSAMPLING // CEILING_HZ
    peak = np.abs(windowed).max(axis=1)
    if max_lag <= min_lag + 1:
        nothing = np.full((len(windowed), N_CANDIDATES), -np.inf, np.float32)
        return PitchCandidates(np.zeros_like(nothing), nothing, peak, np.full(len(windowed), np.nan, np.float32))

    # Lags min_lag - 1 to max_lag + 1, in quarters of a sample: a peak is seen by its two neighbours.
    of_window = _autocorrelation(power_spectrum(window[None], 2 * (power.shape[1] - 1)), max_lag)
    correlation = _autocorrelation(power, max_lag)
    energy = np.maximum(correlation[:, :1], np.finfo(np.float32).tiny)
    correlation = (correlation / energy * (of_window[:, :1] / of_window))[:, min_lag - 1 :]

    before, middle, after = correlation[:, :-2], correlation[:, 1:-1], correlation[:, 2:]
    summit = (middle > before) & (middle >= after) & (middle > 0)
    ranked = np.where(summit, middle - OCTAVE_COST * np.log2(np.arange(min_lag, max_lag + 1)), -np.inf)
    n_kept = min(N_CANDIDATES, ranked.shape[1])
    best = np.argpartition(-ranked, n_kept - 1, axis=1)[:, :n_kept]
    found = np.take_along_axis(summit, best, axis=1)
    before, middle, after = (np.take_along_axis(side, best, axis=1) for side in (before, middle, after))
    bend = np.where(found, 2 * middle - before - after, 1)
    offset = np.where(found, 0.5 * (after - before) / bend, 0)
    height = middle + 0.25 * (after - before) * offset
    # Above 1 is possible for so short a window: as far above as below.
    height = np.where(found, np.where(height > 1, 1 / np.maximum(height, 1), height), 0)
    lag_s = (min_lag + best + offset) / (SAMPLE_RATE_HZ * UPSAMPLING)
    strength = np.where(found, height - OCTAVE_COST * np.log2(FLOOR_HZ * lag_s), -np.inf)
    return PitchCandidates(
        octaves=_widened(np.where(found, -np.log2(lag_s), 0), 0),
        strength=_widened(strength, -np.inf),
        peak=peak,
        harmonicity_db=np.where(found.any(axis=1), _decibels(height.max(axis=1)), np.nan).astype(np.float32),
    )


def pitch_track(candidates: PitchCandidates) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest course of the pitch over all frames, and how likely each frame is voiced.

    Returns:
        float32 (T,) in Hz, NaN where unvoiced; float32 (T,) in [0, 1], 0 for digital silence.
    """
    n_frames = len(candidates.peak)
    audible = candidates.peak > 0
    if not audible.any():
        return np.full(n_frames, np.nan, np.float32), np.zeros(n_frames, np.float32)
    loud = np.quantile(candidates.peak[audible], LOUD_QUANTILE)
    relative = np.minimum(candidates.peak / loud, 1)
    quietness = 2 - relative * (1 + VOICING_THRESHOLD) / SILENCE_THRESHOLD
    unvoiced = (VOICING_THRESHOLD + np.maximum(0, quietness)).astype(np.float32)

    margin = candidates.strength.max(axis=1) - unvoiced
    probability = np.where(audible, 1 / (1 + np.exp(-PROBABILITY_SLOPE * np.maximum(margin, -5))), 0)
    states = _best_path(candidates.octaves, np.column_stack([unvoiced, candidates.strength]))
    octaves = np.take_along_axis(candidates.octaves, np.maximum(states - 1, 0)[:, None], axis=1)[:, 0]
    return np.where(states > 0, np.exp2(octaves), np.nan).astype(np.float32), probability.astype(np.float32)


def power_spectrum(frames: np.ndarray, n_fft: int) -> np.ndarray:
    """Float32 (T, n_fft // 2 + 1), of float32 (T, L)."""
    spectrum = np.fft.rfft(frames, n_fft)
    return np.square(spectrum.real) + np.square(spectrum.imag)


def _autocorrelation(power: np.ndarray, max_lag: int) -> np.ndarray:
    """Float32 (T, max_lag + 2), at lags of a quarter sample, of power spectra (T, F)."""
    n_fft = 2 * (power.shape[1] - 1)
    return np.fft.irfft(power, n_fft * UPSAMPLING)[:, : max_lag + 2]


def _widened(found: np.ndarray, filling: float) -> np.ndarray:
    """Float32 (T, N_CANDIDATES), of fewer columns."""
    wide = np.full((len(found), N_CANDIDATES), filling, np.float32)
    wide[:, : found.shape[1]] = found
    return wide


def _decibels(correlation: np.ndarray) -> np.ndarray:
    """Harmonics to noise: the correlation at a period is the periodic share of the energy."""
    limit = 1 / (1 + 10 ** (-HARMONICITY_LIMIT_DB / 10))
    share = np.clip(correlation, 1 - limit, limit)
    return 10 * np.log10(share / (1 - share))


def _best_path(octaves: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Viterbi's: of each frame 0 for unvoiced, or 1 + its candidate; int64 (T,).

    Args:
        octaves: (T, K).
        strength: (T, 1 + K), unvoiced first.
    """
    n_frames, n_states = strength.shape
    came_from = np.zeros((n_frames, n_states), np.int8)
    total = strength[0].astype(np.float64)  # hours of frames add up
    columns = np.arange(n_states)
    for begin in range(1, n_frames, STEPS_A_BLOCK):
        end = min(begin + STEPS_A_BLOCK, n_frames)
        cost = np.full((end - begin, n_states, n_states), VOICING_COST, np.float32)
        cost[:, 0, 0] = 0
        cost[:, 1:, 1:] = OCTAVE_JUMP_COST * np.abs(octaves[begin - 1 : end - 1, :, None] - octaves[begin:end, None])
        for frame in range(begin, end):
            onward = total[:, None] - cost[frame - begin]
            came_from[frame] = onward.argmax(axis=0)
            total = onward[came_from[frame], columns] + strength[frame]
    states = np.empty(n_frames, np.int64)
    states[-1] = total.argmax()
    for frame in range(n_frames - 1, 0, -1):
        states[frame - 1] = came_from[frame, states[frame]]
    return states
