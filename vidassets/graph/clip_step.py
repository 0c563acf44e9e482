"""What runs when a clip asset is materialised: clip after clip, each stored and recorded before the next one begins."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import dagster as dg

from vidassets.graph.artifact import Artifact, StoredFile
from vidassets.graph.claims import Claim
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.clip_queue import ClipBatch, ClipQueue
from vidassets.graph.dagster_internals import (
    DATA_VERSION_TAG,
    AssetCheckEvaluationTargetMaterializationData,
)
from vidassets.graph.declared_asset import FAILED, INCOMPLETE_TAG, ROW_COUNT, SETTINGS_TAG, AssetResult
from vidassets.graph.isolation import IsolatedCall, run_isolated
from vidassets.graph.lineage import (
    Made,
    latest,
    latest_observation,
    latest_whole,
    provenance,
)
from vidassets.graph.prefetch import Inputs
from vidassets.graph.settings import digest, plain
from vidassets.graph.step import (
    RECORDED_ALREADY,
    Step,
    asked_at,
    call_and_store,
    describe,
    open_shared,
    run_group,
)
from vidassets.progress import report_progress, working_on

SHOWN_CAUSES = 5
MISSING_INPUTS = "missing_inputs"  # metadata of an observation: the inputs for want of which a clip was skipped


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
        queue = ClipQueue(self.asset, self.artifacts, self.inputs, batch)
        failed = queue.failed
        recorded_here = False
        with queue.inputs_ahead() as ahead:
            for inputs, claim in ahead:
                self._report(inputs.clip, "started")
                try:
                    with working_on(self.asset.name, inputs.clip):
                        recorded = self._make(batch, inputs, claim)
                except Exception as error:
                    self._report(inputs.clip, "failed")
                    yield self._failure(batch, inputs.clip, error)
                    cause = f"{type(error).__name__}: {error}"
                    checks = (check.result_of_failure(self.key, cause) for check in self.asset.checks)
                    yield from self._evaluations(inputs.clip, checks, made=None)
                    failed[inputs.clip] = error
                    context.log.exception(f"{inputs.clip}: {error}")
                else:
                    yield from self._events(batch, inputs.clip, recorded, alone)
                    recorded_here = claim.is_finished = True
                    self._report(inputs.clip, "done")
        if alone and failed:  # without an output, Dagster does not begin the steps below
            raise dg.Failure(_first_causes(failed), allow_retries=False)
        for clip in queue.skipped:
            yield self._skipped(batch, clip)
        if not (alone and recorded_here):
            for key in self.asset.keys:
                yield dg.MaterializeResult(asset_key=key, metadata=RECORDED_ALREADY)
            yield from self._check_outputs(context)
        if failed:
            raise dg.Failure(
                f"{len(failed)} of {len(batch.clips)} clips failed; the others are done. {_first_causes(failed)}",
                metadata={clip: f"{type(error).__name__}: {error}" for clip, error in failed.items()},
                allow_retries=False,
            )

    def _batch(self, context: dg.AssetExecutionContext, config: dg.Config | None) -> ClipBatch:
        self.asset.check_launch(config, self.inputs)
        clips, instance, parameters = list(context.partition_keys), context.instance, self.asset.parameters
        per_clip = [dg.AssetKey(name) for name in self.inputs if not self.artifacts[name].is_whole]
        whole = [dg.AssetKey(name) for name in self.inputs if self.artifacts[name].is_whole]
        resources = {name: getattr(context.resources, name) for name in parameters.resources}
        return ClipBatch(
            context,
            config,
            clips,
            parents={key: latest(instance, key, clips) for key in per_clip},
            whole_parents={key: latest_whole(instance, key) for key in whole},
            run_ids=run_group(context),
            asked_at=asked_at(context),
            code_version=self.code_version,
            resources=resources,
            shared=open_shared(parameters, resources, config),
            seconds={name: _seconds_of(instance, assets, clips) for name, assets in parameters.seconds_of.items()},
        )

    def _make(self, batch: ClipBatch, inputs: Inputs, claim: Claim) -> _Recorded:
        if inputs.error is not None:
            raise inputs.error
        started = time.perf_counter()
        clip, parameters, store = inputs.clip, self.asset.parameters, batch.context.resources.store.open()
        seconds = {name: by_clip.get(clip) for name, by_clip in batch.seconds.items()}
        values = {**dict.fromkeys(self.asset.inputs), **inputs.values, **batch.shared, **seconds, "clip": clip}
        if claim.killed:
            batch.context.log.warning(f"{clip}: its process died in run {claim.killed}; made in a process of its own")
            result = self._make_isolated(batch, clip, seconds)
        else:
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

    def _make_isolated(self, batch: ClipBatch, clip: str, seconds: Mapping[str, float | None]) -> AssetResult:
        resources = {**batch.resources, "store": batch.context.resources.store}
        call = IsolatedCall.of(self.asset, self.artifacts, self.inputs, clip, resources, batch.config, seconds)
        result = run_isolated(call)
        if self.asset.artifact.is_file:
            return replace(result, value=StoredFile(resources["store"].open(), self.asset.artifact, clip))
        return result

    def _own_data_version(self, batch: ClipBatch, clip: str, result: AssetResult) -> str | None:
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

    def _events(self, batch: ClipBatch, clip: str, done: _Recorded, alone: bool) -> Iterator[Any]:
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
        self, clip: str, checks: Iterable[dg.AssetCheckResult], made: Made | None
    ) -> Iterator[dg.AssetCheckEvaluation]:
        """Yield the results of checks, linked to the materialisation that they checked, if there is one."""
        target = made and AssetCheckEvaluationTargetMaterializationData(
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

    def _failure(self, batch: ClipBatch, clip: str, error: Exception) -> dg.AssetObservation:
        """Return an event that shows the cause on the asset's page, at the clip's partition.

        Its tags are what the clip failed with. Automation tries it again when one of these has changed.
        """
        metadata = {FAILED: True, "error": f"{type(error).__name__}: {error}"}
        tags = provenance(self.code_version, batch.made_from(clip)) | {SETTINGS_TAG: digest(plain(batch.config))}
        del tags[DATA_VERSION_TAG]
        return dg.AssetObservation(
            self.key, partition=clip, description=f"Not made. {metadata['error']}", metadata=metadata, tags=tags
        )

    def _skipped(self, batch: ClipBatch, clip: str) -> dg.AssetObservation:
        """Return an event that shows, at the clip's partition, which inputs are missing, and why."""
        missing = batch.not_made(clip)
        causes = [self._cause(batch, name, clip) for name in missing]
        return dg.AssetObservation(
            self.key,
            partition=clip,
            description=f"Not made, because an input is missing: {'; '.join(causes)}",
            metadata={MISSING_INPUTS: ", ".join(missing)},
        )

    def _cause(self, batch: ClipBatch, name: str, clip: str) -> str:
        """Return the name of an input that was not made, with what is recorded of the reason."""
        seen = latest_observation(batch.context.instance, dg.AssetKey(name), clip)
        if seen is None or seen.run_id not in batch.run_ids:
            return name
        if FAILED in seen.metadata:
            return f"{name} failed with {seen.metadata['error'].value}"
        return f"{name} needs {seen.metadata[MISSING_INPUTS].value}" if MISSING_INPUTS in seen.metadata else name

    def _check_outputs(self, context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
        for check in self.asset.checks:
            spec = context.assets_def.get_spec_for_check_key(dg.AssetCheckKey(self.key, check.name))
            if spec is not None and spec.key in context.selected_asset_check_keys:
                yield dg.Output(None, output_name=spec.get_python_identifier())

    def _report(self, clip: str, event: Literal["started", "done", "failed", "skipped"]) -> None:
        report_progress(self.asset.name, clip, event)


def _first_causes(failed: Mapping[str, Exception]) -> str:
    """Return the causes of some failures, for the place where a person sees a step's failure first."""
    shown = [f"{clip}: {type(error).__name__}: {error}" for clip, error in list(failed.items())[:SHOWN_CAUSES]]
    more = len(failed) - len(shown)
    return "\n".join(shown) + (f"\nand {more} more, each with its cause in the metadata" if more > 0 else "")


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
