"""An artifact as the graph knows it: its name, its format, and how a stored one becomes a function's argument."""

from dataclasses import dataclass
from typing import Any

from vidassets.errors import SchemaViolation
from vidassets.schemas import dy
from vidassets.storage.store import UNPARTITIONED_KEY, ArtifactStore


@dataclass(frozen=True)
class Artifact:
    """What is stored under an asset's name, one object per clip.

    Attributes:
        name: the asset's name and the store's folder.
        schema: the declared table; None for a blob.
        extension: of the stored object.
    """

    name: str
    schema: type[dy.Schema] | None = None
    extension: str = "parquet"

    def read(self, store: ArtifactStore, key: str, wanted: type | None = None) -> Any:
        """The stored artifact; as `wanted`, if that class offers `from_table` or `from_json`.

        Raises:
            ArtifactMissing: it has not been made.
            ArtifactDamaged: it cannot be read.
        """
        if self.schema is not None:
            table = store.read_table(self.name, key, self.schema)
            from_table = getattr(wanted, "from_table", None)
            return from_table(table) if from_table else table
        blob = store.read_bytes(self.name, key, self.extension)
        from_json = getattr(wanted, "from_json", None)
        return from_json(blob.decode()) if from_json else blob

    def write(self, store: ArtifactStore, key: str, value: Any) -> None:
        """Store a value, whole or not at all.

        Raises:
            SchemaViolation: the table does not keep its declaration, or holds rows of another clip.
        """
        if self.schema is not None:
            if "clip" in value.columns and key != UNPARTITIONED_KEY and not (value["clip"] == key).all():
                raise SchemaViolation(
                    f"{self.name}: {key}: holds rows of another clip: {value['clip'].unique().to_list()}."
                )
            store.write_table(self.name, key, value, self.schema)
        else:
            store.write_bytes(self.name, key, self.extension, value)
