"""The drift alarm: is a build unlike what its classifier was trained on?

A crop's distance is Mahalanobis' to the nearest class of the training data in the classifier's own embedding, one
covariance for both classes: Lee et al., "A simple unified framework for detecting out-of-distribution samples",
NeurIPS 2018; here the covariance is shrunk (Ledoit and Wolf, 2004).

A build's distances are compared with those of each class of training by the population stability index over their
deciles; the class it is least unlike counts. Distances of one class are seldom those of both.
Above 0.25 a population is held to have shifted: Siddiqi, "Credit Risk Scorecards", 2006. The index of few crops is high
by chance: chi-square of (bins - 1) degrees of freedom, times (1/n + 1/m) (Yurdakul, "Statistical properties of the
population stability index", 2018), so the threshold is not below its 99.9th percentile. Nor is it below the index of
any training build that is left out of the reference: builds differ, and what is usual raises no alarm. Crops that lie
otherwise, but where training's lie too, are known to the classifier: the alarm asks for outlying ones besides.
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
# Of training's own crops 1 % are outlying, by definition. Chosen here: usual builds of benchmarks/spatter_builds.py
# have up to 3 %.
MIN_OUTLYING_SHARE = 0.05
# A bin nobody is in would make the index infinite: counts get this much on top, as Yurdakul's tables do with zeros.
PSEUDO_COUNT = 0.5
# A covariance of fewer crops than this a dimension is mostly noise. Chosen here.
MIN_CROPS_A_CLASS = 20
FIELDS = ("means", "precision", "edges", "outlying", "n_crops", "usual_index", "model")


@dataclass(frozen=True)
class DriftReference:
    """What training data look like in the embedding, small enough to lie beside the model.

    means float64 (classes, D), precision float64 (D, D); of each class's squared distances: edges float64 (classes,
    BINS - 1) and outlying float64 (classes,), the 99 % quantile; n_crops int64 (classes,) of training; usual_index:
    highest of a training build left out.
    """

    means: NDArray[np.float64]
    precision: NDArray[np.float64]
    edges: NDArray[np.float64]
    outlying: NDArray[np.float64]
    n_crops: NDArray[np.int64]
    usual_index: float
    model: str

    def distances(self, embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
        """Squared Mahalanobis distance of each row of (N, D) to the nearest class, float64 (N,)."""
        nearest = np.full(len(embeddings), np.inf)
        for mean in self.means:
            off = embeddings.astype(np.float64) - mean
            np.minimum(nearest, np.einsum("nd,nd->n", off @ self.precision, off), out=nearest)
        return nearest

    def stability_index(self, distances: NDArray[np.float64]) -> tuple[float, int]:
        """Population stability index of distances (N,) against the class they are least unlike, and that class."""
        indices = [_stability_index(np.bincount(np.searchsorted(e, distances), minlength=BINS)) for e in self.edges]
        return min(indices), int(np.argmin(indices))

    def to_bytes(self) -> bytes:
        """As a NumPy archive, without pickles."""
        file = BytesIO()
        fields: dict[str, Any] = {field: np.asarray(getattr(self, field)) for field in FIELDS}
        np.savez_compressed(file, **fields)
        return file.getvalue()

    @staticmethod
    def from_bytes(data: bytes, name: str = "drift reference") -> "DriftReference":
        """What `to_bytes` wrote.

        Raises:
            ArtifactDamaged: it is something else.
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
    """The reference of a classifier. Best of crops that it was not fitted to: those it was lie closer together.

    Args:
        embeddings: (N, D) of labelled crops.
        labels: integers (N,), the class of each.
        builds: strings (N,), the build of each.
        model: which model made the embeddings, as in `spatter_schemas.SpatterPredictions`.

    Raises:
        InvalidSetting: a class with fewer than 20 crops.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if not len(classes) or counts.min() < MIN_CROPS_A_CLASS:
        raise InvalidSetting(
            f"Crops of the classes {classes.tolist()}: {counts.tolist()}. A drift reference needs at least "
            f"{MIN_CROPS_A_CLASS} of each: label more builds, or extract more of their crops."
        )
    whole = _fit(embeddings, labels, model, usual_index=0.0)
    usual = 0.0
    for build in np.unique(builds):
        left_out = builds == build
        rest, n_rest = np.unique(labels[~left_out], return_counts=True)
        # Where the build is the only one of its class, leaving it out says nothing of how builds of a class differ.
        if set(labels[left_out]) <= set(rest) and n_rest.min() >= MIN_CROPS_A_CLASS:
            others = _fit(embeddings[~left_out], labels[~left_out], model, usual_index=0.0)
            index, _ = others.stability_index(others.distances(embeddings[left_out]))
            usual = max(usual, index)
    return replace(whole, usual_index=usual)


def measure_drift(clip: str, predictions: pl.DataFrame, reference: DriftReference) -> pl.DataFrame:
    """One row; columns in `spatter_schemas.SpatterDrift`.

    Args:
        clip: partition key.
        predictions: rows of `spatter_schemas.SpatterPredictions` of one build.
        reference: of the classifier that made them.

    Raises:
        SchemaViolation: another model made the predictions.
    """
    scored = predictions.filter(pl.col("embedding").is_not_null())
    if others := sorted(set(scored["model"]) - {reference.model}):
        raise SchemaViolation(
            f"{clip}: predictions by the model {others[0]}, a drift reference of {reference.model}: embeddings of two "
            f"models cannot be compared. `vidassets run --clips {clip} --select spatter_predictions --force`"
        )
    row: dict[str, object] = {"clip": clip, "n_crops": len(scored)}
    if not len(scored):
        row |= {"stability_index": None, "threshold": None, "outlying_share": None, "alarm": False}
        row |= {"detail": "no scored crop, so nothing to compare"}
    else:
        distances = reference.distances(embedding_matrix(scored))
        index, nearest = reference.stability_index(distances)
        threshold = alarm_threshold(reference, nearest, len(scored))
        share = float((distances > reference.outlying[nearest]).mean())
        alarm = index > threshold and share >= MIN_OUTLYING_SHARE
        row |= {"stability_index": index, "threshold": threshold, "outlying_share": share, "alarm": alarm}
        row["detail"] = (
            f"{'unlike' if alarm else 'like'} the training data: stability index {index:.2f} "
            f"{'>' if index > threshold else '≤'} {threshold:.2f}, "
            f"{share:.0%} of {len(scored)} crops farther out than 99 % of training's"
        )
    return spatter_schemas.SpatterDrift.validate(pl.DataFrame([row]), cast=True)


def alarm_threshold(reference: DriftReference, nearest: int, n_crops: int) -> float:
    """The index above which a build of this many crops is unlike training, see the module's head.

    Args:
        reference: of the classifier.
        nearest: the class that the build is least unlike, 0, 1 …
        n_crops: of the build, scored.
    """
    by_chance = CHANCE_CHI_SQUARE * (1 / n_crops + 1 / int(reference.n_crops[nearest]))
    return max(SHIFTED_INDEX, by_chance, reference.usual_index)


def _fit(
    embeddings: NDArray[np.floating], labels: NDArray[np.integer], model: str, usual_index: float
) -> DriftReference:
    from sklearn.covariance import LedoitWolf

    classes, index = np.unique(labels, return_inverse=True)
    rows = embeddings.astype(np.float64)
    means = np.stack([rows[index == number].mean(axis=0) for number in range(len(classes))])
    # Units that never fire have no variance: the ridge keeps the inverse finite and their distance meaningful.
    covariance = LedoitWolf(assume_centered=True).fit(rows - means[index]).covariance_
    ridge = 1e-6 * max(float(np.trace(covariance)) / len(covariance), 1e-12)
    precision = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
    bare = DriftReference(means, precision, np.empty(0), np.empty(0), np.bincount(index), usual_index, model)
    distances = bare.distances(rows)
    own = [distances[index == number] for number in range(len(classes))]
    edges = np.stack([np.quantile(of_class, np.arange(1, BINS) / BINS) for of_class in own])
    outlying = np.array([np.quantile(of_class, OUTLYING_QUANTILE) for of_class in own])
    return replace(bare, edges=edges, outlying=outlying)


def _stability_index(counts: NDArray[np.integer]) -> float:
    """Population stability index of counts (BINS,) in bins of equal share.

    >>> _stability_index(np.full(10, 500)), round(_stability_index(np.arange(10) * 100), 2)
    (0.0, 1.0)
    """
    share = (counts + PSEUDO_COUNT) / (counts + PSEUDO_COUNT).sum()
    return float(((share - 1 / BINS) * np.log(share * BINS)).sum())
