"""Whole objects by name, below a prefix of an S3 bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botocore.exceptions import BotoCoreError
from s3fs import S3FileSystem

from vidassets.errors import StoreError, StoreUnreachable
from vidassets.s3 import ATTEMPTS, s3_options
from vidassets.storage.place import ObjectStat

# Chosen here: below any line worth working over.
SLOWEST_UPLOAD_BYTES_PER_S = 50_000


class _RetriedOnce(S3FileSystem):
    # botocore retries already; a second layer would multiply the time until an error shows.
    retries = 1


class Bucket:
    """A `Place` in an S3 bucket: one PUT an object, or one multipart upload completed at once.

    Credentials come from the environment, as boto finds them, never from an argument.
    """

    def __init__(
        self, url: str, endpoint_url: str | None = None, connect_timeout_s: float = 5.0, read_timeout_s: float = 20.0
    ):
        self.bucket, _, prefix = url.removeprefix("s3://").strip("/").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint_url = endpoint_url
        self._timeouts_s = (connect_timeout_s, read_timeout_s)
        if not self.bucket:
            raise StoreUnreachable(f"{url}: no bucket in it. A store on S3 is s3://BUCKET or s3://BUCKET/PREFIX.")

    def uri(self, name: str) -> str:
        """The object's s3:// URL."""
        return f"s3://{self.bucket}/{self._prefix}{name}"

    @contextmanager
    def staged(self, name: str) -> Iterator[Path]:
        """A path in a temporary folder, uploaded at the end."""
        with TemporaryDirectory(prefix="vidassets-") as folder:
            path = Path(folder, Path(name).name)
            yield path
            if not path.is_file():
                raise StoreError(f"{self.uri(name)}: the writer left no file at {path}. Write to the path given.")
            with self._explained(self.uri(name)):
                self._fs.put_file(str(path), self.uri(name), timeout=self._deadline_s(path.stat().st_size))

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """A downloaded copy, gone afterwards."""
        with TemporaryDirectory(prefix="vidassets-") as folder:
            path = Path(folder, Path(name).name)
            with self._reading(name):
                # One GET: parts fetched side by side could come from two versions of the object.
                self._fs.get_file(self.uri(name), str(path), max_concurrency=1)
            yield path

    def write(self, name: str, data: bytes) -> None:
        """Make or replace an object."""
        with self._explained(self.uri(name)):
            self._fs.pipe_file(self.uri(name), data, timeout=self._deadline_s(len(data)))

    def read(self, name: str) -> bytes:
        """All bytes of an object."""
        with self._reading(name):
            data: Any = self._fs.cat_file(self.uri(name))
        return data

    def stat(self, name: str) -> ObjectStat:
        """Size and etag of an object."""
        with self._reading(name):
            head = self._call("head_object", Key=self._prefix + name)
        return ObjectStat(head["ContentLength"], f"etag:{head['ETag'].strip(chr(34))}", head["LastModified"])

    def names(self, prefix: str) -> list[str]:
        """Names of all objects that begin with a prefix, sorted; a thousand a request."""
        found: list[str] = []
        with self._explained(self.uri(prefix)):
            more: dict[str, str] = {}
            while True:
                page = self._call("list_objects_v2", Prefix=self._prefix + prefix, **more)
                found += [entry["Key"].removeprefix(self._prefix) for entry in page.get("Contents", [])]
                if not page["IsTruncated"]:
                    return sorted(found)
                more = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, name: str) -> None:
        """Take an object away."""
        with self._explained(self.uri(name)):
            self._call("delete_object", Key=self._prefix + name)

    def sweep(self, older_than_s: float) -> int:
        """Abort multipart uploads begun so long ago: they show in no listing and cost money."""
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        with self._explained(self.uri("")):
            uploads = self._call("list_multipart_uploads", Prefix=self._prefix).get("Uploads", [])
            stale = [upload for upload in uploads if upload["Initiated"] <= before]
            for upload in stale:
                self._call("abort_multipart_upload", Key=upload["Key"], UploadId=upload["UploadId"])
        return len(stale)

    @cached_property
    def _fs(self) -> S3FileSystem:
        return _RetriedOnce(**s3_options(self._endpoint_url, *self._timeouts_s))

    def _deadline_s(self, size_bytes: int) -> float:
        # A server that takes no bytes trips no timeout of the client: an upload needs an end of its own.
        return ATTEMPTS * sum(self._timeouts_s) + size_bytes / SLOWEST_UPLOAD_BYTES_PER_S

    def _call(self, method: str, **arguments: Any) -> Any:
        return self._fs.call_s3(method, Bucket=self.bucket, **arguments)

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        with self._explained(self.uri(name)):
            try:
                yield
                return
            except FileNotFoundError:
                # A missing bucket and a missing object look alike here; a listing tells them apart.
                self._call("list_objects_v2", Prefix=self._prefix, MaxKeys=1)
        raise FileNotFoundError(self.uri(name))

    @contextmanager
    def _explained(self, uri: str) -> Iterator[None]:
        try:
            yield
        except (OSError, BotoCoreError, ValueError) as error:
            at = self._endpoint_url or "Amazon S3"
            raise StoreUnreachable(
                f"{uri}: {type(error).__name__}: {error} (endpoint: {at}). Check that the bucket exists there, the "
                "endpoint's address, and that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY may list, read and write it."
            ) from error
