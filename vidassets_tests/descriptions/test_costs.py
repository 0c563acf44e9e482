from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl

from vidassets.descriptions.answers import Answer
from vidassets.descriptions.costs import sum_costs
from vidassets.descriptions.ledger import PaidCall
from vidassets.descriptions.measured import describe_measured
from vidassets.descriptions.table import descriptions_table, incomplete
from vidassets.schemas.clips import DescriptionCosts, FrameDescriptions
from vidassets_tests.descriptions.pictures import frames_of

CALL = PaidCall(
    "ab" * 32, "0" * 12, "ok", 1000, "a", "m-1", "2026-11-05T23:59:59+00:00", "11" * 32, "22" * 8, "A pipe.",
    input_tokens=100, output_tokens=20, latency_s=1.0,
)  # fmt: skip


def test_calls_are_summed_by_clip_model_and_day():
    calls = [
        CALL,
        replace(CALL, status="refused"),
        replace(CALL, at="2026-11-06T00:00:01+00:00"),
        replace(CALL, clip="b"),
        replace(CALL, model="m-2"),
    ]
    costs = sum_costs(calls)
    assert costs.select("clip", "model", "day", "calls", "ok", "not_ok", "input_tokens", "output_tokens").rows() == [
        ("a", "m-1", date(2026, 11, 5), 2, 1, 1, 200, 40),
        ("a", "m-1", date(2026, 11, 6), 1, 1, 0, 100, 20),
        ("a", "m-2", date(2026, 11, 5), 1, 1, 0, 100, 20),
        ("b", "m-1", date(2026, 11, 5), 1, 1, 0, 100, 20),
    ]
    assert costs["cost_usd"].to_list() == [2e-6, 1e-6, 1e-6, 1e-6]


def test_one_unknown_price_makes_the_sum_unknown():
    assert sum_costs([CALL, replace(CALL, cost_nanousd=None)])["cost_usd"].to_list() == [None]


def test_a_call_without_an_answer_is_no_call_but_may_have_cost():
    sent = PaidCall("ab" * 32, "1" * 12, "sent", 5000, "a", "m", CALL.at, "11" * 32, "22" * 8)
    assert sum_costs([sent]).row(0, named=True) == {
        "clip": "a", "model": "m", "day": date(2026, 11, 5), "calls": 0, "ok": 0, "not_ok": 1,
        "input_tokens": 0, "output_tokens": 0, "cost_usd": 5e-6,
    }  # fmt: skip


def test_a_reservation_given_back_is_not_counted():
    released = PaidCall("ab" * 32, "1" * 12, "failed", 0, "a", "m", CALL.at, "11" * 32, "22" * 8, error="429")
    assert sum_costs([released]).height == 0


def test_measured_frames_are_listed_at_no_cost_and_paid_rows_are_not_counted_again():
    measured = descriptions_table("a", describe_measured(frames_of(3)))
    paid = descriptions_table("b", [Answer(0, 5.0, "11" * 32, "m-1", "ok", described_at=datetime.now(UTC))])
    [row] = sum_costs([], [measured, paid]).rows(named=True)
    assert (row["clip"], row["model"], row["calls"], row["ok"], row["cost_usd"]) == ("a", "measured", 3, 3, 0.0)


def test_nothing_described_is_an_empty_table():
    assert DescriptionCosts.is_valid(sum_costs([]))
    assert sum_costs([]).height == 0


def test_answers_become_rows_in_order_of_time():
    answers = [
        Answer(1, 15.0, "11" * 32, "m", "failed", error="500"),
        Answer(0, 5.0, "22" * 32, "m", "ok", "A pipe.", tools=[]),
        Answer(2, 25.0, "33" * 32, "m", "over_budget"),
    ]
    table = descriptions_table("a", answers)
    assert FrameDescriptions.is_valid(table)
    assert table["frame_index"].to_list() == [0, 1, 2]
    assert table["tools"].to_list() == [[], None, None]
    assert incomplete(table) == 2
    assert incomplete(table.clear()) == 0
    assert isinstance(table, pl.DataFrame)
