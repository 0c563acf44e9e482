"""The table of a model's score for every frame. `shots.py` applies thresholds to it."""

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from vidassets.errors import EmptyVideo
from vidassets.shots.scorer import ShotScorer
from vidassets.shots.thumbnails import ThumbnailBatch


def score_frames(clip: str, batches: Iterable[ThumbnailBatch], scorer: ShotScorer) -> pl.DataFrame:
    """Return one row per frame, with the columns of `schemas.ShotScores`.

    Args:
        clip: partition key.
        batches: pictures of `scorer.model.frame_size`, see `thumbnails`; read as the scorer needs them.
        scorer: the model.
    Raises:
        EmptyVideo: the clip has no frames.
    """
    pts_s: list[np.ndarray] = []

    def pixels() -> Iterator[np.ndarray]:
        for batch in batches:
            pts_s.append(batch.pts_s)
            yield batch.pixels

    parts = list(scorer.score(pixels()))
    if not pts_s:
        raise EmptyVideo(f"{clip}: no frame to score. `vidassets show {clip}` lists the contents of the file.")
    score = np.concatenate([part.score for part in parts])
    many_hot = [part.many_hot for part in parts if part.many_hot is not None]
    return pl.DataFrame(
        {
            "clip": pl.repeat(clip, len(score), dtype=pl.String, eager=True),
            "video_frame": pl.int_range(len(score), dtype=pl.Int64, eager=True),
            "pts_s": pl.Series(np.concatenate(pts_s), dtype=pl.Float64),
            "score": pl.Series(score, dtype=pl.Float32),
            "many_hot": pl.Series(np.concatenate(many_hot), dtype=pl.Float32)
            if many_hot
            else pl.repeat(None, len(score), dtype=pl.Float32, eager=True),
            "model": pl.repeat(scorer.model.name, len(score), dtype=pl.String, eager=True),
        }
    )
