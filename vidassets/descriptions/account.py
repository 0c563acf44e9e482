"""The money of a dataset, shared by all processes and machines that spend it.

One object of the ledger holds the account:

    {"settled_nanousd": …, "grants": {grant: {"nanousd": …, "spent_nanousd": …, "renewed": …}}}

A process takes a grant, an amount for several calls, by one atomic update, spends from it, and gives back what is left.
The attempt of a call begins with the name of its grant, so the ledger says what was spent of each. `settled_nanousd` is
the sum of all calls that belong to no open grant. The limit holds for settled and granted money together.

A killed process leaves its grant. It ends when another process has seen it unchanged for `lease_s`; then the calls that
the ledger records for it are settled, those without an answer at the most they can cost. A process that was only
stopped for that long sends nothing under the old grant: it confirms a grant older than half of `lease_s` before it
sends, after the call is recorded. No clocks of two machines are compared.
"""

import json
import secrets
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from vidassets.descriptions.ledger import GRANT_DIGITS, Ledger
from vidassets.errors import ArtifactDamaged

NAME = "account.json"
LEASE_S = 30.0  # chosen here: an interrupted run that is started again waits this long for the money it had reserved
GRANT_CALLS = 32  # calls that one grant pays for, so that few updates are needed
SHARE = 8  # a grant takes at most this part of what is left, so that other processes get some of it


@dataclass(slots=True)
class Grant:
    """What a process may spend. `spent_nanousd` is final; `renewed` changes with every sign of life."""

    nanousd: int
    spent_nanousd: int = 0
    renewed: int = 0


@dataclass(slots=True)
class Books:
    """The content of the account."""

    settled_nanousd: int = 0
    grants: dict[str, Grant] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the account as JSON."""
        return json.dumps(asdict(self)).encode()


class Account:
    """The share of one process in the money of a dataset. Threads may share it.

    The caller reserves an amount, records the call under the attempt that it gets, asks `confirm`, sends, and settles.

    Every method that reads or writes the store raises `StoreError` if that fails.
    """

    def __init__(self, ledger: Ledger, limit_nanousd: int, lease_s: float = LEASE_S):
        self._ledger = ledger
        self._limit = limit_nanousd
        self._lease_s = lease_s
        self._lock = threading.RLock()
        self._is_compared = False
        self._refused: tuple[bytes, int] | None = None  # the books of the last refusal, and the amount refused
        self._seen: dict[str, tuple[int, float]] = {}  # grant of another process → `renewed`, when it was first seen
        self._ceiling = limit_nanousd  # what this grant could hold at most, as of the last look at the account
        self._used = 0
        self._open_new_grant()

    @property
    def left_nanousd(self) -> int:
        """The amount that this process may still reserve, as of its last look at the account."""
        with self._lock:
            return max(0, self._ceiling - self._used)

    def reserve(self, nanousd: int) -> str | None:
        """Reserve an amount. Return the attempt to record the call under, or None if the limit forbids it."""
        with self._lock:
            if self._used + nanousd > self._held and not self._take(nanousd):
                return None
            self._used += nanousd
            self._pending += nanousd
            return self._grant + secrets.token_hex(GRANT_DIGITS // 2)

    def may_become_free(self, nanousd: int) -> bool:
        """Return whether the amount may fit once calls under way, here or in other processes, are settled."""
        with self._lock:
            books = self._books(self._read())
            others = [grant for name, grant in books.grants.items() if name != self._grant]
            spent = books.settled_nanousd + sum(grant.spent_nanousd for grant in others) + self._used - self._pending
            is_open = self._pending or any(grant.nanousd > grant.spent_nanousd for grant in others)
            return bool(is_open) and spent + nanousd <= self._limit

    def confirm(self, attempt: str) -> bool:
        """Return whether a recorded call may be sent. If not, its reservation has ended: reserve again."""
        with self._lock:
            if not attempt.startswith(self._grant):
                return False
            if _now_s() >= self._confirmed_until_s:
                self._renew()
            return attempt.startswith(self._grant)

    def settle(self, attempt: str, reserved_nanousd: int, cost_nanousd: int) -> None:
        """Replace a reservation by what the call cost."""
        with self._lock:
            # A call of an ended grant was settled by another process; the ledger corrects the sum.
            if attempt.startswith(self._grant):
                self._pending -= reserved_nanousd
                self._used += cost_nanousd - reserved_nanousd

    def give_back(self) -> None:
        """Give back what is reserved for no call."""
        with self._lock:
            if not self._held:
                return

            def change(data: bytes | None) -> bytes | None:
                books = self._books(data)
                grant = books.grants.get(self._grant)
                if grant is None:
                    return None  # ended by another process, or stored by a write whose answer was lost
                if self._pending:
                    spent = self._used - self._pending
                    if (grant.nanousd, grant.spent_nanousd) == (self._used, spent):
                        return None
                    books.grants[self._grant] = Grant(self._used, spent, grant.renewed + 1)
                else:
                    del books.grants[self._grant]
                    books.settled_nanousd += self._used
                return books.to_bytes()

            self._ledger.update(NAME, change)
            if self._pending:
                self._held = self._used
            else:
                self._open_new_grant()

    def _open_new_grant(self) -> None:
        self._grant = secrets.token_hex(GRANT_DIGITS // 2)
        self._ceiling -= self._used
        self._held = self._used = self._pending = 0
        self._confirmed_until_s = 0.0

    def _take(self, nanousd: int) -> bool:
        """Raise the grant so that it covers an amount; return False if the limit forbids it."""
        started_s, held = _now_s(), 0

        def change(data: bytes | None) -> bytes | None:
            nonlocal held
            held, books = 0, self._books(data)
            own = books.grants.get(self._grant)
            if self._held and own is None:
                self._open_new_grant()
            ended = self._ended(books)
            if not self._is_compared:
                self._correct(books, ended)
            alone = not set(books.grants) - {self._grant}
            if self._room(books) < nanousd and (ended or (alone and self._refused != (data, nanousd))):
                self._correct(books, ended)
                self._refused = (books.to_bytes(), nanousd)
            room = self._room(books)
            self._ceiling = self._used + room
            if room >= nanousd:
                held = self._used + max(nanousd, min(nanousd * GRANT_CALLS, room // SHARE))
                renewed = own.renewed + 1 if own else 0
                books.grants[self._grant] = Grant(held, self._used - self._pending, renewed)
            return books.to_bytes()

        self._ledger.update(NAME, change)
        self._is_compared = True
        if not held:
            return False
        self._held, self._confirmed_until_s = held, started_s + self._lease_s / 2
        return True

    def _renew(self) -> None:
        """Confirm the grant, or open a new one if another process has ended it."""
        started_s, is_open = _now_s(), False

        def change(data: bytes | None) -> bytes | None:
            nonlocal is_open
            books = self._books(data)
            if is_open := self._grant in books.grants:
                books.grants[self._grant].renewed += 1
                return books.to_bytes()
            return None

        self._ledger.update(NAME, change)
        if is_open:
            self._confirmed_until_s = started_s + self._lease_s / 2
        else:
            self._open_new_grant()

    def _room(self, books: Books) -> int:
        granted = sum(grant.nanousd for name, grant in books.grants.items() if name != self._grant)
        return self._limit - books.settled_nanousd - granted - self._used

    def _correct(self, books: Books, ended: set[str]) -> None:
        """End grants, and settle what the ledger records outside the others."""
        for name in ended:
            books.grants.pop(name, None)
        books.settled_nanousd = self._ledger.list_again({*books.grants, self._grant})

    def _ended(self, books: Books) -> set[str]:
        """Return the grants of other processes that this one has seen unchanged for `lease_s`."""
        now_s = _now_s()
        others = {name: grant.renewed for name, grant in books.grants.items() if name != self._grant}
        self._seen = {
            name: self._seen[name] if self._seen.get(name, (None,))[0] == renewed else (renewed, now_s)
            for name, renewed in others.items()
        }
        return {name for name, (_, since_s) in self._seen.items() if now_s - since_s >= self._lease_s}

    def _read(self) -> bytes | None:
        found: list[bytes | None] = []
        self._ledger.update(NAME, lambda data: found.append(data))
        return found[-1]

    @staticmethod
    def _books(data: bytes | None) -> Books:
        if data is None:
            return Books()
        try:
            values: dict[str, Any] = json.loads(data)
            grants = {name: Grant(**grant) for name, grant in values["grants"].items()}
            return Books(int(values["settled_nanousd"]), grants)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArtifactDamaged(
                f"{NAME}: the account of paid calls cannot be read ({error}). Make sure that no run is describing "
                "frames, and delete the file: it is made again from the ledger."
            ) from error


def _now_s() -> float:
    """Return seconds of a clock that never goes back and, on Linux, goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
