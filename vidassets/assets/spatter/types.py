"""Kinds of spatter: clusters of crops, the labels that people give them, and the crops most worth labelling."""

from contextlib import ExitStack
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.graph.artifact import Blob
from vidassets.graph.dataset_asset import AllClips, dataset_asset
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.partitions import builds
from vidassets.graph.preview import picture
from vidassets.schemas import spatter as spatter_schemas


class SpatterTyping(dg.Config, extra="forbid"):
    """How crops are clustered and how labels spread to similar crops."""

    n_clusters: list[int] = Field(
        default=[5, 6, 7, 8, 9, 10], min_length=1, description="Numbers of clusters to try; the best is taken."
    )
    min_confidence: float = Field(default=0.95, gt=0, le=1, description="Minimum probability of a pseudo-label.")
    n_requests: int = Field(default=50, ge=0, description="Maximum number of crops listed for a person to label.")
    seed: int = Field(default=1234, ge=0, description="Seed of the clustering.")


@dataset_asset(
    group="spatter_types",
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
) -> AssetResult:
    """Group the crops of all builds into kinds of spatter by clustering, and label the crops of known kinds.

    To name kinds, fill in the column `label` of `spatter_label_requests_csv`, set the file's path in the profile
    (assets: spatter_label_decisions: table: PATH), and run again. A person's label stands; similar crops get a
    pseudo-label.
    """
    from vidassets.spatter.types.active_labels import export_requests, replay_decisions, request_labels
    from vidassets.spatter.types.embedding import compute_features
    from vidassets.spatter.types.type_facts import describe_types
    from vidassets.spatter.types.types import assign_types, cluster_crops, feasible_n_clusters
    from vidassets.spatter.verdicts.prediction import model_name

    keys = [key for key in spatter_predictions.keys if key in spatter_events.keys and key in spatter_crops.keys]
    events = pl.concat([spatter_events[key] for key in keys])
    predictions = pl.concat([spatter_predictions[key] for key in keys])
    # A build whose predictions could not be updated still has those of an older model: not comparable.
    current = predictions.filter(pl.col("model") == model_name(spatter_classifier))
    features = compute_features(current, events)
    n_clusters = feasible_n_clusters(config.n_clusters, len(features.crops))
    clusters = cluster_crops(features, n_clusters, config.seed)
    replayed = replay_decisions(spatter_label_decisions, events)
    types = assign_types(features, clusters, replayed.labels, config.min_confidence)
    facts, requests = describe_types(features, types), request_labels(features, types, config.n_requests)
    metadata: dict[str, Any] = {
        "clusters": len(facts),
        "labelled_by_people": int((types["label_source"] == "person").sum()),
        "pseudo_labels": int((types["label_source"] == "pseudo").sum()),
        "decisions_without_a_crop": len(replayed.lost),
        "preview": dg.MetadataValue.md(_sheet(types, facts, events, spatter_crops)),
    }
    also = {
        "spatter_type_facts": facts,
        "spatter_type_counts": clusters.counts,
        "spatter_label_requests": requests,
        "spatter_label_requests_csv": export_requests(requests),
    }
    return AssetResult(types, metadata, also=also)


def _sheet(types: pl.DataFrame, facts: pl.DataFrame, events: pl.DataFrame, spatter_crops: AllClips) -> str:
    from vidassets.spatter.dataset.stored_crops import StoredCrops
    from vidassets.spatter.types.type_facts import draw_type_sheet, jpeg_reader

    with ExitStack() as opened:
        files = {key: opened.enter_context(spatter_crops[key].path()) for key in types["clip"].unique()}
        stored = StoredCrops(files)
        opened.callback(stored.close)
        return picture(draw_type_sheet(types, facts, jpeg_reader(stored, events)), f"{len(facts)} kinds of spatter")
