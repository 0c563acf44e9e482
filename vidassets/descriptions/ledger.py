"""The ledger of paid calls: one small JSON object per call, written before its answer is used and never changed.

The name of an object holds what a listing needs, so one listing gives all answers and costs without reading a body:

    {first 2 of call_key}/{call_key}.{attempt}.{status}.{nano-USD, or x where the price is unknown}.json

Before a call with a price is sent, an object with status `sent` is written with the most that the call may cost. The
answer's object, with the same attempt, replaces it in sums. A call that was cut off, or whose process was killed,
leaves only `sent`: it may have been charged, so it counts as spent. The object of a reservation that was given up
before the call was sent has the status `released`.
"""

import json
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from vidassets.errors import ArtifactDamaged

# Failed calls are made again in the next run. The others are reused while prompt, model and parameters stay the same.
REUSABLE = frozenset({"ok", "truncated", "refused"})
NAME = re.compile(
    r"[0-9a-f]{2}/(?P<call_key>[0-9a-f]{64})\.(?P<attempt>[0-9a-f]{12,24})"
    r"\.(?P<status>sent|ok|truncated|refused|failed|released)\.(?P<cost>[0-9]+|x)\.json"
)
GRANT_DIGITS = 12  # the first digits of an attempt name the grant that pays for it, see `account`
READERS = 16  # chosen here: bodies are a few hundred bytes, so reading time is the latency of the store


class Blobs(Protocol):
    """Storage of a ledger: whole objects under names of two levels, durable when `write_bytes` returns."""

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write one object, whole or not at all."""
        ...

    def update_bytes(self, name: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """Replace one object by what `change` returns for its bytes, atomically; see `storage.place.Place.update`."""
        ...

    def read_bytes(self, name: str) -> bytes:
        """Return the bytes of one object."""
        ...

    def list_names(self, prefix: str = "") -> Iterable[str]:
        """Return all names that begin with the prefix."""
        ...


@dataclass(frozen=True, slots=True)
class PaidCall:
    """A call that was sent (`status` sent) or answered.

    `model` is the name that the endpoint reported, or before an answer the requested one. `at` is UTC, ISO 8601.
    """

    call_key: str
    attempt: str
    status: str
    cost_nanousd: int | None
    clip: str
    model: str
    at: str
    image_hash: str
    prompt_hash: str
    description: str | None = None
    actions: list[str] | None = None
    tools: list[str] | None = None
    objects: list[str] | None = None
    safety_gear: list[str] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_s: float | None = None
    error: str | None = None

    @property
    def name(self) -> str:
        """The name of the call's object."""
        cost = "x" if self.cost_nanousd is None else self.cost_nanousd
        return f"{self.call_key[:2]}/{self.call_key}.{self.attempt}.{self.status}.{cost}.json"

    def to_bytes(self) -> bytes:
        """Return the call as a JSON object, without fields that are None."""
        filled = {name: value for name, value in asdict(self).items() if value is not None}
        return json.dumps(filled, ensure_ascii=False, allow_nan=False).encode()


class Ledger:
    """The calls of a dataset over all runs. Threads may share it. Create one per run: it lists the store once."""

    def __init__(self, blobs: Blobs):
        self._blobs = blobs
        self._lock = threading.Lock()
        self._names: dict[str, dict[str, str]] | None = None  # call_key → attempt → name; an answer replaces `sent`

    def record(self, call: PaidCall) -> None:
        """Write a call; it is durable when this returns.

        Raises:
            StoreError: the call cannot be written.
        """
        self._blobs.write_bytes(call.name, call.to_bytes())
        with self._lock:
            _add(self._listed(), call.name)

    def find(self, call_key: str) -> PaidCall | None:
        """Return the answer to a call made earlier, or None if the call must be made.

        Raises:
            ArtifactDamaged: the answer's object cannot be read.
        """
        with self._lock:
            name = _answer_name(self._listed(), call_key)
        if name is None:
            # Another process may have paid for the call since the ledger was listed.
            fresh = _index(self._blobs.list_names(f"{call_key[:2]}/{call_key}"))
            name = _answer_name(fresh, call_key)
        return None if name is None else self._read(name)

    def update(self, name: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """Replace an object of the ledger that is no call, atomically; see `Blobs.update_bytes`."""
        self._blobs.update_bytes(name, change)

    def list_again(self, without: Collection[str]) -> int:
        """List the store again. Return the amount of all calls that none of these grants pays for; see `account`."""
        fresh = _index(self._blobs.list_names())
        with self._lock:
            self._names = fresh
            names = [(attempt, name) for attempts in fresh.values() for attempt, name in attempts.items()]
        return sum(_cost(name) or 0 for attempt, name in names if attempt[:GRANT_DIGITS] not in without)

    def n_malformed(self, call_key: str) -> int:
        """Return the number of answers to a call that could not be used."""
        with self._lock:
            return sum(name.split(".")[2] == "failed" for name in self._listed().get(call_key, {}).values())

    def committed_nanousd(self) -> int:
        """Return the amount spent, or possibly spent by calls without an answer. Unknown prices count as 0."""
        with self._lock:
            costs = [_cost(name) for attempts in self._listed().values() for name in attempts.values()]
        return sum(cost for cost in costs if cost is not None)

    def n_without_price(self) -> int:
        """Return the number of answers without a known cost."""
        with self._lock:
            return sum(_cost(name) is None for attempts in self._listed().values() for name in attempts.values())

    def calls(self) -> Iterator[PaidCall]:
        """Yield every call, one per attempt, in order of their names."""
        with self._lock:
            names = sorted(name for attempts in self._listed().values() for name in attempts.values())
        with ThreadPoolExecutor(READERS) as pool:
            yield from pool.map(self._read, names)

    def _listed(self) -> dict[str, dict[str, str]]:
        if self._names is None:
            self._names = _index(self._blobs.list_names())
        return self._names

    def _read(self, name: str) -> PaidCall:
        try:
            values: dict[str, Any] = {"cost_nanousd": None} | json.loads(self._blobs.read_bytes(name))
            call = PaidCall(**values)
            if call.name != name:
                raise ValueError(f"its content belongs to {call.name}")
        except (ValueError, TypeError) as error:
            raise ArtifactDamaged(
                f"{name}: this object of the ledger of paid calls cannot be read ({error}). Restore it from a backup. "
                "If you delete it, its frame is described and paid for again."
            ) from error
        return call


def _index(names: Iterable[str]) -> dict[str, dict[str, str]]:
    index: dict[str, dict[str, str]] = {}
    for name in names:
        _add(index, name)
    return index


def _add(index: dict[str, dict[str, str]], name: str) -> None:
    match = NAME.fullmatch(name)
    if match is None:
        return  # a file that some tool left in the folder
    attempts = index.setdefault(match["call_key"], {})
    if match["status"] != "sent" or match["attempt"] not in attempts:
        attempts[match["attempt"]] = name


def _answer_name(index: dict[str, dict[str, str]], call_key: str) -> str | None:
    return min((name for name in index.get(call_key, {}).values() if name.split(".")[2] in REUSABLE), default=None)


def _cost(name: str) -> int | None:
    cost = name.split(".")[3]
    return None if cost == "x" else int(cost)
