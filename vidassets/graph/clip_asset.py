"""`@clip_asset`: a function of one clip becomes a Dagster asset over one or many partitions.

Five promises: a model is loaded once a run; a clip that is done is stored and recorded before the next begins; a clip
that fails harms no other; a batch records what a run of one partition would; the next clip's input is read while this
one is worked on. How they are kept, and why so: docs/decisions/0002-batches-of-clips.md.
"""

import inspect
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from vidassets.errors import ProfileError
from vidassets.graph.artifact import Artifact, Blob
from vidassets.graph.clip_check import ClipCheck
from vidassets.graph.condition import up_to_date
from vidassets.graph.declared_asset import DeclaredAsset, also_made
from vidassets.graph.partitions import clips
from vidassets.resources.keys import RESOURCE_KEYS
from vidassets.schemas.clips import dy

INCOMPLETE_TAG = "vidassets/incomplete"  # rows still to be done, where there are some; of a dataset, clips left out
WAITING_FOR = "waiting_for"  # metadata: why they are still to be done
SETTINGS_TAG = "vidassets/settings"  # digest of the settings in force when an artifact was made
PROCESSING = "processing_s"  # parameter: seconds that the assets in `timed` took for the clip
CLIPS_PER_RUN = 25  # benchmarks/orchestration.py: a clip of 25 in a run costs a fifth of a run of its own


@dataclass(frozen=True)
class ClipResult:
    """What an asset's function may return instead of the bare artifact.

    Attributes:
        value: the artifact: a table, or bytes.
        metadata: figures worth a look on the asset's page.
        data_version: given by the asset; without it Dagster's own, from code and inputs.
        incomplete: how many of its rows are still to be done, or of its clips left out; the next run tries again.
        also: the further artifacts of an asset that makes several at once, by name.
    """

    value: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    data_version: str | None = None
    incomplete: int = 0
    also: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClipAsset(DeclaredAsset):
    """A declared asset of one clip; see `clip_asset` for what its fields mean."""

    checks: tuple[ClipCheck, ...]
    ahead: Mapping[str, Callable[..., Iterable[Any]]]
    once: Mapping[str, Callable[..., Any]]
    only_if: Mapping[str, str]
    references: Mapping[str, list[str]]
    timed: tuple[str, ...]
    consults: frozenset[str]

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
        from vidassets.graph.step import ClipStep

        config_type = self.configured(settings)
        config = config_type() if config_type else None
        code_version = self.code_version(config, identities)
        step = ClipStep(self, catalog, code_version, config)
        specs = self.specs(
            step.inputs,
            code_version,
            tags={"per": "clip"},
            partitions_def=self.partitions,
            automation_condition=up_to_date(),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.PreviewWarning)  # partitions of a check spec
            checks = [
                dg.AssetCheckSpec(c.name, asset=step.key, description=c.question, partitions_def=self.partitions)
                for c in self.checks
            ]
        return dg.multi_asset(
            name=self.name,
            specs=specs,
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
    partitions: dg.DynamicPartitionsDefinition = clips,
    pool: str | None = None,
    checks: Iterable[ClipCheck] = (),
    preview: Callable[..., str | None] | None = None,
    ahead: Mapping[str, Callable[..., Iterable[Any]]] | None = None,
    once: Mapping[str, Callable[..., Any]] | None = None,
    only_if: Mapping[str, str] | None = None,
    references: Mapping[str, list[str]] | None = None,
    is_file: bool = False,
    also: Mapping[str, type[dy.Schema] | Blob] | None = None,
    timed: Iterable[str] = (),
    consults: Iterable[str] = (),
) -> Callable[[Callable[..., Any]], ClipAsset]:
    """Declare an asset by a function of one clip.

    The function's parameters say what it needs: `clip` is the key; one named like a resource is handed that resource;
    `config` is its settings; `processing_s` are the seconds that the assets in `timed` took; one of `ahead` is a
    stream decoded in advance, one of `once` is shared by all clips of a run; `output` is the path that a file artifact
    is written to; any other is the asset of that name, and a dependency. It returns the artifact, or a `ClipResult`.

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
        is_file: the function writes its artifact to the path `output`.
        also: further artifacts that the same call makes, each an asset of its own: a table by its schema, or a
            `Blob`.
        timed: assets whose seconds, for the same clip, make up the parameter `processing_s`.
        consults: resources that are asked what they are, and do no work: the device that they would use is not told,
            for some load their model to tell it.
    """

    def declare(function: Callable[..., Any]) -> ClipAsset:
        streams = ahead or {}
        parameters = dict(inspect.signature(function).parameters)
        shared = once or {}
        for needed in (*streams.values(), *shared.values()):
            parameters |= dict(inspect.signature(needed).parameters)
        special = {"clip", "config", "output", PROCESSING, *RESOURCE_KEYS, *streams, *shared}
        config = parameters.get("config")
        return ClipAsset(
            artifact=Artifact(function.__name__, schema, extension, is_file),
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
            timed=tuple(timed),
            consults=frozenset(consults),
            also={name: also_made(name, what) for name, what in (also or {}).items()},
        )

    return declare
