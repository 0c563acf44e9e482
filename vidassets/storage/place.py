"""What the store needs of its storage: whole objects by name. `Folder` and `Bucket` implement it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ObjectStat:
    """What is known of an object without reading it."""

    size_bytes: int
    version: str  # `mtime_ns:…` of a file, `etag:…` of an S3 object; it changes when the bytes change
    modified_at: datetime  # UTC


class Place(Protocol):
    """Storage for whole objects by name. A name is relative, its parts are joined by ``/``, and none is hidden.

    Each method raises `StoreUnreachable` if the storage itself fails, and `FileNotFoundError` for a missing object.
    """

    def uri(self, name: str) -> str:
        """Return the absolute path or URL of an object, which need not exist."""
        ...

    def staged(self, name: str) -> AbstractContextManager[Path]:
        """Yield a local path to write to. The file becomes the object when the block ends without error."""
        ...

    def local(self, name: str) -> AbstractContextManager[Path]:
        """Yield a local file with the object's bytes, for reading only."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Create or replace an object, completely or not at all."""
        ...

    def update(self, name: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """Replace an object by what `change` returns for its bytes. No other update of it happens in between.

        Args:
            name: of the object.
            change: receives the bytes, None for a missing object, and returns the new ones, None to write nothing. It
                may be called several times, and must allow for its own earlier result being stored already.
        """
        ...

    def read(self, name: str) -> bytes:
        """Return all bytes of an object, from a single version."""
        ...

    def stat(self, name: str) -> ObjectStat:
        """Return size, version and time of an object."""
        ...

    def names(self, prefix: str) -> list[str]:
        """Return the names of all objects with a prefix ``folder/…``, sorted. A bucket is listed once."""
        ...

    def delete(self, name: str) -> None:
        """Delete an object; a missing one is no error."""
        ...

    def leftovers(self, before: datetime) -> list[str]:
        """Return the paths or keys of unfinished writes whose last byte arrived at or before this time."""
        ...

    def sweep(self, before: datetime) -> int:
        """Remove what `leftovers` lists, and return the number. Safe while others write and sweep."""
        ...
