"""The table of a clip's descriptions, and what is still to be done in it."""

from collections.abc import Iterable
from dataclasses import fields

import polars as pl

from vidassets.descriptions.answers import Answer
from vidassets.schemas.clips import FrameDescriptions


def descriptions_table(clip: str, answers: Iterable[Answer]) -> pl.DataFrame:
    """One row per answer, in order of time; columns in `schemas.FrameDescriptions`. No answers, no rows."""
    columns = FrameDescriptions.create_empty().schema
    names = [field.name for field in fields(Answer)]
    rows = [{"clip": clip} | {name: getattr(answer, name) for name in names} for answer in answers]
    return pl.DataFrame(rows, schema=columns).sort("frame_index")


def incomplete(descriptions: pl.DataFrame) -> int:
    """How many frames still want a description: those that failed and those the budget did not allow."""
    return descriptions.select(pl.col("status").is_in(["failed", "over_budget"]).sum()).item()
