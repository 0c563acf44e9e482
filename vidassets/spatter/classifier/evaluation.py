"""How good a classifier is, from its probabilities and the truth. No torch here: arrays in, numbers out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidassets.errors import TrainingError

# Guo et al., "On calibration of modern neural networks", ICML 2017.
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Evaluation:
    """How good it is on one part of a split.

    Args:
        metrics: one row of `spatter_schemas.SpatterEvaluation`.
        builds: rows of `spatter_schemas.SpatterBuildAccuracy`, by name.
        roc: false_high_rate, true_high_rate, threshold; by falling threshold; empty where a class is absent.
        reliability: a row per bin of probability that holds a crop: probability (mean), high_share, n_crops.
    """

    metrics: pl.DataFrame
    builds: pl.DataFrame
    roc: pl.DataFrame
    reliability: pl.DataFrame


def evaluate(
    logits: NDArray[np.floating], labels: NDArray[np.generic], builds: Sequence[str], *, split: str, part: str
) -> Evaluation:
    """Everything that is told of a classifier.

    Args:
        logits: (N,) of high gas flow.
        labels: (N,), 0 low, 1 high.
        builds: the build of each crop.
        split: how crops were parted: random, build, layer.
        part: train, validation or test.
    Raises:
        TrainingError: there is no crop, or one has no label.
    """
    if not len(logits):
        raise TrainingError(f"split {split}: no crop in part {part} to measure by. Label more builds.")
    if not np.isin(labels, (0, 1)).all():
        raise TrainingError(f"split {split}: a crop in part {part} has no label. Leave crops of unlabelled builds out.")
    logits, high = np.asarray(logits, np.float64), np.asarray(labels) == 1
    probability = 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
    called_high = logits > 0
    reliability, curve = _reliability(probability, high), _roc(logits, high)
    right = {1: int((high & called_high).sum()), 0: int((~high & ~called_high).sum())}
    n_high, n_low = int(high.sum()), int((~high).sum())
    both = n_high > 0 and n_low > 0
    metrics = {
        "split": split,
        "part": part,
        "n_crops": len(high),
        "true_low": right[0],
        "false_high": n_low - right[0],
        "false_low": n_high - right[1],
        "true_high": right[1],
        "accuracy": (right[0] + right[1]) / len(high),
        "balanced_accuracy": (right[0] / n_low + right[1] / n_high) / 2 if both else None,
        "roc_auc": float(np.trapezoid(curve["true_high_rate"], curve["false_high_rate"])) if both else None,
        # From the logits: a probability that rounds to 0 or 1 would make it infinite.
        "log_loss": float(np.logaddexp(0, np.where(high, -logits, logits)).mean()),
        "brier_score": float(((probability - high) ** 2).mean()),
        "calibration_error": float(
            ((reliability["probability"] - reliability["high_share"]).abs() * reliability["n_crops"]).sum() / len(high)
        ),
    }
    nullable = {"balanced_accuracy": pl.Float64, "roc_auc": pl.Float64}
    return Evaluation(
        metrics=pl.DataFrame([metrics], schema_overrides=nullable),
        builds=_builds(probability, called_high, high, builds, split, part),
        roc=curve,
        reliability=reliability,
    )


def _roc(logits: NDArray[np.float64], high: NDArray[np.bool_]) -> pl.DataFrame:
    """Rates at every threshold that a crop's logit is; crops of one logit cross it together."""
    schema = {"false_high_rate": pl.Float64, "true_high_rate": pl.Float64, "threshold": pl.Float64}
    if high.all() or not high.any():
        return pl.DataFrame(schema=schema)
    order = np.argsort(-logits, kind="stable")
    last_of_equals = np.append(np.flatnonzero(np.diff(logits[order])), len(order) - 1)
    true_high, false_high = np.cumsum(high[order])[last_of_equals], np.cumsum(~high[order])[last_of_equals]
    columns = (false_high / false_high[-1], true_high / true_high[-1], logits[order][last_of_equals])
    return pl.DataFrame([np.append(start, c) for start, c in zip((0, 0, np.inf), columns, strict=True)], schema=schema)


def _reliability(probability: NDArray[np.float64], high: NDArray[np.bool_]) -> pl.DataFrame:
    """Bins of equal width over the probability of high flow itself, where Guo et al. take that of the class called:
    so that crops called low and crops called high, which may err in opposite ways, do not cancel out.
    """
    bins = np.minimum((probability * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    return (
        pl.DataFrame({"bin": bins, "probability": probability, "high": high})
        .group_by("bin")
        .agg(
            pl.col("probability").mean(),
            pl.col("high").mean().alias("high_share"),
            pl.len().cast(pl.Int64).alias("n_crops"),
        )
        .sort("bin")
        .drop("bin")
    )


def _builds(
    probability: NDArray[np.float64],
    called_high: NDArray[np.bool_],
    high: NDArray[np.bool_],
    builds: Sequence[str],
    split: str,
    part: str,
) -> pl.DataFrame:
    label = pl.col("label")
    return (
        pl.DataFrame(
            {
                "build": pl.Series(builds, dtype=pl.String),
                "label": high.astype(np.int8),
                "right": called_high == high,
                "probability": probability,
            }
        )
        .group_by("build")
        .agg(
            pl.len().cast(pl.Int64).alias("n_crops"),
            pl.when(label.n_unique() == 1).then(label.first()).alias("label"),
            pl.col("right").mean().alias("accuracy"),
            pl.col("probability").mean(),
        )
        .sort("build")
        .select(pl.lit(split).alias("split"), pl.lit(part).alias("part"), pl.all())
    )
