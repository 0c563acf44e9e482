"""Where a clip's video lies: made by registration (`vidassets add`, a sensor), not by a run."""

import dagster as dg

from vidassets.graph.artifact import Artifact
from vidassets.graph.declared_asset import OWNERS
from vidassets.graph.partitions import clips

SOURCE_VIDEO = Artifact(
    "source_video",
    extension="json",
    mend="It was registered with another store, or taken out of this one: `vidassets add` the video again.",
)


def source_video() -> dg.AssetSpec:
    """The asset at the root of the graph; its data version changes when the file or its sidecar does."""
    return dg.AssetSpec(
        SOURCE_VIDEO.name,
        description="Where a clip's video lies and what file it is: size and time, or etag. Registered by "
        "`vidassets add` or a sensor; a replaced file gets a new data version, and makes `raw_clip` stale.",
        group_name="sources",
        owners=list(OWNERS),
        kinds={"mp4", "json"},
        tags={"per": "clip"},
        partitions_def=clips,
    )
