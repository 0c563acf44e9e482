"""What runs when a clip asset is materialised: clip after clip, each stored and recorded before the next one begins."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import dagster as dg

from vidassets.graph.artifact import Artifact
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.dagster_internals import (
    DATA_VERSION_TAG,
    SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION,
    AssetCheckEvaluationTargetMaterializationData,
)
from vidassets.graph.declared_asset import FAILED, INCOMPLETE_TAG, ROW_COUNT, SETTINGS_TAG, AssetResult
from vidassets.graph.lineage import Made, latest, latest_complete, latest_whole, provenance
from vidassets.graph.parameters import arguments
from vidassets.graph.prefetch import Inputs, read_ahead
from vidassets.graph.progress import report_progress
from vidassets.graph.settings import digest, plain
from vidassets.graph.step import Step, call_and_store, describe
from vidassets.storage.store import UNPARTITIONED_KEY

DECODED_AHEAD_BYTES = 96 * 2**20  # chosen here: about a minute of 256 px thumbnails

# An output with this metadata counts as produced, and Dagster records no event of its own for it: steps below it run,
# and only the clips that were recorded one by one count as materialised. test_step.py checks this.
RECORDED_ALREADY = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}


@dataclass(frozen=True)
class _Batch:
    """What the clips of one run share: the context, the recorded inputs, the settings."""

    context: dg.AssetExecutionContext
    config: dg.Config | None
    clips: Sequence[str]
    parents: Mapping[dg.AssetKey, Mapping[str, Made]]
    whole_parents: Mapping[dg.AssetKey, Made | None]
    run_ids: frozenset[str]
    shared: Mapping[str, Any]
    seconds: Mapping[str, Mapping[str, float]]

    def made_from(self, clip: str) -> dict[dg.AssetKey, Made | None]:
        """Return each input, with what is recorded of this clip."""
        return {key: made.get(clip) for key, made in self.parents.items()} | dict(self.whole_parents)

    def not_made(self, clip: str) -> list[str]:
        """Return the inputs that this run was to make for this clip, and did not."""
        selected = self.context.run.asset_selection
        return [
            key.to_user_string()
            for key, made in self.parents.items()
            if (selected is None or key in selected)
            and key in self.context.job_def.asset_layer.executable_asset_keys
            and (clip not in made or made[clip].run_id not in self.run_ids)
        ]


@dataclass(frozen=True)
class _Recorded:
    """What one call stored, and what is to be recorded of it; metadata by asset, in the order of recording."""

    metadata: Mapping[str, Mapping[str, Any]]
    tags: Mapping[str, str]
    data_version: str | None
    checks: Sequence[dg.AssetCheckResult]


class ClipStep(Step):
    """The body of a clip asset, for one partition or many."""

    def __init__(
        self,
        asset: ClipAsset,
        artifacts: Mapping[str, Artifact],
        code_version: str,
        config_type: type[dg.Config] | None,
    ) -> None:
        super().__init__(asset, artifacts, code_version, config_type)
        self.asset = asset

    def run(self, context: dg.AssetExecutionContext, config: Any) -> Iterator[Any]:
        """Yield the events of every clip of the run, each once its artifact is stored.

        Raises:
            dg.Failure: naming the clips of a batch that failed, after all others are done.
        """
        batch = self._batch(context, config)
        alone = len(batch.clips) == 1
        failed: dict[str, Exception] = {}
        clips = list(self._to_do(batch))
        with read_ahead(
            clips, lambda clip: self._load(batch, clip), self._decoders(batch), DECODED_AHEAD_BYTES
        ) as ahead:
            for inputs in ahead:
                self._report(inputs.clip, "started")
                try:
                    recorded = self._make(batch, inputs)
                except Exception as error:
                    self._report(inputs.clip, "failed")
                    yield self._failure(batch, inputs.clip, error)
                    if alone:
                        raise
                    failed[inputs.clip] = error
                    context.log.exception(f"{inputs.clip}: {error}")
                else:
                    yield from self._events(batch, inputs.clip, recorded, alone)
                    self._report(inputs.clip, "done")
        if not (alone and clips):
            for key in self.asset.keys:
                yield dg.MaterializeResult(asset_key=key, metadata=RECORDED_ALREADY)
            yield from self._check_outputs(context)
        if failed:
            raise dg.Failure(
                f"{len(failed)} of {len(batch.clips)} clips failed; the others are done: {', '.join(failed)}",
                metadata={clip: f"{type(error).__name__}: {error}" for clip, error in failed.items()},
                allow_retries=False,
            )

    def _batch(self, context: dg.AssetExecutionContext, config: dg.Config | None) -> _Batch:
        self.asset.check_launch(config, self.inputs)
        clips, instance, parameters = list(context.partition_keys), context.instance, self.asset.parameters
        per_clip = {dg.AssetKey(name) for name in self.inputs if not self.artifacts[name].is_whole}
        whole = {dg.AssetKey(name) for name in self.inputs} - per_clip
        resources = {name: getattr(context.resources, name) for name in parameters.resources}
        opened = {name: open_(**arguments(open_, resources)) for name, open_ in parameters.shared.items()}
        return _Batch(
            context,
            config,
            clips,
            parents={key: latest(instance, key, clips) for key in per_clip},
            whole_parents={key: latest_whole(instance, key) for key in whole},
            run_ids=_run_group(context),
            shared=resources | opened | {"config": config},
            seconds={name: _seconds_of(instance, assets, clips) for name, assets in parameters.seconds_of.items()},
        )

    def _to_do(self, batch: _Batch) -> Iterator[str]:
        """Yield the run's clips, except those that it cannot do, or did when it was launched before."""
        done = latest_complete(batch.context.instance, self.asset.keys, batch.clips) if len(batch.run_ids) > 1 else {}
        for clip in batch.clips:
            if clip in done and done[clip].run_id in batch.run_ids:
                batch.context.log.info(f"{clip}: done by run {done[clip].run_id}, not repeated")
            elif len(batch.clips) > 1 and (not_made := batch.not_made(clip)):
                batch.context.log.warning(f"{clip}: skipped, because {', '.join(not_made)} failed for it in this run")
                self._report(clip, "skipped")
            else:
                yield clip

    def _load(self, batch: _Batch, clip: str) -> dict[str, Any]:
        store = batch.context.resources.store.open()
        keys = {name: UNPARTITIONED_KEY if self.artifacts[name].is_whole else clip for name in self.inputs}
        return {name: self.artifacts[name].read(store, key, self.asset.inputs[name]) for name, key in keys.items()}

    def _decoders(self, batch: _Batch) -> dict[str, Callable[[dict[str, Any]], Any]]:
        def bound(decode: Callable[..., Any]) -> Callable[[dict[str, Any]], Any]:
            return lambda values: decode(**arguments(decode, {**values, **batch.shared}))

        return {name: bound(decode) for name, decode in self.asset.parameters.streams.items()}

    def _make(self, batch: _Batch, inputs: Inputs) -> _Recorded:
        if inputs.error is not None:
            raise inputs.error
        started = time.perf_counter()
        clip, parameters, store = inputs.clip, self.asset.parameters, batch.context.resources.store.open()
        values = {**dict.fromkeys(self.asset.inputs), **inputs.values, **batch.shared, "clip": clip}
        values |= {name: by_clip.get(clip) for name, by_clip in batch.seconds.items()}
        result = call_and_store(self.asset, store, clip, values)
        executed = _execution(
            resource for name, resource in batch.shared.items() if name not in parameters.identity_only
        )
        described = replace(result, metadata={**result.metadata, **executed})
        metadata = describe(self.asset, store, clip, values, described, ROW_COUNT, started)
        tags = {SETTINGS_TAG: digest(plain(batch.config))}
        if result.incomplete:
            tags[INCOMPLETE_TAG] = str(result.incomplete)
        checks = [check.result(self.key, result.value) for check in self.asset.checks]
        return _Recorded(metadata, tags, result.data_version or self._own_data_version(batch, clip, result), checks)

    def _own_data_version(self, batch: _Batch, clip: str, result: AssetResult) -> str | None:
        """Return a data version where Dagster's own would be wrong, else None.

        Dagster leaves settings given at launch out of the data version. An incomplete artifact needs one of its own as
        well: the complete one that a later run makes of the same code and inputs is different, and what is below must
        follow it.
        """
        if plain(batch.config) == self.defaults and not result.incomplete:
            return None
        code = f"{self.code_version}+{digest(plain(batch.config))}"
        if result.incomplete:
            code += f"+{batch.context.run.run_id}"
        return provenance(code, batch.made_from(clip))[DATA_VERSION_TAG]

    def _events(self, batch: _Batch, clip: str, done: _Recorded, alone: bool) -> Iterator[Any]:
        """Yield the artifact's event first: Dagster derives a companion's data version from it."""
        if alone:
            version = dg.DataVersion(done.data_version) if done.data_version else None
            for name, metadata in done.metadata.items():
                checks = done.checks if name == self.asset.name else []
                yield dg.MaterializeResult(
                    asset_key=name, metadata=metadata, tags=done.tags, data_version=version, check_results=checks
                )
            return
        artifact, *companions = done.metadata
        tags = provenance(self.code_version, batch.made_from(clip), done.data_version)
        yield dg.AssetMaterialization(
            artifact, partition=clip, metadata=done.metadata[artifact], tags={**tags, **done.tags}
        )
        if companions or done.checks:
            made = latest(batch.context.instance, self.key, [clip])[clip]
            # Dagster records an input from the same step by its plain data version, as if it had no partitions.
            tags = provenance(self.code_version, {self.key: replace(made, clip=None)}, done.data_version)
            for name in companions:
                metadata = done.metadata[name]
                yield dg.AssetMaterialization(name, partition=clip, metadata=metadata, tags={**tags, **done.tags})
            yield from self._evaluations(clip, done.checks, made)

    def _evaluations(
        self, clip: str, checks: Sequence[dg.AssetCheckResult], made: Made
    ) -> Iterator[dg.AssetCheckEvaluation]:
        """Yield the results of checks, linked to the materialisation that they checked."""
        target = AssetCheckEvaluationTargetMaterializationData(
            storage_id=made.storage_id, run_id=made.run_id, timestamp=made.timestamp
        )
        for check in checks:
            yield dg.AssetCheckEvaluation(
                asset_key=self.key,
                check_name=str(check.check_name),
                passed=check.passed,
                metadata=check.metadata,
                severity=check.severity,
                description=check.description,
                partition=clip,
                target_materialization_data=target,
            )

    def _failure(self, batch: _Batch, clip: str, error: Exception) -> dg.AssetObservation:
        """Return an event that shows the cause on the asset's page, at the clip's partition.

        Its tags are what the clip failed with. Automation tries it again when one of these has changed.
        """
        metadata = {FAILED: True, "error": f"{type(error).__name__}: {error}"}
        tags = provenance(self.code_version, batch.made_from(clip)) | {SETTINGS_TAG: digest(plain(batch.config))}
        del tags[DATA_VERSION_TAG]
        return dg.AssetObservation(
            self.key, partition=clip, description="not made: see error", metadata=metadata, tags=tags
        )

    def _check_outputs(self, context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
        for check in self.asset.checks:
            spec = context.assets_def.get_spec_for_check_key(dg.AssetCheckKey(self.key, check.name))
            if spec is not None and spec.key in context.selected_asset_check_keys:
                yield dg.Output(None, output_name=spec.get_python_identifier())

    def _report(self, clip: str, event: Literal["started", "done", "failed", "skipped"]) -> None:
        report_progress(self.asset.name, clip, event)


def _run_group(context: dg.AssetExecutionContext) -> frozenset[str]:
    """Return the ids of this run and of the failed runs that it resumes.

    To launch a run again that succeeded means to repeat all of it, so its id is not among them.
    """
    group = context.instance.get_run_group(context.run.run_id) if context.run.root_run_id else None
    earlier = (run.run_id for run in (group[1] if group else ()) if not run.is_success)
    return frozenset({context.run.run_id, *earlier})


def _seconds_of(instance: dg.DagsterInstance, assets: Iterable[str], clips: Sequence[str]) -> dict[str, float]:
    """Return for each clip the seconds that these assets took when they were last made, added up."""
    total = dict.fromkeys(clips, 0.0)
    for name in assets:
        for clip, made in latest(instance, dg.AssetKey(name), clips).items():
            seconds = made.metadata["seconds"].value if "seconds" in made.metadata else 0.0
            total[clip] += seconds if isinstance(seconds, float) else 0.0
    return {clip: round(seconds, 3) for clip, seconds in total.items()}


def _execution(shared: Iterable[Any]) -> dict[str, Any]:
    """Return what resources report after the work: the device, threads and batch really used."""
    used: dict[str, Any] = {}
    for resource in shared:
        if hasattr(resource, "execution"):
            used |= resource.execution()
    return used
