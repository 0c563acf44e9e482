"""Kinds of spatter: clusters of crops, what people call them, and the crops most worth a person's word."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.errors import InputsAwaited
from vidassets.graph.artifact import Blob
from vidassets.graph.clip_asset import ClipResult
from vidassets.graph.dataset_asset import AllClips, dataset_asset
from vidassets.graph.partitions import builds
from vidassets.graph.preview import picture
from vidassets.schemas import spatter as spatter_schemas

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SpatterTyping(dg.Config, extra="forbid"):
    """How crops are clustered, and labels spread."""

    n_clusters: list[int] = Field(default=[5, 6, 7, 8, 9, 10], min_length=1, description="Numbers that are tried.")
    min_confidence: float = Field(default=0.95, gt=0, le=1, description="Of a pseudo-label.")
    n_requests: int = Field(default=50, ge=0, description="Crops listed for a person to label.")
    seed: int = Field(default=1234, ge=0, description="Of the clustering.")


@dataset_asset(
    group="spatter",
    kinds={"parquet", "scikitlearn"},
    version="1",
    schema=spatter_schemas.SpatterTypes,
    partitions=builds,
    also={
        "spatter_type_facts": spatter_schemas.SpatterTypeFacts,
        "spatter_type_counts": spatter_schemas.SpatterTypeCounts,
        "spatter_label_requests": spatter_schemas.SpatterLabelRequests,
        "spatter_label_requests_csv": Blob(
            "csv", "The list of crops to label, with an empty column `label` to fill in."
        ),
    },
)
def spatter_types(
    spatter_predictions: AllClips,
    spatter_events: AllClips,
    spatter_crops: AllClips,
    spatter_label_decisions: pl.DataFrame,
    spatter_classifier: bytes,
    config: SpatterTyping,
) -> ClipResult:
    """Which kind of spatter each crop of all builds shows: clusters of what is alike, and labels where they are sure.

    Fill in the column `label` of `spatter_label_requests_csv`, name the file in the profile (assets:
    spatter_label_decisions: table: PATH), and run again: a person's word stands, and is spread to what is like it.
    """
    from vidassets.spatter.types.active_labels import label_requests, replay, requests_csv
    from vidassets.spatter.types.embedding import crop_features
    from vidassets.spatter.types.type_facts import type_facts
    from vidassets.spatter.types.types import cluster_crops, spatter_types
    from vidassets.spatter.verdicts.prediction import model_name

    keys = [key for key in spatter_predictions.keys if key in spatter_events.keys and key in spatter_crops.keys]
    events = pl.concat([spatter_events[key] for key in keys])
    predictions = pl.concat([spatter_predictions[key] for key in keys])
    # A build that could not be predicted anew keeps what another model said of it: not comparable.
    of_now = predictions.filter(pl.col("model") == model_name(spatter_classifier))
    features = crop_features(of_now, events)
    numbers = [number for number in config.n_clusters if 4 * number <= len(features.crops)]
    if not numbers:
        raise InputsAwaited(
            f"{len(features.crops)} scored crops are too few for {min(config.n_clusters)} clusters: four for each at "
            "least. Add builds, or lower n_clusters."
        )
    clustering = cluster_crops(features, numbers, config.seed)
    replayed = replay(spatter_label_decisions, events)
    types = spatter_types(features, clustering, replayed.labels, config.min_confidence)
    facts, requests = type_facts(features, types), label_requests(features, types, config.n_requests)
    metadata: dict[str, Any] = {
        "clusters": len(facts),
        "labelled_by_people": int((types["label_source"] == "person").sum()),
        "pseudo_labels": int((types["label_source"] == "pseudo").sum()),
        "decisions_without_a_crop": len(replayed.lost),
        "preview": dg.MetadataValue.md(_sheet(types, facts, events, spatter_crops)),
    }
    also = {
        "spatter_type_facts": facts,
        "spatter_type_counts": clustering.counts,
        "spatter_label_requests": requests,
        "spatter_label_requests_csv": requests_csv(requests),
    }
    return ClipResult(types, metadata, also=also)


def _sheet(types: pl.DataFrame, facts: pl.DataFrame, events: pl.DataFrame, spatter_crops: AllClips) -> str:
    import numpy as np

    from vidassets.spatter.dataset.stored_crops import StoredCrops
    from vidassets.spatter.types.type_facts import type_sheet

    places = {
        (clip, i): (dataset, idx)
        for clip, i, dataset, idx in events.select("clip", "event_index", "dataset", "ds_idx").iter_rows()
    }
    with ExitStack() as opened:
        files = {key: opened.enter_context(spatter_crops[key].path()) for key in types["clip"].unique()}
        stored = StoredCrops(files)
        opened.callback(stored.close)

        def jpeg(clip: str, event_index: int) -> "bytes | NDArray[np.uint8]":
            dataset, index = places[clip, event_index]
            return stored.jpegs(clip, dataset, np.array([index]))[0]

        return picture(type_sheet(types, facts, jpeg), f"{len(facts)} kinds of spatter")
