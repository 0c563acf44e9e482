"""When the next request may be sent: a rate shared by all threads, growing waits, and waits requested by the server."""

import email.utils
import math
import random
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime


class Pacer:
    """Spaces requests evenly over all threads, never above the rate."""

    def __init__(self, requests_per_second: float):
        self._spacing_s = 1.0 / requests_per_second
        self._next = -math.inf  # monotonic seconds
        self._lock = threading.Lock()

    def wait(self, stop: threading.Event) -> None:
        """Return when a request may be sent, or at once when `stop` is set."""
        while not stop.is_set():
            with self._lock:
                now = time.monotonic()
                if now >= self._next:
                    self._next = now + self._spacing_s
                    return
                left_s = self._next - now
            stop.wait(left_s)

    def hold(self, wait_s: float) -> None:
        """Send nothing for this long: an endpoint that asks one thread to wait means all of them."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + wait_s)


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that a response asks the client to wait, or None.

    `Retry-After` is seconds or an HTTP date (RFC 9110, section 10.2.3); `retry-after-ms` is an addition by OpenAI.

    >>> retry_after_s({"retry-after": "2"}), retry_after_s({"retry-after-ms": "250"}), retry_after_s({})
    (2.0, 0.25, None)
    """
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            wait_s = float(headers[name]) / per_second
        except (KeyError, ValueError):
            continue
        if math.isfinite(wait_s):
            return max(0.0, wait_s)
    try:
        date = email.utils.parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError, TypeError):
        return None
    if date.tzinfo is None:  # the zone is "-0000": UTC from an unknown place
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def backoff_s(tries: int, first_s: float, longest_s: float, jitter: random.Random) -> float:
    """Return a wait that doubles with every try, times a random factor between 0.5 and 1.

    Args:
        tries: number of failed tries, at least 1.
        first_s: the wait after the first failure.
        longest_s: upper limit.
        jitter: random numbers; they keep threads that failed together from retrying together.
    """
    return min(longest_s, first_s * 2.0 ** min(tries - 1, 32)) * jitter.uniform(0.5, 1.0)
