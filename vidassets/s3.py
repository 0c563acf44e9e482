"""S3 by boto3: a client with bounded waiting times, plain OSErrors, listings, and files read by ranges.

boto3 finds credentials in the environment, as every AWS tool does. Why boto3: decision 0008.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from vidassets.credentials import credential_in

ATTEMPTS = 3


def s3_client(
    endpoint_url: str | None = None, connect_timeout_s: float = 5.0, read_timeout_s: float = 20.0
) -> Any:  # boto3 builds the client's class at run time
    """Return a boto3 client, safe to share between threads.

    Args:
        endpoint_url: URL of an S3 service other than Amazon's. Without it boto3 reads AWS_ENDPOINT_URL.
        connect_timeout_s: limit for one attempt to connect, and for each block sent.
        read_timeout_s: longest silence of the service in one attempt.

    Raises:
        OSError: the endpoint is not a URL, or contains a credential.
    """
    config = Config(
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        # Only at Amazon is a bucket a host name: other endpoints need it in the path.
        s3={"addressing_style": "path" if endpoint_url else "auto"},
    )
    with s3_errors():
        client = boto3.Session().client("s3", endpoint_url=endpoint_url, config=config)
    if found := credential_in(client.meta.endpoint_url):
        raise PermissionError(
            f"The URL of the S3 endpoint contains {found}, which would be shown and stored. Remove it, and set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    return client


@contextmanager
def s3_errors() -> Iterator[None]:
    """Raise what boto3 raises as an OSError: FileNotFoundError for 404, PermissionError for 401 and 403."""
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        kind = {404: FileNotFoundError, 401: PermissionError, 403: PermissionError}.get(status, OSError)
        raise kind(str(error)) from error
    except (Boto3Error, BotoCoreError, ValueError) as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def split_url(url: str) -> tuple[str, str]:
    """Split an s3:// URL into bucket and key.

    >>> split_url("s3://bucket/videos/a.mp4"), split_url("s3://bucket")
    (('bucket', 'videos/a.mp4'), ('bucket', ''))
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def list_objects(client: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield every object whose key starts with `prefix`, as boto3 describes it, sorted by key; 1,000 per request.

    Raises:
        OSError: see `s3_errors`.
    """
    with s3_errors():
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from page.get("Contents", [])


def find_object(client: Any, bucket: str, key: str) -> dict[str, Any] | None:
    """Return the object of a key as `list_objects` describes it; None if it does not exist.

    Raises:
        OSError: see `s3_errors`.
    """
    # A listing is sorted: the key itself comes before every longer one.
    first = next(list_objects(client, bucket, key), None)
    return first if first is not None and first["Key"] == key else None


class S3File(io.RawIOBase):
    """An object of S3, seekable, read in blocks on demand; the latest blocks are cached.

    A read raises OSError if the object is replaced while it is open.
    """

    def __init__(self, client: Any, bucket: str, key: str, *, block_bytes: int, kept_blocks: int) -> None:
        """Look the object up; nothing is read.

        Raises:
            OSError: see `s3_errors`.
        """
        self._client, self._bucket, self._key, self._at = client, bucket, key, 0
        self._block_bytes = block_bytes
        self._block = lru_cache(kept_blocks)(self._fetch)
        with s3_errors():
            head = client.head_object(Bucket=bucket, Key=key)
        self.size_bytes, self.etag = int(head["ContentLength"]), str(head["ETag"])

    def _fetch(self, index: int) -> bytes:
        first = index * self._block_bytes
        last = min(first + self._block_bytes, self.size_bytes) - 1
        with s3_errors():
            found = self._client.get_object(
                Bucket=self._bucket, Key=self._key, Range=f"bytes={first}-{last}", IfMatch=self.etag
            )
            return found["Body"].read()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the current position, without reading."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size_bytes}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        """Return the current position, in bytes."""
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Read up to `size` bytes, or all that is left."""
        left = self.size_bytes - self._at
        if left <= 0:
            return b""
        end = self._at + (left if size is None or size < 0 else min(size, left))
        # The blocks that overlap [at, end), joined and cut to it.
        first, stop = self._at // self._block_bytes, -(-end // self._block_bytes)
        data = b"".join(self._block(index) for index in range(first, stop))
        data = data[self._at - first * self._block_bytes : end - first * self._block_bytes]
        self._at = end
        return data

    def readall(self) -> bytes:
        """Read all that is left."""
        return self.read()

    def readinto(self, buffer: Any) -> int:
        """Read up to the buffer's length into it."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
