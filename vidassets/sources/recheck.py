"""A second look at videos that were found before: still there, replaced, or gone."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from vidassets.errors import SourceMissing, SourceUnreadable
from vidassets.sources.find import find_videos
from vidassets.sources.source import Source


def recheck_sources(sources: Iterable[Source]) -> dict[str, Source | None]:
    """Each source as it is now, by key; None for one that is gone.

    A source that cannot be looked at just now (permission, connection) is given as it was: whoever reads it will tell.
    The members of a tar are looked at together.
    """
    by_place: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        by_place[_place(source.uri)].append(source)
    now: dict[str, Source | None] = {}
    for place, known in by_place.items():
        try:
            found = find_videos(place, known[0].kind)
        except SourceMissing:
            now |= dict.fromkeys((source.key for source in known), None)
            continue
        except SourceUnreadable:
            now |= {source.key: source for source in known}
            continue
        there = {source.uri: source for source in found.sources}
        refused = {one.uri: one.error for one in found.refused}
        for source in known:
            if source.uri in there:
                now[source.key] = replace(there[source.uri], key=source.key, kind=source.kind)
            else:
                unreadable = not isinstance(refused.get(source.uri, SourceMissing()), SourceMissing)
                now[source.key] = source if unreadable else None
    return now


def _place(uri: str) -> str:
    """The tar of a member; any other uri as it is."""
    return uri.rpartition("::")[2].removeprefix("file://") if uri.startswith("tar://") else uri
