"""What identifies a video: a hash of its content, and a fingerprint that is known without reading it."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from vidassets.errors import SourceChanged, SourceMissing, SourceUnreadable, VidassetsError
from vidassets.fingerprints import current_fingerprint
from vidassets.media.opening import is_remote, local_path, open_bytes, remote_failure
from vidassets.remote_files import StorageOptions, holder_of

CHUNK_BYTES = 1 << 20
# File systems note modification times in steps, on Linux of at most 10 ms: a change within the step of an earlier one
# leaves no trace.
CLOCK_STEP_S = 0.02


def content_hash(uri: str, storage_options: StorageOptions | None = None) -> str:
    """Return a text that changes when the content is replaced, not when the file is moved.

    ``sha256:<hex>`` of the bytes of a local file, or of a member of a local tar. ``etag:<tag>`` of a remote object,
    without reading it. ``etag:<tag>@<offset>-<size>`` of a member of a remote tar: replacing the tar changes all.

    Raises:
        SourceMissing, SourceUnreadable: see `open_bytes`; also SourceUnreadable if the remote store gives no etag.
    """
    holder = holder_of(uri)
    if is_remote(holder):
        found = fingerprint(uri, storage_options)
        # The size adds nothing to an etag, except in the place of a member.
        return found if holder != uri else found.rpartition("-")[0]
    digest = hashlib.sha256()
    with open_bytes(uri, storage_options) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def fingerprint(uri: str, storage_options: StorageOptions | None = None, known: str | None = None) -> str:
    """Return the fingerprint of a file as it is now, see `fingerprints.current_fingerprint`.

    Raises:
        SourceMissing, SourceUnreadable: see `open_bytes`; also SourceUnreadable if the remote store gives no etag.
    """
    if not is_remote(uri):
        local_path(uri)
    try:
        return current_fingerprint(uri, storage_options, known)
    except Exception as error:
        raise remote_failure(uri, error) from error


@contextmanager
def unchanging(uri: str, storage_options: StorageOptions | None = None, known: str | None = None) -> Iterator[str]:
    """Yield a file's fingerprint, and check when the block ends that the file is still the same.

    Args:
        uri, storage_options: as for `open_bytes`.
        known: an earlier fingerprint of the file, see `fingerprints.current_fingerprint`.

    Raises:
        SourceChanged: the file was replaced or written to inside the block; also in place of the error that the block
            raised, which may come from reading parts of two contents.
        SourceMissing, SourceUnreadable: see `open_bytes`.
    """
    before = _state(uri, storage_options, known)
    if before.changed_s is not None and 0 <= time.time() - before.changed_s < CLOCK_STEP_S:
        time.sleep(CLOCK_STEP_S)
        if _state(uri, storage_options, before.fingerprint) != before:
            raise _changed(uri)
    try:
        yield before.fingerprint
    except VidassetsError as error:
        with suppress(SourceMissing, SourceUnreadable):
            if _state(uri, storage_options, before.fingerprint) != before:
                raise _changed(uri) from error
        raise
    if _state(uri, storage_options, before.fingerprint) != before:
        raise _changed(uri)


@dataclass(frozen=True)
class _State:
    """A file's fingerprint; of a local file also its inode and the time of its last change."""

    fingerprint: str
    inode: int | None = None
    changed_s: float | None = None


def _state(uri: str, storage_options: StorageOptions | None, known: str | None) -> _State:
    found = fingerprint(uri, storage_options, known)
    holder = holder_of(uri)
    if is_remote(holder):
        return _State(found)
    status = local_path(holder).stat()
    return _State(found, status.st_ino, status.st_mtime)


def _changed(uri: str) -> SourceChanged:
    return SourceChanged(
        f"{uri}: was replaced or written to while it was read. Run again once it is complete: `vidassets run`."
    )
