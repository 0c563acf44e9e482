"""Every crop of all labelled builds, and which part of a split it is in."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.sources.raw_clip import EXTRACTION
from vidassets.errors import InputsAwaited, SpatterError, VidassetsError
from vidassets.graph.artifact import Blob
from vidassets.graph.clip_asset import WAITING_FOR, ClipResult
from vidassets.graph.dataset_asset import AllClips, dataset_asset
from vidassets.graph.partitions import builds
from vidassets.graph.settings import digest
from vidassets.schemas import spatter as spatter_schemas
from vidassets.sources.source import Source

if TYPE_CHECKING:
    from vidassets.spatter.dataset.labels import BuildLabels

LEFT_OUT = "left_out"  # metadata: builds that are not in the index, and why


class Splitting(dg.Config, extra="forbid"):
    """How crops are parted in training, validation and test."""

    seed: int = Field(default=1234, ge=0, description="Of the order in which crops, layers and builds are drawn.")


def _sidecar_labels(
    source_video: AllClips, keys: tuple[str, ...], left_out: dict[str, str]
) -> "dict[str, BuildLabels]":
    """Labels of every build that has crops; of one whose sidecar is refused, why, in `left_out`."""
    from vidassets.sources.sidecar import read_sidecar
    from vidassets.spatter.dataset.labels import BuildLabels, labels_from_fields

    labels = {}
    for key in keys:
        source = Source.from_json(source_video[key].decode())
        try:
            fields = read_sidecar(source.sidecar_uri) or {}
            told = {name: value for name, value in fields.items() if name != EXTRACTION}
            labels[key] = labels_from_fields(told, source.sidecar_uri or key)
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
    group="spatter",
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
) -> ClipResult:
    """Every crop of the builds whose gas flow is told: where it lies, its label, the part of each split it is in.

    Labels come from the sidecar of a build or from `spatter_build_labels`; none is guessed, and a contradiction is an
    error. A build without one is no part of it, so that a new recording changes nothing that was learnt.
    """
    from vidassets.spatter.dataset.index import BuildCrops, images_csv, spatter_index
    from vidassets.spatter.dataset.labels import labels_of_table, merge_labels

    left_out: dict[str, str] = {}
    sidecars = _sidecar_labels(source_video, source_video.keys, left_out)
    labels = merge_labels(sidecars, labels_of_table(spatter_build_labels), "spatter_build_labels")
    there = [key for key in spatter_crops.keys if key in spatter_events.keys and key not in left_out]
    told = [key for key in there if labels[key].gas_flow is not None]

    def crops() -> Iterator[BuildCrops]:
        for build in told:
            with spatter_crops[build].path() as path:
                yield BuildCrops(build, spatter_crops.uri(build), path, spatter_events[build])

    index = spatter_index(
        crops(), labels, config.seed, on_refused=lambda build, error: left_out.update({build: str(error)})
    )
    used = [build for build in told if build not in left_out]
    if not used and left_out:
        raise SpatterError("No build can be learned from. " + " ".join(left_out.values()))
    if not used:
        raise InputsAwaited(
            "No build has a gas flow to learn from: write `gas_flow` (low, high) into the sidecar NAME.json of a "
            "build, or into a table of labels (assets: spatter_build_labels: table: PATH in the profile)."
        )
    silent = sorted(key for key in labels if labels[key].gas_flow is None and key not in left_out)
    metadata: dict[str, Any] = {"builds": len(used), "builds_without_gas_flow": ", ".join(silent) or "none"}
    if left_out:
        metadata[LEFT_OUT] = dg.MetadataValue.md("\n".join(f"- **{b}**: {why}" for b, why in left_out.items()))
        metadata[WAITING_FOR] = " ".join(f"{build}: {why}" for build, why in left_out.items())
    exports = {
        "spatter_images_csv": images_csv(index, config.seed),
        "spatter_unshuffled_images_csv": images_csv(index, None),
    }
    version = digest({build: (spatter_crops.versions[build], labels[build].json or "") for build in used})
    return ClipResult(index, metadata, version, incomplete=len(left_out), also=exports)
