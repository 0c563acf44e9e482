"""Labels that people give to builds and crops: tables that are read again whenever the file changes."""

from hashlib import sha256
from pathlib import Path

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.errors import ArtifactMissing, LabelError
from vidassets.graph.dataset_asset import dataset_asset
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.edited_file import content_of
from vidassets.graph.partitions import builds
from vidassets.resources.store import Store
from vidassets.schemas import spatter as spatter_schemas
from vidassets.storage.store import UNPARTITIONED_KEY


class LabelsTable(dg.Config, extra="forbid"):
    """The path of a table that people maintain."""

    table: str | None = Field(default=None, description="Path of a CSV or Parquet file. None: no table.")


def _content(config: LabelsTable) -> str:
    return content_of(config.table)


def _form(artifact: pl.DataFrame) -> str:
    if artifact.is_empty():
        return "No table is configured: labels come only from sidecars."
    lines = ["| build | gas flow | position | all labels |", "|---|---|---|---|"]
    columns = ("build", "gas_flow", "position", "labels_json")
    return "\n".join(
        lines + ["| " + " | ".join(str(row[c] or "") for c in columns) + " |" for row in artifact.to_dicts()]
    )


@dataset_asset(
    group="spatter_dataset",
    kinds={"parquet", "csv"},
    version="1",
    schema=spatter_schemas.SpatterBuildLabels,
    partitions=builds,
    preview=_form,
    watches=_content,
)
def spatter_build_labels(config: LabelsTable) -> AssetResult:
    """Labels of builds from a table that people maintain: columns `build`, `gas_flow`, `position` and any others."""
    from vidassets.spatter.dataset.labels import labels_table, read_labels_table

    labels = {} if config.table is None else read_labels_table(Path(config.table))
    return AssetResult(labels_table(labels), {"table": config.table or "none"}, data_version=_content(config))


@dataset_asset(
    group="spatter_dataset",
    kinds={"parquet", "csv"},
    version="1",
    schema=spatter_schemas.SpatterLabelDecisions,
    partitions=builds,
    watches=_content,
)
def spatter_label_decisions(store: Store, config: LabelsTable) -> AssetResult:
    """Labels that people gave to crops, in order: rows are appended and never changed.

    `table` is a filled-in copy of `spatter_label_requests_csv`. If it is submitted again with more labels, only the new
    labels are added; submitting another list, or none, removes nothing.
    """
    from vidassets.spatter.types.active_labels import append_filled_in

    schema, opened = spatter_schemas.SpatterLabelDecisions, store.open()
    try:
        decisions = opened.read_table("spatter_label_decisions", UNPARTITIONED_KEY, schema)
    except ArtifactMissing:
        decisions = schema.create_empty()
    n_known = len(decisions)
    if config.table is not None:
        try:
            filled = Path(config.table).read_bytes()
        except OSError as error:
            raise LabelError(
                f"{config.table}: cannot be read ({error.strerror}). Correct the path in the profile."
            ) from error
        decisions = append_filled_in(decisions, filled, config.table)
    metadata = {"table": config.table or "none", "new_decisions": len(decisions) - n_known}
    version = sha256(decisions.write_csv().encode()).hexdigest()[:16]
    return AssetResult(decisions, metadata, data_version=version)
