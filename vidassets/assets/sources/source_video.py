"""Where a clip's video is stored: written by registration (`vidassets add` or a sensor), not by a run."""

import dagster as dg

from vidassets.graph.artifact import Artifact
from vidassets.graph.declared_asset import OWNERS
from vidassets.graph.partitions import clips

SOURCE_VIDEO = Artifact(
    "source_video",
    extension="json",
    fix="The clip was registered with another store, or removed from this one. Add it again: `vidassets add PATH`.",
)


def source_video() -> dg.AssetSpec:
    """Return the asset at the root of the graph. Its data version changes when the file or its sidecar changes."""
    return dg.AssetSpec(
        SOURCE_VIDEO.name,
        description="Where a clip's video is stored, and which version of the file it is (size and modification time, "
        "or etag). Registered by `vidassets add` or a sensor. A replaced file gets a new data version, which makes "
        "`raw_clip` stale.",
        group_name="sources",
        owners=list(OWNERS),
        kinds={"mp4", "json"},
        tags={"per": "clip"},
        partitions_def=clips,
    )
