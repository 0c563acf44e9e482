"""What descriptions have cost: tokens and money by clip, model and day."""

from collections.abc import Iterable

import polars as pl

from vidassets.descriptions.ledger import Entry
from vidassets.descriptions.measured import MODEL as MEASURED
from vidassets.descriptions.prices import NANO_PER_USD
from vidassets.schemas.clips import DescriptionCosts

KEYS = ("clip", "model", "day")


def sum_costs(entries: Iterable[Entry], described: Iterable[pl.DataFrame] = ()) -> pl.DataFrame:
    """Tokens and money of all calls; columns in `schemas.DescriptionCosts`, sorted by clip, model, day (UTC).

    Args:
        entries: the ledger: what was paid, though the frames it was paid for may be gone. A call without an answer
            counts no call, one not ok, and the most it may have cost.
        described: tables of `schemas.FrameDescriptions`, for the rows that were measured and cost nothing.
    """
    paid = pl.DataFrame(
        [_row(entry) for entry in entries if not _is_released(entry)],
        schema={
            **dict.fromkeys(("clip", "model", "at"), pl.String),
            **dict.fromkeys(("calls", "ok", "not_ok", "input_tokens", "output_tokens", "cost_nanousd"), pl.Int64),
        },
        orient="row",
    ).with_columns(day=pl.col("at").str.slice(0, 10).str.to_date())
    calls = [paid.drop("at"), *(_measured(table) for table in described)]
    return (
        pl.concat(calls, how="diagonal_relaxed")
        .group_by(KEYS)
        .agg(
            pl.col("calls", "ok", "not_ok", "input_tokens", "output_tokens").sum(),
            pl.when(pl.col("cost_nanousd").is_null().any())
            .then(None)
            .otherwise(pl.col("cost_nanousd").sum())
            .truediv(NANO_PER_USD)
            .round(9)  # whole nano-USD again: division of many at once is not exact
            .alias("cost_usd"),
        )
        .select(DescriptionCosts.column_names())
        .sort(KEYS)
        .pipe(DescriptionCosts.validate, cast=True)
    )


def _is_released(entry: Entry) -> bool:
    """A reservation that was given back: nothing was asked, or the endpoint turned it away unpaid."""
    return entry.status == "failed" and entry.latency_s is None


def _row(entry: Entry) -> tuple[str, str, str, int, int, int, int, int, int | None]:
    ok, answered = entry.status == "ok", entry.status != "sent"
    tokens = (entry.input_tokens or 0, entry.output_tokens or 0)
    return entry.clip, entry.model, entry.at, int(answered), int(ok), int(not ok), *tokens, entry.cost_nanousd


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
