"""Videos behind a URL that fsspec lists, such as an S3 prefix; and the opening of any source."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.core import url_to_fs

from vidassets.errors import SourceMissing, SourceUnreadable
from vidassets.sources.listed_file import SIDECAR_EXTENSION, ListedFile, is_relevant


def list_url(url: str, options: dict[str, Any]) -> Iterator[ListedFile]:
    """All files that matter below a URL, or the one it names and its sidecar; pages are followed to the end.

    Raises:
        SourceMissing: the bucket is not there.
        SourceUnreadable: no permission, no connection.
    """
    with remote_errors(url):
        fs, path = url_to_fs(url, **options)
        # The client retries by itself: a second layer would multiply the time until an error shows.
        fs.retries = 1
        found = fs.find(path, detail=True)
        if list(found) == [path]:
            sidecar = str(PurePosixPath(path).with_suffix(SIDECAR_EXTENSION))
            found |= {sidecar: fs.info(sidecar)} if fs.exists(sidecar) else {}
            path = path.rpartition("/")[0]
    for name, info in found.items():
        below = name.removeprefix(f"{path}/")
        if info["type"] == "file" and is_relevant(below):
            yield ListedFile(below, fs.unstrip_protocol(name), info["size"], _fingerprint(url, info))


def _fingerprint(url: str, info: dict[str, Any]) -> str:
    etag = info.get("ETag") or info.get("etag")
    if not etag:
        raise SourceUnreadable(f"{url}: tells no etag, so a replaced video would not show. Serve it by S3, or copy it.")
    return f"etag:{etag.strip(chr(34))}-{info['size']}"


@contextmanager
def open_source(uri: str, options: dict[str, Any]) -> Iterator[BinaryIO]:
    """The bytes of a source or a sidecar, seekable; ``options`` are those of the file system that holds them."""
    if "://" not in uri:
        with remote_errors(uri), Path(uri).open("rb") as file:
            yield file
        return
    protocol = uri.rpartition("::")[2].partition("://")[0]
    # In a chained URL the options of each link go by its protocol.
    chosen: dict[str, Any] = {} if protocol == "file" else {protocol: options} if "::" in uri else options
    with remote_errors(uri), fsspec.open(uri, mode="rb", **chosen) as opened:
        yield cast(BinaryIO, opened)


@contextmanager
def remote_errors(uri: str) -> Iterator[None]:
    """What fsspec and S3's client raise, as errors of a source."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceMissing(f"{uri}: nothing is there. Check bucket, path and endpoint.") from error
    except (OSError, ValueError, ImportError, *_client_errors(uri)) as error:
        raise SourceUnreadable(
            f"{uri}: {type(error).__name__}: {error}. Check the address, the permission to read it, and for S3 "
            "`pip install 'vidassets[s3]'`, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the endpoint."
        ) from error


def _client_errors(uri: str) -> tuple[type[Exception], ...]:
    if "s3://" not in uri:
        return ()
    from botocore.exceptions import BotoCoreError

    return (BotoCoreError,)
