"""What runs when an asset over all clips is materialised."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg

from vidassets.errors import InputsAwaited
from vidassets.graph.artifact import Artifact
from vidassets.graph.claims import claims_of
from vidassets.graph.dagster_internals import CODE_VERSION_TAG
from vidassets.graph.dataset_asset import AllClips, DatasetAsset
from vidassets.graph.declared_asset import FAILED, INCOMPLETE_TAG, SETTINGS_TAG, AssetResult
from vidassets.graph.lineage import latest, latest_whole
from vidassets.graph.settings import digest, plain
from vidassets.graph.step import RECORDED_ALREADY, Step, asked_at, call_and_store, describe, run_group
from vidassets.progress import ALL_CLIPS, report_progress, working_on
from vidassets.storage.store import UNPARTITIONED_KEY, ArtifactStore

INPUTS_TAG = "vidassets/inputs"  # digest of the data versions of all inputs
WATCHED_TAG = "vidassets/watched"  # digest of the files outside the store that the asset read
AWAITED = "vidassets/awaited"  # metadata of an observation: what the asset waits for


class DatasetStep(Step):
    """The body of an asset over all clips."""

    def __init__(
        self,
        asset: DatasetAsset,
        artifacts: Mapping[str, Artifact],
        code_version: str,
        config_type: type[dg.Config] | None,
    ) -> None:
        super().__init__(asset, artifacts, code_version, config_type)
        self.asset = asset

    def run(self, context: dg.AssetExecutionContext, config: Any) -> Iterator[Any]:
        """Yield the materialisations, once all is stored; if inputs are missing, an observation that names them."""
        with claims_of(context.instance).held(self.asset.name, UNPARTITIONED_KEY, context.run.run_id) as claim:
            yield from self._make(context, config)
            claim.is_finished = True

    def _make(self, context: dg.AssetExecutionContext, config: Any) -> Iterator[Any]:
        asset, store, started = self.asset, context.resources.store.open(), time.perf_counter()
        registered = context.instance.get_dynamic_partitions(str(asset.partitions.name))
        versions = input_versions(context.instance, [self.artifacts[name] for name in asset.inputs], registered)
        tags = {INPUTS_TAG: digest(versions), SETTINGS_TAG: digest(plain(config)), CODE_VERSION_TAG: self.code_version}
        report_progress(asset.name, ALL_CLIPS, "started")
        try:
            watched = asset.watched(config)
            tags |= {WATCHED_TAG: watched} if watched else {}
            if self._is_made(context, tags):
                report_progress(asset.name, ALL_CLIPS, "skipped")
                for key in asset.keys:
                    yield dg.MaterializeResult(asset_key=key, metadata=RECORDED_ALREADY)
                return
            values: dict[str, Any] = {
                name: _input(self.artifacts[name], store, versions[name]) for name in asset.inputs
            }
            values |= {name: getattr(context.resources, name) for name in asset.parameters.resources}
            values |= {"config": config}
            with working_on(asset.name, ALL_CLIPS):
                result = call_and_store(asset, store, UNPARTITIONED_KEY, values)
        except InputsAwaited as awaited:
            report_progress(asset.name, ALL_CLIPS, "skipped")
            context.log.warning(str(awaited))
            yield dg.AssetObservation(asset.name, description=str(awaited), metadata={AWAITED: str(awaited)}, tags=tags)
            return
        except Exception as error:
            report_progress(asset.name, ALL_CLIPS, "failed")
            failure = {FAILED: True, "error": f"{type(error).__name__}: {error}"}
            yield dg.AssetObservation(
                asset.name, description=f"Not made. {failure['error']}", metadata=failure, tags=tags
            )
            raise
        report_progress(asset.name, ALL_CLIPS, "done")
        version = self._data_version(result, plain(config), tags)
        del tags[CODE_VERSION_TAG]  # Dagster adds it to a materialisation itself
        tags |= {INCOMPLETE_TAG: str(result.incomplete)} if result.incomplete else {}
        counts = [len(value.keys) for value in values.values() if isinstance(value, AllClips)]
        figures = {"clips": max(counts), "clips_without_input": len(registered) - min(counts)} if counts else {}
        described = replace(result, metadata={**result.metadata, **figures})
        metadata = describe(asset, store, UNPARTITIONED_KEY, values, described, "dagster/row_count", started)
        for name, entries in metadata.items():
            yield dg.MaterializeResult(
                asset_key=name,
                metadata=entries,
                tags=tags,
                data_version=dg.DataVersion(version) if version else None,
            )

    def _is_made(self, context: dg.AssetExecutionContext, tags: Mapping[str, str]) -> bool:
        """Return whether this run, before it was resumed, or another run meanwhile has made what this one would."""
        made = [latest_whole(context.instance, key) for key in (self.key, self.asset.keys[-1])]
        if made[0] is None or made[1] is None or made[1].storage_id < made[0].storage_id:
            return False
        is_recent = made[0].run_id in run_group(context) or made[0].timestamp >= asked_at(context)
        if is_recent and tags.items() <= made[0].tags.items():
            context.log.info(f"made by run {made[0].run_id}, not repeated")
            return True
        return False

    def _data_version(self, result: AssetResult, settings: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
        """Return None where Dagster's own is right; it leaves out settings given at launch."""
        if result.data_version is not None:
            return digest([result.data_version, self.code_version, tags[SETTINGS_TAG]])
        if settings != self.defaults:
            return digest([tags[INPUTS_TAG], self.code_version, tags[SETTINGS_TAG]])
        return None


def _input(artifact: Artifact, store: ArtifactStore, versions: Mapping[str, str]) -> Any:
    """Return what the function receives.

    Raises:
        InputsAwaited: nothing has been made yet.
    """
    stored = set() if artifact.is_whole else set(store.keys(artifact.name, artifact.extension))
    keys = tuple(sorted(versions if artifact.is_whole else set(versions) & stored))
    if not keys:
        raise InputsAwaited(not_made_yet(artifact))
    return artifact.read(store, UNPARTITIONED_KEY) if artifact.is_whole else AllClips(artifact, store, keys, versions)


def not_made_yet(artifact: Artifact) -> str:
    """Return the sentence for an input of which nothing exists."""
    return f"{artifact.name} has not been made yet." if artifact.is_whole else f"No clip has {artifact.name} yet."


def input_versions(
    instance: dg.DagsterInstance, inputs: Iterable[Artifact], keys: Collection[str]
) -> dict[str, dict[str, str]]:
    """Return for each input the data version of every clip that has one; for one over all clips, its own."""
    versions: dict[str, dict[str, str]] = {}
    for artifact in inputs:
        key = dg.AssetKey(artifact.name)
        if artifact.is_whole:
            made = latest_whole(instance, key)
            versions[artifact.name] = {UNPARTITIONED_KEY: made.data_version} if made else {}
        else:
            versions[artifact.name] = {clip: made.data_version for clip, made in latest(instance, key, keys).items()}
    return versions
