"""What the event log knows of clips: latest materialisations, and the tags that record where an artifact comes from.

Dagster writes these tags itself for a run of one partition. A batch writes them clip by clip, so that staleness,
code versions and automation see no difference; `test_step.py` checks that both are equal.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import dagster as dg

from vidassets.graph.dagster_internals import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    DagsterEventType,
    compute_logical_data_version,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

RECORDS_PER_QUERY = 500  # below the 999 variables that old SQLite builds allow in one statement
MANY_CLIPS = 500  # for more, ids of all partitions are asked for: 32,766 names are too many for SQLite's default build


@dataclass(frozen=True)
class Made:
    """One materialisation in the event log: of one clip's artifact, or of one over all clips (`clip` is None)."""

    clip: str | None
    run_id: str
    storage_id: int
    timestamp: float
    tags: Mapping[str, str] = field(repr=False)
    metadata: Mapping[str, dg.MetadataValue] = field(repr=False)

    @property
    def data_version(self) -> str:
        """The data version, or Dagster's placeholder for none."""
        return self.tags.get(DATA_VERSION_TAG, DEFAULT_DATA_VERSION.value)

    @property
    def code_version(self) -> str | None:
        """The version of the code and settings that made it."""
        return self.tags.get(CODE_VERSION_TAG)

    def input_version(self, asset: dg.AssetKey) -> str | None:
        """Return the data version of `asset` that this was made from."""
        return self.tags.get(get_input_data_version_tag(asset))


def latest_ids(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    clips: Collection[str],
    event_type: DagsterEventType = DagsterEventType.ASSET_MATERIALIZATION,
) -> dict[str, int]:
    """Return the storage id of the latest event of a type, for each of these clips that has one; one query."""
    if not clips:
        return {}
    named = set(clips) if len(clips) <= MANY_CLIPS else None
    found = instance.event_log_storage.get_latest_storage_id_by_partition(asset, event_type, named)
    return {clip: found[clip] for clip in clips if clip in found}


def latest(instance: dg.DagsterInstance, asset: dg.AssetKey, clips: Collection[str]) -> dict[str, Made]:
    """Return the latest materialisation of each clip that has one; two queries for every 500 clips."""
    wanted, made = sorted(latest_ids(instance, asset, clips).values()), dict[str, Made]()
    for start in range(0, len(wanted), RECORDS_PER_QUERY):
        chunk = wanted[start : start + RECORDS_PER_QUERY]
        records = instance.fetch_materializations(dg.AssetRecordsFilter(asset, storage_ids=chunk), limit=len(chunk))
        for record in records.records:
            event = record.asset_materialization
            if event is not None and record.partition_key is not None:
                made[record.partition_key] = made_from(record, event)
    return made


def latest_complete(
    instance: dg.DagsterInstance, assets: Sequence[dg.AssetKey], clips: Collection[str]
) -> dict[str, Made]:
    """Return the latest materialisation of the first asset for each clip whose companions were recorded after it.

    A process that is killed between the events of one call leaves a clip without its last companion; such a clip
    does not count as made.

    Args:
        assets: what one call makes, in the order of recording.
        clips: keys.
    """
    made = latest(instance, assets[0], clips)
    if len(assets) == 1:
        return made
    last = latest_ids(instance, assets[-1], made)
    return {clip: record for clip, record in made.items() if last.get(clip, 0) > record.storage_id}


def latest_observation(instance: dg.DagsterInstance, asset: dg.AssetKey, clip: str | None) -> Made | None:
    """Return the latest observation of an asset, at a clip or over all clips, in the form of a materialisation."""
    found = instance.fetch_observations(dg.AssetRecordsFilter(asset, [clip] if clip else None), limit=1).records
    event = found[0].asset_observation if found else None
    return made_from(found[0], event) if event else None


def latest_whole(instance: dg.DagsterInstance, asset: dg.AssetKey) -> Made | None:
    """Return the latest materialisation of an asset over all clips."""
    records = instance.fetch_materializations(asset, limit=1).records
    event = records[0].asset_materialization if records else None
    return made_from(records[0], event) if event else None


def made_from(record: dg.EventLogRecord, event: dg.AssetMaterialization | dg.AssetObservation) -> Made:
    """Return what an event records of one materialisation."""
    return Made(
        record.partition_key, record.run_id, record.storage_id, record.timestamp, event.tags or {}, event.metadata
    )


def input_version(parent: Made | None) -> str:
    """Return the data version of a parent, in the form in which Dagster records it as an input.

    For a parent with partitions Dagster joins the versions of all partitions that an input maps to, and hashes them;
    here there is one to join.
    """
    if parent is None:
        return DEFAULT_DATA_VERSION.value
    return parent.data_version if parent.clip is None else sha256(parent.data_version.encode()).hexdigest()


def provenance(
    code_version: str, parents: Mapping[dg.AssetKey, Made | None], data_version: str | None = None
) -> dict[str, str]:
    """Return the tags of one clip's materialisation: code version, inputs, data version.

    Args:
        code_version: of the asset.
        parents: each asset that it depends on, with what is recorded of the same clip.
        data_version: set by the asset itself; without it, Dagster's own function of code and inputs.
    """
    inputs = {key: dg.DataVersion(input_version(made)) for key, made in parents.items()}
    tags = {CODE_VERSION_TAG: code_version}
    for key, made in parents.items():
        tags[get_input_data_version_tag(key)] = inputs[key].value
        tags[get_input_event_pointer_tag(key)] = str(made.storage_id) if made else NULL_EVENT_POINTER
    if data_version is not None:
        return tags | {DATA_VERSION_TAG: data_version, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}
    return tags | {DATA_VERSION_TAG: compute_logical_data_version(code_version, inputs).value}
