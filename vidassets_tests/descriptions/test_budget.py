import threading
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.descriptions.budget import Budget, budget_in_usd
from vidassets.descriptions.prices import Price
from vidassets.errors import BudgetError

PRICE = Price("m", 1.0, 1.0, date(2026, 1, 1), "a page", image_base_tokens=100)
CALLS = st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1), st.sampled_from(["paid", "lost", "released"])))


@given(calls=CALLS, run_limit=st.integers(0, 400), dataset_limit=st.integers(0, 400), before=st.integers(0, 400))
def test_no_order_of_calls_and_failures_exceeds_a_limit(calls, run_limit: int, dataset_limit: int, before: int):
    budget, spent = Budget(run_limit, dataset_limit, before), 0
    for bound, share, fate in calls:
        reserved = budget.reserve(bound)
        if reserved is None:
            assert spent + bound > min(run_limit, dataset_limit - before)  # only what would not fit is left
        elif fate == "paid":
            budget.settle(reserved, int(bound * share))
            spent += int(bound * share)
        elif fate == "released":
            budget.settle(reserved, 0)
        else:
            spent += bound
        assert spent <= run_limit
        assert before + spent <= max(dataset_limit, before)
    assert budget.committed_nanousd == spent


def test_threads_together_reserve_no_more_than_the_limit():
    budget, got, start = Budget(1000, None), [], threading.Barrier(8)

    def reserve_many() -> None:
        start.wait()
        got.extend(reserved for _ in range(500) if (reserved := budget.reserve(3)) is not None)

    threads = [threading.Thread(target=reserve_many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 999
    assert budget.left_nanousd == 1


def test_without_limits_everything_fits():
    assert Budget(None, None).reserve(10**15) == 10**15
    assert Budget(None, None).left_nanousd is None


def test_a_bill_above_its_bound_raises_the_bounds_that_follow(caplog: pytest.LogCaptureFixture):
    budget = Budget(1000, None)
    budget.settle(budget.reserve(100) or 0, 200)
    assert budget.reserve(100) == 200
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
        budget_in_usd(1.0, None, "m", price)
    assert budget_in_usd(None, None, "m", price).reserve(1) == 1


def test_a_free_model_needs_no_way_to_count_pictures():
    budget = budget_in_usd(0.0, None, "m", Price("m", 0, 0, date(2026, 1, 1), ""))
    assert budget.reserve(0) == 0
