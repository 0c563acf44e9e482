"""`@dataset_asset`: one artifact over all clips, such as a table of costs.

A clip without the input is left out, and counted: one that failed keeps nobody's table from being made.
"""

import inspect
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from vidassets.assets.artifact import Artifact
from vidassets.assets.clip_asset import OWNERS, digest, table_schema
from vidassets.assets.condition import up_to_date
from vidassets.assets.lineage import latest
from vidassets.assets.partitions import clips
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
class DatasetAsset:
    """A declared asset over all clips of a partition set."""

    artifact: Artifact
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    resources: tuple[str, ...]
    version: str
    group: str
    kinds: frozenset[str]
    preview: Callable[[Any], str | None] | None

    @property
    def name(self) -> str:
        """The asset's name."""
        return self.artifact.name

    def definition(self, catalog: Mapping[str, Artifact]) -> dg.AssetsDefinition:
        """The Dagster asset; `catalog` tells what the inputs are read as."""

        def compute(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
            return self._make(context, catalog)

        return dg.asset(
            name=self.name,
            deps=list(self.inputs),
            description=inspect.getdoc(self.function),
            group_name=self.group,
            owners=list(OWNERS),
            kinds=set(self.kinds),
            tags={"per": "dataset"},
            code_version=self.version,
            required_resource_keys={"store", *self.resources},
            automation_condition=up_to_date(with_some_inputs=True),
            metadata=table_schema(self.artifact.schema),
        )(compute)

    def _make(self, context: dg.AssetExecutionContext, catalog: Mapping[str, Artifact]) -> dg.MaterializeResult[Any]:
        started, store = time.perf_counter(), context.resources.store.open()
        registered = context.instance.get_dynamic_partitions(str(clips.name))
        versions = input_versions(context.instance, self.inputs, registered)
        values: dict[str, Any] = {
            name: AllClips(one, store, tuple(sorted(set(versions[name]) & set(store.keys(name, one.extension)))))
            for name, one in ((name, catalog[name]) for name in self.inputs)
        }
        values |= {name: getattr(context.resources, name) for name in self.resources}
        result = self.function(**values)
        self.artifact.write(store, UNPARTITIONED_KEY, result)
        metadata: dict[str, Any] = {
            "path": store.uri(self.name, UNPARTITIONED_KEY, self.artifact.extension),
            "clips": max((len(values[name].keys) for name in self.inputs), default=0),
            "clips_without_input": len(registered) - min((len(values[name].keys) for name in self.inputs), default=0),
            "seconds": round(time.perf_counter() - started, 3),
        }
        if self.artifact.schema is not None:
            metadata["dagster/row_count"] = len(result)
        if self.preview and (markdown := self.preview(result)):
            metadata["preview"] = dg.MetadataValue.md(markdown)
        return dg.MaterializeResult(metadata=metadata, tags={INPUTS_TAG: digest(versions)})


def input_versions(
    instance: dg.DagsterInstance, inputs: Iterable[str], keys: Collection[str]
) -> dict[str, dict[str, str]]:
    """For each input asset, the data version of every clip that has one."""
    return {
        name: {clip: made.data_version for clip, made in latest(instance, dg.AssetKey(name), keys).items()}
        for name in inputs
    }


def dataset_asset(
    *,
    group: str,
    kinds: Iterable[str],
    version: str,
    schema: type[dy.Schema] | None = None,
    extension: str = "parquet",
    preview: Callable[[Any], str | None] | None = None,
) -> Callable[[Callable[..., Any]], DatasetAsset]:
    """Declare an asset over all clips; parameters as for `clip_asset`, each input an `AllClips`."""

    def declare(function: Callable[..., Any]) -> DatasetAsset:
        names = list(inspect.signature(function).parameters)
        return DatasetAsset(
            Artifact(function.__name__, schema, extension),
            function,
            tuple(name for name in names if name not in RESOURCE_KEYS),
            tuple(name for name in names if name in RESOURCE_KEYS),
            version,
            group,
            frozenset(kinds),
            preview,
        )

    return declare
