"""The artifact store: one artifact, one object, at `{root}/{asset}/{key}.{ext}`, in a folder or an S3 bucket."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
STALE_AFTER_S = 24 * 3600.0


class ArtifactStore:
    """Artifacts by asset and key, each whole or not there: written aside, checked, then moved into place.

    The key of an asset without partitions is `UNPARTITIONED_KEY`. An artifact is never changed in place: a new
    version replaces the old one at once, and a reader has the one or the other.

    Every method raises `InvalidKey` for a name that is none, before anything is touched, and `StoreUnreachable`
    where the folder or bucket fails; every reading method `ArtifactMissing` for what has not been made.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        endpoint_url: str | None = None,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 20.0,
    ):
        """Open a store; nothing is touched yet.

        Args:
            root: a folder, made at the first write, or ``s3://bucket/prefix``, whose bucket must exist.
            endpoint_url: of an S3 service that is not Amazon's. Credentials come from the environment.
            connect_timeout_s: how long one attempt to reach S3 may take; there are three.
            read_timeout_s: how long S3 may stay silent in one attempt.
        """
        self._place = _place(str(root), endpoint_url, connect_timeout_s, read_timeout_s)

    def uri(self, asset: str, key: str, ext: str = "parquet") -> str:
        """The absolute path or s3:// URL of an artifact, made or not."""
        return self._place.uri(artifact_name(asset, key, ext))

    def write_table(self, asset: str, key: str, table: pl.DataFrame, schema: Schema) -> None:
        """Store a table as Parquet; `SchemaViolation` when it does not keep its schema."""
        name = artifact_name(asset, key, "parquet")
        checked = check_table(table, schema)
        with self._place.staged(name) as path:
            write_parquet(checked, path)

    def read_table(
        self, asset: str, key: str, schema: Schema | None = None, columns: list[str] | None = None
    ) -> pl.DataFrame:
        """A stored table, or some of its columns; `ArtifactDamaged` when it is not what the schema declares."""
        with self.local_path(asset, key, "parquet") as path:
            return read_parquet(path, self.uri(asset, key), schema, columns)

    def write_bytes(self, asset: str, key: str, ext: str, data: bytes) -> None:
        """Store bytes as they are."""
        self._place.write(artifact_name(asset, key, ext), data)

    def read_bytes(self, asset: str, key: str, ext: str) -> bytes:
        """All bytes of an artifact."""
        with self._missing_explained(asset, key, ext):
            return self._place.read(artifact_name(asset, key, ext))

    @contextmanager
    def writing(self, asset: str, key: str, ext: str) -> Iterator[Path]:
        """A local path to write an HDF5, FLAC, ONNX … file to; it is stored when the block ends without error."""
        with self._place.staged(artifact_name(asset, key, ext)) as path:
            yield path

    @contextmanager
    def local_path(self, asset: str, key: str, ext: str) -> Iterator[Path]:
        """A local file with the artifact's bytes, for readers that need a path; to be read only, in the block."""
        with ExitStack() as opened:
            with self._missing_explained(asset, key, ext):
                path = opened.enter_context(self._place.local(artifact_name(asset, key, ext)))
            yield path

    def stat(self, asset: str, key: str, ext: str = "parquet") -> ObjectStat | None:
        """Size, version and time of an artifact; None when it has not been made."""
        try:
            return self._place.stat(artifact_name(asset, key, ext))
        except FileNotFoundError:
            return None

    def exists(self, asset: str, key: str, ext: str = "parquet") -> bool:
        """Whether an artifact has been made."""
        return self.stat(asset, key, ext) is not None

    def keys(self, asset: str, ext: str = "parquet") -> list[str]:
        """Keys of an asset's artifacts, sorted; in a bucket one listing."""
        check_extension(ext)
        names = [name.split("/", 1)[1] for name in self._place.names(f"{check_asset(asset)}/")]
        return sorted(name.removesuffix(f".{ext}") for name in names if "/" not in name and name.endswith(f".{ext}"))

    def delete(self, asset: str, key: str, ext: str = "parquet") -> None:
        """Take an artifact away; one that has not been made is no error."""
        self._place.delete(artifact_name(asset, key, ext))

    def records(self, asset: str) -> Records:
        """Many small objects of one asset, by names of their own, such as the answers that were paid for."""
        return Records(self._place, check_asset(asset))

    def sweep(self, older_than_s: float = STALE_AFTER_S) -> int:
        """Remove what killed writers left half done, when nobody has written to it for so long; how many."""
        return self._place.sweep(older_than_s)

    def check(self) -> None:
        """Write, read and delete a probe.

        Raises:
            StoreUnreachable: one of the three fails, or the probe comes back changed.
        """
        name, probe = f".probe-{uuid4().hex}", uuid4().bytes
        self._place.write(name, probe)
        try:
            returned = self._place.read(name)
        except FileNotFoundError:
            returned = None
        if returned != probe:
            raise StoreUnreachable(f"{self._place.uri(name)}: a probe did not come back as written. Check the disk.")
        self._place.delete(name)

    @contextmanager
    def _missing_explained(self, asset: str, key: str, ext: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            clips = "" if key == UNPARTITIONED_KEY else f" --clips {key}"
            raise ArtifactMissing(
                f"{self.uri(asset, key, ext)}: not made yet. Make it: `vidassets run --select {asset}{clips}`."
            ) from error


def _place(root: str, endpoint_url: str | None, connect_timeout_s: float, read_timeout_s: float) -> Place:
    if "://" not in root:
        return Folder(Path(root))
    if not root.startswith("s3://"):
        raise StoreUnreachable(f"{root}: a store is a folder or s3://BUCKET/PREFIX. Name one of these.")
    try:
        from vidassets.storage.bucket import Bucket  # its packages are an extra, and slow to import
    except ModuleNotFoundError as error:
        raise StoreUnreachable(f"{root}: needs {error.name}. `pip install 'vidassets[s3]'`.") from error
    return Bucket(root, endpoint_url, connect_timeout_s, read_timeout_s)
