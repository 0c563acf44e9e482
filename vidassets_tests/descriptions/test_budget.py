import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.descriptions.account import Account
from vidassets.descriptions.budget import Budget, budget_in_usd
from vidassets.descriptions.ledger import Ledger, PaidCall
from vidassets.descriptions.prices import Price
from vidassets.errors import BudgetError

BEFORE = PaidCall("ab" * 32, "0" * 12, "ok", 0, "clip-1", "m", "2026-11-05T10:00:00+00:00", "11" * 32, "22" * 8)
PRICE = Price("m", 1.0, 1.0, date(2026, 1, 1), "a page", image_base_tokens=100)
CALLS = st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1), st.sampled_from(["paid", "lost", "released"])))


class Memory:
    """Blobs of this process."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def write_bytes(self, name: str, data: bytes) -> None:
        self.blobs[name] = data

    def update_bytes(self, name: str, change: Callable[[bytes | None], bytes | None]) -> None:
        changed = change(self.blobs.get(name))
        if changed is not None:
            self.blobs[name] = changed

    def read_bytes(self, name: str) -> bytes:
        return self.blobs[name]

    def list_names(self, prefix: str = "") -> list[str]:
        return [name for name in self.blobs if name.startswith(prefix)]


def reserved_by(budget: Budget, bound: int) -> int | None:
    reservation = budget.reserve(bound)
    return reservation and reservation.nanousd


@given(calls=CALLS, run_limit=st.integers(0, 400), dataset_limit=st.integers(0, 400), before=st.integers(0, 400))
def test_no_order_of_calls_and_failures_exceeds_a_limit(calls, run_limit: int, dataset_limit: int, before: int):
    ledger = Ledger(Memory())
    ledger.record(replace(BEFORE, cost_nanousd=before))
    budget, spent = Budget(run_limit, Account(ledger, dataset_limit)), 0
    for bound, share, fate in calls:
        reserved = budget.reserve(bound)
        cost = {"paid": int(bound * share), "released": 0, "lost": bound}[fate]
        if reserved is None:
            assert spent + bound > min(run_limit, dataset_limit - before)  # only what would not fit is left
        else:
            budget.settle(reserved, cost)
            ledger.record(replace(BEFORE, attempt=reserved.attempt, cost_nanousd=cost))
            spent += cost
        assert spent <= run_limit
        assert before + spent <= max(dataset_limit, before)
    assert budget.committed_nanousd == spent


def test_threads_together_reserve_no_more_than_the_limit():
    budget, got, start = Budget(1000), [], threading.Barrier(8)

    def reserve_many() -> None:
        start.wait()
        stop = threading.Event()
        stop.set()  # do not wait until the others are settled
        got.extend(reserved.nanousd for _ in range(500) if (reserved := budget.reserve(3, stop)) is not None)

    threads = [threading.Thread(target=reserve_many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 999
    assert budget.left_nanousd == 1


def test_without_limits_everything_fits():
    assert reserved_by(Budget(None), 10**15) == 10**15
    assert Budget(None).left_nanousd is None


def test_a_bill_above_its_bound_raises_the_bounds_that_follow(caplog: pytest.LogCaptureFixture):
    budget = Budget(1000)
    first = budget.reserve(100)
    assert first is not None
    budget.settle(first, 200)
    assert reserved_by(budget, 100) == 200
    assert "2.00 times its upper bound" in caplog.text


@pytest.mark.parametrize(
    ("price", "fix"),
    [
        pytest.param(None, "Add the model to `prices`", id="no price"),
        pytest.param(Price("m", 1, 1, date(2026, 1, 1), ""), "image_base_tokens", id="no way to count pictures"),
    ],
)
def test_a_budget_that_cannot_be_enforced_is_refused(price: Price | None, fix: str):
    with pytest.raises(BudgetError, match=fix):
        budget_in_usd(1.0, None, "m", price, Ledger(Memory()))
    assert reserved_by(budget_in_usd(None, None, "m", price, Ledger(Memory())), 1) == 1


def test_a_free_model_needs_no_way_to_count_pictures():
    budget = budget_in_usd(0.0, 0.0, "m", Price("m", 0, 0, date(2026, 1, 1), ""), Ledger(Memory()))
    assert reserved_by(budget, 0) == 0
