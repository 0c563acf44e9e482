"""Whole objects by name, in a folder."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from vidassets.errors import StoreError, StoreUnreachable
from vidassets.storage.place import ObjectStat

# Hidden, so that no listing shows it; the extension stays last, since writers choose a format by it.
STAGED_NAME = re.compile(r"\.[0-9a-f]{32}\.tmp\..+")


class Folder:
    """A `Place` in a local folder, made at the first write."""

    def __init__(self, root: Path):
        self.root = root.expanduser().absolute()

    def uri(self, name: str) -> str:
        """The absolute path of an object."""
        return str(self.root / name)

    @contextmanager
    def staged(self, name: str) -> Iterator[Path]:
        """A hidden path beside the object, moved over it at the end."""
        target = self.root / name
        path = target.with_name(f".{uuid4().hex}.tmp.{target.name}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unreachable(error) from error
        try:
            yield path
            if not path.is_file():
                raise StoreError(f"{target}: the writer left no file at {path}. Write to the path that is given.")
            with self._explained():
                _sync(path)
                path.replace(target)
                _sync(target.parent)
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The object itself."""
        self.stat(name)
        yield self.root / name

    def write(self, name: str, data: bytes) -> None:
        """Make or replace an object."""
        with self.staged(name) as path, self._explained():
            path.write_bytes(data)

    def read(self, name: str) -> bytes:
        """All bytes of an object."""
        with self._explained():
            return (self.root / name).read_bytes()

    def stat(self, name: str) -> ObjectStat:
        """Size and modification time of an object."""
        with self._explained():
            found = (self.root / name).stat()
        return ObjectStat(found.st_size, f"mtime_ns:{found.st_mtime_ns}", datetime.fromtimestamp(found.st_mtime, UTC))

    def names(self, prefix: str) -> list[str]:
        """Names of all objects that begin with a prefix, sorted."""
        below = self.root / prefix.rpartition("/")[0]
        with self._explained():
            found = [path.relative_to(self.root).as_posix() for path in _files(below) if not path.name.startswith(".")]
        return sorted(name for name in found if name.startswith(prefix))

    def delete(self, name: str) -> None:
        """Take an object away."""
        with self._explained():
            (self.root / name).unlink(missing_ok=True)

    def sweep(self, older_than_s: float) -> int:
        """Remove temporary files that nobody has written to for so long."""
        with self._explained():
            staged = [path for path in _files(self.root) if STAGED_NAME.fullmatch(path.name)]
            stale = [path for path in staged if time.time() - path.stat().st_mtime >= older_than_s]
            for path in stale:
                path.unlink(missing_ok=True)
        return len(stale)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: OSError) -> StoreUnreachable:
        return StoreUnreachable(
            f"{error.filename or self.root}: {error.strerror}. The store is the folder {self.root}: "
            "make it a folder that this user may write to, with room left, or name another in the profile."
        )


def _files(folder: Path, depth: int = 2) -> Iterator[Path]:
    # The store is two folders deep: a link that leads back up ends here, not in a loop.
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file():
                yield Path(entry.path)
            elif depth and entry.is_dir():
                yield from _files(Path(entry.path), depth - 1)


def _sync(path: Path) -> None:
    # A rename may reach the disk before the bytes do: without this a power cut leaves an empty object.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
