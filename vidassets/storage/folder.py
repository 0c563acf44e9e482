"""Objects stored in a folder."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from vidassets.errors import StoreError, StoreUnreachable
from vidassets.storage.disk import disk_error, writing_explained
from vidassets.storage.place import ObjectStat

# Hidden, so that listings skip it. The extension comes last, because writers choose the format by it.
STAGED_NAME = re.compile(r"\.[0-9a-f]{32}\.tmp\..+")


class Folder:
    """A `Place` in a local folder, which is created at the first write."""

    def __init__(self, root: Path):
        self.root = root.expanduser().absolute()

    def uri(self, name: str) -> str:
        """Return the absolute path of an object."""
        return str(self.root / name)

    @contextmanager
    def staged(self, name: str) -> Iterator[Path]:
        """Yield a hidden path beside the object, and rename it to the object when the block ends."""
        target = self.root / name
        path = target.with_name(f".{uuid4().hex}.tmp.{target.name}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unreachable(error) from error
        try:
            with writing_explained(path, self._is_store):
                yield path
            if not path.is_file():
                raise StoreError(f"{target}: the writer left no file at {path}. Write to the path given.")
            with self._explained():
                _sync(path)
                path.replace(target)
                _sync(target.parent)
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Yield the path of the object itself."""
        self.stat(name)
        yield self.root / name

    def write(self, name: str, data: bytes) -> None:
        """Create or replace an object."""
        with self.staged(name) as path, self._explained():
            path.write_bytes(data)

    def update(self, name: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """Replace an object by what `change` returns for its bytes, while holding a lock on it.

        The lock is a hidden file beside the object. The kernel releases it if the process dies.
        """
        import fcntl

        target = self.root / name
        with self._explained():
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(target.with_name(f".{target.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with self._explained():
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                found = self.read(name)
            except FileNotFoundError:
                found = None
            changed = change(found)
            if changed is not None and changed != found:
                self.write(name, changed)
        finally:
            os.close(descriptor)

    def read(self, name: str) -> bytes:
        """Return all bytes of an object."""
        with self._explained():
            return (self.root / name).read_bytes()

    def stat(self, name: str) -> ObjectStat:
        """Return size and modification time of an object."""
        with self._explained():
            found = (self.root / name).stat()
        return ObjectStat(found.st_size, f"mtime_ns:{found.st_mtime_ns}", datetime.fromtimestamp(found.st_mtime, UTC))

    def names(self, prefix: str) -> list[str]:
        """Return the names of all objects with a prefix, sorted."""
        below = self.root / prefix.rpartition("/")[0]
        with self._explained():
            found = [path.relative_to(self.root).as_posix() for path in _files(below) if not path.name.startswith(".")]
        return sorted(name for name in found if name.startswith(prefix))

    def delete(self, name: str) -> None:
        """Delete an object; a missing one is no error."""
        with self._explained():
            (self.root / name).unlink(missing_ok=True)

    def leftovers(self, before: datetime) -> list[str]:
        """Return the paths of staged files last written at or before this time."""
        with self._explained():
            staged = [path for path in _files(self.root) if STAGED_NAME.fullmatch(path.name)]
            return [str(path) for path in staged if _is_older(path, before)]

    def sweep(self, before: datetime) -> int:
        """Remove staged files last written at or before this time, and return their number."""
        stale = self.leftovers(before)
        with self._explained():
            for path in stale:
                Path(path).unlink(missing_ok=True)
        return len(stale)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unreachable(error) from error

    @property
    def _is_store(self) -> str:
        return f"The store is the folder {self.root}."

    def _unreachable(self, error: OSError) -> StoreUnreachable:
        return disk_error(error, self.root, self._is_store)


def _is_older(path: Path, before: datetime) -> bool:
    try:
        return path.stat().st_mtime <= before.timestamp()
    except FileNotFoundError:
        return False  # its writer has finished since it was listed


def _files(folder: Path, depth: int = 2) -> Iterator[Path]:
    # The store is two folders deep. The limit also stops links that lead back up.
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file():
                yield Path(entry.path)
            elif depth and entry.is_dir():
                yield from _files(Path(entry.path), depth - 1)


def _sync(path: Path) -> None:
    # A rename may reach the disk before the data. Without this, a power failure could leave an empty object.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
