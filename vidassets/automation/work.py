"""Doing what is to be done: which runs are needed, in which order, until nothing is left that could be done."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import dagster as dg

from vidassets.automation.launch import close_dead_runs, failure_cause, launch
from vidassets.automation.status import Board, Cell, State, contiguous, dataset_cell
from vidassets.graph.artifact import Artifact
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.dataset_asset import DatasetAsset
from vidassets.graph.declared_graph import CLIPS_PER_RUN
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
        profile_settings: by asset, of the profile: what was made with others is stale.
        force: make all of it, whatever its state.
        failures: after `do`, assets over all clips that could not be made, with the cause.
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

    @property
    def _makers(self) -> dict[str, str]:
        """For every artifact of the selected clip assets, the asset whose function makes it."""
        return {artifact.name: asset.name for asset in self.clip_assets for artifact in asset.artifacts}

    def version(self, asset: str) -> str:
        """The code version of an asset, as defined."""
        return self.definitions.resolve_asset_graph().get(dg.AssetKey(asset)).code_version or ""

    def board(self) -> Board:
        """The states as they are now."""
        versions = {asset.name: self.version(asset.name) for asset in self.clip_assets}
        in_force = {name: {**self.profile_settings.get(name, {}), **self.settings.get(name, {})} for name in versions}
        return Board(self.instance, self.store, self.clip_assets, self.catalog, versions, self.clips, in_force)

    def dataset_cells(self) -> dict[str, Cell]:
        """The state of every selected asset over all clips."""
        return {asset.name: self._dataset_cell(asset) for asset in self.dataset_assets}

    def unfinished(self) -> dict[str, Cell]:
        """Selected assets over all clips that wait or lack something, though there are clips of their kind."""
        there = [one for one in self.dataset_assets if self.instance.get_dynamic_partitions(str(one.partitions.name))]
        cells = {asset.name: self._dataset_cell(asset) for asset in there}
        return {name: cell for name, cell in cells.items() if cell.state in (State.WAITING, State.INCOMPLETE)}

    def _dataset_cell(self, asset: DatasetAsset) -> Cell:
        in_force = {**self.profile_settings.get(asset.name, {}), **self.settings.get(asset.name, {})}
        version = self.version(asset.name)
        return dataset_cell(self.instance, self.store, asset, self.catalog, version, in_force)

    def stale_datasets(self, attempted: set[tuple[str, str]]) -> set[str]:
        """Artifacts over all clips that are about to be made in this launch."""
        wanted = (asset for asset in self.dataset_assets if self._is_wanted(asset, attempted))
        return {artifact.name for asset in wanted for artifact in asset.artifacts}

    def plan(self, attempted: set[tuple[str, str]]) -> list[PlannedRun]:
        """The runs that are needed now, less what was attempted already."""
        board, stale = self.board(), self.stale_datasets(attempted)
        groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for clip in self.clips:
            by_set: dict[str, list[str]] = defaultdict(list)
            for asset in self._to_do(board, clip, attempted, stale):
                by_set[str(asset.partitions.name)].append(asset.name)
            for partitions, names in by_set.items():
                groups[partitions, *names].append(clip)
        runs = []
        for (partitions, *assets), keys in groups.items():
            registered = self.instance.get_dynamic_partitions(partitions)
            for first, last in contiguous(keys, registered, CLIPS_PER_RUN):
                inside = registered[registered.index(first) : registered.index(last) + 1]
                runs.append(PlannedRun(tuple(assets), tuple(inside)))
        order = {clip: place for place, clip in enumerate(self.clips)}
        return sorted(runs, key=lambda run: order[run.clips[0]])

    def _to_do(self, board: Board, clip: str, attempted: set[tuple[str, str]], stale: set[str]) -> Iterator[ClipAsset]:
        """Assets to make for a clip: not up to date, not attempted, and every input there or made in the same run.

        What is up to date, but below one that is about to be made, may turn stale; all below that waits for the next
        wave, or it would be made from what is about to be replaced. So does what is in another partition set than its
        input, for that is another run, and what reads an asset over all clips that is about to be made.
        """
        coming, waiting = dict[str, ClipAsset](), set[str]()
        graph, usable, makers = self.definitions.resolve_asset_graph(), (State.FRESH, State.INCOMPLETE), self._makers
        for asset in self.clip_assets:
            if (asset.name, clip) not in board.cells:
                continue
            forced = self.force and board.cells[asset.name, clip].state is not State.WAITING
            wanted = forced or board.to_do(clip, [asset.name])
            parents = {key.to_user_string() for key in graph.get(dg.AssetKey(asset.name)).parent_keys}
            inputs = {makers[name] for name in parents if name in makers}
            same_run = {name for name in inputs if name in coming and coming[name].partitions == asset.partitions}
            there = {name for name in inputs if board.cells[name, clip].state in usable and name not in coming}
            if inputs & waiting or parents & stale:
                waiting.add(asset.name)
            elif wanted and inputs <= same_run | there and (asset.name, clip) not in attempted:
                coming[asset.name] = asset
                yield asset
            elif inputs & set(coming):
                waiting.add(asset.name)

    def _is_wanted(self, asset: DatasetAsset, attempted: set[tuple[str, str]]) -> bool:
        """Missing, stale, or forced, and not failed in this launch; incomplete, and not tried in it."""
        if asset.name in self.failures:
            return False
        is_new, state = (asset.name, UNPARTITIONED_KEY) not in attempted, self._dataset_cell(asset).state
        if state in (State.MISSING, State.STALE):
            return True
        return is_new and (state is State.INCOMPLETE or (self.force and state is not State.WAITING))

    def do(self, on_wave: Callable[[Sequence[PlannedRun]], None]) -> set[tuple[str, str]]:
        """Run what is needed, in waves: what a wave made may make more of it stale. Returns the cells worked on.

        What depends on nothing, such as a table of people's decisions, comes first: all below it need not wait for it.

        Args:
            on_wave: told of the runs of a wave before they start.
        """
        attempted: set[tuple[str, str]] = set()
        tags = {LAUNCH_TAG: str(uuid4())}
        close_dead_runs(self.instance)
        going_on = True
        attempted |= self._datasets_made([asset for asset in self.dataset_assets if not asset.inputs], attempted, tags)
        while going_on:
            while runs := self.plan(attempted):
                on_wave(runs)
                for run in runs:
                    self._launch(run, tags)
                    attempted |= run.cells
            made = self._datasets_made(self.dataset_assets, attempted, tags)
            going_on = bool(made)
            attempted |= made
        return attempted

    def _launch(self, run: PlannedRun, tags: Mapping[str, str]) -> None:
        keys = [key for asset in self.clip_assets if asset.name in run.assets for key in asset.keys]
        chosen = {name: self.settings[name] for name in run.assets if name in self.settings}
        launch(self.definitions, self.instance, keys, (run.clips[0], run.clips[-1]), chosen, tags)

    def _datasets_made(
        self, assets: Sequence[DatasetAsset], attempted: set[tuple[str, str]], tags: Mapping[str, str]
    ) -> set[tuple[str, str]]:
        """Those that were worked on."""
        return {(asset.name, UNPARTITIONED_KEY) for asset in assets if self._made(asset, attempted, tags)}

    def _made(self, asset: DatasetAsset, attempted: set[tuple[str, str]], tags: Mapping[str, str]) -> bool:
        """Make an asset over all clips, if it is not up to date; whether it was worked on."""
        if not self._is_wanted(asset, attempted):
            return False
        chosen = {asset.name: self.settings[asset.name]} if asset.name in self.settings else {}
        run = launch(self.definitions, self.instance, asset.keys, config=chosen, tags=tags)
        if not run.is_success:
            self.failures[asset.name] = failure_cause(self.instance, run)
        return True
