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

from vidassets.credentials import credential_in, without_credentials

# boto3 repeats a request after an error of the service (500, 503, SlowDown), a timeout or a broken connection, after
# waits of up to 1, 2, 4 and 8 seconds, and waits longer when many requests fail.
ATTEMPTS = 5
_OVERLOADED = (
    f"The service asked for fewer requests in each of {ATTEMPTS} attempts: run again later, or run less at once."
)
_FAILED = f"The service failed in each of {ATTEMPTS} attempts: run again later. If it lasts, look at its own logs."
_CREDENTIALS = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS profile."
_DENIED = (
    "These credentials may not do this. " + _CREDENTIALS + " They need s3:ListBucket on the bucket, and s3:GetObject, "
    "s3:PutObject and s3:DeleteObject on its objects."
)
_EXPIRED = "The credentials have expired: sign in again (`aws sso login`), or export a new AWS_SESSION_TOKEN."
_REGION = "The bucket is in another region: set AWS_DEFAULT_REGION to the region that the message names."
_ADDRESS = "Check the address of the endpoint (AWS_ENDPOINT_URL, or endpoint_url of the store) and the network."
# How to fix an error, by the code of the service or the name of boto3's exception. HEAD answers with a status only.
FIXES = {
    "NoSuchBucket": "Check that the bucket exists at this endpoint, and its name.",
    **dict.fromkeys(("AccessDenied", "AllAccessDisabled", "401", "403"), _DENIED),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), _EXPIRED),
    **dict.fromkeys(("TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError"), _EXPIRED),
    **dict.fromkeys(
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId"), _CREDENTIALS
    ),
    **dict.fromkeys(("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"), _CREDENTIALS),
    "400": "The credentials may have expired or be of another service. " + _CREDENTIALS,
    **dict.fromkeys(("NoSuchKey", "404"), "Check the bucket and the key."),
    "RequestTimeTooSkewed": "The clock of this machine is wrong: set it.",
    **dict.fromkeys(("SlowDown", "ServiceUnavailable", "Throttling", "TooManyRequests", "429", "503"), _OVERLOADED),
    **dict.fromkeys(("InternalError", "InternalServerError", "500", "502", "504"), _FAILED),
    **dict.fromkeys(
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "301", "IllegalLocationConstraintException"), _REGION
    ),
    **dict.fromkeys(("EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError", "SSLError"), _ADDRESS),
    **dict.fromkeys(
        ("ReadTimeoutError", "ProxyConnectionError", "ValueError", "InvalidEndpointConfigurationError"), _ADDRESS
    ),
    **dict.fromkeys(("501", "NotImplemented"), "The service does not know this request: use a newer version of it."),
}


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
    with s3_errors(endpoint_url):
        session = boto3.Session()
        client = session.client("s3", endpoint_url=endpoint_url, config=config)
        if not endpoint_url and ".amazonaws.com" not in client.meta.endpoint_url:
            # The environment or a configuration file names the endpoint.
            config = config.merge(Config(s3={"addressing_style": "path"}))
            client = session.client("s3", config=config)  # cheap: the session has read the models of the service
    if found := credential_in(client.meta.endpoint_url):
        raise PermissionError(
            f"The URL of the S3 endpoint contains {found}, which would be shown and stored. Remove it, and set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    return client


@contextmanager
def s3_errors(endpoint: str | None = None) -> Iterator[None]:
    """Raise what boto3 raises as an OSError: FileNotFoundError for 404, PermissionError for 401 and 403.

    The message has the action, the endpoint, what the service says, and how to fix it.
    """
    shown = without_credentials(endpoint or "Amazon S3")
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        kind = {404: FileNotFoundError, 401: PermissionError, 403: PermissionError}.get(status, OSError)
        said = error.response.get("Error", {})
        code = str(said.get("Code") or status)
        fix = FIXES.get(code) or FIXES.get(str(status), f"{_ADDRESS} {_CREDENTIALS}")
        message = f": {said['Message']}" if said.get("Message") else ""
        raise kind(f"{error.operation_name} failed with {code}{message} (endpoint: {shown}). {fix}") from error
    except (Boto3Error, BotoCoreError, ValueError) as error:
        fix = FIXES.get(type(error).__name__, f"{_ADDRESS} {_CREDENTIALS}")
        problem = without_credentials(str(error)).rstrip(".")
        raise OSError(f"{type(error).__name__}: {problem} (endpoint: {shown}). {fix}") from error


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
    with s3_errors(client.meta.endpoint_url):
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
        with s3_errors(client.meta.endpoint_url):
            head = client.head_object(Bucket=bucket, Key=key)
        self.size_bytes, self.etag = int(head["ContentLength"]), str(head["ETag"])

    def _fetch(self, index: int) -> bytes:
        first = index * self._block_bytes
        last = min(first + self._block_bytes, self.size_bytes) - 1
        with s3_errors(self._client.meta.endpoint_url):
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
