"""`@clip_asset`: a function of one clip becomes a Dagster asset over one or many partitions.

Five promises: a model is loaded once a run; a clip that is done is stored and recorded before the next begins; a clip
that fails harms no other; a batch records what a run of one partition would; the next clip's input is read while this
one is worked on. How they are kept, and why so: docs/decisions/0002-batches-of-clips.md.
"""

import inspect
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, cast

import dagster as dg
from pydantic import create_model

from vidassets.assets.artifact import Artifact
from vidassets.assets.clip_check import ClipCheck
from vidassets.assets.condition import up_to_date
from vidassets.assets.partitions import clips
from vidassets.errors import ProfileError
from vidassets.resources.keys import RESOURCE_KEYS
from vidassets.schemas import dy

OWNERS = ("team:vidassets",)
CLIPS_PER_RUN = 25  # FACTS of orchestration: benchmarks/orchestration.py, 25 clips a run cost 1/7 of one a run


@dataclass(frozen=True)
class ClipResult:
    """What an asset's function may return instead of the bare artifact.

    Attributes:
        value: the artifact: a table, or bytes.
        metadata: figures worth a look on the asset's page.
        data_version: given by the asset; without it Dagster's own, from code and inputs.
        incomplete: how many of its rows are still to be done; the next run goes on with them.
    """

    value: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    data_version: str | None = None
    incomplete: int = 0


@dataclass(frozen=True)
class ClipAsset:
    """A declared asset: what `definition` makes a Dagster asset of, once a profile is known."""

    artifact: Artifact
    function: Callable[..., Any]
    partitions: dg.PartitionsDefinition
    inputs: Mapping[str, type | None]
    resources: tuple[str, ...]
    config_type: type[dg.Config] | None
    version: str
    group: str
    kinds: frozenset[str]
    pool: str | None
    checks: tuple[ClipCheck, ...]
    preview: Callable[..., str | None] | None
    ahead: Mapping[str, Callable[..., Iterable[Any]]]
    once: Mapping[str, Callable[..., Any]]
    only_if: Mapping[str, str]
    references: Mapping[str, list[str]]

    @property
    def name(self) -> str:
        """The asset's name."""
        return self.artifact.name

    def configured(self, settings: Mapping[str, Any]) -> type[dg.Config] | None:
        """The config class with a profile's settings as its defaults.

        Raises:
            ProfileError: a setting that the asset does not have, or out of its bounds.
        """
        if self.config_type is None:
            if settings:
                raise ProfileError(f"assets: {self.name}: takes no settings, got {', '.join(settings)}; take them out.")
            return None
        try:
            chosen = self.config_type(**settings)
        except ValueError as error:
            raise ProfileError(
                f"assets: {self.name}: {error}\nIt takes: {', '.join(self.config_type.model_fields)}."
            ) from error
        fields: dict[str, Any] = {}
        for name in settings:
            declared = copy(self.config_type.model_fields[name])
            declared.default = getattr(chosen, name)
            fields[name] = (declared.annotation, declared)
        return cast(type[dg.Config], create_model(self.config_type.__name__, __base__=self.config_type, **fields))

    def wanted_inputs(self, config: dg.Config | None) -> list[str]:
        """The assets it reads under these settings: all, less those that a setting must ask for."""
        return [name for name in self.inputs if name not in self.only_if or getattr(config, self.only_if[name])]

    def check_launch(self, config: dg.Config | None, inputs: Collection[str]) -> None:
        """Refuse settings given at launch that would add an input: what an asset depends on is the profile's to say.

        Args:
            config: in force for the launch.
            inputs: those that the asset was defined with.
        Raises:
            ProfileError: naming the setting, and where it belongs.
        """
        for name in self.wanted_inputs(config):
            if name not in inputs:
                flag = self.only_if[name]
                raise ProfileError(
                    f"{flag} adds {name} to what {self.name} depends on: "
                    f"set it in the profile (assets: {self.name}: {flag}: true), not at launch."
                )

    def code_version(self, config: dg.Config | None, identities: Mapping[str, Mapping[str, str]]) -> str:
        """The declared version, and a digest of what else changes results: settings, and the models of resources."""
        return f"{self.version}-{digest({'config': plain(config)} | {r: identities.get(r) for r in self.resources})}"

    def definition(
        self,
        catalog: Mapping[str, Artifact],
        identities: Mapping[str, Mapping[str, str]],
        settings: Mapping[str, Any],
    ) -> dg.AssetsDefinition:
        """The Dagster asset.

        Args:
            catalog: every artifact of the graph by name: what the inputs are read as.
            identities: for each resource key, what of the resource changes results.
            settings: this asset's settings in the profile.
        """
        from vidassets.assets.step import ClipStep

        config_type = self.configured(settings)
        config = config_type() if config_type else None
        code_version = self.code_version(config, identities)
        step = ClipStep(self, catalog, code_version, config)
        spec = dg.AssetSpec(
            self.name,
            deps=step.inputs,
            description=inspect.getdoc(self.function),
            group_name=self.group,
            owners=list(OWNERS),
            kinds=set(self.kinds),
            tags={"per": "clip"},
            code_version=code_version,
            partitions_def=self.partitions,
            automation_condition=up_to_date(),
            metadata=table_schema(self.artifact.schema),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.PreviewWarning)  # partitions of a check spec
            checks = [
                dg.AssetCheckSpec(c.name, asset=spec.key, description=c.question, partitions_def=self.partitions)
                for c in self.checks
            ]
        return dg.multi_asset(
            name=self.name,
            specs=[spec],
            check_specs=checks,
            required_resource_keys={"store", *self.resources},
            pool=self.pool,
            backfill_policy=dg.BackfillPolicy.multi_run(CLIPS_PER_RUN),
        )(step.compute_function(config_type))


def clip_asset(
    *,
    group: str,
    kinds: Iterable[str],
    version: str,
    schema: type[dy.Schema] | None = None,
    extension: str = "parquet",
    partitions: dg.PartitionsDefinition = clips,
    pool: str | None = None,
    checks: Iterable[ClipCheck] = (),
    preview: Callable[..., str | None] | None = None,
    ahead: Mapping[str, Callable[..., Iterable[Any]]] | None = None,
    once: Mapping[str, Callable[..., Any]] | None = None,
    only_if: Mapping[str, str] | None = None,
    references: Mapping[str, list[str]] | None = None,
) -> Callable[[Callable[..., Any]], ClipAsset]:
    """Declare an asset by a function of one clip.

    The function's parameters say what it needs: `clip` is the key; one named like a resource is handed that resource;
    `config` is its settings; one of `ahead` is a stream decoded in advance, one of `once` is shared by all clips of a
    run; any other is the asset of that name, and a dependency. It returns the artifact, or a `ClipResult`.

    Args:
        group: of the asset, in the graph.
        kinds: shown as badges in the graph.
        version: raised by hand when the function's result changes for the same inputs and settings.
        schema: the declared table that it returns; None for bytes.
        extension: of the stored object.
        partitions: the partition set.
        pool: limits how many steps of a kind run at once.
        checks: asked of every stored artifact.
        preview: of `artifact` (and inputs, by parameter name), Markdown for the asset's page.
        ahead: parameter name → function of inputs, resources and `config` that yields decoded pieces.
        once: parameter name → function of resources that opens what all clips of a run share.
        only_if: input → the boolean setting that asks for it.
        references: input table → the columns that are its foreign key; checked before the artifact is stored.
    """

    def declare(function: Callable[..., Any]) -> ClipAsset:
        streams = ahead or {}
        parameters = dict(inspect.signature(function).parameters)
        shared = once or {}
        for needed in (*streams.values(), *shared.values()):
            parameters |= dict(inspect.signature(needed).parameters)
        special = {"clip", "config", *RESOURCE_KEYS, *streams, *shared}
        config = parameters.get("config")
        return ClipAsset(
            artifact=Artifact(function.__name__, schema, extension),
            function=function,
            partitions=partitions,
            inputs={n: p.annotation for n, p in parameters.items() if n not in special},
            resources=tuple(sorted(set(parameters) & RESOURCE_KEYS)),
            config_type=config.annotation if config else None,
            version=version,
            group=group,
            kinds=frozenset(kinds),
            pool=pool,
            checks=tuple(checks),
            preview=preview,
            ahead=streams,
            once=shared,
            only_if=only_if or {},
            references=references or {},
        )

    return declare


def digest(value: Any) -> str:
    """Eight hex digits that change with the value; the same on every machine and run.

    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    True
    """
    return sha256(repr(_ordered(value)).encode()).hexdigest()[:8]


def plain(config: dg.Config | None) -> dict[str, Any]:
    """The settings of a config as plain values."""
    return config.model_dump(mode="json") if config else {}


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return [(key, _ordered(value[key])) for key in sorted(value)]
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    return value


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
