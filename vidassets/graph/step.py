"""What the steps of all declared assets share: calling the function, storing what it makes, describing it."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import dagster as dg

from vidassets.errors import VidassetsError
from vidassets.graph.artifact import Artifact, StoredFile
from vidassets.graph.declared_asset import AssetResult, DeclaredAsset
from vidassets.graph.parameters import arguments
from vidassets.graph.settings import plain
from vidassets.storage.store import ArtifactStore
from vidassets.storage.tables import check_foreign_key


class Step(ABC):
    """The body of a declared asset, under the settings of a profile.

    Args:
        asset: the declaration.
        artifacts: every artifact of the graph, by name: how inputs are read.
        code_version: of the asset.
        config_type: the class of its settings, with the profile's values as defaults.
    """

    def __init__(
        self,
        asset: DeclaredAsset,
        artifacts: Mapping[str, Artifact],
        code_version: str,
        config_type: type[dg.Config] | None,
    ) -> None:
        config = config_type() if config_type else None
        self.artifacts = artifacts
        self.key = asset.key
        self.code_version = code_version
        self.defaults = plain(config)
        self.inputs = asset.wanted_inputs(config)
        self._config_type = config_type

    @abstractmethod
    def run(self, context: dg.AssetExecutionContext, config: Any) -> Iterator[Any]:
        """Yield the events of a materialisation."""

    def compute_function(self) -> Callable[..., Iterator[Any]]:
        """Return the function that Dagster calls; its signature asks for config only if the asset has settings."""

        def compute(context: dg.AssetExecutionContext) -> Iterator[Any]:
            yield from self.run(context, None)

        def compute_configured(context: dg.AssetExecutionContext, config: Any) -> Iterator[Any]:
            yield from self.run(context, config)

        if self._config_type is None:
            return compute
        compute_configured.__annotations__["config"] = self._config_type
        return compute_configured


def call_and_store(asset: DeclaredAsset, store: ArtifactStore, key: str, values: Mapping[str, Any]) -> AssetResult:
    """Call an asset's function and store everything that it makes under `key`.

    Args:
        asset: the declaration.
        store: where artifacts go.
        key: the clip's key, or `UNPARTITIONED_KEY`.
        values: what the function's parameters receive, by name.
    Raises:
        SchemaViolation: a table does not match its declaration; nothing of the call is recorded.
    """
    with ExitStack() as stack:
        if asset.artifact.is_file:
            path = stack.enter_context(store.writing(asset.name, key, asset.artifact.extension))
            values = {**values, "output": path}
        result = asset.function(**arguments(asset.function, values))
        result = result if isinstance(result, AssetResult) else AssetResult(result)
        for parent, columns in asset.references.items():
            check_foreign_key(result.value, values[parent], columns, name=asset.name, parent_name=parent)
    for name, artifact in asset.also.items():
        artifact.write(store, key, result.also[name])
    if asset.artifact.is_file:
        return replace(result, value=StoredFile(store, asset.artifact, key))
    asset.artifact.write(store, key, result.value)
    return result


def describe(
    asset: DeclaredAsset,
    store: ArtifactStore,
    key: str,
    values: Mapping[str, Any],
    result: AssetResult,
    row_count: str,
    started: float,
) -> dict[str, dict[str, Any]]:
    """Return the metadata of each artifact of a call: path, rows, figures, seconds, preview.

    Args:
        asset, store, key, values: as for `call_and_store`.
        result: what it returned.
        row_count: the metadata entry for the number of rows.
        started: `time.perf_counter()` when the work began.
    """
    made = {**result.also, asset.name: result.value}
    metadata: dict[str, dict[str, Any]] = {}
    for artifact in asset.artifacts:
        metadata[artifact.name] = {"path": store.uri(artifact.name, key, artifact.extension)}
        if artifact.schema is not None:
            metadata[artifact.name][row_count] = len(made[artifact.name])
    metadata[asset.name] |= {**result.metadata, "seconds": round(time.perf_counter() - started, 3)}
    if asset.preview and (markdown := _preview(asset.preview, {**values, **made, "artifact": result.value})):
        metadata[asset.name]["preview"] = dg.MetadataValue.md(markdown)
    return metadata


def _preview(preview: Callable[..., str | None], values: Mapping[str, Any]) -> str | None:
    """Return Markdown for the asset's page. The artifact is complete without it: the video may be gone by now."""
    try:
        return preview(**arguments(preview, values))
    except VidassetsError as error:
        return f"No preview: {error}"
