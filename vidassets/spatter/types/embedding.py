"""What a crop is, in numbers fit for clustering: how the classifier sees it, and what was measured of its shape."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidassets.errors import SchemaViolation
from vidassets.spatter.embeddings import embedding_matrix

# Enough for what a penultimate layer trained on two classes tells; the rest is noise to a distance. Chosen here.
EMBEDDING_DIMENSIONS = 8
SHAPE_COLUMNS = ("area_px", "mean_brightness", "peak_brightness", "eccentricity")
KEY = ["clip", "event_index"]


@dataclass(frozen=True)
class CropFeatures:
    """Features of N crops.

    crops: N rows: clip, event_index, probability and the measures of `SHAPE_COLUMNS`, pts_s and the box.
    matrix: float32 (N, K): embedding and shape, each block of total variance 1, so that neither outvotes the other.
    """

    crops: pl.DataFrame
    matrix: NDArray[np.float32]


def crop_features(
    predictions: pl.DataFrame, events: pl.DataFrame, embedding_dimensions: int = EMBEDDING_DIMENSIONS
) -> CropFeatures:
    """Features of every scored crop, in order of clip and event_index.

    The embedding is reduced to its principal components; the shape is the logarithm of the area, brightnesses,
    eccentricity, each standardised. Orientation is left out: which way a spatter flies is no kind.

    Args:
        predictions: rows of `spatter_schemas.SpatterPredictions`, of one or many builds, of one model.
        events: rows of `spatter_schemas.SpatterEvents` of the same builds.
        embedding_dimensions: principal components kept, at most.

    Raises:
        SchemaViolation: embeddings of several models, or a scored crop without its event.
    """
    scored = predictions.filter(pl.col("embedding").is_not_null()).sort(KEY)
    if (n_models := scored["model"].n_unique()) > 1:
        raise SchemaViolation(
            f"Embeddings of {n_models} models ({', '.join(scored['model'].unique().sort())}) cannot be compared. "
            "Predict all builds with one: `vidassets run --select spatter_predictions --force`."
        )
    boxes = [f"box_{corner}" for corner in ("x1", "y1", "x2", "y2")]
    measured = events.select(*KEY, "pts_s", *boxes, *SHAPE_COLUMNS)
    crops = scored.select(*KEY, "probability").join(measured, on=KEY, how="left", maintain_order="left")
    if crops["pts_s"].null_count():
        missing = crops.filter(pl.col("pts_s").is_null()).row(0, named=True)
        raise SchemaViolation(
            f"{missing['clip']}: crop {missing['event_index']} was scored but is no event. Make its predictions again: "
            f"`vidassets run --clips {missing['clip']} --select spatter_predictions --force`."
        )
    if crops.is_empty():
        return CropFeatures(crops, np.empty((0, len(SHAPE_COLUMNS)), np.float32))
    embedding = principal_components(embedding_matrix(scored), embedding_dimensions)
    shape = crops.select(pl.col("area_px").log1p(), *SHAPE_COLUMNS[1:]).to_numpy().astype(np.float64)
    return CropFeatures(crops, np.hstack([_of_variance_one(embedding), _of_variance_one(_standardised(shape))]))


def principal_components(rows: NDArray[np.floating], n_components: int) -> NDArray[np.float64]:
    """Rows (N, D) along their n_components directions of most variance, float64 (N, min(n_components, D)).

    The sign of each direction is fixed by its largest entry, so that the same rows give the same answer.
    """
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    directions = directions[:, ::-1][:, :n_components]
    largest = np.abs(directions).argmax(axis=0)
    return centred @ (directions * np.sign(directions[largest, np.arange(directions.shape[1])]))


def _standardised(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each column with mean 0 and variance 1; a constant one is 0."""
    spread = columns.std(axis=0)
    return (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _of_variance_one(columns: NDArray[np.float64]) -> NDArray[np.float32]:
    """The block scaled to a total variance of 1; a constant one is 0."""
    total = columns.var(axis=0).sum()
    return (columns / np.sqrt(total if total > 0 else 1)).astype(np.float32)
