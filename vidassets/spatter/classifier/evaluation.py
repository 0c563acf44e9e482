"""The evaluation of a classifier from its logits and the true labels. Uses NumPy only, no torch."""

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
    """The quality of a classifier on one part of a split.

    Args:
        metrics: one row of `spatter_schemas.SpatterEvaluation`.
        builds: rows of `spatter_schemas.SpatterBuildAccuracy`, by name.
        roc: false_high_rate, true_high_rate, threshold, by falling threshold; empty if a class is absent.
        reliability: one row per non-empty bin of probability: probability (mean), high_share, n_crops.
    """

    metrics: pl.DataFrame
    builds: pl.DataFrame
    roc: pl.DataFrame
    reliability: pl.DataFrame


def evaluate(
    logits: NDArray[np.floating], labels: NDArray[np.generic], builds: Sequence[str], *, split: str, part: str
) -> Evaluation:
    """Return the metrics and curves of a classifier on one part of a split.

    Args:
        logits: (N,) of high gas flow.
        labels: (N,), 0 low and 1 high gas flow.
        builds: the build of each crop.
        split: how crops were split: random, build, layer.
        part: train, validation or test.
    Raises:
        TrainingError: there is no crop, or a crop has no label.
    """
    if not len(logits):
        raise TrainingError(f"split {split}: no crop in part {part} to evaluate on. Label more builds.")
    if not np.isin(labels, (0, 1)).all():
        raise TrainingError(f"split {split}: a crop in part {part} has no label. Leave crops of unlabelled builds out.")
    # Logits (N,), truth (N,), probability of high flow (N,) and predicted class (N,).
    logits, high = np.asarray(logits, np.float64), np.asarray(labels) == 1
    probability = 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
    called_high = logits > 0
    reliability, curve = _reliability(probability, high), _roc(logits, high)
    # Correct crops per true class, and the size of each class.
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
        # Computed from the logits: a probability that rounds to 0 or 1 would make it infinite.
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
    """Return the ROC curve, with a threshold at each distinct logit: crops with equal logits cross it together."""
    schema = {"false_high_rate": pl.Float64, "true_high_rate": pl.Float64, "threshold": pl.Float64}
    if high.all() or not high.any():
        return pl.DataFrame(schema=schema)
    # Order of falling logits (N,), and the last position of each run of equal logits (T,).
    order = np.argsort(-logits, kind="stable")
    last_of_equals = np.append(np.flatnonzero(np.diff(logits[order])), len(order) - 1)
    # Crops at or above each threshold, by true class (T,).
    true_high, false_high = np.cumsum(high[order])[last_of_equals], np.cumsum(~high[order])[last_of_equals]
    # Rates and thresholds (T,), preceded by the point (0, 0) at threshold infinity.
    columns = (false_high / false_high[-1], true_high / true_high[-1], logits[order][last_of_equals])
    return pl.DataFrame([np.append(start, c) for start, c in zip((0, 0, np.inf), columns, strict=True)], schema=schema)


def _reliability(probability: NDArray[np.float64], high: NDArray[np.bool_]) -> pl.DataFrame:
    """Return mean probability and share of high flow in bins of equal width.

    The bins are over the probability of high flow. Guo et al. bin the probability of the predicted class, in which
    errors of opposite sign on crops called low and crops called high cancel out.
    """
    # Bin of each crop (N,); probability 1 belongs to the last bin.
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
