"""Claims on cells: one process at a time works on one asset of one clip, no matter who launched it.

A claim is a lock that the operating system, or PostgreSQL, releases when its process dies. It leaves a note of its
holder behind, which only an orderly release removes. So the next process knows that the cell has killed one before.
All processes that share an instance share its claims: those of a SQLite instance are files in its folder, those of a
PostgreSQL instance are in its database.
"""

import fcntl
import json
import os
import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, cast

import dagster as dg

POLL_S = 0.5  # how soon a waiting process notices that a claim was released


@dataclass
class Claim:
    """A cell that this process may work on.

    Attributes:
        cell: the asset and the clip.
        killed: the run whose process died while it worked on the cell; None if none did.
        lock: of the claims that it belongs to.
        is_finished: whether the cell was made; until then, a cell that has killed a process keeps its note.
    """

    cell: tuple[str, str]
    killed: str | None
    lock: Any
    is_finished: bool = False

    @property
    def keeps_note(self) -> bool:
        """Whether the next process is to know that the cell has killed one."""
        return self.killed is not None and not self.is_finished


class Claims(ABC):
    """The claims of one instance."""

    @abstractmethod
    def take(self, asset: str, clip: str, run_id: str) -> Claim | None:
        """Return the claim on a cell, or None if another process, or another run of this one, has it."""

    @abstractmethod
    def release(self, claim: Claim) -> None:
        """Give a claim back."""

    @contextmanager
    def held(self, asset: str, clip: str, run_id: str) -> Iterator[Claim]:
        """Yield the claim on a cell as soon as nobody else has it, and give it back at the end."""
        while (claim := self.take(asset, clip, run_id)) is None:
            time.sleep(POLL_S)
        try:
            yield claim
        finally:
            self.release(claim)


class FolderClaims(Claims):
    """A file for each claimed cell, locked as long as its process lives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, asset: str, clip: str, run_id: str) -> Claim | None:
        """Lock the file of the cell; one that exists and is not locked was left by a process that died."""
        path = self._path(asset, clip)
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            if _is_file(descriptor, path):
                break
            os.close(descriptor)  # its holder removed the file after this process had opened it
        note = os.read(descriptor, 4096)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _note(run_id).encode(), 0)
        return Claim((asset, clip), _holder(note.decode()), descriptor)

    def release(self, claim: Claim) -> None:
        """Remove the file and unlock it."""
        if not claim.keeps_note:
            self._path(*claim.cell).unlink()
        os.close(claim.lock)

    def _path(self, asset: str, clip: str) -> Path:
        # The name of a partition that a person added in the Dagster UI may have any characters.
        name = clip if len(clip) < 200 and clip.replace("/", "").isascii() else ""
        return self._folder / asset / (name.replace("/", "_") + "." + sha256(clip.encode()).hexdigest()[:16])


class PostgresClaims(Claims):
    """An advisory lock for each claimed cell, held by one connection of this process, and a row with its holder."""

    def __init__(self, url: str) -> None:
        import psycopg2

        self._connection = psycopg2.connect(url.replace("postgresql+psycopg2://", "postgresql://"))
        self._connection.autocommit = True
        self._guard = Lock()
        self._taken: set[tuple[str, str]] = set()  # a session may take its own advisory lock twice
        with self._guard, self._connection.cursor() as cursor:
            # Two processes that create the table at once would both pass its check: the lock lets one in at a time.
            cursor.execute("SELECT pg_advisory_lock(%s)", (_number("", ""),))
            cursor.execute(
                "CREATE TABLE IF NOT EXISTS vidassets_claims"
                " (asset text, clip text, holder text NOT NULL, PRIMARY KEY (asset, clip))"
            )
            cursor.execute("SELECT pg_advisory_unlock(%s)", (_number("", ""),))

    def take(self, asset: str, clip: str, run_id: str) -> Claim | None:
        """Take the lock of the cell; a row without a lock was left by a process that died."""
        cell = (asset, clip)
        with self._guard, self._connection.cursor() as cursor:
            if cell in self._taken:
                return None
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (_number(*cell),))
            if not _first(cursor):
                return None
            self._taken.add(cell)
            cursor.execute("SELECT max(holder) FROM vidassets_claims WHERE asset = %s AND clip = %s", cell)
            note = _first(cursor)
            cursor.execute(
                "INSERT INTO vidassets_claims VALUES (%s, %s, %s)"
                " ON CONFLICT (asset, clip) DO UPDATE SET holder = EXCLUDED.holder",
                (*cell, _note(run_id)),
            )
        return Claim(cell, _holder(note or ""), None)

    def release(self, claim: Claim) -> None:
        """Remove the row and give the lock back."""
        with self._guard, self._connection.cursor() as cursor:
            if not claim.keeps_note:
                cursor.execute("DELETE FROM vidassets_claims WHERE asset = %s AND clip = %s", claim.cell)
            cursor.execute("SELECT pg_advisory_unlock(%s)", (_number(*claim.cell),))
            self._taken.discard(claim.cell)


_opened: dict[str, Claims] = {}
_opening = Lock()


def claims_of(instance: dg.DagsterInstance) -> Claims:
    """Return the claims that all processes on an instance share; opened once per process."""
    url = getattr(instance.event_log_storage, "postgres_url", None)
    place = cast(str, url or instance.root_directory)
    with _opening:
        if place not in _opened:
            _opened[place] = PostgresClaims(place) if url else FolderClaims(Path(place) / "claims")
        return _opened[place]


def _note(run_id: str) -> str:
    return json.dumps({"run": run_id, "host": platform.node(), "process": os.getpid()})


def _holder(note: str) -> str | None:
    """Return the run that a note names; of a note that was cut off, what there is."""
    try:
        return str(json.loads(note)["run"]) if note else None
    except (ValueError, KeyError, TypeError):
        return note


def _number(asset: str, clip: str) -> int:
    """Return the number of a cell's advisory lock: 64 bits of a hash, signed as PostgreSQL takes them."""
    return int.from_bytes(sha256(f"vidassets\0{asset}\0{clip}".encode()).digest()[:8], signed=True)


def _first(cursor: Any) -> Any:
    row = cursor.fetchone()
    return row[0] if row else None


def _is_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
