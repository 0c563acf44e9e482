"""Files that are still being copied or recorded: they are registered once they have not changed for a while."""

import time
from contextlib import suppress
from dataclasses import replace

from vidassets.errors import SourceUnreadable
from vidassets.fingerprints import current_fingerprint
from vidassets.remote_files import holder_of
from vidassets.sources.find import Found
from vidassets.sources.source import Refused

# Chosen here: programs that copy or record write at least once a second.
QUIET_S = 2.0


def without_unsettled(found: Found) -> Found:
    """Return the videos that are complete; refuse those that are being written.

    If a local file changed within the last `QUIET_S`, wait until it is that old and look again, once for all files.
    Objects of a remote store appear when they are complete.
    """
    files = {source.uri: holder_of(source.uri) for source in found.sources}
    before = {uri: now for uri in set(files.values()) if (now := _fingerprint(uri)) and now.startswith("mtime_ns:")}
    last_s = max((_changed_s(fingerprint) for fingerprint in before.values()), default=0.0)
    wait_s = min(QUIET_S, last_s + QUIET_S - time.time())
    if wait_s <= 0:
        return found
    time.sleep(wait_s)
    written = {uri for uri, fingerprint in before.items() if _fingerprint(uri) != fingerprint}
    refused = [
        Refused(
            source.uri,
            SourceUnreadable(f"{source.uri}: is still being written. It can be added once it is complete."),
        )
        for source in found.sources
        if files[source.uri] in written
    ]
    return replace(
        found,
        sources=[source for source in found.sources if files[source.uri] not in written],
        refused=sorted([*found.refused, *refused], key=lambda refusal: refusal.uri),
    )


def _fingerprint(uri: str) -> str | None:
    if "://" in uri and not uri.startswith("file://"):
        return None
    with suppress(OSError):
        return current_fingerprint(uri)
    return None


def _changed_s(fingerprint: str) -> float:
    return int(fingerprint.removeprefix("mtime_ns:").rpartition("-")[0]) / 1e9
