"""What a video's bytes are, in one short string: a replaced file differs, a moved one does not."""

import hashlib

import fsspec

from vidassets.errors import SourceUnreadable
from vidassets.media.opening import StorageOptions, is_remote, open_bytes

CHUNK_BYTES = 1 << 20


def content_hash(uri: str, storage_options: StorageOptions | None = None) -> str:
    """``sha256:<hex>`` of a local file's bytes; ``etag:<tag>`` of a remote object, which is not read for it.

    Raises:
        SourceMissing, SourceUnreadable: see `open_bytes`; also where a remote store tells no etag.
    """
    with open_bytes(uri, storage_options) as file:
        if is_remote(uri):
            return f"etag:{_etag(uri, storage_options)}"
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def _etag(uri: str, storage_options: StorageOptions | None) -> str:
    filesystem, path = fsspec.url_to_fs(uri, **dict(storage_options or {}))
    filesystem.invalidate_cache()
    info = filesystem.info(path)
    for name in ("ETag", "etag", "sha256", "md5"):
        if info.get(name):
            return str(info[name]).strip('"')
    raise SourceUnreadable(f"{uri}: its store tells no etag, so a changed file would go unseen. Use a local copy.")
