"""The assets that describe sampled frames in words, sum up the costs, and export both as one document."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import dagster as dg
import polars as pl

from vidassets.assets.sources.clip_file import ClipFile
from vidassets.descriptions.prices import format_usd
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.clip_check import ClipCheck, Verdict
from vidassets.graph.dataset_asset import AllClips, dataset_asset
from vidassets.graph.declared_asset import WAITING_FOR, AssetResult, Figure
from vidassets.graph.parameters import OncePerRun
from vidassets.progress import counted
from vidassets.resources.store import Store
from vidassets.schemas import clips as clip_schemas
from vidassets.sources.source import Source

if TYPE_CHECKING:
    from vidassets.descriptions.answers import Describer
    from vidassets.descriptions.ledger import Ledger

PAID_CALLS = "paid_calls"  # the ledger's folder in the store
ROWS_SHOWN = 20


def _ledger(store: Store) -> "Ledger":
    from vidassets.descriptions.ledger import Ledger

    return Ledger(store.open().records(PAID_CALLS))


def _every_frame_described(descriptions: pl.DataFrame) -> Verdict:
    counts = dict(descriptions["status"].value_counts().iter_rows())
    figures = {f"n_{status}": count for status, count in counts.items()}
    waiting = counts.get("failed", 0) + counts.get("over_budget", 0)
    if waiting:
        errors = descriptions["error"].drop_nulls().unique().head(3).to_list()
        return Verdict(
            False,
            f"{waiting} of {len(descriptions)} frames not described: {'; '.join(errors)}. The next run retries them.",
            figures,
        )
    return Verdict(True, f"all {len(descriptions)} frames are described", figures)


def _first_rows(artifact: pl.DataFrame) -> str:
    from vidassets.frames.contact_sheet import time_label

    if artifact.is_empty():
        return "No sampled frames, so nothing to describe."
    lines = ["| time | description | status |", "|---|---|---|"]
    for row in artifact.head(ROWS_SHOWN).iter_rows(named=True):
        text = (row["description"] or row["error"] or "").replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {time_label(row['pts_s'])} | {text} | {row['status']} |")
    return "\n".join(lines)


@clip_asset(
    group="descriptions",
    kinds={"parquet"},
    version="2",
    schema=clip_schemas.FrameDescriptions,
    pool="describer",
    checks=[
        ClipCheck(
            "every_frame_described",
            "Is every frame described, with none failed or left over for lack of budget?",
            _every_frame_described,
            dg.AssetCheckSeverity.WARN,
        )
    ],
    preview=_first_rows,
    references={"frames": ["clip", "frame_index"]},
    figures=[
        Figure("descriptions", in_table=False),
        Figure("cost_usd", "cost_usd", header="cost", format=format_usd),
    ],
)
def frame_descriptions(
    clip: str, frames: pl.DataFrame, describer: "Describer", ledger: Annotated["Ledger", OncePerRun(_ledger)]
) -> AssetResult:
    """Describe each sampled frame in words with the profile's describer: measured facts, or a vision model.

    No answer is paid for twice: each is kept by picture, prompt, model and parameters. A budget is never exceeded:
    a frame that would exceed it is marked `over_budget` and left to a later run.
    """
    from vidassets.descriptions.answers import frames_to_describe
    from vidassets.descriptions.table import descriptions_table, incomplete

    answers = describer.describe(clip, frames_to_describe(frames), ledger)
    table = descriptions_table(clip, counted(answers, "frames", len(frames)))
    paid = table.filter(~pl.col("reused"))["cost_usd"].sum()
    metadata: dict[str, Any] = {
        "model": ", ".join(sorted(table["model"].unique())),
        "cost_usd": float(paid),
        "reused": int(table["reused"].sum()),
        "input_tokens": int(table["input_tokens"].sum() or 0),
        "output_tokens": int(table["output_tokens"].sum() or 0),
    }
    if errors := table.filter(pl.col("status").is_in(["failed", "over_budget"]))["error"].drop_nulls().to_list():
        metadata[WAITING_FOR] = max(set(errors), key=errors.count)
    return AssetResult(table, metadata, incomplete=incomplete(table))


@clip_asset(group="descriptions", kinds={"json"}, version="1", extension="json")
def description_document(source_video: Source, raw_clip: ClipFile, frame_descriptions: pl.DataFrame) -> bytes:
    """Export one JSON document per clip: the sidecar's metadata, and each frame's description, tokens and cost."""
    from vidassets.descriptions.export import build_document

    return json.dumps(build_document(raw_clip.row, frame_descriptions), indent=2, ensure_ascii=False).encode()


def _by_model(artifact: pl.DataFrame) -> str:
    by_model = artifact.group_by("model").agg(pl.col("calls", "input_tokens", "output_tokens", "cost_usd").sum())
    lines = ["| model | calls | input tokens | output tokens | USD |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(str(value) for value in row) + " |" for row in by_model.sort("model").iter_rows()]
    return "\n".join(lines)


@dataset_asset(
    group="descriptions", kinds={"parquet"}, version="1", schema=clip_schemas.DescriptionCosts, preview=_by_model
)
def description_costs(frame_descriptions: AllClips, store: Store) -> pl.DataFrame:
    """Sum tokens and costs of all descriptions ever requested, by clip, model and day."""
    from vidassets.descriptions.costs import sum_costs

    return sum_costs(_ledger(store).calls(), (table for _, table in frame_descriptions))
