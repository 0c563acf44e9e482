"""Small objects by names of their own, below one asset: a ledger, where an artifact has one key and no folders."""

from vidassets.errors import ArtifactMissing, InvalidKey
from vidassets.storage.names import record_name
from vidassets.storage.place import Place


class Records:
    """Records of one asset; a name is ``key.ext`` or ``key/key.ext``. Made by `ArtifactStore.records`.

    Each is written whole or not at all. Raises `InvalidKey` for a name that is none, `StoreUnreachable` where the
    store fails.
    """

    def __init__(self, place: Place, asset: str):
        self._place = place
        self._asset = asset

    def write_bytes(self, name: str, data: bytes) -> None:
        """Make or replace a record; it is durable when this returns."""
        self._place.write(record_name(self._asset, name), data)

    def read_bytes(self, name: str) -> bytes:
        """A record's bytes; `ArtifactMissing` when there is none."""
        path = record_name(self._asset, name)
        try:
            return self._place.read(path)
        except FileNotFoundError as error:
            raise ArtifactMissing(
                f"{self._place.uri(path)}: no such record. `list_names()` tells which are."
            ) from error

    def list_names(self, prefix: str = "") -> list[str]:
        """Names that begin with a prefix, sorted; in a bucket one listing.

        Raises:
            InvalidKey: the prefix would leave the asset's folder.
        """
        if ".." in prefix or prefix.startswith("/"):
            raise InvalidKey(f"{prefix!r}: not a prefix of record names. Give the beginning of a name, such as 'ab/'.")
        names = self._place.names(f"{self._asset}/{prefix}")
        return [name.removeprefix(f"{self._asset}/") for name in names]

    def delete(self, name: str) -> None:
        """Take a record away; none there is no error."""
        self._place.delete(record_name(self._asset, name))
