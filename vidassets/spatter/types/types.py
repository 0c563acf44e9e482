"""Kinds of spatter: clusters of similar crops, and the labels that spread from labelled crops to similar ones.

k-means runs on `CropFeatures` for each number of clusters. A number is stable if clusterings of random halves of the
data agree with an adjusted Rand index of at least 0.8 ("good" in Steinley, "Properties of the Hubert-Arabie adjusted
Rand index", 2004). The stable number with the highest silhouette (Rousseeuw, 1987) is chosen; if no number is stable,
the most stable one (von Luxburg, "Clustering stability: an overview", 2010).
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
ROUNDS = 4  # splits into halves; chosen here
STARTS = 4  # random starts of each k-means; chosen here
# Maximum number of crops for the fit and for the silhouette, whose time grows with the square. The sampling error is
# below the differences between numbers of clusters. Chosen here.
FITTED_CROPS, SILHOUETTE_CROPS = 20_000, 2_000
# FixMatch's threshold (Sohn et al., 2020): crops with a less probable label stay without one.
PSEUDO_CONFIDENCE = 0.95
MIN_CROPS_A_CLUSTER = 4  # chosen here


class CropClusters(NamedTuple):
    """The clusters of N crops.

    Args:
        cluster: int32 (N,), numbered by mean area.
        confidence: float32 (N,) in [0, 1].
        counts: the quality of each number of clusters; columns in `spatter_schemas.SpatterTypeCounts`.
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
    """Cluster the crops, and measure the quality of each number of clusters.

    A crop's confidence is 1 - (distance to its centre) / (distance to the next), the simplified silhouette: 1 at the
    centre, 0 on the border. The posterior of a Gaussian mixture would be close to 1 for almost all crops.

    Args:
        features: of N crops.
        n_clusters: numbers to try.
        seed: of sampling and k-means.

    Raises:
        InvalidSetting: there is no number of clusters, one is below 2, or there are fewer than four crops per cluster.
    """
    n_crops = len(features.matrix)
    if not n_clusters or min(n_clusters) < 2 or n_crops < MIN_CROPS_A_CLUSTER * max(n_clusters):
        raise InvalidSetting(
            f"{n_crops} scored crops for {list(n_clusters)} clusters: at least 2 clusters and four crops per "
            "cluster are needed. Lower n_clusters, or add builds."
        )
    rng = np.random.default_rng(seed)
    # Fit on a random sample (S, K) of the features (N, K).
    sample = features.matrix[np.sort(rng.choice(n_crops, min(n_crops, FITTED_CROPS), replace=False))]
    tried = [_measure(sample, number, rng) for number in sorted(set(n_clusters))]
    chosen = _best(tried)
    counts = pl.DataFrame(
        {
            "n_clusters": [quality.n_clusters for quality in tried],
            "silhouette": [quality.silhouette for quality in tried],
            "stability": [quality.stability for quality in tried],
            "chosen": [quality is chosen for quality in tried],
        }
    )
    # Assign all crops (N,), then number the clusters by mean area.
    cluster = chosen.model.predict(features.matrix)
    areas = features.crops["area_px"].to_numpy()
    # A centre may have no crop: its cluster comes last, so that the numbers have no gap.
    mean_area = [
        areas[cluster == number].mean() if (cluster == number).any() else np.inf for number in range(chosen.n_clusters)
    ]
    # order (K,): old number by new number; its argsort: new number by old number.
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
    """Return one row per crop with its cluster and label; columns in `spatter_schemas.SpatterTypes`.

    A person's label stands. If people gave at least two different labels, a logistic regression on the features
    predicts the label of the other crops; confident predictions become pseudo-labels. With a single label, it would
    predict that label for every crop.

    Args:
        features: of the crops.
        clusters: of the same crops.
        labels: people's labels from `active_labels.replay_decisions`: clip, event_index, label.
        min_confidence: minimum probability of a pseudo-label, in (0, 1].

    Raises:
        InvalidSetting: min_confidence is outside of its range.
    """
    if not 0 < min_confidence <= 1:
        raise InvalidSetting(f"min_confidence is {min_confidence}: must be above 0 and at most 1.")
    # Labels by people (N,), null where there is none.
    by_people = features.crops.select(KEY).join(labels.select(*KEY, "label"), on=KEY, how="left", maintain_order="left")
    by_person = by_people["label"].is_not_null().to_numpy()
    label = by_people["label"].to_numpy().astype(object)
    confidence = np.where(by_person, 1.0, np.nan)
    # Predicted label and its probability, both (N,).
    if len(set(label[by_person])) >= 2:
        predicted, probability = _predict_labels(features.matrix, label, by_person)
        confidence = np.where(by_person, 1.0, probability)
        confident = ~by_person & (probability >= min_confidence)
        label[confident] = predicted[confident]
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
    """The k-means model of a number of clusters, and its quality."""

    n_clusters: int
    silhouette: float
    stability: float
    model: Any


def _measure(sample: NDArray[np.float32], n_clusters: int, rng: np.random.Generator) -> _Quality:
    """Cluster a sample (S, K), and measure silhouette and stability."""
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    model = _k_means(sample, n_clusters, rng)
    cluster = model.predict(sample)
    # Stability: adjusted Rand index of two clusterings of the sample (S,), each fitted to a random half.
    agreement = []
    for _ in range(ROUNDS):
        halves = np.array_split(rng.permutation(len(sample)), 2)
        first, second = (_k_means(sample[half], n_clusters, rng).predict(sample) for half in halves)
        agreement.append(adjusted_rand_score(first, second))
    # Silhouette: mean over a random part of the sample.
    shown = rng.choice(len(sample), min(len(sample), SILHOUETTE_CROPS), replace=False)
    # The silhouette is undefined if all crops are in one cluster, or each in its own.
    defined = 1 < len(set(cluster[shown])) < len(shown)
    silhouette = float(silhouette_score(sample[shown], cluster[shown])) if defined else -1.0
    return _Quality(n_clusters, silhouette, float(np.mean(agreement)), model)


def _k_means(rows: NDArray[np.float32], n_clusters: int, rng: np.random.Generator) -> Any:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # One thread: the order of summation, and so the result, does not depend on the number of cores.
    with threadpool_limits(1):
        model = KMeans(n_clusters, n_init=STARTS, random_state=int(rng.integers(2**31)))  # pyright: ignore[reportArgumentType]
        return model.fit(rows)


def _best(tried: list[_Quality]) -> _Quality:
    """Return the stable number of clusters with the highest silhouette, or the most stable number."""
    stable = [quality for quality in tried if quality.stability >= STABLE]
    if stable:
        return max(stable, key=lambda quality: quality.silhouette)
    return max(tried, key=lambda quality: quality.stability)


def _simplified_silhouette(distances: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the simplified silhouette, float32 (N,) in [0, 1], from distances (N, K) to the centres.

    It is 0 if the two nearest centres are the same point.
    """
    # Distances to the nearest and the second nearest centre, both (N,).
    nearest, second = np.partition(distances, 1, axis=1)[:, :2].T
    return (1 - nearest / np.where(second > 0, second, 1) - (second <= 0)).clip(0, 1).astype(np.float32)


def _predict_labels(
    rows: NDArray[np.float32], label: NDArray[np.object_], known: NDArray[np.bool_]
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Return the most probable label of each row and its probability, both (N,), fitted to the known labels."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(rows[known], label[known].astype(str))
    probability = model.predict_proba(rows)
    return model.classes_[probability.argmax(axis=1)].astype(object), probability.max(axis=1)
