"""The costs of descriptions: tokens and money by clip, model and day."""

from collections.abc import Iterable

import polars as pl

from vidassets.descriptions.ledger import PaidCall
from vidassets.descriptions.measured import MODEL as MEASURED
from vidassets.descriptions.prices import NANO_PER_USD
from vidassets.schemas.clips import DescriptionCosts

KEYS = ("clip", "model", "day")


def sum_costs(calls: Iterable[PaidCall], described: Iterable[pl.DataFrame] = ()) -> pl.DataFrame:
    """Return tokens and costs of all calls, with the columns of `schemas.DescriptionCosts`.

    Args:
        calls: the ledger; it also has calls whose frames no longer exist. A call without an answer counts as 0 calls,
            1 not ok, and the most it may have cost.
        described: tables of `schemas.FrameDescriptions`, for the rows that were measured and cost nothing.
    Returns:
        Rows sorted by clip, model and day (UTC).
    """
    paid = pl.DataFrame(
        [_row(call) for call in calls if not _is_released(call)],
        schema={
            **dict.fromkeys(("clip", "model", "at"), pl.String),
            **dict.fromkeys(("calls", "ok", "not_ok", "input_tokens", "output_tokens", "cost_nanousd"), pl.Int64),
        },
        orient="row",
    ).with_columns(day=pl.col("at").str.slice(0, 10).str.to_date())
    rows = [paid.drop("at"), *(_measured(table) for table in described)]
    return (
        pl.concat(rows, how="diagonal_relaxed")
        .group_by(KEYS)
        .agg(
            pl.col("calls", "ok", "not_ok", "input_tokens", "output_tokens").sum(),
            pl.when(pl.col("cost_nanousd").is_null().any())
            .then(None)
            .otherwise(pl.col("cost_nanousd").sum())
            .truediv(NANO_PER_USD)
            .round(9)  # whole nano-USD again: the division is not exact
            .alias("cost_usd"),
        )
        .select(DescriptionCosts.column_names())
        .sort(KEYS)
        .pipe(DescriptionCosts.validate, cast=True)
    )


def _is_released(call: PaidCall) -> bool:
    """Return whether the reservation was released: nothing was sent, or the endpoint refused it free of charge."""
    return call.status == "released" or (call.status == "failed" and call.latency_s is None)


def _row(call: PaidCall) -> tuple[str, str, str, int, int, int, int, int, int | None]:
    ok, answered = call.status == "ok", call.status != "sent"
    tokens = (call.input_tokens or 0, call.output_tokens or 0)
    return call.clip, call.model, call.at, int(answered), int(ok), int(not ok), *tokens, call.cost_nanousd


def _measured(table: pl.DataFrame) -> pl.DataFrame:
    is_ok = pl.col("status") == "ok"
    zero = pl.lit(0, pl.Int64)
    return table.filter(pl.col("model") == MEASURED, pl.col("described_at").is_not_null()).select(
        "clip",
        "model",
        day=pl.col("described_at").dt.date(),
        calls=pl.lit(1, pl.Int64),
        ok=is_ok.cast(pl.Int64),
        not_ok=(~is_ok).cast(pl.Int64),
        input_tokens=zero,
        output_tokens=zero,
        cost_nanousd=zero,
    )
