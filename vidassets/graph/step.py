"""What runs when a clip asset is materialised: clip after clip, each stored and recorded before the next begins."""

import inspect
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Literal

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from vidassets.errors import VidassetsError
from vidassets.graph.artifact import Artifact, StoredFile
from vidassets.graph.clip_asset import INCOMPLETE_TAG, PROCESSING, SETTINGS_TAG, ClipAsset, ClipResult
from vidassets.graph.lineage import Made, latest, latest_whole, provenance
from vidassets.graph.prefetch import Inputs, read_ahead
from vidassets.graph.settings import digest, plain
from vidassets.storage.store import UNPARTITIONED_KEY, ArtifactStore
from vidassets.storage.tables import check_foreign_key

FAILED = "vidassets/failed"  # metadata of an observation: this clip's artifact could not be made
DECODED_AHEAD_BYTES = 96 * 2**20  # chosen here: about a minute of 256 px thumbnails
PROGRESS = logging.getLogger("vidassets.progress")  # one record a clip and asset, for whoever shows progress
PROGRESS.setLevel(logging.INFO)
PROGRESS.propagate = False

# An output with this metadata is recorded by Dagster as produced, without an event of its own: steps below it run,
# and only the clips that were recorded one by one count as materialised. Held by test_step.py.
RECORDED_ALREADY = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}

State = Literal["started", "done", "failed", "skipped"]


@dataclass(frozen=True)
class _Batch:
    """What the clips of one run share: the context, what is known of the inputs, the settings."""

    context: dg.AssetExecutionContext
    config: dg.Config | None
    clips: Sequence[str]
    parents: Mapping[dg.AssetKey, Mapping[str, Made]]
    whole_parents: Mapping[dg.AssetKey, Made | None]
    run_ids: frozenset[str]
    shared: Mapping[str, Any]
    spent_s: Mapping[str, float]

    def made_from(self, clip: str) -> dict[dg.AssetKey, Made | None]:
        """Each input, with what is recorded of this clip."""
        return {key: made.get(clip) for key, made in self.parents.items()} | dict(self.whole_parents)

    def awaited(self, clip: str) -> list[str]:
        """Inputs that this very run was to make for this clip, and did not."""
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

    metadata: Mapping[dg.AssetKey, Mapping[str, Any]]
    tags: Mapping[str, str]
    data_version: str | None
    checks: Sequence[dg.AssetCheckResult]


class ClipStep:
    """The body of a clip asset, for one partition or many."""

    def __init__(
        self, asset: ClipAsset, catalog: Mapping[str, Artifact], code_version: str, config: dg.Config | None
    ) -> None:
        self.asset = asset
        self.key = dg.AssetKey(asset.name)
        self.catalog = catalog
        self.code_version = code_version
        self.defaults = plain(config)
        self.inputs = asset.wanted_inputs(config)

    def compute_function(self, config_type: type[dg.Config] | None) -> Callable[..., Iterator[Any]]:
        """The function that Dagster calls; its signature asks for config only if the asset has some."""

        def compute(context: dg.AssetExecutionContext) -> Iterator[Any]:
            yield from self.run(context, None)

        def compute_configured(context: dg.AssetExecutionContext, config: Any) -> Iterator[Any]:
            yield from self.run(context, config)

        if config_type is None:
            return compute
        compute_configured.__annotations__["config"] = config_type
        return compute_configured

    def run(self, context: dg.AssetExecutionContext, config: dg.Config | None) -> Iterator[Any]:
        """Events of every clip of the run, each yielded once its artifact is stored.

        Raises:
            dg.Failure: clips of a batch that failed, named, after all others are done.
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
                    yield self._failure(inputs.clip, error)
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
        clips, instance = list(context.partition_keys), context.instance
        per_clip = {dg.AssetKey(name) for name in self.inputs if not self.catalog[name].is_whole}
        whole = {dg.AssetKey(name) for name in self.inputs} - per_clip
        parents = {key: latest(instance, key, clips) for key in per_clip}
        whole_parents = {key: latest_whole(instance, key) for key in whole}
        resources = {name: getattr(context.resources, name) for name in self.asset.resources}
        opened = {name: open_(**_arguments(open_, resources)) for name, open_ in self.asset.once.items()}
        shared = resources | opened | {"config": config}
        spent_s = _spent_s(instance, self.asset.timed, clips)
        return _Batch(context, config, clips, parents, whole_parents, _run_group(context), shared, spent_s)

    def _to_do(self, batch: _Batch) -> Iterator[str]:
        """The run's clips, less those that it cannot do, or did when it was launched before."""
        done = latest(batch.context.instance, self.key, batch.clips) if len(batch.run_ids) > 1 else {}
        for clip in batch.clips:
            if clip in done and done[clip].run_id in batch.run_ids:
                batch.context.log.info(f"{clip}: done by run {done[clip].run_id}, not repeated")
            elif len(batch.clips) > 1 and (awaited := batch.awaited(clip)):
                batch.context.log.warning(f"{clip}: left out, for {', '.join(awaited)} of it failed in this run")
                self._report(clip, "skipped")
            else:
                yield clip

    def _load(self, batch: _Batch, clip: str) -> dict[str, Any]:
        store = batch.context.resources.store.open()
        keys = {name: UNPARTITIONED_KEY if self.catalog[name].is_whole else clip for name in self.inputs}
        return {name: self.catalog[name].read(store, key, self.asset.inputs[name]) for name, key in keys.items()}

    def _decoders(self, batch: _Batch) -> dict[str, Callable[[dict[str, Any]], Any]]:
        def bound(decode: Callable[..., Any]) -> Callable[[dict[str, Any]], Any]:
            return lambda values: decode(**_arguments(decode, {**values, **batch.shared}))

        return {name: bound(decode) for name, decode in self.asset.ahead.items()}

    def _make(self, batch: _Batch, inputs: Inputs) -> _Recorded:
        if inputs.error is not None:
            raise inputs.error
        started = time.perf_counter()
        values = {**dict.fromkeys(self.asset.inputs), **inputs.values, **batch.shared, "clip": inputs.clip}
        values[PROCESSING] = batch.spent_s.get(inputs.clip)
        store = batch.context.resources.store.open()
        result = self._stored(store, inputs.clip, values)
        worked = [one for name, one in batch.shared.items() if name not in self.asset.consults]
        used = _used(worked) | {"seconds": round(time.perf_counter() - started, 3)}
        made = {**result.also, self.asset.name: result.value}
        metadata = {
            dg.AssetKey(one.name): _facts(store, inputs.clip, one, made[one.name]) for one in self.asset.artifacts
        }
        metadata[self.key] |= {**result.metadata, **used}
        shown = {**values, **result.also, "artifact": result.value}
        if self.asset.preview and (markdown := _preview(self.asset.preview, shown)):
            metadata[self.key]["preview"] = dg.MetadataValue.md(markdown)
        tags = {SETTINGS_TAG: digest(plain(batch.config))}
        if result.incomplete:
            tags[INCOMPLETE_TAG] = str(result.incomplete)
        checks = [check.result(self.key, result.value) for check in self.asset.checks]
        return _Recorded(
            metadata, tags, result.data_version or self._own_data_version(batch, inputs.clip, result), checks
        )

    def _stored(self, store: ArtifactStore, clip: str, values: dict[str, Any]) -> ClipResult:
        """The function called, and all that it made in the store."""
        asset = self.asset
        with ExitStack() as stack:
            if asset.artifact.is_file:
                path = stack.enter_context(store.writing(asset.name, clip, asset.artifact.extension))
                values = values | {"output": path}
            result = asset.function(**_arguments(asset.function, values))
            result = result if isinstance(result, ClipResult) else ClipResult(result)
            for parent, columns in asset.references.items():
                check_foreign_key(result.value, values[parent], columns, name=asset.name, parent_name=parent)
        for name, artifact in asset.also.items():
            artifact.write(store, clip, result.also[name])
        if asset.artifact.is_file:
            return replace(result, value=StoredFile(store, asset.artifact, clip))
        asset.artifact.write(store, clip, result.value)
        return result

    def _own_data_version(self, batch: _Batch, clip: str, result: ClipResult) -> str | None:
        """None where Dagster's own is right.

        One of its own for settings given at launch, which Dagster leaves out, and for what is incomplete: the whole
        that a later run makes of the same code and inputs is another, and what is below has to follow.
        """
        if plain(batch.config) == self.defaults and not result.incomplete:
            return None
        code = f"{self.code_version}+{digest(plain(batch.config))}"
        if result.incomplete:
            code += f"+{batch.context.run.run_id}"
        return provenance(code, batch.made_from(clip))[DATA_VERSION_TAG]

    def _events(self, batch: _Batch, clip: str, done: _Recorded, alone: bool) -> Iterator[Any]:
        if alone:
            version = dg.DataVersion(done.data_version) if done.data_version else None
            for key, metadata in done.metadata.items():
                checks = done.checks if key == self.key else []
                yield dg.MaterializeResult(
                    asset_key=key, metadata=metadata, tags=done.tags, data_version=version, check_results=checks
                )
            return
        tags = {**provenance(self.code_version, batch.made_from(clip), done.data_version), **done.tags}
        for key, metadata in done.metadata.items():
            yield dg.AssetMaterialization(key, partition=clip, metadata=metadata, tags=tags)
        target = self._target(batch, clip) if done.checks else None
        for check in done.checks:
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

    def _target(self, batch: _Batch, clip: str) -> AssetCheckEvaluationTargetMaterializationData:
        """The materialisation that was recorded just now: what a check's verdict is shown with."""
        made = latest(batch.context.instance, self.key, [clip])[clip]
        return AssetCheckEvaluationTargetMaterializationData(
            storage_id=made.storage_id, run_id=made.run_id, timestamp=made.timestamp
        )

    def _failure(self, clip: str, error: Exception) -> dg.AssetObservation:
        """The cause, on the asset's page, at the clip's partition."""
        metadata = {FAILED: True, "error": f"{type(error).__name__}: {error}"}
        return dg.AssetObservation(self.key, partition=clip, description="not made: see error", metadata=metadata)

    def _check_outputs(self, context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
        for check in self.asset.checks:
            spec = context.assets_def.get_spec_for_check_key(dg.AssetCheckKey(self.key, check.name))
            if spec is not None and spec.key in context.selected_asset_check_keys:
                yield dg.Output(None, output_name=spec.get_python_identifier())

    def _report(self, clip: str, state: State) -> None:
        PROGRESS.info("%s %s %s", self.asset.name, clip, state, extra={"clip_event": (self.asset.name, clip, state)})


def _run_group(context: dg.AssetExecutionContext) -> frozenset[str]:
    """This run, and those that it takes up; to launch one again that succeeded means to make all of it anew."""
    group = context.instance.get_run_group(context.run.run_id) if context.run.root_run_id else None
    forerunners = (one.run_id for one in (group[1] if group else ()) if not one.is_success)
    return frozenset({context.run.run_id, *forerunners})


def _spent_s(instance: dg.DagsterInstance, assets: Iterable[str], clips: Sequence[str]) -> dict[str, float]:
    """For each clip the seconds that these assets took when they were last made."""
    spent = dict.fromkeys(clips, 0.0)
    for name in assets:
        for clip, made in latest(instance, dg.AssetKey(name), clips).items():
            seconds = made.metadata["seconds"].value if "seconds" in made.metadata else 0.0
            spent[clip] += seconds if isinstance(seconds, float) else 0.0
    return {clip: round(seconds, 3) for clip, seconds in spent.items()}


def _facts(store: ArtifactStore, clip: str, artifact: Artifact, value: Any) -> dict[str, Any]:
    """Where an artifact lies, and how many rows it has."""
    rows = {} if artifact.schema is None else {"dagster/partition_row_count": len(value)}
    return {"path": store.uri(artifact.name, clip, artifact.extension)} | rows


def _preview(preview: Callable[..., str | None], values: Mapping[str, Any]) -> str | None:
    """What a person may look at. The artifact is whole without it: a video that is gone by now has no pictures."""
    try:
        return preview(**_arguments(preview, values))
    except VidassetsError as error:
        return f"No preview: {error}"


def _arguments(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in inspect.signature(function).parameters}


def _used(shared: Iterable[Any]) -> dict[str, Any]:
    """What resources tell of themselves after the work: the device, threads and batch really used."""
    used: dict[str, Any] = {}
    for one in shared:
        if hasattr(one, "execution"):
            used |= one.execution()
    return used
