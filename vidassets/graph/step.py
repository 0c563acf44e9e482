"""What the steps of all declared assets share: calling the function, storing what it makes, describing it."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import dagster as dg

from vidassets.errors import VidassetsError
from vidassets.graph.artifact import Artifact, StoredFile
from vidassets.graph.dagster_internals import BACKFILL_ID_TAG, SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION
from vidassets.graph.declared_asset import AssetResult, DeclaredAsset
from vidassets.graph.parameters import Parameters, arguments
from vidassets.graph.settings import plain
from vidassets.storage.store import UNPARTITIONED_KEY, ArtifactStore
from vidassets.storage.tables import check_foreign_key

# An output with this metadata counts as produced, and Dagster records no event of its own for it: steps below it run,
# and only the clips that were recorded one by one count as materialised. test_step.py checks this.
RECORDED_ALREADY = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}

# A run's tag: the time, in seconds since 1970, of the states that it was planned by.
PLANNED_AT_TAG = "vidassets/planned_at"


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


def load_inputs(
    asset: DeclaredAsset, artifacts: Mapping[str, Artifact], inputs: Collection[str], store: ArtifactStore, clip: str
) -> dict[str, Any]:
    """Return the inputs of one clip's call, by name, each loaded as the class that the function asks for."""
    keys = {name: UNPARTITIONED_KEY if artifacts[name].is_whole else clip for name in inputs}
    return {name: artifacts[name].read(store, key, asset.inputs[name]) for name, key in keys.items()}


def open_shared(parameters: Parameters, resources: Mapping[str, Any], config: dg.Config | None) -> dict[str, Any]:
    """Return what all clips of a run share: resources, objects that are opened once, and the settings."""
    opened = {name: open_(**arguments(open_, resources)) for name, open_ in parameters.shared.items()}
    return {**resources, **opened, "config": config}


def decoders(
    parameters: Parameters, shared: Mapping[str, Any]
) -> dict[str, Callable[[Mapping[str, Any]], Iterable[Any]]]:
    """Return for each stream a function from a clip's inputs to its pieces."""

    def bound(decode: Callable[..., Iterable[Any]]) -> Callable[[Mapping[str, Any]], Iterable[Any]]:
        return lambda values: decode(**arguments(decode, {**values, **shared}))

    return {name: bound(decode) for name, decode in parameters.streams.items()}


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


def asked_at(context: dg.AssetExecutionContext) -> float:
    """Return when a run was asked for, in seconds since 1970: what others have made since need not be made again."""
    tags, instance = context.run.tags, context.instance
    if planned := tags.get(PLANNED_AT_TAG):
        return float(planned)
    backfill = instance.get_backfill(tags[BACKFILL_ID_TAG]) if BACKFILL_ID_TAG in tags else None
    if backfill is not None:  # its runs are created one after the other, long after it was launched
        return backfill.backfill_timestamp
    record = instance.get_run_record_by_id(context.run.run_id)
    return record.create_timestamp.timestamp() if record else float("inf")


def run_group(context: dg.AssetExecutionContext) -> frozenset[str]:
    """Return the ids of this run and of the failed runs that it resumes.

    To launch a run again that succeeded means to repeat all of it, so its id is not among them.
    """
    group = context.instance.get_run_group(context.run.run_id) if context.run.root_run_id else None
    earlier = (run.run_id for run in (group[1] if group else ()) if not run.is_success)
    return frozenset({context.run.run_id, *earlier})
