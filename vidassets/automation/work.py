"""`vidassets run`: carry out the plan in this process, wave after wave, until nothing is left that could be made."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

import dagster as dg

from vidassets.automation.event_log import EventLog, StoredKeys
from vidassets.automation.launch import close_dead_runs, failure_cause, launch
from vidassets.automation.plan import CellKey, PlannedRun, next_runs
from vidassets.automation.status import Board, Cell, Selection, State
from vidassets.graph.artifact import Artifact
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.dataset_asset import DatasetAsset
from vidassets.graph.step import PLANNED_AT_TAG
from vidassets.resources.launch_tag import LAUNCH_TAG
from vidassets.storage.store import UNPARTITIONED_KEY, ArtifactStore


@dataclass
class Workload:
    """Some assets of some clips, and what is needed to make them.

    Attributes:
        clip_assets: selected, in topological order.
        dataset_assets: selected, in topological order.
        clips: keys, in the order of registration.
        settings: by asset, given for this launch.
        profile_settings: by asset, of the profile. What was made with others is stale.
        force: make everything again, whatever its state.
        failures: after `do`, the assets over all clips that could not be made, with the cause.
    """

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    store: ArtifactStore
    catalog: Mapping[str, Artifact]
    clip_assets: Sequence[ClipAsset]
    dataset_assets: Sequence[DatasetAsset]
    clips: Sequence[str]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    force: bool = False
    profile_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict, init=False)
    _board: Board | None = field(default=None, init=False)
    _planned_at: float = field(default=0.0, init=False)

    def board(self) -> Board:
        """Return the states; they are read once, and again after each wave of runs."""
        if self._board is None:
            self._events.look_again()
            self._planned_at = time.time()
            self._board = Board(self._selection, self.clips, self._events, StoredKeys(self.store))
        return self._board

    def dataset_cells(self) -> Mapping[str, Cell]:
        """Return the state of every selected asset over all clips."""
        return self.board().dataset_cells

    def unfinished(self) -> dict[str, Cell]:
        """Return the assets over all clips that wait or lack something, though there are clips of their kind."""
        board = self.board()
        return {
            asset.name: cell
            for asset in self.dataset_assets
            if board.registered(asset.partitions)
            and (cell := board.dataset_cells[asset.name]).state in (State.WAITING, State.INCOMPLETE)
        }

    def plan(self, attempted: set[CellKey]) -> list[PlannedRun]:
        """Return the runs that are needed now.

        Args:
            attempted: cells that this command tried already. What failed is tried once a command.
        """

        def wants(key: CellKey, cell: Cell, with_input: bool) -> bool:
            asset, clip = key
            if clip == UNPARTITIONED_KEY and cell.state in (State.MISSING, State.STALE):
                return asset not in self.failures  # a later wave may change its inputs again
            is_to_do = cell.state is not State.WAITING and (self.force or cell.state is not State.FRESH)
            return is_to_do and key not in attempted and asset not in self.failures

        return next_runs(self.board(), wants)

    def do(self, on_wave: Callable[[Sequence[PlannedRun]], None]) -> set[CellKey]:
        """Run what is needed, in waves: what a wave made may make more of it stale. Returns the cells worked on.

        Args:
            on_wave: called with the runs over clips of a wave before they start.
        """
        attempted: set[CellKey] = set()
        tags = {LAUNCH_TAG: f"{datetime.now():%Y-%m-%d %H:%M:%S} {uuid4().hex[:8]}"}
        close_dead_runs(self.instance)
        self._board = None
        while runs := self.plan(attempted):
            if over_clips := [run for run in runs if run.clips]:
                on_wave(over_clips)
            tags[PLANNED_AT_TAG] = str(self._planned_at)
            for run in runs:
                self._board = None
                self._launch(run, tags)
                attempted |= run.cells
        return attempted

    def _launch(self, run: PlannedRun, tags: Mapping[str, str]) -> None:
        keys = self._selection.keys(run.assets)
        chosen = {name: self.settings[name] for name in run.assets if name in self.settings}
        ended = launch(self.definitions, self.instance, keys, run.bounds, chosen, tags)
        if not run.clips and not ended.is_success:
            self.failures[run.assets[0]] = failure_cause(self.instance, ended)

    @cached_property
    def _selection(self) -> Selection:
        graph = self.definitions.resolve_asset_graph()
        return Selection.of(
            graph, self.clip_assets, self.dataset_assets, self.catalog, self.profile_settings, self.settings
        )

    @cached_property
    def _events(self) -> EventLog:
        return EventLog(self.instance)
