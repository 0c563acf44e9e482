"""Videos behind a URL, such as an S3 prefix; and the opening of any source."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from vidassets.errors import SourceMissing, SourceUnreadable
from vidassets.fingerprints import of_object
from vidassets.remote_files import StorageOptions, filesystem_of, open_url
from vidassets.sources.listed_file import SIDECAR_EXTENSION, ListedFile, is_relevant


def list_url(url: str, options: StorageOptions) -> Iterator[ListedFile]:
    """Yield all relevant files below a URL; for the URL of a file, that file and its sidecar.

    Raises:
        SourceMissing: the bucket does not exist.
        SourceUnreadable: no permission, no connection, or a server that gives no etags.
    """
    with remote_errors(url):
        yield from _list_s3(url, options) if url.startswith("s3://") else _list_fsspec(url, options)


def _list_s3(url: str, options: StorageOptions) -> Iterator[ListedFile]:
    from vidassets.s3 import find_object, list_objects, s3_client, split_url  # boto3 is an extra, and slow to import

    bucket, path = split_url(url.rstrip("/"))
    with closing(s3_client(**options)) as client:
        found = list(list_objects(client, bucket, f"{path}/" if path else ""))
        if not found and path:
            # Not a prefix: an object, perhaps with a sidecar.
            sidecar = str(PurePosixPath(path).with_suffix(SIDECAR_EXTENSION))
            if video := find_object(client, bucket, path):
                found = [video, *filter(None, [find_object(client, bucket, sidecar)])]
            path = path.rpartition("/")[0]
    for entry in found:
        below = entry["Key"].removeprefix(f"{path}/") if path else entry["Key"]
        if not below.endswith("/") and is_relevant(below):
            fingerprint = _fingerprint(url, entry["ETag"], entry["Size"])
            yield ListedFile(below, f"s3://{bucket}/{entry['Key']}", entry["Size"], fingerprint)


def _list_fsspec(url: str, options: StorageOptions) -> Iterator[ListedFile]:
    filesystem, path = filesystem_of(url, options)
    # A web server has no folders: listing the URL of a file would download it, to search it for links.
    is_file = url.startswith("http") and is_relevant(PurePosixPath(path).name)
    found = {path: filesystem.info(path)} if is_file else filesystem.find(path, detail=True)
    if list(found) == [path]:
        sidecar = str(PurePosixPath(path).with_suffix(SIDECAR_EXTENSION))
        found |= {sidecar: filesystem.info(sidecar)} if filesystem.exists(sidecar) else {}
        path = path.rpartition("/")[0]
    for name, info in found.items():
        below = name.removeprefix(f"{path}/")
        if info["type"] == "file" and is_relevant(below):
            fingerprint = _fingerprint(url, info.get("ETag") or info.get("etag"), info["size"])
            yield ListedFile(below, filesystem.unstrip_protocol(name), info["size"], fingerprint)


def _fingerprint(url: str, etag: str | None, size_bytes: Any) -> str:
    if not etag:
        raise SourceUnreadable(
            f"{url}: the server gives no etag, so a replaced video could not be detected. Serve it from S3, or copy it."
        )
    return of_object(etag, size_bytes)


@contextmanager
def open_source(uri: str, options: StorageOptions) -> Iterator[BinaryIO]:
    """Open a source or a sidecar for reading; `options` are those of the file system that holds it."""
    with remote_errors(uri):
        if "://" not in uri:
            with Path(uri).open("rb") as file:
                yield file
        else:
            with open_url(uri, options) as file:
                yield file


@contextmanager
def remote_errors(uri: str) -> Iterator[None]:
    """Raise the errors of file systems as errors of a source."""
    try:
        yield
    except FileNotFoundError as error:
        fix = str(error) if "s3://" in uri else "Check the address and the path."
        raise SourceMissing(f"{uri}: nothing is there. {fix}") from error
    except (OSError, ValueError, ImportError) as error:
        if "s3://" in uri and isinstance(error, OSError):  # the message has the endpoint and how to fix it
            raise SourceUnreadable(f"{uri}: {error}") from error
        raise SourceUnreadable(
            f"{uri}: {type(error).__name__}: {error}. Check the address, the permission to read it, and for S3 "
            "`pip install 'vidassets[s3]'`, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the endpoint."
        ) from error
