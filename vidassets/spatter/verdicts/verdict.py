"""Compute the probability of high gas flow of layers and of a build, with intervals, and the verdict on a build.

Crops of one layer resemble each other: a thousand crops of three layers carry less information than a thousand of three
hundred. The interval of a build therefore treats layers as the sampled units:

- With `MIN_BOOTSTRAP_LAYERS` or more layers: percentiles of the cluster bootstrap, which draws layers with replacement
  (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8).
- With fewer layers that interval is too narrow (Cameron, Gelbach, Miller, "Bootstrap-based improvements for inference
  with clustered errors", 2008). Then it is Wilson's interval ("Probable inference", 1927) of the effective number of
  crops, n / (1 + (m - 1) rho): Kish's design effect for layers of m crops with intraclass correlation rho.

A probability varies less around its mean than the yes-or-no outcomes that Wilson's interval assumes, so this interval
is rather too wide than too narrow.

A probability means nothing on crops that the classifier does not know: a build that is unlike the training data stays
undecided, and the verdict on a build whose crops are shifted against it is not trusted, see `drift`.
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidassets.errors import InvalidSetting, SchemaViolation
from vidassets.schemas import spatter as spatter_schemas

# The cluster bootstrap fails with 5 to 10 layers and is sound with 30. Chosen here.
MIN_BOOTSTRAP_LAYERS = 20
RESAMPLES = 2000
# Lower bound: few layers may agree by chance, so their crops never count as independent. Chosen here.
MIN_LAYER_CORRELATION = 0.1
# Assumed if it cannot be measured, with one layer or one crop per layer. Chosen here.
UNKNOWN_LAYER_CORRELATION = 0.25
# With fewer crops a single odd crop would decide. Chosen here.
MIN_CROPS = 10


class Interval(NamedTuple):
    """Bounds of a probability and the method by which they were computed."""

    low: float
    high: float
    method: str


def layer_probabilities(predictions: pl.DataFrame, events: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """Return one row per layer with a scored crop; columns in `spatter_schemas.SpatterLayers`.

    The interval is Wilson's over the crops of the layer.

    Args:
        predictions: rows of `spatter_schemas.SpatterPredictions` of one build.
        events: rows of `spatter_schemas.SpatterEvents` of the same build.
        confidence: level of the interval, within (0, 1).

    Raises:
        SchemaViolation: predictions and events are not of the same crops.
        InvalidSetting: the confidence is outside of (0, 1).
    """
    scored = _scored(predictions, events)
    z = _z(confidence)
    layers = (
        scored.group_by("clip", "layer")
        .agg(
            pl.col("pts_s").min().alias("start_s"),
            pl.col("pts_s").max().alias("end_s"),
            pl.len().cast(pl.Int64).alias("n_crops"),
            pl.col("probability").cast(pl.Float64).mean(),
        )
        .sort("clip", "layer")
    )
    bounds = [_wilson(mean, n_crops, z) for mean, n_crops in layers.select("probability", "n_crops").iter_rows()]
    return layers.with_columns(
        pl.Series("low", [low for low, _ in bounds], dtype=pl.Float64),
        pl.Series("high", [high for _, high in bounds], dtype=pl.Float64),
    ).select(spatter_schemas.SpatterLayers.column_names())


def judge_build(
    clip: str,
    predictions: pl.DataFrame,
    events: pl.DataFrame,
    drift: pl.DataFrame,
    threshold: float = 0.5,
    confidence: float = 0.95,
    min_crops: int = MIN_CROPS,
    seed: int = 1234,
) -> pl.DataFrame:
    """One row; columns in `spatter_schemas.SpatterVerdicts`. High or low: the whole interval lies beyond the threshold.

    Args:
        clip: partition key.
        predictions: rows of `spatter_schemas.SpatterPredictions` of this build.
        events: rows of `spatter_schemas.SpatterEvents` of the same build.
        drift: the row of `spatter_schemas.SpatterDrift` of the same build.
        threshold: of the probability, within (0, 1).
        confidence: level of the interval, within (0, 1).
        min_crops: a build with fewer scored crops stays undecided.
        seed: of the resampling.

    Raises:
        SchemaViolation: predictions and events are not of the same crops.
        InvalidSetting: a setting is out of range.
    """
    if not 0 < threshold < 1:
        raise InvalidSetting(f"threshold is {threshold}: set it above 0 and below 1.")
    scored = _scored(predictions, events)
    row: dict[str, object] = {
        "clip": clip,
        "n_crops": len(scored),
        "n_excluded": len(predictions) - len(scored),
        "n_layers": scored["layer"].n_unique(),
    }
    row |= dict.fromkeys(("probability", "low", "high", "interval"))
    interval = None
    if len(scored):
        probability = scored["probability"].to_numpy().astype(np.float64)
        interval = build_interval(probability, scored["layer"].to_numpy(), confidence, seed)
        row["probability"] = float(probability.mean())
        row["low"], row["high"], row["interval"] = interval
    word, reason = _decide(len(scored), interval, threshold, min_crops)
    if interval is not None and word == "undecided" and row["n_layers"] == 1:
        reason = f"{reason}; all crops are of one layer: is `layer_gap_frames` right for this recording?"
    row |= _distrusted(word, reason, **drift.select("likeness", "detail").row(0, named=True))
    return spatter_schemas.SpatterVerdicts.validate(pl.DataFrame([row]), cast=True)


def build_interval(
    probability: NDArray[np.float64], layer: NDArray[np.integer], confidence: float = 0.95, seed: int = 1234
) -> Interval:
    """Return the interval of the mean over crops, see the module's head.

    Args:
        probability: float64 (N,) in [0, 1], N at least 1.
        layer: integers (N,), the layer of each crop.
        confidence: within (0, 1).
        seed: of the resampling.
    """
    z = _z(confidence)
    # Number of crops and sum of probabilities of each of L layers, (L,).
    _, index = np.unique(layer, return_inverse=True)
    sizes = np.bincount(index)
    sums = np.bincount(index, weights=probability).astype(np.float64)
    mean = float(probability.mean())
    if len(sizes) >= MIN_BOOTSTRAP_LAYERS:
        # Draw L layers with replacement, RESAMPLES times: counts (RESAMPLES, L), means over their crops (RESAMPLES,).
        drawn = np.random.default_rng(seed).multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), RESAMPLES)
        means = (drawn @ sums) / (drawn @ sizes)
        low, high = np.clip(np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2]), 0, 1)
        return Interval(float(low), float(high), "layer bootstrap")
    # Wilson's interval of the effective number of crops.
    rho = _layer_correlation(probability, index, sizes, sums)
    # The mean layer size over crops, not over layers: sum of squares over sum.
    layer_crops = float((sizes**2).sum() / sizes.sum())
    return Interval(*_wilson(mean, len(probability) / (1 + (layer_crops - 1) * rho), z), "wilson")


def _layer_correlation(
    probability: NDArray[np.float64], index: NDArray[np.intp], sizes: NDArray[np.intp], sums: NDArray[np.float64]
) -> float:
    """Return the intraclass correlation by one-way analysis of variance, within [MIN_LAYER_CORRELATION, 1].

    Args:
        probability, index: (N,), probability and layer number of each crop.
        sizes, sums: (L,), number of crops and sum of probabilities of each layer.
    """
    n_layers, n_crops = len(sizes), len(probability)
    if n_layers < 2 or n_crops == n_layers:
        return UNKNOWN_LAYER_CORRELATION
    # Mean squares between and within layers.
    means = sums / sizes
    between = (sizes * (means - probability.mean()) ** 2).sum() / (n_layers - 1)
    within = ((probability - means[index]) ** 2).sum() / (n_crops - n_layers)
    # Effective layer size for layers of unequal size.
    layer_crops = (n_crops - (sizes**2).sum() / n_crops) / (n_layers - 1)
    spread = between + (layer_crops - 1) * within
    return (
        float(np.clip((between - within) / spread, MIN_LAYER_CORRELATION, 1)) if spread > 0 else MIN_LAYER_CORRELATION
    )


def _wilson(mean: float, n_crops: float, z: float) -> tuple[float, float]:
    """Return Wilson's score interval of a share.

    >>> [round(bound, 3) for bound in _wilson(0.5, 10, 1.96)]
    [0.237, 0.763]
    """
    shrink = 1 + z**2 / n_crops
    middle = (mean + z**2 / (2 * n_crops)) / shrink
    half = z / shrink * np.sqrt(mean * (1 - mean) / n_crops + (z / (2 * n_crops)) ** 2)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _decide(n_crops: int, interval: Interval | None, threshold: float, min_crops: int) -> tuple[str, str | None]:
    """Return the verdict, and the reason if it is undecided."""
    if interval is None:
        return "undecided", "no scored crop"
    if n_crops < min_crops:
        return "undecided", f"{n_crops} scored crops, fewer than {min_crops}"
    if interval.low > threshold:
        return "high", None
    if interval.high < threshold:
        return "low", None
    return "undecided", f"the interval {interval.low:.2f} to {interval.high:.2f} holds the threshold {threshold:g}"


def _distrusted(word: str, reason: str | None, likeness: str | None, detail: str) -> dict[str, object]:
    """Return verdict, trusted and reason, given how the crops compare with the training data.

    >>> _distrusted("low", None, "unlike", "unlike the training data")
    {'verdict': 'undecided', 'trusted': False, 'reason': 'by its probability low, but unlike the training data'}
    """
    if likeness in (None, "like"):
        return {"verdict": word, "trusted": likeness == "like", "reason": reason}
    if likeness == "unlike" and word != "undecided":
        return {"verdict": "undecided", "trusted": False, "reason": f"by its probability {word}, but {detail}"}
    return {"verdict": word, "trusted": False, "reason": "; ".join(filter(None, [reason, detail]))}


def shown_verdict(row: Mapping[str, Any]) -> str:
    """Return the verdict of a row of `spatter_schemas.SpatterVerdicts` as people see it: marked if it is not trusted.

    >>> shown_verdict({"verdict": "high", "trusted": False})
    'high (not trusted)'
    """
    doubtful = row["verdict"] != "undecided" and not row["trusted"]
    return f"{row['verdict']} (not trusted)" if doubtful else row["verdict"]


def _z(confidence: float) -> float:
    """Return the number of standard deviations around the mean that contain this share of a normal distribution."""
    if not 0 < confidence < 1:
        raise InvalidSetting(f"confidence is {confidence}: set it above 0 and below 1.")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _scored(predictions: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Return clip, event_index, probability, layer and pts_s of the crops that have a probability."""
    key = ["clip", "event_index"]
    joined = predictions.select(*key, "probability").join(events.select(*key, "layer", "pts_s"), on=key, how="left")
    if len(predictions) != len(events) or joined["layer"].null_count():
        clip = predictions["clip"][0] if len(predictions) else events["clip"][0]
        raise SchemaViolation(
            f"{clip}: {len(predictions)} predictions and {len(events)} events are not of the same crops. "
            f"Predict them again: `vidassets run --clips {clip} --select spatter_predictions --force`."
        )
    return joined.filter(pl.col("probability").is_not_null())
