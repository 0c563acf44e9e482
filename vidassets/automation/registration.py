"""Register videos as partitions; notice replaced and moved files; refuse two videos with the same key."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import dagster as dg

from vidassets.assets.sources.source_video import SOURCE_VIDEO
from vidassets.errors import ArtifactMissing, SourceError
from vidassets.graph.dagster_internals import DATA_VERSION_IS_USER_PROVIDED_TAG, DATA_VERSION_TAG
from vidassets.graph.lineage import latest
from vidassets.graph.partitions import SETS_OF_KIND, clips, set_names
from vidassets.graph.settings import digest
from vidassets.keys import is_key
from vidassets.sources.recheck import recheck_sources
from vidassets.sources.source import Source
from vidassets.storage.store import ArtifactStore

# Chosen here: a transaction for each key would be slow, and an interrupted registration keeps what was done before.
VIDEOS_AT_ONCE = 100


@dataclass
class Registration:
    """The outcome of registering.

    Attributes:
        added, replaced, moved, unchanged: keys, by what was done with them.
        refused: the reason, by the uri of the video.
        sidecars: what is wrong with a sidecar, by its uri. Its video is registered.
        kind_changed: the old and the new kind, by key.
    """

    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    sidecars: dict[str, str] = field(default_factory=dict)
    kind_changed: dict[str, tuple[str, str]] = field(default_factory=dict)


def register(instance: dg.DagsterInstance, store: ArtifactStore, found: Iterable[Source]) -> Registration:
    """Make every video a partition of the sets of its kind, and record where it is stored.

    Registering again changes nothing; a replaced or moved file is recorded again. A video is refused if its key belongs
    to another one that still exists. The locations are written first, then the partitions, then the events, so that a
    later registration completes one that was interrupted.
    """
    result, found = Registration(), list(found)
    registered = {name: set(instance.get_dynamic_partitions(name)) for name in _all_set_names()}
    recorded = latest(instance, dg.AssetKey(SOURCE_VIDEO.name), [source.key for source in found])
    for first in range(0, len(found), VIDEOS_AT_ONCE):
        changed: list[Source] = []
        for source in found[first : first + VIDEOS_AT_ONCE]:
            old = read_source(store, source.key)
            if old is not None and old.uri != source.uri and recheck_sources([old])[old.key] is not None:
                result.refused[source.uri] = (
                    f"{source.uri} and {old.uri} would both have the key {source.key}. "
                    f"Rename one, or remove the other first: `vidassets remove {source.key}`."
                )
                continue
            known = all(source.key in registered[name] for name in set_names(source.kind)) and source.key in recorded
            if old == source and known and recorded[source.key].data_version == data_version(source):
                result.unchanged.append(source.key)
                continue
            store.write_bytes(SOURCE_VIDEO.name, source.key, SOURCE_VIDEO.extension, source.to_json().encode())
            changed.append(source)
            if old is not None and old.kind != source.kind:
                result.kind_changed[source.key] = old.kind, source.kind
            if old is None or not known:
                result.added.append(source.key)
            elif old.uri != source.uri and old.fingerprint == source.fingerprint:
                result.moved.append(source.key)
            else:
                result.replaced.append(source.key)
        for name, keys in registered.items():
            _set_partitions(instance, name, keys, changed)
        for source in changed:
            _record(instance, source)
    return result


def _set_partitions(instance: dg.DagsterInstance, name: str, keys: set[str], changed: list[Source]) -> None:
    """Add the videos that belong to a partition set, and remove those that no longer do; `keys` are those in it."""
    new = [source.key for source in changed if name in set_names(source.kind) and source.key not in keys]
    if new:
        instance.add_dynamic_partitions(name, new)
        keys.update(new)
    for source in changed:
        if name not in set_names(source.kind) and source.key in keys:
            instance.delete_dynamic_partition(name, source.key)
            keys.discard(source.key)


def refresh(instance: dg.DagsterInstance, store: ArtifactStore) -> dict[str, str]:
    """Look at every registered video again, record those that were replaced, and return key → uri of missing ones."""
    known = {source.key: source for source in registered_sources(instance, store)}
    now = recheck_sources(known.values())
    register(instance, store, (source for source in now.values() if source is not None))
    return {key: known[key].uri for key, source in now.items() if source is None}


def _record(instance: dg.DagsterInstance, source: Source) -> None:
    tags = {DATA_VERSION_TAG: data_version(source), DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}
    metadata = {"uri": source.uri, "kind": source.kind, "size_bytes": source.size_bytes}
    instance.report_runless_asset_event(
        dg.AssetMaterialization(SOURCE_VIDEO.name, partition=source.key, tags=tags, metadata=metadata)
    )


def data_version(source: Source) -> str:
    """Return a digest that changes when the file, its location, its kind or its sidecar changes."""
    return digest(source.to_json())


def read_source(store: ArtifactStore, key: str) -> Source | None:
    """Return the source of a registered clip; None if the key is not registered.

    Also None if the record is damaged. `raw_clip` then fails for this clip alone; adding the video again repairs it.
    """
    try:
        return Source.from_json(store.read_bytes(SOURCE_VIDEO.name, key, SOURCE_VIDEO.extension).decode())
    except (ArtifactMissing, SourceError, UnicodeDecodeError):
        return None


def registered_sources(instance: dg.DagsterInstance, store: ArtifactStore) -> Iterator[Source]:
    """Yield the source of every registered clip, in the order of registration."""
    for key in instance.get_dynamic_partitions(str(clips.name)):
        if (source := read_source(store, key)) is not None:
            yield source


def registered_keys(instance: dg.DagsterInstance) -> list[str]:
    """Return every key, in the order of registration; last, those that only the set of one kind has.

    `register` adds a key to the set of all clips as well; someone who adds a partition in the Dagster UI may not.
    """
    sets = (str(clips.name), *sorted(_all_set_names() - {str(clips.name)}))
    return list(dict.fromkeys(key for name in sets for key in instance.get_dynamic_partitions(name)))


def unregister(instance: dg.DagsterInstance, store: ArtifactStore, key: str) -> None:
    """Remove a key from every partition set. Its artifacts and their records are kept."""
    for name in _all_set_names():
        if instance.has_dynamic_partition(name, key):
            instance.delete_dynamic_partition(name, key)
    if is_key(key):
        store.delete(SOURCE_VIDEO.name, key, SOURCE_VIDEO.extension)


def _all_set_names() -> set[str]:
    return {name for kind in SETS_OF_KIND for name in set_names(kind)}
