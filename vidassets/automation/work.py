"""Doing what is to be done: which runs are needed, in which order, until nothing is left that could be done."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import dagster as dg

from vidassets.assets.clip_asset import CLIPS_PER_RUN, ClipAsset
from vidassets.assets.dataset_asset import DatasetAsset
from vidassets.assets.partitions import clips as clips_set
from vidassets.automation.launch import close_dead_runs, failure_cause, launch
from vidassets.automation.status import Board, State, contiguous, dataset_is_stale
from vidassets.resources.launch_tag import LAUNCH_TAG
from vidassets.storage.store import UNPARTITIONED_KEY, ArtifactStore


@dataclass(frozen=True)
class PlannedRun:
    """One run to be: these assets of these clips, which stand beside each other in the order of registration."""

    assets: tuple[str, ...]
    clips: tuple[str, ...]

    @property
    def cells(self) -> set[tuple[str, str]]:
        """(asset, clip) pairs that it is to make."""
        return {(asset, clip) for asset in self.assets for clip in self.clips}


@dataclass
class Workload:
    """What is to be worked on, and with what.

    Attributes:
        clip_assets: selected, in topological order.
        dataset_assets: selected.
        clips: keys.
        settings: by asset, given for this launch.
        force: make all of it, whatever its state.
        failures: after `do`, assets over all clips that could not be made, with the cause.
    """

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    store: ArtifactStore
    clip_assets: Sequence[ClipAsset]
    dataset_assets: Sequence[DatasetAsset]
    clips: Sequence[str]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    force: bool = False
    failures: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def _selected(self) -> set[str]:
        return {asset.name for asset in self.clip_assets}

    def versions(self) -> dict[str, str]:
        """The code version of every asset, as defined."""
        graph = self.definitions.resolve_asset_graph()
        return {asset.name: graph.get(dg.AssetKey(asset.name)).code_version or "" for asset in self.clip_assets}

    def board(self) -> Board:
        """The states as they are now."""
        return Board(self.instance, self.store, self.clip_assets, self.versions(), self.clips, self.settings)

    def plan(self, attempted: set[tuple[str, str]]) -> list[PlannedRun]:
        """The runs that are needed now, less what was attempted already."""
        board = self.board()
        registered = self.instance.get_dynamic_partitions(str(clips_set.name))
        groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for clip in self.clips:
            if assets := tuple(self._to_do(board, clip, attempted)):
                groups[assets].append(clip)
        runs = []
        for assets, keys in groups.items():
            for first, last in contiguous(keys, registered, CLIPS_PER_RUN):
                inside = registered[registered.index(first) : registered.index(last) + 1]
                runs.append(PlannedRun(assets, tuple(inside)))
        return sorted(runs, key=lambda run: registered.index(run.clips[0]))

    def _to_do(self, board: Board, clip: str, attempted: set[tuple[str, str]]) -> Iterator[str]:
        """Assets to make for a clip: not up to date, not attempted, and every input there or about to be.

        What is up to date, but below one that is about to be made, may turn stale; all below that waits for the next
        wave, or it would be made from what is about to be replaced.
        """
        graph, coming, waiting = self.definitions.resolve_asset_graph(), set[str](), set[str]()
        usable = (State.FRESH, State.INCOMPLETE)
        for asset in self.clip_assets:
            name = asset.name
            wanted = board.to_do(clip, [name]) or (self.force and not attempted)
            inputs = {key.to_user_string() for key in graph.get(dg.AssetKey(name)).parent_keys}
            ready = all(one in coming or board.cells[one, clip].state in usable for one in inputs & self._selected)
            if inputs & waiting:
                waiting.add(name)
            elif wanted and ready and (name, clip) not in attempted:
                coming.add(name)
                yield name
            elif inputs & coming:
                waiting.add(name)

    def do(self, on_wave: Callable[[Sequence[PlannedRun]], None]) -> set[tuple[str, str]]:
        """Run what is needed, in waves: what a wave made may make more of it stale. Returns the cells worked on.

        Args:
            on_wave: told of the runs of a wave before they start.
        """
        attempted: set[tuple[str, str]] = set()
        tags = {LAUNCH_TAG: str(uuid4())}
        close_dead_runs(self.instance)
        while runs := self.plan(attempted):
            on_wave(runs)
            for run in runs:
                keys = [dg.AssetKey(name) for name in run.assets]
                chosen = {name: self.settings[name] for name in run.assets if name in self.settings}
                launch(self.definitions, self.instance, keys, (run.clips[0], run.clips[-1]), chosen, tags)
                attempted |= run.cells
        for asset in self.dataset_assets:
            registered = self.instance.get_dynamic_partitions(str(clips_set.name))
            if self.force or dataset_is_stale(self.instance, self.store, asset, registered):
                run = launch(self.definitions, self.instance, [dg.AssetKey(asset.name)], tags=tags)
                if not run.is_success:
                    self.failures[asset.name] = failure_cause(self.instance, run)
                attempted.add((asset.name, UNPARTITIONED_KEY))
        return attempted
