"""Small objects of an asset with names of their own, such as the entries of a ledger."""

from collections.abc import Callable

from vidassets.errors import ArtifactMissing, InvalidKey
from vidassets.storage.names import record_name
from vidassets.storage.place import Place


class Records:
    """Records of an asset, created by `ArtifactStore.records`. A name is ``key.ext`` or ``key/key.ext``.

    Each record is written completely or not at all. Methods raise `InvalidKey` for an invalid name, and
    `StoreUnreachable` if the store fails.
    """

    def __init__(self, place: Place, asset: str):
        self._place = place
        self._asset = asset

    def write_bytes(self, name: str, data: bytes) -> None:
        """Create or replace a record. It is durable when this returns."""
        self._place.write(record_name(self._asset, name), data)

    def update_bytes(self, name: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """Replace a record by what `change` returns for its bytes, atomically; see `Place.update`."""
        self._place.update(record_name(self._asset, name), change)

    def read_bytes(self, name: str) -> bytes:
        """Return a record's bytes; raise `ArtifactMissing` if it does not exist."""
        path = record_name(self._asset, name)
        try:
            return self._place.read(path)
        except FileNotFoundError as error:
            raise ArtifactMissing(
                f"{self._place.uri(path)}: no such record. `list_names()` lists the records."
            ) from error

    def list_names(self, prefix: str = "") -> list[str]:
        """Return the names with a prefix, sorted. A bucket is listed once.

        Raises:
            InvalidKey: the prefix leads out of the asset's folder.
        """
        if ".." in prefix or prefix.startswith("/"):
            raise InvalidKey(f"{prefix!r}: not a prefix of record names. Give the start of a name, such as 'ab/'.")
        names = self._place.names(f"{self._asset}/{prefix}")
        return [name.removeprefix(f"{self._asset}/") for name in names]

    def delete(self, name: str) -> None:
        """Delete a record; a missing one is no error."""
        self._place.delete(record_name(self._asset, name))
