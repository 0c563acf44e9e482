"""Index every crop of all labelled builds and assign it to a part of each split."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.sources.raw_clip import EXTRACTION
from vidassets.errors import InputsAwaited, SpatterError, VidassetsError
from vidassets.graph.artifact import Blob
from vidassets.graph.dataset_asset import AllClips, dataset_asset
from vidassets.graph.declared_asset import WAITING_FOR, AssetResult
from vidassets.graph.partitions import builds
from vidassets.graph.settings import digest
from vidassets.schemas import spatter as spatter_schemas
from vidassets.sources.source import Source

if TYPE_CHECKING:
    from vidassets.spatter.dataset.labels import BuildLabels

LEFT_OUT = "left_out"  # metadata key: builds that are not in the index, and why


class Splitting(dg.Config, extra="forbid"):
    """How crops are split into training, validation and test."""

    seed: int = Field(default=1234, ge=0, description="Seed of the order in which crops, layers and builds are drawn.")


def _sidecar_labels(
    source_video: AllClips, keys: tuple[str, ...], left_out: dict[str, str]
) -> "dict[str, BuildLabels]":
    """Return the labels of every build; add a build with an invalid sidecar to `left_out`, with the reason."""
    from vidassets.sources.sidecar import read_sidecar
    from vidassets.spatter.dataset.labels import BuildLabels, labels_from_fields

    labels = {}
    for key in keys:
        source = Source.from_json(source_video[key].decode())
        try:
            fields = read_sidecar(source.sidecar_uri, fingerprint=source.sidecar_fingerprint) or {}
            fields = {name: value for name, value in fields.items() if name != EXTRACTION}
            labels[key] = labels_from_fields(fields, source.sidecar_uri or key)
        except VidassetsError as error:
            left_out[key] = str(error)
            labels[key] = BuildLabels()
    return labels


def _figures(artifact: pl.DataFrame) -> str:
    from vidassets.spatter.dataset.index import exclusion_counts
    from vidassets.spatter.dataset.splits import advised_split, split_counts

    advice = advised_split(artifact)
    tables = [("Crops by build", exclusion_counts(artifact)), ("Crops by split", split_counts(artifact))]
    lines = [f"**Judge a model by `{advice.split}`.** {advice.reason}", ""]
    for title, table in tables:
        lines += [f"**{title}**", "", "| " + " | ".join(table.columns) + " |", "|---" * len(table.columns) + "|"]
        lines += ["| " + " | ".join("" if cell is None else str(cell) for cell in row) + " |" for row in table.rows()]
        lines.append("")
    return "\n".join(lines)


@dataset_asset(
    group="spatter_dataset",
    kinds={"parquet", "csv"},
    version="1",
    schema=spatter_schemas.SpatterIndex,
    partitions=builds,
    also={
        "spatter_images_csv": Blob("csv", "The usable crops in random order: file, dataset, ds_idx, label, splits."),
        "spatter_unshuffled_images_csv": Blob("csv", "The same in the order of builds and frames."),
    },
    preview=_figures,
)
def spatter_index(
    spatter_crops: AllClips,
    spatter_events: AllClips,
    source_video: AllClips,
    spatter_build_labels: pl.DataFrame,
    config: Splitting,
) -> AssetResult:
    """Every crop of the builds with a known gas flow: where it is stored, its label, its part in each split.

    Labels come from the sidecar of a build or from `spatter_build_labels`. They are never guessed, and a contradiction
    is an error. Builds without a gas flow are left out, so a new unlabelled recording does not trigger new training.
    """
    from vidassets.spatter.dataset.index import BuildCrops, images_csv, index_crops
    from vidassets.spatter.dataset.labels import labels_of_table, merge_labels

    left_out: dict[str, str] = {}
    sidecars = _sidecar_labels(source_video, source_video.keys, left_out)
    labels = merge_labels(sidecars, labels_of_table(spatter_build_labels), "spatter_build_labels")
    extracted = [key for key in spatter_crops.keys if key in spatter_events.keys and key not in left_out]
    labelled = [key for key in extracted if labels[key].gas_flow is not None]

    def crops() -> Iterator[BuildCrops]:
        for build in labelled:
            with spatter_crops[build].path() as path:
                yield BuildCrops(build, spatter_crops.uri(build), path, spatter_events[build])

    index = index_crops(
        crops(), labels, config.seed, on_refused=lambda build, error: left_out.update({build: str(error)})
    )
    used = [build for build in labelled if build not in left_out]
    if not used and left_out:
        raise SpatterError("No build can be used for training. " + " ".join(left_out.values()))
    if not used:
        raise InputsAwaited(
            "No build has a gas flow to learn from: write `gas_flow` (low, high) into the sidecar NAME.json of a "
            "build, or into a table of labels (assets: spatter_build_labels: table: PATH in the profile)."
        )
    unlabelled = sorted(key for key in labels if labels[key].gas_flow is None and key not in left_out)
    metadata: dict[str, Any] = {"builds": len(used), "builds_without_gas_flow": ", ".join(unlabelled) or "none"}
    if left_out:
        metadata[LEFT_OUT] = dg.MetadataValue.md("\n".join(f"- **{b}**: {why}" for b, why in left_out.items()))
        metadata[WAITING_FOR] = " ".join(f"{build}: {why}" for build, why in left_out.items())
    exports = {
        "spatter_images_csv": images_csv(index, config.seed),
        "spatter_unshuffled_images_csv": images_csv(index, None),
    }
    version = digest({build: (spatter_crops.versions[build], labels[build].json or "") for build in used})
    return AssetResult(index, metadata, version, incomplete=len(left_out), also=exports)
