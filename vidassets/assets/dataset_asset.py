"""`@dataset_asset`: artifacts over all clips of a partition set, such as a table of costs or a trained model.

A clip without the input is left out, and counted: one that failed keeps nobody's table from being made.
"""

import inspect
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import dagster as dg

from vidassets.assets.artifact import Artifact
from vidassets.assets.clip_asset import ClipResult
from vidassets.assets.condition import up_to_date
from vidassets.assets.declared_asset import DeclaredAsset
from vidassets.assets.lineage import latest, latest_whole
from vidassets.assets.partitions import clips
from vidassets.assets.settings import digest
from vidassets.resources.keys import RESOURCE_KEYS
from vidassets.schemas import dy
from vidassets.storage.store import UNPARTITIONED_KEY, ArtifactStore

INPUTS_TAG = "vidassets/inputs"  # digest of every clip's data version that went in


@dataclass(frozen=True)
class AllClips:
    """One input asset over all clips: iterate for (key, artifact), read one at a time."""

    artifact: Artifact
    store: ArtifactStore
    keys: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for key in self.keys:
            yield key, self.artifact.read(self.store, key)


@dataclass(frozen=True)
class DatasetAsset(DeclaredAsset):
    """A declared asset over all clips of a partition set."""

    def definition(
        self,
        catalog: Mapping[str, Artifact],
        identities: Mapping[str, Mapping[str, str]],
        settings: Mapping[str, Any],
    ) -> dg.AssetsDefinition:
        """The Dagster asset; arguments as for `ClipAsset.definition`."""
        config_type = self.configured(settings)
        code_version = self.code_version(config_type() if config_type else None, identities)

        def compute(context: dg.AssetExecutionContext) -> Iterator[Any]:
            yield from self._make(context, catalog, None)

        def compute_configured(context: dg.AssetExecutionContext, config: Any) -> Iterator[Any]:
            yield from self._make(context, catalog, config)

        compute_configured.__annotations__["config"] = config_type
        return dg.multi_asset(
            name=self.name,
            specs=self.specs(
                self.inputs,
                code_version,
                tags={"per": "dataset"},
                automation_condition=up_to_date(with_some_inputs=True),
            ),
            required_resource_keys={"store", *self.resources},
            pool=self.pool,
        )(compute_configured if config_type else compute)

    def _make(
        self, context: dg.AssetExecutionContext, catalog: Mapping[str, Artifact], config: dg.Config | None
    ) -> Iterator[dg.MaterializeResult[Any]]:
        started, store = time.perf_counter(), context.resources.store.open()
        registered = context.instance.get_dynamic_partitions(str(self.partitions.name))
        versions = input_versions(context.instance, [catalog[name] for name in self.inputs], registered)
        values: dict[str, Any] = {name: _input(catalog[name], store, versions[name]) for name in self.inputs}
        values |= {name: getattr(context.resources, name) for name in self.resources} | {"config": config}
        result = self._stored(store, values)
        made = {**result.also, self.name: result.value}
        counts = [len(one.keys) for one in values.values() if isinstance(one, AllClips)]
        for artifact in self.artifacts:
            metadata: dict[str, Any] = {"path": store.uri(artifact.name, UNPARTITIONED_KEY, artifact.extension)}
            if artifact.schema is not None:
                metadata["dagster/row_count"] = len(made[artifact.name])
            if artifact is self.artifact:
                metadata |= {"clips": max(counts, default=0), **result.metadata}
                metadata["clips_without_input"] = len(registered) - min(counts, default=len(registered))
                metadata["seconds"] = round(time.perf_counter() - started, 3)
                if markdown := self._previewed(values, made):
                    metadata["preview"] = dg.MetadataValue.md(markdown)
            tags = {INPUTS_TAG: digest(versions)}
            yield dg.MaterializeResult(asset_key=artifact.name, metadata=metadata, tags=tags)

    def _stored(self, store: ArtifactStore, values: dict[str, Any]) -> ClipResult:
        with ExitStack() as stack:
            if self.artifact.is_file:
                writing = store.writing(self.name, UNPARTITIONED_KEY, self.artifact.extension)
                values = values | {"output": stack.enter_context(writing)}
            result = self.function(**{name: values[name] for name in inspect.signature(self.function).parameters})
            result = result if isinstance(result, ClipResult) else ClipResult(result)
        for name, artifact in self.also.items():
            artifact.write(store, UNPARTITIONED_KEY, result.also[name])
        if not self.artifact.is_file:
            self.artifact.write(store, UNPARTITIONED_KEY, result.value)
        return result

    def _previewed(self, values: Mapping[str, Any], made: Mapping[str, Any]) -> str | None:
        if self.preview is None:
            return None
        known = {**values, **made, "artifact": made[self.name]}
        return self.preview(**{name: known[name] for name in inspect.signature(self.preview).parameters})


def _input(artifact: Artifact, store: ArtifactStore, versions: Mapping[str, str]) -> Any:
    if artifact.is_whole:
        return artifact.read(store, UNPARTITIONED_KEY)
    stored = set(store.keys(artifact.name, artifact.extension))
    return AllClips(artifact, store, tuple(sorted(set(versions) & stored)))


def input_versions(
    instance: dg.DagsterInstance, inputs: Iterable[Artifact], keys: Collection[str]
) -> dict[str, dict[str, str]]:
    """For each input, the data version of every clip that has one; of one over all clips, its own."""
    versions: dict[str, dict[str, str]] = {}
    for artifact in inputs:
        key = dg.AssetKey(artifact.name)
        if artifact.is_whole:
            made = latest_whole(instance, key)
            versions[artifact.name] = {UNPARTITIONED_KEY: made.data_version} if made else {}
        else:
            versions[artifact.name] = {clip: made.data_version for clip, made in latest(instance, key, keys).items()}
    return versions


def dataset_asset(
    *,
    group: str,
    kinds: Iterable[str],
    version: str,
    schema: type[dy.Schema] | None = None,
    extension: str = "parquet",
    partitions: dg.DynamicPartitionsDefinition = clips,
    pool: str | None = None,
    preview: Callable[..., str | None] | None = None,
    is_file: bool = False,
    also: Mapping[str, type[dy.Schema] | str] | None = None,
) -> Callable[[Callable[..., Any]], DatasetAsset]:
    """Declare an asset over all clips of a partition set.

    Parameters of the function are as for `clip_asset`, each per-clip input an `AllClips`. `also` names further
    artifacts that the same call makes: by the schema of a table, or the extension of a blob.
    """

    def declare(function: Callable[..., Any]) -> DatasetAsset:
        parameters = inspect.signature(function).parameters
        special = {"config", "output", *RESOURCE_KEYS}
        config = parameters.get("config")
        return DatasetAsset(
            artifact=Artifact(function.__name__, schema, extension, is_file, is_whole=True),
            function=function,
            partitions=partitions,
            inputs={name: one.annotation for name, one in parameters.items() if name not in special},
            resources=tuple(name for name in parameters if name in RESOURCE_KEYS),
            config_type=config.annotation if config else None,
            version=version,
            group=group,
            kinds=frozenset(kinds),
            pool=pool,
            preview=preview,
            also={name: _also(name, what) for name, what in (also or {}).items()},
        )

    return declare


def _also(name: str, what: type[dy.Schema] | str) -> Artifact:
    if isinstance(what, str):
        return Artifact(name, extension=what, is_whole=True)
    return Artifact(name, what, is_whole=True)
