"""A short string that identifies a video's content: it changes when the file is replaced, not when it is moved."""

import hashlib

from vidassets.errors import SourceUnreadable
from vidassets.media.opening import is_remote, open_bytes
from vidassets.remote_files import StorageOptions, url_etag

CHUNK_BYTES = 1 << 20


def content_hash(uri: str, storage_options: StorageOptions | None = None) -> str:
    """Return ``sha256:<hex>`` of a local file's bytes, or ``etag:<tag>`` of a remote object, without reading it.

    Raises:
        SourceMissing, SourceUnreadable: see `open_bytes`; also SourceUnreadable if the remote store gives no etag.
    """
    with open_bytes(uri, storage_options) as file:
        if is_remote(uri):
            return f"etag:{_etag(uri, storage_options)}"
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def _etag(uri: str, storage_options: StorageOptions | None) -> str:
    if found := url_etag(uri, storage_options):
        return found
    raise SourceUnreadable(
        f"{uri}: the server gives no etag, so a replaced file could not be detected. Use a local copy."
    )
