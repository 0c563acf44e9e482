"""Synthetic films with known transitions, and decoded frames of the footage folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import polars as pl
import pytest

from vidassets.shots.thumbnails import STREAM_SIZE

FOOTAGE = os.environ.get("VIDASSETS_FOOTAGE")
needs_footage = pytest.mark.skipif(FOOTAGE is None, reason="VIDASSETS_FOOTAGE names no folder of real footage")


def scene(seed: int, n_frames: int, size: tuple[int, int] = STREAM_SIZE) -> np.ndarray:
    """uint8 (n_frames, height, width, 3): a camera that pans slowly over coloured blots; seeds differ in place."""
    rng = np.random.default_rng(seed)
    width, height = size
    blots = rng.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    ground = cv2.resize(blots, (width + n_frames, height), interpolation=cv2.INTER_CUBIC)
    ground = cv2.addWeighted(ground, 0.6, np.full_like(ground, rng.integers(0, 256, 3)), 0.4, 0)
    return np.stack([ground[:, shift : shift + width] for shift in range(n_frames)])


def cut(*scenes: np.ndarray) -> np.ndarray:
    """The scenes, one after the other."""
    return np.concatenate(scenes)


def dissolve(before: np.ndarray, after: np.ndarray, n_frames: int) -> np.ndarray:
    """The two scenes, the last n_frames of `before` blended into the first n_frames of `after`."""
    share = (np.arange(1, n_frames + 1) / (n_frames + 1))[:, None, None, None]
    blended = before[-n_frames:] * (1 - share) + after[:n_frames] * share
    return np.concatenate([before[:-n_frames], blended.astype(np.uint8), after[n_frames:]])


def letterbox(film: np.ndarray, rows: int) -> np.ndarray:
    """The film with its upper and lower rows painted black."""
    boxed = film.copy()
    boxed[:, :rows] = 0
    boxed[:, -rows:] = 0
    return boxed


def timed(film: np.ndarray, frame_rate: float = 25.0) -> Iterator[tuple[float, np.ndarray]]:
    """(pts_s, pixels) of every frame."""
    return ((index / frame_rate, pixels) for index, pixels in enumerate(film))


def footage(name: str) -> list[tuple[float, np.ndarray]]:
    """(pts_s, pixels of `STREAM_SIZE`) of every frame of a file of the footage folder."""
    with av.open(str(Path(FOOTAGE or "") / name)) as container:
        stream = container.streams.video[0]
        width, height = STREAM_SIZE
        return [(frame.time, frame.to_ndarray(format="rgb24", width=width, height=height))
                for frame in container.decode(stream)]  # fmt: skip


def scores_table(
    score: list[float],
    pts_s: list[float] | None = None,
    many_hot: list[float] | None = None,
    model: str = "transnetv2",
) -> pl.DataFrame:
    """Rows of `schemas.ShotScores`; 10 frames a second unless pts_s is given."""
    n = len(score)
    return pl.DataFrame(
        {
            "clip": ["film"] * n,
            "video_frame": pl.Series(range(n), dtype=pl.Int64),
            "pts_s": pl.Series(pts_s or [i / 10 for i in range(n)], dtype=pl.Float64),
            "score": pl.Series(score, dtype=pl.Float32),
            "many_hot": pl.Series(many_hot or [None] * n, dtype=pl.Float32),
            "model": [model] * n,
        }
    )
