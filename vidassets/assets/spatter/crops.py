"""Detect the spatter of a build: when and where it occurs, and a crop of each."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.sources.clip_file import ClipFile, problem_lines
from vidassets.assets.sources.raw_clip import EXTRACTION
from vidassets.errors import InvalidSetting
from vidassets.graph.artifact import Blob, StoredFile
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.declared_asset import AssetResult, Figure
from vidassets.graph.partitions import builds
from vidassets.graph.preview import picture
from vidassets.progress import report_part
from vidassets.schemas import spatter as spatter_schemas
from vidassets.wrong_values import first_problem

if TYPE_CHECKING:
    from pathlib import Path

    from vidassets.spatter.crops.settings import ExtractionSettings


class SpatterExtraction(dg.Config, extra="forbid"):
    """What counts as spatter, and which part of a recording is examined.

    The object `extraction` in a recording's sidecar overrides these settings for that recording.
    """

    start_frame: int = Field(default=0, ge=0, description="First frame to examine; frames are counted from here.")
    left_bound: int = Field(default=0, ge=0, description="First column to examine.")
    right_bound: int | None = Field(
        default=None, ge=1, description="Column after the last one to examine. None: the right edge."
    )
    min_area_px: float = Field(default=2000, ge=0, description="Smallest area of a contour.")
    max_area_px: float = Field(default=15000, ge=0, description="Largest area of a contour.")
    difference_threshold: int = Field(
        default=20, ge=0, le=254, description="Frames differ above this many gray levels."
    )
    layer_gap_frames: int = Field(
        default=700, ge=1, description="A pause of more than this many frames starts a new layer."
    )
    max_crops: int | None = Field(default=None, ge=1, description="Stop after this many crops. None: extract all.")
    crop_from: Literal["earlier", "brighter"] = Field(
        default="brighter",
        description="Frame of the pair that gives the crop. earlier: as the classic algorithm, byte for byte, although "
        "the earlier frame shows an empty bed where a spatter appears at once.",
    )


def _settings(config: SpatterExtraction, raw_clip: ClipFile) -> "ExtractionSettings":
    """Return the settings of the run config, overridden by those of the sidecar.

    Raises:
        InvalidSetting: the sidecar has an unknown setting or an invalid value.
    """
    return settings_for_recording(config, json.loads(raw_clip.row["sidecar_json"] or "{}"), f"{raw_clip.clip}: sidecar")


def settings_for_recording(config: SpatterExtraction, sidecar: Mapping[str, Any], where: str) -> "ExtractionSettings":
    """Return these settings, overridden by those of a recording's sidecar.

    Args:
        config: the settings of all recordings.
        sidecar: its content.
        where: it is, for messages of errors.
    Raises:
        InvalidSetting: the sidecar has an unknown setting or an invalid value.
    """
    from vidassets.spatter.crops.settings import ExtractionSettings

    overrides = sidecar.get(EXTRACTION, {})
    values: dict[str, Any] = config.model_dump()
    where = f"{where}: `{EXTRACTION}`"
    if not isinstance(overrides, dict) or set(overrides) - set(values):
        raise InvalidSetting(f"{where} is {json.dumps(overrides)}; it takes an object of {', '.join(values)}.")
    try:
        return ExtractionSettings(**SpatterExtraction(**{**values, **overrides}).model_dump())
    except (ValueError, InvalidSetting) as error:
        if not overrides:
            raise
        reason = first_problem(error, values) if isinstance(error, ValueError) else error
        raise InvalidSetting(f"{where} is {json.dumps(overrides)}: {reason}") from error


def _preview(artifact: StoredFile, spatter_events: pl.DataFrame, spatter_frame_log: pl.DataFrame) -> str:
    from vidassets.spatter.crops.preview import extraction_preview

    with artifact.path() as path:
        sheet = extraction_preview(spatter_events, spatter_frame_log, path)
    return picture(sheet, f"{len(spatter_events)} spatter crops")


@clip_asset(
    group="spatter_crops",
    kinds={"hdf5", "opencv"},
    version="2",
    extension="h5",
    partitions=builds,
    also={
        "spatter_events": spatter_schemas.SpatterEvents,
        "spatter_frame_log": spatter_schemas.SpatterFrameLog,
        "spatter_frame_log_csv": Blob("csv", "The frame log of a build as CSV."),
    },
    preview=_preview,
    figures=[Figure("crops", "n_crops")],
)
def spatter_crops(clip: str, raw_clip: ClipFile, output: "Path", config: SpatterExtraction) -> AssetResult:
    """JPEG crops of every spatter of a build, in an HDF5 file.

    The datasets are called `{build}_{n}` and hold up to 10,000 JPEG strings each. A spatter is a change between two
    frames that is neither too small nor too large nor the recoater's blue light. The frame on which it is brighter
    gives the crop.
    """
    from vidassets.spatter.crops.extraction import extract_crops

    def on_progress(n_frames: int) -> None:
        report_part(n_frames, raw_clip.row["n_frames"], "frames")

    settings = _settings(config, raw_clip)
    with raw_clip.opened() as uri:
        found = extract_crops(clip, uri, output, settings, on_progress=on_progress)
    metadata: dict[str, Any] = {
        "n_crops": len(found.events),
        "n_layers": found.events["layer"].n_unique(),
        "n_frames": len(found.frame_log),
        "crop_from": settings.crop_from,
    }
    if found.problems:
        metadata["problems"] = dg.MetadataValue.md(problem_lines(found.problems))
    tables = {"spatter_events": found.events, "spatter_frame_log": found.frame_log}
    csv = {"spatter_frame_log_csv": found.frame_log.write_csv().encode()}
    return AssetResult(None, metadata, also=tables | csv)
