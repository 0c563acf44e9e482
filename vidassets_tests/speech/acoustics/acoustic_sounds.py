"""Sounds whose pitch, loudness and spectrum are known: float32 (N,) at 16 kHz."""

import numpy as np

from vidassets.media.sound import SAMPLE_RATE_HZ


def times_s(duration_s: float) -> np.ndarray:
    return np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ


def gliding(f0_hz: np.ndarray, amplitude: float | np.ndarray = 0.25) -> np.ndarray:
    """A sine whose frequency at every sample is given by `f0_hz`, (N,)."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / SAMPLE_RATE_HZ
    return (amplitude * np.sin(phase)).astype(np.float32)


def tone(f0_hz: float, duration_s: float = 0.5, amplitude: float = 0.25) -> np.ndarray:
    return gliding(np.full(len(times_s(duration_s)), f0_hz), amplitude)


def voice(f0_hz: float, duration_s: float = 0.5, amplitude: float = 0.05) -> np.ndarray:
    """All harmonics below 4 kHz, falling by 6 dB per octave, as those of a glottis do."""
    t = times_s(duration_s)
    orders = np.arange(1, int(4000 / f0_hz) + 1)[:, None]
    return (amplitude * (np.sin(2 * np.pi * f0_hz * orders * t) / orders).sum(axis=0)).astype(np.float32)


def noise(duration_s: float = 0.5, deviation: float = 0.1, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, len(times_s(duration_s))).astype(np.float32)


def silence(duration_s: float = 0.5) -> np.ndarray:
    return np.zeros(len(times_s(duration_s)), np.float32)


def syllables(n_syllables: int, rate_hz: float, f0_hz: float = 120) -> np.ndarray:
    """A voice that swells and fades `rate_hz` times a second, by 20 dB and more."""
    t = times_s(n_syllables / rate_hz)
    swelling = np.square(np.sin(np.pi * rate_hz * t)) + 0.01
    return (voice(f0_hz, n_syllables / rate_hz) * swelling).astype(np.float32)
