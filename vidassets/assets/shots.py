"""The assets `shot_scores` (a model scores every frame) and `shots` (a threshold turns scores into shots)."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.sources.clip_file import SOUND_ALONE, ClipFile, problem_lines
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.declared_asset import AssetResult, Figure
from vidassets.graph.parameters import DecodedAhead
from vidassets.graph.preview import picture
from vidassets.progress import report_part
from vidassets.schemas import clips as clip_schemas
from vidassets.shots.scorer import ShotScorer

if TYPE_CHECKING:
    import numpy as np

    from vidassets.media.problems import Problem
    from vidassets.shots.thumbnails import ThumbnailBatch


def _small_pictures(raw_clip: ClipFile, shot_model: ShotScorer) -> "Iterator[ThumbnailBatch | Problem]":
    """Yield every frame with borders cropped, at the model's size, and then the decoding problems."""
    from vidassets.shots.borders import border_sample_times, find_borders
    from vidassets.shots.thumbnails import STREAM_SIZE, thumbnails

    if not raw_clip.has_pictures:
        return
    problems: list[Problem] = []
    samples = raw_clip.pictures_at(border_sample_times(raw_clip.first_pts_s, raw_clip.end_s), lambda _: None)
    borders = find_borders(_of_one_size(sample.pixels for sample in samples))
    pictures = ((frame.pts_s, frame.pixels) for frame in raw_clip.every_picture(STREAM_SIZE, problems.append))
    yield from thumbnails(pictures, borders, shot_model.model.frame_size)
    yield from problems


def _of_one_size(pictures: "Iterable[np.ndarray]") -> "Iterator[np.ndarray]":
    """Scale pictures to the size of the first one: a stream may change its picture size."""
    import cv2

    size: tuple[int, int] | None = None
    for pixels in pictures:
        height, width = pixels.shape[:2]
        size = size or (width, height)
        yield pixels if size == (width, height) else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


@clip_asset(
    group="shots",
    kinds={"parquet", "pytorch"},
    version="1",
    schema=clip_schemas.ShotScores,
    pool="shot_model",
)
def shot_scores(
    clip: str,
    small_pictures: Annotated["Iterable[ThumbnailBatch | Problem]", DecodedAhead(_small_pictures)],
    shot_model: ShotScorer,
    raw_clip: ClipFile,
) -> AssetResult:
    """Score how likely a shot ends at each frame, with the profile's model. This is the expensive step."""
    from vidassets.media.problems import Problem
    from vidassets.shots.scores import score_frames

    if not raw_clip.has_pictures:
        return AssetResult(clip_schemas.ShotScores.create_empty(), {"pictures": SOUND_ALONE})
    problems: list[Problem] = []

    def batches() -> "Iterator[ThumbnailBatch]":
        for item in small_pictures:
            if isinstance(item, Problem):
                problems.append(item)
            else:
                report_part(float(item.pts_s[-1]) - raw_clip.first_pts_s, raw_clip.duration_s, "s of video")
                yield item

    table = score_frames(clip, batches(), shot_model)
    metadata = {"problems": dg.MetadataValue.md(problem_lines(problems))} if problems else {}
    return AssetResult(table, {"model": shot_model.model.name} | metadata)


class Cutting(dg.Config, extra="forbid"):
    """Settings of `shots`: how scores become shots. A change needs no inference."""

    threshold: float | None = Field(
        default=None,
        gt=0,
        description="Score at which a shot ends, on the model's own scale; null: the model's default.",
    )
    min_length_s: float = Field(
        default=0.25,
        ge=0,
        description="Seconds; a shorter shot is merged with its neighbour, unless the cut is certain.",
    )
    certain_score: float | None = Field(
        default=None,
        gt=0,
        description="Score of a certain cut, on the model's own scale; null: the model's default.",
    )


def _strip(artifact: pl.DataFrame, shot_scores: pl.DataFrame, raw_clip: ClipFile, config: Cutting) -> str:
    from vidassets.shots.strip import shot_strip

    if not raw_clip.has_pictures:
        return SOUND_ALONE
    shown = artifact if len(artifact) <= PICTURES_SHOWN else artifact.gather_every(-(-len(artifact) // PICTURES_SHOWN))
    pictures = raw_clip.pictures_at(shown["representative_s"], lambda _: None, max_side_px=160)
    strip = shot_strip(artifact, shot_scores, [(frame.pts_s, frame.pixels) for frame in pictures], config.threshold)
    return picture(strip, f"{len(artifact)} shots")


PICTURES_SHOWN = 24


@clip_asset(
    group="shots", kinds={"parquet"}, version="2", schema=clip_schemas.Shots, preview=_strip, figures=[Figure("shots")]
)
def shots(clip: str, shot_scores: pl.DataFrame, raw_clip: ClipFile, config: Cutting) -> pl.DataFrame:
    """Divide the clip into contiguous shots: start, end, kind of transition, and middle frame of each."""
    from vidassets.shots.shots import shots_from_scores

    if not raw_clip.has_pictures:
        return clip_schemas.Shots.create_empty()
    return shots_from_scores(
        clip,
        shot_scores,
        raw_clip.end_s,
        threshold=config.threshold,
        min_length_s=config.min_length_s,
        certain_score=config.certain_score,
    )
