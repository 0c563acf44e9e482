"""`@dataset_asset`: artifacts over all clips of a partition set, such as a table of costs or a trained model.

A clip without the input is left out, and counted: one that failed keeps nobody's table from being made. Where no clip
has it, or what it needs besides is not there, the asset waits: it is not made, and nothing has failed.
"""

import inspect
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import CODE_VERSION_TAG

from vidassets.errors import InputsAwaited
from vidassets.graph.artifact import Artifact, Blob, StoredFile
from vidassets.graph.clip_asset import INCOMPLETE_TAG, SETTINGS_TAG, ClipResult
from vidassets.graph.condition import up_to_date
from vidassets.graph.declared_asset import DeclaredAsset, also_made
from vidassets.graph.lineage import latest, latest_whole
from vidassets.graph.partitions import clips
from vidassets.graph.settings import digest, plain
from vidassets.resources.keys import RESOURCE_KEYS
from vidassets.schemas.clips import dy
from vidassets.storage.store import UNPARTITIONED_KEY, ArtifactStore

INPUTS_TAG = "vidassets/inputs"  # digest of every clip's data version that went in
WATCHED_TAG = "vidassets/watched"  # what its files outside of the store held
AWAITED = "vidassets/awaited"  # metadata of an observation: what it waits for


@dataclass(frozen=True)
class AllClips:
    """One input asset over all clips: iterate for (key, artifact), read one at a time.

    Attributes:
        versions: the data version of each key's artifact.
    """

    artifact: Artifact
    store: ArtifactStore
    keys: tuple[str, ...]
    versions: Mapping[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for key in self.keys:
            yield key, self[key]

    def __getitem__(self, key: str) -> Any:
        """The artifact of one key, read now."""
        return self.artifact.read(self.store, key)

    def uri(self, key: str) -> str:
        """Where the artifact of one key lies."""
        return self.store.uri(self.artifact.name, key, self.artifact.extension)


@dataclass(frozen=True)
class DatasetAsset(DeclaredAsset):
    """A declared asset over all clips of a partition set; see `dataset_asset` for what its fields mean."""

    on_demand: bool
    watches: Callable[[Any], str] | None

    def watched(self, config: dg.Config | None) -> str | None:
        """What tells whether the files that it reads outside of the store have changed; None where there are none.

        A digest: what `watches` answers may be longer, or of other signs, than a tag can hold.
        """
        return digest(self.watches(config)) if self.watches else None

    def definition(
        self,
        catalog: Mapping[str, Artifact],
        identities: Mapping[str, Mapping[str, str]],
        settings: Mapping[str, Any],
    ) -> dg.AssetsDefinition:
        """The Dagster asset; arguments as for `ClipAsset.definition`."""
        config_type = self.configured(settings)
        defaults = config_type() if config_type else None
        code_version = self.code_version(defaults, identities)
        step = _DatasetStep(self, catalog, code_version, plain(defaults))

        def compute(context: dg.AssetExecutionContext) -> Iterator[Any]:
            yield from step.run(context, None)

        def compute_configured(context: dg.AssetExecutionContext, config: Any) -> Iterator[Any]:
            yield from step.run(context, config)

        compute_configured.__annotations__["config"] = config_type
        return dg.multi_asset(
            name=self.name,
            specs=self.specs(
                self.inputs,
                code_version,
                tags={"per": "dataset"} | ({"on_demand": "true"} if self.on_demand else {}),
                automation_condition=None if self.on_demand else up_to_date(with_some_inputs=True),
                skippable=True,
            ),
            required_resource_keys={"store", *self.resources},
            pool=self.pool,
        )(compute_configured if config_type else compute)


@dataclass(frozen=True)
class _DatasetStep:
    """What runs when an asset over all clips is materialised."""

    asset: DatasetAsset
    catalog: Mapping[str, Artifact]
    code_version: str
    defaults: Mapping[str, Any]

    def run(self, context: dg.AssetExecutionContext, config: dg.Config | None) -> Iterator[Any]:
        """The materialisations, once all is stored; where it waits, an observation that says for what."""
        asset, store, started = self.asset, context.resources.store.open(), time.perf_counter()
        registered = context.instance.get_dynamic_partitions(str(asset.partitions.name))
        versions = input_versions(context.instance, [self.catalog[name] for name in asset.inputs], registered)
        tags = {INPUTS_TAG: digest(versions), SETTINGS_TAG: digest(plain(config)), CODE_VERSION_TAG: self.code_version}
        try:
            watched = asset.watched(config)
            tags |= {WATCHED_TAG: watched} if watched else {}
            values: dict[str, Any] = {name: _input(self.catalog[name], store, versions[name]) for name in asset.inputs}
            values |= {name: getattr(context.resources, name) for name in asset.resources} | {"config": config}
            result = self._stored(store, values)
        except InputsAwaited as awaited:
            context.log.warning(str(awaited))
            yield dg.AssetObservation(asset.name, description=str(awaited), metadata={AWAITED: str(awaited)}, tags=tags)
            return
        made = {**result.also, asset.name: result.value}
        version = self._data_version(result, plain(config), tags)
        counts = [len(one.keys) for one in values.values() if isinstance(one, AllClips)]
        del tags[CODE_VERSION_TAG]  # Dagster's own, on a materialisation
        tags |= {INCOMPLETE_TAG: str(result.incomplete)} if result.incomplete else {}
        for artifact in asset.artifacts:
            metadata: dict[str, Any] = {"path": store.uri(artifact.name, UNPARTITIONED_KEY, artifact.extension)}
            if artifact.schema is not None:
                metadata["dagster/row_count"] = len(made[artifact.name])
            if artifact is asset.artifact:
                metadata |= result.metadata
                if counts:
                    metadata |= {"clips": max(counts), "clips_without_input": len(registered) - min(counts)}
                metadata["seconds"] = round(time.perf_counter() - started, 3)
                if markdown := self._previewed(values, made):
                    metadata["preview"] = dg.MetadataValue.md(markdown)
            yield dg.MaterializeResult(
                asset_key=artifact.name,
                metadata=metadata,
                tags=tags,
                data_version=dg.DataVersion(version) if version else None,
            )

    def _data_version(self, result: ClipResult, settings: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
        """None where Dagster's own is right, of code and inputs; it leaves out settings given at launch."""
        if result.data_version is not None:
            return digest([result.data_version, self.code_version, tags[SETTINGS_TAG]])
        if settings != self.defaults:
            return digest([tags[INPUTS_TAG], self.code_version, tags[SETTINGS_TAG]])
        return None

    def _stored(self, store: ArtifactStore, values: dict[str, Any]) -> ClipResult:
        asset = self.asset
        with ExitStack() as stack:
            if asset.artifact.is_file:
                writing = store.writing(asset.name, UNPARTITIONED_KEY, asset.artifact.extension)
                values = values | {"output": stack.enter_context(writing)}
            result = asset.function(**{name: values[name] for name in inspect.signature(asset.function).parameters})
            result = result if isinstance(result, ClipResult) else ClipResult(result)
        for name, artifact in asset.also.items():
            artifact.write(store, UNPARTITIONED_KEY, result.also[name])
        if asset.artifact.is_file:
            return replace(result, value=StoredFile(store, asset.artifact, UNPARTITIONED_KEY))
        asset.artifact.write(store, UNPARTITIONED_KEY, result.value)
        return result

    def _previewed(self, values: Mapping[str, Any], made: Mapping[str, Any]) -> str | None:
        if self.asset.preview is None:
            return None
        known = {**values, **made, "artifact": made[self.asset.name]}
        return self.asset.preview(**{name: known[name] for name in inspect.signature(self.asset.preview).parameters})


def _input(artifact: Artifact, store: ArtifactStore, versions: Mapping[str, str]) -> Any:
    """What the function is handed.

    Raises:
        InputsAwaited: nothing is there to hand.
    """
    stored = set() if artifact.is_whole else set(store.keys(artifact.name, artifact.extension))
    keys = tuple(sorted(versions if artifact.is_whole else set(versions) & stored))
    if not keys:
        raise InputsAwaited(not_there(artifact))
    return artifact.read(store, UNPARTITIONED_KEY) if artifact.is_whole else AllClips(artifact, store, keys, versions)


def not_there(artifact: Artifact) -> str:
    """What is said of an input that there is nothing of."""
    return f"{artifact.name} has not been made yet." if artifact.is_whole else f"No clip has {artifact.name} yet."


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
    also: Mapping[str, type[dy.Schema] | Blob] | None = None,
    on_demand: bool = False,
    watches: Callable[[Any], str] | None = None,
) -> Callable[[Callable[..., Any]], DatasetAsset]:
    """Declare an asset over all clips of a partition set.

    Parameters of the function are as for `clip_asset`, each per-clip input an `AllClips`. It may raise `InputsAwaited`
    for what it cannot be made without, and is no mistake.

    Args:
        group, kinds, version, schema, extension, partitions, pool, preview, is_file: as for `clip_asset`.
        also: further artifacts that the same call makes: a table by its schema, or a `Blob`.
        on_demand: made only where it is asked for by name: it costs more than everybody wants to pay.
        watches: function of the settings; its answer changes when the files do that the asset reads outside of the
            store.
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
            also={name: also_made(name, what, is_whole=True) for name, what in (also or {}).items()},
            on_demand=on_demand,
            watches=watches,
        )

    return declare
