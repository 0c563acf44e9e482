"""The asset `frames`: pictures sampled from a clip."""

from typing import TYPE_CHECKING, Annotated, Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.sources.clip_file import SOUND_ALONE, ClipFile, problem_lines
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.declared_asset import AssetResult, Figure
from vidassets.graph.parameters import OnlyIf
from vidassets.graph.preview import picture as picture_metadata
from vidassets.progress import counted
from vidassets.schemas import clips as clip_schemas

if TYPE_CHECKING:
    from vidassets.frames.sampling import Reason
    from vidassets.media.problems import Problem


class Sampling(dg.Config, extra="forbid"):
    """Settings of `frames`: which pictures are sampled and how they are stored."""

    interval_s: float = Field(
        default=10.0, gt=0, le=86_400, description="Seconds between pictures; the first is taken at half of it."
    )
    max_frames: int | None = Field(
        default=None, ge=1, description="Most pictures per clip, spread evenly over it; null: no limit."
    )
    at_shot_midpoints: bool = Field(
        default=False,
        description="Also take the middle frame of each shot. Set it in the profile: it adds `shots` to the inputs.",
    )
    jpeg_quality: int = Field(default=85, ge=1, le=100, description="JPEG quality on libjpeg's scale.")
    max_side_px: int | None = Field(
        default=None,
        ge=16,
        description="Longest side in pixels; larger pictures are scaled down, smaller ones are kept.",
    )


def _contact_sheet(artifact: pl.DataFrame, raw_clip: ClipFile) -> str:
    from vidassets.frames.contact_sheet import contact_sheet

    if not raw_clip.has_pictures:
        return SOUND_ALONE
    return picture_metadata(contact_sheet(artifact), f"{len(artifact)} sampled frames")


@clip_asset(
    group="frames",
    kinds={"parquet", "jpeg"},
    version="2",
    schema=clip_schemas.Frames,
    preview=_contact_sheet,
    figures=[Figure("frames")],
)
def frames(
    raw_clip: ClipFile, shots: Annotated[pl.DataFrame | None, OnlyIf("at_shot_midpoints")], config: Sampling
) -> AssetResult:
    """Sample one picture every `interval_s`, and optionally one per shot, as JPEG in a Hugging Face Image column.

    Each picture is the frame that a player shows at that time, in any container. Each row has its presentation time,
    sharpness, brightness and perceptual hash. A clip of sound alone has no rows.
    """
    from vidassets.frames.sampling import merge_times, sample_times, shot_midpoints
    from vidassets.frames.table import frames_table

    problems: list[Problem] = []
    # More moments than pictures would show the same pictures again.
    n_frames = raw_clip.row["n_frames"] or 1
    most = min(config.max_frames or n_frames, n_frames)
    interval = sample_times(raw_clip.first_pts_s, raw_clip.duration_s, config.interval_s, most)
    times = merge_times(interval, [] if shots is None else shot_midpoints(shots), config.max_frames)
    reasons: dict[float, Reason] = dict(times)
    pictures = counted(raw_clip.pictures_at(reasons, problems.append, config.max_side_px), "frames", len(reasons))
    table = frames_table(
        raw_clip.clip,
        ((picture.wanted_s, reasons[picture.wanted_s], picture.pts_s, picture.pixels) for picture in pictures),
        config.jpeg_quality,
    )
    metadata: dict[str, Any] = {} if raw_clip.has_pictures else {"pictures": SOUND_ALONE}
    if problems:
        metadata["problems"] = dg.MetadataValue.md(problem_lines(problems))
    return AssetResult(table, metadata)
