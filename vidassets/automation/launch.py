"""Launch runs in this process: the same assets, instance and records as a run from the UI."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from vidassets.automation.instance import config_problem
from vidassets.errors import ProfileError
from vidassets.graph.dagster_internals import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
    DagsterEventType,
    InMemoryJob,
    SerializableErrorInfo,
    execute_run,
)

# Hidden in the UI: the host and process of a run that a command launched.
PROCESS_TAG = ".dagster/vidassets/process"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # the event log keeps everything


def launch(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    assets: Sequence[dg.AssetKey],
    clips: tuple[str, str] | str | None = None,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    tags: Mapping[str, str] | None = None,
    again: dg.DagsterRun | None = None,
) -> dg.DagsterRun:
    """Run some assets in this process, and wait until the run has ended.

    Args:
        definitions: the whole graph.
        instance: where the run is recorded.
        assets: to materialise.
        clips: a partition key, or the first and last key of a range; None for assets without partitions.
        config: settings by asset name; they override the profile.
        tags: further tags of the run.
        again: an earlier run that this one continues; what that run finished is not repeated.
    Returns:
        The run as recorded, with its final status.
    Raises:
        ProfileError: no run can start with these settings, for example because an environment variable is not set.
        KeyboardInterrupt: the run was interrupted. Dagster ends it properly, and would let the next one start.
    """
    bounds = (clips, clips) if isinstance(clips, str) else clips
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=set(assets))
    ops = {name: {"config": dict(settings)} for name, settings in (config or {}).items() if settings}
    try:
        run = instance.create_run_for_job(
            job,
            run_config=QUIET | ({"ops": ops} if ops else {}),
            tags={**(tags or {}), **partition_tags(bounds), PROCESS_TAG: _process(os.getpid())},
            asset_selection=frozenset(assets),
            parent_run_id=again.run_id if again else None,
            root_run_id=(again.root_run_id or again.run_id) if again else None,
        )
    except dg.DagsterInvalidConfigError as error:
        cause = config_problem(error)
        raise ProfileError(f"{cause} `vidassets doctor` lists what the profile needs and cannot find.") from error
    execute_run(InMemoryJob(job), run, instance, raise_on_error=False)
    if any(error.cls_name == "DagsterExecutionInterruptedError" for error in _errors(instance, run)):
        raise KeyboardInterrupt
    finished = instance.get_run_by_id(run.run_id)
    return finished or run


def partition_tags(clips: tuple[str, str] | None) -> dict[str, str]:
    """Return the tags of a run over a range of clips, given by its first and last key, or over none."""
    if clips is None:
        return {}
    if clips[0] == clips[1]:
        return {PARTITION_NAME_TAG: clips[0]}
    return {ASSET_PARTITION_RANGE_START_TAG: clips[0], ASSET_PARTITION_RANGE_END_TAG: clips[1]}


def failure_cause(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Return why a run failed: what its first failed step, or the run itself, raised, without Dagster's wrappers."""
    for error in _errors(instance, run):
        if error.cause is None or not str(error.cls_name).startswith("Dagster"):
            return error.message.strip()
    return f"run {run.run_id} ended as {run.status.value}"


def _errors(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[SerializableErrorInfo]:
    """Yield the errors of a run's failed steps, then those of the run itself, each followed by its cause."""
    failures = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}
    for record in instance.all_logs(run.run_id, of_type=failures):
        data = record.dagster_event.event_specific_data if record.dagster_event else None
        error: SerializableErrorInfo | None = getattr(data, "error", None)
        while error is not None:
            yield error
            error = error.cause


def close_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """End the runs whose process on this machine was killed, free their slots in pools, and return their ids.

    The daemon watches the runs that it launched. A run that a command launched dies with the process of the command.
    """
    closed = []
    for run in instance.get_runs(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED])
    ):
        host, _, pid = run.tags.get(PROCESS_TAG, "").rpartition(":")
        if host != platform.node() or run.tags[PROCESS_TAG] == _process(int(pid.split("@")[0])):
            continue
        instance.report_run_failed(run, "the process of this run was killed")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        closed.append(run.run_id)
    return closed


def _process(pid: int) -> str:
    """Return the host, id and start time of a process; a later process with the same id has another start time."""
    try:
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        started = _alive_elsewhere(pid)
    return f"{platform.node()}:{pid}@{started}"


def _alive_elsewhere(pid: int) -> str:
    """Return, on systems without /proc, whether the process is alive, in place of its start time."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass
    return "lives"
