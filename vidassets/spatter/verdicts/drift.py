"""The drift alarm: is a build unlike the training data of its classifier?

The distance of a crop is the Mahalanobis distance to the nearest class of the training data in the classifier's
embedding, with one covariance for both classes: Lee et al., "A simple unified framework for detecting
out-of-distribution samples", NeurIPS 2018. Here the covariance is shrunk (Ledoit and Wolf, 2004).

The distances of a build are compared with those of each training class by the population stability index over the
deciles of the class. The class with the lowest index counts, since the distances of one class rarely resemble those of
both. An index above 0.25 means that a population has shifted: Siddiqi, "Credit Risk Scorecards", 2006. The index of few
crops is high by chance: it follows chi-square with (bins - 1) degrees of freedom, times (1/n + 1/m) (Yurdakul,
"Statistical properties of the population stability index", 2018). The threshold is therefore at least the 99.9th
percentile of that distribution, and at least the index of any training build left out of the reference: builds differ,
and a usual difference raises no alarm. The classifier also knows crops that are distributed differently within the
range of its training data: such a build is `shifted`, and only a build with outlying crops as well is `unlike` the
training data. A build with mostly outlying crops is `unlike` it whatever its index, since the usual index has no limit.
"""

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidassets.errors import ArtifactDamaged, InvalidSetting, SchemaViolation
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.embeddings import embedding_matrix

BINS = 10
SHIFTED_INDEX = 0.25
CHANCE_CHI_SQUARE = 27.877  # 99.9th percentile at BINS - 1 degrees of freedom
OUTLYING_QUANTILE = 0.99
# By definition 1 % of the training crops are outlying; usual builds of benchmarks/spatter_builds.py have up to 3 %.
# Chosen here.
MIN_OUTLYING_SHARE = 0.05
MOSTLY_OUTLYING_SHARE = 0.5
# Added to each count, since an empty bin would make the index infinite; as in Yurdakul's tables.
PSEUDO_COUNT = 0.5
# Minimum number of crops per class: with fewer the covariance is mostly noise. Chosen here.
MIN_CROPS_A_CLASS = 20
LIKENESS_WORDS = {"like": "like", "shifted": "within the range of, but distributed unlike", "unlike": "unlike"}
FIELDS = ("means", "precision", "edges", "outlying", "n_crops", "usual_index", "model")


@dataclass(frozen=True)
class DriftReference:
    """A summary of the training data in the embedding, small enough to be stored beside the model.

    Attributes:
        means: float64 (C, D), the mean of each of C classes.
        precision: float64 (D, D), inverse of the shared covariance.
        edges: float64 (C, BINS - 1), deciles of the squared distances of each class.
        outlying: float64 (C,), 99 % quantile of the squared distances of each class.
        n_crops: int64 (C,), training crops of each class.
        usual_index: highest stability index of a training build that is left out of the reference.
        model: the model that made the embeddings, as in `spatter_schemas.SpatterPredictions`.
    """

    means: NDArray[np.float64]
    precision: NDArray[np.float64]
    edges: NDArray[np.float64]
    outlying: NDArray[np.float64]
    n_crops: NDArray[np.int64]
    usual_index: float
    model: str

    def distances(self, embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the squared Mahalanobis distance of each row of (N, D) to the nearest class, float64 (N,)."""
        nearest = np.full(len(embeddings), np.inf)
        for mean in self.means:
            # x^T P x of each difference x, float64 (N,); keep the minimum over classes.
            difference = embeddings.astype(np.float64) - mean
            np.minimum(nearest, np.einsum("nd,nd->n", difference @ self.precision, difference), out=nearest)
        return nearest

    def stability_index(self, distances: NDArray[np.float64]) -> tuple[float, int]:
        """Return the lowest population stability index of distances (N,) against a class, and that class."""
        # Count the distances between the deciles of each class: (BINS,) per class.
        indices = [_stability_index(np.bincount(np.searchsorted(e, distances), minlength=BINS)) for e in self.edges]
        return min(indices), int(np.argmin(indices))

    def to_bytes(self) -> bytes:
        """Return the reference as a NumPy archive without pickles."""
        file = BytesIO()
        fields: dict[str, Any] = {field: np.asarray(getattr(self, field)) for field in FIELDS}
        np.savez_compressed(file, **fields)
        return file.getvalue()

    @staticmethod
    def from_bytes(data: bytes, name: str = "drift reference") -> "DriftReference":
        """Return the reference that `to_bytes` wrote.

        Raises:
            ArtifactDamaged: the bytes are not a drift reference.
        """
        try:
            with np.load(BytesIO(data), allow_pickle=False) as archive:
                fields = {field: archive[field] for field in FIELDS}
        except Exception as error:  # a damaged archive fails in zipfile, zlib, numpy or here
            raise ArtifactDamaged(f"{name}: not a drift reference ({error}). Train the classifier again.") from error
        plain = {field: fields[field].item() for field in ("usual_index", "model")}
        return DriftReference(**{**fields, **plain})


def fit_drift_reference(
    embeddings: NDArray[np.floating], labels: NDArray[np.integer], builds: NDArray[np.str_], model: str
) -> DriftReference:
    """Return the reference of a classifier.

    Use crops that the classifier was not trained on if possible: crops it was trained on are closer together.

    Args:
        embeddings: (N, D) of labelled crops.
        labels: integers (N,), the class of each.
        builds: strings (N,), the build of each.
        model: the model that made the embeddings, as in `spatter_schemas.SpatterPredictions`.

    Raises:
        InvalidSetting: a class has fewer than 20 crops.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if not len(classes) or counts.min() < MIN_CROPS_A_CLASS:
        raise InvalidSetting(
            f"The classes {classes.tolist()} have {counts.tolist()} crops. A drift reference needs at least "
            f"{MIN_CROPS_A_CLASS} of each: label more builds, or extract more of their crops."
        )
    whole = _fit(embeddings, labels, model, usual_index=0.0)
    # The usual index: compare each training build with a reference fitted to the other builds.
    usual = 0.0
    for build in np.unique(builds):
        left_out = builds == build
        rest, n_rest = np.unique(labels[~left_out], return_counts=True)
        # Skip a build that is the only one of its class: it cannot show how builds of a class differ.
        if set(labels[left_out]) <= set(rest) and n_rest.min() >= MIN_CROPS_A_CLASS:
            others = _fit(embeddings[~left_out], labels[~left_out], model, usual_index=0.0)
            index, _ = others.stability_index(others.distances(embeddings[left_out]))
            usual = max(usual, index)
    return replace(whole, usual_index=usual)


def measure_drift(clip: str, predictions: pl.DataFrame, reference: DriftReference) -> pl.DataFrame:
    """Compare a build with the training data; return one row, columns in `spatter_schemas.SpatterDrift`.

    Args:
        clip: partition key.
        predictions: rows of `spatter_schemas.SpatterPredictions` of one build.
        reference: of the classifier that made the predictions.

    Raises:
        SchemaViolation: another model made the predictions.
    """
    scored = predictions.filter(pl.col("embedding").is_not_null())
    if others := sorted(set(scored["model"]) - {reference.model}):
        raise SchemaViolation(
            f"{clip}: predictions by the model {others[0]}, a drift reference by {reference.model}. Their embeddings "
            f"cannot be compared. Predict again: `vidassets run --clips {clip} --select spatter_predictions --force`"
        )
    row: dict[str, object] = {"clip": clip, "n_crops": len(scored)}
    if not len(scored):
        row |= dict.fromkeys(("stability_index", "threshold", "outlying_share", "likeness"))
        row |= {"alarm": False, "detail": "no scored crop, so nothing to compare"}
    else:
        # Squared distance of each crop, float64 (N,), and their index against the class they resemble most.
        distances = reference.distances(embedding_matrix(scored))
        index, nearest = reference.stability_index(distances)
        threshold = alarm_threshold(reference, nearest, len(scored))
        # The share of crops beyond the 99 % quantile of that class.
        share = float((distances > reference.outlying[nearest]).mean())
        likeness = _likeness(index > threshold, share)
        row |= {"stability_index": index, "threshold": threshold, "outlying_share": share}
        row |= {"likeness": likeness, "alarm": likeness == "unlike"}
        row["detail"] = (
            f"{LIKENESS_WORDS[likeness]} the training data: stability index {index:.2f} "
            f"{'>' if index > threshold else '≤'} {threshold:.2f}, "
            f"{share:.0%} of {len(scored)} crops farther out than 99 % of training's"
        )
    return spatter_schemas.SpatterDrift.validate(pl.DataFrame([row]), cast=True)


def _likeness(shifted: bool, outlying_share: float) -> str:
    """Return how a build compares with the training data: like, shifted or unlike, see the module's head.

    >>> _likeness(True, 0.01), _likeness(True, 0.2), _likeness(False, 0.9)
    ('shifted', 'unlike', 'unlike')
    """
    if outlying_share >= (MIN_OUTLYING_SHARE if shifted else MOSTLY_OUTLYING_SHARE):
        return "unlike"
    return "shifted" if shifted else "like"


def alarm_threshold(reference: DriftReference, nearest: int, n_crops: int) -> float:
    """Return the index above which a build of this many crops differs from the training data, see the module's head.

    Args:
        reference: of the classifier.
        nearest: the class that the build resembles most, 0, 1 …
        n_crops: scored crops of the build.
    """
    by_chance = CHANCE_CHI_SQUARE * (1 / n_crops + 1 / int(reference.n_crops[nearest]))
    return max(SHIFTED_INDEX, by_chance, reference.usual_index)


def _fit(
    embeddings: NDArray[np.floating], labels: NDArray[np.integer], model: str, usual_index: float
) -> DriftReference:
    """Return the reference of N crops: embeddings (N, D), labels (N,)."""
    from sklearn.covariance import LedoitWolf

    # Mean of each class, (C, D), and the covariance of the rows about the mean of their class, (D, D).
    classes, index = np.unique(labels, return_inverse=True)
    rows = embeddings.astype(np.float64)
    means = np.stack([rows[index == number].mean(axis=0) for number in range(len(classes))])
    covariance = LedoitWolf(assume_centered=True).fit(rows - means[index]).covariance_
    # Invert it with a ridge: units that never fire have no variance, and the inverse must stay finite.
    ridge = 1e-6 * max(float(np.trace(covariance)) / len(covariance), 1e-12)
    precision = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
    # Deciles and 99 % quantile of the squared distances of each class: (C, BINS - 1) and (C,).
    bare = DriftReference(means, precision, np.empty(0), np.empty(0), np.bincount(index), usual_index, model)
    distances = bare.distances(rows)
    own = [distances[index == number] for number in range(len(classes))]
    edges = np.stack([np.quantile(of_class, np.arange(1, BINS) / BINS) for of_class in own])
    outlying = np.array([np.quantile(of_class, OUTLYING_QUANTILE) for of_class in own])
    return replace(bare, edges=edges, outlying=outlying)


def _stability_index(counts: NDArray[np.integer]) -> float:
    """Return the population stability index of counts (BINS,) in bins of equal expected share.

    >>> _stability_index(np.full(10, 500)), round(_stability_index(np.arange(10) * 100), 2)
    (0.0, 1.0)
    """
    share = (counts + PSEUDO_COUNT) / (counts + PSEUDO_COUNT).sum()
    return float(((share - 1 / BINS) * np.log(share * BINS)).sum())
