"""Spatter of a build: where and when it is, and a crop of each."""

import json
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.sources.clip_file import ClipFile, problem_lines
from vidassets.assets.sources.raw_clip import EXTRACTION
from vidassets.errors import InvalidSetting
from vidassets.graph.artifact import Blob, StoredFile
from vidassets.graph.clip_asset import ClipResult, clip_asset
from vidassets.graph.partitions import builds
from vidassets.graph.preview import picture
from vidassets.schemas import spatter as spatter_schemas

if TYPE_CHECKING:
    from pathlib import Path

    from vidassets.spatter.crops.settings import ExtractionSettings


class SpatterExtraction(dg.Config, extra="forbid"):
    """What counts as spatter, and which part of a recording is looked at.

    What a recording's sidecar tells of itself, under `extraction`, stands above these.
    """

    start_frame: int = Field(default=0, ge=0, description="The first frame looked at; frames are counted from here.")
    left_bound: int = Field(default=0, ge=0, description="First column looked at.")
    right_bound: int | None = Field(
        default=None, ge=1, description="Column that is not any more. None: the right edge."
    )
    min_area_px: float = Field(default=2000, ge=0, description="Least area of a contour.")
    max_area_px: float = Field(default=15000, ge=0, description="Largest area of a contour.")
    difference_threshold: int = Field(default=20, ge=0, le=254, description="Gray levels above which frames differ.")
    layer_gap_frames: int = Field(
        default=700, ge=1, description="A layer begins with spatter more than so many frames after the last."
    )
    max_crops: int | None = Field(default=None, ge=1, description="Stop there. None: all.")


def _settings(config: SpatterExtraction, raw_clip: ClipFile) -> "ExtractionSettings":
    """The config's, and above it what the sidecar tells.

    Raises:
        InvalidSetting: a sidecar that tells what is no setting, or one that cannot be.
    """
    from vidassets.spatter.crops.settings import ExtractionSettings

    told = json.loads(raw_clip.row["sidecar_json"] or "{}").get(EXTRACTION, {})
    values: dict[str, Any] = config.model_dump()
    where = f"{raw_clip.clip}: `{EXTRACTION}` in its sidecar"
    if not isinstance(told, dict) or set(told) - set(values):
        raise InvalidSetting(f"{where} is {json.dumps(told)}; it takes an object of {', '.join(values)}.")
    try:
        return ExtractionSettings(**SpatterExtraction(**{**values, **told}).model_dump())
    except (ValueError, InvalidSetting) as error:
        if not told:
            raise
        raise InvalidSetting(f"{where} is {json.dumps(told)}: {error}") from error


def _preview(artifact: StoredFile, spatter_events: pl.DataFrame, spatter_frame_log: pl.DataFrame) -> str:
    from vidassets.spatter.crops.preview import extraction_preview

    with artifact.path() as path:
        sheet = extraction_preview(spatter_events, spatter_frame_log, path)
    return picture(sheet, f"{len(spatter_events)} spatter crops")


@clip_asset(
    group="spatter",
    kinds={"hdf5", "opencv"},
    version="1",
    extension="h5",
    partitions=builds,
    is_file=True,
    also={
        "spatter_events": spatter_schemas.SpatterEvents,
        "spatter_frame_log": spatter_schemas.SpatterFrameLog,
        "spatter_frame_log_csv": Blob("csv", "The frame log of a build as CSV."),
    },
    preview=_preview,
)
def spatter_crops(clip: str, raw_clip: ClipFile, output: "Path", config: SpatterExtraction) -> ClipResult:
    """JPEG crops of every spatter of a build, in HDF5, as readers of such files expect them.

    Datasets `{build}_{n}` of up to 10,000 JPEG strings each. What changed between two frames, and is neither too small
    nor too large nor the recoater's blue light, is a spatter; its crop is cut from the earlier, untouched frame.
    """
    from vidassets.spatter.crops.extraction import extract

    found = extract(clip, raw_clip.uri, output, _settings(config, raw_clip))
    metadata: dict[str, Any] = {
        "n_crops": len(found.events),
        "n_layers": found.events["layer"].n_unique(),
        "n_frames": len(found.frame_log),
    }
    if found.problems:
        metadata["problems"] = dg.MetadataValue.md(problem_lines(found.problems))
    tables = {"spatter_events": found.events, "spatter_frame_log": found.frame_log}
    csv = {"spatter_frame_log_csv": found.frame_log.write_csv().encode()}
    return ClipResult(None, metadata, also=tables | csv)
