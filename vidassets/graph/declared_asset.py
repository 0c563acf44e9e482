"""What every declared asset has, whether per clip or over all clips: artifacts, parameters, version, specs."""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from vidassets.errors import DeclarationError, ProfileError
from vidassets.graph.artifact import Artifact, Blob
from vidassets.graph.parameters import Parameters, check_names
from vidassets.graph.settings import configured, digest, plain
from vidassets.schemas.clips import dy

OWNERS = ("team:vidassets",)
ROW_COUNT = "dagster/partition_row_count"  # metadata that Dagster itself draws over the partitions
INCOMPLETE_TAG = "vidassets/incomplete"  # how many rows (per clip) or clips (over all clips) are still missing
WAITING_FOR = "waiting_for"  # metadata: why they are missing
FAILED = "vidassets/failed"  # metadata of an observation: the artifact could not be made
SETTINGS_TAG = "vidassets/settings"  # digest of the settings that an artifact was made with
RESULT = "result"  # metadata: a sentence for the person who ran the asset on a video


@dataclass(frozen=True)
class AssetResult:
    """What an asset's function may return instead of the bare artifact.

    Attributes:
        value: the artifact: a table, or bytes; None if the function wrote it to `output`.
        metadata: figures for the asset's page.
        data_version: set by the asset; without it Dagster's own, from code and inputs.
        incomplete: how many rows are still missing, or how many clips were left out; the next run tries again.
        also: the companion artifacts, by name.
    """

    value: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    data_version: str | None = None
    incomplete: int = 0
    also: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A figure of one clip that the table of clips shows.

    Attributes:
        name: the column's key in JSON.
        metadata: the metadata entry that holds it.
        header: the column's header in the table; the name if empty.
        format: how the table writes it.
        in_table: False for a figure that only JSON has.
    """

    name: str
    metadata: str = ROW_COUNT
    header: str = ""
    format: Callable[[Any], str] = str
    in_table: bool = True


@dataclass(frozen=True, kw_only=True)
class DeclaredAsset:
    """A function that makes artifacts, with what is declared about it. `DeclaredGraph` makes Dagster assets of them.

    Attributes:
        artifact: the artifact that the function is named for.
        also: companion artifacts of the same call, by name. Each depends on the artifact alone.
        parameters: what the function needs.
        version: raised by hand when the result changes for the same inputs and settings.
        preview: returns Markdown for the asset's page.
        references: input table → the columns that are a foreign key into it, checked before the artifact is stored.
        figures: what the table of clips shows of it.
    """

    artifact: Artifact
    function: Callable[..., Any]
    parameters: Parameters
    partitions: dg.DynamicPartitionsDefinition
    version: str
    group: str
    kinds: frozenset[str]
    pool: str | None
    preview: Callable[..., str | None] | None
    also: Mapping[str, Artifact]
    references: Mapping[str, list[str]] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()

    def __post_init__(self) -> None:
        known = {*self.parameters.inputs, *self.parameters.resources, *self.parameters.shared, *self.also}
        if self.preview is not None:
            check_names(self.name, self.preview, known | {"artifact", "clip", "config"})
        if wrong := set(self.references) - set(self.parameters.inputs):
            raise DeclarationError(f"{self.name}: references {min(wrong)}, which is none of its inputs.")

    @property
    def name(self) -> str:
        """The asset's name."""
        return self.artifact.name

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The assets that it depends on, and the class that each is loaded as."""
        return self.parameters.inputs

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Everything that one call makes, in the order in which it is recorded."""
        return (self.artifact, *self.also.values())

    @property
    def key(self) -> dg.AssetKey:
        """The Dagster asset that it is named for."""
        return dg.AssetKey(self.name)

    @property
    def keys(self) -> list[dg.AssetKey]:
        """The Dagster assets that it makes, in the order in which they are recorded."""
        return [dg.AssetKey(artifact.name) for artifact in self.artifacts]

    def wanted_inputs(self, config: dg.Config | None) -> list[str]:
        """Return the inputs under these settings: all, except those whose setting is off."""
        conditional = self.parameters.conditional
        return [name for name in self.inputs if name not in conditional or getattr(config, conditional[name])]

    def check_launch(self, config: dg.Config | None, inputs: Collection[str]) -> None:
        """Check that settings given at launch add no input: dependencies are fixed when the definitions load.

        Args:
            config: the settings of the launch.
            inputs: the inputs that the asset was defined with.
        Raises:
            ProfileError: naming the setting, and where to set it.
        """
        for name in self.wanted_inputs(config):
            if name not in inputs:
                setting = self.parameters.conditional[name]
                raise ProfileError(
                    f"{self.name}: {setting} adds {name} to its dependencies, which a launch cannot do. "
                    f"Set it in the profile (assets: {self.name}: {setting}: true)."
                )

    def configured(self, settings: Mapping[str, Any], where: str = "assets: ") -> type[dg.Config] | None:
        """Return the config class with these settings as its defaults.

        Args:
            settings: by name.
            where: they were given, for the message of an error.
        Raises:
            ProfileError: a setting that the asset does not have, or a value out of bounds.
        """
        return configured(self.name, self.parameters.config_type, settings, where)

    def code_version(self, config: dg.Config | None, identities: Mapping[str, Mapping[str, str]]) -> str:
        """Return the declared version and a digest of what else changes results: settings, and models of resources."""
        models = {key: identities.get(key) for key in self.parameters.resources}
        return f"{self.version}-{digest({'config': plain(config)} | models)}"

    def specs(self, inputs: Collection[str], code_version: str, **fields: Any) -> list[dg.AssetSpec]:
        """Return the Dagster specs: the artifact depends on the inputs, its companions on the artifact.

        Args:
            inputs: names of the assets that the function reads.
            code_version: of all of them.
            fields: further fields of each spec.
        """
        return [
            dg.AssetSpec(
                artifact.name,
                deps=list(inputs) if artifact is self.artifact else [self.name],
                description=artifact.description
                or inspect.getdoc(self.function if artifact is self.artifact else artifact.schema),
                group_name=self.group,
                owners=list(OWNERS),
                kinds=set(self.kinds) if artifact is self.artifact else {artifact.extension},
                code_version=code_version,
                metadata=_column_schema(artifact.schema),
                **fields,
            )
            for artifact in self.artifacts
        ]


def companions(also: Mapping[str, type[dy.Schema] | Blob] | None, is_whole: bool = False) -> dict[str, Artifact]:
    """Return the companion artifacts of a declaration, by name."""
    made = {}
    for name, what in (also or {}).items():
        if isinstance(what, Blob):
            made[name] = Artifact(name, extension=what.extension, is_whole=is_whole, description=what.description)
        else:
            made[name] = Artifact(name, what, is_whole=is_whole)
    return made


def _column_schema(schema: type[dy.Schema] | None) -> dict[str, Any]:
    """Return the columns of a declared table as metadata that Dagster shows on an asset's page."""
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
