"""An artifact as the graph knows it: its name, its format, and how a stored one becomes a function's argument."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidassets.errors import ArtifactMissing, SchemaViolation
from vidassets.schemas.clips import dy
from vidassets.storage.store import UNPARTITIONED_KEY, ArtifactStore


@dataclass(frozen=True)
class StoredFile:
    """A stored artifact that its readers need as a file: HDF5, ONNX, FLAC."""

    store: ArtifactStore
    artifact: "Artifact"
    key: str

    @contextmanager
    def path(self) -> Iterator[Path]:
        """Yield a local path, valid inside the block and to be read only."""
        with self.store.local_path(self.artifact.name, self.key, self.artifact.extension) as path:
            yield path


@dataclass(frozen=True)
class Blob:
    """A companion artifact that is not a table: its extension, and a sentence that describes it."""

    extension: str
    description: str


@dataclass(frozen=True)
class Artifact:
    """What is stored under an asset's name: one object per clip, or one over all clips.

    Attributes:
        name: the asset's name and the store's folder.
        schema: the declared table; None for bytes.
        extension: of the stored object.
        is_file: written to a path and read from one, not held in memory.
        is_whole: one object over all clips.
        fix: how to fix a missing artifact that no run makes.
        description: what it is; without it, the docstring of the schema or of the function.
    """

    name: str
    schema: type[dy.Schema] | None = None
    extension: str = "parquet"
    is_file: bool = False
    is_whole: bool = False
    fix: str | None = None
    description: str | None = None

    def fits(self, wanted: type) -> bool:
        """Return whether `read` can give the artifact as this class."""
        if self.schema is not None:
            return wanted.__name__ == "DataFrame" or hasattr(wanted, "from_table")
        if self.is_file:
            return wanted is StoredFile
        return wanted is bytes or hasattr(wanted, "from_json")

    def read(self, store: ArtifactStore, key: str, wanted: type | None = None) -> Any:
        """Return the stored artifact; as `wanted`, if that class has `from_table` or `from_json`.

        Raises:
            ArtifactMissing: it has not been made.
            ArtifactDamaged: it cannot be read.
        """
        if self.schema is not None:
            table = store.read_table(self.name, key, self.schema)
            from_table = getattr(wanted, "from_table", None)
            return from_table(table) if from_table else table
        if self.is_file:
            if not store.exists(self.name, key, self.extension):
                uri = store.uri(self.name, key, self.extension)
                raise ArtifactMissing(f"{uri}: not made yet. Make it: `vidassets run --select '*{self.name}'`.")
            return StoredFile(store, self, key)
        if self.fix and not store.exists(self.name, key, self.extension):
            raise ArtifactMissing(f"{store.uri(self.name, key, self.extension)}: does not exist. {self.fix}")
        blob = store.read_bytes(self.name, key, self.extension)
        from_json = getattr(wanted, "from_json", None)
        return from_json(blob.decode()) if from_json else blob

    def write(self, store: ArtifactStore, key: str, value: Any) -> None:
        """Store a value, whole or not at all.

        Raises:
            SchemaViolation: the table does not match its declaration, or has rows of another clip.
        """
        if self.schema is not None:
            if "clip" in value.columns and key != UNPARTITIONED_KEY and not (value["clip"] == key).all():
                raise SchemaViolation(
                    f"{self.name}: {key}: has rows of another clip: {value['clip'].unique().to_list()}."
                )
            store.write_table(self.name, key, value, self.schema)
        elif self.is_file:
            raise TypeError(f"{self.name}: its function writes to `output`; it is not written again")
        else:
            store.write_bytes(self.name, key, self.extension, value)
