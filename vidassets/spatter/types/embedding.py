"""The features of crops for clustering: the classifier's embedding and the measured shape."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidassets.errors import SchemaViolation
from vidassets.spatter.embeddings import embedding_matrix

# A penultimate layer that was trained on two classes carries little more; further components add noise to distances.
# Chosen here.
EMBEDDING_DIMENSIONS = 8
SHAPE_COLUMNS = ("area_px", "mean_brightness", "peak_brightness", "eccentricity")
KEY = ["clip", "event_index"]


@dataclass(frozen=True)
class CropFeatures:
    """Features of N crops.

    Args:
        crops: N rows: clip, event_index, probability and the measures of `SHAPE_COLUMNS`, pts_s and the box.
        matrix: float32 (N, K): embedding and shape. Each block has a total variance of 1, so that both weigh the same.
    """

    crops: pl.DataFrame
    matrix: NDArray[np.float32]


def compute_features(
    predictions: pl.DataFrame, events: pl.DataFrame, embedding_dimensions: int = EMBEDDING_DIMENSIONS
) -> CropFeatures:
    """Return the features of every scored crop, ordered by clip and event_index.

    The embedding is reduced to its principal components; the shape is the logarithm of the area, the
    brightnesses and the eccentricity, each standardised. Orientation is left out: the direction of flight is no kind.

    Args:
        predictions: rows of `spatter_schemas.SpatterPredictions`, of one or many builds, of one model.
        events: rows of `spatter_schemas.SpatterEvents` of the same builds.
        embedding_dimensions: maximum number of principal components.

    Raises:
        SchemaViolation: the embeddings come from several models, or a scored crop has no event.
    """
    scored = predictions.filter(pl.col("embedding").is_not_null()).sort(KEY)
    if (n_models := scored["model"].n_unique()) > 1:
        raise SchemaViolation(
            f"Embeddings of {n_models} models ({', '.join(scored['model'].unique().sort())}) cannot be compared. "
            "Predict all builds with the same model: `vidassets run --select spatter_predictions --force`."
        )
    boxes = [f"box_{corner}" for corner in ("x1", "y1", "x2", "y2")]
    measured = events.select(*KEY, "pts_s", *boxes, *SHAPE_COLUMNS)
    crops = scored.select(*KEY, "probability").join(measured, on=KEY, how="left", maintain_order="left")
    if crops["pts_s"].null_count():
        missing = crops.filter(pl.col("pts_s").is_null()).row(0, named=True)
        raise SchemaViolation(
            f"{missing['clip']}: crop {missing['event_index']} was scored but has no event. Compute its predictions "
            f"again: `vidassets run --clips {missing['clip']} --select spatter_predictions --force`."
        )
    if crops.is_empty():
        return CropFeatures(crops, np.empty((0, len(SHAPE_COLUMNS)), np.float32))
    # Embedding (N, D) → components (N, min(D, 8)); shape (N, 4); both scaled and joined to (N, K).
    embedding = principal_components(embedding_matrix(scored), embedding_dimensions)
    shape = crops.select(pl.col("area_px").log1p(), *SHAPE_COLUMNS[1:]).to_numpy().astype(np.float64)
    return CropFeatures(
        crops, np.hstack([_scale_to_unit_variance(embedding), _scale_to_unit_variance(_standardise(shape))])
    )


def principal_components(rows: NDArray[np.floating], n_components: int) -> NDArray[np.float64]:
    """Return rows (N, D) projected on their principal components, float64 (N, min(n_components, D)).

    The largest entry of each direction is positive, so that the same rows always give the same result.
    """
    # Centre the rows (N, D); eigenvectors of their scatter matrix (D, D), by rising variance.
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    # The directions of largest variance (D, C), with the sign of each fixed.
    directions = directions[:, ::-1][:, :n_components]
    largest = np.abs(directions).argmax(axis=0)
    return centred @ (directions * np.sign(directions[largest, np.arange(directions.shape[1])]))


def _standardise(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each column with mean 0 and variance 1. Constant columns become 0."""
    spread = columns.std(axis=0)
    return (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _scale_to_unit_variance(columns: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the columns scaled to a total variance of 1. A block of zeros stays 0."""
    total = columns.var(axis=0).sum()
    return (columns / np.sqrt(total if total > 0 else 1)).astype(np.float32)
