"""Runs launched in this process: the same assets, the same instance, the same records as a run from the UI."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

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

PROCESS_TAG = (
    ".dagster/vidassets/process"  # hidden in the UI: host and process that a run lives in, if a command launched it
)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # the event log keeps it all


def launch(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    assets: Sequence[dg.AssetKey],
    clips: tuple[str, str] | str | None = None,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    tags: Mapping[str, str] | None = None,
    again: dg.DagsterRun | None = None,
) -> dg.DagsterRun:
    """One run over some assets, in this process, to its end.

    Args:
        definitions: of the whole graph.
        instance: where the run is recorded.
        assets: to materialise.
        clips: a partition key, or the first and last of a range; None for assets without partitions.
        config: settings by asset name, above the profile's.
        tags: of the run.
        again: an earlier run that this one takes up: what it finished is not repeated.
    Returns:
        The run as recorded; its status tells how it ended.
    Raises:
        ProfileError: settings that no run can begin with, such as a variable of the environment that is not set.
        KeyboardInterrupt: the run was interrupted; Dagster ends it in order, and would let the next one begin.
    """
    range_tags: dict[str, str] = {}
    if isinstance(clips, str) or (clips and clips[0] == clips[1]):
        range_tags = {PARTITION_NAME_TAG: clips if isinstance(clips, str) else clips[0]}
    elif clips:
        range_tags = {ASSET_PARTITION_RANGE_START_TAG: clips[0], ASSET_PARTITION_RANGE_END_TAG: clips[1]}
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=set(assets))
    ops = {name: {"config": dict(settings)} for name, settings in (config or {}).items() if settings}
    try:
        run = instance.create_run_for_job(
            job,
            run_config=QUIET | ({"ops": ops} if ops else {}),
            tags={**(tags or {}), **range_tags, PROCESS_TAG: _process(os.getpid())},
            asset_selection=frozenset(assets),
            parent_run_id=again.run_id if again else None,
            root_run_id=(again.root_run_id or again.run_id) if again else None,
        )
    except dg.DagsterInvalidConfigError as error:
        cause = str(error).partition("\n\nStack Trace")[0]
        raise ProfileError(f"{cause}\n`vidassets doctor` tells what the profile needs and does not find.") from error
    execute_run(InMemoryJob(job), run, instance, raise_on_error=False)
    if any(error.cls_name == "DagsterExecutionInterruptedError" for error in _errors(instance, run)):
        raise KeyboardInterrupt
    finished = instance.get_run_by_id(run.run_id)
    return finished or run


def failure_cause(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Why a run failed: what its first failed step raised, without the wrappings of Dagster, or the run itself."""
    for error in _errors(instance, run):
        if error.cause is None or not str(error.cls_name).startswith("Dagster"):
            return error.message.strip()
    return f"run {run.run_id} ended as {run.status.value}"


def _errors(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[SerializableErrorInfo]:
    """Errors of a run's failed steps, then of the run itself; after each what caused it."""
    failures = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}
    for record in instance.all_logs(run.run_id, of_type=failures):
        data = record.dagster_event.event_specific_data if record.dagster_event else None
        error: SerializableErrorInfo | None = getattr(data, "error", None)
        while error is not None:
            yield error
            error = error.cause


def close_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """End the runs whose process on this machine was killed, and give back their slots in pools; their ids.

    A run that the daemon launched is the daemon's to watch; one that a command launched dies with its process.
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
    """Host, number and start of a process; another one that got the same number has another start."""
    try:
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        started = _alive_elsewhere(pid)
    return f"{platform.node()}:{pid}@{started}"


def _alive_elsewhere(pid: int) -> str:
    """Where there is no /proc: whether the process lives, as a start that stays the same."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass
    return "lives"
