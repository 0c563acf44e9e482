"""Objects stored below a prefix of an S3 bucket."""

import io
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from vidassets.errors import StoreError, StoreUnreachable
from vidassets.s3 import list_objects, s3_client, s3_errors
from vidassets.storage.disk import writing_explained
from vidassets.storage.place import ObjectStat

# A file above this size is uploaded in parts, several at once. S3 takes up to 5 GB in one request. Chosen here.
MULTIPART_BYTES = 100 * 2**20
PART_BYTES = 16 * 2**20
COPY_BYTES = 1 << 20
TEMPORARY = "Files for S3 are written here first; the variable TMPDIR names another folder."
# A conditional write that came too late: the object changed, appeared, vanished, or is being written right now.
LOST_RACES = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409"})
LONGEST_RACE_WAIT_S = 1.0


class Bucket:
    """A `Place` in an S3 bucket. An object is written by one PUT, or by one multipart upload: whole or not at all.

    boto3 reads the credentials from the environment; they are never an argument.
    """

    def __init__(
        self, url: str, endpoint_url: str | None = None, connect_timeout_s: float = 5.0, read_timeout_s: float = 20.0
    ):
        self.bucket, _, prefix = url.removeprefix("s3://").strip("/").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint_url = endpoint_url
        self._timeouts_s = (connect_timeout_s, read_timeout_s)
        if not self.bucket:
            raise StoreUnreachable(f"{url}: the bucket is missing. Give s3://BUCKET or s3://BUCKET/PREFIX.")

    def uri(self, name: str) -> str:
        """Return the object's s3:// URL."""
        return f"s3://{self.bucket}/{self._prefix}{name}"

    @contextmanager
    def staged(self, name: str) -> Iterator[Path]:
        """Yield a path in a temporary folder, and upload the file when the block ends."""
        with TemporaryDirectory(prefix="vidassets-") as folder:
            path = Path(folder, Path(name).name)
            with writing_explained(path, TEMPORARY):
                yield path
            if not path.is_file():
                raise StoreError(f"{self.uri(name)}: the writer left no file at {path}. Write to the path given.")
            transfer = TransferConfig(multipart_threshold=MULTIPART_BYTES, multipart_chunksize=PART_BYTES)
            with self._explained(self.uri(name)), path.open("rb") as file:
                if path.stat().st_size < MULTIPART_BYTES:
                    self._client.put_object(**self._object(name), Body=file)
                else:
                    self._client.upload_fileobj(file, self.bucket, self._prefix + name, Config=transfer)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Yield the path of a downloaded copy, which is removed when the block ends."""
        with TemporaryDirectory(prefix="vidassets-") as folder:
            path = Path(folder, Path(name).name)
            with self._reading(name), writing_explained(path, TEMPORARY), path.open("wb") as file:
                # One GET: parts fetched in parallel could come from two versions of the object.
                for chunk in self._client.get_object(**self._object(name))["Body"].iter_chunks(COPY_BYTES):
                    file.write(chunk)
            yield path

    def write(self, name: str, data: bytes) -> None:
        """Create or replace an object."""
        with self._explained(self.uri(name)):
            # A file object is sent in small blocks, each with the timeout of its own; bytes are sent in one call.
            self._client.put_object(**self._object(name), Body=io.BytesIO(data))

    def update(self, name: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """Replace an object by what `change` returns for its bytes, by conditional writes, until one is in time."""
        _ = self._writes_conditionally
        wait_s = 0.01
        while True:
            found, condition = None, {"IfNoneMatch": "*"}
            try:
                with self._reading(name):
                    stored = self._client.get_object(**self._object(name))
                    found, condition = stored["Body"].read(), {"IfMatch": stored["ETag"]}
            except FileNotFoundError:
                pass
            changed = change(found)
            if changed is None or changed == found or self._put_if(name, changed, condition):
                return
            time.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 (only spreads the retries)
            wait_s = min(2 * wait_s, LONGEST_RACE_WAIT_S)

    @cached_property
    def _writes_conditionally(self) -> bool:
        """Make sure that the service knows conditional writes: one that ignores them would overwrite silently."""
        probe = f".probe-{uuid4().hex}"
        self._put_if(probe, b"", {"IfNoneMatch": "*"})
        overwritten = self._put_if(probe, b"", {"IfNoneMatch": "*"})
        self.delete(probe)
        if overwritten:
            raise StoreUnreachable(
                f"{self.uri('')}: the S3 service ignores conditional writes (If-None-Match), so processes cannot share "
                "a budget in it. Use a newer version of the service, or set budget_usd_dataset to null."
            )
        return True

    def _put_if(self, name: str, data: bytes, condition: dict[str, str]) -> bool:
        """Write an object if the condition holds; return whether it did."""
        with self._explained(self.uri(name)):
            try:
                self._client.put_object(**self._object(name), Body=data, **condition)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in LOST_RACES:
                    raise
                return False
        return True

    def read(self, name: str) -> bytes:
        """Return all bytes of an object."""
        with self._reading(name):
            return self._client.get_object(**self._object(name))["Body"].read()

    def stat(self, name: str) -> ObjectStat:
        """Return size, etag and time of an object."""
        with self._reading(name):
            head = self._client.head_object(**self._object(name))
        return ObjectStat(head["ContentLength"], f"etag:{head['ETag'].strip(chr(34))}", head["LastModified"])

    def names(self, prefix: str) -> list[str]:
        """Return the names of all objects with a prefix, sorted."""
        with self._explained(self.uri(prefix)):
            found = [entry["Key"] for entry in list_objects(self._client, self.bucket, self._prefix + prefix)]
        return sorted(key.removeprefix(self._prefix) for key in found)

    def delete(self, name: str) -> None:
        """Delete an object; a missing one is no error."""
        with self._explained(self.uri(name)):
            self._client.delete_object(**self._object(name))

    def leftovers(self, before: datetime) -> list[str]:
        """Return the keys of unfinished multipart uploads: no listing shows them, and they cost money."""
        with self._explained(self.uri("")):
            return [upload["Key"] for upload in self._stale_uploads(before)]

    def sweep(self, before: datetime) -> int:
        """Abort unfinished multipart uploads, and return their number."""
        with self._explained(self.uri("")):
            stale = self._stale_uploads(before)
            for upload in stale:
                self._abort(upload)
        return len(stale)

    def _stale_uploads(self, before: datetime) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=self._prefix)
        uploads = [upload for page in pages for upload in page.get("Uploads", [])]
        return [upload for upload in uploads if upload["Initiated"] <= before and not self._is_active(upload, before)]

    def _is_active(self, upload: dict[str, Any], before: datetime) -> bool:
        """Return whether a part of the upload arrived after `before`: its writer is still at work."""
        try:
            with s3_errors(self._endpoint):
                pages = self._client.get_paginator("list_parts").paginate(**self._upload(upload))
                return any(part["LastModified"] > before for page in pages for part in page.get("Parts", []))
        except FileNotFoundError:
            # The writer has completed or aborted it since it was listed.
            return True

    def _abort(self, upload: dict[str, Any]) -> None:
        try:
            with s3_errors(self._endpoint):
                self._client.abort_multipart_upload(**self._upload(upload))
        except FileNotFoundError:
            pass  # completed, or aborted by another sweep

    def _upload(self, upload: dict[str, Any]) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}

    def _object(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self._prefix + name}

    @cached_property
    def _client(self) -> Any:
        return s3_client(self._endpoint_url, *self._timeouts_s)

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        with self._explained(self.uri(name)):
            try:
                with s3_errors(self._endpoint):
                    yield
                return
            except FileNotFoundError:
                # A missing bucket and a missing object give the same status: a listing distinguishes them.
                self._client.list_objects_v2(Bucket=self.bucket, Prefix=self._prefix, MaxKeys=1)
        raise FileNotFoundError(self.uri(name))

    @contextmanager
    def _explained(self, uri: str) -> Iterator[None]:
        try:
            with s3_errors(self._endpoint):
                yield
        except OSError as error:
            raise StoreUnreachable(f"{uri}: {error}") from error

    @property
    def _endpoint(self) -> str | None:
        try:
            return self._client.meta.endpoint_url
        except OSError:  # no client can be made: the error that follows says why
            return self._endpoint_url
