"""Made-up voices: buzzes of a pitch and a timbre, and embeddings that scatter around one direction each."""

import numpy as np
import polars as pl

from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.schemas.speech import SpeakerDecisions, Speakers, SpeakerTurns, SpeechActivity, VoiceBank


def buzz(pitch_hz: float, formant_hz: float, seconds: float, seed: int = 0) -> np.ndarray:
    """float32 (N,): harmonics of a wavering pitch, loudest at the formant, in syllables of a quarter second."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.05 * np.sin(2 * np.pi * 1.3 * t))) / SAMPLE_RATE_HZ
    orders = np.arange(1, int(7000 / pitch_hz / 1.05))
    gains = np.exp(-(((orders * pitch_hz - formant_hz) / (0.4 * formant_hz)) ** 2)) + 0.02
    wave = (gains[:, None] * np.sin(orders[:, None] * phase)).sum(axis=0)
    wave = wave * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t)) + 0.01 * rng.standard_normal(len(t))
    return (0.3 * wave / np.abs(wave).max()).astype(np.float32)


def scattered(labels: list[int], seed: int = 0, scatter: float = 0.03, size: int = 32) -> np.ndarray:
    """float16 (N, size), of unit length, none below 0: windows of the speakers in `labels`."""
    rng = np.random.default_rng(seed)
    centres = np.abs(np.random.default_rng(99).standard_normal((8, size)))
    vectors = np.abs(centres[labels] + scatter * rng.standard_normal((len(labels), size)) * np.sqrt(size))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def activity(*spans: tuple[float, float], channel: int = 0) -> pl.DataFrame:
    rows = [("clip", channel, stretch, start_s, end_s, 1.0) for stretch, (start_s, end_s) in enumerate(spans)]
    return pl.DataFrame(rows, schema=SpeechActivity.create_empty().schema, orient="row")


def turns(*spans: tuple[float, float, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [("clip", n, *span) for n, span in enumerate(spans)], schema=SpeakerTurns.create_empty().schema, orient="row"
    )


def speakers(**embeddings: list[float] | None) -> pl.DataFrame:
    rows = [
        {"clip": "clip", "speaker": name, "total_s": 5.0, "overlapped_s": 0.0, "n_turns": 1, "embedding": embedding}
        | {"count_basis": "given", "count_confidence": None, "model": "net"}
        for name, embedding in embeddings.items()
    ]
    return pl.DataFrame(rows, schema=Speakers.create_empty().schema)


def bank(*rows: tuple[str, str, list[float]], model: str = "net") -> pl.DataFrame:
    return pl.DataFrame(
        [(person, recording, 5.0, embedding, model) for person, recording, embedding in rows],
        schema=VoiceBank.create_empty().schema,
        orient="row",
    )


def decisions(*rows: tuple[str, float, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [(*row, "a reader") for row in rows], schema=SpeakerDecisions.create_empty().schema, orient="row"
    )
