"""Which crops are most worth a person's label, and what people said of crops, kept and replayed.

The list is a table with an empty column `label`: a person fills it in, whole or in part, and hands it back. Every word
becomes a decision behind those that are there; none is ever changed. A decision names its crop by clip, time and box,
so that it finds it again after an extraction with other settings; one that finds none is reported and kept.
"""

from io import BytesIO
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidassets.errors import SchemaViolation
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.types.embedding import KEY, CropFeatures

BOX = ["box_x1", "box_y1", "box_x2", "box_y2"]
PLACE = ["clip", "pts_s", *BOX]
# A crop is the one that was meant if their boxes overlap by half (Everingham et al., the PASCAL VOC challenge, 2010).
SAME_BOX_IOU = 0.5
# Presentation times go through CSV and a container's clock: less than a millisecond is the same frame.
SAME_FRAME_S = 1e-3
# Of the least certain crops this many times as many as are asked for stand for election. Chosen here.
CANDIDATES = 5
# What takes a label back in the file that a person fills in; an empty field says nothing.
WITHDRAW = "-"


class Replayed(NamedTuple):
    """labels: clip, event_index, label, one row per labelled crop; lost: the decisions that found no crop."""

    labels: pl.DataFrame
    lost: pl.DataFrame


def label_requests(features: CropFeatures, types: pl.DataFrame, n_crops: int = 50) -> pl.DataFrame:
    """The crops most worth a person's label, at most n_crops; columns in `spatter_schemas.SpatterLabelRequests`.

    Of those whose label (while there are none, whose cluster) is least certain, each the one farthest from what is
    chosen or labelled by a person: the farthest-first order of Sener and Savarese, "Active learning for convolutional
    neural networks: a core-set approach", ICLR 2018, kept to crops in doubt. Ten that look the same cost one label.

    Args:
        features: of the crops.
        types: rows of `spatter_schemas.SpatterTypes` of the same crops, in the same order.
        n_crops: to be listed.
    """
    # Before people have named two kinds there is only the cluster to be unsure of.
    confidence = types.select(pl.coalesce("label_confidence", "cluster_confidence")).to_series()
    uncertainty = 1.0 - confidence.to_numpy().astype(np.float64)
    labelled = types["label_source"].eq_missing("person").to_numpy()
    open_rows = np.flatnonzero(~labelled)
    doubtful = open_rows[np.argsort(-uncertainty[open_rows], kind="stable")][: max(0, n_crops) * CANDIDATES]
    chosen = _farthest_first(features.matrix, doubtful, np.flatnonzero(labelled), n_crops)
    table = features.crops[chosen].select(*KEY, "pts_s", *BOX)
    return spatter_schemas.SpatterLabelRequests.validate(
        table.with_columns(
            pl.int_range(pl.len(), dtype=pl.Int32).alias("rank"),
            types["cluster"][chosen].alias("cluster"),
            pl.Series("uncertainty", uncertainty[chosen], dtype=pl.Float64),
        ).select(spatter_schemas.SpatterLabelRequests.column_names())
    )


def requests_csv(requests: pl.DataFrame) -> bytes:
    """The list as CSV with empty columns `label` and `labelled_by`, to be filled in by a person."""
    empty = pl.lit(None, pl.String)
    return requests.with_columns(empty.alias("label"), empty.alias("labelled_by")).write_csv().encode()


def append_filled(decisions: pl.DataFrame, csv: bytes, name: str = "labels") -> pl.DataFrame:
    """The decisions with those of a filled-in list behind them; columns in `spatter_schemas.SpatterLabelDecisions`.

    A row whose label is empty says nothing; `-` takes a label back. What is said already is not said twice, so a list
    may be handed in again after more of it was filled in.

    Args:
        decisions: rows of `spatter_schemas.SpatterLabelDecisions`.
        csv: with the columns of `requests_csv`, in any order; others are passed over.
        name: what errors call the file.

    Raises:
        SchemaViolation: not such a CSV.
    """
    mend = "Fill in the column `label` of the list as it was exported, and leave the others as they are."
    wanted = {"clip": pl.String, "pts_s": pl.Float64, **dict.fromkeys(BOX, pl.Int32), "label": pl.String}
    try:
        filled = pl.read_csv(BytesIO(csv), infer_schema=False)
        if "labelled_by" not in filled.columns:
            filled = filled.with_columns(pl.lit(None, pl.String).alias("labelled_by"))
        filled = filled.select([pl.col(column).cast(dtype) for column, dtype in wanted.items()] + ["labelled_by"])
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        why = str(error).partition("\n")[0]  # the rest is about the query
        raise SchemaViolation(f"{name}: not a list of crops to label ({why}). {mend}") from error
    filled = filled.with_columns(pl.col("label", "labelled_by").str.strip_chars())
    filled = filled.filter(pl.col("label").fill_null("") != "")
    if filled.select(PLACE).null_count().sum_horizontal().item():
        raise SchemaViolation(f"{name}: a labelled row lacks its clip, time or box. {mend}")
    filled = filled.with_columns(pl.col("label").replace(WITHDRAW, None))
    standing = _standing(decisions).select(*PLACE, "label")
    known = filled.join(standing, on=[*PLACE, "label"], how="semi", nulls_equal=True)
    # Taking back what nobody said would be a decision about nothing.
    never_said = filled.filter(pl.col("label").is_null()).join(standing, on=PLACE, how="anti")
    fresh = filled.join(pl.concat([known, never_said]), on=[*PLACE, "label"], how="anti", nulls_equal=True)
    fresh = fresh.with_columns((pl.int_range(pl.len()) + len(decisions)).cast(pl.Int32).alias("decision"))
    columns = spatter_schemas.SpatterLabelDecisions.column_names()
    return spatter_schemas.SpatterLabelDecisions.validate(pl.concat([decisions.select(columns), fresh.select(columns)]))


def replay(decisions: pl.DataFrame, events: pl.DataFrame) -> Replayed:
    """What the decisions say of the crops that are there now.

    Each standing decision goes to the crop of its clip and frame whose box overlaps its own most, and by half at least.
    Where two go to one crop, the later counts.

    Args:
        decisions: rows of `spatter_schemas.SpatterLabelDecisions`.
        events: rows of `spatter_schemas.SpatterEvents`, of one or many builds.
    """
    standing = _standing(decisions)
    labelled = standing.filter(pl.col("label").is_not_null())
    # Joined by the millisecond, and those beside it: rounding never parts a decision from its crop.
    tick = (pl.col("pts_s") / SAME_FRAME_S).round().cast(pl.Int64).alias("tick")
    candidates = events.select(*KEY, "pts_s", *BOX).with_columns(tick)
    near = pl.concat([labelled.with_columns(tick + step) for step in (-1, 0, 1)])
    pairs = near.join(candidates, on=["clip", "tick"], suffix="_event").filter(
        (pl.col("pts_s") - pl.col("pts_s_event")).abs() < SAME_FRAME_S
    )
    pairs = pairs.with_columns(_iou().alias("iou")).filter(pl.col("iou") >= SAME_BOX_IOU)
    best = pairs.sort("iou", "event_index", descending=[True, False]).unique("decision", keep="first")
    labels = best.sort("decision").unique(KEY, keep="last").sort(KEY).select(*KEY, "label")
    lost = labelled.join(best, on="decision", how="anti").sort("decision")
    return Replayed(labels, lost)


def _standing(decisions: pl.DataFrame) -> pl.DataFrame:
    """The last decision on each place, in order; withdrawals among them."""
    return decisions.sort("decision").unique(PLACE, keep="last").sort("decision")


def _iou() -> pl.Expr:
    """Intersection over union of the columns box_… and box_…_event."""

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
    """Of the candidates as many as asked for, each the farthest from the known and the chosen; the first in order."""
    points = rows[candidates]
    from_nearest = np.full(len(points), np.inf)
    for row in known:
        np.minimum(from_nearest, ((points - rows[row]) ** 2).sum(axis=1), out=from_nearest)
    chosen: list[int] = []
    while len(chosen) < min(n_crops, len(candidates)):
        pick = int(np.argmax(from_nearest))
        chosen.append(int(candidates[pick]))
        np.minimum(from_nearest, ((points - points[pick]) ** 2).sum(axis=1), out=from_nearest)
        from_nearest[pick] = -1  # never again, also among crops that are all alike
    return chosen
