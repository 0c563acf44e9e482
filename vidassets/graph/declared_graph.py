"""The declared assets of a project: checked against each other, put in order, and made into Dagster assets."""

import warnings
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Any

import dagster as dg

from vidassets.errors import DeclarationError
from vidassets.graph.artifact import Artifact
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.clip_step import ClipStep
from vidassets.graph.dataset_asset import AllClips, DatasetAsset
from vidassets.graph.dataset_step import DatasetStep
from vidassets.graph.declared_asset import DeclaredAsset
from vidassets.resources.keys import RESOURCE_KEYS

CLIPS_PER_RUN = 25  # benchmarks/orchestration.py: a clip of 25 in a run costs a fifth of a run of its own


class DeclaredGraph:
    """All declared assets, in the order in which they are made.

    Args:
        sources: artifacts that are registered, not made.
        assets: the declarations, in any order.

    Attributes:
        artifacts: every artifact, by name.
        assets: the declarations by name, in the order given.
        makers: the name of the asset that makes each artifact, by the artifact's name.
        clip_assets: those per clip, inputs before what is made from them.
        dataset_assets: those over all clips, inputs before what is made from them.
        figures: what the table of clips shows, in the order given, each with its asset's name.

    Raises:
        DeclarationError: two artifacts of one name, an input that does not exist, an input of the wrong type, a cycle.
    """

    def __init__(self, sources: Iterable[Artifact], assets: Iterable[DeclaredAsset]) -> None:
        declared = list(assets)
        self.assets: dict[str, DeclaredAsset] = {asset.name: asset for asset in declared}
        self.artifacts: dict[str, Artifact] = {}
        for artifact in (*sources, *(artifact for asset in declared for artifact in asset.artifacts)):
            if artifact.name in self.artifacts:
                raise DeclarationError(f"{artifact.name}: declared twice. Rename one of the two.")
            self.artifacts[artifact.name] = artifact
        self.makers = {artifact.name: asset.name for asset in declared for artifact in asset.artifacts}
        for asset in declared:
            self._check_inputs(asset)
        ordered = _in_order(declared)
        self.clip_assets = tuple(asset for asset in ordered if isinstance(asset, ClipAsset))
        self.figures = [(asset.name, figure) for asset in declared for figure in asset.figures]
        self.dataset_assets = tuple(asset for asset in ordered if isinstance(asset, DatasetAsset))

    def definitions(
        self,
        identities: Mapping[str, Mapping[str, str]] | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        origins: Mapping[str, str] | None = None,
    ) -> list[dg.AssetsDefinition]:
        """Return the Dagster assets.

        Args:
            identities: for each resource key, what of the resource changes results.
            settings: of the profile, by asset.
            origins: by asset, where its settings were given, for messages of errors.
        Raises:
            ProfileError: a setting that an asset does not have, or a value out of bounds.
        """
        assets = (*self.clip_assets, *self.dataset_assets)
        config_types = {
            asset.name: asset.configured(
                (settings or {}).get(asset.name, {}), (origins or {}).get(asset.name, "assets: ")
            )
            for asset in assets
        }
        return [self._definition(asset, identities or {}, config_types[asset.name]) for asset in assets]

    def _definition(
        self,
        asset: ClipAsset | DatasetAsset,
        identities: Mapping[str, Mapping[str, str]],
        config_type: type[dg.Config] | None,
    ) -> dg.AssetsDefinition:
        code_version = asset.code_version(config_type() if config_type else None, identities)
        shared: dict[str, Any] = {
            "name": asset.name,
            "required_resource_keys": {"store", *asset.parameters.resources},
            "pool": asset.pool,
        }
        if isinstance(asset, DatasetAsset):
            step = DatasetStep(asset, self.artifacts, code_version, config_type)
            specs = asset.specs(
                step.inputs,
                code_version,
                tags={"per": "dataset"} | ({"on_demand": "true"} if asset.on_demand else {}),
                skippable=True,
            )
            return dg.multi_asset(specs=specs, **shared)(step.compute_function())
        step = ClipStep(asset, self.artifacts, code_version, config_type)
        specs = asset.specs(
            step.inputs,
            code_version,
            tags={"per": "clip"},
            partitions_def=asset.partitions,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.PreviewWarning)  # partitions of a check spec
            checks = [
                dg.AssetCheckSpec(
                    check.name, asset=asset.key, description=check.question, partitions_def=asset.partitions
                )
                for check in asset.checks
            ]
        return dg.multi_asset(
            specs=specs, check_specs=checks, backfill_policy=dg.BackfillPolicy.multi_run(CLIPS_PER_RUN), **shared
        )(step.compute_function())

    def _check_inputs(self, asset: DeclaredAsset) -> None:
        for name, wanted in asset.inputs.items():
            artifact = self.artifacts.get(name)
            if artifact is None:
                near = get_close_matches(name, [*self.artifacts, *RESOURCE_KEYS, "clip", "config", "output"], 1, 0.0)
                raise DeclarationError(
                    f"{asset.name}: parameter {name}: there is no asset or resource of this name. "
                    f"Did you mean {near[0]}?"
                )
            over_clips = isinstance(asset, DatasetAsset) and not artifact.is_whole
            if not (wanted is AllClips if over_clips else artifact.fits(wanted)):
                raise DeclarationError(
                    f"{asset.name}: parameter {name}: cannot be loaded as {wanted.__name__}. "
                    f"{_loaded_as(artifact, over_clips)}"
                )
        for names in asset.parameters.seconds_of.values():
            if unknown := sorted(set(names) - set(self.assets)):
                raise DeclarationError(f"{asset.name}: SecondsOf {unknown[0]}: there is no asset of this name.")


def _loaded_as(artifact: Artifact, over_clips: bool) -> str:
    if over_clips:
        return "An asset over all clips receives AllClips."
    if artifact.schema is not None:
        return "A table is loaded as pl.DataFrame, or as a class with from_table."
    return (
        "A file is loaded as StoredFile." if artifact.is_file else "It is loaded as bytes, or a class with from_json."
    )


def _in_order(assets: Iterable[DeclaredAsset]) -> list[DeclaredAsset]:
    """Return the assets, inputs first; among assets that could come next, in the order given."""
    assets = list(assets)
    maker = {artifact.name: asset.name for asset in assets for artifact in asset.artifacts}
    parents = {asset.name: {maker[name] for name in asset.inputs if name in maker} for asset in assets}
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        raise DeclarationError(f"{' → '.join(reversed(error.args[1]))}: these assets depend on each other.") from error
    ordered: dict[str, DeclaredAsset] = {}
    while len(ordered) < len(assets):
        ready = next(asset for asset in assets if asset.name not in ordered and parents[asset.name] <= set(ordered))
        ordered[ready.name] = ready
    return list(ordered.values())
