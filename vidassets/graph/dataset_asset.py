"""`@dataset_asset`: a function over all clips becomes one Dagster asset without partitions.

It is made from what is there: a clip without the input is left out and counted. If nothing is there, or the function
raises `InputsAwaited`, the asset waits: it is not made, and nothing has failed (decision 0007).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from vidassets.graph.artifact import Artifact, Blob
from vidassets.graph.declared_asset import DeclaredAsset, companions
from vidassets.graph.parameters import read_parameters
from vidassets.graph.partitions import clips
from vidassets.graph.settings import digest
from vidassets.schemas.clips import dy
from vidassets.storage.store import ArtifactStore


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
        """Return the artifact of one key, read now."""
        return self.artifact.read(self.store, key)

    def uri(self, key: str) -> str:
        """Return where the artifact of one key is stored."""
        return self.store.uri(self.artifact.name, key, self.artifact.extension)


@dataclass(frozen=True, kw_only=True)
class DatasetAsset(DeclaredAsset):
    """A declared asset over all clips of a partition set.

    Attributes:
        on_demand: made only if it is selected by name.
        watches: function of the settings; its result changes with the files outside the store that the asset reads.
    """

    on_demand: bool
    watches: Callable[[Any], str] | None

    def watched(self, config: dg.Config | None) -> str | None:
        """Return a digest that changes with the files that the asset watches; None if it watches none."""
        return digest(self.watches(config)) if self.watches else None


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
    also: Mapping[str, type[dy.Schema] | Blob] | None = None,
    on_demand: bool = False,
    watches: Callable[[Any], str] | None = None,
) -> Callable[[Callable[..., Any]], DatasetAsset]:
    """Declare an asset over all clips of a partition set.

    Parameters of the function are as for `clip_asset`, except that each per-clip input is an `AllClips`. The function
    may raise `InputsAwaited` when something that it needs does not exist yet.

    Args:
        group, kinds, version, schema, extension, partitions, pool, preview, also: as for `clip_asset`.
        on_demand: made only if it is selected by name, because it is expensive.
        watches: function of the settings; its result changes with the files outside the store that the asset reads.
    Raises:
        DeclarationError: a parameter that cannot be provided.
    """

    def declare(function: Callable[..., Any]) -> DatasetAsset:
        parameters = read_parameters(function, has_clip=False)
        return DatasetAsset(
            artifact=Artifact(function.__name__, schema, extension, parameters.writes_file, is_whole=True),
            function=function,
            parameters=parameters,
            partitions=partitions,
            version=version,
            group=group,
            kinds=frozenset(kinds),
            pool=pool,
            preview=preview,
            also=companions(also, is_whole=True),
            on_demand=on_demand,
            watches=watches,
        )

    return declare
