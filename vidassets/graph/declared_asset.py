"""What every declared asset has, of one clip or over all: its artifacts, its settings, its version, its specs."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from vidassets.graph.artifact import Artifact, Blob
from vidassets.graph.settings import configured, digest, plain
from vidassets.schemas.clips import dy

OWNERS = ("team:vidassets",)


@dataclass(frozen=True)
class DeclaredAsset:
    """A function that makes artifacts, and what is said of it; a Dagster asset once a profile is known.

    Attributes:
        artifact: what the function is named for.
        inputs: the assets that it reads, and the class that each is wanted as.
        resources: keys of the resources that it is handed.
        config_type: of its settings.
        version: raised by hand when its result changes for the same inputs and settings.
        also: further artifacts of the same call, by name.
    """

    artifact: Artifact
    function: Callable[..., Any]
    partitions: dg.DynamicPartitionsDefinition
    inputs: Mapping[str, type | None]
    resources: tuple[str, ...]
    config_type: type[dg.Config] | None
    version: str
    group: str
    kinds: frozenset[str]
    pool: str | None
    preview: Callable[..., str | None] | None
    also: Mapping[str, Artifact]

    @property
    def name(self) -> str:
        """The asset's name."""
        return self.artifact.name

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """All that one call of the function makes; the one that it is named for comes last."""
        return (*self.also.values(), self.artifact)

    @property
    def keys(self) -> list[dg.AssetKey]:
        """The Dagster assets that it makes."""
        return [dg.AssetKey(artifact.name) for artifact in self.artifacts]

    def configured(self, settings: Mapping[str, Any]) -> type[dg.Config] | None:
        """The config class with a profile's settings as its defaults; `ProfileError` for one that it does not take."""
        return configured(self.name, self.config_type, settings)

    def code_version(self, config: dg.Config | None, identities: Mapping[str, Mapping[str, str]]) -> str:
        """The declared version, and a digest of what else changes results: settings, and the models of resources."""
        return f"{self.version}-{digest({'config': plain(config)} | {r: identities.get(r) for r in self.resources})}"

    def specs(self, deps: Iterable[str], code_version: str, **kwargs: Any) -> list[dg.AssetSpec]:
        """What Dagster is told of each artifact; `kwargs` are further fields of the specs."""
        return [
            dg.AssetSpec(
                artifact.name,
                deps=list(deps),
                description=artifact.says
                or inspect.getdoc(self.function if artifact is self.artifact else artifact.schema),
                group_name=self.group,
                owners=list(OWNERS),
                kinds=set(self.kinds) if artifact is self.artifact else {artifact.extension},
                code_version=code_version,
                metadata=table_schema(artifact.schema),
                **kwargs,
            )
            for artifact in self.artifacts
        ]


def also_made(name: str, what: type[dy.Schema] | Blob, is_whole: bool = False) -> Artifact:
    """A further artifact of a call."""
    if isinstance(what, Blob):
        return Artifact(name, extension=what.extension, is_whole=is_whole, says=what.says)
    return Artifact(name, what, is_whole=is_whole)


def table_schema(schema: type[dy.Schema] | None) -> dict[str, Any]:
    """The columns of a declared table, as Dagster shows them on an asset's page."""
    if schema is None:
        return {}
    columns = [
        dg.TableColumn(
            name,
            type=str(column.dtype),
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=False),
        )
        for name, column in schema.columns().items()
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}
