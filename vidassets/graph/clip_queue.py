"""Which clips of a run this process makes: those that nobody else makes or has made, each claimed."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from vidassets.graph.artifact import Artifact
from vidassets.graph.claims import POLL_S, Claim, Claims, claims_of
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.dagster_internals import CODE_VERSION_TAG, get_input_data_version_tag
from vidassets.graph.declared_asset import FAILED, SETTINGS_TAG
from vidassets.graph.lineage import Made, input_version, latest_complete, latest_observation
from vidassets.graph.prefetch import Inputs, read_ahead
from vidassets.graph.settings import digest, plain
from vidassets.graph.step import decoders, load_inputs
from vidassets.progress import report_progress

DECODED_AHEAD_BYTES = 96 * 2**20  # chosen here: about a minute of 256 px thumbnails


@dataclass(frozen=True)
class ClipBatch:
    """What the clips of one run share.

    Attributes:
        context, config: of the step.
        clips: keys, in the order of work.
        parents: each input of a clip, with what is recorded of every clip.
        whole_parents: each input over all clips, with what is recorded of it.
        run_ids: this run, and the failed runs that it resumes.
        asked_at: when the run was asked for, in seconds since 1970.
        code_version: of the asset.
        resources: those that the function needs.
        shared: these, objects opened once per run, and `config`.
        seconds: for each parameter with processing times, the seconds of each clip.
    """

    context: dg.AssetExecutionContext
    config: dg.Config | None
    clips: Sequence[str]
    parents: Mapping[dg.AssetKey, Mapping[str, Made]]
    whole_parents: Mapping[dg.AssetKey, Made | None]
    run_ids: frozenset[str]
    asked_at: float
    code_version: str
    resources: Mapping[str, Any]
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
            and (clip not in made or not self.is_current(made[clip]))
        ]

    def is_current(self, made: Made) -> bool:
        """Return whether this run made an artifact, or another one did since this run was asked for."""
        return made.run_id in self.run_ids or made.timestamp >= self.asked_at

    def matches(self, clip: str, tags: Mapping[str, str]) -> bool:
        """Return whether an event has the code version, the settings and the inputs that this run would record."""
        ours = {SETTINGS_TAG: digest(plain(self.config)), CODE_VERSION_TAG: self.code_version}
        for key, parent in self.made_from(clip).items():
            ours[get_input_data_version_tag(key)] = input_version(parent)
        return ours.items() <= tags.items()

    def is_done(self, made: Made) -> bool:
        """Return whether a clip was made by this run, or by another one that did just what this one would do."""
        return made.run_id in self.run_ids or (self.is_current(made) and self.matches(str(made.clip), made.tags))


class ClipQueue:
    """The clips of a run that are left for this process.

    Attributes:
        failed: the clips that another run tried in vain since this one was asked for.
        skipped: the clips of which an input is missing.
    """

    def __init__(
        self, asset: ClipAsset, artifacts: Mapping[str, Artifact], inputs: Sequence[str], batch: ClipBatch
    ) -> None:
        self.asset = asset
        self.artifacts = artifacts
        self.inputs = inputs
        self.batch = batch
        self.failed: dict[str, Exception] = {}
        self.skipped: list[str] = []

    @contextmanager
    def inputs_ahead(self) -> Iterator[Iterator[tuple[Inputs, Claim]]]:
        """Yield the inputs of each clip to make, read while the one before is made, and the claim on it.

        Read `failed` and `skipped` at the end.
        """
        claims, held = claims_of(self.batch.context.instance), dict[str, Claim]()
        ended = threading.Event()

        def release(clip: str) -> None:
            claims.release(held.pop(clip))

        def to_make() -> Iterator[str]:
            for clip, claim in self._claimed(claims, ended):
                held[clip] = claim
                # What happened before this process had the claim is known for certain only now.
                outcome = self._outcome_elsewhere(clip)
                if outcome is None:
                    yield clip
                    continue
                claim.is_finished = isinstance(outcome, Made)
                release(clip)
                report_progress(self.asset.name, clip, "done" if isinstance(outcome, Made) else "failed")
                if isinstance(outcome, Made):
                    self.batch.context.log.info(f"{clip}: made by run {outcome.run_id}, not repeated")
                else:
                    self.failed[clip] = outcome

        def load(clip: str) -> dict[str, Any]:
            store = self.batch.context.resources.store.open()
            return load_inputs(self.asset, self.artifacts, self.inputs, store, clip)

        def each(ahead: Iterator[Inputs]) -> Iterator[tuple[Inputs, Claim]]:
            for inputs in ahead:
                yield inputs, held[inputs.clip]
                release(inputs.clip)

        # A stream is not decoded ahead for a clip that has killed a process: decoding may be what did it.
        decode = {
            name: lambda values, decode=decode: () if held[values["clip"]].killed else decode(values)
            for name, decode in decoders(self.asset.parameters, self.batch.shared).items()
        }
        try:
            with read_ahead(to_make(), lambda clip: {**load(clip), "clip": clip}, decode, DECODED_AHEAD_BYTES) as ahead:
                try:
                    yield each(ahead)
                finally:
                    ended.set()
        finally:
            for clip in list(held):
                release(clip)

    def _claimed(self, claims: Claims, ended: threading.Event) -> Iterator[tuple[str, Claim]]:
        """Yield the clips that this run can do, each claimed for this process.

        First those that nobody else works on, then those that have killed a process, last those that another process
        has, as soon as it is done.
        """
        run_id = self.batch.context.run.run_id
        dangerous, taken = dict[str, Claim](), list[str]()
        try:
            for clip in self._to_do():
                claim = claims.take(self.asset.name, clip, run_id)
                if claim is None:
                    taken.append(clip)
                elif claim.killed:
                    dangerous[clip] = claim
                else:
                    yield clip, claim
            for clip in list(dangerous):
                yield clip, dangerous.pop(clip)
        finally:
            for claim in dangerous.values():
                claims.release(claim)
        for clip in taken:
            self.batch.context.log.info(f"{clip}: another process is making it; waiting for it")
            while (claim := claims.take(self.asset.name, clip, run_id)) is None:
                time.sleep(POLL_S)
                if ended.is_set():
                    return
            yield clip, claim

    def _to_do(self) -> Iterator[str]:
        """Yield the run's clips, except those that are done, or that it cannot do."""
        done = latest_complete(self.batch.context.instance, self.asset.keys, self.batch.clips)
        for clip in self.batch.clips:
            if clip in done and self.batch.is_done(done[clip]):
                self.batch.context.log.info(f"{clip}: made by run {done[clip].run_id}, not repeated")
                report_progress(self.asset.name, clip, "done")
            elif len(self.batch.clips) > 1 and (not_made := self.batch.not_made(clip)):
                self.batch.context.log.warning(
                    f"{clip}: skipped, because {', '.join(not_made)} failed for it in this run"
                )
                self.skipped.append(clip)
                report_progress(self.asset.name, clip, "skipped")
            else:
                yield clip

    def _outcome_elsewhere(self, clip: str) -> Made | Exception | None:
        """Return what another run made of a clip since this one was asked for, or why it failed."""
        instance = self.batch.context.instance
        made = latest_complete(instance, self.asset.keys, [clip]).get(clip)
        if made is not None and self.batch.is_done(made):
            return made
        seen = latest_observation(instance, self.asset.key, clip)
        is_failure = seen is not None and FAILED in seen.metadata and seen.timestamp >= self.batch.asked_at
        if seen is None or not is_failure or seen.run_id in self.batch.run_ids:
            return None
        if not self.batch.matches(clip, seen.tags):
            return None
        return dg.Failure(f"run {seen.run_id} tried it meanwhile: {seen.metadata['error'].value}", allow_retries=False)
