"""The table of a clip's descriptions, and the number of frames still missing in it."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC

import polars as pl

from vidassets.descriptions.answers import Answer
from vidassets.schemas.clips import FrameDescriptions


def descriptions_table(clip: str, answers: Iterable[Answer]) -> pl.DataFrame:
    """Return one row per answer, in order of time, with the columns of `schemas.FrameDescriptions`."""
    columns = FrameDescriptions.create_empty().schema
    names = [field.name for field in fields(Answer)]
    rows = [
        {"clip": clip}
        | {name: getattr(answer, name) for name in names}
        | {"described_at": answer.described_at and answer.described_at.astimezone(UTC).replace(tzinfo=None)}
        for answer in answers
    ]
    return pl.DataFrame(rows, schema=columns).sort("frame_index")


def incomplete(descriptions: pl.DataFrame) -> int:
    """Return the number of frames without a description: failed, or not allowed by the budget."""
    return descriptions.select(pl.col("status").is_in(["failed", "over_budget"]).sum()).item()
