"""The list of crops that are most worth labelling, and the labels that people gave to crops.

The list is a table with an empty column `label`, which a person fills in completely or in part. Each label is appended
to the table of decisions; decisions are never changed. A decision refers to its crop by clip, time and box, so that it
also applies after an extraction with other settings. A decision without a matching crop is reported and kept.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidassets.edited_tables import read_edited_csv, spreadsheet_csv
from vidassets.errors import SchemaViolation
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.types.embedding import KEY, CropFeatures

BOX = ["box_x1", "box_y1", "box_x2", "box_y2"]
PLACE = ["clip", "pts_s", *BOX]
# A crop matches a decision if their boxes overlap by half (Everingham et al., the PASCAL VOC challenge, 2010).
SAME_BOX_IOU = 0.5
# Presentation times are rounded by CSV and by the container's clock: less than a millisecond apart is the same frame.
SAME_FRAME_S = 1e-3
# Candidates considered per requested label, taken from the least certain crops. Chosen here.
CANDIDATES = 5
# Takes back an earlier label in the file that a person fills in; an empty field changes nothing.
WITHDRAW = "-"


class Replayed(NamedTuple):
    """The result of `replay_decisions`.

    Args:
        labels: clip, event_index, label; one row per labelled crop.
        lost: the decisions without a matching crop.
    """

    labels: pl.DataFrame
    lost: pl.DataFrame


def request_labels(features: CropFeatures, types: pl.DataFrame, n_crops: int = 50) -> pl.DataFrame:
    """Return at most n_crops crops that are most worth labelling; columns in `spatter_schemas.SpatterLabelRequests`.

    Candidates are the crops whose label is least certain, or whose cluster is if there are no labels yet. From these,
    the crop farthest from all chosen and labelled crops is chosen repeatedly: the farthest-first order of Sener and
    Savarese, "Active learning for convolutional neural networks: a core-set approach", ICLR 2018, here limited to
    uncertain crops. Of ten crops that look the same, only one has to be labelled.

    Args:
        features: of the crops.
        types: rows of `spatter_schemas.SpatterTypes` of the same crops, in the same order.
        n_crops: maximum number of crops.
    """
    # Uncertainty (N,): of the label, or of the cluster until people have named two kinds.
    confidence = types.select(pl.coalesce("label_confidence", "cluster_confidence")).to_series()
    uncertainty = 1.0 - confidence.to_numpy().astype(np.float64)
    # Candidates: the rows without a person's label that are least certain.
    labelled = types["label_source"].eq_missing("person").to_numpy()
    unlabelled = np.flatnonzero(~labelled)
    candidates = unlabelled[np.argsort(-uncertainty[unlabelled], kind="stable")][: max(0, n_crops) * CANDIDATES]
    chosen = _farthest_first(features.matrix, candidates, np.flatnonzero(labelled), n_crops)
    table = features.crops[chosen].select(*KEY, "pts_s", *BOX)
    return spatter_schemas.SpatterLabelRequests.validate(
        table.with_columns(
            pl.int_range(pl.len(), dtype=pl.Int32).alias("rank"),
            types["cluster"][chosen].alias("cluster"),
            pl.Series("uncertainty", uncertainty[chosen], dtype=pl.Float64),
        ).select(spatter_schemas.SpatterLabelRequests.column_names())
    )


def export_requests(requests: pl.DataFrame) -> bytes:
    """Return the list as CSV with empty columns `label` and `labelled_by` for a person to fill in."""
    empty = pl.lit(None, pl.String)
    return spreadsheet_csv(requests.with_columns(empty.alias("label"), empty.alias("labelled_by")))


def append_filled_in(decisions: pl.DataFrame, csv: bytes, name: str = "labels") -> pl.DataFrame:
    """Append the labels of a filled-in list to the decisions; columns in `spatter_schemas.SpatterLabelDecisions`.

    A row with an empty label changes nothing; `-` takes a label back. Labels that already stand are not added again, so
    the same list may be read again after more of it has been filled in.

    Args:
        decisions: rows of `spatter_schemas.SpatterLabelDecisions`.
        csv: with the columns of `export_requests` in any order; other columns are ignored.
        name: of the file, for error messages.

    Raises:
        SchemaViolation: the file is not such a CSV.
    """
    how_to_fix = "Fill in the column `label` of the exported list, and leave the other columns unchanged."
    wanted = {"clip": pl.String, "pts_s": pl.Float64, **dict.fromkeys(BOX, pl.Int32), "label": pl.String}
    try:
        filled = read_edited_csv(csv)
        if "labelled_by" not in filled.columns:
            filled = filled.with_columns(pl.lit(None, pl.String).alias("labelled_by"))
        filled = filled.select([pl.col(column).cast(dtype) for column, dtype in wanted.items()] + ["labelled_by"])
    except (pl.exceptions.PolarsError, ValueError) as error:
        reason = str(error).partition("\n")[0]  # the rest describes the query
        raise SchemaViolation(f"{name}: this is not a list of crops to label ({reason}). {how_to_fix}") from error
    filled = filled.with_columns(pl.col("label", "labelled_by").str.strip_chars())
    filled = filled.filter(pl.col("label").fill_null("") != "")
    if filled.select(PLACE).null_count().sum_horizontal().item():
        raise SchemaViolation(f"{name}: a labelled row lacks its clip, time or box. {how_to_fix}")
    filled = filled.with_columns(pl.col("label").replace(WITHDRAW, None))
    standing = _standing(decisions).select(*PLACE, "label")
    known = filled.join(standing, on=[*PLACE, "label"], how="semi", nulls_equal=True)
    # Drop withdrawals of labels that were never given.
    never_given = filled.filter(pl.col("label").is_null()).join(standing, on=PLACE, how="anti")
    fresh = filled.join(pl.concat([known, never_given]), on=[*PLACE, "label"], how="anti", nulls_equal=True)
    fresh = fresh.with_columns((pl.int_range(pl.len()) + len(decisions)).cast(pl.Int32).alias("decision"))
    columns = spatter_schemas.SpatterLabelDecisions.column_names()
    return spatter_schemas.SpatterLabelDecisions.validate(pl.concat([decisions.select(columns), fresh.select(columns)]))


def replay_decisions(decisions: pl.DataFrame, events: pl.DataFrame) -> Replayed:
    """Apply the decisions to the current crops.

    Each standing decision is matched to the crop of its clip and frame whose box overlaps most, by at least half. If
    two decisions match the same crop, the later one counts.

    Args:
        decisions: rows of `spatter_schemas.SpatterLabelDecisions`.
        events: rows of `spatter_schemas.SpatterEvents`, of one or many builds.
    """
    standing = _standing(decisions)
    labelled = standing.filter(pl.col("label").is_not_null())
    # Join on the millisecond and its two neighbours, so that rounding never separates a decision from its crop.
    tick = (pl.col("pts_s") / SAME_FRAME_S).round().cast(pl.Int64).alias("tick")
    candidates = events.select(*KEY, "pts_s", *BOX).with_columns(tick)
    near = pl.concat([labelled.with_columns(tick + step) for step in (-1, 0, 1)])
    pairs = near.join(candidates, on=["clip", "tick"], suffix="_event").filter(
        (pl.col("pts_s") - pl.col("pts_s_event")).abs() < SAME_FRAME_S
    )
    # Keep pairs that overlap enough; then the best crop of each decision, and the last decision of each crop.
    pairs = pairs.with_columns(_iou().alias("iou")).filter(pl.col("iou") >= SAME_BOX_IOU)
    best = pairs.sort("iou", "event_index", descending=[True, False]).unique("decision", keep="first")
    labels = best.sort("decision").unique(KEY, keep="last").sort(KEY).select(*KEY, "label")
    lost = labelled.join(best, on="decision", how="anti").sort("decision")
    return Replayed(labels, lost)


def _standing(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return the last decision on each place, in order, including withdrawals."""
    return decisions.sort("decision").unique(PLACE, keep="last").sort("decision")


def _iou() -> pl.Expr:
    """Return the intersection over union of the boxes in the columns box_… and box_…_event."""

    def side(axis: str) -> pl.Expr:
        low = pl.max_horizontal(f"box_{axis}1", f"box_{axis}1_event")
        high = pl.min_horizontal(f"box_{axis}2", f"box_{axis}2_event")
        return (high - low).clip(0).cast(pl.Int64)

    def area(suffix: str) -> pl.Expr:
        x1, y1, x2, y2 = (pl.col(f"{column}{suffix}").cast(pl.Int64) for column in BOX)
        return (x2 - x1) * (y2 - y1)

    shared = side("x") * side("y")
    return shared / (area("") + area("_event") - shared)


def _farthest_first(
    rows: NDArray[np.float32], candidates: NDArray[np.intp], known: NDArray[np.intp], n_crops: int
) -> list[int]:
    """Return up to n_crops candidates. Each is the farthest from all known and chosen rows; ties go to the first.

    Args:
        rows: float32 (N, K).
        candidates: row numbers (C,).
        known: row numbers of labelled crops.
        n_crops: to choose.
    """
    # Squared distance (C,) of each candidate (C, K) to the nearest known row.
    points = rows[candidates]
    from_nearest = np.full(len(points), np.inf)
    for row in known:
        np.minimum(from_nearest, ((points - rows[row]) ** 2).sum(axis=1), out=from_nearest)
    # Choose the farthest candidate, then update the distances with it.
    chosen: list[int] = []
    while len(chosen) < min(n_crops, len(candidates)):
        pick = int(np.argmax(from_nearest))
        chosen.append(int(candidates[pick]))
        np.minimum(from_nearest, ((points - points[pick]) ** 2).sum(axis=1), out=from_nearest)
        from_nearest[pick] = -1  # never chosen again, even if all crops are alike
    return chosen
