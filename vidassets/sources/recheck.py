"""Check whether videos that were found before are unchanged, replaced or gone."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from vidassets.errors import SourceMissing, SourceUnreadable
from vidassets.fingerprints import current_fingerprint, is_member_of
from vidassets.remote_files import holder_of
from vidassets.sources.find import find_videos
from vidassets.sources.source import Source


def recheck_sources(sources: Iterable[Source]) -> dict[str, Source | None]:
    """Return each source as it is now, by key; None if it is gone.

    A source that cannot be checked now (permission, connection) is returned unchanged; reading it will raise the
    error. The members of a tar are checked together.
    """
    by_place: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        by_place[_place(source.uri)].append(source)
    now: dict[str, Source | None] = {}
    for place, known in by_place.items():
        if _is_same_tar(place, known):
            now |= {source.key: source for source in known}
            continue
        try:
            found = find_videos(place, known[0].kind)
        except SourceMissing:
            now |= dict.fromkeys((source.key for source in known), None)
            continue
        except SourceUnreadable:
            now |= {source.key: source for source in known}
            continue
        found_by_uri = {source.uri: source for source in found.sources}
        errors = {refused.uri: refused.error for refused in found.refused}
        for source in known:
            if source.uri in found_by_uri:
                now[source.key] = replace(found_by_uri[source.uri], key=source.key, kind=source.kind)
            else:
                unreadable = not isinstance(errors.get(source.uri, SourceMissing()), SourceMissing)
                now[source.key] = source if unreadable else None
    return now


def _is_same_tar(place: str, known: list[Source]) -> bool:
    """Return whether these are members of a tar that was not replaced. Its headers need not be read again then."""
    if not known[0].uri.startswith("tar://"):
        return False
    try:
        tar = current_fingerprint(place)
    except (OSError, ValueError, ImportError):
        return False  # listing it below finds out why
    return all(is_member_of(tar, source.fingerprint) for source in known)


def _place(uri: str) -> str:
    """Return the tar of a member; any other uri unchanged."""
    return holder_of(uri).removeprefix("file://") if uri.startswith("tar://") else uri
