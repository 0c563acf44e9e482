"""Pictures, tables of frames, and the distance of hashes, for the tests in this folder."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from vidassets.frames.measures import Rgb
from vidassets.frames.table import frames_table


def scenery(seed: int = 0, width: int = 320, height: int = 180) -> Rgb:
    """Smooth, coloured blobs that differ from seed to seed: uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / width
    total = np.zeros((height, width, 3))
    for _ in range(12):
        centre_x, centre_y, radius = rng.uniform(0, 1), rng.uniform(0, height / width), rng.uniform(0.03, 0.2)
        blob = np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * radius**2))
        total += blob[..., None] * rng.uniform(30, 160, 3)
    return (40 + total).clip(40, 235).astype(np.uint8)


def noise(seed: int = 0, width: int = 320, height: int = 180) -> Rgb:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def flat(level: int, width: int = 320, height: int = 180) -> Rgb:
    return np.full((height, width, 3), level, np.uint8)


def hash_distance(first: int, second: int) -> int:
    """Number of bits, 0 to 64, in which two perceptual hashes differ."""
    return (first ^ second).bit_count()


def frames_of(pictures: Sequence[Rgb], step_s: float = 10.0) -> pl.DataFrame:
    """Frames of a clip with one picture every `step_s`, the first at half of it."""
    times_s = [step_s * (index + 0.5) for index in range(len(pictures))]
    return frames_table("a-clip", [(t, "interval", t, rgb) for t, rgb in zip(times_s, pictures, strict=True)])
