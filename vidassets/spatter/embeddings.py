"""The embeddings of crops, read from a table of predictions."""

import numpy as np
import polars as pl
from numpy.typing import NDArray


def embedding_matrix(scored: pl.DataFrame) -> NDArray[np.float32]:
    """Return the embeddings of N predictions as one matrix, float32 (N, D).

    Args:
        scored: rows of `spatter_schemas.SpatterPredictions` of one model, none excluded.
    """
    # Explode into one flat column: rows as Python lists would take 30 bytes per number.
    return scored["embedding"].explode().to_numpy().reshape(len(scored), -1)
