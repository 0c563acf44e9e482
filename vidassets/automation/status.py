"""What is made, stale, missing or failed, for every asset and clip: a few queries, whatever the number of clips."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import dagster as dg

from vidassets.graph.artifact import Artifact
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.clip_step import FAILED
from vidassets.graph.dagster_internals import CODE_VERSION_TAG, DagsterEventType
from vidassets.graph.dataset_asset import DatasetAsset
from vidassets.graph.dataset_step import AWAITED, INPUTS_TAG, WATCHED_TAG, input_versions, not_made_yet
from vidassets.graph.declared_asset import INCOMPLETE_TAG, SETTINGS_TAG, WAITING_FOR, DeclaredAsset
from vidassets.graph.lineage import RECORDS_PER_QUERY, Made, input_version, latest, latest_whole
from vidassets.graph.settings import digest, plain
from vidassets.storage.store import UNPARTITIONED_KEY, ArtifactStore


class State(StrEnum):
    """Of one asset for one clip."""

    FRESH = "up to date"
    MISSING = "missing"
    STALE = "stale"
    INCOMPLETE = "incomplete"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True)
class Cell:
    """One asset of one clip, or one over all clips: its state, why, and what is recorded of it."""

    state: State
    reason: str = ""
    made: Made | None = None


class Board:
    """The states of all assets over some clips.

    The same as Dagster's own staleness, from the same recorded tags, and three things that Dagster does not know:
    an artifact that is gone from the store, rows still to be done, settings given at a launch.
    """

    def __init__(
        self,
        instance: dg.DagsterInstance,
        store: ArtifactStore,
        assets: Sequence[ClipAsset],
        catalog: Mapping[str, Artifact],
        versions: Mapping[str, str],
        clips: Sequence[str],
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Read all that is needed.

        Args:
            assets: in topological order.
            catalog: every artifact of the graph.
            versions: the code version of each asset, as the definitions have it.
            clips: keys.
            settings: by asset, those that the next run is to use: what was made with others is stale.
        """
        names = {name for asset in assets for name in (asset.name, *asset.inputs)}
        whole = {name: latest_whole(instance, dg.AssetKey(name)) for name in names if catalog[name].is_whole}
        made = {name: latest(instance, dg.AssetKey(name), clips) for name in names - set(whole)}
        failures = {asset.name: _failures(instance, dg.AssetKey(asset.name), clips) for asset in assets}
        stored = {asset.name: _stored(store, asset) for asset in assets}
        registered = {
            asset.partitions.name: set(instance.get_dynamic_partitions(str(asset.partitions.name))) for asset in assets
        }
        self.cells: dict[tuple[str, str], Cell] = {}
        for asset in assets:
            wanted = _settings_digest(asset, (settings or {}).get(asset.name))
            for clip in clips:
                if clip not in registered[asset.partitions.name]:
                    continue
                one = made[asset.name].get(clip)
                parents = {name: whole[name] if name in whole else made[name].get(clip) for name in asset.inputs}
                cell = _cell(one, parents, versions[asset.name], clip in stored[asset.name], wanted)
                failure = failures[asset.name].get(clip)
                if failure and failure.storage_id > (one.storage_id if one else 0):
                    cell = Cell(State.FAILED, failure.error, one)
                # Also of what a backfill tried: it could not but fail, and need not be tried again.
                if one is None and (reason := self._awaited(clip, parents, whole)):
                    cell = Cell(State.WAITING, reason)
                self.cells[asset.name, clip] = cell

    def _awaited(self, clip: str, parents: Iterable[str], whole: Mapping[str, Made | None]) -> str | None:
        """What an asset of a clip waits for, which is no failure: an input over all clips that is not there."""
        for name in parents:
            cell = self.cells.get((name, clip))
            if name in whole and whole[name] is None:
                return f"{name} has not been made yet"
            if cell is not None and cell.state is State.WAITING:
                return cell.reason
        return None

    def to_do(self, clip: str, assets: Iterable[str]) -> list[str]:
        """Of these assets, those that are of this clip's kind and could be made, or made anew; in the same order."""
        cells = ((asset, self.cells.get((asset, clip))) for asset in assets)
        settled = (State.FRESH, State.WAITING)
        return [asset for asset, cell in cells if cell is not None and cell.state not in settled]


def _stored(store: ArtifactStore, asset: ClipAsset) -> set[str]:
    """Keys of which all that the asset makes is in the store."""
    return set.intersection(*(set(store.keys(one.name, one.extension)) for one in asset.artifacts))


@dataclass(frozen=True)
class _Failure:
    storage_id: int
    error: str


def _failures(instance: dg.DagsterInstance, asset: dg.AssetKey, clips: Collection[str]) -> dict[str, _Failure]:
    ids = (
        instance.event_log_storage.get_latest_storage_id_by_partition(
            asset, DagsterEventType.ASSET_OBSERVATION, set(clips)
        )
        if clips
        else {}
    )
    wanted, found = sorted(ids.values()), {}
    for start in range(0, len(wanted), RECORDS_PER_QUERY):
        chunk = wanted[start : start + RECORDS_PER_QUERY]
        records = instance.fetch_observations(dg.AssetRecordsFilter(asset, storage_ids=chunk), limit=len(chunk)).records
        for record in records:
            event = record.asset_observation
            if event is not None and event.partition and FAILED in event.metadata:
                found[event.partition] = _Failure(record.storage_id, str(event.metadata["error"].value))
    return found


def _cell(
    made: Made | None, parents: Mapping[str, Made | None], version: str, stored: bool, settings: str | None
) -> Cell:
    if made is None:
        return Cell(State.MISSING)
    if not stored:
        return Cell(State.MISSING, "its artifact is gone from the store", made)
    if made.code_version != version:
        return Cell(State.STALE, "code, settings or model changed", made)
    if settings is not None and made.tags.get(SETTINGS_TAG) != settings:
        return Cell(State.STALE, "made with other settings", made)
    for name, parent in parents.items():
        recorded = made.input_version(dg.AssetKey(name))
        if recorded is not None and recorded != input_version(parent):
            return Cell(State.STALE, f"{name} changed", made)
    if INCOMPLETE_TAG in made.tags:
        return Cell(State.INCOMPLETE, _lacks(made, "rows still to be done"), made)
    return Cell(State.FRESH, made=made)


def _lacks(made: Made, what: str = "left out") -> str:
    """How much an incomplete artifact lacks, and why."""
    cause = made.metadata.get(WAITING_FOR)
    return f"{made.tags[INCOMPLETE_TAG]} {what}" + (f": {cause.value}" if cause else "")


def _settings_digest(asset: DeclaredAsset, settings: Mapping[str, Any] | None) -> str | None:
    return None if settings is None else digest(plain(_config(asset, settings)))


def _config(asset: DeclaredAsset, settings: Mapping[str, Any]) -> dg.Config | None:
    config_type = asset.configured(settings)
    return config_type() if config_type else None


def dataset_cell(
    instance: dg.DagsterInstance,
    store: ArtifactStore,
    asset: DatasetAsset,
    catalog: Mapping[str, Artifact],
    version: str,
    settings: Mapping[str, Any],
) -> Cell:
    """The state of an asset over all clips.

    Args:
        catalog: every artifact of the graph.
        version: the asset's code version, as the definitions have it.
        settings: those that the next run is to use.
    """
    key, made = dg.AssetKey(asset.name), latest_whole(instance, dg.AssetKey(asset.name))
    registered = instance.get_dynamic_partitions(str(asset.partitions.name))
    if not registered and made is None:
        return Cell(State.WAITING, f"nothing is registered in {asset.partitions.name}")
    config = _config(asset, settings)
    versions = input_versions(instance, [catalog[name] for name in asset.inputs], registered)
    if absent := [name for name, found in versions.items() if not found]:
        return Cell(State.WAITING, not_made_yet(catalog[absent[0]]), made)
    tags = {
        INPUTS_TAG: digest(versions),
        SETTINGS_TAG: digest(plain(config)),
        CODE_VERSION_TAG: version,
    }
    if watched := asset.watched(config):
        tags[WATCHED_TAG] = watched
    if (waits := _waits(instance, key, tags, made)) is not None:
        return Cell(State.WAITING, waits, made)
    if made is None:
        return Cell(State.MISSING)
    if not all(store.exists(one.name, UNPARTITIONED_KEY, one.extension) for one in asset.artifacts):
        return Cell(State.MISSING, "its artifact is gone from the store", made)
    reasons = {
        CODE_VERSION_TAG: "code, settings or model changed",
        SETTINGS_TAG: "made with other settings",
        INPUTS_TAG: "an input changed",
        WATCHED_TAG: "a file that it reads changed",
    }
    stale = (reason for tag, reason in reasons.items() if made.tags.get(tag) != tags.get(tag))
    fresh = Cell(State.INCOMPLETE, _lacks(made), made) if INCOMPLETE_TAG in made.tags else Cell(State.FRESH, made=made)
    return next((Cell(State.STALE, reason, made) for reason in stale), fresh)


def _waits(instance: dg.DagsterInstance, asset: dg.AssetKey, tags: Mapping[str, str], made: Made | None) -> str | None:
    """What an asset over all clips said that it waits for, when it was last to be made of just this."""
    records = instance.fetch_observations(asset, limit=1).records
    event = records[0].asset_observation if records else None
    if event is None or AWAITED not in event.metadata or records[0].storage_id < (made.storage_id if made else 0):
        return None
    return str(event.metadata[AWAITED].value) if tags.items() <= (event.tags or {}).items() else None


def contiguous(keys: Sequence[str], registered: Sequence[str], at_most: int) -> Iterator[tuple[str, str]]:
    """Ranges, first and last key, that hold these keys and no other; Dagster runs partitions by range.

    >>> list(contiguous(["a", "b", "d"], ["a", "b", "c", "d"], at_most=25))
    [('a', 'b'), ('d', 'd')]
    """
    wanted, current = set(keys), list[str]()
    for key in registered:
        if key in wanted:
            current.append(key)
        if current and (key not in wanted or len(current) == at_most):
            yield current[0], current[-1]
            current = []
    if current:
        yield current[0], current[-1]
