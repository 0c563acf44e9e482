"""Clips as the assets are handed them, of generated films; no store, no Dagster."""

from pathlib import Path

import polars as pl

from vidassets.assets.sources.clip_file import ClipFile
from vidassets.assets.sources.raw_clip import raw_clip
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.declared_asset import AssetResult
from vidassets.sources.find import find_videos
from vidassets.storage.tables import check_table


def raw(path: Path) -> AssetResult:
    """What `raw_clip` makes of a file."""
    [source] = find_videos(path, "clip").sources
    result = raw_clip.function(source.key, source)
    check_table(result.value, raw_clip.artifact.schema)
    return result


def clip_file(path: Path) -> ClipFile:
    """The clip as assets below are handed it."""
    return ClipFile.from_table(raw(path).value)


def made(asset: ClipAsset, *values: object) -> pl.DataFrame:
    """The table that an asset makes of these inputs, known to keep its schema."""
    result = asset.function(*values)
    table = result.value if isinstance(result, AssetResult) else result
    assert asset.artifact.schema is not None
    return check_table(table, asset.artifact.schema)


def verdicts(result: AssetResult) -> dict[str, bool]:
    """What the checks of `raw_clip` say."""
    return {check.name: check.answer(result.value).passed for check in raw_clip.checks}
