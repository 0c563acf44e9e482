"""What is made, stale, missing or failed, for every asset and clip: the one answer that all planning goes by."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

import dagster as dg

from vidassets.automation.event_log import EventLog, Observation, StoredKeys
from vidassets.graph.artifact import Artifact
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.dagster_internals import CODE_VERSION_TAG, get_input_data_version_tag
from vidassets.graph.dataset_asset import DatasetAsset
from vidassets.graph.dataset_step import AWAITED, INPUTS_TAG, WATCHED_TAG, not_made_yet
from vidassets.graph.declared_asset import FAILED, INCOMPLETE_TAG, SETTINGS_TAG, WAITING_FOR, DeclaredAsset
from vidassets.graph.lineage import Made, input_version, latest_ids
from vidassets.graph.settings import digest, plain
from vidassets.storage.store import UNPARTITIONED_KEY

CHANGED_CODE = "code, settings or model changed"
OTHER_SETTINGS = "made with other settings"
GONE = "its artifact is gone from the store"


class State(StrEnum):
    """The state of one asset for one clip, or of one asset over all clips."""

    FRESH = "up to date"
    MISSING = "missing"
    STALE = "stale"
    INCOMPLETE = "incomplete"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True)
class Cell:
    """One asset of one clip, or one over all clips: its state, the reason, and its latest materialisation."""

    state: State
    reason: str = ""
    made: Made | None = None


class AssetNode(Protocol):
    """What is needed of a node of Dagster's asset graph."""

    @property
    def code_version(self) -> str | None:
        """The version of the code that makes the asset."""
        ...

    @property
    def parent_keys(self) -> Iterable[dg.AssetKey]:
        """The assets that it depends on."""
        ...


class AssetGraph(Protocol):
    """What is needed of Dagster's asset graph."""

    def get(self, key: dg.AssetKey, /) -> AssetNode:
        """Return the node of an asset."""
        ...


@dataclass(frozen=True)
class Selection:
    """Some assets, with the code versions and settings that are in force.

    Attributes:
        clip_assets: in topological order.
        dataset_assets: in topological order.
        catalog: every artifact of the graph, by name.
        settings: by asset, those that the next run will use.
        versions: by asset, its code version.
        parents: by asset, the assets that it depends on.
    """

    clip_assets: Sequence[ClipAsset]
    dataset_assets: Sequence[DatasetAsset]
    catalog: Mapping[str, Artifact]
    settings: Mapping[str, Mapping[str, Any]]
    versions: Mapping[str, str]
    parents: Mapping[str, frozenset[str]]

    @classmethod
    def of(
        cls,
        graph: AssetGraph,
        clip_assets: Sequence[ClipAsset],
        dataset_assets: Sequence[DatasetAsset],
        catalog: Mapping[str, Artifact],
        *settings: Mapping[str, Mapping[str, Any]],
    ) -> "Selection":
        """Return these assets as a graph defines them; later settings override earlier ones."""
        nodes = {asset.name: graph.get(dg.AssetKey(asset.name)) for asset in (*clip_assets, *dataset_assets)}
        in_force: dict[str, dict[str, Any]] = {name: {} for name in nodes}
        for layer in settings:
            for name in in_force:
                in_force[name] |= layer.get(name, {})
        versions = {name: node.code_version or "" for name, node in nodes.items()}
        parents = {
            name: frozenset(key.to_user_string() for key in node.parent_keys) - {name} for name, node in nodes.items()
        }
        return cls(clip_assets, dataset_assets, catalog, in_force, versions, parents)

    @property
    def assets(self) -> Iterator[DeclaredAsset]:
        """All of them: those of a clip, then those over all clips."""
        yield from self.clip_assets
        yield from self.dataset_assets

    @cached_property
    def above(self) -> Mapping[str, frozenset[str]]:
        """By asset, those of these assets whose artifacts it depends on."""
        makers = {artifact.name: asset.name for asset in self.assets for artifact in asset.artifacts}
        return {
            name: frozenset(makers[parent] for parent in parents if parent in makers)
            for name, parents in self.parents.items()
        }

    def keys(self, names: Collection[str]) -> list[dg.AssetKey]:
        """Return everything that these assets make."""
        return [key for asset in self.assets if asset.name in names for key in asset.keys]

    def config(self, asset: DeclaredAsset) -> dg.Config | None:
        """Return the settings in force for an asset."""
        config_type = asset.configured(self.settings[asset.name])
        return config_type() if config_type else None

    def settings_digest(self, asset: DeclaredAsset) -> str:
        """Return what a materialisation with the settings in force is tagged with."""
        return digest(plain(self.config(asset)))


class Board:
    """The states of all assets over some clips, as they were when each was first read.

    The same as Dagster's own staleness, from the same recorded tags, and three things that Dagster does not know:
    an artifact that is gone from the store, rows still to be done, settings given at a launch.
    """

    def __init__(self, selection: Selection, clips: Sequence[str], events: EventLog, stored: StoredKeys) -> None:
        """Name what to look at.

        Args:
            selection: the assets.
            clips: keys, in the order of registration.
            events: the event log, which should `look_again` before a new board.
            stored: the keys of the artifacts in the store.
        """
        self.selection = selection
        self.clips = clips
        self._events = events
        self._stored = stored
        self._registered: dict[str, list[str]] = {}

    def registered(self, partitions: dg.DynamicPartitionsDefinition) -> Sequence[str]:
        """Return the keys of a partition set, in the order of registration."""
        name = str(partitions.name)
        if name not in self._registered:
            self._registered[name] = list(self._events.instance.get_dynamic_partitions(name))
        return self._registered[name]

    @cached_property
    def cells(self) -> dict[tuple[str, str], Cell]:
        """The cell of every asset and clip; none where the clip is of another kind than the asset."""
        cells: dict[tuple[str, str], Cell] = {}
        for asset in self.selection.clip_assets:
            kind = set(self.registered(asset.partitions))
            made = self._complete(asset)
            failures = {
                clip: seen
                for clip, seen in self._events.observed(asset.name, self.clips).items()
                if FAILED in seen.metadata
            }
            stored = {
                artifact.name: self._stored.of(artifact.name, artifact.extension, made) for artifact in asset.artifacts
            }
            inputs_of, compare = self._inputs(asset, self.clips), _Comparison(self.selection, asset)
            for clip in self.clips:
                if clip not in kind:
                    continue
                inputs = inputs_of(clip)
                if clip not in made and (awaited := self._awaited(cells, clip, inputs)):
                    cells[asset.name, clip] = Cell(State.WAITING, awaited)
                else:
                    cells[asset.name, clip] = compare.cell(
                        made.get(clip),
                        failures.get(clip),
                        inputs,
                        [name for name in stored if clip not in stored[name]],
                    )
        return cells

    @cached_property
    def dataset_cells(self) -> dict[str, Cell]:
        """The cell of every asset over all clips."""
        return {asset.name: self._dataset_cell(asset) for asset in self.selection.dataset_assets}

    def _complete(self, asset: ClipAsset) -> dict[str, Made]:
        """Return what is recorded of each clip whose companions were all recorded after it; see `latest_complete`."""
        made = self._events.made(asset.name, self.clips)
        if not asset.also:
            return made
        last = latest_ids(self._events.instance, asset.keys[-1], made)
        return {clip: event for clip, event in made.items() if last.get(clip, 0) > event.storage_id}

    def newest_input(self, asset: DeclaredAsset, clip: str) -> int:
        """Return the storage id of the newest materialisation that an asset would read; 0 if there is none.

        Args:
            asset: of a clip, or over all clips.
            clip: a key; for an asset over all clips, `UNPARTITIONED_KEY`.
        """
        if isinstance(asset, ClipAsset):
            found = self._inputs(asset, [clip])(clip).values()
        else:
            keys = self.registered(asset.partitions)
            inputs_of = self._inputs(asset, keys)
            found = [made for key in keys or [clip] for made in inputs_of(key).values()]
        return max((made.storage_id for made in found if made), default=0)

    def to_do(self, clip: str, assets: Iterable[str]) -> list[str]:
        """Return those of these assets that are of this clip's kind and could be made, or made again."""
        cells = ((asset, self.cells.get((asset, clip))) for asset in assets)
        settled = (State.FRESH, State.WAITING)
        return [asset for asset, cell in cells if cell is not None and cell.state not in settled]

    def _inputs(self, asset: DeclaredAsset, clips: Sequence[str]) -> Callable[[str], dict[str, Made | None]]:
        """Return a function from one of these clips to what is recorded of each input."""
        over_all = {
            name: self._events.made_over_all(name) for name in asset.inputs if self.selection.catalog[name].is_whole
        }
        by_clip = {name: self._events.made(name, clips) for name in asset.inputs if name not in over_all}
        return lambda clip: {name: made.get(clip) for name, made in by_clip.items()} | over_all

    def _awaited(
        self, cells: Mapping[tuple[str, str], Cell], clip: str, inputs: Mapping[str, Made | None]
    ) -> str | None:
        """Return why an asset has to wait, which is no failure: an input over all clips has not been made."""
        for name, made in inputs.items():
            if made is None and self.selection.catalog[name].is_whole:
                return f"{name} has not been made yet{self._not_selected(name)}"
            cell = cells.get((name, clip))
            if cell is not None and cell.state is State.WAITING:
                return cell.reason
        return None

    def _not_selected(self, name: str) -> str:
        """Return that an artifact is made by none of the selected assets, with the selection that makes it."""
        made_here = any(artifact.name == name for asset in self.selection.assets for artifact in asset.artifacts)
        return "" if made_here else f", and is not selected: `vidassets run --select '*{name}'` makes it"

    def _dataset_cell(self, asset: DatasetAsset) -> Cell:
        made = self._events.made_over_all(asset.name)
        registered = self.registered(asset.partitions)
        if not registered and made is None:
            return Cell(State.WAITING, f"nothing is registered in {asset.partitions.name}")
        versions = {name: self._versions(name, registered) for name in asset.inputs}
        for name, found in versions.items():
            if not found:
                reason = not_made_yet(self.selection.catalog[name])
                if not_selected := self._not_selected(name):
                    reason = f"{reason.rstrip('.')}{not_selected}"
                return Cell(State.WAITING, reason, made)
        tags = {
            CODE_VERSION_TAG: self.selection.versions[asset.name],
            SETTINGS_TAG: self.selection.settings_digest(asset),
            INPUTS_TAG: digest(versions),
        }
        if watched := asset.watched(self.selection.config(asset)):
            tags[WATCHED_TAG] = watched
        if outcome := self._tried(asset, tags, made):
            return outcome
        if made is None:
            return Cell(State.MISSING)
        gone = [
            artifact.name
            for artifact in asset.artifacts
            if UNPARTITIONED_KEY not in self._stored.of(artifact.name, artifact.extension, [UNPARTITIONED_KEY])
        ]
        if gone:
            return Cell(State.MISSING, GONE if asset.name in gone else _gone(gone), made)
        reasons = {
            CODE_VERSION_TAG: CHANGED_CODE,
            SETTINGS_TAG: OTHER_SETTINGS,
            INPUTS_TAG: "an input changed",
            WATCHED_TAG: "a file that it reads changed",
        }
        for tag, reason in reasons.items():
            if made.tags.get(tag) != tags.get(tag):
                return Cell(State.STALE, reason, made)
        if INCOMPLETE_TAG in made.tags:
            return Cell(State.INCOMPLETE, _lacks(made), made)
        return Cell(State.FRESH, made=made)

    def _versions(self, name: str, clips: Sequence[str]) -> dict[str, str]:
        """Return the data version of every clip that has an artifact; of one over all clips, its own."""
        if self.selection.catalog[name].is_whole:
            made = self._events.made_over_all(name)
            return {UNPARTITIONED_KEY: made.data_version} if made else {}
        return {clip: made.data_version for clip, made in self._events.made(name, clips).items()}

    def _tried(self, asset: DatasetAsset, tags: Mapping[str, str], made: Made | None) -> Cell | None:
        """Return a cell that waits or failed, if the asset was last tried with just these inputs, code and settings."""
        seen = self._events.observed_over_all(asset.name)
        if seen is None or seen.storage_id < (made.storage_id if made else 0) or not tags.items() <= seen.tags.items():
            return None
        if AWAITED in seen.metadata:
            return Cell(State.WAITING, str(seen.metadata[AWAITED].value), made)
        return Cell(State.FAILED, str(seen.metadata["error"].value), made) if FAILED in seen.metadata else None


class _Comparison:
    """Compares what is recorded of an asset's clips with the code, settings and inputs that are in force."""

    def __init__(self, selection: Selection, asset: ClipAsset) -> None:
        self._name = asset.name
        self._version = selection.versions[asset.name]
        self._settings = selection.settings_digest(asset)
        self._input_tags = {name: get_input_data_version_tag(dg.AssetKey(name)) for name in asset.inputs}

    def cell(
        self, made: Made | None, failure: Observation | None, inputs: Mapping[str, Made | None], gone: Sequence[str]
    ) -> Cell:
        """Return the state of one clip; `gone` names the artifacts that the store does not have."""
        # What failed with other code, settings or inputs is not FAILED: it has not been tried with these.
        is_latest = failure is not None and failure.storage_id > (made.storage_id if made else 0)
        if failure is not None and is_latest and self._difference(failure.tags, inputs) is None:
            return Cell(State.FAILED, str(failure.metadata["error"].value), made)
        if made is None:
            return Cell(State.MISSING)
        if gone:
            return Cell(State.MISSING, GONE if self._name in gone else _gone(gone), made)
        if difference := self._difference(made.tags, inputs):
            return Cell(State.STALE, difference, made)
        if INCOMPLETE_TAG in made.tags:
            return Cell(State.INCOMPLETE, _lacks(made, "still to be done"), made)
        return Cell(State.FRESH, made=made)

    def _difference(self, tags: Mapping[str, str], inputs: Mapping[str, Made | None]) -> str | None:
        """Return what is not as it was when an event was recorded; None if all is."""
        if tags.get(CODE_VERSION_TAG) != self._version:
            return CHANGED_CODE
        if tags.get(SETTINGS_TAG) != self._settings:
            return OTHER_SETTINGS
        for name, made in inputs.items():
            recorded = tags.get(self._input_tags[name])
            if recorded is not None and recorded != input_version(made):
                return f"{name} changed"
        return None


def _gone(companions: Sequence[str]) -> str:
    """Return that these artifacts of the same call are gone."""
    return f"its artifact {', '.join(companions)} is gone from the store"


def _lacks(made: Made, what: str = "left out") -> str:
    """Return how much an incomplete artifact lacks, and why."""
    cause = made.metadata.get(WAITING_FOR)
    return f"{made.tags[INCOMPLETE_TAG]} {what}" + (f": {cause.value}" if cause else "")
