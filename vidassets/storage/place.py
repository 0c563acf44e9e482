"""What the store needs of where it lies: whole objects by name. A folder and a bucket both give it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ObjectStat:
    """What is known of an object without reading it."""

    size_bytes: int
    version: str  # `mtime_ns:…` of a file, `etag:…` of an S3 object: another one when the bytes have changed
    modified_at: datetime  # UTC


class Place(Protocol):
    """Whole objects by name; a name is relative, of parts joined by ``/``, none hidden.

    Each method raises `StoreUnreachable` where the place itself fails, and `FileNotFoundError` for
    an object that is not there.
    """

    def uri(self, name: str) -> str:
        """The absolute path or URL of an object, there or not."""
        ...

    def staged(self, name: str) -> AbstractContextManager[Path]:
        """A local path to write to; what is there at the end becomes the object, whole, or after an error nothing."""
        ...

    def local(self, name: str) -> AbstractContextManager[Path]:
        """A local file with the object's bytes, to be read only."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Make or replace an object, whole or not at all."""
        ...

    def read(self, name: str) -> bytes:
        """All bytes of an object, of one version."""
        ...

    def stat(self, name: str) -> ObjectStat:
        """Size and version of an object."""
        ...

    def names(self, prefix: str) -> list[str]:
        """Names of all objects that begin with a prefix ``folder/…``, sorted; in a bucket one listing."""
        ...

    def delete(self, name: str) -> None:
        """Take an object away; none there is no error."""
        ...

    def sweep(self, older_than_s: float) -> int:
        """Remove what killed writers left half done; how many."""
        ...
