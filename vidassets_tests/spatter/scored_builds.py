"""Synthetic builds: tables of crops with boxes, measurements, probabilities and embeddings; pictures of spatter."""

import cv2
import numpy as np
import polars as pl

from vidassets.schemas import spatter as spatter_schemas

MODEL = "0123456789abcdef"
FRAME_S = 0.04


def events_of(
    clip: str, layers: list[int], area_px: list[float] | None = None, eccentricity: list[float] | None = None
) -> pl.DataFrame:
    """Return the columns of `spatter_schemas.SpatterEvents` that later steps read; one crop per frame."""
    n_crops = len(layers)
    area = area_px or [3000.0] * n_crops
    return pl.DataFrame(
        {
            "clip": pl.Series([clip] * n_crops, dtype=pl.String),
            "event_index": pl.Series(range(n_crops), dtype=pl.Int32),
            "pts_s": pl.Series([index * FRAME_S for index in range(n_crops)], dtype=pl.Float64),
            "layer": pl.Series(layers, dtype=pl.Int32),
            "box_x1": pl.Series([100] * n_crops, dtype=pl.Int32),
            "box_y1": pl.Series([50] * n_crops, dtype=pl.Int32),
            "box_x2": pl.Series([160] * n_crops, dtype=pl.Int32),
            "box_y2": pl.Series([110] * n_crops, dtype=pl.Int32),
            "area_px": pl.Series(area, dtype=pl.Float64),
            "mean_brightness": pl.Series(np.linspace(0.3, 0.5, n_crops)),
            "peak_brightness": pl.Series([0.9] * n_crops, dtype=pl.Float64),
            "eccentricity": pl.Series(eccentricity or [0.5] * n_crops, dtype=pl.Float64),
        }
    )


def predictions_of(
    clip: str, probability: list[float | None], embeddings: np.ndarray | None = None, model: str = MODEL
) -> pl.DataFrame:
    """Return rows of `spatter_schemas.SpatterPredictions`; a crop without a probability is all black."""
    embeddings = np.zeros((len(probability), 2), np.float32) if embeddings is None else embeddings
    return spatter_schemas.SpatterPredictions.validate(
        pl.DataFrame(
            {
                "clip": pl.Series([clip] * len(probability), dtype=pl.String),
                "event_index": pl.Series(range(len(probability)), dtype=pl.Int32),
                "probability": pl.Series(probability, dtype=pl.Float32),
                "excluded": pl.Series([None if p is not None else "all black" for p in probability], dtype=pl.String),
                "embedding": pl.Series(
                    [
                        None if p is None else row.tolist()
                        for p, row in zip(probability, embeddings.astype(np.float32), strict=True)
                    ],
                    dtype=pl.List(pl.Float32),
                ),
                "model": pl.Series([model] * len(probability), dtype=pl.String),
            }
        )
    )


def spatter_picture(rng: np.random.Generator, high_flow: bool, size_px: int = 60) -> np.ndarray:
    """BGR uint8 (size, size, 3): a small round droplet under high flow, a long streak under low; grain on both."""
    rows, columns = np.mgrid[0:size_px, 0:size_px].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    length, breadth = (
        (rng.uniform(9, 15), rng.uniform(8, 13)) if high_flow else (rng.uniform(14, 26), rng.uniform(6, 10))
    )
    x, y = rng.uniform(0.4, 0.6, 2) * size_px
    along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
    aside = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
    light = rng.uniform(120, 240) * np.exp(-((along / length) ** 2) - (aside / breadth) ** 2)
    picture = light[..., None] * np.array((0.5, 0.8, 1.0)) + rng.normal(12, 8, (size_px, size_px, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


def jpeg_of(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture)[1].tobytes()
