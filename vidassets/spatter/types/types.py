"""Kinds of spatter: clusters of alike crops, and the labels that people's words spread over them.

k-means on `CropFeatures`, for every number of clusters asked for. Of those that come out alike from either half of the
data the one with the highest silhouette is taken (Rousseeuw, 1987). Alike is an adjusted Rand index of at least 0.8,
"good" in Steinley, "Properties of the Hubert-Arabie adjusted Rand index", 2004; where none is, the most stable is taken
(von Luxburg, "Clustering stability: an overview", 2010).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidassets.errors import InputsAwaited, InvalidSetting
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.types.embedding import KEY, CropFeatures

N_CLUSTERS = (5, 6, 7, 8, 9, 10)
STABLE = 0.8
# Rounds of splitting in halves. Clusters and silhouette come from as many crops at most: their error is below the
# differences that decide, and the silhouette's time grows with the square. Chosen here.
ROUNDS = 4
STARTS = 4  # of each k-means
FITTED_CROPS, SILHOUETTE_CROPS = 20_000, 2_000
# FixMatch's threshold (Sohn et al., 2020): what is less sure is left without a label.
PSEUDO_CONFIDENCE = 0.95
MIN_CROPS_A_CLUSTER = 4  # chosen here


class CropClusters(NamedTuple):
    """How N crops fall apart.

    cluster int32 (N,), by mean area; confidence float32 (N,); counts: columns in `spatter_schemas.SpatterTypeCounts`.
    """

    cluster: NDArray[np.int32]
    confidence: NDArray[np.float32]
    counts: pl.DataFrame


def feasible_n_clusters(n_clusters: Sequence[int], n_crops: int) -> list[int]:
    """Return the numbers of clusters for which there are enough crops.

    >>> feasible_n_clusters([5, 10], n_crops=39)
    [5]

    Raises:
        InputsAwaited: there are too few crops for each of the numbers.
    """
    feasible = [number for number in n_clusters if MIN_CROPS_A_CLUSTER * number <= n_crops]
    if not feasible:
        raise InputsAwaited(
            f"{n_crops} scored crops are too few for {min(n_clusters)} clusters: at least {MIN_CROPS_A_CLUSTER} crops "
            "per cluster are needed. Add builds, or lower n_clusters."
        )
    return feasible


def cluster_crops(features: CropFeatures, n_clusters: Sequence[int] = N_CLUSTERS, seed: int = 1234) -> CropClusters:
    """The clusters of crops, and how good each number of them is.

    A crop's confidence is 1 - (distance to its centre) / (distance to the next), the simplified silhouette: 1 at the
    centre, 0 on the border. A posterior of Gaussians would be next to 1 for all but a hair's breadth of crops.

    Raises:
        InvalidSetting: no number of clusters, one below 2, or fewer than four crops for each of them.
    """
    n_crops = len(features.matrix)
    if not n_clusters or min(n_clusters) < 2 or n_crops < MIN_CROPS_A_CLUSTER * max(n_clusters):
        raise InvalidSetting(
            f"{n_crops} scored crops for {list(n_clusters)} clusters: at least 2 clusters, and four crops for each. "
            "Ask for fewer clusters, or add builds."
        )
    rng = np.random.default_rng(seed)
    sample = features.matrix[np.sort(rng.choice(n_crops, min(n_crops, FITTED_CROPS), replace=False))]
    tried = [_try(sample, k, rng) for k in sorted(set(n_clusters))]
    chosen = _best(tried)
    counts = pl.DataFrame(
        {
            "n_clusters": [quality.n_clusters for quality in tried],
            "silhouette": [quality.silhouette for quality in tried],
            "stability": [quality.stability for quality in tried],
            "chosen": [quality is chosen for quality in tried],
        }
    )
    cluster = chosen.model.predict(features.matrix)
    areas = features.crops["area_px"].to_numpy()
    # A centre may win no crop of the whole: it comes last, and no number is left out.
    mean_area = [areas[cluster == old].mean() if (cluster == old).any() else np.inf for old in range(chosen.n_clusters)]
    order = np.argsort(mean_area, kind="stable")
    confidence = _simplified_silhouette(chosen.model.transform(features.matrix))
    return CropClusters(
        np.argsort(order)[cluster].astype(np.int32),
        confidence,
        spatter_schemas.SpatterTypeCounts.validate(counts, cast=True),
    )


def assign_types(
    features: CropFeatures,
    clusters: CropClusters,
    labels: pl.DataFrame,
    min_confidence: float = PSEUDO_CONFIDENCE,
) -> pl.DataFrame:
    """One row per crop; columns in `spatter_schemas.SpatterTypes`.

    A person's label stands. From two different ones on, a logistic regression on the features spreads them: what it is
    sure of is a pseudo-label. Two labels are the least: from one alone everything would be that one.

    Args:
        features: of the crops.
        clusters: of the same crops.
        labels: clip, event_index, label: people's, as `active_labels.replay` gives them.
        min_confidence: of a pseudo-label, within (0, 1].

    Raises:
        InvalidSetting: a confidence outside of its range.
    """
    if not 0 < min_confidence <= 1:
        raise InvalidSetting(f"min_confidence is {min_confidence}: a probability above 0 and at most 1.")
    said = features.crops.select(KEY).join(labels.select(*KEY, "label"), on=KEY, how="left", maintain_order="left")
    by_person = said["label"].is_not_null().to_numpy()
    label = said["label"].to_numpy().astype(object)
    confidence = np.where(by_person, 1.0, np.nan)
    if len(set(label[by_person])) >= 2:
        guess, certainty = _spread(features.matrix, label, by_person)
        confidence = np.where(by_person, 1.0, certainty)
        sure = ~by_person & (certainty >= min_confidence)
        label[sure] = guess[sure]
    table = features.crops.select(KEY).with_columns(
        pl.Series("cluster", clusters.cluster),
        pl.Series("cluster_confidence", clusters.confidence),
        pl.Series("label", label.tolist(), dtype=pl.String),
        pl.Series("label_confidence", confidence, nan_to_null=True).cast(pl.Float32),
    )
    source = (
        pl.when(pl.Series(by_person)).then(pl.lit("person")).when(pl.col("label").is_not_null()).then(pl.lit("pseudo"))
    )
    table = table.with_columns(source.alias("label_source")).select(spatter_schemas.SpatterTypes.column_names())
    return spatter_schemas.SpatterTypes.validate(table)


class _Quality(NamedTuple):
    n_clusters: int
    silhouette: float
    stability: float
    model: Any


def _try(sample: NDArray[np.float32], n_clusters: int, rng: np.random.Generator) -> _Quality:
    """The clustering of a sample in so many, and how good it is."""
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    model = _k_means(sample, n_clusters, rng)
    cluster = model.predict(sample)
    agreement = []
    for _ in range(ROUNDS):
        halves = np.array_split(rng.permutation(len(sample)), 2)
        one, other = (_k_means(sample[half], n_clusters, rng).predict(sample) for half in halves)
        agreement.append(adjusted_rand_score(one, other))
    shown = rng.choice(len(sample), min(len(sample), SILHOUETTE_CROPS), replace=False)
    # Of fewer different crops than clusters, or all in one, there is no silhouette: nothing is told apart.
    told_apart = 1 < len(set(cluster[shown])) < len(shown)
    silhouette = float(silhouette_score(sample[shown], cluster[shown])) if told_apart else -1.0
    return _Quality(n_clusters, silhouette, float(np.mean(agreement)), model)


def _k_means(rows: NDArray[np.float32], n_clusters: int, rng: np.random.Generator) -> Any:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # One thread: the order of sums, so the answer, does not depend on the machine's cores.
    with threadpool_limits(1):
        model = KMeans(n_clusters, n_init=STARTS, random_state=int(rng.integers(2**31)))  # pyright: ignore[reportArgumentType]
        return model.fit(rows)


def _best(tried: list[_Quality]) -> _Quality:
    stable = [quality for quality in tried if quality.stability >= STABLE]
    if stable:
        return max(stable, key=lambda quality: quality.silhouette)
    return max(tried, key=lambda quality: quality.stability)


def _simplified_silhouette(distances: NDArray[np.floating]) -> NDArray[np.float32]:
    """Of distances (N, K) to the centres, float32 (N,) in [0, 1]; 0 where two centres are one."""
    own, following = np.partition(distances, 1, axis=1)[:, :2].T
    return (1 - own / np.where(following > 0, following, 1) - (following <= 0)).clip(0, 1).astype(np.float32)


def _spread(
    rows: NDArray[np.float32], label: NDArray[np.object_], known: NDArray[np.bool_]
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """The most probable label of every row by what the known ones say, and its probability."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(rows[known], label[known].astype(str))
    probability = model.predict_proba(rows)
    return model.classes_[probability.argmax(axis=1)].astype(object), probability.max(axis=1)
