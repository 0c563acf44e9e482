import random
import threading
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.descriptions.pacing import Pacer, backoff_s, retry_after_s

NOW = datetime(2026, 11, 5, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        pytest.param({"retry-after": "7"}, 7.0, id="seconds"),
        pytest.param({"retry-after": "0.5"}, 0.5, id="a fraction"),
        pytest.param({"retry-after": "1", "retry-after-ms": "120"}, 0.12, id="milliseconds first"),
        pytest.param({"retry-after": "Thu, 05 Nov 2026 12:00:30 GMT"}, 30.0, id="a date"),
        pytest.param({"retry-after": "Thu, 05 Nov 2026 12:00:30 -0000"}, 30.0, id="a date of no zone"),
        pytest.param({"retry-after": "Thu, 05 Nov 2026 11:00:00 GMT"}, 0.0, id="a date that is past"),
        pytest.param({"retry-after": "-3"}, 0.0, id="negative"),
        pytest.param({"retry-after": "soon"}, None, id="nonsense"),
        pytest.param({"retry-after": "inf"}, None, id="for ever"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_the_requested_wait_is_parsed(headers: dict[str, str], wait_s: float | None):
    assert retry_after_s(headers, NOW) == wait_s


@given(tries=st.integers(1, 2000), first_s=st.floats(0.001, 10), longest_s=st.floats(0.001, 100))
def test_a_wait_is_never_longer_than_the_longest(tries: int, first_s: float, longest_s: float):
    assert 0 < backoff_s(tries, first_s, longest_s, random.Random(0)) <= longest_s


def test_waits_double():
    jitter = random.Random(1)
    assert all(2 ** (n - 2) <= backoff_s(n, 1.0, 1e9, jitter) <= 2 ** (n - 1) for n in range(1, 12))


def test_threads_together_keep_the_rate():
    pacer, times_s, stop = Pacer(100.0), [], threading.Event()

    def go() -> None:
        for _ in range(5):
            pacer.wait(stop)
            times_s.append(time.monotonic())

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A late thread can only lengthen the total: 20 requests at 100 per second take at least 0.19 s.
    assert max(times_s) - min(times_s) > 0.15


def test_a_stop_ends_a_wait():
    pacer, stop = Pacer(100.0), threading.Event()
    pacer.hold(3600)
    threading.Timer(0.05, stop.set).start()
    pacer.wait(stop)  # without the stop, the test would run into the suite's timeout
