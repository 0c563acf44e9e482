"""What the automation sensor requests: the plan of `vidassets run`, less what other runs do or failed to do."""

import time
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from vidassets.automation.event_log import Attempt, EventLog, StoredKeys
from vidassets.automation.launch import partition_tags
from vidassets.automation.plan import CellKey, next_runs
from vidassets.automation.status import Board, Cell, Selection, State
from vidassets.graph.settings import digest
from vidassets.graph.step import PLANNED_AT_TAG
from vidassets.storage.store import UNPARTITIONED_KEY

VERSIONS_TAG = "vidassets/versions"  # digest of the code versions that a run was requested for
RUNS_PER_TICK = 20  # chosen here: a run of 25 clips and 27 assets takes 5 CPU-seconds to submit
RUNS_PER_QUERY = 500


def request_runs(
    selection: Selection, clips: Sequence[str], events: EventLog, stored: StoredKeys
) -> Iterator[dg.RunRequest]:
    """Yield a request for each run that is needed and not under way.

    Args:
        selection: the assets to keep up to date.
        clips: all registered keys.
        events: the event log, which has just begun to look again.
        stored: the keys of the artifacts in the store.
    """
    now = time.time()
    # Attempts are read before the states. What is made in between counts as in flight, not as missing.
    in_flight, ended = _attempts(selection, events)
    board = Board(selection, clips, events, stored)
    assets = {asset.name: asset for asset in selection.assets}

    def wants(key: CellKey, cell: Cell, with_input: bool) -> bool:
        if cell.state not in (State.MISSING, State.STALE):
            return False
        if with_input or key not in ended or events.has_observed(*key, since=ended[key][0]):
            return True
        planned, run = ended[key]  # it ended without a word on this cell: killed, cancelled, or never begun
        names = [name for name in assets if run.asset_selection and dg.AssetKey(name) in run.asset_selection]
        is_same_code = run.tags.get(VERSIONS_TAG) == _versions(selection, names)
        return not is_same_code or board.newest_input(assets[key[0]], key[1]) > planned

    for run in next_runs(board, wants, in_flight)[:RUNS_PER_TICK]:
        yield dg.RunRequest(
            asset_selection=selection.keys(run.assets),
            tags=partition_tags(run.bounds)
            | {VERSIONS_TAG: _versions(selection, run.assets), PLANNED_AT_TAG: str(now)},
        )


def _attempts(
    selection: Selection, events: EventLog
) -> tuple[set[CellKey], Mapping[CellKey, tuple[int, dg.DagsterRun]]]:
    """Return what unfinished runs are to make, and what finished runs should have made and have not.

    Of the latter, the storage id of the plan, and the run.
    """
    attempts: dict[CellKey, Attempt] = {}
    for asset in selection.clip_assets:
        last = asset.artifacts[-1].name  # a call is over when the last of its artifacts is recorded
        attempts |= {(asset.name, clip): attempt for clip, attempt in events.attempts(last).items()}
    for asset in selection.dataset_assets:
        if attempt := events.attempt_over_all(asset.name):
            attempts[asset.name, UNPARTITIONED_KEY] = attempt
    run_ids = sorted({attempt.run_id for attempt in attempts.values()})
    runs = {
        run.run_id: run
        for start in range(0, len(run_ids), RUNS_PER_QUERY)
        for run in events.instance.get_runs(dg.RunsFilter(run_ids=run_ids[start : start + RUNS_PER_QUERY]))
    }
    in_flight, ended = set[CellKey](), dict[CellKey, tuple[int, dg.DagsterRun]]()
    for key, attempt in attempts.items():
        run = runs.get(attempt.run_id)  # None if the run was deleted
        if run is not None and (not run.is_finished or run.is_complete_and_waiting_to_retry):
            in_flight.add(key)
        elif run is not None:
            ended[key] = attempt.storage_id, run
    return in_flight, ended


def _versions(selection: Selection, assets: Sequence[str]) -> str:
    return digest({name: selection.versions[name] for name in assets})
