"""The artifact store: each artifact is one object, `{root}/{asset}/{key}.{ext}`, in a folder or an S3 bucket."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl

from vidassets.errors import ArtifactMissing, StoreUnreachable
from vidassets.storage.folder import Folder
from vidassets.storage.names import artifact_name, check_asset, check_extension
from vidassets.storage.place import ObjectStat, Place
from vidassets.storage.records import Records
from vidassets.storage.tables import Schema, check_table, read_parquet, write_parquet

UNPARTITIONED_KEY = "all"
# An unfinished write without a new byte for this long belongs to a killed process. Chosen here: no clip takes a day.
STALE_AFTER_S = 24 * 3600.0


class ArtifactStore:
    """Artifacts by asset and key, each complete or missing: written under another name, checked, then moved.

    The key of an asset without partitions is `UNPARTITIONED_KEY`. An artifact is never changed in place: a new version
    replaces the old one atomically, and a reader gets either of the two.

    Every method raises `InvalidKey` for an invalid name, before anything is written, and `StoreUnreachable` if the
    folder or bucket fails. Every method that reads raises `ArtifactMissing` for an artifact that does not exist.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        endpoint_url: str | None = None,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 20.0,
    ):
        """Open a store; nothing is read or written yet.

        Args:
            root: a folder, created at the first write, or ``s3://bucket/prefix``, whose bucket must exist.
            endpoint_url: URL of an S3 service other than Amazon's. Credentials come from the environment.
            connect_timeout_s: limit for one attempt to reach S3; there are five attempts.
            read_timeout_s: longest silence of S3 in one attempt.
        """
        self._place = _place(str(root), endpoint_url, connect_timeout_s, read_timeout_s)

    def uri(self, asset: str, key: str, ext: str = "parquet") -> str:
        """Return the absolute path or s3:// URL of an artifact, which need not exist."""
        return self._place.uri(artifact_name(asset, key, ext))

    def write_table(self, asset: str, key: str, table: pl.DataFrame, schema: Schema) -> None:
        """Store a table as Parquet; raise `SchemaViolation` if it does not satisfy its schema."""
        name = artifact_name(asset, key, "parquet")
        checked = check_table(table, schema)
        with self._place.staged(name) as path:
            write_parquet(checked, path)

    def read_table(
        self, asset: str, key: str, schema: Schema | None = None, columns: list[str] | None = None
    ) -> pl.DataFrame:
        """Return a stored table, or some of its columns; raise `ArtifactDamaged` if it does not match the schema."""
        with self.local_path(asset, key, "parquet") as path:
            return read_parquet(path, self.uri(asset, key), schema, columns)

    def write_bytes(self, asset: str, key: str, ext: str, data: bytes) -> None:
        """Store bytes unchanged."""
        self._place.write(artifact_name(asset, key, ext), data)

    def read_bytes(self, asset: str, key: str, ext: str) -> bytes:
        """Return all bytes of an artifact."""
        with self._missing_explained(asset, key, ext):
            return self._place.read(artifact_name(asset, key, ext))

    @contextmanager
    def writing(self, asset: str, key: str, ext: str) -> Iterator[Path]:
        """Yield a local path to write an HDF5, FLAC, ONNX … file to; it is stored when the block ends without error."""
        with self._place.staged(artifact_name(asset, key, ext)) as path:
            yield path

    @contextmanager
    def local_path(self, asset: str, key: str, ext: str) -> Iterator[Path]:
        """Yield a local file with the artifact's bytes, for readers that need a path. It is valid inside the block."""
        with ExitStack() as opened:
            with self._missing_explained(asset, key, ext):
                path = opened.enter_context(self._place.local(artifact_name(asset, key, ext)))
            yield path

    def stat(self, asset: str, key: str, ext: str = "parquet") -> ObjectStat | None:
        """Return size, version and time of an artifact; None if it does not exist."""
        try:
            return self._place.stat(artifact_name(asset, key, ext))
        except FileNotFoundError:
            return None

    def exists(self, asset: str, key: str, ext: str = "parquet") -> bool:
        """Return whether an artifact exists."""
        return self.stat(asset, key, ext) is not None

    def keys(self, asset: str, ext: str = "parquet") -> list[str]:
        """Return the keys of an asset's artifacts, sorted. A bucket is listed once."""
        check_extension(ext)
        names = [name.split("/", 1)[1] for name in self._place.names(f"{check_asset(asset)}/")]
        return sorted(name.removesuffix(f".{ext}") for name in names if "/" not in name and name.endswith(f".{ext}"))

    def delete(self, asset: str, key: str, ext: str = "parquet") -> None:
        """Delete an artifact; a missing one is no error."""
        self._place.delete(artifact_name(asset, key, ext))

    def records(self, asset: str) -> Records:
        """Return the records of an asset: many small objects with names of their own, such as paid answers."""
        return Records(self._place, check_asset(asset))

    def leftovers(self, older_than_s: float = STALE_AFTER_S) -> list[str]:
        """Return the paths or keys of writes that killed processes left unfinished.

        These are staged files in a folder, and unfinished multipart uploads in a bucket.

        Args:
            older_than_s: how long ago the last byte was written.
        """
        return self._place.leftovers(datetime.now(UTC) - timedelta(seconds=older_than_s))

    def sweep(self, older_than_s: float = STALE_AFTER_S) -> int:
        """Remove what `leftovers` lists, and return the number. Safe while other processes write and sweep."""
        return self._place.sweep(datetime.now(UTC) - timedelta(seconds=older_than_s))

    def check(self) -> None:
        """Write, read and delete a probe.

        Raises:
            StoreUnreachable: one of these fails, or the bytes read differ from those written.
        """
        name, probe = f".probe-{uuid4().hex}", uuid4().bytes
        self._place.write(name, probe)
        try:
            returned = self._place.read(name)
        except FileNotFoundError:
            returned = None
        if returned != probe:
            raise StoreUnreachable(f"{self._place.uri(name)}: a probe was not read back as written. Check the disk.")
        self._place.delete(name)

    @contextmanager
    def _missing_explained(self, asset: str, key: str, ext: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            clips = "" if key == UNPARTITIONED_KEY else f" --clips {key}"
            raise ArtifactMissing(
                f"{self.uri(asset, key, ext)}: not made yet. Run `vidassets run --select '*{asset}'{clips}`."
            ) from error


def _place(root: str, endpoint_url: str | None, connect_timeout_s: float, read_timeout_s: float) -> Place:
    if "://" not in root:
        return Folder(Path(root))
    if not root.startswith("s3://"):
        raise StoreUnreachable(f"{root}: not a store. Give a folder or s3://BUCKET/PREFIX.")
    try:
        from vidassets.storage.bucket import Bucket  # boto3 is an extra, and slow to import
    except ModuleNotFoundError as error:
        raise StoreUnreachable(f"{root}: needs {error.name}. `pip install 'vidassets[s3]'`.") from error
    return Bucket(root, endpoint_url, connect_timeout_s, read_timeout_s)
